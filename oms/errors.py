"""The errors that services raise and views turn into words for a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.functional import Promise

Text = str | Promise


class DomainError(Exception):
    """A rule of the product refused what was asked. `str(error)` is a sentence for the person, saying what to do."""

    def __init__(self, message: Text) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return str(self.message)


class Conflict(DomainError):
    """Somebody else changed the same thing first; nothing was written."""


@dataclass(frozen=True)
class Blocker:
    """One reason why something cannot be done now: what stands in the way, how to clear it, and where.

    `route` names a URL of the account (its slug is added), `kwargs` and `query` complete it; no route, no link.
    """

    text: Text
    how: Text
    link_label: Text = ""
    route: str = ""
    kwargs: Mapping[str, object] = field(default_factory=dict)
    query: Mapping[str, object] = field(default_factory=dict)


class Blocked(DomainError):
    """Refused for several reasons, all of them listed."""

    def __init__(self, message: Text, blockers: Sequence[Blocker]) -> None:
        super().__init__(message)
        self.blockers = list(blockers)
