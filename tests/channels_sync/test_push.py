"""Messages out: each has exactly one effect, whatever happens on the way. The sandbox's own count is the evidence."""

import threading
from datetime import date

import pytest
from django.db import connections as databases
from django.utils import timezone

from channels_sync.models import Connection, Delivery, DeliveryState, Health, Run
from channels_sync.services import outgoing
from channels_sync.services.push import push
from oms import outbox
from oms.errors import Conflict, DomainError
from oms.models import Discrepancy, Workflow
from oms.tenancy import account_context
from replenishment.services import submitting
from tests.channels_sync.warehouse import connect, submitted
from tests.factories import make_serialized_sku, make_sku
from tests.worker_process import wait_until

pytestmark = pytest.mark.commits("the sync commits before and after it talks to the warehouse")
DAY = date(2027, 3, 1)


def push_until(account, is_so, what):
    """Drain until something is so."""

    def tried():
        push(account.pk)
        return is_so()

    wait_until(tried, what=what, seconds=30)


def ripen(account):
    with account_context(account):
        Delivery.objects.filter(state=DeliveryState.WAITING).update(next_at=timezone.now())
        Connection.objects.update(resting_until=None, asked_until=None)


def cancel(account, replenishment):
    with account_context(account):
        submitting.cancel(replenishment_id=replenishment.pk, reason="Not needed", actor=None)
    outbox.drain(account.pk)


def test_a_purchase_order_arrives_as_it_was_planned(account_a, connection, warehouse, sent, deliveries):
    with account_context(account_a):
        serialized, plain = make_serialized_sku(), make_sku()
        made = submitted(connection, (serialized, 2), (plain, 5), planned=False, supplier="Maker", expected_on=DAY)
    assert deliveries() == []  # nothing is sent before the outbox is drained
    outbox.drain(account_a.pk)
    assert push(account_a.pk) == 1
    order = warehouse.order(made.number)
    assert [(line["line"], line["sku"], line["quantity"], line["serialized"]) for line in order["lines"]] == [
        (1, serialized.code, 2, True),
        (2, plain.code, 5, False),
    ]
    assert (order["supplier"], order["expected_on"]) == ("Maker", DAY.isoformat())
    (row,) = deliveries()
    assert (row.state, row.attempts, row.remote_id) == (DeliveryState.SENT, 1, str(order["id"]))


def test_planned_serials_travel(account_a, connection, warehouse, sent):
    made = sent()
    push(account_a.pk)
    with account_context(account_a):
        planned = list(made.lines.get().planned.order_by("pk").values_list("serial", flat=True))
    assert warehouse.order(made.number)["lines"][0]["serials"] == planned
    assert len(planned) == 3


def test_an_option_that_is_off_keeps_serials_back_and_says_so(account_a, connection, warehouse, sent, deliveries):
    with account_context(account_a):
        Connection.objects.update(options=[])
    made = sent()
    push(account_a.pk)
    assert warehouse.order(made.number)["lines"][0]["serials"] == []
    (row,) = deliveries()
    assert row.notes == ["Not told: 3 planned serials. “Purchase-order serials out” is off for this connection."]


def test_other_warehouses_are_not_told(account_a, warehouse, connection, deliveries):
    with account_context(account_a):
        submitted(connect_other(connection))
    outbox.drain(account_a.pk)
    assert deliveries() == []


def test_a_connection_that_is_off_keeps_its_message(account_a, warehouse, connection, deliveries):
    with account_context(account_a):
        Connection.objects.filter(pk=connection.pk).update(is_active=False)
        submitted(connection)
    outbox.drain(account_a.pk)
    push(account_a.pk)
    assert [row.state for row in deliveries()] == ["waiting"]


def connect_other(connection):
    """Something with a warehouse link of its own, which no connection runs."""
    other = Connection(kind=connection.kind, name="None")
    other.link = type(connection.link).objects.create(
        warehouse=type(connection.link.warehouse).objects.create(name="Run in Lotline")
    )
    return other


def test_hearing_twice_is_once(account_a, connection, sent, deliveries):
    sent()
    with account_context(account_a):
        message = deliveries()[0].message
        outgoing.hear_replenishment(message)
    assert len(deliveries()) == 1


# --- bad days ---------------------------------------------------------------------------------------------------------
def test_a_lost_answer_has_one_effect(account_a, warehouse, connection, sent, deliveries):
    made = sent()
    warehouse.fault(do="lose_answer", on="POST /purchase-orders", times=2)
    push_until(account_a, lambda: deliveries()[0].state == DeliveryState.SENT, "the message is sent")
    assert warehouse.counts()["by_reference"] == {made.number: 1}


