"""A filter that cannot be used, while it is typed and when an address brings it."""

import pytest
from playwright.sync_api import expect

LIST = "/acme/inventory/serials/"
LOOKS = [{}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 800}}]


def rows(page):
    return page.locator("tbody > tr[id^=row-]")


def test_a_search_that_is_too_short_asks_for_more_and_goes_on_when_it_is_there(page_for, ben, units):
    page = page_for(ben)
    page.goto(LIST)
    expect(rows(page)).to_have_count(50)
    search = page.locator("#filters [type=search]")
    search.press_sequentially("L")
    expect(page.get_by_text("2 more characters …")).to_be_visible()
    expect(rows(page)).to_have_count(0)
    expect(page.locator("#export")).not_to_have_attribute("href")
    expect(page.locator("#check-page")).to_have_count(0)
    search.press_sequentially("A")
    expect(page.get_by_text("One more character …", exact=True)).to_be_visible()
    expect(page.locator("#list-status")).to_have_text("Search: One more character …")
    search.press_sequentially("P")
    expect(rows(page)).to_have_count(50)
    expect(page.locator("#export")).to_have_attribute("href", "?q=LAP&format=csv")
    expect(search).to_be_focused()


def test_a_day_in_another_form_is_told_at_its_field_while_it_is_typed(page_for, ben, units):
    page = page_for(ben)
    page.goto(LIST)
    day = page.get_by_label("Update from")
    day.press_sequentially("2020-01")
    told = "Use the form yyyy-mm-dd, such as 2027-01-31."
    expect(page.locator("#filter_update_error")).to_have_text(told)
    expect(day).to_have_attribute("aria-describedby", "filter_update_error")
    expect(day).to_be_focused()
    day.press_sequentially("-02")
    expect(rows(page)).to_have_count(50)
    expect(page.locator("#filter_update_error")).to_have_count(0)


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize(
    "query", ["q=ab", "update_from=31/01/2027&status=nonsense&sku=", "skuu=x", f"list=nonsense&bin={'x' * 130}"]
)
def test_a_list_that_says_what_is_wrong_is_accessible(page_for, ben, units, assert_accessible, look, query):
    page = page_for(ben, **look)
    page.goto(f"{LIST}?{query}")
    expect(page.locator(".row-empty, .notice-warn").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert_accessible(page)
