"""Due work goes to exactly one task, survives a broker that is away, and never holds up a page."""

import base64
import json
import re
import socketserver
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import redis
from celery.beat import PersistentScheduler
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError
from kombu.utils.imports import symbol_by_name

from oms import dispatch
from oms.celery import app, clock
from oms.models import Account, Due, Round
from oms.tasks import dispatch as dispatch_task

pytestmark = pytest.mark.commits("due rows are claimed and committed by several workers")


@pytest.fixture
def queue(monkeypatch):
    """A queue of this test's own; calling it answers the (task, args) that were sent since, and empties it."""
    prefix = f"test-{uuid4().hex}:"
    monkeypatch.setitem(app.conf.broker_transport_options, "global_keyprefix", prefix)
    server = redis.Redis.from_url(settings.REDIS_URL)

    def sent():
        found = []
        for name in ("celery", "jobs"):
            while raw := server.rpop(prefix + name):
                message = json.loads(raw)
                args, _kwargs, _embed = json.loads(base64.b64decode(message["body"]))
                found.append((message["headers"]["task"], *args))
        return found

    yield sent
    for key in server.scan_iter(f"{prefix}*"):
        server.delete(key)
    server.close()


def rows():
    return Counter(Due.objects.values_list("account_id", "kind"))


# --- due and wake -----------------------------------------------------------------------------------------------------
def test_due_is_a_row_of_the_transaction_and_wakes_after_it(queue):
    with transaction.atomic():
        dispatch.due(7, "job")
        assert queue() == []
    assert (rows(), queue()) == ({(7, "job"): 1}, [("oms.tasks.dispatch",)])


def test_due_that_is_rolled_back_never_was(queue):
    with transaction.atomic():
        dispatch.due(7, "job")
        transaction.set_rollback(True)
    assert (rows(), queue()) == ({}, [])


def test_due_said_often_is_one_row_and_one_wake(queue, django_assert_num_queries):
    with transaction.atomic(), django_assert_num_queries(2):
        for _time in range(50):
            dispatch.due(7, "job")
            dispatch.due(7, "outbox")
    assert rows() == {(7, "job"): 1, (7, "outbox"): 1}
    assert queue() == [("oms.tasks.dispatch",)] * 2


def test_due_said_in_a_savepoint_that_is_rolled_back_is_said_again(queue):
    with transaction.atomic():
        with transaction.atomic():
            dispatch.due(7, "job")
            transaction.set_rollback(True)
        dispatch.due(7, "job")
        with transaction.atomic():
            dispatch.due(7, "job")
            transaction.set_rollback(True)
    assert (rows(), queue()) == ({(7, "job"): 1}, [("oms.tasks.dispatch",)])


def test_due_later_does_not_wake(queue):
    dispatch.due(7, "job", at=timezone.now() + timedelta(hours=1))
    assert (rows(), queue()) == ({(7, "job"): 1}, [])


def test_due_of_an_unknown_kind_is_a_mistake_of_ours():
    with pytest.raises(ImproperlyConfigured, match="DUE_TASKS"):
        dispatch.due(7, "no such kind")


class Full(socketserver.BaseRequestHandler):
    """Valkey without memory: it answers, but takes nothing."""

    def handle(self):
        while self.request.recv(65536):
            self.request.sendall(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n" * 3)


class Hung(socketserver.BaseRequestHandler):
    """Valkey that takes a connection and never says a word: the worst way of being away."""

    def handle(self):
        while self.request.recv(65536):
            pass


@pytest.fixture(params=["refused", Hung, Full], ids=str)
def broken_broker(request):
    """The address of a Valkey that is away in one way or another."""
    if request.param == "refused":
        yield "redis://127.0.0.1:9/0"
        return
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), request.param) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever).start()
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        server.shutdown()


