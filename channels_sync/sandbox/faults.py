"""Faults on demand, so that tests and demonstrations see what real warehouses do on bad days.

POST /faults takes one of these, or a list:
    {"do": "status", "status": 429, "retry_after": 1, "times": 2}    the next answers, before anything happens
    {"do": "timeout", "seconds": 30}                                 no answer for so long, before anything happens
    {"do": "lose_answer"}                                            it happens, then the connection breaks off
    {"do": "barrier"}                                                it happens, then the answer waits for its release
    {"do": "down", "seconds": 3}                                     nothing is answered for so long, besides controls
    {"do": "duplicate_pages"} {"do": "reorder_pages"}                lists come twice, or in another order
    {"do": "wrong_serial"} {"do": "missing_serial"}                  the next delivery's first unit
    {"do": "forgetful"}                                              idempotency keys and references are not checked
Each works `times` (1) times, with "on": "POST /purchase-orders" only there; `times` 0 is until DELETE /faults.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any

KINDS = {
    *("status", "timeout", "lose_answer", "barrier", "down", "duplicate_pages", "reorder_pages"),
    *("wrong_serial", "missing_serial", "forgetful"),
}


class Faults:
    """The list of faults, and the barrier."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[dict[str, Any]] = []
        self._down_until = 0.0
        self._released = threading.Event()
        self._held = 0

    @property
    def is_down(self) -> bool:
        """The warehouse answers nobody now."""
        return time.monotonic() < self._down_until

    @property
    def held(self) -> int:
        """How many answers wait at the barrier."""
        return self._held

    def add(self, fault: Mapping[str, Any]) -> None:
        """Take a fault. Raises ValueError for one that is not known."""
        if fault.get("do") not in KINDS:
            raise ValueError(f"do: one of {', '.join(sorted(KINDS))}")
        if fault["do"] == "down":
            self._down_until = time.monotonic() + float(fault.get("seconds", 1))
            return
        with self._lock:
            if fault["do"] == "barrier":
                self._released.clear()
            self._faults.append({**fault, "left": int(fault.get("times", 1)) or None})

    def clear(self) -> None:
        """No faults; what waits at the barrier goes on."""
        with self._lock:
            self._faults.clear()
        self._down_until = 0.0
        self._released.set()

    def take(self, kind: str, on: str = "") -> dict[str, Any] | None:
        """The fault of a kind that strikes here and now, used up once more; None where there is none."""
        with self._lock:
            for fault in self._faults:
                if fault["do"] == kind and fault.get("on", on) == on:
                    if fault["left"] is not None:
                        fault["left"] -= 1
                        if not fault["left"]:
                            self._faults.remove(fault)
                    return fault
        return None

    def wait_at_barrier(self) -> None:
        """Hold an answer until `release`."""
        with self._lock:
            self._held += 1
        try:
            self._released.wait()
        finally:
            with self._lock:
                self._held -= 1

    def release(self) -> None:
        """Let the held answers go."""
        self._released.set()
