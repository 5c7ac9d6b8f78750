"""The main job in a real browser: the seed's replenishment steps in their order, to Ready in the grid.

A real worker pushes the purchase order to the sandbox warehouse, a process of its own, and pulls its receipt. Then all
that counts pieces is compared: units, history, stock, and the sandbox's own count.
"""

from collections import Counter
from contextlib import suppress

import pytest
from django.db.models import Sum
from playwright.sync_api import expect

from oms.models import Stock
from oms.tenancy import account_context
from serials.models import Unit, UnitEvent
from tests.channels_sync.test_worker import QUICK, wait_until
from tests.channels_sync.warehouse import WarehouseProcess, connect
from tests.e2e.lists import column
from tests.e2e.test_replenishment import insert
from tests.factories import make_serialized_sku, make_sku
from tests.serials.test_labels import pages, read
from tests.worker_process import WorkerProcess

pytestmark = pytest.mark.commits("the browser's server has a connection of its own")
SERIALS = [f"SN0000000{number}" for number in range(1, 6)]


@pytest.fixture
def worker(django_db_setup, django_db_blocker, tmp_path):
    process = WorkerProcess(tmp_path, env=QUICK)
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.stop()


@pytest.fixture
def warehouse(tmp_path, settings):
    """A sandbox that receives after a moment."""
    settings.LOTLINE_PRIVATE_HOSTS = ["*"]
    process = WarehouseProcess(tmp_path, delay=0.5)
    process.client = "acme"
    yield process
    with suppress(ProcessLookupError, ValueError):
        process.end()


@pytest.fixture
def goods(account_a, warehouse):
    with account_context(account_a):
        connect(warehouse)
        return [make_serialized_sku(code="LAP-1"), make_serialized_sku(code="LAP-2"), make_sku(code="MOUSE")]


def plan(page):
    """Select all lines, Generate Serials, download all serials and all labels; their bytes."""
    page.get_by_role("button", name="Generate Serials").click()
    popup, files = page.get_by_role("dialog"), []
    for role, name in (("link", "Download all serials"), ("button", "Labels for all SKUs")):
        with page.expect_download() as file:
            popup.get_by_role(role, name=name).click()
        files.append(file.value.path().read_bytes())
    page.keyboard.press("Escape")
    return files


def received(account):
    with account_context(account):
        return dict(Unit.objects.exclude(bin=None).values_list("serial", "bin__name"))


def texts(page, label):
    return column(page, label).all_inner_texts()


def grid(page):
    """serial → bin of the Serials page; every unit is Ready, and its history says how it came."""
    page.goto("/acme/inventory/serials/?process_id=R-1001&sort=serial")
    assert texts(page, "Serial") == SERIALS
    assert texts(page, "Status") == ["Ready"] * 5
    found = dict(zip(texts(page, "Serial"), texts(page, "BIN"), strict=True))
    page.locator(".expander").first.click()
    history = page.locator(".row-detail tbody tr")
    history.first.wait_for()
    assert history.locator("td[data-label=Status]").all_inner_texts() == ["Ready", "Incoming"]
    return found


def stock(page):
    """SKU → pieces of the Stock page."""
    page.goto("/acme/inventory/stock/")
    return total(zip(texts(page, "SKU"), map(int, texts(page, "Quantity")), strict=True))


def total(pairs):
    found = Counter()
    for sku, quantity in pairs:
        found[sku] += quantity
    return found


def test_the_steps_of_the_seed_to_ready_in_the_grid(page_for, olga, account_a, goods, warehouse, worker):
    page = page_for(olga)
    page.faults.expect("ERR_ABORTED")  # what Chromium calls a navigation that turned out to be a download
    insert(page)
    csv, labels = plan(page)
    assert [line.split(",")[1] for line in csv.decode("utf-8-sig").split()[1:]] == SERIALS
    assert [read(label) for label in pages(labels)] == [[serial] for serial in SERIALS]
    page.get_by_role("link", name="Submit Replenishment").click()
    page.get_by_role("dialog").get_by_role("button", name="Submit Replenishment").click()
    page.locator(".page-title .badge", has_text="In-Transit").wait_for()
    wait_until(lambda: len(received(account_a)) == 5, what=f"5 units are received. {worker.log}", seconds=90)

    assert grid(page) == received(account_a) == warehouse.units()
    theirs = warehouse.http.get("/stock", params={"client": warehouse.client}).json()["items"]
    assert (
        stock(page) == total((row["sku"], row["quantity"]) for row in theirs) == {"LAP-1": 3, "LAP-2": 2, "MOUSE": 10}
    )
    with account_context(account_a):
        assert Stock.objects.aggregate(Sum("quantity"))["quantity__sum"] == 15
        rows = sorted(UnitEvent.objects.values_list("serial", "event"))
    assert rows == sorted((serial, event) for serial in SERIALS for event in ("expect", "receive"))
    counts = warehouse.counts()
    assert (counts["by_reference"], counts["receipts"], counts["units"]) == ({"R-1001": 1}, 1, 5)
    page.goto("/acme/replenishments/")
    page.get_by_role("link", name="R-1001").click()
    expect(page.locator(".page-title .badge")).to_have_text("Completed")
