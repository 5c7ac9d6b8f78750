"""The ledger: the one writer of a unit's status, bin, history and stock.

`record_event` takes one unit or a hundred thousand in the same number of statements. The rows of a call are staged in a
temporary table, the units are locked in one order, and one join with the event's table (`lifecycle.outcomes`)
decides what
each becomes. If any of them may not, nothing is written. Units, history and stock change in one transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from oms.errors import Conflict
from oms.services import stock
from oms.tenancy import current_account_id
from serials import lifecycle, numbering
from serials.lifecycle import Actor, Event, State
from serials.services import ledger_sql as sql

NAMED = 20
"""How many refused units an error names."""


@dataclass(frozen=True)
class Fact:
    """What is true of every unit of one call.

    Args:
        event: what happened.
        actor: in whose name; the rules say who may cause what.
        actor_id: the person, None for a system.
        process_id, order_no: the columns ProcessID and Order#; an annotation leaves the unit's own.
        source: the unique id of the fact; a unit that has a history row with it is skipped, so a fact may come twice.
        occurred_at: when it happened (now, if None).
        reason: why, in words, where there is a why.
    """

    event: Event
    actor: Actor
    actor_id: int | None = None
    process_id: str = ""
    order_no: str = ""
    source: str = ""
    occurred_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """One unit of a call: either `unit_id`, or SKU and serial, which find the unit or make it where the rules allow.

    Args:
        bin_id: where it is put; for a shipment that makes the unit, where its quantity is taken from.
        lot_id, order_line_id, wms_notes, oms_notes: None leaves what the unit has.
        source, reason: those of this unit, where they differ from the fact's.
        is_new_allowed: the document allows a unit that Lotline does not know (see lifecycle.Needs.ALLOWED_NEW).
        is_accepted: somebody accepted the discrepancy that this made.
        corrects_id: the history row that this one corrects.
    """

    unit_id: int | None = None
    sku_id: int | None = None
    serial: str = ""
    bin_id: int | None = None
    lot_id: int | None = None
    order_line_id: int | None = None
    wms_notes: str | None = None
    oms_notes: str | None = None
    source: str = ""
    reason: str = ""
    is_new_allowed: bool = False
    is_accepted: bool = False
    corrects_id: int | None = None


_values = attrgetter(*(field.name for field in fields(Row)))


@dataclass(frozen=True)
class Staging:
    """Rows that are in the database already: a SELECT of the columns sku_id, serial, serial_key, and its parameters."""

    select: str
    params: Sequence[Any]


@dataclass(frozen=True)
class Recorded:
    """What a call did: units changed or made, units skipped because they had this fact, and reservations that it
    freed.
    """

    count: int
    skipped: int
    freed: int


class Refused(Conflict):
    """The event is not allowed for some of the units; nothing was written. `units` holds (serial, status) of the
    first.
    """

    def __init__(self, message: str, units: list[tuple[str, str]]) -> None:
        super().__init__(message)
        self.units = units


@transaction.atomic
def record_event(fact: Fact, rows: Iterable[Row] | Staging) -> Recorded:
    """Let one event happen to many units of the current account, and write their history and the stock they move.

    Raises Refused, naming units, status and event, where the rules forbid it for any of them, where a unit is named
    twice, or where somebody else made the same serial at this moment; NotEnoughStock where a bin would go below 0. Then
    nothing is written.
    """
    if not lifecycle.may_cause(fact.actor, fact.event):
        raise Refused(
            _("Only the warehouse changes a unit's status: “%(event)s” is not yours.") % {"event": fact.event.label}, []
        )
    params = _parameters(fact)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            staged = _stage(cursor, rows)
            for statement in (sql.RESOLVE, sql.LOCK_SKUS, sql.LOCK_UNITS, sql.PLAN):
                cursor.execute(statement, params)
            _refuse(cursor, fact)
            cursor.execute(sql.INSERT_UNITS, params)
            cursor.execute(sql.UPDATE_UNITS, params)
            cursor.execute(sql.INSERT_EVENTS, params)
            count: int = cursor.rowcount
            cursor.execute(sql.FLAG_LINES, {**params, "attention": _attention(fact)})
            freed: int = cursor.rowcount
            cursor.execute(sql.STOCK_DELTAS, params)
            moves = [stock.Move(*row) for row in cursor.fetchall()]
        stock.post_moves(moves, cause=_cause(fact))
    except IntegrityError as error:
        if "serial_key" not in str(error):
            raise
        raise Refused(
            _("Somebody registered one of these serials a moment ago. Nothing was written: try again."), []
        ) from error
    return Recorded(count, staged - count, freed)


def _parameters(fact: Fact) -> dict[str, Any]:
    now = timezone.now()
    table = list(lifecycle.outcomes(fact.event))
    rule = lifecycle.RULES[fact.event]
    return {
        "account": current_account_id(),
        "event": fact.event.value,
        "is_annotation": fact.event is Event.ANNOTATE,
        "process_type": rule.process.value if rule.process else "",
        "process_id": fact.process_id,
        "order_no": fact.order_no,
        "source": fact.source,
        "reason": fact.reason,
        "actor_id": fact.actor_id,
        "occurred_at": fact.occurred_at or now,
        "recorded_at": now,
        "befores": [row.before.value for row in table],
        "bin_kinds": [row.bin_kind for row in table],
        "needs": [row.needs.value for row in table],
        "afters": [row.after.value for row in table],
        "new_workflows": list(lifecycle.NEW_UNITS_OF.get(fact.event, ())),
        "in_warehouse": [status.value for status in lifecycle.IN_WAREHOUSE],
    }


def _stage(cursor: Any, rows: Iterable[Row] | Staging) -> int:
    """Put the rows of the call into the temporary table; how many there are."""
    cursor.execute(sql.MAKE_STAGES)
    if isinstance(rows, Staging):
        cursor.execute(f"INSERT INTO stage_in (sku_id, serial, serial_key) {rows.select}", rows.params)
        count: int = cursor.rowcount
    else:
        count = 0
        with cursor.copy(sql.COPY_STAGE) as copy:
            for row in rows:
                copy.write_row((numbering.normalise(row.serial), *_values(row)))
                count += 1
    cursor.execute("ANALYZE stage_in")
    return count


def _refuse(cursor: Any, fact: Fact) -> None:
    """Raise Refused if the plan has a unit that the rules forbid, one that is unknown, or one twice."""
    cursor.execute(sql.REFUSED, {"named": NAMED})
    found = cursor.fetchall()
    if not found:
        return
    units = [(serial, before) for serial, before, _why, _count in found]
    lines = "; ".join(_why(fact.event, serial, before, why) for serial, before, why, _count in found)
    more = found[0][3] - len(found)
    if more > 0:
        lines = _("%(lines)s; and %(more)s more") % {"lines": lines, "more": more}
    raise Refused(_("Nothing was written. %(lines)s.") % {"lines": lines}, units)


def _why(event: Event, serial: str, before: str, why: str) -> str:
    words = {"serial": serial, "event": event.label, "status": state_label(before)}
    if why == "twice":
        return _("%(serial)s is named twice") % words
    if before == State.NEW:
        return _("%(serial)s is not known: “%(event)s” is not possible") % words
    return _("%(serial)s is %(status)s: “%(event)s” is not possible") % words


def state_label(state: str) -> str:
    """A state in words."""
    if state == State.NEW:
        return _("unknown")
    return _("void") if state == State.VOID else str(lifecycle.Status(state).label)


def _attention(fact: Fact) -> str:
    return _("The unit reserved for this line is not available any more (%(event)s).") % {"event": fact.event.label}


def _cause(fact: Fact) -> stock.Cause:
    process = lifecycle.RULES[fact.event].process
    return stock.Cause(
        event=fact.event.value,
        process_type=process.value if process else "",
        process_id=fact.process_id,
        reason=fact.reason,
        source=fact.source,
        actor_id=fact.actor_id,
        occurred_at=fact.occurred_at,
    )
