"""Documents whose dates lie behind the cursor, or in the future: none is missed for it."""

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from channels_sync.adapters.sandbox_wms import SandboxWms
from channels_sync.contract import Page, Payload, Retry
from channels_sync.models import Connection, Cursor, Health, InboundState
from channels_sync.services import connections, health
from oms.models import Discrepancy
from oms.tenancy import account_context
from replenishment.models import Receipt
from tests.factories import make_sku

pytestmark = pytest.mark.commits("each poll is several transactions")


@pytest.fixture
def vendor(account_a, connection, told, monkeypatch):
    """A list of receipts as (date, number, quantity); the warehouse shows those that changed since it was asked for.

    `vendor.asked` is what it was asked, `vendor.is_broken` makes it break off after the first page,
    `vendor.breaks_before` where it is asked for what is older.
    """
    with account_context(account_a):
        sku = make_sku()
    made = told((sku, 99), planned=False)
    received_at = timezone.now().isoformat()  # not before it was submitted

    class Vendor(list):
        asked: list = []  # noqa: RUF012
        clock: datetime | None = None
        is_broken = False
        breaks_before: datetime | None = None

        def pages(self, since):
            self.asked.append(since)
            if self.breaks_before and since and since < self.breaks_before:
                raise Retry("Too far back.")
            for when, number, quantity in self:
                if since is None or when >= since:
                    yield Page((Payload(number, document(number, quantity), when, 1),))
                if self.is_broken:
                    raise Retry("The answer broke off.")

    def document(number, quantity):
        line = {"line": 1, "sku": sku.code, "quantity": quantity, "lots": [], "units": [], "bin": "A-01-1"}
        received = {"received_at": received_at, "version": 1, "reference": made.number}
        return {"id": number, "lines": [line], **received}

    found = Vendor()
    found.asked = []
    monkeypatch.setattr(SandboxWms, "fetch_receipts", lambda _self, since: found.pages(since))
    monkeypatch.setattr(SandboxWms, "clock", lambda _self: found.clock)
    return found


def swept(account, **before):
    """So long ago it was looked further back."""
    with account_context(account):
        Cursor.objects.update(**{name: timezone.now() - age for name, age in before.items()})


@pytest.mark.parametrize("has_clock", [True, False])
def test_a_date_in_the_future_hides_nothing(account_a, vendor, ask, seen, has_clock):
    now = timezone.now()
    vendor.clock = now if has_clock else None
    vendor[:] = [(now - timedelta(hours=1), "RC-1", 1), (now + timedelta(days=400), "RC-2", 2)]
    ask()
    assert {row.state for row in seen()} == {InboundState.APPLIED}, "the fact is applied"
    assert seen(Cursor)[0].at <= timezone.now() + timedelta(seconds=1)
    (case,) = seen(Discrepancy)
    assert (case.kind, case.is_open) == ("future_date", True)
    assert re.search(r"RC-2 .* is dated \S+ \S+ CES?T, in the future", case.summary), "by the account's clocks"
    vendor.append((timezone.now(), "RC-3", 3))
    ask()
    ask()
    assert [row.external_id for row in seen()] == ["RC-1", "RC-2", "RC-3"]
    assert len(seen(Discrepancy)) == 1


def test_a_cursor_that_stands_in_the_future_already_is_mended(account_a, vendor, ask, seen):
    with account_context(account_a):
        Cursor.objects.update(at=timezone.now() + timedelta(days=400))
    vendor[:] = [(timezone.now() - timedelta(minutes=1), "RC-1", 1)]
    ask()
    assert [row.external_id for row in seen()] == ["RC-1"]
    assert seen(Cursor)[0].at <= timezone.now()


@pytest.mark.parametrize(
    ("late", "sweep", "age"),
    [
        (timedelta(minutes=30), "swept_at", timedelta(minutes=61)),
        (timedelta(minutes=180), "swept_at", timedelta(minutes=61)),
        (timedelta(days=7), "swept_far_at", timedelta(hours=25)),
    ],
)
def test_a_receipt_that_appears_late_is_found(account_a, vendor, ask, seen, late, sweep, age):
    cursor = timezone.now() - timedelta(minutes=20)
    vendor[:] = [(cursor, "RC-1", 1)]
    ask()
    vendor.append((cursor - late, "RC-2", 2))
    ask()
    assert [row.external_id for row in seen()] == ["RC-1"], "it lies behind what is asked each time"
    swept(account_a, **{sweep: age})
    ask()
    assert [(row.external_id, row.state) for row in seen()] == [("RC-1", "applied"), ("RC-2", "applied")]
    assert seen(Cursor)[0].at == cursor, "the cursor goes neither back nor on"
    asked = len(vendor.asked)
    ask()
    assert len(vendor.asked) == asked + 1, "and then it is left until it is time again"


