"""A clock that was a day ahead once: messages still go out and documents still come in."""

import re
from datetime import timedelta

import pytest
from django.db import connections as databases
from django.utils import timezone

from channels_sync.models import Connection, Cursor, Delivery, DeliveryState
from channels_sync.queries.lists import connections
from channels_sync.sandbox.store import Store
from channels_sync.services.health import backoff
from channels_sync.services.push import push
from oms import dispatch
from oms.tasks import cut_waits
from oms.tenancy import account_context

pytestmark = pytest.mark.commits("a message is claimed, sent and noted in transactions of their own")
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


@pytest.mark.parametrize("state", [DeliveryState.WAITING, DeliveryState.SENDING])
def test_what_was_written_while_the_clock_was_ahead_is_sent(account_a, connection, sent, deliveries, settings, state):
    sent()
    ahead = timezone.now() + DAY
    with account_context(account_a):
        Delivery.objects.update(state=state, next_at=ahead, lease_until=ahead if state == "sending" else None)
        Cursor.objects.update(next_at=ahead)
        Connection.objects.update(seconds=60, resting_until=ahead + HOUR, asked_until=ahead, error_at=ahead)
    settings.SYNC_LEASE_SECONDS = 0
    assert push(account_a.pk) == 0
    cut_waits(account_a.pk)
    with account_context(account_a):
        found = Connection.objects.get()
        assert max(found.resting_until, found.asked_until) <= timezone.now()
        assert Cursor.objects.get().next_at <= timezone.now() + HOUR + SECOND
        assert connections().get().pk == connection.pk
    settings.SYNC_LEASE_SECONDS = 60
    assert push(account_a.pk) == 1
    assert [row.state for row in deliveries()] == [DeliveryState.SENT]


@pytest.mark.parametrize(("attempts", "wait"), [(10, HOUR / 2), (20, DAY * 0.9)])
def test_waits_that_can_be_are_left_as_they_are(account_a, connection, sent, settings, attempts, wait):
    """The other system asked us to stay away for half a day, and a message that failed often is tried again late."""
    sent()
    settings.SYNC_FIRST_WAIT_SECONDS, now = 5.0, timezone.now()
    assert backoff(attempts) > wait / 1.5
    with account_context(account_a):
        Delivery.objects.update(attempts=attempts, next_at=now + wait)
        Connection.objects.update(asked_until=now + DAY / 2, resting_until=now + HOUR / 2, error_at=now)
    cut_waits(account_a.pk)
    with account_context(account_a):
        assert Delivery.objects.get().next_at == now + wait
        found = Connection.objects.get()
        assert (found.asked_until, found.resting_until) == (now + DAY / 2, now + HOUR / 2)


@pytest.mark.parametrize("path", ["connections/", "connections/{pk}/", "runs/", "messages/out/", "messages/in/"])
def test_the_pages_say_when_work_was_last_handed_out(account_a, ana, client_for, connection, path):
    """And plainly where that is too long ago, or never was."""

    def page():
        text = client_for(ana).get(f"/{account_a.slug}/sync/{path.format(pk=connection.pk)}").content.decode()
        found = re.search(r"(\d+ (?:second|minute))s? ago", text)
        return "Sending and asking stand still" in text, found and found[1]

    assert page() == (True, None)
    dispatch.hold_rounds()
    is_late, age = page()
    assert (is_late, age.split()[1]) == (False, "second")
    with databases["default"].cursor() as cursor:
        cursor.execute("UPDATE oms_round SET made_at = made_at - interval '3 minutes' WHERE kind = 'dispatch'")
    assert page() == (True, "3 minute")


def test_a_message_waits_no_longer_than_its_tries_say(account_a, connection, sent, settings):
    sent()
    settings.SYNC_FIRST_WAIT_SECONDS = 5.0
    with account_context(account_a):
        Delivery.objects.update(attempts=3, next_at=timezone.now() + DAY)
    cut_waits(account_a.pk)
    with account_context(account_a):
        assert Delivery.objects.get().next_at <= timezone.now() + 25 * SECOND


def test_goods_of_the_sandbox_do_not_arrive_a_day_late(tmp_path):
    store = Store(tmp_path)
    pk = store.add("client", "R-1", "key", {"lines": []}, due_at=1000.0 + DAY.total_seconds())
    store.cut_waits(1003.0)
    assert [order["id"] for order in store.due(1003.0)] == [pk]
    store.close()
