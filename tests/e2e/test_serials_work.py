"""What people do on Inventory → Serials in a real browser: actions, Find many, columns, views, the keyboard alone."""

import pytest
from django.db import connection
from playwright.sync_api import expect

from oms.tenancy import account_context
from serials.lifecycle import Actor
from serials.models import UnitAttribute
from serials.services import Row
from serials.services.units import By, annotate_units
from tests.factories import make_serialized_sku
from tests.serials.factories import make_units

LIST = "/acme/inventory/serials/"
PHONE = {"viewport": {"width": 320, "height": 780}}
LOOKS = [{"color_scheme": "dark"}, PHONE]


def rows(page):
    return page.locator("tbody tr:not(.row-detail)")


# --- what is done with units ------------------------------------------------------------------------------------------
@pytest.fixture
def office(page_for, olga, units):
    """The grid of the units on hold, as an operator sees it."""
    page = page_for(olga)
    page.faults.expect(r"status of 422")  # what is refused on purpose
    page.faults.expect(r"net::ERR_ABORTED")  # so Chromium calls a navigation that became a download
    page.goto(f"{LIST}?status=hold&sort=serial")
    return page


def test_row_menu_attributes_save(office, assert_accessible):
    page, dialog = office, office.locator("#dialog")
    page.get_by_role("button", name="Menu of LAP00021").click()
    assert_accessible(page)
    page.locator("#row-menu-open").get_by_role("link", name="Attributes").click()
    expect(dialog.get_by_role("heading", name="LAP00021")).to_be_visible()
    dialog.get_by_label("Attribute 1").fill("Grade")
    assert_accessible(page)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("An attribute needs a name and a value.")
    expect(dialog.get_by_label("Attribute 1")).to_have_value("Grade")
    dialog.get_by_label("Value 1").fill("B")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Serial history of LAP00021").click()
    expect(page.locator("tr.row-detail")).to_contain_text("Grade")


def test_the_pencil_opens_update_and_a_failure_keeps_the_text(office, units, account_a, assert_accessible):
    page, dialog = office, office.locator("#dialog")
    page.get_by_role("link", name="Edit OMS Notes of LAP00025").click()
    expect(dialog.locator("#dialog-title")).to_have_text("Update")
    with account_context(account_a):
        annotate_units(rows=[Row(unit_id=units["LAP00025"], oms_notes="Meanwhile")], by=By(Actor.OFFICE))
    connection.close()
    notes = dialog.get_by_label("OMS Notes:")
    notes.fill("Call Ann")
    dialog.get_by_role("button", name="Update").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Please try again..")
    expect(notes).to_have_value("Call Ann")
    assert_accessible(page)
    dialog.get_by_role("button", name="Update").click()
    expect(dialog).to_be_hidden()
    expect(rows(page).filter(has_text="LAP00025")).to_contain_text("Call Ann")
    assert page.url.endswith("?status=hold&sort=serial")


def test_nothing_checked_is_an_alert(office, assert_accessible):
    page, alert = office, office.locator("#none-checked")
    for action in ("Download Serial History", "Add Attributes", "Labels"):
        page.locator("#actions-menu").click()
        page.locator("thead .menu-panel").get_by_role("button", name=action, exact=True).click()
        expect(alert).to_contain_text("You must check at least one")
        expect(alert.get_by_role("heading")).to_have_text("Alert")
        assert_accessible(page)
        page.keyboard.press("Escape")
        expect(alert).to_be_hidden()


def test_an_attribute_for_all_that_match(office, account_a, assert_accessible):
    page, dialog = office, office.locator("#dialog")
    page.goto(f"{LIST}?per_page=25")
    page.locator("#check-page").check()
    expect(page.locator(".bulk-count")).to_have_text("25 selected")
    page.get_by_role("button", name="Select all 60 that match").click()
    expect(page.locator(".bulk-count")).to_have_text("60 selected")
    page.locator(".bulk-bar").get_by_role("button", name="Add Attributes").click()
    expect(dialog).to_contain_text("For 60 selected serials.")
    dialog.get_by_label("Attribute").fill("Batch")
    dialog.get_by_label("Value", exact=True).fill("B-7")
    assert_accessible(page)
    dialog.get_by_role("button", name="Add Attributes").click()
    success = page.locator("#success")
    expect(success).to_contain_text("Set on 60 serials.")
    assert_accessible(page)
    expect(success).to_be_hidden(timeout=8_000)  # it closes itself
    with account_context(account_a):
        assert UnitAttribute.objects.filter(name="Batch", value="B-7").count() == 60
    connection.close()


