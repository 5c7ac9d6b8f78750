"""Starts, watches, prefixes and stops child processes. Knows nothing about what they are.

Single-threaded: one selector waits for the children's output and, through a wake-up pipe, for signals. It sleeps while
nothing happens. Each child leads a session of its own, so that Ctrl-C reaches the supervisor alone, which then stops
the children in order; on Linux each child also asks the system to be signalled should the supervisor be killed.
"""

import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Self

from oms.embedded.binaries import User
from oms.embedded.console import Console
from oms.embedded.deaths import Deaths
from oms.embedded.errors import STOPPING_SIGNALS, ChildDied, Interrupted
from oms.embedded.processes import Record, find, signal_group, stop_leftovers

KEPT_LINES = 200
SHOWN_TAIL = 15
POLL_SECONDS = 0.05
HURRIED_GRACE = 3.0
MOST_REQUESTS = 3
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def at_once(_pid: int) -> bool:
    """The ready check of a child that is ready as soon as it runs."""
    return True


def nothing_left() -> bool:
    """The clear check of a child that leaves nothing in its own way."""
    return True


@dataclass(frozen=True, kw_only=True)
class Service:
    """One child as data.

    `ready` is polled with the process' number after the start: cheap, and False while it is not yet so. Each line with
    `progress` in it gives it `ready_seconds` anew. `clear` is polled before it is started again: False while what the
    dead one left is in the way. To stop the child it gets `stop_signal` and `grace` seconds, then `hurry_signal` and a
    few seconds, then SIGKILL with all that it started.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    ready: Callable[[int], bool] = at_once
    ready_seconds: float = 60.0
    progress: str = ""
    clear: Callable[[], bool] = nothing_left
    stop_signal: signal.Signals = signal.SIGTERM
    hurry_signal: signal.Signals = signal.SIGKILL
    grace: float = 10.0
    cwd: Path = Path("/")
    user: User | None = None
    quiet: bool | None = None  # its output is kept for the case of its failure, and not shown; None: as the console is
    foreground: bool = False  # keeps the terminal, its output and its process group: a program that a person talks to


@dataclass
class Child:
    """A started service. When it is started again only the process is another one."""

    service: Service
    process: subprocess.Popen[bytes]
    moved_at: float  # when it was started, or last showed progress since
    output: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    pending: bytes = b""
    deaths: Deaths = field(default_factory=Deaths)
    again_at: float | None = None  # it is dead, and is started again then
    is_back: bool = True  # False from the death until it is ready again

    @property
    def name(self) -> str:
        """Of the service."""
        return self.service.name

    def is_ready(self) -> bool:
        """Whether it can be used."""
        return self.service.ready(self.process.pid)

    def is_late(self) -> bool:
        """Whether it should have been ready, or have shown progress, by now."""
        return time.monotonic() - self.moved_at > self.service.ready_seconds


class Supervisor:
    """Runs children. Use it as a context, with the state's lock: signals are its own inside. At the beginning it stops
    what a killed supervisor left, at the end every child.
    """

    def __init__(self, console: Console, pids: Path) -> None:
        self.console = console
        self.pids = pids
        self.children: list[Child] = []
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._is_stopping = self._is_watching = False
        self._restore: list[tuple[int, Any]] = []

    # --- signals ------------------------------------------------------------------------------------------------------
    def __enter__(self) -> Self:
        self._wake, wake_end = socket.socketpair()
        self._wake_end = wake_end
        for end in (self._wake, wake_end):
            end.setblocking(False)  # noqa: FBT003
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._old_wakeup = signal.set_wakeup_fd(wake_end.fileno(), warn_on_full_buffer=False)
        for signum in (*STOPPING_SIGNALS, signal.SIGCHLD):
            self._restore.append((signum, signal.signal(signum, self._note)))
        if left := stop_leftovers(self.pids):
            self.console.say(f"the last supervisor was killed; stopped what it left: {', '.join(left)}")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop_all()
        finally:
            signal.set_wakeup_fd(self._old_wakeup)
            for signum, handler in self._restore:
                signal.signal(signum, handler)
            self._selector.close()
            self._wake.close()
            self._wake_end.close()

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        if signum != signal.SIGCHLD:
            self._signals.append(signum)

    # --- starting -----------------------------------------------------------------------------------------------------
    def start(self, service: Service) -> Child:
        """Start a child; it is watched from now on and its death is an error."""
        child = Child(service, self._spawn(service), time.monotonic())
        self.children.append(child)
        self._take_up(child)
        return child

    def _take_up(self, child: Child) -> None:
        self._record(child)
        if child.process.stdout is not None:
            os.set_blocking(child.process.stdout.fileno(), False)
            self._selector.register(child.process.stdout, selectors.EVENT_READ, child)

    def _spawn(self, service: Service) -> subprocess.Popen[bytes]:
        parent = os.getpid()
        as_user: dict[str, Any] = {}
        if service.user is not None:
            as_user = {"user": service.user.uid, "group": service.user.gid, "extra_groups": []}

        def follow_parent() -> None:
            # Runs in the child after it has become `user`: becoming another user would switch the request off again.
            if LIBC is not None:
                LIBC.prctl(PR_SET_PDEATHSIG, int(service.stop_signal), 0, 0, 0)
                if os.getppid() != parent:
                    os._exit(1)

        return subprocess.Popen(
            service.argv,
            env=service.env,
            cwd=service.cwd,
            stdin=None if service.foreground else subprocess.DEVNULL,
            stdout=None if service.foreground else subprocess.PIPE,
            stderr=None if service.foreground else subprocess.STDOUT,
            start_new_session=not service.foreground,
            preexec_fn=follow_parent,  # noqa: PLW1509  (there are no threads here)
            **as_user,
        )

    def _record(self, child: Child) -> None:
        found, service = find(child.process.pid), child.service
        if found is not None and not service.foreground:
            Record(
                name=service.name,
                pid=found.pid,
                started=found.started,
                command=found.command,
                stop_signal=int(service.stop_signal),
                grace=service.grace,
            ).save(self.pids)

    def wait_ready(self, children: Iterable[Child]) -> None:
        """Return when all of `children` are ready. Raises `ChildDied` when one dies or takes too long."""
        waiting = list(children)
        while waiting := [child for child in waiting if not child.is_ready()]:
            self._turn(POLL_SECONDS)
            for child in waiting:
                if child.is_late():
                    raise self.died(child, _how_late(child))

    def run(self, service: Service) -> Child:
        """Run a child to its end and return it, while the others are watched.

        A foreground child decides for itself what Ctrl-C means; it is only ended after being asked MOST_REQUESTS times.
        """
        child, asked = self.start(service), 0
        while child.process.poll() is None:
            try:
                self._turn(None, ends=child)
            except Interrupted as request:
                asked += 1
                if not service.foreground or asked >= MOST_REQUESTS:
                    raise
                if request.signum != signal.SIGINT or not os.isatty(0):  # a terminal's Ctrl-C has reached it already
                    child.process.send_signal(service.stop_signal)
        self._forget(child)
        self.children.remove(child)
        return child

    # --- starting again -----------------------------------------------------------------------------------------------
    def watch(self) -> NoReturn:
        """Start again whatever dies, until `Interrupted`. Raises `ChildDied` where one dies too often."""
        self._is_watching = True
        while True:
            self._turn(POLL_SECONDS if self._bring_back() else None)

    def _bring_back(self) -> bool:
        """Do what can be done now for those that died; whether there is more to do."""
        for child in [child for child in self.children if not child.is_back]:
            if child.again_at is not None:
                if time.monotonic() >= child.again_at and child.service.clear():
                    self._start_again(child)
            elif child.process.poll() is None and child.is_ready():
                child.is_back = True
                self.console.say(f"{child.name} runs again")
            elif child.is_late():
                self._bury(child, _how_late(child))
        return any(not child.is_back for child in self.children)

    def _start_again(self, child: Child) -> None:
        try:
            child.process = self._spawn(child.service)
        except OSError as error:  # the machine has no memory or process left
            return self._put_off(child, f"cannot be started ({error.strerror})")
        child.again_at, child.moved_at = None, time.monotonic()
        try:
            return self._take_up(child)
        except OSError as error:  # a full disk: without a record it runs as well
            self.console.say(f"{child.name} is not on record ({error.strerror})")

    def _bury(self, child: Child, how: str) -> None:
        """End what is left of a child that is lost, and start it again later."""
        self._forget(child)
        self._put_off(child, how)

    def _put_off(self, child: Child, how: str) -> None:
        """Say when a child that is gone is started again. Raises `ChildDied` where it has died too often."""
        wait = child.deaths.note(time.monotonic())
        child.again_at, child.is_back = time.monotonic() + (wait or 0), False
        if wait is None:
            raise self.died(child, f"{how}, {child.deaths}")
        self.console.say(f"{child.name} {how}; it is started again")

    # --- one turn of the loop -----------------------------------------------------------------------------------------
    def _turn(self, seconds: float | None, ends: Child | None = None) -> None:
        """Wait for output, a signal or the end of a child, at most `seconds`; handle what came.

        Raises `ChildDied` for any child but `ends`, and `Interrupted`; neither while stopping. While watching, who died
        is started again.
        """
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                self._drain_wake()
            else:
                self._read(key.data)
        if self._is_stopping:
            return
        for child in self.children:
            if child is not ends and child.again_at is None and child.process.poll() is not None:
                self._lose(child, _how_it_ended(child.process.returncode))
        if self._signals or self.console.is_gone:
            request = self._signals[0] if self._signals else signal.SIGPIPE
            self._signals.clear()  # what comes from now on asks for more haste
            raise Interrupted(request)

    def _lose(self, child: Child, how: str) -> None:
        if self._is_watching:
            self._bury(child, how)
        else:
            self._read(child)
            raise self.died(child, how)

    def _drain_wake(self) -> None:
        try:
            while self._wake.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _read(self, child: Child) -> None:
        """Pass on what the child has written; its last line too when it has closed its output."""
        stream = child.process.stdout
        if stream is None or stream.closed:
            return
        while True:
            try:
                data = os.read(stream.fileno(), 65536)
            except BlockingIOError:
                return
            lines = (child.pending + data).split(b"\n")
            child.pending = lines.pop() if data else b""
            for text in filter(None, (line.decode(errors="replace").rstrip() for line in lines)):
                child.output.append(text)
                if child.service.progress and child.service.progress in text:
                    child.moved_at = time.monotonic()
                if self._is_shown(child):
                    self.console.line(child.name, text)
            if not data:
                self._selector.unregister(stream)
                stream.close()
                return

    def show_tails(self, but: str) -> None:
        """Show what the running children said last, for whoever looks for the reason of the failure of `but`."""
        for child in self.children:
            for line in list(child.output)[-SHOWN_TAIL:] if child.name != but else ():
                self.console.line(child.name, line)

    def died(self, child: Child, reason: str) -> ChildDied:
        """The error to raise for `child`."""
        return ChildDied(child.name, reason, list(child.output), was_shown=self._is_shown(child))

    def _is_shown(self, child: Child) -> bool:
        is_quiet = self.console.quiet if child.service.quiet is None else child.service.quiet
        return not is_quiet

    # --- stopping -----------------------------------------------------------------------------------------------------
    def stop_all(self) -> None:
        """Stop all children, last started first. A second Ctrl-C cuts the waiting short."""
        self._is_stopping = True
        for child in reversed(self.children):
            self._stop(child)
        self.children.clear()
        self._is_stopping = False

    def stop(self, child: Child) -> None:
        """Stop one child."""
        self._is_stopping = True
        self._stop(child)
        self.children.remove(child)
        self._is_stopping = False

    def _stop(self, child: Child) -> None:
        if child.again_at is not None:  # it is dead, and its number may be another's by now
            return
        service = child.service
        for signum, grace in ((service.stop_signal, service.grace), (service.hurry_signal, HURRIED_GRACE)):
            if child.process.poll() is None:
                child.process.send_signal(signum)
                self._wait_end(child, grace)
        self._forget(child)

    def _wait_end(self, child: Child, grace: float) -> None:
        started = time.monotonic()
        while child.process.poll() is None:
            allowed = min(grace, HURRIED_GRACE) if self._signals else grace
            left = started + allowed - time.monotonic()
            if left <= 0:
                self.console.say(f"{child.name} did not stop within {allowed:.0f} s.")
                return
            self._turn(min(left, 0.5))

    def _forget(self, child: Child) -> None:
        """End what the child left behind, read its last words and drop its record."""
        if not child.service.foreground:
            signal_group(child.process.pid, signal.SIGKILL)
        elif child.process.poll() is None:
            child.process.kill()
        child.process.wait()
        self._read(child)
        stream = child.process.stdout
        if stream is not None and not stream.closed:
            self._selector.unregister(stream)
            stream.close()
        (self.pids / f"{child.name}.json").unlink(missing_ok=True)


def _how_late(child: Child) -> str:
    return f"was not ready after {child.service.ready_seconds:.0f} s"


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended by itself with status {status}"
