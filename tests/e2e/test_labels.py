"""Print labels in a real browser: the dialog, its picture, what is refused, a reprint."""

import os
from base64 import b64decode
from io import BytesIO

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import expect

from tests.serials.test_labels import pages, read

LIST = "/acme/inventory/serials/"
LOOKS = [{}, {"color_scheme": "dark"}, {"viewport": {"width": 320, "height": 780}}]
SHOTS = os.environ.get("LOTLINE_SHOTS", "")
"""A folder for pictures of the dialog, for people."""


def open_dialog(page):
    """Labels of two checked units, from the Actions menu; on a phone, whose menu is folded, from the bar."""
    page.goto(f"{LIST}?status=hold&sort=serial")
    for serial in ("LAP00020", "LAP00021"):
        page.get_by_label(f"Select {serial}").check()
    page.locator(".bulk-bar").get_by_role("button", name="Labels", exact=True).click()
    dialog = page.locator("#dialog")
    expect(dialog.get_by_role("heading", name="Print labels")).to_be_visible()
    return dialog


def shown(dialog):
    """What the symbols in the picture say."""
    source = dialog.locator("img").get_attribute("src")
    with Image.open(BytesIO(b64decode(source.partition(",")[2]))) as image:
        return [one.text for one in zxingcpp.read_barcodes(image)]


def test_the_picture_follows_the_choice_and_the_file_is_what_it_shows(page_for, ben, units):
    page = page_for(ben)
    dialog = open_dialog(page)
    assert shown(dialog) == ["LAP00020"]
    dialog.get_by_label("Sheet").select_option("a4-3x10")
    expect(dialog.get_by_text("2 labels on 1 sheet")).to_be_visible()
    assert sorted(shown(dialog)) == ["LAP00020", "LAP00021"]
    dialog.get_by_label("Begin at label").fill("30")
    expect(dialog.get_by_text("2 labels on 2 sheets")).to_be_visible()
    dialog.get_by_label("Symbol").select_option("gs1-datamatrix")
    expect(dialog.get_by_text("has no GTIN")).to_be_visible()
    dialog.get_by_label("Symbol").select_option("code128")
    expect(dialog.locator("img")).to_be_visible()
    page.faults.expect(r"/labels/ net::ERR_ABORTED")  # so Chromium calls a navigation that became a download
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Print").click()
    assert [read(one) for one in pages(download.value.path().read_bytes())] == [["LAP00020"], ["LAP00021"]]
    dialog = open_dialog(page)
    expect(dialog.get_by_text("2 of these 2 were printed before, last by Ben on")).to_be_visible()


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_the_dialog_is_accessible_and_fits(page_for, ana, units, assert_accessible, look):
    page = page_for(ana, **look)
    dialog = open_dialog(page)
    expect(dialog.locator("img")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert_accessible(page)
    if SHOTS:
        name = "dark" if "color_scheme" in look else "phone" if look else "light"
        page.screenshot(path=f"{SHOTS}/dialog-{name}.png")
        dialog.get_by_label("Sheet").select_option("a4-3x10")
        dialog.get_by_label("Begin at label").fill("5")
        expect(dialog.get_by_text("on 1 sheet")).to_be_visible()
        page.screenshot(path=f"{SHOTS}/dialog-{name}-a4.png")
    page.goto("/acme/settings/labels/")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert_accessible(page)
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/sheets-{name}.png", full_page=True)
