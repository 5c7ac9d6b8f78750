"""The ledger: the one writer of a unit's status, bin, history and stock.

`record_event` takes one unit or a hundred thousand in the same number of statements. The rows of a call are staged in a
temporary table, the units are locked in one order, and one join with the event's table (`lifecycle.outcomes`) decides
what each becomes. If any of them may not, nothing is written. Units, history and stock change in one transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _, gettext_lazy
from psycopg.sql import SQL, Composable

from oms import identity
from oms.errors import Conflict, DomainError
from oms.services import stock
from oms.tenancy import current_account_id
from serials import lifecycle, numbering
from serials.lifecycle import Actor, Event, State
from serials.models import NOTE_LENGTH
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

    select: SQL
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
    twice, or where a row names something that does not exist, is another SKU's or cannot be a serial number;
    NotEnoughStock where a bin would go below 0 or below the known units in it; DomainError for a text that is too long.
    Then nothing is written.
    """
    if not lifecycle.may_cause(fact.actor, fact.event):
        raise Refused(
            _("Only the warehouse changes a unit's status: “%(event)s” is not yours.") % {"event": fact.event.label}, []
        )
    _check_texts((fact.process_id, 80), (fact.order_no, 60), (fact.source, 200), (fact.reason, 400))
    params = _parameters(fact)
    with connection.cursor() as cursor:
        staged = _stage(cursor, rows)
        try:
            return _apply(cursor, fact, params, staged)
        except IntegrityError as error:
            if "serial_key" not in str(error):
                raise
        # Somebody made the same unit at this very moment, and has committed: now it is found, as what it has become.
        try:
            return _apply(cursor, fact, params, staged)
        except IntegrityError as error:
            if "serial_key" not in str(error):
                raise
            raise Refused(
                _("Somebody registered one of these serials a moment ago. Nothing was written: try again."), []
            ) from error


def hold_units(unit_ids: SQL) -> None:
    """Lock units, then their SKUs, in the order in which an event locks them; `unit_ids` is a SELECT.

    For whoever writes history of many units in several statements of one transaction: if each took its SKUs before the
    next one's units, it and somebody else could wait for each other for ever.
    """
    params = {"account": current_account_id()}
    with connection.cursor() as cursor:
        cursor.execute(SQL(sql.HOLD_UNITS).format(unit_ids=unit_ids), params)
        cursor.execute(sql.HOLD_SKUS, {**params, "skus": [sku for (sku,) in cursor.fetchall()]})


def annotate_held(fact: Fact, rows: Composable, params: Mapping[str, Any]) -> int:
    """Annotate units that `hold_units` has locked, as `record_event` does it, in one statement; how many.

    `rows` is a SELECT of unit_id and reason, each unit once and no reason too long. Only for what lies outside the
    unit's row, and a fact without a source, which is new for every unit.
    """
    if fact.event is not Event.ANNOTATE or fact.source or not lifecycle.may_cause(fact.actor, fact.event):
        raise ValueError(f"{fact} is not such an annotation.")
    with connection.cursor() as cursor:
        cursor.execute(SQL(sql.ANNOTATE).format(rows=rows), {**_parameters(fact), **params})
        count: int = cursor.rowcount
    return count


@transaction.atomic
def _apply(cursor: Any, fact: Fact, params: dict[str, Any], staged: int) -> Recorded:
    for statement in (sql.EMPTY_PLAN, sql.LOCK_UNITS, "ANALYZE stage_unit", sql.LOCK_SKUS, sql.LOCK_BINS, sql.PLAN):
        cursor.execute(statement, params)
    _refuse(cursor, fact)
    for statement in (sql.INSERT_UNITS, sql.UPDATE_UNITS, sql.INSERT_EVENTS):
        cursor.execute(statement, params)
    count: int = cursor.rowcount
    cursor.execute(sql.FREE_LINES, {**params, "attention": _attention(fact)})
    freed: int = cursor.fetchone()[0]
    cursor.execute(sql.STOCK_DELTAS, params)
    stock.post_moves([stock.Move(*row) for row in cursor.fetchall()], cause=_cause(fact), by_unit=True)
    cursor.execute(sql.SHORT_PLACES, params)
    for sku, place in cursor.fetchall():
        raise stock.NotEnoughStock(
            _("All that is left of %(sku)s in bin %(bin)s are known units: ship one of those.")
            % {"sku": sku, "bin": place}
        )
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
        cursor.execute(SQL(sql.STAGE).format(select=rows.select), rows.params)
        count: int = cursor.rowcount
    else:
        count, bad = 0, list[tuple[Row, str]]()
        with cursor.copy(sql.COPY_STAGE) as copy:
            for row in rows:
                try:
                    copy.write_row((_key(row), *_values(row)))
                except numbering.BadSerial as error:
                    bad.append((row, str(error)))
                count += 1
        _stage_old(cursor, bad)
    cursor.execute("ANALYZE stage_in")
    return count


