"""Inventory → Stock tells lots apart."""

from datetime import date

import pytest

from oms.services import stock
from oms.tenancy import account_context
from serials.models import Lot
from tests.factories import make_bin, make_sku, make_warehouse_link
from tests.replenishment.browsing import text_of

pytestmark = pytest.mark.django_db
URL = "/acme/inventory/stock/"


@pytest.fixture
def web(client_for, olga):
    return client_for(olga)


@pytest.fixture(autouse=True)
def places(account_a):
    """70 of B1, 30 of B2 and 5 of no lot in one bin."""
    with account_context(account_a):
        sku, place = make_sku(code="2000023510"), make_bin(link=make_warehouse_link(), name="A-01-1")
        days = {"B1": date(2037, 1, 31), "B2": None}
        lots = [Lot.objects.create(sku=sku, number=number, expires_on=day).pk for number, day in days.items()]
        moves = [stock.Move(sku.pk, place.pk, count, lot) for count, lot in zip((70, 30, 5), (*lots, 0), strict=True)]
        stock.post_moves(moves, cause=stock.Cause("receive", "replenishment"))


def rows(web, **query):
    """(lot, expiry, quantity) of the export."""
    lines = text_of(web.get(URL, {"format": "csv", "sort": "lot", **query})).splitlines()
    header = lines[0].removeprefix("\ufeff").split(",")
    places = [header.index(name) for name in ("Lot", "Expiry", "Quantity")]
    return sorted(tuple(line.split(",")[place] for place in places) for line in lines[1:])


def test_lot_and_expiry_are_shown_and_exported(web):
    page = text_of(web.get(URL))
    for words in ("B1", "B2", "2037-01-31", "Filter: Lot", "Expiry from"):
        assert words in page
    assert rows(web) == [("", "", "5"), ("B1", "2037-01-31", "70"), ("B2", "", "30")]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"lot": "b1"}, ["70"]),
        ({"q": "B2"}, ["30"]),
        ({"expiry_from": "2037-01-31", "expiry_to": "2037-01-31"}, ["70"]),
        ({"expiry_from": "2037-02-01"}, []),
        ({"lot": "b", "sku": "2000023510", "sort": "-expiry"}, ["70", "30"]),
    ],
)
def test_they_are_filtered_and_sorted(web, query, found):
    assert [quantity for _lot, _day, quantity in rows(web, **query)] == found
