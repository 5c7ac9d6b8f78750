"""The dialogs of one unit in a real browser: a server that fails."""

import re

import pytest
from django.db import connection
from playwright.sync_api import expect

from oms.tenancy import account_context
from serials.models import Unit, UnitAttribute

LIST = "/acme/inventory/serials/?status=hold&sort=serial"
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
    page.get_by_role("link", name=f"Menu of {serial}").click()
    page.locator("#row-menu-open").get_by_role("link", name=name).click()


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
