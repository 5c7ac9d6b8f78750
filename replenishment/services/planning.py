"""Serials of a replenishment before it is submitted: generated, typed, taken away again."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from oms.errors import Conflict, DomainError
from oms.models import Person, Workflow
from oms.services import audit
from oms.tenancy import current_account_id
from replenishment.lifecycle import Step
from replenishment.models import PlannedSerial, PlannedState, Replenishment, ReplenishmentLine
from replenishment.services.drafts import drop_serials, locked, locked_line, touch
from serials import numbering
from serials.queries.schemes import rules_of, schemes_of
from serials.services.numbers import Block, NumbersExhausted, reserve_block

NAMED = 20
"""How many lines or serials an error names."""
MOST_AHEAD = 8_192
"""How many numbers are tried at once where many are taken; what is not needed of them is never given."""

# One statement for all lines: each brings its numbers and how many of them it wants. A number that is a unit already,
# was typed into a draft or was generated before (by another scheme, which gives the same) is skipped; the next block
# fills the gap. Such a number is rare, so one look for any within a line's part saves a look for each number.
GENERATE = """
INSERT INTO replenishment_plannedserial (account_id, line_id, sku_id, serial, serial_key, state, is_generated)
SELECT %(account)s, w.line_id, w.sku_id, n.serial, n.serial, 'planned', true
FROM unnest(
    %(line_ids)s::bigint[], %(sku_ids)s::bigint[], %(wanted)s::int[], %(numbers)s::text[], %(lows)s::text[],
    %(highs)s::text[]
) AS w (line_id, sku_id, wanted, numbers, low, high)
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM serials_unit u
        WHERE u.account_id = %(account)s AND u.sku_id = w.sku_id AND u.serial_key BETWEEN w.low AND w.high
    ) OR EXISTS (
        SELECT FROM replenishment_plannedserial p WHERE p.account_id = %(account)s AND p.sku_id = w.sku_id
            AND p.serial_key BETWEEN w.low AND w.high AND p.state <> 'planned' AND p.is_generated
    ) OR EXISTS (
        SELECT FROM replenishment_plannedserial p WHERE p.account_id = %(account)s AND p.sku_id = w.sku_id
            AND p.serial_key BETWEEN w.low AND w.high AND p.state = 'planned'
    ) AS is_crowded OFFSET 0
) AS r
CROSS JOIN LATERAL (
    SELECT t.serial FROM string_to_table(w.numbers, E'\n') AS t (serial)
    WHERE NOT r.is_crowded OR NOT EXISTS (
        SELECT FROM serials_unit u WHERE u.account_id = %(account)s AND u.sku_id = w.sku_id AND u.serial_key = t.serial
    ) AND NOT EXISTS (
        SELECT FROM replenishment_plannedserial p WHERE p.account_id = %(account)s AND p.sku_id = w.sku_id
            AND p.serial_key = t.serial AND p.state <> 'planned' AND p.is_generated
    ) AND NOT EXISTS (
        SELECT FROM replenishment_plannedserial p WHERE p.account_id = %(account)s AND p.sku_id = w.sku_id
            AND p.serial_key = t.serial AND p.state = 'planned'
    ) LIMIT w.wanted
) AS n
ON CONFLICT (account_id, sku_id, serial_key) WHERE state = 'planned' DO NOTHING
"""

# What stands against typed serials: a draft of any replenishment, a number that was generated once, a unit.
TAKEN = """
SELECT k.key, 'planned', r.number FROM unnest(%(keys)s::text[]) AS k (key)
JOIN replenishment_plannedserial p ON p.account_id = %(account)s AND p.sku_id = %(sku)s AND p.serial_key = k.key
    AND p.state = 'planned'
JOIN replenishment_replenishmentline l ON l.account_id = %(account)s AND l.id = p.line_id
JOIN replenishment_replenishment r ON r.account_id = %(account)s AND r.id = l.replenishment_id
UNION ALL
SELECT k.key, 'generated', '' FROM unnest(%(keys)s::text[]) AS k (key) WHERE EXISTS (
    SELECT FROM replenishment_plannedserial p WHERE p.account_id = %(account)s AND p.sku_id = %(sku)s
    AND p.serial_key = k.key AND p.is_generated AND p.state <> 'planned')
UNION ALL
SELECT k.key, 'unit', u.process_id FROM unnest(%(keys)s::text[]) AS k (key)
JOIN serials_unit u ON u.account_id = %(account)s AND u.sku_id = %(sku)s AND u.serial_key = k.key AND NOT u.is_void
"""

INSERT = """
INSERT INTO replenishment_plannedserial (account_id, line_id, sku_id, serial, serial_key, state, is_generated)
SELECT %(account)s, t.line, t.sku, t.serial, t.key, 'planned', false
FROM unnest(%(lines)s::bigint[], %(skus)s::bigint[], %(serials)s::text[], %(keys)s::text[])
    WITH ORDINALITY AS t (line, sku, serial, key, place) ORDER BY t.place
