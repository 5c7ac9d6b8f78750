"""A real Chromium against a real server thread.

A page that violates the content security policy, logs an error or fails to load something fails its test.
"""

import os
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import sync_playwright

from oms.models import BinKind, OrderLine
from oms.tenancy import account_context
from serials.lifecycle import Actor, Event
from serials.models import Unit, UnitAttribute
from serials.services import Fact, Row, record_event
from serials.services.units import By, annotate_units, move_units, reserve_units, ship_units
from tests.conftest import BACKEND, chromium
from tests.factories import make_bin, make_order, make_serialized_sku, make_warehouse_link

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
SCREENSHOTS = Path(os.environ.get("LOTLINE_SCREENSHOTS", "")) if os.environ.get("LOTLINE_SCREENSHOTS") else None
CSP_LISTENER = """document.addEventListener('securitypolicyviolation', fault =>
    console.error(`CSP violation: ${fault.violatedDirective} ${fault.blockedURI} ${fault.sourceFile}`))"""


@pytest.fixture(scope="session")
def browser():
    """One Chromium for the session."""
    path = chromium()
    if path is None:
        pytest.fail("LOTLINE_REQUIRE_BROWSER is set, but there is no Chromium on PATH.")
    # Playwright's sync API runs an event loop in this thread; Django would take database calls here for async ones.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Faults(list):
    """What went wrong on a page; `expect(pattern)` takes out what the test provoked on purpose."""

    def __init__(self):
        super().__init__()
        self.expected = []

    def expect(self, pattern):
        self.expected.append(re.compile(pattern))

    def unexpected(self):
        return [text for text in self if not any(pattern.search(text) for pattern in self.expected)]


def _is_cut_off(request):
    """Going to another page ends what the old one was still asking; nobody misses it."""
    return "ERR_ABORTED" in (request.failure or "")


def _is_replaced(text):
    """htmx gives up a question for a newer one (hx-sync) and calls that an error; a question that fails sends more."""
    return text.startswith(("htmx:sendAbort", "htmx:afterRequest"))


def _hear(faults, message):
    if message.type == "error" and not _is_replaced(message.text):
        faults.append(f"console: {message.text}")


def _watch(page):
    faults = Faults()
    page.add_init_script(CSP_LISTENER)
    page.on("console", lambda message: _hear(faults, message))
    page.on("pageerror", lambda error: faults.append(f"script error: {error}"))
    page.on("requestfailed", lambda request: None if _is_cut_off(request) else faults.append(f"failed: {request.url}"))
    page.on(
        "response", lambda answer: faults.append(f"{answer.status}: {answer.url}") if answer.status >= 500 else None
    )
    page.faults = faults
    return page


@pytest.fixture
def page_for(browser, live_server, request):
    """`page_for(person, **context_options)`: a signed-in page whose relative addresses go to the live server.

    `page_for(None)` is nobody. `page.faults.expect(r"404")` names errors that the test provokes. The pages' screenshots
    are kept where the environment names a folder in LOTLINE_SCREENSHOTS.
    """
    contexts, pages = [], []

    def open_page(person, **options):
        options = {"viewport": {"width": 1366, "height": 860}, "reduced_motion": "reduce", **options}
        context = browser.new_context(base_url=live_server.url, **options)
        context.set_default_timeout(8_000)
        contexts.append(context)
        if person is not None:
            client = Client()
            client.force_login(person, backend=BACKEND)
            value = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": live_server.url}])
        page = _watch(context.new_page())
        pages.append(page)
        return page

    yield open_page
    found = [fault for page in pages for fault in page.faults.unexpected()]
    if SCREENSHOTS:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for number, page in enumerate(pages):
            name = re.sub(r"[^a-zA-Z0-9_-]+", "-", request.node.name)
            page.screenshot(path=SCREENSHOTS / f"{name}-{number}.png", full_page=True)
    for context in contexts:
        context.close()
    assert found == []


@pytest.fixture
def assert_accessible():
    """`assert_accessible(page)`: axe finds nothing (WCAG 2.2 A and AA, and its best practices)."""

    def check(page, *, ignore=()):
        results = Axe().run(page).response["violations"]
        found = [
            f"{fault['id']} ({fault['impact']}): {fault['help']}: {[node['html'][:200] for node in fault['nodes']]}"
            for fault in results
            if fault["id"] not in ignore
        ]
        assert found == []

    return check


@pytest.fixture
def units(account_a, wes):
    """Ten units of each status, and two that are void; serial → id."""
    by_warehouse = By(Actor.WAREHOUSE, reason="Box wet")
    with account_context(account_a):
        sku, link = make_serialized_sku(code="L2201308", product_id="88310", name="Laptop 14"), make_warehouse_link()
        place = {kind: make_bin(link=link, location="Zone A", name=f"A-{kind}", kind=kind) for kind in BinKind.values}
        line = OrderLine.objects.get(order=make_order(sku, quantity=60, number="SO-5001"))
        rows = [Row(sku_id=sku.pk, serial=f"LAP{number:05}") for number in range(62)]
        record_event(Fact(Event.EXPECT, Actor.OFFICE, process_id="R-1001"), rows)
        pks = list(Unit.objects.order_by("pk").values_list("pk", flat=True))
        received = [Row(unit_id=pk, bin_id=place["pick"].pk) for pk in pks[:50]]
        record_event(Fact(Event.RECEIVE, Actor.WAREHOUSE, wes.pk, process_id="R-1001"), received)
        record_event(Fact(Event.VOID, Actor.OFFICE, process_id="R-1001"), [Row(unit_id=pk) for pk in pks[60:]])
        reserve_units(unit_ids=pks[10:20], line=line, by=By(Actor.OFFICE))
        move_units(unit_ids=pks[20:30], to=place["reserved"], by=by_warehouse, process_id="M-1")
        move_units(unit_ids=pks[30:40], to=place["damaged"], by=by_warehouse, process_id="M-2")
        ship_units(rows=[Row(unit_id=pk) for pk in pks[40:50]], line=line, by=by_warehouse)
        long = "Call the customer before this one ships, they asked for it twice on the phone"
        annotate_units(rows=[Row(unit_id=pk, oms_notes=long) for pk in pks[20:25]], by=By(Actor.OFFICE))
        UnitAttribute.objects.create(unit_id=pks[20], name="Colour", value="Space grey")
        return dict(Unit.objects.values_list("serial", "pk"))
