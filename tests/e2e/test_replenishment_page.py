"""What a replenishment's page looks like in a real browser."""

from datetime import date
from decimal import Decimal

import pytest

from oms.tenancy import account_context
from replenishment.models import ReplenishmentLine, ReplenishmentLot
from replenishment.services.receiving import apply_receipt
from tests.factories import make_serialized_sku
from tests.replenishment.factories import incoming, incoming_line, make_submitted

pytestmark = pytest.mark.commits("the browser's server has a connection of its own")


def make_full(account, olga):
    """One received in part, with unit costs, lots, long names and something unexpected."""
    with account_context(account):
        sku = make_serialized_sku(code="L2201308-2TB", name="Laptop 13 inch / 32 GB / 2 TB, silver")
        made = make_submitted((sku, 1_234), actor=olga, planned=False)
        line = made.lines.get()
        ReplenishmentLine.objects.filter(pk=line.pk).update(unit_cost=Decimal("12499.90"))
        for number in ("LOT-2026-0001", "LOT-2026-0002"):
            ReplenishmentLot.objects.create(line=line, number=number, expires_on=date(2027, 12, 31), quantity=617)
        apply_receipt(incoming(made, incoming_line(sku, serials=["A-1", "A-2"], position=1)), source="e2e:1")
        return made


@pytest.mark.parametrize("width", [1366, 390])
def test_every_column_of_the_lines_fits(page_for, olga, account_a, width):
    made = make_full(account_a, olga)
    page = page_for(olga, viewport={"width": width, "height": 860})
    page.goto(f"/acme/replenishments/{made.pk}/")
    table = page.locator(".card-flush", has=page.get_by_role("table", name="Lines"))
    assert table.evaluate("box => box.scrollWidth - box.clientWidth") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
