"""Replenishments to test with, made by the product's own services in the current account."""

from datetime import date
from itertools import count

from django.utils import timezone

from oms.models import Sku
from replenishment.models import Replenishment, ReplenishmentLine
from replenishment.receiving import IncomingLine, IncomingLot, IncomingReceipt, IncomingUnit
from replenishment.services import drafts, planning, submitting
from serials.models import Lot
from tests.factories import make_bin, make_serialized_sku, make_warehouse_link

_number = count(1)
GTIN = "9521234543213"


def make_replenishment(*lines, actor=None, link=None, **fields) -> Replenishment:
    """An Incomplete one; `lines` are (SKU, quantity), by default one In/Out SKU of 3."""
    if link is None:
        link = make_warehouse_link()
        make_bin(link=link)
    lines = lines or ((make_serialized_sku(), 3),)
    inputs = [drafts.LineInput(sku_id=sku.pk, quantity=quantity) for sku, quantity in lines]
    return drafts.create_replenishment(link_id=link.pk, lines=inputs, actor=actor, **fields)


def make_replenishments(how_many: int) -> None:
    """Many, for the list."""
    link, sku = make_warehouse_link(), make_serialized_sku()
    for _n in range(how_many):
        make_replenishment((sku, 2), link=link, supplier="Supplier")


def line_of(replenishment: Replenishment, position: int = 1) -> ReplenishmentLine:
    return ReplenishmentLine.objects.select_related("sku").get(replenishment=replenishment, position=position)


def generate(replenishment: Replenishment, *positions: int) -> int:
    lines = ReplenishmentLine.objects.filter(replenishment=replenishment)
    if positions:
        lines = lines.filter(position__in=positions)
    ids = list(lines.values_list("pk", flat=True))
    return planning.generate_serials(replenishment_id=replenishment.pk, line_ids=ids, actor=None)


def make_submitted(*lines, planned=True, **fields) -> Replenishment:
    """An In-Transit one, with generated serials unless `planned` is False."""
    made = make_replenishment(*lines, **fields)
    if planned:
        generate(made)
    return submitting.submit(replenishment_id=made.pk, actor=None)


def lot(day=None, quantity=1, number="MX9") -> IncomingLot:
    return IncomingLot(number, day, None, quantity)


def expiry() -> date | None:
    """Of the only lot that there is."""
    return Lot.objects.get().expires_on


def incoming_line(sku: Sku | str, quantity=None, serials=(), position=None, bin_name="", lots=()) -> IncomingLine:
    units = tuple(serial if isinstance(serial, IncomingUnit) else IncomingUnit(serial) for serial in serials)
    return IncomingLine(
        position=position,
        sku_code=sku if isinstance(sku, str) else sku.code,
        quantity=len(units) if quantity is None else quantity,
        units=units,
        lots=tuple(lots),
        bin_name=bin_name,
    )


def incoming(replenishment: Replenishment | str, *lines: IncomingLine, external_id="", **more) -> IncomingReceipt:
    return IncomingReceipt(
        external_id=external_id or f"GR-{next(_number)}",
        replenishment_number=replenishment if isinstance(replenishment, str) else replenishment.number,
        occurred_at=timezone.now(),
        lines=lines,
        raw={"from": "test"},
        **more,
    )
