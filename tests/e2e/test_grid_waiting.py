"""The Serials page between a filter and its answer: what shows meanwhile, late answers, answers that do not come."""

import re

import pytest
from playwright.sync_api import expect

LIST = "/acme/inventory/serials/"
FAILED = "This could not be loaded. Nothing was lost. Try again."
ANSWERS = {"a server error": {"status": 500, "content_type": "text/html", "body": "<h1>Broken</h1>"}, "none": None}


def rows(page):
    return page.locator("tbody tr:not(.row-detail)")


def region(page):
    return page.locator("#table-region")


def serial(page):
    return page.get_by_placeholder("Serial", exact=True)


def is_filtering(request):
    return "hx-request" in request.headers and LIST in request.url


def line(page):
    """Whether the thin line at the table's top shows."""
    content = "getComputedStyle(document.querySelector('#table-scroll'), '::before').content"
    return page.evaluate(content) == '""'


@pytest.fixture
def grid(page_for, ben, units):
    page = page_for(ben)
    page.goto(LIST)
    return page


@pytest.fixture
def held(grid):
    """The requests of filters, none of which gets an answer until the test gives one."""
    routes = []
    grid.route(f"**{LIST}*", lambda route: routes.append(route) if is_filtering(route.request) else route.continue_())
    return routes


def asked(page, act):
    """Do `act`, which filters, and wait until its request is on its way."""
    with page.expect_request(is_filtering):
        act()
    expect(region(page)).to_have_attribute("aria-busy", "true")


def test_the_table_is_busy_until_the_answer_is_there(grid, held):
    page = grid
    assert not line(page)
    asked(page, lambda: serial(page).fill("LAP0002"))
    assert line(page)
    expect(rows(page)).to_have_count(50)
    held.pop().continue_()
    expect(rows(page)).to_have_count(10)
    expect(region(page)).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#list-status")).to_have_text("10 units")
    assert not line(page)
    for act in (
        page.get_by_role("link", name="Serial", exact=True).click,
        lambda: page.get_by_label("Filter: Status").select_option("hold"),
        page.get_by_role("link", name="Clear all").click,
    ):
        asked(page, act)
        assert line(page)
        held.pop().continue_()
        expect(region(page)).not_to_have_attribute("aria-busy", "true")


def test_typing_asks_once_when_it_rests(page_for, ben, units):
    page, found = page_for(ben), []
    page.on("request", lambda request: found.append(request.url) if is_filtering(request) else None)
    page.clock.install(time=0)
    page.goto(LIST)
    page.clock.pause_at(60_000)
    for key in "LAP0002":
        serial(page).press(key)
        page.clock.run_for(290)
    assert found == []
    page.clock.run_for(10)
    expect(rows(page)).to_have_count(10)
    page.clock.run_for(5_000)
    expect(region(page)).not_to_have_attribute("aria-busy", "true")
    assert [url.partition("?")[2] for url in found] == ["serial=LAP0002"]


def test_an_older_answer_that_comes_late_changes_nothing(grid, held):
    page = grid
    page.faults.expect(r"^console: htmx:(afterRequest|sendAbort)")  # so htmx logs what it ends itself
    asked(page, lambda: serial(page).fill("LAP0001"))
    asked(page, lambda: serial(page).fill("LAP0002"))
    asked(page, page.get_by_role("link", name="Serial", exact=True).click)
    asked(page, lambda: serial(page).fill("LAP0003"))
    *late, last = held
    last.continue_()
    expect(rows(page)).to_have_count(10)
    expect(rows(page).first).to_contain_text("LAP0003")
    for route in late:
        route.fulfill(status=200, content_type="text/html", body='<div id="table-region">late</div>')
    page.wait_for_load_state("networkidle")
    expect(rows(page)).to_have_count(10)
    expect(rows(page).first).to_contain_text("LAP0003")
    expect(serial(page)).to_have_value("LAP0003")
    expect(page).to_have_url(re.compile(r"\?serial=LAP0003$"))


def test_back_brings_the_fields_and_the_rows_of_before(grid):
    page = grid
    page.get_by_label("Filter: Status").select_option("hold")
    expect(rows(page)).to_have_count(10)
    serial(page).fill("LAP00021")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("searchbox").fill("nothing")
    expect(page.get_by_role("heading", name="No match")).to_be_visible()
    for count, search, typed, status in ((1, "", "LAP00021", "hold"), (10, "", "", "hold"), (50, "", "", "")):
        page.go_back()
        expect(rows(page)).to_have_count(count)
        expect(page.get_by_role("searchbox")).to_have_value(search)
        expect(serial(page)).to_have_value(typed)
        expect(page.get_by_label("Filter: Status")).to_have_value(status)
    page.go_forward()
    expect(rows(page)).to_have_count(10)
    expect(page.get_by_label("Filter: Status")).to_have_value("hold")


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_filter_that_fails_says_so_and_leaves_the_table(grid, assert_accessible, answer):
    page, path = grid, f"**{LIST}*"
    page.get_by_label("Filter: Status").select_option("hold")
    expect(rows(page)).to_have_count(10)
    shown, address = rows(page).all_inner_texts(), page.url
    page.faults.expect(r"status of 500|Status Error Code 500|^500: |ERR_CONNECTION_RESET|^failed: |htmx:(after|send)")
    page.route(path, lambda route: route.fulfill(**answer) if answer else route.abort("connectionreset"))
    toast = page.locator("#toasts [data-toast]")
    for act in (lambda: serial(page).fill("LAP00021"), page.get_by_role("link", name="Serial", exact=True).click):
        with page.expect_event("requestfinished" if answer else "requestfailed", is_filtering):
            act()
        expect(toast).to_have_count(1)
        expect(toast).to_contain_text(FAILED)
        expect(region(page)).not_to_have_attribute("aria-busy", "true")
        assert rows(page).all_inner_texts() == shown
        assert page.url == address
    expect(serial(page)).to_have_value("LAP00021")
    assert_accessible(page)
    page.unroute(path)
    serial(page).press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("LAP00021")
    expect(page).to_have_url(re.compile(r"serial=LAP00021"))
