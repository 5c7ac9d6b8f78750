"""What an adapter is: the documents it is given and gives, the errors it raises, and the two classes it may subclass.

`errors` holds what it raises, `incoming` what it makes of a payload, `values` what a vendor may write in one.

An adapter is one file in `channels_sync/adapters/`. It imports this module and `channels_sync.http`, nothing else of
Lotline, and never touches the database. Documents come in twice: as the vendor's own payload, stored before anything
else happens, and as what `read_…` makes of it. So one that nobody understands is kept for a better adapter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Self

from django import forms
from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy as _

from channels_sync.contract.errors import Misconfigured, NotAllowed, Rejected, Retry, SyncError
from channels_sync.contract.incoming import (
    LotPart,
    RemoteLine,
    RemoteOrder,
    RemoteReceipt,
    RemoteShipment,
    RemoteUnit,
    RemoteUnitEvent,
)

__all__ = [
    "CHANNEL_CAPABILITIES",
    "METHODS",
    "STREAMS",
    "WMS_CAPABILITIES",
    "Adapter",
    "BaseConfigForm",
    "Capability",
    "Flow",
    "Hint",
    "Json",
    "LotPart",
    "Misconfigured",
    "NotAllowed",
    "Page",
    "Payload",
    "PurchaseOrder",
    "PurchaseOrderLine",
    "Rejected",
    "RemoteLine",
    "RemoteOrder",
    "RemoteReceipt",
    "RemoteRef",
    "RemoteShipment",
    "RemoteUnit",
    "RemoteUnitEvent",
    "Retry",
    "SalesChannelAdapter",
    "Sample",
    "ShippedItem",
    "ShippedLots",
    "Support",
    "SyncError",
    "Text",
    "WmsAdapter",
]

Text = str | Promise
Json = Mapping[str, Any]


class Flow(TextChoices):
    """A kind of document that crosses the border; an adapter has the METHODS of each flow that it names."""

    PURCHASE_ORDERS = "purchase_orders", _("Purchase orders out")
    RECEIPTS = "receipts", _("Receipts in")
    SHIPMENTS = "shipments", _("Shipments in")
    UNIT_EVENTS = "unit_events", _("Unit events in")
    SHIPPED_LOTS = "shipped_lots", _("Shipped lots out")
    ORDERS = "orders", _("Orders in")
    WEBHOOKS = "webhooks", _("Webhooks")


METHODS: Mapping[Flow, tuple[str, ...]] = {
    Flow.PURCHASE_ORDERS: ("find_purchase_order", "send_purchase_order", "cancel_purchase_order"),
    Flow.RECEIPTS: ("fetch_receipts", "read_receipt"),
    Flow.SHIPMENTS: ("fetch_shipments", "read_shipment"),
    Flow.UNIT_EVENTS: ("fetch_unit_events", "read_unit_event"),
    Flow.SHIPPED_LOTS: ("send_shipped_lots",),
    Flow.ORDERS: ("fetch_orders", "read_order"),
    Flow.WEBHOOKS: ("parse_webhook",),
}
STREAMS: tuple[Flow, ...] = (Flow.RECEIPTS, Flow.SHIPMENTS, Flow.UNIT_EVENTS, Flow.ORDERS)
"""The flows that come in by polling; each has a cursor."""


class Support(TextChoices):
    """How a vendor carries lots or serials: in a field of their own, in a note for people, or not at all."""

    NATIVE = "native", _("Yes")
    NOTE = "note", _("As a note")
    NONE = "none", _("No")


class Capability(TextChoices):
    """What can be passed through; the pass-through options of a connection have the same names."""

    PO_LOTS_OUT = "po_lots_out", _("Purchase-order lots out")
    PO_SERIALS_OUT = "po_serials_out", _("Purchase-order serials out")
    RECEIPT_LOTS_IN = "receipt_lots_in", _("Receipt lots in")
    RECEIPT_SERIALS_IN = "receipt_serials_in", _("Receipt serials in")
    SHIPMENT_LOTS_IN = "shipment_lots_in", _("Shipment lots in")
    SHIPMENT_SERIALS_IN = "shipment_serials_in", _("Shipment serials in")
    CHANNEL_LOTS_OUT = "channel_lots_out", _("Channel lots out")
    CHANNEL_SERIALS_OUT = "channel_serials_out", _("Channel serials out")


WMS_CAPABILITIES = tuple(Capability)[:6]
CHANNEL_CAPABILITIES = tuple(Capability)[6:]


@dataclass(frozen=True)
class PurchaseOrderLine:
    """`position` is the line's number in Lotline; vendors that can keep it give it back on receipts.

    `lots`, `serials`: empty where there are none or the option is off. `is_serialized`: its units come by number."""

    position: int
    sku_code: str
    quantity: int
    name: str = ""
    product_id_wh: str = ""
    is_serialized: bool = False
    lots: tuple[LotPart, ...] = ()
    serials: tuple[str, ...] = ()


@dataclass(frozen=True)
class PurchaseOrder:
    """Goods that the warehouse shall expect. `key` is the idempotency key; `number` Lotline's number for people."""

    key: str
    number: str
    lines: tuple[PurchaseOrderLine, ...]
    supplier: str = ""
    expected_on: date | None = None
    note: str = ""


