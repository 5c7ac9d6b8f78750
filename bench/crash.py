"""A running set that is killed, has no room left, or whose clock was wrong once; and clients that send half.

The set is `manage.py up` with demo data and a state folder of its own. What is killed gets SIGKILL, which nobody hears.
A round holds where the set works again by itself, or at the first next start: web answers, each worker takes a task,
the dispatcher runs, everything that was confirmed is there, and the ledger is sound.
"""

import socket
import tempfile
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from time import monotonic, sleep

from bench.report import Measure, percentile
from bench.running_set import RunningSet, fill, small_disk
from oms.embedded.children import is_healthy
from oms.embedded.deaths import MOST, WITHIN_SECONDS
from oms.embedded.ports import HOST
from oms.embedded.processes import wait_until

AGAIN_SECONDS = 120.0
DISK_MEGABYTES = 900
HALF_OPEN, ASKED = 200, 200
HALF = (
    b"GET /sign-in/ HTTP/1.1\r\nHost: localhost\r\nX-Half:",
    b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nhalf",
)
# What is stored while the clock is a day ahead: every wait ends a day too late, every round was made then.
A_DAY_AHEAD = """
DO $$
DECLARE wait record;
BEGIN
    FOR wait IN
        SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
            AND (a.attname ~ '(_until|^next_at)$' OR (c.relname, a.attname) IN (
                ('oms_due', 'at'), ('oms_round', 'made_at'), ('axes_accessattempt', 'attempt_time')))
    LOOP
        EXECUTE format('UPDATE %I SET %I = now() + interval ''1 day'' WHERE %I IS NOT NULL',
            wait.relname, wait.attname, wait.attname);
    END LOOP;
END $$
"""


def run(runs: int) -> tuple[Iterator[Measure], str]:
    """Kill each child `runs` times, all of them, and the supervisor; fill the disk and turn the clock as often."""
    return _measures(runs), (
        f"manage.py up with demo data; {runs} rounds each; what is killed gets SIGKILL, a child never {MOST} times "
        f"within {WITHIN_SECONDS:.0f} s, which stops the set by design; the disk is a tmpfs of {DISK_MEGABYTES} MB"
    )


