"""A receipt as a warehouse system sent it, as Lotline applies it: without what is off, and without what was applied."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from channels_sync.contract import Capability, Json, LotPart, Rejected, RemoteLine, RemoteReceipt, RemoteUnit
from oms import identity
from oms.models import Discrepancy
from replenishment.models import APPLIED, OF_RECEIPT, Outcome, Receipt, ReceiptLine, ReceivedSerial
from replenishment.receiving import IncomingLine, IncomingLot, IncomingReceipt, IncomingUnit, Origin
from serials.numbering import normalise

Key = tuple[int | None, str]
"""What tells the lines of a receipt apart: the position as sent (None where the source sends none) and the SKU."""


@dataclass(frozen=True)
class Applied:
    """What earlier messages about one receipt have brought into the warehouse already.

    Pieces by line, pieces by line and lot, and (SKU, serial) of the units. `vague` are the lots that were named, by
    line, without anybody saying how many of the applied pieces are theirs: nothing is counted for these.
    """

    pieces: Counter[Key]
    lots: Counter[tuple[Key, str]]
    serials: frozenset[tuple[str, str]]
    vague: frozenset[tuple[Key, str]] = frozenset()


def of_document(origin: Origin, prefix: str = "") -> Q:
    """Receipts of a document: its first version's, and those that continue it."""
    return Q(
        **{
            f"{prefix}realm": origin.realm,
            f"{prefix}stream": origin.stream,
            f"{prefix}document": origin.document,
        }
    )


def next_origin(origin: Origin) -> Origin:
    """What the next receipt of a document is."""
    return replace(origin, part=Receipt.objects.filter(of_document(origin)).count())


def has_open_cases(origin: Origin) -> bool:
    """Whether a discrepancy of a document's receipts waits for somebody."""
    return bool(cases_of(origin).filter(is_open=True).exists())


def cases_of(origin: Origin) -> "QuerySet[Discrepancy]":
    """The discrepancies that a document's receipts left."""
    receipts = list(Receipt.objects.filter(of_document(origin)).values_list("pk", flat=True))
    rows: QuerySet[Discrepancy] = Discrepancy.objects.filter(subject_kind=OF_RECEIPT, subject_id__in=receipts)
    return rows


def applied_before(origin: Origin) -> Applied:
    """What was applied of a document."""
    pieces: Counter[Key] = Counter()
    lots: Counter[tuple[Key, str]] = Counter()
    vague: set[tuple[Key, str]] = set()
    for row in ReceiptLine.objects.filter(of_document(origin, "receipt__"), applied_quantity__gt=0).prefetch_related(
        "lots"
    ):
        key = _key(row.sent_position, row.sku_code)
        pieces[key] += row.applied_quantity
        sent = [(identity.key(lot.number), lot.quantity) for lot in row.lots.all() if lot.lot_id]
        counted = applied_lots(sent, quantity=row.quantity, applied=row.applied_quantity)
        lots.update({(key, number): quantity for number, quantity in counted.items()})
        is_part = row.applied_quantity != row.quantity
        vague |= {(key, number) for number, told in sent if number not in counted and (is_part or told is None)}
    theirs = of_document(origin, "receipt_line__receipt__")
    # Serials that are only saved came with their pieces: where these wait, as those that came after the end, both do.
    waiting = Q(outcome=Outcome.SAVED, receipt_line__applied_quantity=0, receipt_line__quantity__gt=0)
    rows = ReceivedSerial.objects.filter(theirs, outcome__in=APPLIED).exclude(waiting)
    serials = rows.values_list("receipt_line__sku_code", "serial")
    units = frozenset((_key(None, code)[1], normalise(serial)) for code, serial in serials)
    return Applied(pieces, lots, units, frozenset(vague))


def _key(position: int | None, sku_code: str) -> Key:
    return position, identity.key(sku_code)


def applied_lots(sent: Sequence[tuple[str, int | None]], *, quantity: int, applied: int) -> Counter[str]:
    """How many pieces of which lot a line brought in, as `apply_receipt` took them: of its `quantity` pieces `applied`
    were, and `sent` are number and quantity of its lots.
    """
    told = [(number, count) for number, count in sent if count and count > 0]
    if len(told) == 1 and told[0][1] == quantity:  # of all pieces, so also of just those that were applied
        return Counter({told[0][0]: applied})
    counted: Counter[str] = Counter()
    if applied == quantity:  # else it is not known which of the lots the others belong to
        for number, count in told:
            counted[number] += count
    return counted if counted.total() <= quantity else Counter()  # none was: their sum made no sense