def _stage_old(cursor: Any, bad: list[tuple[Row, str]]) -> None:
    """Put the rows whose serials are refused by now, but are units of older releases; refuse the call for others."""
    if not bad:
        return
    keys = [identity.sought(row.serial) for row, _why in bad]
    params = {"account": current_account_id(), "skus": [row.sku_id for row, _why in bad], "keys": keys}
    cursor.execute(sql.OLD, params)
    old = {place - 1 for (place,) in cursor.fetchall()}
    _refuse_bad([(_shown(row.serial), why) for place, (row, why) in enumerate(bad) if place not in old])
    with cursor.copy(sql.COPY_STAGE) as copy:
        for (row, _why), key in zip(bad, keys, strict=True):
            copy.write_row((key, *_values(row)))


def _key(row: Row) -> str:
    """The normalised serial of a row that names its unit by serial; checks the texts that the row brings."""
    if row.wms_notes or row.oms_notes or row.source or row.reason:
        notes = (row.wms_notes or "", NOTE_LENGTH), (row.oms_notes or "", NOTE_LENGTH)
        _check_texts(*notes, (row.source, 200), (row.reason, 400))
    return "" if row.unit_id is not None else numbering.check(row.serial)


def _check_texts(*texts: tuple[str, int]) -> None:
    """Raise DomainError for a text that is longer than its column, or that PostgreSQL cannot hold."""
    for text, most in texts:
        if len(text) > most:
            raise DomainError(
                _("“%(start)s…” is too long: %(most)s characters at most.") % {"start": _shown(text), "most": most}
            )
        if identity.storable(text) != text:
            raise DomainError(_("“%(start)s” holds characters that cannot be stored.") % {"start": _shown(text)})


def _shown(text: str) -> str:
    """The beginning of a text, fit for a sentence."""
    return identity.shown(text, 40)


def _refuse_bad(bad: list[tuple[str, str]]) -> None:
    if bad:
        lines = " ".join(_("“%(serial)s”: %(why)s") % {"serial": serial, "why": why} for serial, why in bad[:NAMED])
        raise Refused(
            _("Nothing was written. %(lines)s") % {"lines": _and_more(lines, len(bad) - NAMED)},
            [(serial, State.NEW.value) for serial, _why in bad[:NAMED]],
        )


def _and_more(lines: str, more: int) -> str:
    return _("%(lines)s; and %(more)s more") % {"lines": lines, "more": more} if more > 0 else lines


def _refuse(cursor: Any, fact: Fact) -> None:
    """Raise Refused if the plan has a unit that the rules forbid, one that is unknown, or one twice."""
    cursor.execute(sql.REFUSED, {"named": NAMED})
    found = cursor.fetchall()
    if not found:
        return
    units = [(serial, before) for serial, before, _why, _count in found]
    lines = "; ".join(_why(fact.event, serial, before, why) for serial, before, why, _count in found)
    lines = _and_more(lines, found[0][3] - len(found))
    raise Refused(_("Nothing was written. %(lines)s.") % {"lines": lines}, units)


_WRONG = {
    "twice": gettext_lazy("%(serial)s is named twice"),
    "unit": gettext_lazy("a unit that is named does not exist"),
    "sku": gettext_lazy("%(serial)s is of a SKU that does not exist"),
    "bin": gettext_lazy("%(serial)s: the bin does not exist"),
    "lot": gettext_lazy("%(serial)s: there is no such lot of its SKU"),
    "line": gettext_lazy("%(serial)s: there is no such order line of its SKU"),
    "corrects": gettext_lazy("%(serial)s: what this corrects is not in its history"),
}


def _why(event: Event, serial: str, before: str, why: str) -> str:
    words = {"serial": serial, "event": event.label, "status": state_label(before)}
    if why in _WRONG:
        return str(_WRONG[why]) % words
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
        reason=fact.reason[:250],  # the history keeps it whole
        source=fact.source,
        actor_id=fact.actor_id,
        occurred_at=fact.occurred_at,
    )
