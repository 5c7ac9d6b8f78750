"""Receipts: what a warehouse system or a member of the warehouse confirms is applied here, each fact once."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from oms import identity
from oms.errors import DomainError
from oms.models import NO_LOT, DiscrepancyKind as Kind, Person
from oms.queries.people import localised
from oms.services import stock
from oms.services.discrepancies import Case, open_discrepancies, shortened
from oms.tenancy import current_account_id
from replenishment.lifecycle import Status, Step, may
from replenishment.models import OF_RECEIPT, Receipt, ReceiptLine, ReceivedLot, Replenishment, ReplenishmentLine
from replenishment.receiving import IncomingReceipt, IncomingUnit
from replenishment.services.drafts import recount, touch
from replenishment.services.matching import LineResult, Matcher, SerialResult, clean
from replenishment.services.places import Bins, Lots
from replenishment.services.submitting import hold_workflows, set_status
from serials.lifecycle import Actor, Event, ProcessType
from serials.models import Lot
from serials.services import Fact, Row, record_event

SOURCE_LENGTH = 200
SAVE_SERIALS = """
INSERT INTO replenishment_receivedserial (account_id, receipt_line_id, serial, bin_id, lot_id, outcome)
SELECT %(account)s, t.line, t.serial, t.bin, t.lot, t.outcome
FROM unnest(%(lines)s::bigint[], %(serials)s::text[], %(bins)s::bigint[], %(lots)s::bigint[], %(outcomes)s::text[])
    WITH ORDINALITY AS t (line, serial, bin, lot, outcome, place) ORDER BY t.place