def test_attributes_by_csv_with_bad_rows(office, account_a, assert_accessible):
    page, dialog = office, office.locator("#dialog")
    page.locator("#actions-menu").click()
    page.locator("thead .menu-panel").get_by_role("link", name="Add Attributes By CSV").click()
    expect(dialog.get_by_role("link", name="Download Template")).to_be_visible()
    assert_accessible(page)
    text = b"SKU,Serial,Attribute,Value\nL2201308,LAP00020,Grade,B\nNO,X,Grade,B\nL2201308,LAP00020,Colour,blue\n"
    dialog.get_by_label("CSV file").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": text})
    dialog.get_by_role("button", name="Upload").click()
    expect(page.locator("h1")).to_have_text("error processing csv file")
    expect(page.locator("tbody tr")).to_have_count(2)
    assert_accessible(page)
    with page.expect_download() as failed:
        page.get_by_role("link", name="Download just these").click()
    assert failed.value.path().read_text("utf-8-sig").count("\n") == 3
    page.get_by_role("button", name="Apply the 1 good row").click()
    expect(page.locator("#success")).to_contain_text("Set on 1 serial.")


def test_the_history_of_checked_rows_is_a_file(office):
    page = office
    for serial in ("LAP00020", "LAP00021"):
        page.get_by_label(f"Select {serial}").check()
    with page.expect_download() as download:
        page.locator(".bulk-bar").get_by_role("button", name="Download Serial History").click()
    head, *lines = download.value.path().read_text("utf-8-sig").splitlines()
    assert head.endswith("Order#,Update,Colour")
    assert {line.split(",")[3] for line in lines} == {"LAP00020", "LAP00021"}


def test_more_than_a_thousand_are_selected(office, account_a):
    with account_context(account_a):
        make_units(1_100, sku=make_serialized_sku(code="MANY"))
    connection.close()
    page = office
    page.goto(f"{LIST}?sku=MANY")
    page.get_by_label("Select all", exact=True).check()
    expect(page.locator(".bulk-count")).to_have_text("50 selected")
    page.get_by_role("button", name="Select all 1,100 that match").click()
    expect(page.locator(".bulk-count")).to_have_text("1,100 selected")


# --- find many, columns, views ----------------------------------------------------------------------------------------
def test_find_many(office, units, assert_accessible):
    page = office
    page.get_by_role("link", name="Find many").click()
    expect(page.get_by_label("Serials")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Paste numbers, or choose a file.")
    assert_accessible(page)
    page.get_by_label("Serials").fill("LAP00003\nlap00004;NOPE\nLAP00003\nLAP00020")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.locator(".stat-value")).to_have_text(["3", "1", "0", "1"])
    assert_accessible(page)
    with page.expect_download() as missing:
        page.get_by_role("link", name="Download Not found").click()
    assert missing.value.path().read_text("utf-8-sig").splitlines()[1] == "2,NOPE,,"
    with page.expect_download() as history:
        page.get_by_role("button", name="Download Serial History").click()
    assert "LAP00020" in history.value.path().read_text("utf-8-sig")
    page.get_by_role("button", name="Add Attributes").click()
    expect(page.locator("#dialog")).to_contain_text("For 3 selected serials.")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Show in the grid").click()
    expect(rows(page)).to_have_count(3)
    expect(page.locator(".chip")).to_have_text(["Find many: 3 serials Remove the filter Find many"])
    page.get_by_label("Filter: Status").select_option("hold")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("link", name="Remove the filter Find many").click()
    expect(rows(page)).to_have_count(10)


def test_columns_are_chosen_and_stay(office, assert_accessible):
    page, dialog = office, office.locator("#dialog")
    page.get_by_role("link", name="Columns").click()
    expect(dialog.get_by_role("checkbox")).to_have_count(12)
    assert_accessible(page)
    dialog.get_by_role("button", name="Move Serial up").press("Enter")
    expect(dialog.locator("label").nth(3)).to_have_text("Serial")
    expect(dialog.get_by_role("button", name="Move Serial up")).to_be_focused()
    for box in dialog.get_by_role("checkbox").all():
        box.uncheck()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Choose at least one column.")
    for name in ("Serial", "Update", "SKU"):
        dialog.get_by_role("checkbox", name=name, exact=True).check()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(page.locator(".head-row .sort")).to_have_text(["SKU", "Serial", "Update"])
    # Filtering swaps only the table; the filter of the hidden column stays, and the export follows.
    page.get_by_placeholder("Serial", exact=True).fill("LAP00022")
    expect(rows(page)).to_have_count(1)
    expect(page.locator(".chip").first).to_contain_text("Serial: LAP00022")
    expect(page.locator(".chip")).to_have_count(2)
    with page.expect_download() as export:
        page.get_by_role("link", name="Export").click()
    lines = export.value.path().read_text("utf-8-sig").splitlines()
    assert (lines[0], len(lines)) == ("SKU,Serial,Update", 2)
    page.reload()
    expect(page.locator(".head-row .sort")).to_have_count(3)


