"""A replenishment while it is Incomplete: making it, and changing what it asks for."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _, gettext_lazy

from oms import identity
from oms.errors import Conflict, DomainError
from oms.models import Person, Sku, WarehouseLink
from oms.services import audit
from oms.tenancy import current_account_id
from replenishment.lifecycle import Status, Step, may
from replenishment.models import (
    FIRST_NUMBER,
    MOST_LOTS,
    MOST_UNITS,
    PlannedSerial,
    PlannedState,
    Replenishment,
    ReplenishmentLine,
    ReplenishmentLot,
)
from replenishment.queries import decimals
from replenishment.services.work import refuse_while_at_work

MOST_LINES = 1_000
NAMED = 20
"""How many changes of lines the history names."""
CHANGED = gettext_lazy(
    "Somebody changed this replenishment while you were editing. Your entries are kept: compare and save again."
)
GONE = gettext_lazy("Somebody removed this line meanwhile. Open the replenishment again.")

NEXT_NUMBER = """
INSERT INTO replenishment_replenishmentcounter AS c (account_id, next_number) VALUES (%(account)s, %(first)s + 1)
ON CONFLICT (account_id) DO UPDATE SET next_number = c.next_number + 1 RETURNING next_number - 1
"""


@dataclass(frozen=True)
class LotInput:
    """One lot of a line as a person asks for it; a `quantity` of None is all that the line has units for."""

    number: str
    quantity: int | None = None
    expires_on: date | None = None


@dataclass(frozen=True)
class LineInput:
    """One line as a person asks for it; `line_id` is None for a new one. `lots` of None leaves those it has."""

    sku_id: int
    quantity: int
    line_id: int | None = None
    unit_cost: Decimal | None = None
    lots: tuple[LotInput, ...] | None = ()


@transaction.atomic
def create_replenishment(
    *,
    link_id: int,
    lines: Sequence[LineInput],
    actor: Person | None,
    is_empty_ok: bool = False,
    copied_from: str = "",
    **details: Any,
) -> Replenishment:
    """A new Incomplete replenishment with its lines; its number is reserved by one statement.

    Args:
        link_id: the warehouse.
        lines: its lines in order.
        actor: who adds it.
        is_empty_ok: it may have no line yet: a file of lines is to follow.
        copied_from: the number of the one that this repeats, for the history.
        details: its other fields, see `heads.DETAILS`.

    Raises DomainError for no lines, too many, a quantity out of bounds, or a SKU or warehouse of another account.
    """
    _check(lines, is_empty_ok=is_empty_ok)
    check_link(link_id)
    made = Replenishment.objects.create(
        number=_next_number(),
        link_id=link_id,
        created_by=actor,
        quantity=sum(line.quantity for line in lines),
        **details,
    )
    add_lines(made, lines, last=0)
    changes: audit.Changes = {"copied from": (None, copied_from)} if copied_from else {}
    audit.record(
        actor=actor, action="create", kind="replenishment", object_id=made.pk, label=made.number, changes=changes
    )
    return made


@transaction.atomic
def change_lines(
    *, replenishment_id: int, version: int, lines: Sequence[LineInput], actor: Person | None
) -> Replenishment:
    """Make these the lines of an Incomplete replenishment that the person saw at `version`; the others are removed.

    Serials of a removed line are removed with it. A line whose quantity fell below its serials keeps them until
    somebody chooses which to drop; Submit asks for that. Nothing is recorded where nothing is different.

    Raises Conflict where it was changed or submitted since, DomainError where a line is named twice.
    """
    _check(lines)
    found = locked(replenishment_id, Step.CHANGE)
    if found.version != version:
        raise Conflict(CHANGED)
    rows = ReplenishmentLine.objects.filter(replenishment=found).select_related("sku")
    old = {line.pk: line for line in rows}
    kept = Counter(line.line_id for line in lines if line.line_id is not None)
    if any(count > 1 for count in kept.values()):
        raise DomainError(_("A line is named twice. Open the page again."))
    if kept.keys() - old.keys():
        raise Conflict(_("One of these lines is not there any more. Open the replenishment again."))
    gone = [line for pk, line in old.items() if pk not in kept]
    new = [line for line in lines if line.line_id is None]
    changes = _differences([line for line in lines if line.line_id is not None], old)
    if not (gone or new or changes):
        return found
    _remove([line.pk for line in gone])
    _change([line for line in lines if line.line_id in changes], old)
    last = max((line.position for line in old.values()), default=0)
    added = add_lines(found, new, last=last)
    before = found.quantity
    recount(found)
    touch(found, "quantity")
    removed = [_("%(line)s removed") % {"line": in_words(line)} for line in gone]
    said = [*changes.values(), *removed, *_said_of_new([line.pk for line in added])]
    counts = {"quantity": (before, found.quantity), "lines": (len(old), len(lines))}
    audit.record(
        actor=actor,
        action="change",
        kind="replenishment",
        object_id=found.pk,
        label=found.number,
        changes={name: pair for name, pair in counts.items() if pair[0] != pair[1]}
        | {"changed lines": (None, "; ".join(said[:NAMED]))},
    )
    return found


def add_lines(found: Replenishment, lines: Sequence[LineInput], *, last: int) -> list[ReplenishmentLine]:
    """Write new lines with their lots under position `last`; the caller has checked them."""
    made = ReplenishmentLine.objects.bulk_create(
        [
            ReplenishmentLine(
                replenishment=found,
                sku_id=line.sku_id,
                position=position,
                quantity=line.quantity,
                unit_cost=line.unit_cost,
            )
            for position, line in enumerate(lines, last + 1)
        ],
        batch_size=MOST_LINES,
    )
    write_lots({row.pk: line.lots for row, line in zip(made, lines, strict=True) if line.lots}, made)
    return made


def write_lots(lots: Mapping[int, Sequence[LotInput]], lines: Iterable[ReplenishmentLine]) -> None:
    """Write the lots of lines that have none. Raises DomainError for too many, a bad quantity, one named twice."""
    quantities = {line.pk: line.quantity for line in lines}
    found = []
    for pk, own in lots.items():
        numbers = [identity.key(lot.number) for lot in own]
        if len(set(numbers)) != len(numbers):
            raise DomainError(_("Name each lot of a line once."))
        if len(own) > MOST_LOTS:
            raise DomainError(_("A line has %(most)s lots at most.") % {"most": MOST_LOTS})
        if any(lot.quantity is not None and not 1 <= lot.quantity <= MOST_UNITS for lot in own):
            raise DomainError(_("A quantity is a whole number from 1 to %(most)s.") % {"most": MOST_UNITS})
        found += _lot_rows(pk, own, quantities[pk])
    ReplenishmentLot.objects.bulk_create(found, batch_size=MOST_LINES)


def _lot_rows(line_id: int, lots: Sequence[LotInput], quantity: int) -> list[ReplenishmentLot]:
    """The lots of a line of that quantity, unsaved."""
    return [
        ReplenishmentLot(
            line_id=line_id, number=lot.number, expires_on=lot.expires_on, quantity=lot.quantity or quantity
        )
        for lot in lots
    ]


def lots_in_words(lots: Iterable[ReplenishmentLot]) -> str:
    """Lots for people: "4 of L-1 (2027-01-31), 3 of L-2"."""
    words = _("%(quantity)s of %(lot)s")
    return ", ".join(
        words % {"quantity": lot.quantity, "lot": lot.number} + (f" ({lot.expires_on})" if lot.expires_on else "")
        for lot in lots
    )


def in_words(line: ReplenishmentLine) -> str:
    """A line for people: "line 1 (L2201308)"."""
    return _("line %(position)s (%(sku)s)") % {"position": line.position, "sku": line.sku.code}


def locked(replenishment_id: int, step: Step) -> Replenishment:
    """The replenishment, locked until commit.

    Raises AtWork while a job works on it, Conflict where its status does not allow `step`. A running job has the lock:
    nobody waits for that, so it is asked before; and again, for one that was queued meanwhile.
    """
    refuse_while_at_work(replenishment_id)
    found: Replenishment = Replenishment.objects.select_for_update(of=("self",)).get(pk=replenishment_id)
    refuse_while_at_work(replenishment_id)
    if may(step, found.status):
        return found
    words = {"number": found.number, "status": Status(found.status).label}
    if step in {Step.SUBMIT, Step.CHANGE} and found.submitted_at is not None:
        raise Conflict(_("%(number)s is already submitted: its status is %(status)s.") % words)
    raise Conflict(_("%(number)s is %(status)s, so “%(step)s” is not possible.") % {**words, "step": step.label})


def locked_line(line_id: int) -> tuple[Replenishment, ReplenishmentLine]:
    """The replenishment of a line, locked for a change until commit, and the line as it is then.

    Raises Conflict where the line is not there any more, or the replenishment is not Incomplete.
    """
    rows = ReplenishmentLine.objects.filter(pk=line_id).select_related("sku")
    replenishment_id = rows.values_list("replenishment_id", flat=True).first()
    found = locked(replenishment_id, Step.CHANGE) if replenishment_id else None
    line = rows.first() if found else None
    if found is None or line is None:
        raise Conflict(GONE)
    return found, line


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


def check_link(link_id: int) -> None:
    """Raise DomainError for a warehouse that is not this account's."""
    if not WarehouseLink.objects.filter(pk=link_id).exists():
        raise DomainError(_("Choose one of this account's warehouses."))


