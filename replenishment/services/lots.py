"""The lots that are ordered on a line."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from oms.errors import Conflict
from oms.models import Person
from oms.services import audit
from replenishment.models import Replenishment, ReplenishmentLine, ReplenishmentLot
from replenishment.services.drafts import CHANGED, LotInput, in_words, locked_line, lots_in_words, touch, write_lots


def expired_words(replenishment: Replenishment, line: ReplenishmentLine | None = None) -> list[str]:
    """A sentence for each lot of a replenishment, or of one line, whose expiry day is over on the account's calendar.

    It refuses nothing: it may be a slip of the year, or what is really on its way.
    """
    rows = ReplenishmentLot.objects.filter(line__replenishment=replenishment, expires_on__lt=timezone.localdate())
    rows = rows.filter(line=line) if line else rows
    text = _("Line %(line)s (%(sku)s): lot %(lot)s expired on %(day)s.")
    found = rows.order_by("line__position", "pk").values_list(
        "line__position", "line__sku__code", "number", "expires_on"
    )
    return [text % {"line": line, "sku": sku, "lot": lot, "day": day} for line, sku, lot, day in found]


@transaction.atomic
def set_lots(*, line_id: int, version: int, lots: Sequence[LotInput], actor: Person | None) -> Replenishment:
    """Make these the lots of a line of an Incomplete replenishment that the person saw at `version`.

    They may add up to more than the line has: Submit refuses that. Raises Conflict where it was changed or submitted
    since, or the line was removed, DomainError where a lot is named twice.
    """
    found, line = locked_line(line_id)
    if found.version != version:
        raise Conflict(CHANGED)
    own = ReplenishmentLot.objects.filter(line=line).order_by("pk")
    before = lots_in_words(own)
    own.delete()
    write_lots({line.pk: lots}, [line])
    after = lots_in_words(own.all())
    if before != after:
        touch(found)
        audit.record(
            actor=actor,
            action="change",
            kind="replenishment",
            object_id=found.pk,
            label=found.number,
            changes={"changed lines": (None, in_words(line)), "lots": (before, after)},
        )
    return found
