"""The seed's steps in a real browser: from Add Replenishment to Incoming serials."""

import pytest
from playwright.sync_api import expect

from oms.tenancy import account_context
from replenishment.models import PlannedSerial, Replenishment
from replenishment.services.receiving import apply_receipt
from serials.models import Unit
from tests.e2e.lists import column
from tests.factories import make_bin, make_serialized_sku, make_sku, make_warehouse_link
from tests.replenishment.factories import incoming, incoming_line

pytestmark = pytest.mark.commits("the browser's server has a connection of its own")


@pytest.fixture
def goods(account_a):
    """Two In/Out SKUs, one without serials, and one warehouse."""
    with account_context(account_a):
        make_bin(link=make_warehouse_link())
        return [make_serialized_sku(code="LAP-1"), make_serialized_sku(code="LAP-2"), make_sku(code="MOUSE")]


def insert(page):
    """Replenishment → Add Replenishment → SKUs and quantities → Insert."""
    page.goto("/acme/")
    page.locator(".sidebar").get_by_role("link", name="Replenishment").click()
    page.get_by_role("link", name="Add Replenishment").first.click()
    for row, (code, quantity) in enumerate([("LAP-1", 3), ("LAP-2", 2), ("MOUSE", 10)]):
        page.get_by_label(f"SKU of line {row + 1}").fill(code)
        page.get_by_label(f"Quantity of line {row + 1}").fill(str(quantity))
    page.get_by_role("button", name="Insert").click()
    page.get_by_role("heading", name="R-1001").wait_for()


def downloads(page, popup):
    """The popup's four: all serials, those of one SKU, labels for all SKUs or one; the lines of the first two."""
    files = []
    links, buttons = ("Download all serials", "Serials of LAP-2"), ("Labels for all SKUs", *["Labels of LAP-1"] * 2)
    for role, name in [*(("link", name) for name in links), *(("button", name) for name in buttons)]:
        with page.expect_download() as file:
            popup.get_by_role(role, name=name, exact=True).click()
        files.append(file.value.path().read_bytes())
    assert all(labels.startswith(b"%PDF-") for labels in files[2:])
    return [text.decode("utf-8-sig").split() for text in files[:2]]


def badges(page):
    """serial → status of the Serials page."""
    serials, statuses = (column(page, label).all_inner_texts() for label in ("Serial", "Status"))
    return dict(zip(serials, statuses, strict=True))


def test_the_seven_steps_of_the_seed_in_their_order(page_for, olga, account_a, goods, assert_accessible):
    page = page_for(olga)
    page.faults.expect("ERR_ABORTED")  # what Chromium calls a navigation that turned out to be a download
    serials = [f"SN0000000{n}" for n in range(1, 6)]
    # 1 Start a replenishment: Replenishment → Add Replenishment. 2 Add SKUs and save: SKUs and quantities, Insert.
    insert(page)
    assert page.locator(".page-title .badge").inner_text() == "Incomplete"
    assert_accessible(page)
    # 3 Generate serials while Incomplete: select all lines that should get generated serials, click Generate Serials.
    boxes = page.locator("input[name=line]")
    assert [boxes.nth(n).is_checked() for n in range(3)] == [True, True, False]
    page.get_by_role("button", name="Generate Serials").click()
    # 4 Use the popup: all serials or those of one SKU, labels for all SKUs or for one.
    popup = page.get_by_role("dialog")
    popup.get_by_role("link", name="Download all serials").wait_for()
    assert_accessible(page)
    rows = [*(f"LAP-1,{serial}," for serial in serials[:3]), *(f"LAP-2,{serial}," for serial in serials[3:])]
    assert downloads(page, popup) == [["SKU,Serial,Lot", *rows], ["SKU,Serial,Lot", *rows[3:]]]
    page.keyboard.press("Escape")
    # 5 Submit the replenishment.
    page.get_by_role("link", name="Submit Replenishment").click()
    page.get_by_role("dialog").get_by_role("button", name="Submit Replenishment").click()
    page.locator(".page-title .badge", has_text="In-Transit").wait_for()
    assert_accessible(page)
    with account_context(account_a):
        assert Replenishment.objects.get().status == "in_transit"
        found = set(Unit.objects.values_list("serial", "status", "process_id"))
    assert found == {(serial, "incoming", "R-1001") for serial in serials}
    # 6 Confirm in Serials: Inventory → Serials, Incoming, as many as units, tied to the replenishment's ID.
    page.locator(".sidebar").get_by_role("link", name="Serials").click()
    page.locator("tbody tr[id^=row-unit]").first.wait_for()
    assert badges(page) == dict.fromkeys(serials, "Incoming")
    assert set(column(page, "ProcessID").all_inner_texts()) == {"R-1001"}
    # 7 Warehouse receiving: it processes the replenishment with the same serials, and they move to Ready.
    with account_context(account_a):
        receive_all()
    page.reload()
    assert badges(page) == dict.fromkeys(serials, "Ready")


def receive_all():
    """The warehouse confirms all of the one replenishment."""
    made = Replenishment.objects.get()
    lines = [
        incoming_line(
            line.sku,
            line.quantity,
            PlannedSerial.objects.filter(line=line).order_by("pk").values_list("serial", flat=True),
            position=line.position,
        )
        for line in made.lines.select_related("sku").order_by("position")
    ]
    apply_receipt(incoming(made, *lines), source="e2e:1")


def test_what_cannot_be_generated_is_an_alert(page_for, olga, account_a, goods):
    page = page_for(olga)
    page.faults.expect("422")
    insert(page)
    for box in page.locator("input[name=line]").all():
        box.uncheck()
    page.get_by_role("button", name="Generate Serials").click()
    page.get_by_role("dialog", name="Alert").get_by_text("You must check at least one").wait_for()
    page.keyboard.press("Escape")
    page.locator("input[name=line]").nth(2).check()
    page.get_by_role("button", name="Generate Serials").click()
    page.get_by_role("dialog", name="Alert").get_by_text("line 3 (MOUSE)").wait_for()


def test_a_wrong_row_keeps_what_was_typed(page_for, olga, account_a, goods, assert_accessible):
    page = page_for(olga, viewport={"width": 320, "height": 700}, color_scheme="dark")
    page.faults.expect("422")
    page.goto("/acme/replenishments/new/")
    page.get_by_label("SKU of line 1").fill("LAP-1")
    page.get_by_label("Quantity of line 1").fill("0")
    page.get_by_role("button", name="Insert").click()
    page.get_by_role("link", name="Quantity of line 1").click()
    assert page.get_by_label("Quantity of line 1").input_value() == "0"
    assert page.get_by_label("SKU of line 1").input_value() == "LAP-1"
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert_accessible(page)


def test_it_works_without_script(page_for, olga, account_a, goods):
    page = page_for(olga, java_script_enabled=False)
    insert(page)
    page.get_by_role("button", name="Generate Serials").click()
    page.get_by_role("link", name="Serials and labels").click()
    page.get_by_role("link", name="Download all serials").wait_for()
    page.go_back()
    page.get_by_role("link", name="Submit Replenishment").click()
    page.get_by_role("button", name="Submit Replenishment").click()
    expect(page.locator(".page-title .badge")).to_have_text("In-Transit")
