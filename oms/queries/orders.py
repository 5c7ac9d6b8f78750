"""Reads of orders."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.module_loading import import_string

from oms.models import Order, OrderLine


@dataclass(frozen=True)
class LineUnit:
    """One unit on an order line, reserved for it or shipped on it: its status in words and as a badge looks."""

    pk: int
    serial: str
    status: str
    tone: str
    shape: str


@dataclass(frozen=True)
class LineUnits:
    """The first units of a line, and how many it has."""

    shown: list[LineUnit]
    total: int


UnitProvider = Callable[[Collection[int]], Mapping[int, LineUnits]]


@dataclass(frozen=True)
class LineView:
    """One line as the order's page shows it."""

    line: OrderLine
    units: LineUnits


@cache
def _unit_provider() -> UnitProvider:
    provider: UnitProvider = import_string(settings.ORDER_LINE_UNITS)
    return provider


def order_rows() -> QuerySet[Order]:
    """Every order of the account, with its number of lines and of pieces, read through the search view."""
    own = OrderLine.objects.through_view().filter(order=OuterRef("pk")).order_by().values("order")
    return Order.objects.through_view().annotate(
        line_count=Coalesce(Subquery(own.annotate(n=Count("pk")).values("n")), Value(0)),
        quantity=Coalesce(Subquery(own.annotate(n=Sum("quantity")).values("n")), Value(0)),
        flagged=Coalesce(Subquery(own.exclude(attention="").annotate(n=Count("pk")).values("n")), Value(0)),
    )


def order_lines(order: Order) -> list[LineView]:
    """The lines of an order with their SKUs and units; two queries."""
    lines = list(OrderLine.objects.filter(order=order).select_related("sku").order_by(F("position"), "pk"))
    units = _unit_provider()([line.pk for line in lines])
    return [LineView(line, units.get(line.pk, LineUnits([], 0))) for line in lines]
