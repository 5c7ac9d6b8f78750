"""The dialogs of one unit in a real browser: a server that fails, people who are faster, values of several lines."""

import re

import pytest
from django.db import connection
from playwright.sync_api import expect

from oms.tenancy import account_context
from serials.lifecycle import Actor
from serials.models import Unit, UnitAttribute
from serials.services import Row, attributes
from serials.services.units import By, annotate_units

LIST = "/acme/inventory/serials/?status=hold&sort=serial"
PHONE = {"viewport": {"width": 320, "height": 780}}
BY = By(Actor.OFFICE)
ANSWERS = {
    "a server error": {"status": 500, "content_type": "text/html", "body": "<h1>Server Error (500)</h1>"},
    "a page of its own": {
        "status": 503,
        "content_type": "text/html",
        "body": "<div data-dialog-content><form></form></div>",
    },
    "no page": {"status": 502, "content_type": "text/plain", "body": "Bad gateway"},
    "no answer": None,
}


def fail_posts(page, path, answer):
    """Until `page.unroute(path)` every POST to it fails; pages are still read."""

    def handle(route):
        if route.request.method != "POST":
            route.continue_()
        elif answer is None:
            route.abort("connectionreset")
        else:
            route.fulfill(**answer)

    page.faults.expect(r"status of 50\d|^50\d: |ERR_CONNECTION_RESET|^failed: ")
    page.route(path, handle)


def open_menu(page, serial, name):
    page.get_by_role("button", name=f"Menu of {serial}").click()
    page.locator("#row-menu-open").get_by_role("link", name=name).click()


@pytest.fixture
def give(account_a, units):
    """`give(serial, attributes)`: as a file or somebody else would."""

    def set_them(serial, pairs):
        with account_context(account_a):
            for name, value in pairs.items():
                attributes.set_attribute(units=[units[serial]], name=name, value=value, overwrite=True, by=BY)
        connection.close()

    return set_them


@pytest.fixture
def known(account_a, units):
    """`known(serial)`: its attributes now."""

    def read(serial):
        with account_context(account_a):
            return dict(UnitAttribute.objects.filter(unit_id=units[serial]).values_list("name", "value"))

    return read


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_failed_update_says_so_in_the_dialog_and_the_text_stays(
    page_for, olga, units, account_a, assert_accessible, answer
):
    page = page_for(olga)
    page.goto(LIST)
    dialog, path = page.locator("#dialog"), re.compile("/notes/$")
    page.get_by_role("link", name="Edit OMS Notes of LAP00025").click()
    notes, update = dialog.get_by_label("OMS Notes:"), dialog.get_by_role("button", name="Update")
    notes.fill("Call Ann\nthen Bob")
    fail_posts(page, path, answer)
    for _turn in range(2):
        update.click()
        expect(dialog.get_by_role("alert")).to_have_count(1)
        expect(dialog.get_by_role("alert")).to_contain_text("Please try again..")
        expect(dialog.get_by_role("alert")).to_be_focused()
        expect(update).to_be_enabled()
        expect(notes).to_have_value("Call Ann\nthen Bob")
    assert_accessible(page)
    page.unroute(path)
    update.click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("OMS Notes of LAP00025 are saved.")).to_be_visible()
    with account_context(account_a):
        assert Unit.objects.get(pk=units["LAP00025"]).oms_notes == "Call Ann\nthen Bob"
    connection.close()


def test_what_fails_in_any_dialog_is_said_in_it(page_for, olga, units, known):
    page = page_for(olga)
    page.goto(LIST)
    dialog, path = page.locator("#dialog"), re.compile("/attributes/$")
    open_menu(page, "LAP00021", "Attributes")
    dialog.get_by_label("Attribute 1").fill("Grade")
    dialog.get_by_label("Value 1").fill("B")
    fail_posts(page, path, None)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("What you typed is still here.")
    expect(page.locator("#toasts")).to_be_empty()
    page.unroute(path)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    assert known("LAP00021") == {"Grade": "B"}