"""
ADD_RECEIVED = """
UPDATE replenishment_replenishmentline l SET received_quantity = l.received_quantity + t.pieces * %(sign)s
FROM unnest(%(lines)s::bigint[], %(pieces)s::bigint[]) AS t (line, pieces)
WHERE l.account_id = %(account)s AND l.id = t.line
"""


class UnknownReplenishment(DomainError):
    """A receipt for a replenishment that Lotline does not have, has not submitted, or that is another warehouse's;
    nothing was written.
    """


@transaction.atomic
def apply_receipt(receipt: IncomingReceipt, *, source: str, actor: Person | None = None) -> Receipt:
    """Apply what the warehouse confirms; the same `source` again changes nothing and gives the first receipt.

    Serials that were planned become units in the warehouse; where nothing was planned the warehouse's own are taken.
    Whatever contradicts the plan becomes a discrepancy and waits, the rest is applied. Serials and lots are saved on
    the receipt's lines whatever the SKU's workflow. One transaction, as many statements for one serial as for 10,000.

    Args:
        receipt: what was sent.
        source: the unique id of the fact, such as "sandbox:7:receipt:R-88"; which document it is of says its `origin`.
        actor: the member of the warehouse; None is a warehouse system.

    Raises UnknownReplenishment where there is nothing to receive against.
    """
    source = shortened(source, SOURCE_LENGTH)
    number = folded(receipt.replenishment_number)
    found = Replenishment.objects.select_for_update(of=("self",)).filter(number=number).first()
    known: Receipt | None = Receipt.objects.filter(source=source).first()
    if known is not None:
        return known
    if found is None or found.status == Status.INCOMPLETE:
        words = {"number": number[:80]}
        raise UnknownReplenishment(_("There is no submitted replenishment %(number)s to receive.") % words)
    if receipt.link_id is not None and receipt.link_id != found.link_id:
        words = {"number": found.number, "warehouse": found.link}
        raise UnknownReplenishment(
            _("%(number)s is for the warehouse %(warehouse)s, but another one says that it received it.") % words
        )
    hold_workflows(found)
    row = Receipt.objects.create(
        replenishment=found,
        source=source,
        **asdict(receipt.origin),
        external_id=clean(receipt.external_id)[:120],
        occurred_at=receipt.occurred_at,
        actor=actor,
        raw=clean(dict(receipt.raw)),
    )
    _Application(found, row, is_open=may(Step.RECEIVE, found.status)).run(receipt)
    return row


class _Application:
    """One receipt on its way into the database."""

    def __init__(self, replenishment: Replenishment, receipt: Receipt, *, is_open: bool) -> None:
        self.replenishment, self.receipt, self.is_open = replenishment, receipt, is_open
        self.matcher = Matcher(replenishment, receipt, is_open=is_open)

    def run(self, incoming: IncomingReceipt) -> None:
        """Match, move goods, save the document, count, and open what waits."""
        self.results = self.matcher.match(incoming.lines)
        known = [result for result in self.results if result.candidates]
        names = [name for result in known for name in _bin_names(result)]
        self.bins = Bins(self.replenishment.link, names) if names else None
        self.day = localised(self.receipt.occurred_at).date()
        named = [(result.sku.pk, lot) for result in known for lot in result.incoming.lots]
        self.lots = Lots(named, doubted_on=None if self.receipt.actor_id else self.day)
        self._move()
        self._save()
        self._count()
        cases = [*(case for result in self.results for case in result.cases), *self._lot_cases()]
        open_discrepancies([replace(case, subject_kind=OF_RECEIPT, subject_id=self.receipt.pk) for case in cases])
        if self.is_open:
            set_status(self.replenishment)
        touch(self.replenishment, "status", "quantity", "received_quantity")

    # --- goods ---
    def _move(self) -> None:
        """Units through the ledger, pieces of other SKUs through stock; units first, in every receipt alike."""
        rows = [row for result in self.results if result.is_by_unit for row in self._unit_rows(result)]
        if rows:
            fact = Fact(
                Event.RECEIVE,
                Actor.WAREHOUSE,
                actor_id=self.receipt.actor_id,
                process_id=self.replenishment.number,
                source=self.receipt.source,
                occurred_at=self.receipt.occurred_at,
            )
            record_event(fact, rows)
        moves = [move for result in self.results for move in self._moves(result)]
        stock.post_moves(moves, cause=cause_of(self.receipt, self.replenishment.number))

    def _unit_rows(self, result: LineResult) -> Iterable[Row]:
        whole = self._lot_of_all(result)
        for serial in result.applied_serials:
            lot = self._named_lot(result, serial.unit) or whole
            yield Row(
                sku_id=result.sku.pk,
                serial=serial.unit.serial.strip(),
                bin_id=self._bin(serial.unit.bin_name or result.incoming.bin_name),
                lot_id=lot.pk if lot else None,
                is_new_allowed=True,
            )

    def _named_lot(self, result: LineResult, unit: IncomingUnit) -> Lot | None:
        """The lot that the source names for this very unit, among those of its line."""
        return self.lots.find(result.sku.pk, unit.lot_number) if unit.lot_number and result.sku else None

    def _lot_of_all(self, result: LineResult) -> Lot | None:
        """The lot of every unit, where the line says so: one lot with the line's whole quantity. Never inferred."""
        lots = result.incoming.lots
        if len(lots) == 1 and lots[0].quantity == result.incoming.quantity:
            return self.lots.find(result.sku.pk, lots[0].number)
        return None

    def _moves(self, result: LineResult) -> Iterable[stock.Move]:
        if result.is_by_unit or not result.candidates:
            return
        sent = [(self.lots.find(result.sku.pk, lot.number), lot.quantity) for lot in result.incoming.lots]
        by_lot = pieces_by_lot((lot.pk if lot else None, quantity) for lot, quantity in sent)
        quantity = result.incoming.quantity
        if by_lot.total() > quantity:
            text = _("%(sku)s: its lots add up to %(lots)s, but %(quantity)s were received.")
            words = {"sku": result.sku.code, "lots": by_lot.total(), "quantity": quantity}
            result.cases.append(self.matcher.case(result, Kind.LOT_QUANTITY, text % words))
        if result.pieces:
            yield from moves_of(result.sku.pk, self._bin(result.incoming.bin_name), quantity, by_lot)

    def _bin(self, name: str) -> int:
        if self.bins is None:
            raise LookupError("A line that is applied always has a bin.")
        return self.bins[name]

    # --- the document ---
    def _save(self) -> None:
        rows = ReceiptLine.objects.bulk_create([self._receipt_line(result) for result in self.results])
        lots = [
            self._received_lot(row, result, place)
            for row, result in zip(rows, self.results, strict=True)
            for place in range(len(result.incoming.lots))
        ]
        ReceivedLot.objects.bulk_create(lots, batch_size=2000)
        named = [
            self._received_serial(row, result, serial)
            for row, result in zip(rows, self.results, strict=True)
            for serial in result.serials
        ]
        names = ("lines", "serials", "bins", "lots", "outcomes")
        columns: Sequence[Sequence[object]] = list(zip(*named, strict=True)) or [()] * len(names)
        params = dict(zip(names, map(list, columns), strict=True))
        with connection.cursor() as cursor:
            cursor.execute(SAVE_SERIALS, {"account": current_account_id(), **params})

    def _received_serial(self, row: ReceiptLine, result: LineResult, serial: SerialResult) -> tuple[object, ...]:
        """What is kept of one serial, in the order of SAVE_SERIALS."""
        unit = serial.unit
        lot = self._named_lot(result, unit)
        bin_id = self._serial_bin(result, unit.bin_name)
        return row.pk, clean(unit.serial)[:300], bin_id, lot.pk if lot else None, serial.outcome

    def _serial_bin(self, result: LineResult, name: str) -> int | None:
        name = name or result.incoming.bin_name
        return self._bin(name) if result.candidates and name else None

    def _receipt_line(self, result: LineResult) -> ReceiptLine:
        incoming = result.incoming
        first = next(iter(result.pieces), result.candidates[0].pk if result.candidates else None)
        # A serial counts for the line that planned it, whichever line it was entered on.
        one = result.candidates[0].pk if len(result.candidates) == 1 else first
        return ReceiptLine(
            receipt=self.receipt,
            line_id=one,
            sku=result.sku,
            position=result.place,
            sent_position=None if incoming.position is None else _held(incoming.position),
            sku_code=clean(incoming.sku_code)[:200],
            quantity=_held(incoming.quantity),
            applied_quantity=result.pieces.total(),
            bin_id=self._bin(incoming.bin_name) if result.candidates else None,
        )

    def _received_lot(self, row: ReceiptLine, result: LineResult, place: int) -> ReceivedLot:
        sent = result.incoming.lots[place]
        lot = self.lots.find(result.sku.pk, sent.number) if result.sku else None
        if result.sku and lot is None:
            text = _("%(sku)s: “%(lot)s” cannot be the number of a lot.")
            words = {"sku": result.sku.code, "lot": sent.number[:100]}
            result.cases.append(self.matcher.case(result, Kind.BAD_LOT, text % words, detail=sent.number))
        return ReceivedLot(
            receipt_line=row,
            lot=lot,
            number=clean(sent.number)[:200],
            expires_on=sent.expires_on,
            made_on=sent.made_on,
            quantity=sent.quantity,
        )

    # --- what it comes to ---
    def _count(self) -> None:
        pieces: Counter[int] = sum((result.pieces for result in self.results), Counter())
        self._note_excess(pieces)
        add_received(pieces)
        self.receipt.quantity = pieces.total()
        self.receipt.save(update_fields=["quantity"])
        recount(self.replenishment)

    def _note_excess(self, pieces: Counter[int]) -> None:
        """More than was ordered is applied, because the goods are there, and waits for somebody to say why."""
        for line in self.matcher.lines:
            received = line.received_quantity + pieces[line.pk]
            result = next((result for result in self.results if line.pk in result.pieces), None)
            if result and received > line.quantity:
                text = _("%(sku)s: %(received)s received on line %(line)s, %(quantity)s were expected.")
                words = {"sku": line.sku.code, "received": received, "line": line.position, "quantity": line.quantity}
                case = self.matcher.case(result, Kind.OVER_RECEIPT, text % words, detail=excess_of(line))
                result.cases.append(case)

    def _lot_cases(self) -> list[Case]:
        differ = [
            self._lot_case(
                Kind.LOT_EXPIRY,
                f"lot:{case.lot.sku_id}:{case.number}:{case.sent}",
                str(case),
                case.lot.sku_id,
                {"lot": case.number, "sent": str(case.sent), "known": str(case.known) if case.known else None},
            )
            for case in self.lots.contradictions
        ]
        return differ + self._expired_cases()

    def _expired_cases(self) -> list[Case]:
        """Goods that had expired when they came are in stock like others, and wait for somebody to say what to do."""
        found = {}
        for result in self.results:
            for sent in result.incoming.lots if result.pieces else ():
                lot = self.lots.find(result.sku.pk, sent.number)
                if lot and lot.expires_on and lot.expires_on < self.day and sent.quantity != 0:
                    found[lot.pk] = (lot, result)
        text = _("Lot %(lot)s of %(sku)s had expired on %(day)s when it was received.")
        return [
            self._lot_case(
                Kind.LOT_EXPIRED,
                f"expired:{lot.sku_id}:{lot.number}",
                text % {"lot": lot.number, "sku": result.sku.code, "day": lot.expires_on},
                lot.sku_id,
                {"lot": lot.number, "expires": str(lot.expires_on), "position": result.incoming.position},
            )
            for lot, result in found.values()
        ]

    def _lot_case(self, kind: Kind, detail: str, summary: str, sku_id: int, raw: dict[str, Any]) -> Case:
        return Case(
            kind=kind,
            source=f"{self.receipt.source}#{detail}",
            summary=summary,
            sku_id=sku_id,
            process_type=ProcessType.REPLENISHMENT.value,
            process_id=self.replenishment.number,
            raw=raw,
        )


