"""A replenishment while it is Incomplete: making it, and changing what it asks for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from django.db import connection, transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _, gettext_lazy

from oms.errors import Conflict, DomainError
from oms.models import Person, Sku, WarehouseLink
from oms.services import audit
from oms.tenancy import current_account_id
from replenishment.lifecycle import Status, Step, may
from replenishment.models import (
    FIRST_NUMBER,
    MOST_UNITS,
    PlannedSerial,
    PlannedState,
    Replenishment,
    ReplenishmentLine,
)

MOST_LINES = 1_000
CHANGED = gettext_lazy(
    "Somebody changed this replenishment while you were editing. Your entries are kept: compare and save again."
)

NEXT_NUMBER = """
INSERT INTO replenishment_replenishmentcounter AS c (account_id, next_number) VALUES (%(account)s, %(first)s + 1)
ON CONFLICT (account_id) DO UPDATE SET next_number = c.next_number + 1 RETURNING next_number - 1
"""


@dataclass(frozen=True)
class LineInput:
    """One line as a person asks for it; `line_id` is None for a new one."""

    sku_id: int
    quantity: int
    line_id: int | None = None
    lot_number: str = ""
    lot_expires_on: date | None = None


@transaction.atomic
def create_replenishment(
    *,
    link_id: int,
    lines: Sequence[LineInput],
    actor: Person | None,
    supplier: str = "",
    reference: str = "",
) -> Replenishment:
    """A new Incomplete replenishment with its lines; its number is reserved by one statement.

    Raises DomainError for no lines, too many, a quantity out of bounds, or a SKU or warehouse of another account.
    """
    _check(lines)
    if not WarehouseLink.objects.filter(pk=link_id).exists():
        raise DomainError(_("Choose one of this account's warehouses."))
    made = Replenishment.objects.create(
        number=_next_number(),
        link_id=link_id,
        supplier=supplier,
        reference=reference,
        created_by=actor,
        quantity=sum(line.quantity for line in lines),
    )
    ReplenishmentLine.objects.bulk_create(
        [_new(made, line, position) for position, line in enumerate(lines, 1)], batch_size=MOST_LINES
    )
    audit.record(actor=actor, action="create", kind="replenishment", object_id=made.pk, label=made.number)
    return made


@transaction.atomic
def change_lines(
    *, replenishment_id: int, version: int, lines: Sequence[LineInput], actor: Person | None
) -> Replenishment:
    """Make these the lines of an Incomplete replenishment that the person saw at `version`; the others are removed.

    Serials of a removed line are removed with it. A line whose quantity fell below its serials keeps them until
    somebody chooses which to drop; Submit asks for that. Raises Conflict where it was changed or submitted since.
    """
    _check(lines)
    found = locked(replenishment_id, Step.CHANGE)
    if found.version != version:
        raise Conflict(CHANGED)
    old = {line.pk: line for line in ReplenishmentLine.objects.filter(replenishment=found)}
    kept = {line.line_id for line in lines if line.line_id is not None}
    if kept - old.keys():
        raise Conflict(_("One of these lines is not there any more. Open the replenishment again."))
    _remove([pk for pk in old if pk not in kept])
    _change([line for line in lines if line.line_id is not None], old)
    last = max((line.position for line in old.values()), default=0)
    fresh = [line for line in lines if line.line_id is None]
    ReplenishmentLine.objects.bulk_create(
        [_new(found, line, position) for position, line in enumerate(fresh, last + 1)], batch_size=MOST_LINES
    )
    before = found.quantity
    found.quantity = sum(line.quantity for line in lines)
    touch(found, "quantity")
    audit.record(
        actor=actor,
        action="change",
        kind="replenishment",
        object_id=found.pk,
        label=found.number,
        changes={"quantity": (before, found.quantity), "lines": (len(old), len(lines))},
    )
    return found


def locked(replenishment_id: int, step: Step) -> Replenishment:
    """The replenishment, locked until commit. Raises Conflict where its status does not allow `step`."""
    found: Replenishment = Replenishment.objects.select_for_update(of=("self",)).get(pk=replenishment_id)
    if may(step, found.status):
        return found
    words = {"number": found.number, "status": Status(found.status).label}
    if step in {Step.SUBMIT, Step.CHANGE} and found.submitted_at is not None:
        raise Conflict(_("%(number)s is already submitted: its status is %(status)s.") % words)
    raise Conflict(_("%(number)s is %(status)s, so “%(step)s” is not possible.") % {**words, "step": step.label})


def touch(replenishment: Replenishment, *names: str) -> None:
    """Save these fields of a locked replenishment as one change."""
    replenishment.version += 1
    replenishment.updated_at = timezone.now()
    replenishment.save(update_fields=[*names, "version", "updated_at"])


def recount(replenishment: Replenishment) -> None:
    """Set the sums of a locked replenishment from its lines, unsaved."""
    sums = ReplenishmentLine.objects.filter(replenishment=replenishment).aggregate(
        quantity=Sum("quantity", default=0), received=Sum("received_quantity", default=0)
    )
    replenishment.quantity, replenishment.received_quantity = sums["quantity"], sums["received"]


def _check(lines: Sequence[LineInput]) -> None:
    if not lines:
        raise DomainError(_("Add at least one SKU with its quantity."))
    if len(lines) > MOST_LINES:
        raise DomainError(_("A replenishment has %(most)s lines at most.") % {"most": MOST_LINES})
    if any(not 1 <= line.quantity <= MOST_UNITS for line in lines):
        raise DomainError(_("A quantity is a whole number from 1 to %(most)s.") % {"most": MOST_UNITS})
    wanted = {line.sku_id for line in lines}
    if Sku.objects.filter(pk__in=wanted).count() != len(wanted):
        raise DomainError(_("One of these SKUs is not in this account."))


def _next_number() -> str:
    with connection.cursor() as cursor:
        cursor.execute(NEXT_NUMBER, {"account": current_account_id(), "first": FIRST_NUMBER})
        return f"R-{cursor.fetchone()[0]}"


def _new(replenishment: Replenishment, line: LineInput, position: int) -> ReplenishmentLine:
    return ReplenishmentLine(
        replenishment=replenishment,
        sku_id=line.sku_id,
        position=position,
        quantity=line.quantity,
        lot_number=line.lot_number,
        lot_expires_on=line.lot_expires_on,
    )


def _change(lines: Sequence[LineInput], old: dict[int, ReplenishmentLine]) -> None:
    changed = []
    for line in lines:
        row = old[line.line_id or 0]
        if row.sku_id != line.sku_id:
            raise DomainError(_("The SKU of a line does not change: remove the line and add another."))
        row.quantity, row.lot_number, row.lot_expires_on = line.quantity, line.lot_number, line.lot_expires_on
        changed.append(row)
    if changed:
        ReplenishmentLine.objects.bulk_update(changed, ["quantity", "lot_number", "lot_expires_on"])


def _remove(line_ids: Collection[int]) -> None:
    if line_ids:
        drop_serials(PlannedSerial.objects.filter(line__in=line_ids, state=PlannedState.PLANNED))
        ReplenishmentLine.objects.filter(pk__in=line_ids).delete()


def drop_serials(planned: QuerySet[PlannedSerial]) -> int:
    """Take planned serials off their lines; how many. They are kept without a line: see PlannedSerial."""
    return planned.update(state=PlannedState.REMOVED, line=None)
