"""A running set that is killed: each process of it, all of them, and the one that watches; and clients that send half.

The set is `manage.py up` with a state folder of its own. What is killed gets SIGKILL, which nobody hears. A round holds
where the set answers again by itself, or at the first next start, with what was there before.
"""

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import monotonic

from bench.report import Measure, percentile
from oms.bootstrap import GIVEN, ROOT
from oms.embedded.children import is_healthy
from oms.embedded.ports import HOST, free_port
from oms.embedded.processes import find, processes, wait_until, works_in

OURS = ("LOTLINE_", "DATABASE_", "REDIS_", "DJANGO_", "SECRET_", "ALLOWED_", "CSRF_", "LOG_", "PORT")
START_SECONDS, AGAIN_SECONDS = 180.0, 120.0
HALF_OPEN, ASKED = 200, 200
HALF = (
    b"GET /sign-in/ HTTP/1.1\r\nHost: localhost\r\nX-Half:",
    b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nhalf",
)


SLUGS = "from oms.models import Account; print(*Account.objects.values_list('slug', flat=True))"


class Running:
    """`manage.py up` on one state folder, as often as it is started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it; the seconds until it answers. Raises RuntimeError where it does not, with its last words."""
        started = monotonic()
        shell = {key: value for key, value in GIVEN.items() if not key.startswith(OURS)}
        environment = {**shell, "LOTLINE_VENV": "off", "LOTLINE_STATE": str(self.folder)}
        argv = [sys.executable, str(ROOT / "manage.py"), "up", "--no-demo", f"--port={self.port}"]
        with (self.folder.parent / "said").open("wb") as said:
            self.process = subprocess.Popen(argv, env=environment, stdout=said, stderr=said, start_new_session=True)
        process = self.process
        wait_until(lambda: process.poll() is not None or is_healthy(self.port), START_SECONDS)
        if process.poll() is not None or not is_healthy(self.port):
            raise RuntimeError((self.folder.parent / "said").read_text()[-2000:])
        return monotonic() - started

    def children(self) -> dict[str, int]:
        """Name → process of each child."""
        records = {file.stem: json.loads(file.read_text()) for file in (self.folder / "pids").glob("*.json")}
        return {re.sub(r"-?\d+$", "", name): int(record["pid"]) for name, record in records.items()}

    def everything(self) -> set[int]:
        """All processes of the set, those of PostgreSQL among them."""
        roots = {*self.children().values(), *([self.process.pid] if self.process else [])}
        own = {each.pid for each in processes() if each.group in roots or str(self.folder) in each.command}
        return own | roots | {each.pid for each in works_in(self.data)}

    @property
    def data(self) -> Path:
        """PostgreSQL's folder, wherever it had to be."""
        command = find(self.children().get("postgres", 0))
        found = re.search(r" -D (\S+) ", f"{command.command} ") if command else None
        return Path(found[1]) if found else self.folder / "postgres"

    def stop(self) -> None:
        """As a person stops it."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(120)


def run(runs: int) -> tuple[Iterator[Measure], str]:
    """Kill each child `runs` times, and all of them and the supervisor as often."""
    return _measures(runs), "manage.py up --no-demo in a throw-away folder, SIGKILL"


def _measures(runs: int) -> Iterator[Measure]:
    with tempfile.TemporaryDirectory(prefix="lotline-crash-") as name:
        Path(name).chmod(0o755)  # PostgreSQL's user goes through it
        running = Running(Path(name) / "state")
        running.folder.mkdir()
        try:
            running.start()
            mark = _leave_mark(running)
            for child in sorted(running.children()):
                yield _rounds(f"{child} comes back", runs, partial(_kill_child, running, child))
            yield _half_open(running)
            yield _rounds("start after all are killed", runs, lambda: _kill(running, running.everything(), mark))
            yield _rounds("start after its supervisor is", runs, lambda: _kill(running, {_pid(running)}, mark))
        finally:
            running.stop()


def _rounds(measure: str, runs: int, once: Callable[[], float]) -> Measure:
    """How many of `runs` rounds held, each told in seconds."""
    seconds, faults = [], []
    for _round in range(runs):
        try:
            seconds.append(once())
        except RuntimeError as error:
            faults.append(str(error))
    taken = seconds or [0.0]
    return Measure(
        measure=measure,
        value=len(seconds),
        unit="rounds",
        limit=runs,
        ratio=len(seconds) / runs,
        bar=1.0,
        p50=round(median(taken), 1),
        p95=round(percentile(taken, 95), 1),
        runs=runs,
        sql="; ".join(faults) or "SIGKILL, then an answer of 200 from /healthz/",
    )


def _kill_child(running: Running, name: str) -> float:
    started, pid = monotonic(), running.children()[name]
    os.kill(pid, signal.SIGKILL)
    if not wait_until(lambda: running.children().get(name, pid) != pid, AGAIN_SECONDS):
        raise RuntimeError(f"{name} was not started again")
    if not wait_until(lambda: is_healthy(running.port), AGAIN_SECONDS):
        raise RuntimeError(f"no answer after {name} was killed")
    return monotonic() - started


def _kill(running: Running, pids: set[int], mark: str) -> float:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if running.process:
        running.process.wait(30)
    seconds = running.start()
    if mark not in _marks(running):
        raise RuntimeError("what was confirmed before is gone")
    return seconds


def _pid(running: Running) -> int:
    return running.process.pid if running.process else 0


def _leave_mark(running: Running) -> str:
    """A fact that must outlive every crash: an account."""
    slug = f"m{secrets.token_hex(6)}"
    _manage(running, "create_account", f"--name={slug}", f"--slug={slug}", f"--admin={slug}@example.com")
    return slug


def _marks(running: Running) -> str:
    _manage(running, "check_ledger")
    return _manage(running, "shell", "--no-imports", "--command", SLUGS)


def _manage(running: Running, *arguments: str) -> str:
    shell = {key: value for key, value in GIVEN.items() if not key.startswith(OURS)}
    environment = {**shell, "LOTLINE_VENV": "off", "LOTLINE_STATE": str(running.folder)}
    argv = [sys.executable, str(ROOT / "manage.py"), *arguments]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:] or done.stdout[-2000:])
    return done.stdout


def _half_open(running: Running) -> Measure:
    """Other people's answers beside clients that sent half a request and wait."""
    alone = _asked(running)
    with ExitStack() as stack:
        for place in range(HALF_OPEN):
            client = stack.enter_context(closing(socket.create_connection((HOST, running.port), timeout=30)))
            client.sendall(HALF[place % len(HALF)])
        beside = _asked(running)
    before, after = percentile(alone, 95), percentile(beside, 95)
    return Measure(
        measure=f"p95 beside {HALF_OPEN} half-sent requests",
        value=round(after * 1000, 1),
        unit="ms",
        limit=round(before * 1000, 1),
        ratio=round(before / after, 3),
        bar=0.5,
        p50=round(median(beside), 4),
        p95=round(after, 4),
        runs=ASKED,
        sql="the same page with nobody else there",
    )


def _asked(running: Running) -> list[float]:
    """The seconds of ASKED answers, one after the other."""
    seconds = []
    for _each in range(ASKED):
        started = monotonic()
        with closing(HTTPConnection(HOST, running.port, timeout=60)) as client:
            client.request("GET", "/sign-in/", headers={"Host": "localhost"})
            client.getresponse().read()
        seconds.append(monotonic() - started)
    return seconds
