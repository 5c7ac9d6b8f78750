"""Inventory → Serials in a real browser: filter, sort, expand, back, pages, keyboard, 320 px, no script."""

import pytest
from django.db import connection
from playwright.sync_api import expect

from oms.tenancy import account_context
from serials.models import UnitEvent
from tests.e2e.lists import column
from tests.factories import make_discrepancy

LIST = "/acme/inventory/serials/"


def rows(page):
    return page.locator("tbody tr:not(.row-detail)")


def test_filter_sort_and_back(page_for, ben, units):
    page = page_for(ben)
    page.goto(LIST)
    expect(page).to_have_title("Serials · Acme · Lotline")
    expect(page.locator("h1")).to_have_text("Serials")
    expect(page.locator("#page-count")).to_have_text("60 units")

    page.get_by_placeholder("Serial", exact=True).fill("lap0002")
    expect(rows(page)).to_have_count(10)
    page.get_by_label("Filter: Status").select_option("hold")
    expect(page.locator("#page-count")).to_have_text("10 units")
    expect(page).to_have_url(f"http://{page.url.split('/')[2]}{LIST}?serial=lap0002&status=hold")

    page.get_by_role("link", name="Serial", exact=True).click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Serial")
    expect(rows(page).first).to_contain_text("LAP00020")
    page.get_by_role("link", name="Serial", exact=True).click()
    expect(rows(page).first).to_contain_text("LAP00029")

    page.go_back()
    expect(rows(page).first).to_contain_text("LAP00020")
    page.go_back()
    expect(page.locator("th[aria-sort]")).to_have_text("Update")
    expect(page.get_by_label("Filter: Status")).to_have_value("hold")
    page.go_back()
    expect(page.get_by_label("Filter: Status")).to_have_value("")
    expect(page.get_by_placeholder("Serial", exact=True)).to_have_value("lap0002")


def test_void_units_come_with_the_switch(page_for, ben, units):
    page = page_for(ben)
    page.goto(f"{LIST}?serial=LAP0006")
    expect(page.locator(".row-empty")).to_be_visible()
    page.get_by_label("Show void").check()
    expect(page.locator("tr.is-void")).to_have_count(2)
    expect(page).to_have_url(f"http://{page.url.split('/')[2]}{LIST}?void=on&serial=LAP0006")
    page.get_by_role("link", name="Remove the filter Show void").click()
    expect(page.locator("tr.is-void")).to_have_count(0)
    expect(page.get_by_label("Show void")).not_to_be_checked()


def test_the_child_row_opens_and_closes(page_for, ben, units, account_a, assert_accessible):
    page = page_for(ben)
    page.goto(f"{LIST}?status=hold&sort=serial")
    plus = page.get_by_role("button", name="Serial history of LAP00020")
    expect(plus).to_have_attribute("aria-expanded", "false")
    plus.click()
    child = page.locator("tr.row-detail")
    expect(child.get_by_role("heading")).to_have_text(["SERIAL HISTORY", "METADATA"])
    expect(plus).to_have_attribute("aria-expanded", "true")
    with account_context(account_a):
        told = UnitEvent.objects.filter(unit_id=units["LAP00020"]).count()
    connection.close()
    expect(child.locator("section").first.locator("tbody tr")).to_have_count(told)
    expect(child).to_contain_text("Space grey")
    assert_accessible(page)
    plus.click()
    expect(child).to_be_hidden()
    plus.click()
    expect(child).to_be_visible()


def test_the_keyboard_alone_opens_a_row(page_for, ben, units):
    page = page_for(ben)
    page.goto(f"{LIST}?status=hold&sort=serial")
    page.locator("#table-scroll").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("tr.row-detail h2").first).to_have_text("SERIAL HISTORY")
    expect(page.locator("tr.row-detail")).to_contain_text("LAP00021")


def test_a_units_page_and_its_label(page_for, ben, units, assert_accessible):
    page = page_for(ben)
    page.goto(f"{LIST}?serial=LAP00020")
    page.get_by_role("link", name="LAP00020", exact=True).click()
    expect(page.locator("h1")).to_have_text("LAP00020")
    expect(page.get_by_role("heading", name="SERIAL HISTORY")).to_be_visible()
    expect(page.get_by_text("Box wet").first).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Label", exact=True).click()
    page.faults.expect(r"/label/ net::ERR_ABORTED")  # so Chromium calls a navigation that became a download
    with page.expect_download() as download:
        page.locator("#dialog").get_by_role("button", name="Print").click()
    assert download.value.suggested_filename == "lotline-labels.pdf"


@pytest.mark.parametrize("look", [{"color_scheme": "dark"}, {"viewport": {"width": 320, "height": 780}}], ids=str)
def test_it_is_accessible_in_the_dark_and_on_a_phone(page_for, ben, units, assert_accessible, look):
    page = page_for(ben, **look)
    page.goto(f"{LIST}?status=hold&sort=serial")
    page.get_by_role("button", name="Serial history of LAP00020").click()
    expect(page.locator("tr.row-detail h2").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert_accessible(page)


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_each_value_on_a_card_has_its_name(page_for, ben, units, java_script_enabled):
    page = page_for(ben, viewport={"width": 320, "height": 640}, java_script_enabled=java_script_enabled)
    page.goto(LIST)
    names = [cell.get_attribute("data-label") for cell in page.locator(".filter-row td").all()]
    named = [column(page, name).first for name in names if name]
    shown = [cell.evaluate("cell => getComputedStyle(cell, '::before').content") for cell in named]
    assert [text.strip('"') for text in shown] == [name for name in names if name]
    assert len(named) == 12


def test_it_works_without_a_script(page_for, ben, units):
    page = page_for(ben, java_script_enabled=False)
    page.goto(LIST)
    page.get_by_placeholder("Serial", exact=True).fill("LAP0002")
    page.get_by_role("button", name="Filter").click()
    expect(rows(page)).to_have_count(10)
    page.get_by_role("link", name="LAP00020").click()
    expect(page.locator("h1")).to_have_text("LAP00020")


def test_orders_and_discrepancies(page_for, olga, units, account_a, assert_accessible):
    with account_context(account_a):
        make_discrepancy(kind="sku_unknown", summary="LAP99 was not planned.", raw={"serial": "LAP99", "quantity": 1})
    page = page_for(olga)
    page.faults.expect(r"status of 422")  # a reason that is missing
    page.goto("/acme/orders/")
    page.get_by_role("link", name="SO-5001").click()
    expect(page.get_by_role("link", name="LAP00010")).to_be_visible()
    assert_accessible(page)

    nav = page.get_by_role("navigation", name="Main").get_by_role("link", name="Discrepancies")
    expect(nav).to_contain_text("1")
    nav.click()
    page.get_by_role("link", name="LAP99 was not planned.").click()
    page.get_by_text("The fact as it came").click()
    expect(page.locator("pre")).to_contain_text('"quantity": 1')
    assert_accessible(page)
    page.get_by_role("link", name="Settle discrepancy").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Settle discrepancy").click()
    expect(dialog).to_contain_text("This field is required")
    dialog.get_by_label("Reason").fill("The supplier sent one too many.")
    dialog.get_by_role("button", name="Settle discrepancy").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("The supplier sent one too many.")).to_be_visible()
    expect(page.get_by_role("link", name="Settle discrepancy")).to_have_count(0)
    expect(nav.locator(".count")).to_have_count(0)
