"""Ports of this machine: a free one, whether one is free, and starting a server on one in spite of others."""

import errno
import os
import socket
from collections.abc import Callable

from oms.embedded.errors import ChildDied
from oms.embedded.supervisor import Service, Supervisor

HOST = "127.0.0.1"
IN_USE = os.strerror(errno.EADDRINUSE)
TRIES = 5


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError:
            return False
        return True


def start_on_free_port(supervisor: Supervisor, service: Callable[[int], Service]) -> int:
    """Start `service(port)` on a free port and wait until it is ready; on another one where somebody was faster."""
    left = TRIES
    while True:
        port, left = free_port(), left - 1
        child = supervisor.start(service(port))
        try:
            supervisor.wait_ready([child])
        except ChildDied as death:
            if not left or not any(IN_USE in line for line in death.output):
                raise
            supervisor.stop(child)
        else:
            return port
