"""What was typed outlives a page that no browser keeps, for its person, until it is sent."""

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import expect

from oms.models import Membership, Role
from oms.tenancy import account_context
from replenishment.services.drafts import LineInput, change_lines
from tests.conftest import BACKEND
from tests.factories import make_bin, make_serialized_sku, make_sku
from tests.replenishment.factories import make_replenishment, make_submitted

pytestmark = pytest.mark.commits("the browser's server has a connection of its own")
KEPT = "Object.keys(sessionStorage).filter(key => key.startsWith('typed:'))"


@pytest.fixture
def made(account_a):
    with account_context(account_a):
        found = make_submitted((make_serialized_sku(code="LAP-1", name="Laptop 14"), 3))
        make_bin(link=found.link, name="A-01")
        return found


def serials(page):
    return page.locator("textarea[name$='-serials']").first


@pytest.fixture
def floor(page_for, wes, made):
    page = page_for(wes)
    page.faults.expect("422")
    page.goto(f"/acme/replenishments/{made.pk}/receive/")
    page.get_by_label("BIN").fill("A-01")
    serials(page).fill("SN00000001\nSN00000002")
    return page


def test_back_and_reload_show_what_was_typed(floor, made):
    floor.goto("/acme/inventory/serials/")
    floor.go_back()
    expect(serials(floor)).to_have_value("SN00000001\nSN00000002")
    expect(floor.get_by_label("BIN")).to_have_value("A-01")
    floor.reload()
    expect(serials(floor)).to_have_value("SN00000001\nSN00000002")
    floor.goto(f"/acme/replenishments/{made.pk}/receive/")
    expect(serials(floor)).to_have_value("")


def test_a_form_that_is_opened_anew_forgets_it(floor, made):
    """Later the same day, in the same tab: the old serials must not come back with the first that is typed anew."""
    floor.goto("/acme/inventory/serials/")
    floor.goto(f"/acme/replenishments/{made.pk}/receive/")
    assert floor.evaluate(KEPT) == []
    floor.get_by_label("BIN").fill("A-02")
    floor.reload()
    expect(floor.get_by_label("BIN")).to_have_value("A-02")
    expect(serials(floor)).to_have_value("")


def test_a_quantity_does_not_land_on_another_sku(page_for, olga, account_a):
    """A colleague removes a row above meanwhile: the rows below it move up, and what was typed in them is forgotten."""
    with account_context(account_a):
        skus = [make_sku(code=f"PILL-{number}") for number in range(3)]
        draft = make_replenishment(*((sku, 10) for sku in skus))
        first, _removed, last = draft.lines.order_by("position")
    page = page_for(olga)
    page.goto(f"/acme/replenishments/{draft.pk}/lines/")
    page.locator("[name=lines-0-quantity]").fill("11")
    page.locator("[name=lines-2-quantity]").fill("77")
    page.reload()
    expect(page.locator("[name=lines-2-quantity]")).to_have_value("77")
    with account_context(account_a):
        rest = [LineInput(line.sku_id, line.quantity, line_id=line.pk) for line in (first, last)]
        added = LineInput(make_sku(code="PILL-9").pk, 5)
        change_lines(replenishment_id=draft.pk, version=draft.version, lines=[*rest, added], actor=None)
    page.reload()
    expect(page.locator("[name=lines-2-sku]")).to_have_value("PILL-9")
    expect(page.locator("[name=lines-2-quantity]")).to_have_value("5")
    expect(page.locator("[name=lines-0-quantity]")).to_have_value("11")


def test_a_form_that_comes_back_keeps_it_and_one_that_is_done_forgets_it(floor):
    serials(floor).press_sequentially("\nWRONG")
    floor.get_by_role("button", name="Receive", exact=True).click()
    expect(floor.get_by_text("Nothing is received yet")).to_be_visible()
    assert len(floor.evaluate(KEPT)) == 1
    serials(floor).fill("SN00000001\nSN00000002\nSN00000003")
    floor.get_by_role("button", name="Check again").click()
    floor.get_by_role("heading", name="Receipt R-1001-1").wait_for()
    assert floor.evaluate(KEPT) == []


def test_signing_out_forgets_it(floor):
    floor.faults.expect(r"status of 401|Error Code 401")  # a check of what was typed may come just behind the sign-out
    floor.get_by_text("Signed in as Wes").locator("..").click()
    floor.get_by_role("button", name="Sign out").click()
    floor.get_by_label("Password").wait_for()
    assert floor.evaluate(KEPT) == []


def test_the_next_person_in_this_tab_does_not_see_it(floor, ana, live_server):
    Membership.objects.filter(person=ana).update(role=Role.WAREHOUSE)
    client = Client()
    client.force_login(ana, backend=BACKEND)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    floor.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    floor.goto("/acme/inventory/serials/")
    floor.go_back()
    expect(floor.get_by_text("Signed in as Ana")).to_be_attached()
    expect(serials(floor)).to_have_value("")
