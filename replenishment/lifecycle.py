"""What may happen to a replenishment: its statuses and the moves between them, as data. No database, no clock.

A person's action names the event; which status a receipt leads to follows from what has arrived (`after_receipt`).
"""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from serials.lifecycle import Actor


class Status(TextChoices):
    """Where a replenishment stands; the words are the product's."""

    INCOMPLETE = "incomplete", _("Incomplete")
    IN_TRANSIT = "in_transit", _("In-Transit")
    PROCESSING = "processing", _("Processing")
    PARTIAL = "partial", _("Partially received")
    COMPLETED = "completed", _("Completed")
    REVIEW = "review", _("Ready for Review")
    CANCELLED = "cancelled", _("Cancelled")
    ARCHIVED = "archived", _("Archived")


class Step(TextChoices):
    """What somebody does with a replenishment, or a fact does to it."""

    CHANGE = "change", _("Change")
    DESCRIBE = "describe", _("Change the expected date, tracking and notes")
    SUBMIT = "submit", _("Submit Replenishment")
    RECEIVE = "receive", _("Receive")
    UNDO = "undo", _("Undo a receipt")
    SETTLE = "settle", _("Settle")
    ACCEPT = "accept", _("Accept what arrived after its end")
    CLOSE_SHORT = "close_short", _("Close short")
    CANCEL = "cancel", _("Cancel replenishment")
    ARCHIVE = "archive", _("Archive")


OPEN = frozenset({Status.IN_TRANSIT, Status.PROCESSING, Status.PARTIAL, Status.REVIEW})
"""Submitted and not over: the warehouse expects or checks goods. They keep a SKU's Serial attribute as it is."""
_RECEIVED = frozenset({Status.PROCESSING, Status.PARTIAL, Status.COMPLETED, Status.REVIEW})
_UNDONE = _RECEIVED | {Status.IN_TRANSIT}

RULES: dict[Step, tuple[frozenset[Status], frozenset[Status]]] = {
    Step.CHANGE: (frozenset({Status.INCOMPLETE}), frozenset({Status.INCOMPLETE})),
    Step.DESCRIBE: (OPEN | {Status.INCOMPLETE}, OPEN | {Status.INCOMPLETE}),
    Step.SUBMIT: (frozenset({Status.INCOMPLETE}), frozenset({Status.IN_TRANSIT})),
    Step.RECEIVE: (OPEN | {Status.COMPLETED}, _RECEIVED),
    Step.UNDO: (OPEN | {Status.COMPLETED}, _UNDONE),
    Step.SETTLE: (frozenset({Status.REVIEW}), _UNDONE),
    Step.ACCEPT: (frozenset({Status.CANCELLED, Status.ARCHIVED}), frozenset({Status.CANCELLED, Status.ARCHIVED})),
    Step.CLOSE_SHORT: (OPEN - {Status.IN_TRANSIT}, frozenset({Status.COMPLETED, Status.REVIEW})),
    Step.CANCEL: (frozenset({Status.INCOMPLETE, Status.IN_TRANSIT}), frozenset({Status.CANCELLED})),
    Step.ARCHIVE: (frozenset({Status.COMPLETED, Status.CANCELLED}), frozenset({Status.ARCHIVED})),
}
"""Step → the statuses it may come from, and those it may lead to. Whatever is not here is refused."""

KEEPS = frozenset({Step.CHANGE, Step.DESCRIBE, Step.ACCEPT})
"""The steps that leave the status as it is."""

WHO: dict[Step, frozenset[Actor]] = {
    Step.CHANGE: frozenset({Actor.OFFICE}),
    Step.DESCRIBE: frozenset({Actor.OFFICE}),
    Step.SUBMIT: frozenset({Actor.OFFICE}),
    Step.RECEIVE: frozenset({Actor.WAREHOUSE}),
    Step.UNDO: frozenset({Actor.WAREHOUSE}),
    Step.SETTLE: frozenset({Actor.OFFICE, Actor.WAREHOUSE}),
    Step.ACCEPT: frozenset({Actor.OFFICE}),
    Step.CLOSE_SHORT: frozenset({Actor.OFFICE}),
    Step.CANCEL: frozenset({Actor.OFFICE}),
    Step.ARCHIVE: frozenset({Actor.OFFICE}),
}
"""Step → who does it. Settle follows from the last discrepancy that somebody closes."""


def may(step: Step, status: str) -> bool:
    """Whether `step` is possible in `status`."""
    return status in RULES[step][0]


def after_receipt(*, is_complete: bool, has_any: bool, is_waiting: bool, is_undone: bool) -> Status:
    """The status that follows from what has arrived.

    Args:
        is_complete: nothing more is expected: every line has its quantity, or was closed short.
        has_any: at least one piece was received.
        is_waiting: a discrepancy of this replenishment is open.
        is_undone: every receipt was taken back: it is as if none had come.
    """
    if is_waiting:
        return Status.REVIEW
    if is_complete:
        return Status.COMPLETED
    if is_undone:
        return Status.IN_TRANSIT
    return Status.PARTIAL if has_any else Status.PROCESSING
