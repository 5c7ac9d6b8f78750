"""One tenant of a vendor, connected twice: its documents are applied once, whichever connection brings them."""

from dataclasses import replace

import pytest

from channels_sync.contract import BaseConfigForm
from channels_sync.models import Connection, Delivery, InboundMessage, InboundState
from channels_sync.queries.lists import has_exchanged
from channels_sync.queries.tenants import tenant
from channels_sync.services import connections, outgoing
from channels_sync.services.push import push
from oms.errors import DomainError
from oms.models import Stock
from oms.tenancy import account_context
from tests.channels_sync.test_serving import change
from tests.channels_sync.warehouse import TOKEN, state_of
from tests.factories import make_sku, make_warehouse_link

pytestmark = pytest.mark.commits("the sync commits before and after it talks to the warehouse")


def settings_of(connection, **changes):
    config = {**connection.config, "token": TOKEN}
    return replace(connections.Settings("Again", connection.link, config, connection.options), **changes)


def second(account, connection):
    """Another connection for the same warehouse and client, as there may be from before they were refused."""
    with account_context(account):
        given = settings_of(connection, link=make_warehouse_link())
        made = connections.add(kind=connection.kind, given=given, actor=None)
        Connection.objects.filter(pk=connection.pk).update(is_active=False)
        Connection.objects.filter(pk=made.pk).update(link=connection.link)
        made.refresh_from_db()
        return made


def test_a_second_connection_brings_nothing_twice(account_a, warehouse, connection, told, ask, seen):
    with account_context(account_a):
        plain = make_sku()
    made = told((plain, 7), planned=False)
    receipt = warehouse.receive(made.number)
    ask()
    before = state_of(account_a)
    other = second(account_a, connection)
    ask()
    assert state_of(account_a) == before
    assert [row.connection_id for row in seen()] == [connection.pk, other.pk]
    assert {row.state for row in seen()} == {InboundState.APPLIED}
    warehouse.change(receipt, [{**receipt["lines"][0], "quantity": 9}])
    ask()
    assert [row.quantity for row in seen(Stock, sku=plain)] == [9], "and what is new goes on where the first one ended"


def test_the_same_number_for_another_replenishment_waits(account_a, warehouse, connection, told, ask, seen):
    first, other = told(), told()
    receipt = warehouse.receive(first.number)
    ask()
    before = state_of(account_a)["Receipt"]
    with account_context(account_a):
        row = InboundMessage.objects.get()
        InboundMessage.objects.create(
            connection=connection,
            realm=row.realm,
            stream=row.stream,
            external_id=row.external_id,
            version=2,
            digest="2",
            raw={**row.raw, "version": 2, "reference": other.number},
        )
    ask()
    assert seen()[-1].error == (
        f"Receipt {receipt['id']} was applied for {first.number} before, and now is for {other.number}."
    )
    assert state_of(account_a)["Receipt"] == before


def test_a_twin_is_refused(account_a, warehouse, connection):
    with account_context(account_a):
        with pytest.raises(DomainError, match="is a connection to just this already"):
            connections.add(kind=connection.kind, given=settings_of(connection, is_active=False), actor=None)
        elsewhere = make_warehouse_link()
        other = connections.add(kind=connection.kind, given=settings_of(connection, link=elsewhere), actor=None)
        config = {**connection.config, "token": TOKEN, "client": "somebody else"}
        third = connections.add(
            kind=connection.kind, given=settings_of(connection, name="3", is_active=False, config=config), actor=None
        )
    for twin in (other, third):
        with pytest.raises(DomainError, match="is a connection to just this already"):
            change(account_a, twin, link=connection.link, config=settings_of(connection).config)
    change(account_a, connection, name="Another name")
    change(account_a, connection, is_active=False)
    change(account_a, connection, is_active=True)


def test_who_a_tenant_is(in_a, monkeypatch):
    class Shop(BaseConfigForm):
        identity_fields = frozenset({"shop", "region"})

    class Nobody(BaseConfigForm):
        pass

    def named(kind="sandbox_wms", pk=None, **config):
        return tenant(Connection(pk=pk, kind=kind, config=config))

    assert named(client="acme") == named(client=" acme ", url="http://elsewhere") != named(client="Acme")
    assert len(named(client="x" * 80)) < 40
    assert named(kind="gone", pk=7) == "7"
    with monkeypatch.context() as patch:
        patch.setattr("channels_sync.adapters.sandbox_wms.SandboxWms.ConfigForm", Shop)
        assert named(shop="a", region="b") == named(region="b", shop="a") != named(shop="b", region="a")
        patch.setattr("channels_sync.adapters.sandbox_wms.SandboxWms.ConfigForm", Nobody)
        assert named(pk=8, client="acme") == "8"


def test_a_message_that_is_replayed_was_sent_all_the_same(account_a, warehouse, connection, sent, deliveries):
    """Its answer was lost, so the other side may have it: the connection stays this client's."""
    sent()
    warehouse.fault(do="status", status=500, times=0)
    push(account_a.pk)
    with account_context(account_a):
        tries = Delivery.objects.get().attempts
        outgoing.replay(delivery_id=deliveries()[0].pk, actor=None)
        assert has_exchanged(connection)
        assert Delivery.objects.get().attempts == tries > 0
