"""Days on which lots that arrive expire: hardly meant, over or known otherwise, they are asked about."""

from datetime import date

import pytest

from oms.models import Discrepancy, Stock
from oms.services.discrepancies import accept_discrepancies, close_discrepancy
from oms.tenancy import account_context
from replenishment.models import Receipt, ReplenishmentLot
from replenishment.services import by_hand, planning, submitting
from replenishment.services.receiving import apply_receipt
from serials.models import Lot
from tests.factories import acme_day, make_serialized_sku, make_sku
from tests.replenishment.browsing import insist, sure_of, text_of
from tests.replenishment.entered import enter
from tests.replenishment.factories import (
    expiry,
    incoming,
    incoming_line,
    line_of,
    lot,
    make_replenishment,
    make_submitted,
)

pytestmark = pytest.mark.django_db
TYPO, RIGHT, LATE = date(2038, 1, 31), date(2037, 1, 31), date(2207, 1, 31)


@pytest.mark.parametrize("day", [LATE, date(27, 1, 31), date(1999, 12, 31)])
def test_a_day_that_is_hardly_meant_is_asked_about_by_hand_and_a_case_from_a_system(floor, account_a, day):
    with account_context(account_a):
        made = make_submitted((make_sku(), 9), planned=False)
        pk = line_of(made).pk
        apply_receipt(incoming(made, incoming_line(line_of(made).sku, quantity=1, lots=[lot(day)])), source="wms:1")
        case = Discrepancy.objects.get()
        assert (case.kind, expiry(), case.raw["sent"]) == ("lot_expiry", None, day.isoformat())
        assert "hardly meant" in case.summary
        accept_discrepancies(discrepancy_ids=[case.pk], reason="A stone", actor=None)
        assert expiry() == day
        Lot.objects.all().update(expires_on=None)
    data = {"key": "k1", f"line{pk}-quantity": "1", f"line{pk}-lot0_number": "NEW", f"line{pk}-lot0_expires": str(day)}
    page = floor.post(f"/acme/replenishments/{made.pk}/receive/", data)
    assert (page.status_code, f"the expiry {day} is" in text_of(page)) == (422, True)
    with account_context(account_a):
        assert Receipt.objects.count() == 1
    assert insist(floor, f"/acme/replenishments/{made.pk}/receive/", data).status_code == 302
    with account_context(account_a):
        assert Lot.objects.get(number="NEW").expires_on == day


def test_a_day_within_fifty_years_is_nobody_s_business(in_a):
    today = acme_day()
    made = make_submitted((make_sku(), 9), planned=False)
    edge = today.replace(year=today.year + 50, day=min(today.day, 28))
    apply_receipt(incoming(made, incoming_line(line_of(made).sku, quantity=1, lots=[lot(edge)])), source="wms:1")
    assert (expiry(), Discrepancy.objects.exists()) == (edge, False)


def test_expired_goods_are_asked_about_and_wait_for_the_office(floor, account_a):
    with account_context(account_a):
        made = make_submitted((make_sku(), 9), planned=False)
        pk = line_of(made).pk
    data = {
        "key": "k1",
        f"line{pk}-quantity": "2",
        f"line{pk}-lot0_number": "OLD1",
        f"line{pk}-lot0_expires": "2025-01-31",
    }
    page = floor.post(f"/acme/replenishments/{made.pk}/receive/", data)
    assert (page.status_code, "Lot OLD1 expired on 2025-01-31." in text_of(page)) == (422, True)
    assert insist(floor, f"/acme/replenishments/{made.pk}/receive/", data).status_code == 302
    with account_context(account_a):
        case = Discrepancy.objects.get()
        assert (case.kind, Stock.objects.get().quantity) == ("lot_expired", 2)
        close_discrepancy(discrepancy_id=case.pk, reason="Goes back", actor=None)
        sku = line_of(made).sku
        apply_receipt(incoming(made, incoming_line(sku, quantity=1, lots=[lot(number="OLD1")])), source="wms:1")
        assert Discrepancy.objects.filter(is_open=True).get().summary == (
            f"Lot OLD1 of {sku.code} had expired on 2025-01-31 when it was received."
        )


