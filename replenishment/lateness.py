"""When a replenishment is late: past its expected date, on the account's calendar, with something still to come."""

from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from replenishment.lifecycle import OPEN, Status
from replenishment.models import PlannedSerial, PlannedState, Replenishment, ReplenishmentLine
from serials.lifecycle import Status as UnitStatus
from serials.models import Unit


def late() -> Q:
    """The condition on replenishments.

    One that is open expects something, except where it may only wait for a review: there a line must be short, or a
    planned serial still Incoming because another one was accepted in its place.
    """
    short = ReplenishmentLine.objects.filter(replenishment=OuterRef("pk"), received_quantity__lt=F("quantity"))
    unit = Unit.objects.filter(
        sku=OuterRef("sku"),
        serial_key=OuterRef("serial_key"),
        process_id=OuterRef("line__replenishment__number"),
        status=UnitStatus.INCOMING,
        is_void=False,
    )
    incoming = PlannedSerial.objects.filter(
        Exists(unit), line__replenishment=OuterRef("pk"), state=PlannedState.PLANNED
    )
    in_review = Q(status=Status.REVIEW, is_closed_short=False) & (Q(Exists(short)) | Q(Exists(incoming)))
    return Q(expected_on__lt=timezone.localdate()) & (Q(status__in=OPEN - {Status.REVIEW}) | in_review)


def is_late(replenishment: Replenishment) -> bool:
    """Whether this one is late."""
    if replenishment.expected_on is None or replenishment.status not in OPEN:
        return False
    return Replenishment.objects.filter(late(), pk=replenishment.pk).exists()