def test_after_a_failed_run_it_is_looked_back_as_far_as_that_began(account_a, vendor, ask, seen, monkeypatch):
    """The first page said how far it was, then the answer broke off; something appears before that meanwhile."""
    start = timezone.now() - timedelta(hours=3)
    vendor[:] = [(start, "RC-1", 1)]
    ask()
    later = start + timedelta(hours=2)
    through = vendor.pages

    def pages(since):
        for page in through(since):
            yield Page(page.payloads, through=page.payloads[0].updated_at)

    monkeypatch.setattr(vendor, "pages", pages)
    vendor[:] = [(later, "RC-2", 2)]
    vendor.is_broken = True
    ask()
    assert seen(Cursor)[0].at == later
    vendor.is_broken = False
    vendor.insert(0, (start + timedelta(hours=1), "RC-3", 3))
    ask()
    assert [row.external_id for row in seen()] == ["RC-1", "RC-2", "RC-3"]
    assert seen(Cursor)[0].sweep_from is None


def test_an_admin_has_it_read_again_from_a_day(account_a, ana, olga, client_for, vendor, connection, ask, seen):
    """On the account's calendar; nothing comes twice, and once it was read it is not read again."""
    cursor = timezone.now() - timedelta(minutes=20)
    vendor[:] = [(cursor, "RC-1", 1)]
    ask()
    vendor.append((cursor - timedelta(days=30), "RC-2", 2))
    ask()
    assert [row.external_id for row in seen()] == ["RC-1"]
    url = f"/acme/sync/connections/{connection.pk}/ask-from/"
    berlin = timezone.localtime(timezone.now(), ZoneInfo("Europe/Berlin"))
    day, today = berlin.date() - timedelta(days=31), berlin.date()
    for wrong in ("", "31.12.2025", today + timedelta(days=1), today - connections.LONGEST_BACK - timedelta(days=1)):
        assert client_for(ana).post(url, {"since": wrong}).status_code == 422, wrong
    assert client_for(olga).post(url, {"since": day}).status_code == 403
    before = len(vendor.asked)
    answer = client_for(ana).post(url, {"since": day}, follow=True).content.decode()
    assert "is being read again" in answer
    assert f"From: {day}" in answer, "who asked for it is in the history"
    ask()
    began = datetime.combine(day, time(), tzinfo=berlin.tzinfo)
    assert vendor.asked[before:] == [cursor - SandboxWms.overlap, began]
    assert [(row.external_id, row.state) for row in seen()] == [("RC-1", "applied"), ("RC-2", "applied")]
    assert len(seen(Receipt)) == 2
    ask()
    assert vendor.asked[before + 2 :] == [cursor - SandboxWms.overlap]


def test_a_look_back_that_breaks_off_is_made_again(account_a, vendor, ask, seen, settings):
    """A run fails; the next one reads what is new, and breaks off in the look back: where that began is remembered."""
    settings.SYNC_FIRST_WAIT_SECONDS = 60  # one try at a time
    start = timezone.now() - timedelta(days=20)
    vendor[:] = [(start, "RC-1", 1)]
    ask()
    vendor.is_broken = True
    ask()
    vendor.is_broken = False
    vendor.append((start + timedelta(days=19), "RC-2", 2))
    vendor.append((start - timedelta(days=5), "RC-3", 3))
    vendor.breaks_before = start - timedelta(minutes=30)
    swept(account_a, swept_at=timedelta(hours=2), swept_far_at=timedelta(hours=25))
    ask()
    assert [row.external_id for row in seen()] == ["RC-1", "RC-2"], "what is new was read"
    (cursor,) = seen(Cursor)
    assert (cursor.failures, cursor.sweep_from) == (2, start - timedelta(days=8))
    assert cursor.next_at <= timezone.now() + timedelta(minutes=5), "and is read again soon"
    vendor.breaks_before = None
    ask()
    assert vendor.asked[-1] == start - timedelta(days=8)
    assert {row.external_id for row in seen()} == {"RC-1", "RC-2", "RC-3"}
    (cursor,) = seen(Cursor)
    assert (cursor.failures, cursor.sweep_from) == (0, None)
    assert cursor.swept_far_at > timezone.now() - timedelta(minutes=5)
    asked = len(vendor.asked)
    ask()
    assert len(vendor.asked) == asked + 1


def test_a_look_back_that_never_works_makes_no_connection_rest(account_a, vendor, ask, seen, settings):
    settings.SYNC_FIRST_WAIT_SECONDS = 600
    vendor[:] = [(timezone.now() - timedelta(minutes=1), "RC-1", 1)]
    ask()
    vendor.breaks_before = timezone.now() - timedelta(hours=2)
    swept(account_a, swept_at=timedelta(hours=2))
    for _ in range(health.BREAKS_AFTER + 1):
        ask()
    (cursor,) = seen(Cursor)
    assert cursor.failures == health.BREAKS_AFTER + 1
    assert cursor.next_at <= timezone.now() + timedelta(minutes=5)
    assert seen(Connection)[0].health == Health.OK