"""


@dataclass(frozen=True)
class SerialFault:
    """Why one typed serial cannot be planned; `place` counts the typed serials from 1."""

    place: int
    serial: str
    message: str


class BadSerials(DomainError):
    """Some typed serials cannot be planned; nothing was written. `faults` has every one of them."""

    def __init__(self, message: str, faults: Sequence[SerialFault]) -> None:
        super().__init__(message)
        self.faults = list(faults)


@transaction.atomic
def generate_serials(
    *,
    replenishment_id: int,
    line_ids: Collection[int],
    actor: Person | None,
    schemes: Mapping[int, int | None] | None = None,
) -> int:
    """Plan as many generated serials as each of these lines has units; how many in all.

    `schemes` is SKU → the scheme that it had when somebody asked for this; None: just now. The statements do not grow
    with the quantity; where the next numbers are taken, each look for free ones goes twice as far as the one before.

    Raises DomainError, naming the lines, where a SKU is not In/Out or a line has serials already; Conflict where the
    replenishment is not Incomplete any more, or a SKU has another scheme than in `schemes`: its numbers would look
    unlike those that were asked for; SchemeArchived where it is not in use any more.
    """
    found = locked(replenishment_id, Step.CHANGE)
    lines = list(
        ReplenishmentLine.objects.filter(replenishment=found, pk__in=line_ids)
        .select_related("sku")
        .order_by("position")
    )
    if not lines:
        raise DomainError(_("You must check at least one"))
    _refuse_other_workflows(lines)
    planned = planned_counts(lines)
    taken = [line for line in lines if planned[line.pk]]
    if taken:
        raise DomainError(
            _("These lines have serials already: %(lines)s. Remove them first, or leave the lines out.")
            % {"lines": named(taken)}
        )
    total = sum(line.quantity for line in lines)
    missing = {line.pk: line.quantity for line in lines}
    current = schemes_of([line.sku_id for line in lines])
    _refuse_other_schemes([line for line in lines if _is_other(current[line.sku_id], (schemes or {}).get(line.sku_id))])
    ahead = 1
    while missing:
        _fill([line for line in lines if line.pk in missing], missing, current, ahead)
        ahead = min(2 * ahead, MOST_AHEAD)
        planned = planned_counts(lines)
        missing = {line.pk: gap for line in lines if (gap := line.quantity - planned[line.pk]) > 0}
    touch(found)
    _record(found, actor, "Serials generated", {"serials": (None, total), "lines": (None, named(lines))})
    return total


@transaction.atomic
def add_serials(*, line_id: int, serials: Sequence[str], actor: Person | None) -> int:
    """Plan typed serials on a line, kept as typed; how many.

    Raises BadSerials with every fault: a bad number, one that is named twice, planned or registered already, or was
    generated before; DomainError where there are more than the line has units, or its SKU is not In/Out; Conflict where
    somebody removed the line.
    """
    found, line = locked_line(line_id)
    _refuse_other_workflows([line])
    if not serials:
        raise DomainError(_("Type or paste at least one serial."))
    free = line.quantity - planned_counts([line])[line.pk]
    if len(serials) > free:
        raise DomainError(
            _("This line has %(quantity)s units and room for %(free)s more serials; these are %(count)s.")
            % {"quantity": line.quantity, "free": max(0, free), "count": len(serials)}
        )
    check_serials(serials, line.sku_id)
    plan_typed([(line, serial) for serial in serials])
    touch(found)
    _record(found, actor, "Serials added", {"serials": (None, len(serials)), "lines": (None, named([line]))})
    return len(serials)


def plan_typed(rows: Sequence[tuple[ReplenishmentLine, str]]) -> None:
    """Write checked serials, kept as typed, on their lines, in this order; one statement.

    Raises Conflict where somebody else planned one of them a moment ago.
    """
    serials = [serial.strip() for _line, serial in rows]
    params: dict[str, Any] = {
        "account": current_account_id(),
        "lines": [line.pk for line, _serial in rows],
        "skus": [line.sku_id for line, _serial in rows],
        "serials": serials,
        "keys": [numbering.normalise(serial) for serial in serials],
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(INSERT, params)
    except IntegrityError as error:
        if "serial_key" not in str(error):
            raise
        raise Conflict(
            _("Somebody planned one of these serials a moment ago. Nothing was written: try again.")
        ) from error


@transaction.atomic
def remove_serials(*, line_id: int, planned_ids: Collection[int] | None, actor: Person | None) -> int:
    """Take serials off a line of an Incomplete replenishment; None takes all. How many.

    A typed number may be planned again; a generated one is never used again.
    """
    found, line = locked_line(line_id)
    rows = PlannedSerial.objects.filter(line=line, state=PlannedState.PLANNED)
    count = drop_serials(rows if planned_ids is None else rows.filter(pk__in=planned_ids))
    if not count:
        raise DomainError(_("You must check at least one"))
    touch(found)
    _record(found, actor, "Serials removed", {"serials": (count, None), "lines": (None, named([line]))})
    return count


def named(lines: Iterable[ReplenishmentLine]) -> str:
    """Lines in words, the first NAMED of them: "line 1 (L2201308), line 3 (L2201309)"."""
    rows = list(lines)
    words = [_("line %(position)s (%(sku)s)") % {"position": row.position, "sku": row.sku.code} for row in rows[:NAMED]]
    more = len(rows) - len(words)
    return ", ".join(words) + (_(" and %(more)s more") % {"more": more} if more else "")


def _refuse_other_workflows(lines: Sequence[ReplenishmentLine]) -> None:
    others = [line for line in lines if line.sku.workflow != Workflow.IN_OUT]
    if others:
        raise DomainError(
            _("Serials are planned for In/Out SKUs only. Not possible: %(lines)s.") % {"lines": named(others)}
        )


def _is_other(current: int | None, asked: int | None) -> bool:
    """Whether numbers would come from another scheme than somebody asked for; who saw none gets the account's first."""
    return asked is not None and current != asked