def test_a_yes_counts_for_just_what_was_asked(floor, account_a):
    """A corrected day is another question."""
    with account_context(account_a):
        made = make_submitted((make_sku(), 9), planned=False)
        pk = line_of(made).pk
    address = f"/acme/replenishments/{made.pk}/receive/"
    data = {"key": "k1", f"line{pk}-quantity": "2", f"line{pk}-lot0_number": "OLD1"}
    asked = text_of(floor.post(address, {**data, f"line{pk}-lot0_expires": "2025-01-31"}))
    assert "Receive, and ask the office" in asked
    corrected = {**data, f"line{pk}-lot0_expires": "2207-01-31", "sure": sure_of(asked)}
    again = floor.post(address, corrected)
    assert (again.status_code, "more than 50 years ahead" in text_of(again)) == (422, True)
    assert "Receive just so" in text_of(again), "no case comes of it, so nobody else is asked"
    with account_context(account_a):
        assert not Receipt.objects.exists()
    assert floor.post(address, {**corrected, "sure": sure_of(text_of(again))}).status_code == 302
    with account_context(account_a):
        assert (expiry(), Discrepancy.objects.exists()) == (LATE, False)


def test_a_yes_counts_for_no_more_than_was_asked(floor, account_a, wes):
    """What happened meanwhile is another question, too."""
    with account_context(account_a):
        made = make_submitted((make_sku(), 3), planned=False)
        sku, pk = line_of(made).sku, line_of(made).pk
    address = f"/acme/replenishments/{made.pk}/receive/"
    data = {"key": "k1", f"line{pk}-quantity": "4"}
    asked = text_of(floor.post(address, data))
    assert "1 more than expected" in asked
    with account_context(account_a):
        enter(made, wes, incoming_line(sku, quantity=3, position=1), key="k2")
    again = text_of(floor.post(address, {**data, "sure": sure_of(asked)}))
    assert "4 more than expected" in again
    assert floor.post(address, {**data, "sure": sure_of(again)}).status_code == 302


def test_all_is_received_only_after_what_is_to_be_looked_at_was_shown(floor, account_a, wes):
    with account_context(account_a):
        made = make_submitted((make_sku(), 3), planned=False)
        ReplenishmentLot.objects.create(line=line_of(made), number="MX9", expires_on=RIGHT, quantity=3)
    address = f"/acme/replenishments/{made.pk}/receive/all/"
    assert "Look at this first" not in text_of(floor.get(address))
    with account_context(account_a):
        other = make_submitted((line_of(made).sku, 1), planned=False)
        enter(other, wes, incoming_line(line_of(made).sku, quantity=1, position=1, lots=[lot(TYPO)]))
    told = floor.post(address, {"key": "abc", "bin": ""})
    assert (told.status_code, "known as 2038-01-31" in text_of(told)) == (422, True)
    with account_context(account_a):
        assert Receipt.objects.count() == 1
    assert floor.post(address, {"key": "abc", "bin": "", "sure": sure_of(text_of(told))}).status_code == 302


def test_the_expiry_day_itself_is_still_good(in_a, wes):
    made = make_submitted((make_sku(), 9), planned=False)
    said = incoming_line(line_of(made).sku, quantity=1, position=1, lots=[lot(acme_day())])
    assert by_hand.look_at(made, [said])[0].questions == []
    enter(made, wes, said)
    assert not Discrepancy.objects.exists()


def test_an_expiry_that_is_known_otherwise_is_told_before_it_waits(in_a, wes):
    made = make_submitted((make_sku(), 9), planned=False)
    sku = line_of(made).sku
    enter(made, wes, incoming_line(sku, quantity=1, position=1, lots=[lot(TYPO)]))
    check = by_hand.look_at(made, [incoming_line(sku, quantity=1, position=1, lots=[lot(RIGHT)])])[0]
    assert "known as 2038-01-31, not 2037-01-31" in check.questions[0]
    assert check.waiting == 1


def test_receive_all_says_what_to_look_at(floor, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(), 2))
        planning.add_serials(line_id=line_of(made).pk, serials=["A", "B"], actor=None)
        for number, day in (("OLD1", date(2025, 1, 31)), ("NEW1", RIGHT)):
            ReplenishmentLot.objects.create(line=line_of(made), number=number, expires_on=day, quantity=1)
        submitting.submit(replenishment_id=made.pk, actor=None)
    page = text_of(floor.get(f"/acme/replenishments/{made.pk}/receive/all/"))
    assert "Lot OLD1 expired on 2025-01-31." in page
    assert "2 serials get no lot" in page
