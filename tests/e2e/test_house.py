"""The platform's pages in a real browser: what a person sees, types and is told."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from oms import demo, jobs
from oms.models import AuditEntry, Job, JobState, Sku
from oms.services import people
from oms.tenancy import account_context
from tests import factories
from tests.conftest import PASSWORD
from tests.e2e.lists import column

CATALOGUE = demo.CATALOGUE
PHONE = {"viewport": {"width": 320, "height": 640}}


@pytest.fixture
def stocked(account_a):
    """Three SKUs, one of them in stock."""
    with account_context(account_a):
        held = factories.make_sku(code="LAMP-OAK", name="Desk lamp, oak")
        factories.make_stock(sku=held, bin=factories.make_bin(name="A-01-1", location="Zone A"), quantity=12)
        return [
            held,
            factories.make_sku(code="LAMP-ASH", name="Desk lamp, ash"),
            factories.make_sku(code="CLOCK", name="Wall clock", workflow="in_out"),
        ]


def codes(page):
    return column(page, "SKU")


def no_sideways_scroll(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_sign_in_switch_account_and_sign_out(page_for, wes):
    page = page_for(None)
    page.faults.expect("status of 422")
    page.goto("/acme/inventory/stock/")
    expect(page).to_have_url(re.compile("/sign-in/"))
    page.get_by_label("Email").fill(wes.email)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This email and password do not belong together")).to_be_visible()
    assert page.get_by_label("Email").input_value() == wes.email
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/acme/inventory/stock/"))
    page.locator(".account-menu > summary").click()
    page.get_by_role("link", name="Bolt").click()
    expect(page).to_have_url(re.compile("/bolt/"))
    page.get_by_text("Signed in as Wes").locator("..").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/sign-in/"))
    page.goto("/bolt/inventory/stock/")
    expect(page).to_have_url(re.compile("/sign-in/"))


def test_find_a_sku_by_typing_and_come_back(page_for, ben, stocked):
    page = page_for(ben)
    page.goto("/acme/inventory/skus/")
    expect(codes(page)).to_have_text(["CLOCK", "LAMP-ASH", "LAMP-OAK"])
    page.keyboard.press("/")
    page.keyboard.type("lamp")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"\?q=lamp"))
    expect(page.locator("#filter_q")).to_be_focused()
    page.get_by_role("link", name="SKU", exact=True).click()
    expect(page.locator("th[aria-sort=descending]")).to_have_count(1)
    expect(codes(page)).to_have_text(["LAMP-OAK", "LAMP-ASH"])
    page.go_back()
    expect(page.locator("th[aria-sort=ascending]")).to_have_count(1)
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_role("link", name="Wall clock").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("CLOCK")


def test_add_edit_and_save_a_sku(page_for, ana, account_a):
    page = page_for(ana)
    page.goto("/acme/inventory/skus/")
    page.get_by_role("link", name="Add SKU").first.click()
    page.get_by_label("SKU", exact=True).fill("LAMP")
    page.get_by_label("GTIN").fill("4006381333932")
    page.get_by_role("button", name="Add SKU").click()
    page.faults.expect("422")
    expect(page.get_by_role("alert")).to_contain_text("should be 1")
    assert page.get_by_label("SKU", exact=True).input_value() == "LAMP"
    page.get_by_label("Name").fill("Desk lamp")
    page.get_by_label("GTIN").fill("4006381333931")
    page.get_by_label("In/Out: ").check()
    page.get_by_role("button", name="Add SKU").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("LAMP")
    page.get_by_label("Name").fill("Desk lamp, oak")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("LAMP is saved.")).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text("Name: Desk lamp → Desk lamp, oak")
    with account_context(account_a):
        assert Sku.objects.values_list("name", "workflow", "gtin").get() == (
            "Desk lamp, oak",
            "in_out",
            "4006381333931",
        )


def test_a_refused_serial_says_why_and_where(page_for, ana, stocked, account_a):
    page = page_for(ana)
    page.faults.expect("422")
    page.goto(f"/acme/inventory/skus/{stocked[0].pk}/")
    page.get_by_label("In/Out: ").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("12 in bin A-01-1 (Zone A")).to_be_visible()
    expect(page.get_by_text("Ship it, or have the warehouse count it to 0.")).to_be_visible()
    page.locator(".notice").get_by_role("link", name="Show the stock").click()
    expect(page).to_have_url(re.compile(r"/inventory/stock/\?sku=LAMP-OAK"))
    expect(page.locator("tbody tr")).to_have_count(1)
    with account_context(account_a):
        assert Sku.objects.get(code="LAMP-OAK").workflow == "no"


def test_change_serial_of_many(page_for, ana, stocked, account_a):
    page = page_for(ana)
    page.goto("/acme/inventory/skus/")
    page.locator("[data-actions]").click()
    page.locator(".menu-panel").get_by_role("button", name="Change Serial").click()
    alert = page.get_by_role("dialog", name="Alert")
    expect(alert).to_contain_text("You must check at least one")
    page.keyboard.press("Escape")
    expect(alert).to_be_hidden()
    page.get_by_label("Select all").check()
    expect(page.locator(".bulk-count")).to_have_text("3 selected")
    page.locator(".bulk-bar").get_by_role("button", name="Change Serial").click()
    page.get_by_label("Out in Bulk: ").check()
    page.faults.expect(r"status of 422")  # as what is refused is answered
    page.get_by_role("button", name="Change Serial").click()
    expect(page.get_by_text("Nothing is changed: 1 SKU has inventory")).to_be_visible()
    page.get_by_role("button", name="Change the 2 that are free").click()
    expect(page.get_by_text("Serial is now Out in Bulk on 2 SKUs. 1 SKU was left as it is.")).to_be_visible()
    with account_context(account_a):
        assert dict(Sku.objects.values_list("code", "workflow")) == {
            "LAMP-OAK": "no",
            "LAMP-ASH": "out_bulk",
            "CLOCK": "out_bulk",
        }


def test_upload_a_real_catalogue_with_bad_rows(page_for, olga, account_a):
    page = page_for(olga)
    page.goto("/acme/inventory/skus/")
    page.get_by_role("link", name="Upload CSV").click()
    page.get_by_label("CSV file").set_input_files(CATALOGUE)
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("These columns are not used: price, stock_on_hand")).to_be_visible()
    expect(page.get_by_role("heading", name="2 rows cannot be used")).to_be_visible()
    expect(page.get_by_text("The same SKU as in line 87.")).to_have_count(2)
    with account_context(account_a):
        assert not Sku.objects.exists()
    page.get_by_role("button", name="Apply the 86 good rows").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("catalogue.csv")
    jobs.run_next(account_a.pk)
    expect(page.get_by_text("Added")).to_be_visible()
    page.goto("/acme/inventory/skus/")
    expect(page.locator("#page-count")).to_have_text("86 SKUs")
    with account_context(account_a):
        assert Sku.objects.count() == AuditEntry.objects.filter(kind="sku", actor=olga).count() == 86


def test_dismissing_jobs_leaves_the_tray_open_and_the_keyboard_in_it(page_for, olga, account_a, assert_accessible):
    with account_context(account_a):
        for number in "123":
            facts = {"kind": "ui.export", "title": f"Export {number}", "idempotency_key": number, "person": olga}
            Job.objects.create(**facts, state=JobState.DONE, finished_at=timezone.now())
    page = page_for(olga)
    page.goto("/acme/inventory/skus/")
    page.get_by_text("3 jobs").click()
    assert_accessible(page)
    page.get_by_role("button", name="Dismiss Export 1").press("Enter")
    expect(page.get_by_text("2 jobs")).to_be_visible()
    expect(page.get_by_role("button", name="Dismiss Export 2")).to_be_visible()
    expect(page.locator("#jobs-summary")).to_be_focused()
    page.get_by_role("button", name="Dismiss all").press("Enter")
    expect(page.locator("#jobs-tray")).to_be_empty()
    expect(page.locator("#main")).to_be_focused()


def test_without_scripts_everything_still_works(page_for, ana, stocked, account_a):
    page = page_for(ana, java_script_enabled=False)
    page.goto("/acme/inventory/skus/")
    page.get_by_label("Filter: SKU").fill("ash")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(codes(page)).to_have_text(["LAMP-ASH"])
    page.locator("tbody input[name=pk]").check()
    page.locator(".bulk-bar").get_by_role("button", name="Change Serial").click()
    page.get_by_label("Out: Nothing").check()
    page.get_by_role("button", name="Change Serial").click()
    expect(page.get_by_text("Serial is now Out on 1 SKU.")).to_be_visible()
    with account_context(account_a):
        assert Sku.objects.get(code="LAMP-ASH").workflow == "out"


def test_light_and_dark_are_remembered(page_for, ana, account_a):
    page = page_for(ana)
    page.goto("/acme/inventory/skus/")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_text("Appearance").locator("..").click()
    with page.expect_response("**/appearance/"):  # the look changes at once, before it is kept
        page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/acme/inventory/stock/")
    assert page.evaluate(background) != light


PAGES = ["inventory/skus/", "inventory/skus/new/", "inventory/skus/upload/", "inventory/stock/", "settings/members/",
         "settings/members/new/", "settings/audit/", "jobs/", "inventory/skus/?sku=zzz", "nowhere/"]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page_for, ana, stocked, assert_accessible, path, scheme):
    page = page_for(ana, color_scheme=scheme)
    page.faults.expect("404")
    page.goto(f"/acme/{path}")
    assert_accessible(page)


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_everything_without_scrolling_sideways(page_for, ana, stocked, assert_accessible, path):
    page = page_for(ana, **PHONE)
    page.faults.expect("404")
    page.goto(f"/acme/{path}")
    assert no_sideways_scroll(page)
    assert_accessible(page)


def test_an_invitation_is_accepted(page_for, ida, nia, account_a, assert_accessible):
    with account_context(account_a):
        path = people.invite(ida.memberships(manager="with_invited").get(account=account_a)).path
    for person in (nia, ida):
        page = page_for(person, **PHONE)
        page.faults.expect("403")
        page.goto(path)
        assert no_sideways_scroll(page)
        assert_accessible(page)
    page.get_by_role("button", name="Join").click()
    expect(page).to_have_url(re.compile("/acme/"))
    expect(page.get_by_text("You are a member of Acme now.")).to_be_visible()


@pytest.mark.parametrize("path", ["/sign-in/", "/"])
def test_pages_outside_an_account(page_for, nia, assert_accessible, path):
    page = page_for(nia if path == "/" else None, **PHONE)
    page.goto(path)
    assert no_sideways_scroll(page)
    assert_accessible(page)
