"""A message exists if and only if its fact does, and is heard exactly once, in the order of its aggregate."""

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from oms import outbox
from oms.models import Due, OutboxMessage, Sku
from oms.tasks import drain_outbox, tidy
from oms.tenancy import NoAccount, account_context
from tests.worker_settings import TEST_SUBSCRIBERS

pytestmark = pytest.mark.commits("messages are delivered in transactions of their own")


@pytest.fixture(autouse=True)
def subscribers(settings):
    settings.OUTBOX_SUBSCRIBERS = TEST_SUBSCRIBERS


def publish(account, aggregate="a", **payload):
    with account_context(account):
        return outbox.publish("test.heard", aggregate, payload).pk


def heard(account):
    """The ids of the messages that were heard, in order: the subscriber makes a SKU of each."""
    with account_context(account):
        return [int(code.removeprefix("heard-")) for code in Sku.objects.order_by("pk").values_list("code", flat=True)]


def message(account, pk):
    with account_context(account):
        return OutboxMessage.objects.get(pk=pk)


def make_ripe(account):
    with account_context(account):
        OutboxMessage.objects.filter(done_at=None).update(next_at=Now() - timedelta(seconds=1))


# --- publish ----------------------------------------------------------------------------------------------------------
def test_a_message_is_part_of_its_transaction(account_a):
    with account_context(account_a):
        outbox.publish("test.heard", "a")
        transaction.set_rollback(True)
    with account_context(account_a):
        assert OutboxMessage.objects.count() == 0
    assert not Due.objects.exists()


def test_publish_about_a_row(account_a):
    with account_context(account_a):
        sku = Sku.objects.create(code="A", name="A")
        found = outbox.publish("test.heard", sku)
    assert (found.aggregate, found.payload) == (f"oms.sku:{sku.pk}", {"id": sku.pk})
    assert Due.objects.get().kind == "outbox"


def test_publish_needs_a_known_topic_and_an_account(account_a):
    with account_context(account_a), pytest.raises(ImproperlyConfigured, match="OUTBOX_SUBSCRIBERS"):
        outbox.publish("test.unheard-of", "a")
    with pytest.raises(NoAccount):
        outbox.publish("test.heard", "a")


# --- drain ------------------------------------------------------------------------------------------------------------
def test_messages_are_heard_in_order_and_once(account_a, account_b):
    sent = [publish(account_a, aggregate) for aggregate in "abacab"]
    other = publish(account_b)
    assert outbox.drain(account_a.pk) == 6
    assert outbox.drain(account_a.pk) == 0
    assert heard(account_a) == sent
    assert heard(account_b) == []
    drain_outbox(account_b.pk)
    assert heard(account_b) == [other]
    assert message(account_a, sent[0]).done_at is not None


def test_a_topic_that_nobody_subscribed_is_done(account_a):
    with account_context(account_a):
        pk = outbox.publish("test.nobody", "a").pk
    assert outbox.drain(account_a.pk) == 1
    assert message(account_a, pk).done_at is not None


def test_a_failing_message_waits_with_its_aggregate_only(account_a, tmp_path):
    gate = tmp_path / "closed"
    gate.touch()
    first = publish(account_a, "a")
    bad = publish(account_a, "a", fails_while=str(gate), why="no")
    after = publish(account_a, "a")
    other = publish(account_a, "b")
    Due.objects.all().delete()

    assert outbox.drain(account_a.pk) == 2
    assert heard(account_a) == [first, other]  # what the failing subscriber wrote is rolled back
    found = message(account_a, bad)
    assert (found.attempts, found.error, found.done_at) == (1, "RuntimeError: told to fail: no", None)
    assert timedelta(seconds=3) < found.next_at - timezone.now() < timedelta(seconds=6.1)
    assert Due.objects.get().at == found.next_at
    assert message(account_a, after).attempts == 0

    gate.unlink()
    assert outbox.drain(account_a.pk) == 0  # not before its time
    make_ripe(account_a)
    assert outbox.drain(account_a.pk) == 2
    assert heard(account_a) == [first, other, bad, after]
    assert message(account_a, bad).error == ""