def test_a_dialog_that_cannot_be_opened_is_a_toast(page_for, olga, units):
    page = page_for(olga)
    page.goto(LIST)
    page.faults.expect(r"status of 500|^500: ")
    page.route(re.compile("/notes/$"), lambda route: route.fulfill(**ANSWERS["a server error"]))
    page.get_by_role("link", name="Edit OMS Notes of LAP00025").click()
    expect(page.locator("#toasts")).to_contain_text("This could not be loaded.")
    expect(page.locator("#dialog")).to_be_hidden()


def test_a_value_of_several_lines_is_seen_whole_and_stays(page_for, olga, units, give, known):
    give("LAP00021", {"Text": "line1\nline2", "Old": "a\r\nb"})
    page = page_for(olga)
    page.goto(LIST)
    dialog = page.locator("#dialog")
    open_menu(page, "LAP00021", "Attributes")
    value = dialog.get_by_label("Value 2")
    expect(value).to_have_value("line1\nline2")
    assert value.evaluate("area => area.scrollHeight <= area.clientHeight + 1")
    dialog.get_by_label("Attribute 3").fill("Grade")
    dialog.get_by_label("Value 3").fill("B")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    assert known("LAP00021") == {"Text": "line1\nline2", "Old": "a\r\nb", "Grade": "B"}
    page.locator("tr", has_text="LAP00021").get_by_role("button", name="History").click()
    shown = page.get_by_role("region", name="METADATA").get_by_role("cell", name="line1 line2")
    assert shown.evaluate("cell => cell.innerText.trim()") == "line1\nline2"


@pytest.mark.parametrize("look", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_who_was_slower_sees_the_attributes_and_decides(page_for, olga, units, give, known, assert_accessible, look):
    give("LAP00021", {"Colour": "red", "Grade": "A", "Size": "9", "Text": "It has a scratch\non the lid " + "x" * 60})
    page = page_for(olga, **look)
    page.faults.expect("status of 422")
    page.goto("/acme/inventory/serials/?serial=LAP00021")
    dialog = page.locator("#dialog")
    open_menu(page, "LAP00021", "Attributes")
    assert_accessible(page)
    give("LAP00021", {"Colour": "deep blue", "Origin": "PL"})
    dialog.get_by_label("Value 1").fill("")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_label("Value 1")).to_be_focused()
    expect(dialog).to_contain_text("An attribute needs a name and a value.")
    assert_accessible(page)
    dialog.get_by_label("Value 1").fill("green")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody else changed these attributes meanwhile.")
    expect(dialog.get_by_role("alert")).to_be_focused()
    now = dialog.get_by_role("table", name="They are now:")
    expect(now.locator("tbody tr").first).to_contain_text("deep blue")
    expect(dialog.get_by_label("Value 1")).to_have_value("green")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert dialog.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert_accessible(page)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    after = known("LAP00021")
    assert (after["Colour"], after["Origin"]) == ("green", "PL"), "what the other added stays"


@pytest.mark.parametrize("look", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_who_was_slower_sees_the_whole_note(page_for, olga, units, account_a, assert_accessible, look):
    page = page_for(olga, **look)
    page.faults.expect("status of 422")
    page.goto("/acme/inventory/serials/?serial=LAP00025")
    dialog = page.locator("#dialog")
    page.get_by_role("link", name="Edit OMS Notes of LAP00025").click()
    assert_accessible(page)
    with account_context(account_a):
        long = "Call the customer first, they asked for it twice.\n" * 6 + "\nThe end."
        annotate_units(rows=[Row(unit_id=units["LAP00025"], oms_notes=long)], by=BY)
    connection.close()
    dialog.get_by_label("OMS Notes:").fill("Call Ann")
    dialog.get_by_role("button", name="Update").click()
    expect(dialog.get_by_text("The end.")).to_be_visible()
    expect(dialog.get_by_label("OMS Notes:")).to_have_value("Call Ann")
    assert dialog.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert_accessible(page)
