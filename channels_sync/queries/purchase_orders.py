"""A replenishment as the purchase order that a connection is told."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.utils.translation import gettext as _, ngettext

from channels_sync.contract import Adapter, Capability, Flow, LotPart, PurchaseOrder, PurchaseOrderLine, Support
from channels_sync.models import Connection
from channels_sync.queries.tenants import tenant
from oms.models import Workflow
from replenishment.lifecycle import OPEN
from replenishment.models import (
    PlannedSerial,
    PlannedState,
    Receipt,
    Replenishment,
    ReplenishmentLine,
    ReplenishmentLot,
)


@dataclass(frozen=True)
class Outgoing:
    """A purchase order, and in words what it does not tell although Lotline knows it."""

    po: PurchaseOrder
    notes: list[str]


def expected(connection: Connection) -> "QuerySet[Replenishment]":
    """The replenishments that the other side shall expect as a whole: open, for its warehouse, and none of it has come.

    Once something has arrived it is left to whoever receives it: the other side would expect all of it again. Goods
    that came and wait for a person have a receipt, but are not received.
    """
    arrived = Receipt.objects.filter(replenishment=OuterRef("pk"))
    rows: QuerySet[Replenishment] = Replenishment.objects.filter(
        ~Exists(arrived), link=connection.link_id, status__in=OPEN, received_quantity=0, is_closed_short=False
    )
    return rows


def why_not(replenishment: Replenishment, connection: Connection, *, is_tried: bool = False) -> str:
    """Why the other side is not told to expect a replenishment any more; empty where it is.

    One that `is_tried` and of which the other side itself sent a receipt is there already: it is found there, not made.
    """
    own = Receipt.objects.filter(replenishment=replenishment, realm=tenant(connection), stream=Flow.RECEIPTS)
    is_there = is_tried and replenishment.link_id == connection.link_id and own.exists()
    if is_there or expected(connection).filter(pk=replenishment.pk).exists():
        return ""
    words = {"number": replenishment.number, "status": replenishment.get_status_display()}
    if replenishment.link_id != connection.link_id:
        return _("Not sent any more: this connection does not run the warehouse of %(number)s any more.") % words
    if replenishment.status not in OPEN or replenishment.is_closed_short:
        return _("Not sent any more: nothing of %(number)s is expected any more, it is %(status)s.") % words
    return _("Not sent any more: goods of %(number)s arrived meanwhile, and all of it would be expected again.") % words


def purchase_order(
    replenishment: Replenishment, *, key: str, adapter: type[Adapter], options: Collection[str]
) -> Outgoing:
    """The purchase order of a submitted replenishment; lots and serials where option and adapter allow them."""
    rows = list(
        ReplenishmentLine.objects.filter(replenishment=replenishment)
        .select_related("sku")
        .prefetch_related(Prefetch("lots", ReplenishmentLot.objects.order_by("pk")))
        .order_by("position")
    )
    serials = _serials(replenishment)
    has_lots = _passes(Capability.PO_LOTS_OUT, adapter, options)
    has_serials = _passes(Capability.PO_SERIALS_OUT, adapter, options)
    lines = tuple(
        PurchaseOrderLine(
            position=row.position,
            sku_code=row.sku.code,
            quantity=row.quantity,
            name=row.sku.name,
            product_id_wh=row.sku.product_id_wh,
            is_serialized=row.sku.workflow == Workflow.IN_OUT,
            lots=_lots(row, serials.get(row.pk, ()) if has_serials else ()) if has_lots else (),
            serials=serials.get(row.pk, ()) if has_serials else (),
        )
        for row in rows
    )
    po = PurchaseOrder(
        key=key,
        number=replenishment.number,
        supplier=replenishment.supplier,
        expected_on=replenishment.expected_on,
        lines=lines,
    )
    lots = 0 if has_lots else sum(len(row.lots.all()) for row in rows)
    left = 0 if has_serials else sum(map(len, serials.values()))
    return Outgoing(po, list(_notes(adapter, lots=lots, serials=left)))


def _notes(adapter: type[Adapter], *, lots: int, serials: int) -> Iterator[str]:
    """What is not told, in words."""
    if lots:
        words = ngettext("%(count)s lot", "%(count)s lots", lots)
        yield _left_out(words, lots, Capability.PO_LOTS_OUT, adapter)
    if serials:
        words = ngettext("%(count)s planned serial", "%(count)s planned serials", serials)
        yield _left_out(words, serials, Capability.PO_SERIALS_OUT, adapter)


def _passes(capability: Capability, adapter: type[Adapter], options: Collection[str]) -> bool:
    return capability in options and adapter.support(capability) != Support.NONE


def _left_out(words: str, count: int, capability: Capability, adapter: type[Adapter]) -> str:
    why = adapter.reason(capability) or _("“%(option)s” is off for this connection.") % {"option": capability.label}
    return _("Not told: %(what)s. %(why)s") % {"what": words % {"count": count}, "why": why}


def _lots(row: ReplenishmentLine, serials: tuple[str, ...]) -> tuple[LotPart, ...]:
    """The lots of a line. Which serial is of which lot is known only where one lot is all of the line."""
    lots = list(row.lots.all())
    is_whole = len(lots) == 1 and lots[0].quantity == row.quantity
    own = serials if is_whole else ()
    return tuple(LotPart(lot.number, quantity=lot.quantity, expires_on=lot.expires_on, serials=own) for lot in lots)


def _serials(replenishment: Replenishment) -> dict[int, tuple[str, ...]]:
    rows = PlannedSerial.objects.filter(line__replenishment=replenishment).exclude(state=PlannedState.REMOVED)
    found: dict[int, list[str]] = {}
    for line_id, serial in rows.order_by("line", "pk").values_list("line_id", "serial"):
        found.setdefault(line_id, []).append(serial)
    return {line_id: tuple(serials) for line_id, serials in found.items()}