def rest_of(receipt: RemoteReceipt, applied: Applied, *, has_lots: bool = True) -> RemoteReceipt:
    """What of a receipt is not in the warehouse yet, counted line by line; it keeps its lots.

    Raises Rejected where it takes back pieces, units, or a lot's pieces that were applied, and, if lots are passed
    through (`has_lots`), where it names lots of pieces that were applied without them: that needs a person.
    """
    pieces, lots, gone = Counter(applied.pieces), Counter(applied.lots), set(applied.serials)
    lines: list[RemoteLine] = []
    late: set[str] = set()
    # Lines that cannot be told apart take what was applied in the order of what is known of them.
    for line in sorted(receipt.lines, key=lambda line: -_familiar(line, applied)):
        key = _key(line.position, line.sku_code)
        known = {unit.serial for unit in line.units if _unit(key, unit) in applied.serials}
        gone -= {_unit(key, unit) for unit in line.units}
        taken = max(0, min(pieces[key], line.quantity))
        pieces[key] -= taken
        units = tuple(unit for unit in line.units if unit.serial not in known)
        rest = replace(line, quantity=line.quantity - taken, units=units)
        late |= _late_lots(line, rest, lots, applied.vague)
        rest = replace(rest, lots=tuple(_rest_of_lots(line, rest, lots)))
        if rest.quantity or units:
            lines.append(rest)
    back = (
        {code for _position, code in +pieces} | {number for _line, number in +lots} | {serial for _sku, serial in gone}
    )
    if back:
        raise Rejected(
            _("The warehouse takes back what it received (%(what)s). Correct units or stock, then close this.")
            % {"what": ", ".join(sorted(back)[:5])}
        )
    if late and has_lots:
        raise Rejected(
            _("The warehouse names lots of what was received without them (%(what)s). Correct stock, then close this.")
            % {"what": ", ".join(sorted(late)[:5])}
        )
    return replace(receipt, lines=tuple(lines))


def _late_lots(
    line: RemoteLine, rest: RemoteLine, left: Counter[tuple[Key, str]], vague: frozenset[tuple[Key, str]]
) -> set[str]:
    """The lots of a line, if they have more pieces that were not counted yet than the line has: some came without."""
    found: Counter[str] = Counter()
    for lot in line.lots:
        place = _key(line.position, line.sku_code), identity.key(lot.number)
        if place not in vague:
            found[place[1]] += max(0, (1 if lot.quantity is None else lot.quantity) - left[place])
    return set(+found) if found.total() > rest.quantity else set()


def _unit(key: Key, unit: RemoteUnit) -> tuple[str, str]:
    return key[1], normalise(unit.serial)


def _familiar(line: RemoteLine, applied: Applied) -> int:
    """How much of a line was applied before, as far as its serials and lots tell."""
    key = _key(line.position, line.sku_code)
    units = sum(1 for unit in line.units if _unit(key, unit) in applied.serials)
    return units + sum(min(applied.lots[key, identity.key(lot.number)], lot.quantity or 0) for lot in line.lots)


def _rest_of_lots(line: RemoteLine, rest: RemoteLine, left: Counter[tuple[Key, str]]) -> Iterator[LotPart]:
    """The lots of what is left of a line; what was applied of them is taken from `left`.

    One lot of the whole line stays the lot of the whole rest. A lot of which nothing is left stays while a unit names
    it.
    """
    is_whole = len(line.lots) == 1 and line.lots[0].quantity == line.quantity
    named = {identity.key(unit.lot_number) for unit in rest.units}
    for lot in line.lots:
        place = _key(line.position, line.sku_code), identity.key(lot.number)
        if lot.quantity is None:
            del left[place]  # how much of it there is, is not said: nothing is taken back
            yield lot
            continue
        taken = max(0, min(left[place], lot.quantity))
        left[place] -= taken
        quantity = rest.quantity if is_whole else lot.quantity - taken
        if quantity or place[1] in named:
            yield replace(lot, quantity=quantity)


def incoming(
    receipt: RemoteReceipt, *, origin: Origin, link_id: int, options: Collection[str], default_bin: str, raw: Json
) -> IncomingReceipt:
    """The receipt of a connection's warehouse as `apply_receipt` takes it; lots and serials only where the connection
    passes them through.
    """
    has_lots, has_serials = Capability.RECEIPT_LOTS_IN in options, Capability.RECEIPT_SERIALS_IN in options
    return IncomingReceipt(
        external_id=receipt.external_id,
        replenishment_number=receipt.reference,
        occurred_at=receipt.occurred_at,
        lines=tuple(_line(line, default_bin, has_lots=has_lots, has_serials=has_serials) for line in receipt.lines),
        raw=raw,
        link_id=link_id,
        origin=origin,
    )


def _line(line: RemoteLine, default_bin: str, *, has_lots: bool, has_serials: bool) -> IncomingLine:
    units = tuple(
        IncomingUnit(unit.serial, unit.bin_name, unit.lot_number if has_lots else "")
        for unit in (line.units if has_serials else ())
    )
    return IncomingLine(
        position=line.position,
        sku_code=line.sku_code,
        quantity=line.quantity,
        units=units,
        lots=tuple(_lot(lot) for lot in (line.lots if has_lots else ())),
        bin_name=line.bin_name or default_bin,
    )


def _lot(lot: LotPart) -> IncomingLot:
    return IncomingLot(lot.number, lot.expires_on, lot.made_on, lot.quantity)