@dataclass(frozen=True)
class RemoteRef:
    """A document on the other side. `id` is empty where its answer was lost: look it up by `reference`, our number."""

    id: str
    reference: str = ""
    note: str = ""


@dataclass(frozen=True)
class ShippedItem:
    """What went out of one order line."""

    sku_code: str
    line: str
    lots: tuple[LotPart, ...]


@dataclass(frozen=True)
class ShippedLots:
    """The lots of one shipment, for the order's channel; `digest` gates re-sends."""

    key: str
    shipment: str
    order: str
    items: tuple[ShippedItem, ...]
    digest: str = ""


@dataclass(frozen=True)
class Payload:
    """One document as the vendor sent it. `version` grows with each change (0: none), `updated_at` moves the cursor."""

    external_id: str
    raw: Json
    updated_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True)
class Page:
    """Some payloads. `through`: nothing older is still to come in this fetch, so the cursor may move there at once."""

    payloads: tuple[Payload, ...]
    through: datetime | None = None


@dataclass(frozen=True)
class Hint:
    """A webhook says that something changed in a stream; it is fetched, never believed."""

    flow: Flow
    external_id: str = ""


class BaseConfigForm(forms.Form):
    """What a connection of one kind must know. Fields in `secret_fields` are encrypted and never shown again. Those in
    `identity_fields` say whose documents these are (a client, a shop; not the address: a server may move). They stay as
    they are once messages were exchanged, because another tenant's documents may have the same ids. Within one tenant
    an id is one document, whichever connection brings it; without identity fields each connection is a tenant.
    """

    secret_fields: ClassVar[frozenset[str]] = frozenset()
    identity_fields: ClassVar[frozenset[str]] = frozenset()


@dataclass(frozen=True)
class Sample:
    """A recorded payload that the contract test reads with the adapter, without any network."""

    flow: Flow
    raw: Json


