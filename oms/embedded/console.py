"""What the supervisor and its children say, on one terminal."""

import os
import sys
from collections.abc import Iterable
from typing import TextIO

SUPERVISOR = "lotline"
WIDTH = 9
COLOURS = ("36", "32", "35", "33", "34", "96", "92", "95")


class Console:
    """Prefixes every line with who said it, in colour on a terminal. `quiet`: what children say is kept, not shown."""

    def __init__(self, out: TextIO | None = None, *, quiet: bool = False, colour: bool | None = None) -> None:
        self.out = out or sys.stdout
        self.quiet = quiet
        wanted = self.out.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self.colour = wanted if colour is None else colour
        self.is_gone = False  # whoever read this has gone: `up | head`, a closed terminal
        self._names: list[str] = [SUPERVISOR]

    def line(self, name: str, text: str) -> None:
        """One line that the child `name` wrote."""
        self._write(name, text)

    def say(self, text: str) -> None:
        """The supervisor's own words."""
        for line in text.splitlines() or [""]:
            self._write(SUPERVISOR, line)

    def plain(self, text: str) -> None:
        """Words without a prefix: the result, for a person to read."""
        try:
            self.out.write(text + "\n")
            self.out.flush()
        except OSError:
            self.is_gone = True
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.out.fileno())  # what is still buffered must not fail again, the last time at exit
            os.close(nowhere)

    def table(self, title: str, rows: Iterable[tuple[str, float]]) -> None:
        """Seconds of each step, and their sum."""
        listed = list(rows)
        width = max(len(name) for name, _ in (*listed, ("total", 0.0), (title, 0.0)))
        lines = [f"{title:<{width}}  seconds", *(f"{name:<{width}}  {seconds:7.2f}" for name, seconds in listed)]
        self.plain("\n".join([*lines, f"{'total':<{width}}  {sum(seconds for _, seconds in listed):7.2f}"]))

    def _write(self, name: str, text: str) -> None:
        if name not in self._names:
            self._names.append(name)
        prefix = f"{name:<{WIDTH}}|"
        if self.colour:
            prefix = f"\x1b[{COLOURS[self._names.index(name) % len(COLOURS)]}m{prefix}\x1b[0m"
        self.plain(f"{prefix} {text}")