def cause_of(receipt: Receipt, number: str, reason: str = "") -> stock.Cause:
    """Why pieces of a receipt come into stock: by its own word, and since it says so."""
    return stock.Cause(
        event=Event.RECEIVE.value,
        process_type=ProcessType.REPLENISHMENT.value,
        process_id=number,
        reason=reason[:250],
        source=receipt.source,
        actor_id=receipt.actor_id,
        occurred_at=receipt.occurred_at,
    )


def pieces_by_lot(sent: Iterable[tuple[int | None, int | None]]) -> Counter[int]:
    """Lot id → how many pieces a line says are of it, of the lots that are known and have a quantity."""
    found: Counter[int] = Counter()
    for lot_id, quantity in sent:
        if lot_id is not None and quantity and quantity > 0:
            found[lot_id] += quantity
    return found


def moves_of(sku_id: int, bin_id: int, quantity: int, by_lot: Counter[int]) -> Iterable[stock.Move]:
    """So many pieces into a bin: each lot's own, the rest without a lot; all of it, where the lots add up to more."""
    told = by_lot if by_lot.total() <= quantity else Counter[int]()
    yield from (stock.Move(sku_id, bin_id, pieces, lot) for lot, pieces in told.items())
    if quantity > told.total():
        yield stock.Move(sku_id, bin_id, quantity - told.total(), NO_LOT)


def folded(reference: str) -> str:
    """A replenishment's number as somebody else wrote it, as it is here: without blanks around it, in capitals."""
    return identity.sought(reference)


def add_received(pieces: Mapping[int, int], sign: int = 1) -> None:
    """Count these pieces, by line, as received; with a `sign` of -1 as received no more."""
    lines, counts = list(pieces), list(pieces.values())
    params: dict[str, Any] = {"account": current_account_id(), "lines": lines, "pieces": counts, "sign": sign}
    with connection.cursor() as cursor:
        cursor.execute(ADD_RECEIVED, params)


def excess_of(line: ReplenishmentLine) -> str:
    """How the source of a case ends that says that too much of a line was received."""
    return f"line {line.position}"


def _held(number: int) -> int:
    """A number as it was sent, cut to what a column holds."""
    return max(-(2**62), min(number, 2**62))


def _bin_names(result: LineResult) -> list[str]:
    """The bins that a known line names; the empty name stands for the default bin."""
    return [result.incoming.bin_name, *(unit.bin_name or result.incoming.bin_name for unit in result.incoming.units)]