def test_waits_grow_up_to_an_hour(account_a, tmp_path):
    pk, waits = publish(account_a, "a", fails_while=str(tmp_path)), []
    for _attempt in range(12):
        make_ripe(account_a)
        outbox.drain(account_a.pk)
        waits.append((message(account_a, pk).next_at - timezone.now()).total_seconds())
    assert all(3 * 2**n < wait < 6.5 * 2**n for n, wait in enumerate(waits[:9]))
    assert all(2800 < wait < 4400 for wait in waits[10:])
    assert message(account_a, pk).attempts == 12


def test_a_topic_whose_subscribers_are_gone_waits(account_a, settings):
    pk = publish(account_a)
    settings.OUTBOX_SUBSCRIBERS = {}
    assert outbox.drain(account_a.pk) == 0
    assert message(account_a, pk).attempts == 1
    settings.OUTBOX_SUBSCRIBERS = TEST_SUBSCRIBERS
    make_ripe(account_a)
    assert outbox.drain(account_a.pk) == 1


def test_what_took_too_long_goes_on_in_another_task(account_a, monkeypatch):
    publish(account_a)
    Due.objects.all().delete()
    monkeypatch.setattr(outbox, "SLICE_SECONDS", -1)
    assert outbox.drain(account_a.pk) == 0
    assert Due.objects.get().kind == "outbox"


def test_delivered_messages_are_forgotten_in_the_end(account_a, account_b, tmp_path):
    old, new, other = publish(account_a), publish(account_a), publish(account_b)
    bad = publish(account_a, fails_while=str(tmp_path))
    outbox.drain(account_a.pk)
    outbox.drain(account_b.pk)
    for account in (account_a, account_b):
        with account_context(account):
            OutboxMessage.objects.filter(pk__in=[old, other]).update(done_at=Now() - timedelta(days=31))
    tidy(account_a.pk)
    with account_context(account_a):
        assert set(OutboxMessage.objects.values_list("pk", flat=True)) == {new, bad}
    with account_context(account_b):
        assert OutboxMessage.objects.get().pk == other


# --- side by side -----------------------------------------------------------------------------------------------------
def test_while_a_message_is_being_heard_its_aggregate_waits_and_others_go_on(account_a):
    first, second, other = publish(account_a, "a"), publish(account_a, "a"), publish(account_a, "b")
    is_held, may_end = threading.Event(), threading.Event()

    def hold():
        try:
            with account_context(account_a):
                OutboxMessage.objects.select_for_update().get(pk=first)
                is_held.set()
                assert may_end.wait(60)
        finally:
            is_held.set()
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(60)
    assert outbox.drain(account_a.pk) == 1
    assert heard(account_a) == [other]
    may_end.set()
    thread.join()
    assert outbox.drain(account_a.pk) == 2
    assert heard(account_a) == [other, first, second]


def test_many_drains_at_once_hear_each_message_once_and_in_order(account_a):
    sent = {name: [] for name in "abcde"}
    for _round in range(12):
        for name, pks in sent.items():
            pks.append(publish(account_a, name))
    start, counts = threading.Barrier(4), []

    def work():
        try:
            start.wait(60)
            counts.append(outbox.drain(account_a.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 60
    with account_context(account_a):
        for name, pks in sent.items():
            rows = Sku.objects.filter(name=name).order_by("pk").values_list("code", flat=True)
            assert list(rows) == [f"heard-{pk}" for pk in pks]


def test_draining_asks_as_much_for_the_hundredth_message_as_for_the_first(account_a, django_assert_max_num_queries):
    def queries(count):
        for _n in range(count):
            publish(account_a)
        with django_assert_max_num_queries(1000) as found:
            assert outbox.drain(account_a.pk) == count
        return len(found.captured_queries)

    assert queries(50) - queries(2) == 48 * (queries(3) - queries(2))
