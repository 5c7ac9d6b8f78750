"""What a warehouse writes for a replenishment and its lines: taken as it is meant, or told in true words."""

import pytest

from oms.models import Discrepancy
from replenishment.models import Receipt
from replenishment.services.receiving import UnknownReplenishment, apply_receipt
from tests.factories import make_sku
from tests.replenishment.factories import incoming, incoming_line, make_submitted


@pytest.mark.parametrize("written", [" {} ", "\t{}\n", "{}"])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_a_reference_is_trimmed_and_folded(in_a, written, case):
    sku = make_sku()
    made = make_submitted((sku, 5), planned=False)
    apply_receipt(incoming(written.format(case(made.number)), incoming_line(sku, 5)), source="wms:1")
    assert Receipt.objects.get().replenishment == made


def test_one_that_is_nowhere_is_told_as_it_was_meant(in_a):
    with pytest.raises(UnknownReplenishment, match="no submitted replenishment R-99999 to receive"):
        apply_receipt(incoming(" r-99999 "), source="wms:1")


def test_a_line_number_that_does_not_fit_is_told_as_that(in_a):
    """The warehouse numbers its lines 10, 20, …"""
    sku, twice = make_sku(code="834444"), make_sku(code="TWICE")
    made = make_submitted((sku, 1), (twice, 1), (twice, 1), planned=False)
    lines = [
        incoming_line(sku, 1, position=10),
        incoming_line(twice, 1, position=0),
        incoming_line("GHOST", 1, position=10),
        incoming_line(sku, 1, position=2),
    ]
    apply_receipt(incoming(made, *lines), source="wms:1")
    number = made.number
    found = Discrepancy.objects.order_by("pk")
    assert [(case.kind, case.summary) for case in found] == [
        ("unknown_line", f"Line 10 of the receipt: {number} has no line 10 (834444 is its line 1)."),
        ("unknown_line", f"Line 0 of the receipt: {number} has no line 0 (TWICE is on its lines 2, 3)."),
        ("unknown_line", f"GHOST is not on {number}."),
        ("wrong_sku", f"Line 2 of {number} is another SKU than 834444."),
    ]
    assert [case.raw["position"] for case in found] == [10, 0, 10, 2]