def test_looking_first_is_enough_where_the_vendor_checks_nothing(account_a, warehouse, connection, sent, deliveries):
    """A vendor without idempotency keys: the second try must find what the first one made."""
    made = sent()
    warehouse.fault(do="forgetful", on="POST /purchase-orders", times=0)
    warehouse.fault(do="down", seconds=0)
    warehouse.fault(do="lose_answer", on="POST /purchase-orders", times=3)
    before = warehouse.counts()["posts"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("channels_sync.http.MOST_TRIES", 1)
        push_until(account_a, lambda: deliveries()[0].state == DeliveryState.SENT, "the message is sent")
    assert warehouse.counts()["by_reference"] == {made.number: 1}
    assert warehouse.counts()["posts"] - before == 1
    assert deliveries()[0].attempts == 2


def test_an_answer_that_never_comes_has_one_effect(account_a, warehouse, connection, sent, deliveries, settings):
    settings.SYNC_LEASE_SECONDS = 2
    made = sent()
    warehouse.fault(do="barrier", on="POST /purchase-orders")
    push_until(account_a, lambda: deliveries()[0].state == DeliveryState.SENT, "the message is sent")
    assert warehouse.http.get("/barrier").json()["held"] == 1, "the first answer never came"
    assert deliveries()[0].attempts == 2
    warehouse.clear()
    assert warehouse.counts()["by_reference"] == {made.number: 1}


def test_a_limit_is_waited_for(account_a, warehouse, connection, sent, deliveries):
    sent()
    warehouse.fault(do="status", status=429, retry_after=600, times=0)
    push(account_a.pk)
    (row,) = deliveries()
    assert row.state == DeliveryState.WAITING
    assert 590 < (row.next_at - timezone.now()).total_seconds() <= 600
    assert row.connection.health == Health.UNTRIED, "nothing is wrong with it"
    warehouse.clear()
    requests = warehouse.counts()["requests"]
    assert push(account_a.pk) == 0
    assert warehouse.counts()["requests"] == requests, "it is left alone"
    ripen(account_a)
    assert push(account_a.pk) == 1


def test_a_short_limit_is_waited_for_at_once(account_a, warehouse, connection, sent, deliveries):
    sent()
    warehouse.fault(do="status", status=429, retry_after=0.2)
    warehouse.fault(do="status", status=500)
    assert push(account_a.pk) == 1
    assert deliveries()[0].attempts == 1


def test_a_warehouse_that_is_down_rests_and_then_gets_everything(account_a, warehouse, connection, sent, deliveries):
    made = [sent() for _ in range(3)]
    warehouse.fault(do="down", seconds=600)
    for _ in range(3):
        push(account_a.pk)
        ripen(account_a)
    (row, *_others) = deliveries()
    assert (row.connection.health, row.state) == (Health.RESTING, DeliveryState.WAITING)
    assert row.connection.failures >= 5
    warehouse.clear()
    push_until(account_a, lambda: not deliveries(state=DeliveryState.WAITING), "all messages are sent")
    assert warehouse.counts()["by_reference"] == {one.number: 1 for one in made}
    (row, *_others) = deliveries()
    assert (row.connection.health, row.connection.failures, row.connection.error) == (Health.OK, 0, "")


def test_a_refused_one_parks_its_document_and_nothing_else(account_a, warehouse, connection, sent, deliveries):
    with account_context(account_a):
        bad_sku = make_serialized_sku(code="REFUSE-1")
    bad, good = sent((bad_sku, 1)), sent()
    push(account_a.pk)
    cancel(account_a, bad)
    push(account_a.pk)
    assert [row.state for row in deliveries()] == [DeliveryState.FAILED, DeliveryState.SENT, DeliveryState.PARKED]
    assert warehouse.counts()["by_reference"] == {good.number: 1}
    with account_context(account_a):
        (case,) = Discrepancy.objects.all()
        assert (case.kind, case.is_open) == ("push_rejected", True)
        assert "REFUSE-1 is not in our item list" in case.summary
        assert case.raw["number"] == bad.number


def test_replay_sends_what_is_known_now(account_a, ana, warehouse, connection, sent, deliveries):
    with account_context(account_a):
        bad_sku = make_serialized_sku(code="REFUSE-1")
    bad = sent((bad_sku, 1))
    push(account_a.pk)
    with account_context(account_a):
        type(bad_sku).objects.filter(pk=bad_sku.pk).update(code="FINE-1")
        outgoing.replay(delivery_id=deliveries()[0].pk, actor=ana)
    assert push(account_a.pk) == 1
    assert warehouse.order(bad.number)["lines"][0]["sku"] == "FINE-1"
    with account_context(account_a):
        assert not Discrepancy.objects.filter(is_open=True).exists()
        with pytest.raises(Conflict):
            outgoing.replay(delivery_id=deliveries()[0].pk, actor=ana)


def test_closing_lets_the_later_ones_go_on(account_a, ana, warehouse, connection, sent, deliveries):
    with account_context(account_a):
        bad_sku = make_serialized_sku(code="REFUSE-1")
    bad = sent((bad_sku, 1))
    push(account_a.pk)
    cancel(account_a, bad)
    assert deliveries()[1].state == DeliveryState.PARKED
    with account_context(account_a):
        with pytest.raises(DomainError):
            outgoing.close(delivery_id=deliveries()[0].pk, reason=" ", actor=ana)
        outgoing.close(delivery_id=deliveries()[0].pk, reason="Told them by phone", actor=ana)
        assert not Discrepancy.objects.filter(is_open=True).exists()
    push(account_a.pk)
    assert [row.state for row in deliveries()] == [DeliveryState.CLOSED, DeliveryState.SENT]
    assert warehouse.counts()["purchase_orders"] == 0


def test_a_cancelled_one_is_cancelled_there(account_a, warehouse, connection, sent, deliveries):
    made = sent()
    assert push(account_a.pk) == 1
    cancel(account_a, made)
    assert push(account_a.pk) == 1
    assert warehouse.order(made.number)["state"] == "cancelled"
    assert warehouse.counts()["cancelled"] == 1


def test_cancelling_what_was_received_there_changes_nothing_there(account_a, warehouse, connection, sent, deliveries):
    """They expect nothing more anyway; what they received comes as a receipt, and waits for a person."""
    made = sent()
    push(account_a.pk)
    warehouse.receive(made.number)
    cancel(account_a, made)
    push(account_a.pk)
    assert deliveries()[1].state == DeliveryState.SENT
    assert warehouse.order(made.number)["state"] == "received"
    assert len(warehouse.units()) == 3


def test_two_workers_drain_without_stepping_on_each_other(account_a, warehouse, connection, sent, deliveries):
    made = [sent() for _ in range(12)]
    gone = sent()
    cancel(account_a, gone)
    seen = []

    def drain():
        try:
            while deliveries(state=DeliveryState.WAITING) or deliveries(state=DeliveryState.SENDING):
                seen.append(push(account_a.pk))
        finally:
            databases.close_all()

    threads = [threading.Thread(target=drain) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(seen) == 13
    assert warehouse.counts()["by_reference"] == {one.number: 1 for one in made}
    assert {row.attempts for row in deliveries(state=DeliveryState.SENT)} == {1}
    assert [(row.label, row.attempts) for row in deliveries(state=DeliveryState.CLOSED)] == [(gone.number, 0)]


def test_a_message_whose_worker_died_is_sent_by_another(account_a, warehouse, connection, sent, deliveries):
    sent()
    with account_context(account_a):
        Delivery.objects.update(state=DeliveryState.SENDING, attempts=1, lease_until=timezone.now())
    push_until(account_a, lambda: deliveries()[0].state == DeliveryState.SENT, "the lease is over")
    assert deliveries()[0].attempts == 2


def test_a_slow_warehouse_keeps_no_other_waiting(account_a, warehouse, connection, sent, deliveries):
    """While one connection waits for its answer, another task serves the other."""
    with account_context(account_a):
        other = connect(warehouse, name="The other")
        second = submitted(other)
    first = sent()
    warehouse.fault(do="barrier", on="POST /purchase-orders")
    slow = threading.Thread(target=lambda: (push(account_a.pk), databases.close_all()))
    slow.start()
    wait_until(lambda: warehouse.http.get("/barrier").json()["held"], what="an answer is held")
    assert push(account_a.pk) == 1
    assert [row.state for row in deliveries()].count(DeliveryState.SENT) == 1
    assert push(account_a.pk) == 0, "the held one is another worker's"
    warehouse.http.post("/barrier")
    slow.join(60)
    assert warehouse.counts()["by_reference"] == {first.number: 1, second.number: 1}


def test_a_run_is_recorded(account_a, warehouse, connection, sent):
    sent()
    push(account_a.pk)
    with account_context(account_a):
        (run,) = Run.objects.all()
        assert (run.state, run.seen, run.done, run.error) == ("done", 1, 1, "")
        assert run.finished_at >= run.started_at


def test_the_workflow_travels_as_it_is_now(account_a, warehouse, connection, sent):
    with account_context(account_a):
        made = make_sku(workflow=Workflow.OUT)
    number = sent((made, 1), planned=False).number
    push(account_a.pk)
    assert warehouse.order(number)["lines"][0]["serialized"] is False
