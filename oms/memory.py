"""Giving back the memory that a process needed only to start."""

import ctypes
import gc
import sys


def settle() -> None:
    """Collect what loading left, give it back to the system, and keep the collector off the rest.

    For a process that has loaded all that it needs, before it forks or begins: what is never touched again stays shared
    with the processes that come of it.
    """
    gc.collect()
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if give_back is not None:  # glibc has it
        give_back(0)
    gc.freeze()
