"""Receipts that members of the warehouse enter in Lotline."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _, ngettext

from oms.errors import Conflict, DomainError
from oms.models import Person, Workflow
from oms.queries.stock import system_of
from oms.services import audit
from oms.tenancy import current_account_id
from replenishment.lifecycle import Step, may
from replenishment.models import OF_RECEIPT, Outcome, Receipt, Replenishment, ReplenishmentLine
from replenishment.queries import open_discrepancies
from replenishment.receiving import ENTERED, IncomingLine, IncomingLot, IncomingReceipt, IncomingUnit, Origin
from replenishment.services.drafts import locked
from replenishment.services.lookalikes import LookAlike, look_alikes_of
from replenishment.services.lot_dates import doubts, known_lots, questions
from replenishment.services.matching import LineResult, Matcher, SerialResult, clean
from replenishment.services.receiving import apply_receipt
from serials.numbering import normalise
from serials.queries.lots import NamedLots

SHOWN = 20
"""How many serials a check names."""
MOST_SERIALS = 10_000
"""Serials that one receipt takes from a page."""
PLANNED_OR_BAD = {Outcome.MATCHED, Outcome.DUPLICATE, Outcome.BAD}
"""Serials that need no look for others that look alike."""
# OFFSET 0 is a fence, as in `submitting.OUTSTANDING`.
OUTSTANDING_OF_LINES = """
SELECT p.line_id, (array_agg(p.serial ORDER BY p.id))[1:%(most)s], count(*)
FROM replenishment_plannedserial p
CROSS JOIN LATERAL (
    SELECT u.status, u.is_void, u.process_id FROM serials_unit u
    WHERE u.account_id = %(account)s AND u.sku_id = p.sku_id AND u.serial_key = p.serial_key OFFSET 0
) AS u
WHERE p.account_id = %(account)s AND p.line_id = ANY(%(lines)s) AND p.state = 'planned'
  AND u.status = 'incoming' AND NOT u.is_void AND u.process_id = %(number)s
GROUP BY p.line_id
"""


class RunElsewhere(Conflict):
    """Another system runs this warehouse: nothing is received for it in Lotline."""


class AlreadySent(Conflict):
    """A form came a second time with other entries; `receipt` is what its first sending made."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(
            _(
                "This form was sent before and made the receipt %(receipt)s. Nothing of what it says now is received "
                "yet: look at that receipt, then send what is still to be received."
            )
            % {"receipt": receipt}
        )
        self.receipt = receipt


@dataclass(frozen=True)
class Outstanding:
    """The planned serials of a line that have not come: how many, and the first of them."""

    count: int = 0
    first: list[str] = field(default_factory=list)


def outstanding(found: Replenishment, line_ids: Sequence[int], most: int = MOST_SERIALS) -> dict[int, Outstanding]:
    """Line → its planned serials that have not come; one query."""
    params: dict[str, Any] = {
        "account": current_account_id(),
        "lines": list(line_ids),
        "number": found.number,
        "most": most,
    }
    with connection.cursor() as cursor:
        cursor.execute(OUTSTANDING_OF_LINES, params)
        return {line: Outstanding(count, list(first)) for line, first, count in cursor.fetchall()}


def refuse_other_system(found: Replenishment) -> None:
    """Raise RunElsewhere where a warehouse system runs the replenishment's warehouse."""
    if system := system_of(found.link_id):
        words = {"system": system, "warehouse": found.link}
        raise RunElsewhere(
            _("%(system)s runs the warehouse %(warehouse)s: what it confirms arrives here by itself.") % words
        )