def test_without_valkey_due_is_kept_and_soon_answered(broken_broker, monkeypatch, queue, caplog):
    monkeypatch.setenv("CELERY_BROKER_WRITE_URL", broken_broker)
    begun = time.monotonic()
    with transaction.atomic():
        dispatch.due(7, "job")
    assert time.monotonic() - begun < 4.5, "as long as one try of a task may take"
    assert "Valkey takes no tasks" in caplog.text
    with pytest.raises((OperationalError, redis.RedisError)):
        dispatch.dispatch()
    assert rows() == {(7, "job"): 1}
    monkeypatch.delenv("CELERY_BROKER_WRITE_URL")
    assert dispatch.dispatch() == 1
    assert (rows(), queue()) == ({}, [("oms.tasks.run_jobs", 7)])


# --- dispatch ---------------------------------------------------------------------------------------------------------
def test_dispatch_starts_one_task_per_account_and_kind(queue):
    now = timezone.now()
    Due.objects.bulk_create(
        Due(account_id=account, kind=kind, at=now - timedelta(seconds=age))
        for account, kind, age in [(2, "job", 3), (1, "outbox", 2), (1, "job", 1), (2, "job", 1), (1, "job", 0)]
    )
    assert dispatch.dispatch(now) == 5
    assert sorted(queue()) == [("oms.tasks.drain_outbox", 1), ("oms.tasks.run_jobs", 1), ("oms.tasks.run_jobs", 2)]
    assert rows() == {}
    assert dispatch.dispatch(now) == 0


def test_dispatch_leaves_what_is_due_later_and_what_it_does_not_know(queue):
    now = timezone.now()
    Due.objects.create(account_id=1, kind="job", at=now + timedelta(seconds=5))
    Due.objects.create(account_id=1, kind="of a newer version", at=now - timedelta(days=1))
    assert dispatch.dispatch(now) == 0
    assert dispatch.dispatch(now + timedelta(seconds=5)) == 1
    assert (rows(), queue()) == ({(1, "of a newer version"): 1}, [("oms.tasks.run_jobs", 1)])


def test_dispatch_takes_a_batch_the_oldest_first(queue, monkeypatch):
    monkeypatch.setattr(dispatch, "BATCH", 3)
    now = timezone.now()
    Due.objects.bulk_create(
        Due(account_id=account, kind="job", at=now - timedelta(seconds=account)) for account in range(1, 8)
    )
    assert [dispatch.dispatch(now) for _time in range(4)] == [3, 3, 1, 0]
    assert [account for _task, account in queue()] == [7, 6, 5, 4, 3, 2, 1]


def test_each_due_row_goes_to_exactly_one_of_two_dispatchers(queue, monkeypatch):
    """The first has claimed its rows and not committed when the second comes, which neither waits nor takes them."""
    Due.objects.bulk_create(Due(account_id=account, kind="job") for account in range(1, 6))
    has_claimed, may_commit, counts = threading.Event(), threading.Event(), []

    def first():
        try:
            with transaction.atomic():
                counts.append(dispatch.dispatch())
                has_claimed.set()
                assert may_commit.wait(60)
        finally:
            has_claimed.set()
            connection.close()

    monkeypatch.setattr(dispatch, "BATCH", 2)
    thread = threading.Thread(target=first)
    thread.start()
    assert has_claimed.wait(60)
    monkeypatch.setattr(dispatch, "BATCH", 1000)
    counts.append(dispatch.dispatch())
    may_commit.set()
    thread.join()
    assert counts == [2, 3]
    assert sorted(queue()) == [("oms.tasks.run_jobs", account) for account in range(1, 6)]
    assert rows() == {}


def test_many_dispatchers_at_once_share_the_rows(queue, monkeypatch):
    monkeypatch.setattr(dispatch, "BATCH", 10)
    Due.objects.bulk_create(Due(account_id=account, kind="job") for account in range(1, 101))
    start, counts = threading.Barrier(4), []

    def work():
        try:
            start.wait(60)
            while count := dispatch.dispatch():
                counts.append(count)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 100
    assert Counter(account for _task, account in queue()) == Counter(range(1, 101))


