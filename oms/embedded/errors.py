"""What can go wrong while the servers run. Every message is a sentence for the person at the terminal."""

import signal

from oms.database.faults import FULL_WORDS

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CannotStart(Exception):
    """Something that the servers need is missing or in the way; the message says what, and what to do."""


class ChildDied(Exception):
    """A child ended by itself, or did not become ready. `output` is the end of what it said."""

    def __init__(self, name: str, reason: str, output: list[str], *, was_shown: bool) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name
        self.output = output
        self.was_shown = was_shown

    def is_of_full_disk(self) -> bool:
        """Whether it said that its disk is full."""
        return any(FULL_WORDS.search(line) for line in self.output)


class Interrupted(Exception):
    """Ctrl-C, or a signal that asks the supervisor to stop."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"signal {signum}")
        self.signum = signum