@dataclass(frozen=True)
class LineCheck:
    """What an entered line would mean at this moment.

    Args:
        matched: serials or pieces that are expected and would be applied.
        missing: of what the line still expects, how many it leaves; `absent` names the first planned serials of them.
        counts: outcome in words → how many serials would wait for somebody.
        problems: (serial, outcome in words) of the first of those.
        excess: how many more than expected would be applied.
        unmatched: pieces of the quantity that have no serial, or the other way round.
        sku_id: its SKU, None where the line is unknown.
        unplanned: serials that nobody planned here.
        questions: sentences about its lots, of which the office is asked.
        doubts: sentences about days that are hardly meant: who enters them means them.
        lotless: serials of lots, of which it is not said which is of which.
    """

    matched: int
    missing: int
    absent: list[str]
    counts: dict[str, int]
    problems: list[tuple[str, str]]
    excess: int
    unmatched: int
    sku_id: int | None
    unplanned: list[str]
    questions: list[str]
    doubts: list[str]
    lotless: int

    @cached_property
    def all_alike(self) -> list[LookAlike]:
        """What the serials that nobody planned may be mistaken for; one query, made where it is shown."""
        sku_id = self.sku_id
        return look_alikes_of((sku_id, serial) for serial in self.unplanned) if sku_id else []

    @property
    def alike(self) -> list[LookAlike]:
        """The first of those."""
        return self.all_alike[:SHOWN]

    @property
    def alike_more(self) -> int:
        """How many there are beside them."""
        return len(self.all_alike) - len(self.alike)

    @property
    def waiting(self) -> int:
        """How many things would wait for the office."""
        return sum(self.counts.values()) + len(self.questions) + bool(self.excess) + bool(self.unmatched)

    @property
    def asked(self) -> tuple[object, ...]:
        """What somebody is asked about first; what is only told, such as how much is missing, is none of it."""
        own = self.counts, self.problems, self.excess, self.unmatched, self.lotless, self.questions, self.doubts
        return own if any(own) else ()


def digest(lines: Sequence[IncomingLine], checks: Sequence[LineCheck]) -> str:
    """What tells these lines, and what is asked about them, from others: a yes to them is a yes to nothing else."""
    said = repr((_raw(lines), [check.asked for check in checks]))
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]


def look_at(found: Replenishment, lines: Sequence[IncomingLine]) -> list[LineCheck]:
    """What receiving these lines would mean at this moment, by the same rules; nothing is written or locked."""
    trial = Receipt(replenishment=found, source="trial")
    matcher = Matcher(found, trial, is_open=may(Step.RECEIVE, found.status), is_trial=True)
    room = dict(matcher.room)
    results = matcher.match(list(lines))
    looked = _Looked(
        outstanding(found, [line.pk for result in results for line in result.candidates]),
        room,
        Counter(room),
        sum((result.pieces for result in results), Counter()),
        {_key(result, serial) for result in results for serial in result.serials if serial.line_id is not None},
        known_lots([(result.sku.pk, lot) for result in results if result.sku for lot in result.incoming.lots]),
    )
    return [_check(result, looked) for result in results]


@dataclass(frozen=True)
class _Looked:
    """What the lines of one form are held against, together: a serial counts for the line that planned it, wherever it
    was entered. `left` is the room that the lines before left.
    """

    due: Mapping[int, Outstanding]
    room: Mapping[int, int]
    left: Counter[int]
    entered: Counter[int]
    here: Collection[tuple[int, str]]
    lots: NamedLots


def _key(result: LineResult, serial: SerialResult) -> tuple[int, str]:
    return result.sku.pk, normalise(serial.unit.serial)


def _check(result: LineResult, looked: _Looked) -> LineCheck:
    waiting = [serial for serial in result.serials if result.is_by_unit and serial.line_id is None]
    labels = Counter(str(serial.outcome.label) for serial in waiting)
    matched = sum(min(count, max(0, looked.left[line])) for line, count in result.pieces.items())
    looked.left.subtract(result.pieces)
    absent = [
        serial
        for line in result.candidates
        for serial in looked.due.get(line.pk, Outstanding()).first
        if (result.sku.pk, normalise(serial)) not in looked.here
    ]
    return LineCheck(
        matched=matched,
        missing=sum(max(0, looked.room[line.pk] - looked.entered[line.pk]) for line in result.candidates),
        absent=absent[:SHOWN],
        counts=dict(labels.most_common()),
        problems=[(serial.unit.serial, str(serial.outcome.label)) for serial in waiting[:SHOWN]],
        excess=result.pieces.total() - matched,
        unmatched=abs(result.incoming.quantity - len(result.serials)) if result.is_by_unit else 0,
        sku_id=result.sku.pk if result.is_by_unit else None,
        unplanned=[serial.unit.serial for serial in result.serials if serial.outcome not in PLANNED_OR_BAD],
        questions=_of_lots(questions, result, looked),
        doubts=_of_lots(doubts, result, looked),
        lotless=_lotless(result) if result.is_by_unit else 0,
    )