def _measures(runs: int) -> Iterator[Measure]:
    with tempfile.TemporaryDirectory(prefix="lotline-crash-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's user goes through it
        with small_disk(folder, DISK_MEGABYTES) as is_small:
            crash = Crash(RunningSet(folder / "state"))
            try:
                crash.begin()
                yield from crash.kill_children(runs)
                yield crash.half_open()
                for what, once in crash.starts(is_small=is_small).items():
                    yield _rounds(what, [partial(_timed, once)] * runs)
            finally:
                crash.running.stop()


def _timed(once: Callable[[], float | None]) -> float:
    """The seconds of a round: those that it tells, else all of it."""
    started = monotonic()
    told = once()
    return monotonic() - started if told is None else told


def _rounds(measure: str, rounds: list[Callable[[], float]]) -> Measure:
    """How many of the rounds held, and the seconds that they took."""
    seconds, faults = [], []
    for once in rounds:
        try:
            seconds.append(once())
        except RuntimeError as error:
            faults.append(str(error))
    return _held(measure, seconds, faults)


def _held(measure: str, seconds: list[float], faults: list[str]) -> Measure:
    count, taken = len(seconds) + len(faults), seconds or [0.0]
    return Measure(
        measure=measure,
        value=len(seconds),
        unit="rounds",
        limit=count,
        ratio=len(seconds) / count,
        bar=1.0,
        p50=round(median(taken), 1),
        p95=round(percentile(taken, 95), 1),
        runs=count,
        sql="; ".join(faults) or "all of them",
    )


class Crash:
    """What is done to one running set."""

    def __init__(self, running: RunningSet) -> None:
        self.running = running
        self.marks: list[str] = []
        self.kills: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=MOST - 1))

    def begin(self) -> None:
        """Start it, and let it do its main job once."""
        self.running.start()
        self.running.receives()
        self.marks.append(self.running.leave_mark())

    # --- each child ---------------------------------------------------------------------------------------------------
    def kill_children(self, runs: int) -> Iterator[Measure]:
        """Each child in turn, so that no child dies too often."""
        seconds: dict[str, list[float]] = defaultdict(list)
        faults: dict[str, list[str]] = defaultdict(list)
        names = sorted(self.running.children())
        for _round in range(runs):
            for name in names:
                try:
                    seconds[name].append(self._kill_child(name))
                    self.running.works()
                except RuntimeError as error:
                    faults[name].append(str(error))
        self.running.keeps(self.marks)
        for name in names:
            yield _held(f"{name} comes back", seconds[name][: runs - len(faults[name])], faults[name])

    def _kill_child(self, name: str) -> float:
        kills = self.kills[name]
        if len(kills) == kills.maxlen:
            sleep(max(0.0, kills[0] + WITHIN_SECONDS + 1 - monotonic()))
        started, pid = monotonic(), self.running.children()[name]
        kills.append(started)
        self.running.kill([pid])
        again = wait_until(
            lambda: self.running.children().get(name, pid) != pid and is_healthy(self.running.port), AGAIN_SECONDS
        )
        if not again:
            raise RuntimeError(f"{name} did not come back: {self.running.said()}")
        return monotonic() - started

    # --- the next start -----------------------------------------------------------------------------------------------
    def starts(self, *, is_small: bool) -> dict[str, Callable[[], float | None]]:
        """What must hold at the first next start, or where it ended, by name."""
        on_disk: dict[str, Callable[[], float | None]] = (
            {"works after a full disk": self._full_disk} if is_small else {}
        )
        return {
            "starts after all are killed": lambda: self._start_after(self.running.everything),
            "starts after its supervisor is": lambda: self._start_after(self.running.supervisor),
            "works after a clock a day ahead": self._wrong_clock,
            **on_disk,
        }

    def _start_after(self, killed: Callable[[], set[int]]) -> float:
        self.running.kill(killed())
        return self._start()

    def _start(self) -> float:
        started = monotonic()
        self.running.start()
        seconds = monotonic() - started
        self.running.works()
        self.running.keeps(self.marks)
        return seconds

    def _wrong_clock(self) -> None:
        """What was written while it was ahead is there when it is right again; and the main job is done."""
        self.running.run_as_owner(A_DAY_AHEAD)
        self.running.stop()
        self._start()
        self.running.receives()

    def _full_disk(self) -> None:
        """Nothing works while it is full, which is told in words; when there is room again, everything does."""
        filling = self.running.folder.parent / "filling"
        fill(filling)
        try:
            self._write_until_refused()
        finally:
            filling.unlink()
        wait_until(lambda: self.running.has_ended or self.running.is_up, AGAIN_SECONDS)
        if self.running.has_ended:  # it said why, and starts when it is asked to
            self._start()
        self.running.works()
        self.running.keeps(self.marks)
        self.running.receives()

    def _write_until_refused(self) -> None:
        """Confirm facts until there is no room for one more. Each that was confirmed must be there afterwards."""
        for _each in range(50):
            try:
                self.marks.append(self.running.leave_mark())
            except RuntimeError as error:
                if "Traceback" in str(error):
                    raise
                return

    # --- slow clients -------------------------------------------------------------------------------------------------
    def half_open(self) -> Measure:
        """Other people's answers beside clients that sent half a request and wait."""
        alone = _asked(self.running.port)
        with ExitStack() as stack:
            for place in range(HALF_OPEN):
                address = (HOST, self.running.port)
                client = stack.enter_context(closing(socket.create_connection(address, timeout=30)))
                client.sendall(HALF[place % len(HALF)])
            beside = _asked(self.running.port)
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


def _asked(port: int) -> list[float]:
    """The seconds of ASKED answers, one after the other."""
    seconds = []
    for _each in range(ASKED):
        started = monotonic()
        with closing(HTTPConnection(HOST, port, timeout=60)) as client:
            client.request("GET", "/sign-in/", headers={"Host": "localhost"})
            client.getresponse().read()
        seconds.append(monotonic() - started)
    return seconds
