"""What a warehouse is told when its connection starts, and when a replenishment ends."""

from dataclasses import replace

import pytest
from django.utils import timezone

from channels_sync.models import Action, Connection, Delivery, DeliveryState
from channels_sync.services import connections
from channels_sync.services.pull import pull
from channels_sync.services.push import push
from oms import outbox
from oms.models import OutboxMessage
from oms.tenancy import account_context
from replenishment.services import submitting
from replenishment.services.receiving import apply_receipt
from tests.channels_sync.warehouse import TOKEN, submitted
from tests.factories import make_bin, make_serialized_sku, make_warehouse_link
from tests.replenishment.factories import incoming, incoming_line, make_replenishment, make_submitted

pytestmark = pytest.mark.commits("the sync commits before and after it talks to the warehouse")


def change(account, connection, **changes):
    """Change a connection as its form does, and let the outbox be heard."""
    with account_context(account):
        found = Connection.objects.select_related("link").get(pk=connection.pk)
        given = connections.Settings(found.name, found.link, {**found.config, "token": TOKEN}, found.options)
        connections.change(connection_id=found.pk, version=found.version, given=replace(given, **changes), actor=None)
    outbox.drain(account.pk)
    push(account.pk)


def test_closing_short_tells_the_warehouse_to_expect_no_more(account_a, warehouse, connection, sent, deliveries):
    made = sent()
    push(account_a.pk)
    line = warehouse.order(made.number)["lines"][0]
    part = {**line, "quantity": 1, "units": [{"serial": line["serials"][0], "bin": "A-01-1"}]}
    warehouse.receive(made.number, [part])
    pull(account_a.pk)
    with account_context(account_a):
        submitting.close_short(replenishment_id=made.pk, reason="The maker has no more", actor=None)
    outbox.drain(account_a.pk)
    assert push(account_a.pk) == 1
    assert [(row.action, row.state) for row in deliveries()] == [
        (Action.SEND_PO, DeliveryState.SENT),
        (Action.CANCEL_PO, DeliveryState.SENT),
    ]
    assert warehouse.order(made.number)["state"] == "closed"
    rest = warehouse.http.post(
        f"/purchase-orders/{deliveries()[0].remote_id}/receive", params={"client": warehouse.client}, json={}
    )
    assert rest.status_code == 409
    assert warehouse.units() == {line["serials"][0]: "A-01-1"}, "what was received stays"
    with account_context(account_a):
        made.refresh_from_db()
        assert (made.status, made.received_quantity) == ("completed", 1)


@pytest.mark.parametrize("is_forgotten", [False, True], ids=["heard", "forgotten"])
def test_a_connection_of_later_is_told_what_is_open(account_a, warehouse, deliveries, is_forgotten):
    """Submitted first, connected after; switching it off and on again, or away and back, sends nothing twice."""
    with account_context(account_a):
        link, elsewhere = make_warehouse_link(), make_warehouse_link()
        make_bin(link=link)
        sku = make_serialized_sku()
        open_, cancelled, begun = (make_submitted((sku, 2), link=link, planned=False) for _ in range(3))
        make_replenishment((sku, 1), link=link)
        other = make_submitted((sku, 1), link=elsewhere)
        submitting.cancel(replenishment_id=cancelled.pk, reason="No", actor=None)
        apply_receipt(incoming(begun, incoming_line(sku, serials=["OWN-1"])), source="browser:1")
    outbox.drain(account_a.pk)
    if is_forgotten:
        outbox.forget(account_a.pk, timezone.now())
    with account_context(account_a):
        made = connections.connect_sandbox(link=link, client=warehouse.client, url=warehouse.url, token=TOKEN)
    outbox.drain(account_a.pk)
    push(account_a.pk)
    assert warehouse.counts()["by_reference"] == {open_.number: 1}
    for is_active in (False, True):
        change(account_a, made, is_active=is_active)
    change(account_a, made, link=None)
    change(account_a, made, link=link)
    assert [row.label for row in deliveries()] == [open_.number]
    change(account_a, made, link=elsewhere)
    assert warehouse.counts()["by_reference"] == {open_.number: 1, other.number: 1}
    assert {row.state for row in deliveries()} == {DeliveryState.SENT}
    assert warehouse.counts()["purchase_orders"] == 2


def test_a_message_that_was_sent_on_is_not_forgotten(account_a, connection, sent, deliveries):
    sent()
    with account_context(account_a):
        OutboxMessage.objects.create(topic="replenishment.submitted", aggregate="other", done_at=timezone.now())
        count = OutboxMessage.objects.count()
    assert outbox.forget(account_a.pk, timezone.now()) == count - 1
    with account_context(account_a):
        assert OutboxMessage.objects.get() == Delivery.objects.get().message


def test_what_is_submitted_while_a_connection_is_off_is_sent_once(account_a, warehouse, connection, deliveries):
    change(account_a, connection, is_active=False)
    with account_context(account_a):
        made = submitted(connection)
    outbox.drain(account_a.pk)
    change(account_a, connection, is_active=True)
    assert warehouse.counts()["by_reference"] == {made.number: 1}
    assert len(deliveries()) == 1
