"""The memory of a running set, for `manage.py up --check`. A part of oms/smoke.py, which names it in STEPS."""

import json
import os
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from django.conf import settings

MOST_MEGABYTES = 600
PROC = Path("/proc")


class TooBig(Exception):
    """The set uses more than it may; the message says how much."""


def set_stays_small(_url: str) -> str:
    """All processes of the set together, what they share counted once (PSS), stay below MOST_MEGABYTES."""
    if not (PROC / "self" / "smaps_rollup").exists():
        return "not measured: this system has no smaps_rollup"
    parents = _parents()
    recorded = [json.loads(file.read_text())["pid"] for file in (settings.STATE_DIR / "pids").glob("*.json")]
    supervisors = {parents[pid] for pid in recorded if pid in parents}
    if not supervisors:
        return "not measured: `up` does not run this set"
    found = family(supervisors) - {os.getpid()}
    megabytes = used(found)
    if megabytes > MOST_MEGABYTES:
        raise TooBig(f"{len(found)} processes use {megabytes:.0f} MB, which is more than {MOST_MEGABYTES} MB")
    return f"{len(found)} processes use {megabytes:.0f} MB"


def family(roots: set[int]) -> set[int]:
    """Processes with all that descend from them. Not by groups: each of PostgreSQL's processes has one of its own."""
    children = defaultdict(list)
    for pid, parent in _parents().items():
        children[parent].append(pid)
    found, waiting = set[int](), list(roots)
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        waiting += children[pid]
    return found


def used(pids: set[int]) -> float:
    """Their proportional share of memory in MB; one that ended meanwhile uses none."""
    kilobytes = 0
    for pid in pids:
        with suppress(OSError):
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
            kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


def _parents() -> dict[int, int]:
    """Process → parent, of all that may be looked at."""
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found[int(entry.name)] = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    return found
