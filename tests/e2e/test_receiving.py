"""The warehouse receives with one wrong serial, the office settles it, the rest comes: in a real browser."""

import pytest
from playwright.sync_api import expect

from oms.tenancy import account_context
from replenishment.models import Replenishment
from replenishment.services import by_hand, submitting
from serials.models import Unit
from tests.factories import make_bin, make_serialized_sku, make_sku
from tests.replenishment.factories import generate, incoming_line, line_of, make_replenishment, make_submitted

pytestmark = pytest.mark.commits("the browser's server has a connection of its own")
PHONE = {"width": 320, "height": 700}


@pytest.fixture
def made(account_a):
    """Three laptops with planned serials and ten mice, expected in a warehouse with two bins."""
    with account_context(account_a):
        found = make_submitted((make_serialized_sku(code="LAP-1", name="Laptop 14"), 3))
        make_bin(link=found.link, name="A-01")
        return found


def receive(page, *serials):
    """What a scanner does: each code and Enter; then the button."""
    page.locator(".page-actions").get_by_role("link", name="Receive", exact=True).click()
    page.get_by_label("BIN").fill("A-01")
    field = page.get_by_label("Serials (optional)")
    field.focus()
    for serial in serials:
        page.keyboard.type(serial)
        page.keyboard.press("Enter")


def test_a_wrong_serial_is_seen_waits_is_refused_and_the_rest_completes_it(
    page_for, wes, olga, account_a, made, assert_accessible
):
    floor = page_for(wes, viewport=PHONE)
    floor.faults.expect("422")
    floor.goto(f"/acme/replenishments/{made.pk}/")
    receive(floor, "SN00000001", "SN00000002", "WRONG")
    expect(floor.get_by_text("Not expected: 1")).to_be_visible()
    expect(floor.get_by_text("2 matched")).to_be_visible()
    assert_accessible(floor)
    assert floor.evaluate("document.documentElement.scrollWidth") <= 320
    floor.get_by_role("button", name="Receive", exact=True).click()
    expect(floor.get_by_text("Nothing is received yet")).to_be_visible()
    assert_accessible(floor)
    floor.get_by_role("button", name="Receive, and ask the office").click()
    floor.get_by_role("heading", name="Receipt R-1001-1").wait_for()
    expect(floor.get_by_role("link", name="WRONG of LAP-1 is not among")).to_be_visible()
    assert_accessible(floor)
    assert floor.evaluate("document.documentElement.scrollWidth") <= 320

    office = page_for(olga)
    refuse(office, made, assert_accessible)
    floor.goto(f"/acme/replenishments/{made.pk}/")
    floor.locator(".page-actions").get_by_role("link", name="Receive", exact=True).click()
    floor.get_by_role("link", name="Receive all as expected").click()
    floor.get_by_role("dialog").get_by_role("button", name="Receive all").click()
    floor.get_by_role("heading", name="Receipt R-1001-2").wait_for()
    office.goto(f"/acme/replenishments/{made.pk}/")
    expect(office.locator(".page-title .badge")).to_have_text("Completed")
    with account_context(account_a):
        assert Replenishment.objects.get().status == "completed"
        assert set(Unit.objects.values_list("serial", "status")) == {(f"SN0000000{n}", "ready") for n in (1, 2, 3)}
        assert Unit.objects.filter(bin__name="A-01").count() == 2


def refuse(office, made, assert_accessible):
    """What the office sees of the wrong serial, and what it does about it."""
    office.goto(f"/acme/replenishments/{made.pk}/")
    expect(office.locator(".page-title .badge")).to_have_text("Ready for Review")
    assert_accessible(office)
    office.get_by_role("link", name="Refuse all (1)").click()
    office.get_by_role("dialog").get_by_label("Reason").fill("Belongs to another customer, sent back")
    office.get_by_role("dialog").get_by_role("button", name="Refuse all").click()
    expect(office.locator(".page-title .badge")).to_have_text("Partially received")
    office.get_by_role("link", name="3 planned").click()
    expect(office.locator("tbody tr", has_text="SN00000003")).to_contain_text("Missing")
    assert_accessible(office)


