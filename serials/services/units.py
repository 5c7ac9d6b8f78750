"""What people and warehouse systems do with units, in the field's words; each is one call of the ledger."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from psycopg.sql import Composable

from oms.errors import DomainError
from oms.models import Bin, BinKind, OrderLine
from serials.lifecycle import Actor, Event
from serials.models import Unit
from serials.services.ledger import Fact, Recorded, Row, annotate_held, record_event


@dataclass(frozen=True)
class By:
    """In whose name something happens, when, and the unique id of the fact where it came from outside."""

    actor: Actor
    actor_id: int | None = None
    source: str = ""
    occurred_at: datetime | None = None
    reason: str = ""


def _fact(event: Event, by: By, process_id: str = "", order_no: str = "") -> Fact:
    return Fact(
        event=event,
        actor=by.actor,
        actor_id=by.actor_id,
        process_id=process_id,
        order_no=order_no,
        source=by.source,
        occurred_at=by.occurred_at,
        reason=by.reason,
    )


def _locked(unit_ids: Collection[int]) -> dict[int, int | None]:
    """Unit → its bin, locked in the ledger's order, so that nobody moves it before what is about to happen."""
    units = Unit.objects.filter(pk__in=unit_ids).order_by("pk").select_for_update(of=("self",))
    return dict(units.values_list("pk", "bin_id"))


@transaction.atomic
def reserve_units(*, unit_ids: Collection[int], line: OrderLine, by: By) -> Recorded:
    """Promise Ready units to one order line.

    Raises DomainError where a unit is of another SKU or the line would hold more than its quantity, Refused for a unit
    that is not Ready.
    """
    _locked(unit_ids)  # before the line, as in the ledger: a move that frees this line holds its units and waits for it
    line = OrderLine.objects.select_for_update(of=("self",), no_key=True).select_related("order").get(pk=line.pk)
    if Unit.objects.filter(pk__in=unit_ids).exclude(sku_id=line.sku_id).exists():
        raise DomainError(_("Only units of the line's own SKU can be reserved for it."))
    held = Unit.objects.filter(order_line=line, status__in=["reserved", "out"]).count()
    if held + len(set(unit_ids)) > line.quantity:
        raise DomainError(
            _("The line asks for %(quantity)s and has %(held)s already.") % {"quantity": line.quantity, "held": held}
        )
    rows = [Row(unit_id=pk, order_line_id=line.pk) for pk in unit_ids]
    return record_event(_fact(Event.RESERVE, by, line.order.number, line.order.number), rows)


@transaction.atomic
def release_units(*, unit_ids: Collection[int], by: By) -> Recorded:
    """Free reserved units; each stays in its bin, and its status follows from that bin."""
    rows = [Row(unit_id=pk, bin_id=bin_id) for pk, bin_id in _locked(unit_ids).items()]
    return record_event(_fact(Event.RELEASE, by), rows)


@transaction.atomic
def move_units(*, unit_ids: Collection[int], to: Bin, by: By, process_id: str = "") -> Recorded:
    """Put units into another bin. Into a reserved bin is a hold and needs a reason; raises DomainError without one."""
    if to.kind == BinKind.RESERVED and not by.reason:
        raise DomainError(_("Say why these units are held."))
    return record_event(_fact(Event.MOVE, by, process_id), [Row(unit_id=pk, bin_id=to.pk) for pk in unit_ids])


@transaction.atomic
def ship_units(*, rows: Iterable[Row], line: OrderLine, by: By, process_id: str = "") -> Recorded:
    """Units leave on one order line.

    `rows` name units by id, or by serial for a SKU whose workflow is Out or Out in Bulk (with `is_new_allowed`), where
    the bin is the one that the quantity is taken from. Raises Refused for a unit that is reserved for another line.
    """
    number = line.order.number
    own = [replace(row, order_line_id=line.pk) for row in rows]
    return record_event(_fact(Event.SHIP, by, process_id or number, number), own)


@transaction.atomic
def unship_units(*, unit_ids: Collection[int], to: Bin, by: By, process_id: str, order_no: str = "") -> Recorded:
    """A shipment is voided: its units lie in a bin again."""
    rows = [Row(unit_id=pk, bin_id=to.pk) for pk in unit_ids]
    return record_event(_fact(Event.UNSHIP, by, process_id, order_no), rows)


@transaction.atomic
def return_units(*, rows: Iterable[Row], by: By, process_id: str, order_no: str = "") -> Recorded:
    """Units come back. What does not match its order line, or was never ours, belongs into a reserved bin."""
    return record_event(_fact(Event.RETURN, by, process_id, order_no), rows)


@transaction.atomic
def count_missing(*, unit_ids: Collection[int], by: By, process_id: str) -> Recorded:
    """A recount did not find units that should be there."""
    return record_event(_fact(Event.RECOUNT_MISSING, by, process_id), [Row(unit_id=pk) for pk in unit_ids])


@transaction.atomic
def count_found(*, unit_ids: Collection[int], at: Bin, by: By, process_id: str) -> Recorded:
    """A recount found units in a bin; those that Lotline has there already are left as they are."""
    rows = [Row(unit_id=pk, bin_id=at.pk) for pk, bin_id in _locked(unit_ids).items() if bin_id != at.pk]
    return record_event(_fact(Event.RECOUNT_FOUND, by, process_id), rows)


@transaction.atomic
def annotate_units(*, rows: Iterable[Row], by: By) -> Recorded:
    """Change notes or lot of units; their status, process and order stay."""
    return record_event(_fact(Event.ANNOTATE, by), rows)


def annotate_held_units(*, rows: Composable, params: Mapping[str, Any], by: By) -> int:
    """The same for attributes of units that are locked; `rows` is a SELECT of unit_id and reason. How many."""
    return annotate_held(_fact(Event.ANNOTATE, by), rows, params)