def _of_lots(say: Callable[..., list[str]], result: LineResult, looked: _Looked) -> list[str]:
    lots, today = result.incoming.lots if result.sku else (), timezone.localdate()
    return [text for lot in lots for text in say(result.sku.pk, lot, looked.lots, today)]


def _lotless(result: LineResult) -> int:
    """Of how many serials it is not said which of the line's lots they are of; those of one whole lot need no word."""
    incoming = result.incoming
    if len(incoming.lots) == 1 and incoming.lots[0].quantity == incoming.quantity:
        return 0
    of_lots = sum(lot.quantity or 0 for lot in incoming.lots)
    named = sum(1 for unit in incoming.units if unit.lot_number)
    return max(0, min(len(incoming.units) - named, of_lots - named))


@transaction.atomic
def receive(*, replenishment_id: int, lines: Sequence[IncomingLine], key: str, actor: Person) -> Receipt:
    """Receive what a member of the warehouse entered; the same `key` again gives the first receipt.

    Raises RunElsewhere, Conflict where the status does not allow it, AlreadySent where `key` came with other entries
    before, DomainError where nothing or too much is entered.
    """
    found = locked(replenishment_id, Step.RECEIVE)
    refuse_other_system(found)
    if not any(line.quantity or line.units for line in lines):
        raise DomainError(_("Enter what arrived on at least one line."))
    if sum(len(line.units) for line in lines) > MOST_SERIALS:
        raise DomainError(_("At most %(most)s serials at a time.") % {"most": f"{MOST_SERIALS:,}"})
    known = sent_before(found, lines, key)
    if known is not None:
        return known
    source = source_of(found, key)
    made = apply_receipt(_incoming(found, lines), source=source, actor=actor)
    waiting = open_discrepancies(found).filter(subject_kind=OF_RECEIPT, subject_id=made.pk).count()
    audit.record(
        actor=actor,
        action="Received",
        kind="replenishment",
        object_id=found.pk,
        label=found.number,
        changes={
            "receipt": (None, str(made)),
            "units": (None, made.quantity),
            **({"waiting": (None, waiting)} if waiting else {}),
        },
    )
    return made


@transaction.atomic
def receive_expected(*, replenishment_id: int, key: str, actor: Person, bin_name: str = "") -> Receipt:
    """Receive all that is missing as it was planned; the same `key` again gives the first receipt.

    What is missing is read under the lock: two who confirm it at once receive it once. Raises as `receive` and
    `as_expected` do.
    """
    found: Replenishment = Replenishment.objects.select_for_update(of=("self",)).get(pk=replenishment_id)
    known: Receipt | None = Receipt.objects.filter(source=source_of(found, key)).first()
    if known is not None:
        return known
    lines = as_expected(found, bin_name=bin_name)
    made: Receipt = receive(replenishment_id=found.pk, lines=lines, key=key, actor=actor)
    return made


def sent_before(found: Replenishment, lines: Sequence[IncomingLine], key: str) -> Receipt | None:
    """The receipt that a form made when it was sent before. Raises AlreadySent where it said something else then."""
    known = Receipt.objects.filter(source=source_of(found, key)).first()
    if known is not None and known.raw != _raw(lines):
        raise AlreadySent(known)
    return known


