"""What a warehouse confirms it received, as `services.receiving.apply_receipt` takes it: the same for every source."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from oms import identity


@dataclass(frozen=True, slots=True)
class IncomingUnit:
    """One serial as sent. `bin_name` and `lot_number` are empty where the source names none for this unit."""

    serial: str
    bin_name: str = ""
    lot_number: str = ""


@dataclass(frozen=True, slots=True)
class IncomingLot:
    """One lot as sent; `quantity` is None where the source gives no quantity per lot: it is never inferred."""

    number: str
    expires_on: date | None = None
    made_on: date | None = None
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class IncomingLine:
    """One line as sent.

    Args:
        position: the replenishment line's position; None where the source names SKUs only.
        sku_code: the SKU, whatever its case.
        quantity: pieces received, 0 or more.
        units, lots: serials and lots, empty where there are none.
        bin_name: where all of it lies unless a unit says otherwise; empty: the default bin.
    """

    position: int | None
    sku_code: str
    quantity: int
    units: tuple[IncomingUnit, ...] = ()
    lots: tuple[IncomingLot, ...] = ()
    bin_name: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Which document a receipt is of: told in columns, so that nobody has to read it out of a text.

    Args:
        stream: how it came: ENTERED in Lotline, or the stream of a system; empty: not known.
        realm: whose documents these are, the vendor's own tenant.
        document: the vendor's id of it.
        part: 0, and 1, 2, … for what a later version of the document brought.
    """

    stream: str = ""
    realm: str = ""
    document: str = ""
    part: int = 0


ENTERED = "entered"
UNKNOWN = Origin()


@dataclass(frozen=True, slots=True)
class IncomingReceipt:
    """One receipt as sent; `raw` is the payload itself, JSON-ready, kept with the receipt and its discrepancies.

    `link_id` is the warehouse link whose system sent it; None for a member of the warehouse in the browser, who may
    receive for every warehouse of the account. `origin` is which document this is.
    """

    external_id: str
    replenishment_number: str
    occurred_at: datetime
    lines: tuple[IncomingLine, ...]
    raw: Mapping[str, Any] = field(default_factory=dict)
    link_id: int | None = None
    origin: Origin = UNKNOWN


def with_scanned(
    named: Sequence[IncomingLot], scanned: Sequence[tuple[str, date | None]], quantity: int
) -> list[IncomingLot]:
    """The lots of a line, each with its quantity: those that were entered, and those that scans of its units say.

    A scan fills in what was left empty: the expiry of its lot, and how many of it there are. One entered lot without a
    quantity is the lot of all that is left; where nothing is, or beside others, such a lot is none.

    Args:
        named: as they were entered.
        scanned: lot and expiry of each scan that says a lot.
        quantity: pieces of the line.
    """
    counts = Counter(identity.key(number) for number, _expires_on in scanned)
    says = {identity.key(number): (number, expires_on) for number, expires_on in reversed(scanned)}
    own = {identity.key(lot.number) for lot in named}
    new = [IncomingLot(*says[key], None, counts[key]) for key in says if key not in own]
    rest = quantity - sum(lot.quantity or 0 for lot in new)
    lots = []
    for lot in named:
        key = identity.key(lot.number)
        number = lot.quantity
        if number is None:
            number = rest if len(named) == 1 else counts[key]
        if number > 0:
            lots.append(IncomingLot(lot.number, lot.expires_on or says.get(key, ("", None))[1], lot.made_on, number))
    return [*lots, *reversed(new)]
