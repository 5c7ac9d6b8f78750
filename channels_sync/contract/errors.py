"""What an adapter raises. Subclasses behave as their base."""

from typing import ClassVar

from django.utils.translation import gettext as _


class SyncError(Exception):
    """Base of the errors that an adapter raises; `str(error)` is a sentence for a person, without secrets.

    `fault` is what a message out is marked with (`models.Fault`).
    """

    fault: ClassVar[str] = "broken"

    def __str__(self) -> str:
        return super().__str__() or _("The other side did not say why.")


class Retry(SyncError):
    """Not now: the other side is away, busy or limits us. `after` seconds is what it asked for, None if nothing."""

    fault = "retry"

    def __init__(self, reason: str = "", *, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Rejected(SyncError):
    """The other side understood and refused this document; sending it again unchanged is useless."""

    fault = "rejected"


class Misconfigured(SyncError):
    """Nothing can work with this connection until a person changes it: a wrong address, a setting that is missing."""

    fault = "misconfigured"


class NotAllowed(Misconfigured):
    """The other side does not let us in (401, 403). Maybe a hiccup of theirs: tried again before anybody is told."""
