"""How often a child died lately, and so when it is started again. Knows nothing about processes."""

from collections import deque
from dataclasses import dataclass, field

MOST = 5
WITHIN_SECONDS = 60.0
FIRST_WAIT = 0.5
"""Seconds before the first start; twice as long before each further one. All of them fit into WITHIN_SECONDS."""


@dataclass
class Deaths:
    """The last deaths of one child."""

    moments: deque[float] = field(default_factory=lambda: deque(maxlen=MOST))

    def note(self, now: float) -> float | None:
        """Count a death at `now`; the seconds to wait before the next start, None where it has died too often."""
        self.moments.append(now)
        lately = sum(now - moment <= WITHIN_SECONDS for moment in self.moments)
        return None if lately >= MOST else FIRST_WAIT * 2.0 ** (lately - 1)

    def __str__(self) -> str:
        return f"{MOST} times within {WITHIN_SECONDS:.0f} s"
