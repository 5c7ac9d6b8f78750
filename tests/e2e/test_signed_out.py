"""A session that ends while a page is open: nothing typed is lost, and the person is told how to go on."""

import re

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from playwright.sync_api import expect

from oms.tenancy import account_context
from serials.models import Unit
from tests.conftest import PASSWORD

LIST = "/acme/inventory/serials/?status=hold&sort=serial"


@pytest.fixture
def end_session():
    """`end_session(page)`: as after two weeks, or a sign-out in another tab."""

    def end(page):
        page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
        page.faults.expect(r"status of 401|^401: |Error Code 401")

    return end


def sign_in(page, person):
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_what_is_typed_in_a_dialog_outlives_the_session(
    page_for, olga, units, account_a, end_session, assert_accessible
):
    page = page_for(olga)
    page.goto(LIST)
    dialog = page.locator("#dialog")
    page.get_by_role("link", name="Edit OMS Notes of LAP00025").click()
    dialog.get_by_label("OMS Notes:").fill("Call Ann")
    end_session(page)
    dialog.get_by_role("button", name="Update").click()
    expect(dialog.get_by_role("alert")).to_contain_text("You have been signed out.")
    expect(dialog.get_by_label("OMS Notes:")).to_have_value("Call Ann")
    assert_accessible(page)
    with page.context.expect_page() as opened:
        dialog.get_by_role("link", name="sign in in another tab").click()
    sign_in(opened.value, olga)
    expect(opened.value.get_by_role("link", name="Serials").first).to_be_visible()
    page.faults.expect(r"status of 403|^403: ")  # the form's token is that of the session that ended
    dialog.get_by_role("button", name="Update").click()
    expect(dialog).to_be_hidden()
    with account_context(account_a):
        assert Unit.objects.get(pk=units["LAP00025"]).oms_notes == "Call Ann"
    connection.close()


def test_a_filter_after_the_session_says_so_and_is_there_after_signing_in(page_for, olga, units, end_session):
    page = page_for(olga)
    page.goto(LIST)
    end_session(page)
    page.get_by_placeholder("Serial", exact=True).fill("LAP00025")
    toast = page.locator("#toasts").get_by_text("You have been signed out.")
    expect(toast).to_have_count(1)
    expect(page.locator("#table-region")).to_contain_text("LAP00021")
    page.locator("#toasts").get_by_role("link", name="Sign in").click()
    sign_in(page, olga)
    expect(page).to_have_url(re.compile("serial=LAP00025"))
    expect(page.locator("tbody tr:not(.row-detail)")).to_have_count(1)


def test_a_dialog_that_needs_somebody_is_a_toast(page_for, olga, units, end_session):
    page = page_for(olga)
    page.goto(LIST)
    end_session(page)
    page.get_by_role("link", name="Edit OMS Notes of LAP00025").click()
    expect(page.locator("#toasts")).to_contain_text("You have been signed out.")
    expect(page.locator("#dialog")).to_be_hidden()


def test_a_complaint_goes_when_the_next_try_works(page_for, olga, units):
    page = page_for(olga)
    page.goto(LIST)
    page.faults.expect(r"status of 500|^500: ")
    path = re.compile("/notes/$")
    page.route(path, lambda route: route.fulfill(status=500, content_type="text/html", body="<h1>Broken</h1>"))
    page.get_by_role("link", name="Edit OMS Notes of LAP00025").click()
    expect(page.locator("#failed")).to_be_visible()
    page.unroute(path)
    page.get_by_role("link", name="Edit OMS Notes of LAP00025").click()
    expect(page.locator("#dialog")).to_be_visible()
    expect(page.locator("#failed")).to_have_count(0)


def test_a_form_that_was_sent_after_the_session_is_still_there(
    page_for, olga, account_a, end_session, assert_accessible
):
    page = page_for(olga)
    page.goto("/acme/replenishments/new/")
    page.get_by_label("Supplier").fill("Nordlicht")
    page.get_by_label("SKU of line 1").fill("NEW-1")
    end_session(page)
    page.get_by_role("button", name="Insert").click()
    expect(page.get_by_role("heading", name="You have been signed out")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_role("alert")).to_have_text("You are not signed in yet.")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Sign in in another tab").click()
    sign_in(opened.value, olga)
    expect(opened.value.get_by_role("link", name="Serials").first).to_be_visible()
    page.faults.expect(r"status of 422")
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_label("Supplier")).to_have_value("Nordlicht")
    expect(page.get_by_label("SKU of line 1")).to_have_value("NEW-1")
    expect(page.get_by_text("There is no SKU “NEW-1”.").first).to_be_visible()


def test_nobody_is_asked_to_sign_in_where_nothing_is_lost(account_a):
    client = Client()
    sent = client.post("/sign-out/")
    assert (sent.status_code, sent.url) == (302, "/sign-in/?next=/")
    typed = client.post("/acme/replenishments/new/", {"supplier": "Nordlicht"})
    assert typed.status_code == 401
    assert b'name="supplier" value="Nordlicht"' in typed.content
