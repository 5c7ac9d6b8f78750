"""Whether a connection works: what is waited for, what stops it, what a page says, and who is told."""

import threading
from contextlib import suppress

import pytest
from django.db import Error as DatabaseError, connections as databases
from django.utils import timezone

from channels_sync.adapters.sandbox_wms import SandboxWms
from channels_sync.contract import Flow, Rejected, Retry
from channels_sync.models import (
    Condition,
    Connection,
    Cursor,
    Delivery,
    DeliveryState,
    Fault,
    Health,
    Run,
    RunState,
)
from channels_sync.queries import lists
from channels_sync.services import connections, health
from channels_sync.services.adapters import opened
from channels_sync.services.push import push
from oms.models import Discrepancy
from oms.services.discrepancies import close_discrepancy
from oms.tenancy import account_context
from tests.channels_sync.warehouse import LOCKS_WAITED_FOR
from tests.factories import make_serialized_sku
from tests.worker_process import wait_until

pytestmark = pytest.mark.commits("threads and tasks see what is committed")


def ripen(account):
    """The time for which a connection waits is over."""
    with account_context(account):
        Delivery.objects.filter(state=DeliveryState.WAITING).update(next_at=timezone.now())
        Connection.objects.update(resting_until=None, asked_until=None)


@pytest.fixture
def shown(account_a):
    """`shown()`: the connection as its page reads it."""

    def read():
        with account_context(account_a):
            return lists.connections().get()

    return read


# --- who is not let in ------------------------------------------------------------------------------------------------
def test_a_refused_token_is_tried_again_before_anybody_is_troubled(
    account_a, warehouse, connection, sent, deliveries, seen, shown
):
    """It may be a hiccup of theirs: after 1, 5, 15 and 60 minutes, then it is stopped, and told once."""
    made = sent()
    warehouse.fault(do="status", status=401, times=0)
    waits = []
    for _ in range(4):
        push(account_a.pk)
        assert (deliveries()[0].state, shown().condition) == (DeliveryState.WAITING, Condition.SUSPECT)
        waits.append(round((shown().resting_until - timezone.now()).total_seconds() / 60))
        assert push(account_a.pk) == 0, "it is left alone meanwhile"
        ripen(account_a)
    assert waits == [1, 5, 15, 60]
    assert seen(Discrepancy) == []
    for _ in range(2):
        push(account_a.pk)
        ripen(account_a)
    assert (deliveries()[0].state, shown().condition) == (DeliveryState.WAITING, Condition.STOPPED)
    (case,) = seen(Discrepancy)
    assert (case.kind, case.is_open) == ("connection_stopped", True)
    assert "check the access data" in case.summary
    warehouse.clear()
    with account_context(account_a):
        connections.ask_now(connection_id=connection.pk)
    assert shown().condition == Condition.UNTRIED
    assert push(account_a.pk) == 1
    assert warehouse.counts()["by_reference"] == {made.number: 1}
    assert seen(Discrepancy, is_open=True) == []
    assert shown().condition == Condition.OK


@pytest.mark.parametrize("status", [401, 403])
def test_one_hiccup_costs_a_minute_and_nobody_is_told(account_a, warehouse, connection, sent, seen, shown, status):
    sent()
    warehouse.fault(do="status", status=status)
    push(account_a.pk)
    assert shown().condition == Condition.SUSPECT
    ripen(account_a)
    assert push(account_a.pk) == 1
    assert (shown().condition, shown().refusals, shown().error) == (Condition.OK, 0, "")
    assert seen(Discrepancy) == []


def test_a_right_that_is_missing_for_one_flow_is_told_although_others_work(
    account_a, warehouse, connection, sent, ask, seen, shown
):
    warehouse.fault(do="status", status=403, on="GET /receipts", times=0)
    for _ in range(5):
        sent()
        ripen(account_a)
        assert push(account_a.pk) == 1
        ask()
    assert shown().condition == Condition.STOPPED
    assert [case.kind for case in seen(Discrepancy)] == ["connection_stopped"]


def test_a_private_address_stops_at_once(account_a, warehouse, connection, sent, deliveries, seen, shown, settings):
    settings.LOTLINE_PRIVATE_HOSTS = []
    sent()
    push(account_a.pk)
    assert (deliveries()[0].state, shown().condition) == (DeliveryState.WAITING, Condition.STOPPED)
    assert [case.kind for case in seen(Discrepancy)] == ["connection_stopped"]