class Adapter:
    """Base of both kinds. It is a context: leaving it closes what it opened.

    Class attributes: `kind` (stored, never changed), `label`, `limits` (sentences a person reads), `flows`,
    `capabilities` (a missing one is none), `cannot` (the reason for a none), `overlap` (how far before its cursor a
    stream is asked again), `samples` (one recorded payload per flow that comes in).
    """

    kind: ClassVar[str] = ""
    label: ClassVar[Text] = ""
    limits: ClassVar[tuple[Text, ...]] = ()
    flows: ClassVar[frozenset[Flow]] = frozenset()
    capabilities: ClassVar[Mapping[Capability, Support]] = {}
    options: ClassVar[tuple[Capability, ...]] = ()
    cannot: ClassVar[Mapping[Capability, Text]] = {}
    overlap: ClassVar[timedelta] = timedelta(minutes=10)
    samples: ClassVar[tuple[Sample, ...]] = ()
    ConfigForm: ClassVar[type[BaseConfigForm]] = BaseConfigForm

    def __init__(self, config: Mapping[str, Any], *, seconds: float = 40.0) -> None:
        """`config` is the cleaned ConfigForm, `seconds` what all requests of this instance may take together."""
        self.config = config
        self.seconds = seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened."""

    @classmethod
    def support(cls, capability: Capability) -> Support:
        """How this vendor carries something."""
        return cls.capabilities.get(capability, Support.NONE)

    @classmethod
    def reason(cls, capability: Capability) -> Text:
        """Why it cannot be passed through; empty where it can."""
        is_possible = cls.support(capability) != Support.NONE
        return "" if is_possible else cls.cannot.get(capability, _("This system has no field for it."))

    @classmethod
    def streams(cls) -> tuple[Flow, ...]:
        """The flows that are polled."""
        return tuple(flow for flow in STREAMS if flow in cls.flows)

    def check(self) -> str:
        """Ask the other side something harmless; who answered, in a few words. Raises SyncError."""
        raise NotImplementedError

    def fetch(self, flow: Flow, since: datetime | None) -> Iterator[Page]:
        """All documents of a stream that changed at or after `since` (None: ever), page by page, in any order."""
        found: Iterator[Page] = getattr(self, METHODS[flow][0])(since)
        return found

    @classmethod
    def read(cls, flow: Flow, raw: Json) -> Any:
        """A stored payload, understood: what `read_…` of its flow makes of it.

        Raises Rejected, in words for people, for what the vendor does not document.
        """
        words = {"system": cls.label}
        try:
            return getattr(cls, METHODS[flow][1])(raw)
        except KeyError as error:
            words["name"] = str(error.args[0])[:60]
            raise Rejected(gettext("“%(name)s” is missing in what %(system)s sent.") % words) from error
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            raise Rejected(gettext("It is not built as %(system)s documents it.") % words) from error

    def clock(self) -> datetime | None:
        """What the other side's clock said in its first answer, None where it does not say: see `HttpClient.date`."""
        return None

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[Hint]:
        """Verify a webhook and say what to fetch. Raises Rejected for one that is not the vendor's."""
        raise NotImplementedError


class WmsAdapter(Adapter):
    """A warehouse system. A `read_…` needs no settings; it raises Rejected for what the vendor does not document."""

    options = WMS_CAPABILITIES

    def send_purchase_order(self, po: PurchaseOrder) -> RemoteRef:
        """Make the purchase order there exactly once: it may be there already from a call whose answer was lost."""
        raise NotImplementedError

    def find_purchase_order(self, number: str) -> RemoteRef | None:
        """What is there under this number (asked after a restore), or None. Raises Rejected where it is cancelled."""
        raise NotImplementedError

    def cancel_purchase_order(self, ref: RemoteRef) -> RemoteRef:
        """Expect nothing more of it; what was received stays. One that was cancelled before, received in full or never
        there is fine. Raises Rejected where the other side refuses: that waits for a person."""
        raise NotImplementedError

    def fetch_receipts(self, since: datetime | None) -> Iterator[Page]:
        """Confirmed receipts."""
        raise NotImplementedError

    @classmethod
    def read_receipt(cls, raw: Json) -> RemoteReceipt:
        """A payload of `fetch_receipts`, understood."""
        raise NotImplementedError

    def fetch_shipments(self, since: datetime | None) -> Iterator[Page]:
        """Shipments of shipped and closed orders."""
        raise NotImplementedError

    @classmethod
    def read_shipment(cls, raw: Json) -> RemoteShipment:
        """A payload of `fetch_shipments`, understood."""
        raise NotImplementedError

    def fetch_unit_events(self, since: datetime | None) -> Iterator[Page]:
        """Moves, holds, recounts, returns."""
        raise NotImplementedError

    @classmethod
    def read_unit_event(cls, raw: Json) -> RemoteUnitEvent:
        """A payload of `fetch_unit_events`, understood."""
        raise NotImplementedError


class SalesChannelAdapter(Adapter):
    """A sales channel."""

    options = CHANNEL_CAPABILITIES

    def send_shipped_lots(self, shipment: ShippedLots) -> RemoteRef:
        """Tell the channel which lots left for an order; the same digest twice is told once."""
        raise NotImplementedError

    def fetch_orders(self, since: datetime | None) -> Iterator[Page]:
        """Orders that changed."""
        raise NotImplementedError

    @classmethod
    def read_order(cls, raw: Json) -> RemoteOrder:
        """A payload of `fetch_orders`, understood."""
        raise NotImplementedError