def test_a_view_is_saved_opened_updated_renamed_and_deleted(office, assert_accessible):
    page, dialog = office, office.locator("#dialog")
    menu = page.locator(".page-actions details")
    page.get_by_placeholder("Serial", exact=True).fill("LAP0002")
    expect(page.locator(".chip")).to_have_count(2)  # the address is newer than the page's links
    menu.locator("summary").click()
    menu.get_by_role("link", name="Save this view…").click()
    dialog.get_by_label("Name").fill("On hold")
    assert_accessible(page)
    dialog.get_by_role("button", name="Save").click()
    expect(menu.locator("summary")).to_have_text("On hold")

    page.goto(LIST)
    menu.locator("summary").click()
    assert_accessible(page)
    menu.get_by_role("link", name="On hold").click()
    expect(page.locator(".chip")).to_have_count(2)
    page.get_by_role("link", name="Remove the filter Serial").click()
    expect(page.locator(".chip")).to_have_count(1)
    menu.locator("summary").click()
    menu.get_by_role("button", name="Update “On hold”").click()
    expect(page.locator("#toasts")).to_contain_text("“On hold” is updated.")
    expect(page.locator(".chip")).to_have_count(1)

    menu.locator("summary").click()
    menu.get_by_role("link", name="Rename, share or delete…").click()
    dialog.get_by_label("Name").fill("Blocked")
    dialog.get_by_label("Share with everybody in this account").check()
    assert_accessible(page)
    dialog.get_by_role("button", name="Save").click()
    expect(menu.locator("summary")).to_have_text("Blocked")
    menu.locator("summary").click()
    menu.get_by_role("link", name="Rename, share or delete…").click()
    dialog.get_by_role("link", name="Delete…").click()
    expect(dialog).to_contain_text("the others lose it too")
    dialog.get_by_role("button", name="Delete").click()
    expect(menu.locator("summary")).to_have_text("Views")
    expect(page.locator(".chip")).to_have_count(1)


# --- keyboard, small screens, nothing there ---------------------------------------------------------------------------
def test_the_keyboard_checks_searches_and_closes(office):
    page = office
    page.locator("#table-scroll").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", " "):
        page.keyboard.press(key)
    expect(page.get_by_label("Select LAP00021")).to_be_checked()
    page.keyboard.press("a")
    expect(page.locator("thead details.menu")).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(page.locator("thead details.menu")).not_to_have_attribute("open", "")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("link", name="Edit OMS Notes of LAP00020").press("Enter")
    expect(page.locator("#dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_find_many_and_the_dialogs_fit_in_the_dark_and_on_a_phone(page_for, olga, units, assert_accessible, look):
    page, dialog = page_for(olga, **look), None
    page.goto(LIST)
    dialog = page.locator("#dialog")
    for name in ("Columns", "Edit OMS Notes of LAP00020"):
        page.get_by_role("link", name=name).first.click()
        expect(dialog).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert dialog.evaluate("box => box.scrollWidth <= box.clientWidth")
        assert_accessible(page)
        page.keyboard.press("Escape")
    page.get_by_role("link", name="Find many").click()
    page.get_by_label("Serials").fill("LAP00003\nNOPE\nLAP00003")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.locator(".stat-value")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert_accessible(page)


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_what_is_refused_fits_in_the_dark_and_on_a_phone(page_for, olga, units, assert_accessible, look):
    page = page_for(olga, **look)

    def check():
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert_accessible(page)

    page.goto(LIST)
    page.keyboard.press("a")
    page.locator("thead .menu-panel").get_by_role("button", name="Labels", exact=True).click()
    expect(page.locator("#none-checked")).to_be_visible()
    check()
    page.keyboard.press("Escape")
    page.locator(".page-actions details > summary").click()
    page.get_by_role("link", name="Save this view…").click()
    expect(page.locator("#dialog").get_by_label("Name")).to_be_visible()
    check()
    page.goto(f"{LIST}?serial=nothing")
    expect(page.get_by_role("heading", name="No match")).to_be_visible()
    check()
    page.goto(f"{LIST}attributes/csv/")
    text = b"SKU,Serial,Attribute,Value\nL2201308,LAP00020,Grade,B\nNO,X,Grade,B\n"
    page.get_by_label("CSV file").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": text})
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("h1")).to_have_text("error processing csv file")
    check()


@pytest.mark.parametrize("look", [{}, *LOOKS], ids=str)
def test_the_empty_states_are_accessible(page_for, olga, account_a, assert_accessible, look):
    page = page_for(olga, **look)
    page.goto(LIST)
    expect(page.get_by_role("heading", name="No serials yet")).to_be_visible()
    assert_accessible(page)
    page.goto(f"{LIST}?list=00000000-0000-0000-0000-000000000000")
    expect(page.get_by_role("heading", name="No match")).to_be_visible()
    expect(page.locator(".chip")).to_contain_text("a list that is not there any more")
    assert_accessible(page)


def test_find_many_columns_and_views_work_without_a_script(page_for, olga, units):
    page = page_for(olga, java_script_enabled=False)
    page.goto(f"{LIST}?status=hold")
    page.get_by_role("link", name="Columns").click()
    page.get_by_label("BIN", exact=True).uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".head-row .sort")).to_have_count(11)
    expect(rows(page)).to_have_count(10)
    page.locator(".page-actions summary").click()
    page.get_by_role("link", name="Save this view…").click()
    page.get_by_label("Name").fill("Mine")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".page-actions summary")).to_have_text("Mine")
    expect(rows(page)).to_have_count(10)