def _check(lines: Sequence[LineInput], *, is_empty_ok: bool = False) -> None:
    if not lines and not is_empty_ok:
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


def _differences(lines: Sequence[LineInput], old: Mapping[int, ReplenishmentLine]) -> dict[int, str]:
    """Line id → what becomes of it, in words for the history; a line that stays as it is is left out."""
    lots = defaultdict[int, list[ReplenishmentLot]](list)
    for lot in ReplenishmentLot.objects.filter(line__in=list(old)).order_by("pk"):
        lots[lot.line_id].append(lot)
    found = {}
    for line in lines:
        row = old[line.line_id or 0]
        if row.sku_id != line.sku_id:
            raise DomainError(_("The SKU of a line does not change: remove the line and add another."))
        said = [_became("%s", f"{row.quantity}", f"{line.quantity}")]
        if row.unit_cost != line.unit_cost:
            said.append(_became(_("unit cost %s"), _plain(row.unit_cost), _plain(line.unit_cost)))
        if line.lots is not None:
            said.append(
                _became(
                    _("lots %s"),
                    lots_in_words(lots[row.pk]),
                    lots_in_words(_lot_rows(row.pk, line.lots, line.quantity)),
                )
            )
        if any(said):
            found[row.pk] = f"{in_words(row)}: {', '.join(filter(None, said))}"
    return found