def _refuse_other_schemes(lines: Sequence[ReplenishmentLine]) -> None:
    if lines:
        raise Conflict(
            _(
                "The number scheme of %(lines)s was changed or archived since this was asked for. Nothing was "
                "generated: look at it on the SKU's page, then generate again."
            )
            % {"lines": named(lines)}
        )


def planned_counts(lines: Sequence[ReplenishmentLine]) -> Counter[int]:
    """Line id → how many serials are planned on it, for those of an Incomplete replenishment."""
    rows = (
        PlannedSerial.objects.filter(line__in=[line.pk for line in lines], state=PlannedState.PLANNED)
        .order_by()
        .values_list("line_id")
        .annotate(Count("pk"))
    )
    return Counter({line_id: count for line_id, count in rows if line_id is not None})


def _fill(
    lines: Sequence[ReplenishmentLine], missing: Mapping[int, int], schemes: Mapping[int, int | None], ahead: int
) -> None:
    """Plan what these lines miss, from a block of each scheme; always in one order, so that nobody waits in a ring.

    A block has `ahead` numbers at least, and each of its lines chooses from an equal share of those that are too many.
    """
    by_scheme: dict[int | None, list[ReplenishmentLine]] = defaultdict(list)
    for line in lines:
        by_scheme[schemes[line.sku_id]].append(line)
    rows = {}
    for scheme_id in sorted(by_scheme, key=lambda pk: pk or 0):
        own = by_scheme[scheme_id]
        total = sum(missing[line.pk] for line in own)
        block = _block(total, ahead, scheme_id)
        spare = (len(block) - total) // len(own)
        numbers = iter(block)
        for line in own:
            part = list(islice(numbers, missing[line.pk] + spare))
            rows[line.pk] = (line.pk, line.sku_id, missing[line.pk], "\n".join(part), part[0], part[-1])
    names = ("line_ids", "sku_ids", "wanted", "numbers", "lows", "highs")
    columns = zip(*(rows[line.pk] for line in lines), strict=True)
    params: dict[str, Any] = dict(zip(names, map(list, columns), strict=True))
    with connection.cursor() as cursor:
        cursor.execute(GENERATE, {**params, "account": current_account_id()})


def _block(total: int, ahead: int, scheme_id: int | None) -> Block:
    """At least `total` numbers of a scheme: `ahead`, or as far as it reaches where it is nearly used up."""
    while ahead > total:
        try:
            return reserve_block(count=ahead, scheme_id=scheme_id)
        except NumbersExhausted:
            ahead //= 2
    return reserve_block(count=total, scheme_id=scheme_id)


def check_serials(serials: Sequence[str], sku_id: int) -> None:
    """Raise BadSerials, with every fault, where serials of a SKU cannot be planned."""
    faults: list[SerialFault] = []
    first: dict[str, int] = {}
    rule = rules_of([sku_id])[sku_id]
    for place, serial in enumerate(serials, 1):
        try:
            key = rule.check(serial)
        except numbering.BadSerial as error:
            faults.append(SerialFault(place, serial[:100], str(error)))
            continue
        if key in first:
            words = _("The same as number %(place)s of this list.") % {"place": first[key]}
            faults.append(SerialFault(place, serial, words))
        first.setdefault(key, place)
    with connection.cursor() as cursor:
        cursor.execute(TAKEN, {"account": current_account_id(), "sku": sku_id, "keys": list(first)})
        taken = cursor.fetchall()
    reasons = {key: _taken_words(why, where) for key, why, where in taken}  # one for each, the weightiest comes last
    faults += [SerialFault(first[key], serials[first[key] - 1], text) for key, text in reasons.items()]
    if faults:
        faults.sort(key=lambda fault: fault.place)
        raise BadSerials(_("Nothing was added: some of these serials cannot be used."), faults)


def _taken_words(why: str, where: str) -> str:
    if why == "planned":
        return _("Planned on %(where)s already.") % {"where": where}
    if why == "generated":
        return _("Generated before for this SKU; a generated number is never used again.")
    return _("Registered already for this SKU (%(where)s).") % {"where": where or _("see Serials")}


def _record(found: Replenishment, actor: Person | None, action: str, changes: audit.Changes) -> None:
    audit.record(
        actor=actor, action=action, kind="replenishment", object_id=found.pk, label=found.number, changes=changes
    )
