"""Preparing a replenishment in a real browser: its details, lots, files of lines and serials, ranges, another one."""

import pytest
from playwright.sync_api import expect

from oms.tenancy import account_context
from replenishment.models import PlannedSerial, Replenishment
from replenishment.services.drafts import LineInput, change_lines
from tests.factories import make_serialized_sku, make_sku
from tests.replenishment.factories import line_of, make_replenishment

pytestmark = pytest.mark.commits("the browser's server has a connection of its own")


@pytest.fixture
def made(account_a):
    """An Incomplete one of an In/Out SKU and another."""
    with account_context(account_a):
        return make_replenishment((make_serialized_sku(code="LAP-1"), 60), (make_sku(code="PILLS"), 10))


def planned(account):
    with account_context(account):
        return list(PlannedSerial.objects.filter(state="planned").order_by("pk").values_list("serial", flat=True))


def choose(page, text, name):
    """Choose a file with this text, and check it."""
    dialog = page.get_by_role("dialog")
    files = [{"name": name, "mimeType": "text/csv", "buffer": text.encode()}]
    dialog.get_by_label("CSV file").set_input_files(files)
    dialog.get_by_role("button", name="Check the file").click()
    page.get_by_role("link", name="Upload another file").wait_for()


def more(page, name):
    page.locator(".page-actions summary", has_text="More").click()
    page.locator(".page-actions").get_by_role("link", name=name).click()


def test_details_are_edited_and_a_conflict_keeps_what_was_typed(page_for, olga, account_a, made, assert_accessible):
    page = page_for(olga)
    page.faults.expect("422")
    page.goto(f"/acme/replenishments/{made.pk}/")
    page.get_by_role("link", name="Edit details").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Supplier").fill("Kim")
    dialog.get_by_label("Expected date").fill("2020-01-31")
    dialog.get_by_label("Tracking number").fill("1Z999")
    assert_accessible(page)
    with account_context(account_a):  # somebody else, meanwhile
        line = line_of(made, 2)
        rest = [LineInput(row.sku_id, 60 if row != line else 12, line_id=row.pk) for row in made.lines.all()]
        change_lines(replenishment_id=made.pk, version=made.version, lines=rest, actor=None)
    dialog.get_by_role("button", name="Save").click()
    dialog.get_by_text("Somebody changed this replenishment").first.wait_for()
    assert dialog.get_by_label("Supplier").input_value() == "Kim"
    assert_accessible(page)
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("#details")).to_contain_text("1Z999")
    page.goto("/acme/replenishments/?archived=on")
    expect(page.locator("tbody tr").first).to_contain_text("2020-01-31")
    assert_accessible(page)


def test_lots_of_a_line(page_for, olga, account_a, made, assert_accessible):
    page = page_for(olga, viewport={"width": 320, "height": 800}, color_scheme="dark")
    page.faults.expect("422")
    page.goto(f"/acme/replenishments/{made.pk}/")
    page.get_by_role("link", name="Add lots of line 2").click()
    page.get_by_label("Lot of lot 1").fill("L-1")
    page.get_by_label("Expiry of lot 1").fill("tomorrow")
    page.get_by_label("Quantity of lot 1").fill("4")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Expiry of lot 1").click()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.get_by_label("Expiry of lot 1").fill("2027-01-31")
    page.get_by_label("Lot of lot 2").fill("L-2")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("L-2", exact=True)).to_be_visible()
    expect(page.get_by_text("6 ×")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert_accessible(page)


def test_a_file_of_lines_and_one_of_serials(page_for, olga, account_a, made, assert_accessible):
    page = page_for(olga)
    page.goto(f"/acme/replenishments/{made.pk}/")
    more(page, "Upload lines")
    assert_accessible(page)
    choose(page, "SKU,Quantity,Lot,Expiry\nPILLS,5,L-7,2027-03-31\nNOBODY,1,,\n", "lines.csv")
    expect(page.get_by_text("There is no SKU of this name.")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Apply the 1 good row").click()
    expect(page.get_by_text("L-7", exact=True)).to_be_visible()
    more(page, "Upload serials")
    choose(page, "SKU,Serial\n" + "".join(f"LAP-1,SUP-{n}\n" for n in range(1, 62)), "serials.csv")
    expect(page.get_by_text("this one is too many")).to_be_visible()
    page.get_by_role("button", name="Apply the 60 good rows").click()
    expect(page.get_by_role("link", name="60 of 60 planned")).to_be_visible()
    assert planned(account_a) == [f"SUP-{n}" for n in range(1, 61)]


def test_a_range_is_written_out_only_when_somebody_says_so(page_for, olga, account_a, made, assert_accessible):
    page = page_for(olga)
    page.faults.expect("422")
    page.goto(f"/acme/replenishments/{made.pk}/")
    page.get_by_role("link", name="Type serials").click()
    page.get_by_label("Serials", exact=True).fill("A001-A050\n1234-5678")
    page.get_by_role("button", name="Add serials").click()
    expect(page.get_by_text("50 serials, A001 to A050")).to_be_visible()
    assert planned(account_a) == []
    assert_accessible(page)
    page.get_by_label("Each is one serial, just as it stands there").check()
    page.get_by_role("button", name="Add serials").click()
    expect(page.locator("tbody td.mono").first).to_have_text("A001-A050")
    assert planned(account_a) == ["A001-A050", "1234-5678"]
    page.get_by_label("Serials", exact=True).fill("B001-B058")
    page.get_by_role("button", name="Add serials").click()
    page.get_by_label("Ranges: take every serial").check()
    page.get_by_role("button", name="Add serials").click()
    expect(page.get_by_text("60 serials for 60 units.")).to_be_visible()
    assert planned(account_a)[2:] == [f"B0{n:02}" for n in range(1, 59)]


def test_duplicate_and_archive_are_behind_more(page_for, olga, account_a, made):
    page = page_for(olga)
    page.goto(f"/acme/replenishments/{made.pk}/")
    page.locator(".page-actions summary", has_text="More").click()
    page.get_by_role("button", name="Duplicate").click()
    page.get_by_role("heading", name="R-1002").wait_for()
    more(page, "Cancel replenishment")
    page.get_by_role("dialog").get_by_label("Reason").fill("Twice")
    page.get_by_role("dialog").get_by_role("button", name="Cancel replenishment").click()
    page.locator(".page-title .badge", has_text="Cancelled").wait_for()
    page.locator(".page-actions summary", has_text="More").click()
    page.get_by_role("button", name="Archive").click()
    page.locator(".page-title .badge", has_text="Archived").wait_for()
    with account_context(account_a):
        assert set(Replenishment.objects.values_list("number", "status")) == {
            ("R-1001", "incomplete"),
            ("R-1002", "archived"),
        }
