"""What can go wrong while the servers run. Every message is a sentence for the person at the terminal."""


class CannotStart(Exception):
    """Something that the servers need is missing or in the way; the message says what, and what to do."""


class ChildDied(Exception):
    """A child ended by itself, or did not become ready."""

    def __init__(self, name: str, reason: str, output: list[str]) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name
        self.output = output


class Interrupted(Exception):
    """Ctrl-C, or a signal that asks the supervisor to stop."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"signal {signum}")
        self.signum = signum
