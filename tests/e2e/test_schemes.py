"""A number scheme in a real browser: made with its preview, chosen for a SKU, and used by Generate Serials."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from oms.tenancy import account_context
from replenishment.models import PlannedSerial
from serials.models import NumberScheme
from serials.numbering.check_characters import Check
from serials.numbering.schemes import Alphabet, Scheme
from tests.e2e.lists import column
from tests.factories import make_serialized_sku
from tests.replenishment.factories import make_replenishment
from tests.serials.factories import make_scheme

pytestmark = pytest.mark.commits("the browser's server has a connection of its own")

TAGS = Scheme("TAG{YY}-", 7, Alphabet.NO_LOOKALIKES, Check.MOD37_36)


def no_sideways_scroll(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def choose_for_sku(page, sku, assert_accessible):
    page.goto(f"/acme/inventory/skus/{sku.pk}/")
    card = page.locator("#numbers")
    card.get_by_role("link", name="Change").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Number scheme").select_option("Tags")
    dialog.get_by_label("Longest").fill("8")
    dialog.get_by_label("Regular expression").fill("LAP[0-9]+")
    assert_accessible(page)
    dialog.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("LAP[0-9]+")
    for number, words in (("lap123", "lap123 fits the rule."), ("LAP123456", "this one has 9"), ("X", "LAP[0-9]+.")):
        card.get_by_label("Try a number").fill(number)
        card.get_by_role("button", name="Try").click()
        expect(card.locator("#tried")).to_contain_text(words)
    assert_accessible(page)


def test_a_scheme_is_made_chosen_and_used(page_for, ana, account_a, assert_accessible):
    with account_context(account_a):
        sku = make_serialized_sku(code="LAP-1")
        made = make_replenishment((sku, 3))
    today = timezone.localdate()
    page = page_for(ana)
    page.goto("/acme/inventory/skus/")
    page.locator(".sidebar").get_by_role("link", name="Number schemes").click()
    expect(page.get_by_text("No number schemes yet")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Add number scheme").first.click()
    preview = page.locator("section", has=page.get_by_role("heading", name="The next numbers"))
    expect(preview).to_contain_text("SN00000005")
    page.get_by_label("Name", exact=True).fill("Tags")
    page.get_by_label("Prefix").fill("tag{yy}-")
    page.get_by_label("Counter width").fill("7")
    page.get_by_label("Without look-alikes").check()
    page.get_by_label("ISO/IEC 7064 MOD 37,36").check()
    expect(preview.get_by_role("listitem")).to_have_text(list(TAGS.numbers(1, 5, today)))
    assert_accessible(page)
    page.get_by_role("button", name="Add number scheme").click()
    expect(column(page, "Name")).to_have_text(["Tags"])
    expect(column(page, "Next number")).to_have_text([TAGS.number(1, today)])
    assert_accessible(page)
    choose_for_sku(page, sku, assert_accessible)
    page.goto(f"/acme/replenishments/{made.pk}/")
    page.get_by_role("button", name="Generate Serials").click()
    page.get_by_role("dialog").get_by_role("link", name="Download all serials").wait_for()
    with account_context(account_a):
        planned = list(PlannedSerial.objects.order_by("pk").values_list("serial", flat=True))
        assert planned == list(TAGS.numbers(1, 3, today))
        assert NumberScheme.objects.get().next_counter == 4


def test_what_cannot_be_is_said_while_typing_and_at_the_field(page_for, ana, account_a, assert_accessible):
    page = page_for(ana, viewport={"width": 320, "height": 700}, color_scheme="dark")
    page.faults.expect("422")
    page.goto("/acme/settings/numbers/new/")
    page.get_by_label("Name", exact=True).fill("Tags")
    page.get_by_label("Luhn").check()
    expect(page.get_by_text("There are none with these entries.")).to_be_visible()
    expect(page.locator("section").get_by_text("Luhn is for digits.")).to_be_visible()
    page.get_by_role("button", name="Add number scheme").click()
    expect(page.get_by_role("alert")).to_contain_text("Luhn is for digits.")
    assert page.get_by_label("Name", exact=True).input_value() == "Tags"
    assert no_sideways_scroll(page)
    assert_accessible(page)


def test_a_scheme_is_archived(page_for, ana, account_a):
    with account_context(account_a):
        row = make_scheme(Scheme("A", 3), name="Few", first_counter=950)
    page = page_for(ana)
    page.goto("/acme/settings/numbers/")
    expect(page.get_by_text("“Few” runs out soon")).to_be_visible()
    page.get_by_role("link", name="Few", exact=True).click()
    page.get_by_role("button", name="Archive").click()
    expect(column(page, "Name")).to_have_text(["Few", "Standard"])
    with account_context(account_a):
        row.refresh_from_db()
    assert row.is_archived
