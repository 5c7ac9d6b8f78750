"""What was to be expected when a message was written may be over, elsewhere or here already when it can be sent."""

import threading

import pytest
from django.db import connections as databases, transaction

from channels_sync.models import Action, Connection, DeliveryState
from channels_sync.services import connections, outgoing
from channels_sync.services.push import push
from oms import outbox
from oms.errors import DomainError
from oms.models import Discrepancy
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.services import submitting
from replenishment.services.receiving import apply_receipt
from tests.channels_sync.test_push import cancel
from tests.channels_sync.test_serving import change
from tests.channels_sync.warehouse import TOKEN, WAITING, submitted
from tests.factories import make_bin, make_serialized_sku, make_sku, make_warehouse_link
from tests.replenishment.factories import incoming, incoming_line, make_submitted
from tests.worker_process import wait_until

pytestmark = pytest.mark.commits("the sync commits before and after it talks to the warehouse")


@pytest.fixture
def off(account_a, connection):
    """The connection, switched off."""
    change(account_a, connection, is_active=False)
    return connection


def begin(account, replenishment, serial="OWN-1"):
    """One piece arrives in the browser; a serial that nobody planned waits."""
    with account_context(account):
        sku = replenishment.lines.first().sku
        apply_receipt(incoming(replenishment, incoming_line(sku, serials=[serial])), source=f"browser:{serial}")


def close_short(account, replenishment):
    with account_context(account):
        submitting.close_short(replenishment_id=replenishment.pk, reason="No more", actor=None)
    outbox.drain(account.pk)


def test_what_is_over_or_here_already_is_not_sent(account_a, warehouse, off, sent, deliveries):
    cancelled, begun, waiting, short, fine = sent(), sent(planned=False), sent(), sent(planned=False), sent()
    cancel(account_a, cancelled)
    begin(account_a, begun)
    begin(account_a, waiting, "NOBODY-KNOWS")
    begin(account_a, short, "OWN-2")
    close_short(account_a, short)
    change(account_a, off, is_active=True)
    assert warehouse.counts()["by_reference"] == {fine.number: 1}
    rows = {(row.label, row.action): row for row in deliveries()}
    reasons = {label: row.reason for (label, action), row in rows.items() if row.state == DeliveryState.CLOSED}
    assert reasons == {
        cancelled.number: f"Not sent any more: nothing of {cancelled.number} is expected any more, it is Cancelled.",
        short.number: f"Not sent any more: nothing of {short.number} is expected any more, it is Completed.",
        **{
            number: f"Not sent any more: goods of {number} arrived meanwhile, and all of it would be expected again."
            for number in (begun.number, waiting.number)
        },
    }
    assert {row.state for (_label, action), row in rows.items() if action == Action.CANCEL_PO} == {DeliveryState.SENT}


def test_one_whose_answer_was_lost_is_found_there_although_its_goods_have_come(
    account_a, warehouse, connection, sent, deliveries, ask, settings
):
    """Their receipt proves that they know it."""
    settings.SYNC_FIRST_WAIT_SECONDS = 60  # or a slow machine tries again at once
    made = sent()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("channels_sync.http.MOST_TRIES", 1)
        warehouse.fault(do="lose_answer", on="POST /purchase-orders")
        assert push(account_a.pk) == 0
    warehouse.receive(made.number)
    ask()
    change(account_a, connection, name="Try now")
    assert [(row.state, row.remote_id) for row in deliveries()] == [
        (DeliveryState.SENT, str(warehouse.order(made.number)["id"]))
    ]
    assert warehouse.counts()["by_reference"] == {made.number: 1}


def test_a_message_of_another_warehouse_is_not_sent(account_a, warehouse, off, sent, deliveries):
    """The connection runs another warehouse when it is on again: that one must not expect these goods."""
    made = sent()
    with account_context(account_a):
        elsewhere = make_warehouse_link()
    change(account_a, off, link=elsewhere, is_active=True)
    assert warehouse.counts()["purchase_orders"] == 0
    (row,) = deliveries()
    assert row.state == DeliveryState.CLOSED
    assert row.reason == f"Not sent any more: this connection does not run the warehouse of {made.number} any more."