def test_the_office_accepts_on_the_case_s_own_page(page_for, wes, olga, account_a, made, assert_accessible):
    with account_context(account_a):
        line = incoming_line(line_of(made).sku, serials=["SN00000001", "NEW-1"], position=1)
        by_hand.receive(replenishment_id=made.pk, lines=[line], key="k", actor=wes)
    page = page_for(olga, color_scheme="dark")
    page.goto(f"/acme/replenishments/{made.pk}/")
    page.get_by_role("link", name="NEW-1 of LAP-1 is not among").click()
    assert_accessible(page)
    page.get_by_role("link", name="Accept").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("received as a new unit")).to_be_visible()
    dialog.get_by_label("Reason").fill("The supplier sent a spare")
    dialog.get_by_role("button", name="Accept").click()
    expect(page.locator(".page-title .badge")).to_have_text("Accepted")
    with account_context(account_a):
        assert Unit.objects.get(serial="NEW-1").status == "ready"


def test_it_works_without_script_and_as_expected_fills_a_line(page_for, wes, account_a, made):
    with account_context(account_a):
        lines = (make_sku(code="MOUSE"), 10), (make_serialized_sku(code="LAP-2"), 2)
        both = make_replenishment(*lines, link=made.link)
        generate(both, 2)
        submitting.submit(replenishment_id=both.pk, actor=None)
    page = page_for(wes, java_script_enabled=False, color_scheme="dark", viewport=PHONE)
    page.goto(f"/acme/replenishments/{both.pk}/receive/")
    page.get_by_role("button", name="As expected on line 2").click()
    expect(page.get_by_label("Serials (optional)")).to_have_value("SN00000004\nSN00000005")
    page.get_by_role("button", name="As expected on line 1").click()
    expect(page.get_by_label("Serials (optional)")).to_have_value("SN00000004\nSN00000005")
    page.get_by_label("Quantity", exact=False).first.fill("8")
    page.keyboard.press("Enter")  # a scanner presses it: nothing is sent by that
    expect(page.get_by_role("heading", name=f"Receive {both.number}")).to_be_visible()
    page.get_by_role("button", name="Receive", exact=True).click()
    page.get_by_role("heading", name=f"Receipt {both.number}-1").wait_for()
    with account_context(account_a):
        both.refresh_from_db()
        assert (both.status, both.received_quantity) == ("partial", 10)


def test_serials_stand_under_their_lots_and_what_has_expired_is_asked_about(
    page_for, wes, olga, account_a, assert_accessible
):
    with account_context(account_a):
        made = make_submitted((make_serialized_sku(code="LAP-1", name="Laptop 14"), 4), planned=False)
        make_bin(link=made.link, name="A-01")
    floor = page_for(wes, viewport=PHONE)
    floor.faults.expect("422")
    floor.goto(f"/acme/replenishments/{made.pk}/receive/")
    floor.get_by_text("Lots", exact=True).click()
    floor.get_by_role("button", name="More lots").click()
    for row, (number, day, serials) in enumerate(
        [("WA", "2025-01-31", "LW1\nLW2"), ("WB", "2037-01-31", "LW3\nLW4")], 1
    ):
        floor.get_by_label(f"Lot, row {row} of line 1", exact=True).fill(number)
        floor.get_by_label(f"Expiry, row {row} of line 1").fill(day)
        floor.get_by_label(f"Serials of the lot, row {row} of line 1").fill(serials)
    expect(floor.get_by_text("4 matched")).to_be_visible()
    expect(floor.get_by_text("Lot WA expired on 2025-01-31.")).to_be_visible()
    assert_accessible(floor)
    assert floor.evaluate("document.documentElement.scrollWidth") <= 320
    floor.get_by_role("button", name="Receive", exact=True).click()
    expect(floor.get_by_text("Nothing is received yet")).to_be_visible()
    floor.get_by_role("button", name="Receive, and ask the office").click()
    floor.get_by_role("heading", name="Receipt R-1001-1").wait_for()
    with account_context(account_a):
        assert dict(Unit.objects.values_list("serial", "lot__number")) == {
            "LW1": "WA",
            "LW2": "WA",
            "LW3": "WB",
            "LW4": "WB",
        }
    office = page_for(olga, color_scheme="dark")
    office.goto("/acme/inventory/stock/")
    expect(office.get_by_role("cell", name="2037-01-31")).to_be_visible()
    assert_accessible(office)