def test_a_call_under_way_does_not_start_again_what_is_stopped(
    account_a, warehouse, connection, sent, ask, seen, shown, monkeypatch
):
    """A pull is asking when push is led elsewhere; it ends well, and later others of its kind, or not at all."""
    sent()
    warehouse.fault(do="status", status=302, on="POST /purchase-orders", times=0)
    fetch = SandboxWms.fetch_receipts

    def meanwhile(self, since):
        assert push(account_a.pk) == 0
        yield from fetch(self, since)

    monkeypatch.setattr(SandboxWms, "fetch_receipts", meanwhile)
    ask()
    assert shown().condition == Condition.STOPPED
    with account_context(account_a):
        for flow in Flow:
            health.note_success(connection.pk, flow)
            health.note_failure(connection.pk, Retry("It took too long."), flow)
    assert (shown().condition, shown().failures) == (Condition.STOPPED, 0)
    assert "leads elsewhere" in shown().error, "why it is stopped"
    ripen(account_a)
    assert (push(account_a.pk), ask()) == (0, 0)
    assert [(case.kind, case.is_open) for case in seen(Discrepancy)] == [("connection_stopped", True)]


def test_settings_that_are_not_whole_stop_it_at_once(account_a, warehouse, connection, sent, deliveries, seen, shown):
    first, second = sent(), sent()
    with account_context(account_a):
        good = Connection.objects.get().secrets
        Connection.objects.update(secrets="")
    assert push(account_a.pk) == 0
    assert [row.state for row in deliveries()] == [DeliveryState.WAITING, DeliveryState.WAITING]
    assert shown().health == Health.STOPPED
    assert "token" not in shown().error, "no names of fields"
    with account_context(account_a):
        Connection.objects.update(secrets=good)
        connections.ask_now(connection_id=connection.pk)
    assert push(account_a.pk) == 2
    assert warehouse.counts()["by_reference"] == {first.number: 1, second.number: 1}
    assert [case.is_open for case in seen(Discrepancy)] == [False]


# --- what is waited for -----------------------------------------------------------------------------------------------
def test_a_shorter_wait_never_overwrites_a_longer_one(account_a, connection, shown):
    """Two calls over one connection were answered: stay away for an hour; for eight seconds."""
    with account_context(account_a):
        for seconds in (3600.0, 8.0):
            health.note_failure(connection.pk, Retry("Busy", after=seconds), Flow.RECEIPTS, at_least=seconds)
        asked = shown().asked_until
        assert 3500 < (asked - timezone.now()).total_seconds() <= 3600
        Connection.objects.update(failures=1)
        health.note_success(connection.pk, Flow.RECEIPTS)
        assert shown().asked_until == asked, "also where something got through meanwhile"
        assert not health.usable().exists()


def test_after_an_outage_the_streams_are_asked_at_once(account_a, warehouse, connection, sent, ask, seen, shown):
    warehouse.fault(do="down", seconds=600)
    for _ in range(6):
        ask()
    with account_context(account_a):
        Cursor.objects.update(next_at=timezone.now() + health.LONGEST_REST)
    assert shown().condition == Condition.RESTING
    warehouse.clear()
    sent()
    ripen(account_a)
    assert push(account_a.pk) == 1
    (cursor,) = seen(Cursor)
    assert cursor.next_at <= timezone.now()
    assert (shown().condition, cursor.failures) == (Condition.OK, 0)


def test_it_is_working_only_where_it_is(account_a, warehouse, connection, sent, ask, shown, settings):
    settings.SYNC_FIRST_WAIT_SECONDS = 5
    assert shown().condition == Condition.UNTRIED
    ask()
    assert shown().condition == Condition.OK
    warehouse.fault(do="status", status=500, on="GET /receipts", times=0)
    ask()
    assert shown().condition == Condition.FAILING
    sent()
    push(account_a.pk)
    assert shown().condition == Condition.PARTLY, "it takes what is sent, but a stream cannot be read"
    warehouse.clear()
    ask()
    assert shown().condition == Condition.OK