def source_of(found: Replenishment, key: str) -> str:
    """The unique id of what a form says."""
    return f"{ENTERED}:{found.pk}:{key}"


def _raw(lines: Sequence[IncomingLine]) -> dict[str, Any]:
    said: dict[str, Any] = clean({"entered": [_as_entered(line) for line in lines]})
    return said


def _incoming(found: Replenishment, lines: Sequence[IncomingLine]) -> IncomingReceipt:
    count = Receipt.objects.filter(replenishment=found).count()
    return IncomingReceipt(
        external_id=f"{found.number}-{count + 1}",
        replenishment_number=found.number,
        occurred_at=timezone.now(),
        lines=tuple(lines),
        raw=_raw(lines),
        origin=Origin(ENTERED),
    )


def as_expected(found: Replenishment, *, bin_name: str = "") -> list[IncomingLine]:
    """Everything that is still missing as it was planned: serials, lots and quantities.

    Raises DomainError where nothing is missing, where it is too much for one page, or where units are not planned: what
    arrived is then known to nobody but whoever holds it.
    """
    rows = ReplenishmentLine.objects.filter(replenishment=found).select_related("sku").prefetch_related("lots")
    rows = rows.order_by("position")
    missing = [line for line in rows if line.received_quantity < line.quantity]
    due = outstanding(found, [line.pk for line in rows])
    unplanned = [line for line in missing if line.sku.workflow == Workflow.IN_OUT and line.pk not in due]
    if unplanned:
        text = ngettext(
            "Line %(lines)s has no planned serials: enter those that arrived.",
            "Lines %(lines)s have no planned serials: enter those that arrived.",
            len(unplanned),
        )
        raise DomainError(text % {"lines": ", ".join(f"{line.position} ({line.sku.code})" for line in unplanned[:20])})
    if sum(each.count for each in due.values()) > MOST_SERIALS:
        text = _("More than %(most)s serials are missing: receive them in parts.")
        raise DomainError(text % {"most": f"{MOST_SERIALS:,}"})
    wanted = {line.pk for line in missing} | due.keys()
    lines = [_expected_line(line, due.get(line.pk), bin_name) for line in rows if line.pk in wanted]
    if not lines:
        raise DomainError(_("Nothing is missing: all of it was received."))
    return lines


def _expected_line(line: ReplenishmentLine, due: Outstanding | None, bin_name: str) -> IncomingLine:
    quantity = due.count if due else line.quantity - line.received_quantity
    return IncomingLine(
        position=line.position,
        sku_code=line.sku.code,
        quantity=quantity,
        units=tuple(IncomingUnit(serial) for serial in (due.first if due else ())),
        lots=tuple(_expected_lots(line, quantity)),
        bin_name=bin_name,
    )


def _expected_lots(line: ReplenishmentLine, quantity: int) -> Iterator[IncomingLot]:
    """The lots of `quantity` missing units. Raises DomainError where it cannot be known which of several they are."""
    lots = list(line.lots.all())
    if lots and lots[0].quantity != line.quantity and quantity != line.quantity:
        words = {"line": line.position, "sku": line.sku.code}
        raise DomainError(
            _("Line %(line)s (%(sku)s) has several lots and a part of it was received: enter the lots that arrived.")
            % words
        )
    for lot in lots:
        yield IncomingLot(lot.number, lot.expires_on, None, min(lot.quantity, quantity))


def _as_entered(line: IncomingLine) -> dict[str, Any]:
    """A line for the receipt's raw; what was left empty is left out."""
    lots = [
        {
            "number": lot.number,
            "expires": lot.expires_on.isoformat() if lot.expires_on else None,
            "quantity": lot.quantity,
        }
        for lot in line.lots
    ]
    said = {"line": line.position, "sku": line.sku_code, "quantity": line.quantity, "bin": line.bin_name}
    serials = [
        {"serial": unit.serial, "lot": unit.lot_number} if unit.lot_number else unit.serial for unit in line.units
    ]
    return {**said, "lots": lots, "serials": serials}