@pytest.mark.parametrize("end", ["cancelled", "closed short"])
def test_whoever_was_told_hears_that_no_more_is_expected(account_a, warehouse, connection, sent, deliveries, end):
    """Also where another connection runs the warehouse now."""
    made = sent(planned=False)
    push(account_a.pk)
    with account_context(account_a):
        elsewhere = make_warehouse_link()
    change(account_a, connection, link=elsewhere)
    if end == "cancelled":
        cancel(account_a, made)
    else:
        begin(account_a, made)
        close_short(account_a, made)
    assert push(account_a.pk) == 1
    assert warehouse.order(made.number)["state"] == "cancelled"
    assert [row.action for row in deliveries()] == [Action.SEND_PO, Action.CANCEL_PO]


def test_a_connection_of_later_is_not_told_of_what_came_or_was_closed_short(account_a, warehouse, deliveries):
    with account_context(account_a):
        link = make_warehouse_link()
        make_bin(link=link)
        planned, own, other = (make_submitted((make_serialized_sku(), 2), link=link) for _ in range(3))
        bare = make_submitted((make_sku(), 2), link=link, planned=False)
    begin(account_a, planned, "NOBODY-KNOWS")  # nothing is received, but its goods are here
    begin(account_a, own, "NOBODY-EITHER")
    close_short(account_a, own)
    with account_context(account_a):
        assert own.__class__.objects.get(pk=own.pk).status == "review", "closed short, and somebody must see to it"
        connections.connect_sandbox(link=link, client=warehouse.client, url=warehouse.url, token=TOKEN)
    outbox.drain(account_a.pk)
    push(account_a.pk)
    assert warehouse.counts()["by_reference"] == {other.number: 1, bare.number: 1}


def test_cancelling_waits_for_a_connection_that_is_just_being_told(account_a, warehouse, connection, deliveries):
    """Else its message to expect goods could come after the one that takes them back."""
    with account_context(account_a):
        Connection.objects.update(link=None)
        made = submitted(connection)
    outbox.drain(account_a.pk)
    with account_context(account_a):
        Connection.objects.update(link=connection.link)
        outbox.publish(connections.SERVES, connection)

    def in_thread(work, *args):
        thread = threading.Thread(target=lambda: (work(*args), databases.close_all()))
        thread.start()
        return thread

    def waiting():
        with databases["default"].cursor() as cursor:
            cursor.execute(WAITING)
            return cursor.fetchone()[0]

    with transaction.atomic(using="owner"), databases["owner"].cursor() as cursor:
        cursor.execute("LOCK TABLE channels_sync_delivery IN SHARE MODE")  # messages can be read, not written
        threads = [in_thread(outbox.drain, account_a.pk)]
        wait_until(lambda: waiting() == 1, what="the message is about to be written")
        threads.append(in_thread(cancel, account_a, made))
        wait_until(lambda: waiting() == 2, what="the cancelling waits")
        with account_context(account_a):
            made.refresh_from_db()
        assert made.status == Status.IN_TRANSIT
    for thread in threads:
        thread.join(30)
    outbox.drain(account_a.pk)
    assert [row.action for row in deliveries()] == [Action.SEND_PO, Action.CANCEL_PO]


def test_a_refused_cancelling_waits_for_somebody(account_a, ana, warehouse, connection, sent, deliveries):
    made = sent()
    push(account_a.pk)
    cancel(account_a, made)
    with account_context(account_a):
        outbox.publish(submitting.CLOSED, made)
    outbox.drain(account_a.pk)
    warehouse.fault(do="status", status=422, on="POST /purchase-orders")
    assert push(account_a.pk) == 0
    assert [row.state for row in deliveries()] == [DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.PARKED]
    with account_context(account_a):
        (case,) = Discrepancy.objects.filter(is_open=True)
        assert (case.kind, case.raw) == ("push_rejected", {"number": made.number})
        assert f"{made.number} did not reach {connection.name}" in case.summary
        with pytest.raises(DomainError):
            outgoing.close(delivery_id=deliveries()[1].pk, reason=" ", actor=ana)
        outgoing.replay(delivery_id=deliveries()[1].pk, actor=ana)
    assert push(account_a.pk) == 2
    assert warehouse.order(made.number)["state"] == "cancelled"
    with account_context(account_a):
        assert not Discrepancy.objects.filter(is_open=True).exists()
