"""The lock of a state folder: held by the supervisor of its servers for as long as it lives, however it ends."""

import fcntl
import os
import time
from pathlib import Path

WAIT_SECONDS = 0.5
"""`is_held` holds a free lock for a moment, which must not look like a supervisor."""


def take(file: Path) -> int | None:
    """The handle that holds the lock until it is closed; None where another process has it."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    end = time.monotonic() + WAIT_SECONDS
    while not _locks(handle, fcntl.LOCK_EX):
        if time.monotonic() > end:
            os.close(handle)
            return None
        time.sleep(0.02)
    return handle


def is_held(file: Path) -> bool:
    """Whether somebody has the lock."""
    try:
        handle = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _locks(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _locks(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