def _became(words: str, before: str, after: str) -> str:
    """Such as "unit cost 5.00 → 6.00"; empty where both are the same."""
    nothing = _("nothing")
    return words % f"{before or nothing} → {after or nothing}" if before != after else ""


def _plain(cost: Decimal | None) -> str:
    return "" if cost is None else f"{cost:.{decimals(cost)}f}"


def _said_of_new(line_ids: Collection[int]) -> list[str]:
    rows = ReplenishmentLine.objects.filter(pk__in=line_ids).select_related("sku").order_by("position")[:NAMED]
    words = _("%(line)s added, %(quantity)s")
    return [words % {"line": in_words(row), "quantity": row.quantity} for row in rows]


def _change(lines: Sequence[LineInput], old: Mapping[int, ReplenishmentLine]) -> None:
    changed = []
    for line in lines:
        row = old[line.line_id or 0]
        row.quantity, row.unit_cost = line.quantity, line.unit_cost
        changed.append(row)
    if changed:
        ReplenishmentLine.objects.bulk_update(changed, ["quantity", "unit_cost"])
    lots = {line.line_id: line.lots for line in lines if line.line_id is not None and line.lots is not None}
    ReplenishmentLot.objects.filter(line__in=list(lots)).delete()
    write_lots(lots, changed)


def _remove(line_ids: Collection[int]) -> None:
    if line_ids:
        drop_serials(PlannedSerial.objects.filter(line__in=line_ids, state=PlannedState.PLANNED))
        ReplenishmentLot.objects.filter(line__in=line_ids).delete()
        ReplenishmentLine.objects.filter(pk__in=line_ids).delete()


def drop_serials(planned: QuerySet[PlannedSerial]) -> int:
    """Take planned serials off their lines; how many. They are kept without a line: see PlannedSerial."""
    return planned.update(state=PlannedState.REMOVED, line=None)
