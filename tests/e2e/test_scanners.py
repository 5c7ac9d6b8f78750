"""Scanners type like a keyboard: what they send arrives as lines and codes, and questions are answered by hand."""

import pytest
from playwright.sync_api import expect

from oms.tenancy import account_context
from serials.models import Unit
from tests.factories import make_serialized_sku
from tests.replenishment.factories import make_submitted

pytestmark = pytest.mark.commits("a browser asks a server")
GTIN = "9521234543213"
TYPE_FAST = """(field, text) => {
    for (const key of text) {
        field.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        field.setRangeText(key, field.selectionStart, field.selectionEnd, "end");
    }
}"""
"""Keys with no time between them, which a busy machine could not promise."""
PAUSE = "() => { const start = performance.now(); while (performance.now() - start < 100); }"
"""More time than a scanner takes between two keys."""


@pytest.fixture
def made(account_a):
    with account_context(account_a):
        return make_submitted((make_serialized_sku(code="L2201316", gtin=GTIN), 9), planned=False)


def test_tab_behind_fast_typing_ends_a_line_and_otherwise_leaves(page_for, wes, made):
    floor = page_for(wes)
    floor.goto(f"/acme/replenishments/{made.pk}/receive/")
    field = floor.get_by_role("textbox", name="Serials (optional)", exact=True)
    field.focus()
    for code in ("TAB-1", "TAB-2", "A-3", "B4"):
        field.evaluate(TYPE_FAST, code)
        floor.keyboard.press("Tab")
    expect(field).to_have_value("TAB-1\nTAB-2\nA-3\nB4\n")
    expect(field).to_be_focused()
    expect(floor.get_by_text("4 matched")).to_be_visible()
    floor.keyboard.press("Tab")  # nothing was typed since: a person leaves
    expect(field).not_to_be_focused()
    field.focus()
    floor.keyboard.press("Shift+Tab")
    expect(field).not_to_be_focused()
    field.focus()
    field.evaluate(TYPE_FAST, "C")  # one key is a person's
    floor.keyboard.press("Tab")
    expect(field).not_to_be_focused()
    field.focus()
    field.evaluate(PAUSE)
    field.evaluate(TYPE_FAST, "D")  # and so are two with time between them
    floor.keyboard.press("Tab")
    expect(field).not_to_be_focused()
    expect(field).to_have_value("TAB-1\nTAB-2\nA-3\nB4\nCD")


def test_the_separator_of_a_gs1_scan_arrives_as_a_key(page_for, wes, account_a, made):
    floor = page_for(wes)
    floor.goto(f"/acme/replenishments/{made.pk}/receive/")
    field = floor.get_by_role("textbox", name="Serials (optional)", exact=True)
    field.focus()
    floor.keyboard.insert_text(f"010{GTIN}1726123110LOT7")
    floor.keyboard.press("Control+]")
    floor.keyboard.insert_text("21ACME-0007")
    floor.keyboard.press("Enter")
    expect(floor.get_by_text("1 scan says lot LOT7, expiry 2026-12-31")).to_be_visible()
    floor.get_by_role("button", name="Receive", exact=True).click()
    floor.get_by_role("heading", name="Receipt R-1001-1").wait_for()
    with account_context(account_a):
        assert Unit.objects.get().serial == "ACME-0007"


def test_what_may_be_no_serial_is_answered_by_kind(page_for, wes, account_a, made, assert_accessible):
    floor = page_for(wes, viewport={"width": 320, "height": 700})
    floor.faults.expect("422")
    floor.goto(f"/acme/replenishments/{made.pk}/receive/")
    floor.get_by_role("textbox", name="Serials (optional)", exact=True).fill(f"A001-A003\n{GTIN}\nN/A\nSN-9")
    expect(floor.get_by_text("1 entry looks like a range").first).to_be_visible()
    floor.get_by_role("button", name="Receive", exact=True).click()
    expect(floor.get_by_text("Nothing is received yet: say first what these are")).to_be_visible()
    assert_accessible(floor)
    assert floor.evaluate("document.documentElement.scrollWidth") <= 320
    floor.get_by_label("Ranges: take every serial from the first to the last").check()
    questions = floor.get_by_role("group")
    questions.filter(has_text="names a SKU").get_by_label("Leave them out").check()
    questions.filter(has_text="no serial").get_by_label("Leave them out").check()
    floor.get_by_role("button", name="Receive", exact=True).click()
    floor.get_by_role("heading", name="Receipt R-1001-1").wait_for()
    with account_context(account_a):
        assert sorted(Unit.objects.values_list("serial", flat=True)) == ["A001", "A002", "A003", "SN-9"]