# --- what ends a message ----------------------------------------------------------------------------------------------
def test_a_refusal_of_any_kind_is_one(account_a, warehouse, connection, sent, deliveries, seen, monkeypatch):
    class NotInTheirListError(Rejected):
        """What an adapter may define for itself."""

    def refuse(*_args):
        raise NotInTheirListError("Their list has no such SKU.")

    monkeypatch.setattr(SandboxWms, "send_purchase_order", refuse)
    sent()
    sent()
    push(account_a.pk)
    assert [(row.state, row.fault) for row in deliveries()] == [(DeliveryState.FAILED, Fault.REJECTED)] * 2
    assert [case.kind for case in seen(Discrepancy, is_open=True)] == ["push_rejected"] * 2


def test_a_mistake_of_ours_is_told_in_words(account_a, warehouse, connection, sent, deliveries, seen, monkeypatch):
    def break_down(*_args):
        raise ValueError("invalid literal for int()")

    monkeypatch.setattr(SandboxWms, "send_purchase_order", break_down)
    sent()
    push(account_a.pk)
    (row,), (case,) = deliveries(), seen(Discrepancy)
    assert (row.fault, case.kind) == (Fault.BROKEN, "push_broken")
    assert "literal" not in row.error + case.summary
    assert "went wrong on our side" in case.summary
    monkeypatch.setattr(SandboxWms, "check", break_down)
    tested = connections.test(opened(connection))
    assert (tested.is_good, tested.words) == (False, case.summary.partition(". ")[2])


def test_a_mistake_of_ours_is_not_counted_against_the_other_side(
    account_a, warehouse, connection, ask, seen, shown, monkeypatch, settings
):
    settings.SYNC_FIRST_WAIT_SECONDS = 60  # one try at a time
    ask()
    with monkeypatch.context() as broken:

        def break_down(*_args):
            raise ValueError("invalid literal for int()")

        broken.setattr(SandboxWms, "fetch_receipts", break_down)
        for count in range(1, health.BREAKS_AFTER + 2):
            ask()
            assert seen(Cursor)[0].failures == count, "it is tried again later and later"
    assert (shown().health, shown().failures, shown().error) == (Health.OK, 0, "")
    assert shown().condition == Condition.PARTLY
    assert "went wrong on our side" in seen(Run)[-1].error
    ask()
    assert shown().condition == Condition.OK


@pytest.mark.parametrize("flow", [Flow.RECEIPTS, Flow.PURCHASE_ORDERS])
def test_a_run_ends_although_the_database_went_away_meanwhile(
    account_a, warehouse, connection, sent, ask, seen, monkeypatch, flow
):
    """Its session is killed while the other side is asked."""
    sent()
    method, work = {
        Flow.RECEIPTS: ("fetch_receipts", ask),
        Flow.PURCHASE_ORDERS: ("send_purchase_order", lambda: push(account_a.pk)),
    }[flow]
    call = getattr(SandboxWms, method)

    def lose(*args):
        with suppress(DatabaseError), databases["default"].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return call(*args)

    monkeypatch.setattr(SandboxWms, method, lose)
    with pytest.raises(DatabaseError):
        work()
    (run,) = seen(Run, flow=flow)
    assert (run.state, run.error) == (RunState.FAILED, "The database does not answer.")
    assert run.finished_at is not None
    assert (seen(Connection)[0].failures, seen(Cursor)[0].failures) == (0, 0), "nobody else's fault"


def test_who_settles_the_case_meanwhile_does_not_undo_that_it_was_sent(
    account_a, ana, warehouse, connection, sent, deliveries, seen
):
    """A person and the worker end the same case at the same moment."""
    with account_context(account_a):
        bad_sku = make_serialized_sku(code="REFUSE-1")
    sent((bad_sku, 1))
    push(account_a.pk)
    (case,), (row,) = seen(Discrepancy), deliveries()
    row.payload["lines"][0]["sku_code"] = "FINE-1"
    with account_context(account_a):
        Delivery.objects.update(state=DeliveryState.WAITING, payload=row.payload)
    sender = threading.Thread(target=lambda: (push(account_a.pk), databases.close_all()))
    with account_context(account_a), databases["default"].cursor() as cursor:
        close_discrepancy(discrepancy_id=case.pk, reason="Told them by phone", actor=ana)
        sender.start()
        wait_until(
            lambda: cursor.execute(LOCKS_WAITED_FOR).fetchone()[0] or not sender.is_alive(),
            what="it waits",
        )
    sender.join(20)
    assert deliveries()[0].state == DeliveryState.SENT
    assert seen(Discrepancy)[0].reason == "Told them by phone"
