"""The web server: `python -m oms.webserver --port=8000`, waitress in two processes on one socket.

Waitress reads requests and writes answers in one loop and gives its threads only whole requests, so that clients which
send half a request, or read slowly, keep no thread. Both processes are forked from one that has loaded the application.
Forking is safe because loading opens no connection: Django makes the pool when a process first asks for one.
"""

import argparse
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, NoReturn

from django.conf import settings
from waitress.server import create_server

from oms.embedded.deaths import Deaths
from oms.embedded.processes import wait_until
from oms.memory import settle
from oms.wsgi import application

PROCESSES = 2
# Handles of one process: its connections, its part of the pool, and files that large bodies are kept in. Some systems
# allow a thousand million, and what prepares for each of them then takes minutes.
MOST_FILES = 8192
# Of a body, in a file until the gate (oms/gate.py) says what is too large. What is larger than this is refused in a
# plain line, and a browser that goes on sending may not even show that.
MOST_BODY = settings.LOTLINE_MOST_BODY + 10 * 1024 * 1024
OPTIONS = {
    "threads": 4,
    "connection_limit": 1000,
    "channel_timeout": 60,  # since the last byte that came or went
    "asyncore_use_poll": True,  # select() ends at handle 1023
    "max_request_body_size": MOST_BODY,
    "max_request_header_size": 64 * 1024,
    # What a slow reader has not taken yet lies in a file above the first, and keeps a thread only above the second.
    "outbuf_overflow": 1024 * 1024,
    "outbuf_high_watermark": 256 * 1024 * 1024,
    "ident": None,
    "clear_untrusted_proxy_headers": True,
}

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; the status to exit with."""
    parser = argparse.ArgumentParser(prog="oms.webserver", description="Serves Lotline's pages.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--access-log", action="store_true", help="a line on stderr for each request")
    given = parser.parse_args(arguments)
    _bound_handles()
    try:
        listener = socket.create_server((given.host, given.port), backlog=1024)
    except OSError as error:
        sys.stderr.write(f"Cannot listen on {given.host}:{given.port}: {error.strerror}.\n")
        return 1
    settle()
    return Parent(listener, _logged if given.access_log else application).run()


class Parent:
    """Forks the processes that serve `listener`, puts another in the place of one that dies, and stops them all.

    A process sees by a pipe that its parent is gone, however that ended, and stops too: what the next start would find
    on its port must not be a server that nobody knows of.
    """

    def __init__(self, listener: socket.socket, served: WsgiApplication) -> None:
        self.listener = listener
        self.served = served
        self.children: set[int] = set()
        self.deaths = Deaths()
        self.is_stopping = False
        self.life = os.pipe()  # nothing is ever written: it ends when nobody is left who could write

    def run(self) -> int:
        """Serve until a signal says to stop (0), or until processes die again and again (1)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        for _each in range(PROCESSES):
            self._fork()
        is_broken = False
        while self.children:
            pid, status = os.wait()
            self.children.discard(pid)
            if not self.is_stopping:
                sys.stderr.write(f"Web process {pid} ended with status {os.waitstatus_to_exitcode(status)}.\n")
                is_broken = not self._replace()
        return int(is_broken)

    def _replace(self) -> bool:
        """Another process in the place of one that ended; False, and all stop, where they end again and again."""
        wait = self.deaths.note(time.monotonic())
        if wait is None:
            sys.stderr.write(f"Web processes ended {self.deaths}, so none is started.\n")
            self._stop()
            return False
        if not wait_until(lambda: self.is_stopping, wait):  # the others serve meanwhile
            self._fork()
        return True

    def _fork(self) -> None:
        pid = os.fork()
        if pid == 0:
            self._serve()
        self.children.add(pid)
        if self.is_stopping:  # the signal came in between
            os.kill(pid, signal.SIGTERM)

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop()

    def _stop(self) -> None:
        self.is_stopping = True
        for pid in self.children:
            os.kill(pid, signal.SIGTERM)

    def _serve(self) -> NoReturn:
        """The life of a child."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        if self.is_stopping:  # the signal came before that
            os._exit(0)
        read_end, write_end = self.life
        os.close(write_end)
        threading.Thread(target=_leave_with_parent, args=(read_end,), daemon=True).start()
        try:
            create_server(self.served, sockets=[self.listener], **OPTIONS, **_proxies()).run()
        finally:  # not sys.exit: what the parent registered for its own exit is not the child's
            sys.stderr.flush()
            os._exit(0)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Waitress lets running requests end, then returns."""
    raise SystemExit


def _leave_with_parent(read_end: int) -> None:
    os.read(read_end, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _proxies() -> dict[str, Any]:
    """Whom to believe who the client is: as many proxies in front as the installation says, else nobody."""
    if not settings.LOTLINE_PROXIES:
        return {}
    return {
        "trusted_proxy": "*",
        "trusted_proxy_count": settings.LOTLINE_PROXIES,
        "trusted_proxy_headers": "x-forwarded-for x-forwarded-proto",
    }


def _bound_handles() -> None:
    """At most MOST_FILES open files in each process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _logged(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The application with a line on stderr for each answer: address, method, path, status, milliseconds."""
    started = time.monotonic()

    def start(status: str, *rest: Any) -> Any:
        milliseconds = (time.monotonic() - started) * 1000
        path = environ["PATH_INFO"].encode("unicode_escape").decode("ascii")
        said = f"{environ['REMOTE_ADDR']} {environ['REQUEST_METHOD']} {path} {status[:3]} {milliseconds:.0f} ms"
        sys.stderr.write(f"{said}\n")
        return start_response(status, *rest)

    return application(environ, start)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
