"""The documents that come in: a receipt, a shipment, an event of units, an order, as an adapter has read them.

Their values may be those of the payload: a date as a text, a quantity as a text of digits. What would have to be
guessed (a serial that came as a number, half a piece, a date with a time) raises Rejected with a sentence, here, once
for every adapter.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from channels_sync.contract import values

BIN, LOT, SKU = _("A bin"), _("A lot number"), _("A SKU")
ORDER, REFERENCE = _("An order number"), _("A reference")


class Document:
    """Base of what comes in; `_take` replaces a field by what `values` makes of it."""

    def _take(self, **taken: Any) -> None:
        for name, value in taken.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class LotPart(Document):
    """A part of a line in one lot; `quantity` is None where the source does not say how many."""

    number: str
    quantity: int | None = None
    expires_on: date | None = None
    made_on: date | None = None
    serials: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._take(
            number=values.text(self.number, LOT),
            quantity=None if self.quantity is None else values.pieces(self.quantity),
            expires_on=values.day(self.expires_on),
            made_on=values.day(self.made_on),
            serials=tuple(map(values.serial, self.serials)),
        )


@dataclass(frozen=True)
class RemoteUnit:
    """One unit by number, and its bin where the warehouse says so."""

    serial: str
    bin_name: str = ""
    lot_number: str = ""

    def __post_init__(self) -> None:
        values.serial(self.serial)
        values.text(self.bin_name, BIN)
        values.text(self.lot_number, LOT)


@dataclass(frozen=True)
class RemoteLine(Document):
    """A line of a receipt or shipment; `position` is our line's number where the vendor kept it."""

    sku_code: str
    quantity: int
    position: int | None = None
    units: tuple[RemoteUnit, ...] = ()
    lots: tuple[LotPart, ...] = ()
    bin_name: str = ""

    def __post_init__(self) -> None:
        self._take(
            sku_code=values.text(self.sku_code, SKU),
            quantity=values.pieces(self.quantity),
            position=values.position(self.position),
            bin_name=values.text(self.bin_name, BIN),
        )


@dataclass(frozen=True)
class Confirmation(Document):
    """What a warehouse confirmed of the document `reference`, a number of ours: base of receipts and shipments."""

    external_id: str
    reference: str
    occurred_at: datetime
    lines: tuple[RemoteLine, ...]
    version: int = 0

    def __post_init__(self) -> None:
        self._take(
            reference=values.text(self.reference, REFERENCE),
            occurred_at=values.moment(self.occurred_at),
            version=values.version(self.version),
        )


@dataclass(frozen=True)
class RemoteReceipt(Confirmation):
    """What it received against a purchase order."""


@dataclass(frozen=True)
class RemoteShipment(Confirmation):
    """What left it for an order."""

    carrier: str = ""
    tracking: str = ""


@dataclass(frozen=True)
class RemoteUnitEvent(Document):
    """What happened to units inside the warehouse: `event` is move, hold, recount_found, recount_missing or return."""

    external_id: str
    event: str
    occurred_at: datetime
    sku_code: str
    units: tuple[RemoteUnit, ...]
    reason: str = ""
    version: int = 0

    def __post_init__(self) -> None:
        self._take(
            occurred_at=values.moment(self.occurred_at),
            sku_code=values.text(self.sku_code, SKU),
            version=values.version(self.version),
        )


@dataclass(frozen=True)
class RemoteOrder(Document):
    """An order that a channel took."""

    external_id: str
    number: str
    placed_at: datetime
    lines: tuple[RemoteLine, ...]
    version: int = 0

    def __post_init__(self) -> None:
        self._take(
            number=values.text(self.number, ORDER),
            placed_at=values.moment(self.placed_at),
            version=values.version(self.version),
        )
