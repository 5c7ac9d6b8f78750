"""Looking at the processes of this machine, and stopping what a killed supervisor left behind.

A process number alone proves nothing, it is given out again. So a child is recorded with the time its process started
and its command, and is only ever signalled while both still hold. Linux is read from /proc, other systems from `ps`.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "stat").exists()


@dataclass(frozen=True)
class Process:
    """One live process. `started` is opaque: only equality means anything. A child leads its own `group`."""

    pid: int
    group: int
    started: str
    command: str


def processes() -> Iterator[Process]:
    """All live processes of this machine that may be looked at; zombies are not live."""
    if HAS_PROC:
        for entry in os.scandir(PROC):
            if entry.name.isdigit() and (found := find(int(entry.name))):
                yield found
        return
    yield from _from_ps("-ax")


def find(pid: int) -> Process | None:
    """The live process `pid`."""
    if not HAS_PROC:
        return next(_from_ps("-p", str(pid)), None)
    try:
        stat = (PROC / str(pid) / "stat").read_text(errors="replace")
        command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    state, group, started = fields[0], int(fields[2]), fields[19]
    return None if state in "ZX" else Process(pid, group, started, command)


def _from_ps(*selection: str) -> Iterator[Process]:
    columns = ("-ww", "-o", "pid=", "-o", "pgid=", "-o", "state=", "-o", "lstart=", "-o", "command=")
    listed = subprocess.run(["/bin/ps", *selection, *columns], capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        pid, group, state, *rest = line.split(None, 8)
        if not state.startswith("Z"):
            yield Process(int(pid), int(group), " ".join(rest[:5]), rest[5] if len(rest) > 5 else "")


def works_in(folder: Path) -> list[Process]:
    """Processes whose working folder is `folder`; every process of a PostgreSQL server works in its data folder."""
    found = []
    for process in processes() if HAS_PROC else ():
        with contextlib.suppress(OSError):
            if (PROC / str(process.pid) / "cwd").samefile(folder):
                found.append(process)
    return found


def signal_process(pid: int, signum: int) -> None:
    """Signal one process; nothing happens where it is gone, or belongs to somebody else by now."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signum)


def signal_group(group: int, signum: signal.Signals) -> bool:
    """Signal every process of `group`; whether there was one."""
    try:
        os.killpg(group, signum)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group of zombies
        return False
    return True


def wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Poll `is_so` until it holds; False after `seconds`."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@dataclass(frozen=True)
class Record:
    """A child as it was when it started, and how it wants to be stopped. Kept in the state folder while it runs."""

    name: str
    pid: int
    started: str
    command: str
    stop_signal: int
    grace: float

    def save(self, folder: Path) -> None:
        """Write it into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        half = folder / f"{self.name}.new"
        half.write_text(json.dumps(asdict(self)))
        half.replace(folder / f"{self.name}.json")

    def is_alive(self) -> bool:
        """Whether this very child runs."""
        found = find(self.pid)
        return found is not None and (found.started, found.command) == (self.started, self.command)

    def orphans(self) -> list[int]:
        """Processes that the child made and did not take along: still in its group, running its command.

        While one of them lives the system does not give the number out again; so if a stranger leads the group, there
        is none. The command guards against a group of a stranger that has gone itself.
        """
        if find(self.pid) is not None and not self.is_alive():
            return []
        return [p.pid for p in processes() if self.pid == p.group != p.pid and p.command == self.command]

    def stop(self) -> bool:
        """Stop the child if it still runs, then what it left; whether there was anything to stop."""
        was_alive = self.is_alive()
        if was_alive:
            signal_process(self.pid, self.stop_signal)
            signal_process(self.pid, signal.SIGCONT)  # should somebody have suspended it
            wait_until(lambda: not self.is_alive(), self.grace)
        orphans = self.orphans()
        for pid in [*orphans, *([self.pid] if self.is_alive() else [])]:
            signal_process(pid, signal.SIGKILL)
        wait_until(lambda: not self.is_alive() and not self.orphans(), 5)
        return was_alive or bool(orphans)


def stop_leftovers(folder: Path) -> list[str]:
    """Stop every child recorded in `folder`, last started first; the names of those that still ran.

    Call it only while holding the state folder's lock: then no supervisor is alive that the children could belong to.
    """
    records = []
    for file in sorted(folder.glob("*.json"), key=lambda found: found.stat().st_mtime, reverse=True):
        with contextlib.suppress(ValueError, TypeError):
            records.append(Record(**json.loads(file.read_text())))
    stopped = [record.name for record in records if record.stop()]
    for file in folder.glob("*"):
        file.unlink(missing_ok=True)
    return stopped
