"""Things to test with, made by the services that make them in the product; each works in the current account.

Names count up, so that two calls never collide; say what matters to the test and leave the rest.
"""

from datetime import date
from itertools import count
from zoneinfo import ZoneInfo

from django.utils import timezone

from oms.models import (
    Bin,
    BinKind,
    Discrepancy,
    Order,
    OrderLine,
    Sku,
    Stock,
    StockMove,
    Warehouse,
    WarehouseLink,
    Workflow,
)
from oms.services import catalogue, discrepancies, stock

_number = count(1)


def acme_day() -> date:
    """Today by the clock of account A, which is another day than UTC's for an hour or two each night."""
    return timezone.localdate(timezone=ZoneInfo("Europe/Berlin"))


def make_sku(*, actor=None, **fields) -> Sku:
    """A SKU; `workflow` is No unless named."""
    n = next(_number)
    return catalogue.create_sku(actor=actor, **{"code": f"SKU-{n:05}", "name": f"Thing {n}", **fields})


def make_skus(how_many: int, **fields) -> list[Sku]:
    """Many SKUs in one statement, for lists."""
    rows = [(f"SKU-{n:05}", f"Thing {n}") for n in (next(_number) for _ in range(how_many))]
    return Sku.objects.bulk_create([Sku(code=code, name=name, **fields) for code, name in rows])


def make_warehouse(name: str = "") -> Warehouse:
    """A warehouse that serves nobody yet (a platform row)."""
    return Warehouse.objects.create(name=name or f"Warehouse {next(_number)}")


def make_warehouse_link(*, warehouse: Warehouse | None = None, actor=None) -> WarehouseLink:
    """The current account's use of a warehouse, with its default zone."""
    return stock.link_warehouse(warehouse=warehouse or make_warehouse(), actor=actor)


def make_bin(
    *,
    link: WarehouseLink | None = None,
    location: str = "Main",
    name: str = "",
    kind: BinKind = BinKind.PICK,
    actor=None,
) -> Bin:
    """A bin, in a warehouse of its own unless `link` is named."""
    return stock.add_bin(
        link=link or make_warehouse_link(),
        location=location,
        name=name or f"BIN-{next(_number)}",
        kind=kind,
        actor=actor,
    )


def make_stock(*, sku: Sku | None = None, bin: Bin | None = None, quantity: int = 5, **cause) -> Stock:  # noqa: A002
    """`quantity` pieces of a SKU in a bin, posted as a movement."""
    sku, bin = sku or make_sku(), bin or make_bin()  # noqa: A001
    facts = {"event": "receive", "process_type": "replenishment", **cause}
    stock.post_moves([stock.Move(sku_id=sku.pk, bin_id=bin.pk, delta=quantity)], cause=stock.Cause(**facts))
    return Stock.objects.get(sku=sku, bin=bin, lot_key=0)


def make_move(**kwargs) -> StockMove:
    """The movement behind `make_stock(**kwargs)`."""
    place = make_stock(**kwargs)
    return StockMove.objects.filter(sku=place.sku_id, bin=place.bin_id).latest("id")


def make_serialized_sku(**fields) -> Sku:
    """A SKU whose every unit is registered on its way in."""
    return make_sku(workflow=Workflow.IN_OUT, **fields)


def make_order(*skus: Sku, quantity: int = 1, **fields) -> Order:
    """An open order with one line for each SKU, or for a new one."""
    order = Order.objects.create(**{"number": f"ORDER-{next(_number):05}", "reference": "", **fields})
    for position, sku in enumerate(skus or [make_sku()], start=1):
        OrderLine.objects.create(order=order, sku=sku, position=position, quantity=quantity)
    return order


def make_discrepancy(**fields) -> Discrepancy:
    """An open case about a serial that nobody expected."""
    n = next(_number)
    facts = {"kind": "unexpected_serial", "source": f"test:{n}", "summary": f"Case {n:05}", "serial": f"SERIAL-{n:05}"}
    return discrepancies.open_discrepancy(**{**facts, **fields})
