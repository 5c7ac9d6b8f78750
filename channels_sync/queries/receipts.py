"""A receipt as a warehouse system sent it, as Lotline applies it: without what is off, and without what was applied."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from channels_sync.contract import Capability, Json, LotPart, Rejected, RemoteLine, RemoteReceipt
from oms.models import Discrepancy
from replenishment.models import Outcome, Receipt, ReceiptLine, ReceivedSerial
from replenishment.receiving import IncomingLine, IncomingLot, IncomingReceipt, IncomingUnit
from serials.numbering import normalise

APPLIED = (Outcome.MATCHED, Outcome.NEW, Outcome.SAVED)
Key = tuple[int | None, str]


@dataclass(frozen=True)
class Applied:
    """What earlier messages about one receipt have brought into the warehouse already."""

    pieces: Counter[str]
    serials: frozenset[tuple[str, str]]


def next_source(source: str) -> str:
    """The source of what continues a receipt: `…`, `…@1`, `…@2`."""
    count = Receipt.objects.filter(Q(source=source) | Q(source__startswith=f"{source}@")).count()
    return f"{source}@{count}" if count else source


def has_open_cases(source: str) -> bool:
    """Whether a discrepancy of a receipt waits for somebody."""
    own = Q(source__startswith=f"{source}#") | Q(source__startswith=f"{source}@")
    return bool(Discrepancy.objects.filter(own, is_open=True).exists())


def applied_before(source: str) -> Applied:
    """What was applied under a source or under one that continues it."""
    own = Q(receipt__source=source) | Q(receipt__source__startswith=f"{source}@")
    rows = ReceiptLine.objects.filter(own).values("sku_code").annotate(pieces=Sum("applied_quantity")).order_by()
    theirs = Q(receipt_line__receipt__source=source) | Q(receipt_line__receipt__source__startswith=f"{source}@")
    serials = ReceivedSerial.objects.filter(theirs, outcome__in=APPLIED).values_list("receipt_line__sku_code", "serial")
    pieces: Counter[str] = Counter()
    for row in rows:
        pieces[row["sku_code"].upper()] += row["pieces"] or 0
    return Applied(pieces, frozenset((code.upper(), normalise(serial)) for code, serial in serials))


def rest_of(receipt: RemoteReceipt, applied: Applied) -> RemoteReceipt:
    """What of a receipt is not in the warehouse yet.

    Raises Rejected where it takes back something that was applied: that needs a person.
    """
    left, gone = Counter(applied.pieces), set(applied.serials)
    lines = []
    for line in receipt.lines:
        code = line.sku_code.upper()
        known = {unit.serial for unit in line.units if (code, normalise(unit.serial)) in applied.serials}
        gone -= {(code, normalise(serial)) for serial in known}
        taken = min(left[code], line.quantity)
        left[code] -= taken
        units = tuple(unit for unit in line.units if unit.serial not in known)
        if line.quantity - taken or units:
            lots = () if taken else line.lots
            lines.append(replace(line, quantity=line.quantity - taken, units=units, lots=lots))
    if left.total() or gone:
        what = ", ".join(
            sorted({*(code for code, count in left.items() if count), *(serial for _, serial in gone)})[:5]
        )
        raise Rejected(
            _("The warehouse takes back what it received (%(what)s). Correct units or stock, then close this.")
            % {"what": what}
        )
    return replace(receipt, lines=tuple(lines))


def incoming(
    receipt: RemoteReceipt, *, link_id: int, options: Collection[str], default_bin: str, raw: Json
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