# --- tasks ------------------------------------------------------------------------------------------------------------
def test_the_dispatch_task_goes_on_until_nothing_is_due(queue, monkeypatch):
    monkeypatch.setattr(dispatch, "BATCH", 2)
    Due.objects.bulk_create(Due(account_id=account, kind="job") for account in range(1, 6))
    dispatch_task()
    assert (len(queue()), rows()) == (5, {})


def test_rounds_make_work_due_in_every_account(account_a, account_b):
    before = timezone.now()
    dispatch.make_rounds(["outbox", "tidy"])
    assert rows() == {
        (pk, kind): 1 for pk in Account.objects.values_list("pk", flat=True) for kind in ("outbox", "tidy")
    }
    assert all(
        before - timedelta(seconds=5) <= at <= timezone.now() + timedelta(minutes=5)
        for at in Due.objects.values_list("at", flat=True)
    )


# --- rounds, by the database's clock ----------------------------------------------------------------------------------
def made(kind, **ago):
    """Let a round have been made so long ago; before a moment that is yet to come where it is negative."""
    Round.objects.filter(kind=kind).update(made_at=timezone.now() - timedelta(**ago))


def test_a_round_is_made_when_its_time_has_come_and_once(account_a, account_b):
    assert dispatch.hold_rounds() == set(), "a new installation has just begun"
    made("tidy", seconds=settings.ROUNDS["tidy"] - 60)
    made("sync.push", seconds=settings.ROUNDS["sync.push"] + 1)
    kinds = []
    threads = [
        threading.Thread(target=lambda: (kinds.append(dispatch.hold_rounds()), connection.close())) for _n in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kinds, key=len) == [set(), {"sync.push"}]
    assert rows() == {(pk, "sync.push"): 1 for pk in (account_a.pk, account_b.pk)}


def test_a_clock_that_was_a_day_ahead_stops_no_round_and_no_due_work(account_a):
    dispatch.hold_rounds()
    made("outbox", days=-1)
    Due.objects.create(account_id=account_a.pk, kind="job", at=timezone.now() + timedelta(days=1))
    assert dispatch.hold_rounds() == {"outbox"}
    assert dispatch.hold_rounds() == set()
    assert rows() == {(account_a.pk, "job"): 1, (account_a.pk, "outbox"): 1}
    longest = timezone.now() + timedelta(hours=1, seconds=5)
    assert Due.objects.filter(at__gt=longest).count() == 0


def test_a_start_looks_at_every_wait_at_once(account_a, account_b):
    Due.objects.create(account_id=account_a.pk, kind="job", at=timezone.now() + timedelta(days=1))
    dispatch.look_at_all_waits()
    at_once = Due.objects.filter(kind="waits", at__lte=timezone.now() + timedelta(seconds=5))
    assert sorted(at_once.values_list("account_id", flat=True)) == sorted([account_a.pk, account_b.pk])
    assert Due.objects.get(kind="job").at <= timezone.now() + timedelta(hours=1, seconds=5)


def test_healthz_says_when_the_dispatcher_last_ran(client, queue):
    assert client.get("/healthz/").content.decode() == "ok\ndispatched not yet\n"
    dispatch_task()
    assert re.fullmatch(
        r"ok\ndispatched \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, \d+ s ago\n", client.get("/healthz/").content.decode()
    )
    made("dispatch", hours=2)
    assert re.search(r", 72\d\d s ago", client.get("/healthz/").content.decode())


def test_beat_sends_only_the_dispatcher_by_a_clock_that_nobody_sets(monkeypatch):
    scheduler = symbol_by_name(clock.conf.beat_scheduler)(clock)
    assert not isinstance(scheduler, PersistentScheduler), "a file would keep a wrong moment"
    assert [entry.task for entry in scheduler.schedule.values()] == ["oms.tasks.dispatch"]
    (entry,) = scheduler.schedule.values()
    monkeypatch.setattr("oms.celery.monotonic", lambda: time.monotonic() + 3)
    monkeypatch.setattr(type(clock), "now", lambda self: datetime(1999, 1, 1, tzinfo=UTC))  # somebody set it back
    assert entry.is_due().is_due
    assert 0 < next(entry).is_due().next <= 2
