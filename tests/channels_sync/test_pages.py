"""The pages of the sync, as people use them; who may open which is in tests/meta/test_url_sweep.py."""

import pytest
from django.utils import timezone

from channels_sync.contract import Flow, NotAllowed
from channels_sync.models import (
    Condition,
    Connection,
    Cursor,
    Delivery,
    DeliveryState,
    Health,
    InboundMessage,
    InboundState,
)
from channels_sync.services import connections as services, health
from oms.errors import DomainError
from oms.models import AuditEntry
from oms.tenancy import account_context
from tests.channels_sync.samples import fields, make_connection, make_delivery, make_inbound, make_run
from tests.factories import make_bin, make_warehouse_link

pytestmark = pytest.mark.django_db
CONNECTIONS = "/acme/sync/connections/"
NEW = f"{CONNECTIONS}new/?kind=sandbox_wms"


@pytest.fixture
def as_ana(client_for, ana):
    return client_for(ana)


def in_a(account, read):
    with account_context(account):
        return read()


def test_an_admin_chooses_a_system_and_connects_it(as_ana, account_a):
    page = as_ana.get(f"{CONNECTIONS}new/").content.decode()
    assert "Sandbox warehouse" in page
    assert "The sandbox does not ship yet." in page
    link = in_a(account_a, make_warehouse_link)
    answer = as_ana.post(NEW, fields(link, name="North", po_serials_out="on", shipment_lots_in="on"), follow=True)
    assert "North is connected" in answer.content.decode()
    with account_context(account_a):
        found = Connection.objects.get()
        assert (found.options, found.link) == (["po_serials_out"], link), "what the system cannot do stays off"
        assert found.config == {"url": "http://127.0.0.1:9", "client": "acme"}
        assert [cursor.stream for cursor in found.cursors.all()] == ["receipts"]
        assert AuditEntry.objects.filter(kind="connection", action="create").exists()


def test_an_option_that_is_impossible_is_disabled_with_its_reason(as_ana):
    form = as_ana.get(NEW).context["form"]
    assert form["shipment_lots_in"].field.disabled
    assert form["shipment_lots_in"].help_text == "The sandbox does not ship yet."
    assert not form["po_lots_out"].field.disabled
    assert not form["po_lots_out"].value(), "off by default"


def test_an_empty_secret_keeps_the_saved_one(as_ana, account_a):
    made = in_a(account_a, make_connection)
    url = f"{CONNECTIONS}{made.pk}/change/"
    with account_context(account_a):
        posted = fields(made.link, **{"config-token": "", "name": "Renamed", "version": made.version})
    assert as_ana.post(url, posted).status_code == 302
    found = in_a(account_a, Connection.objects.get)
    assert (found.secrets, found.name) == (made.secrets, "Renamed")
    assert as_ana.post(url, posted).status_code == 422, "somebody changed it meanwhile"


@pytest.mark.parametrize("change", [{"config-url": "http://127.0.0.1:10"}, {"config-client": "other"}])
def test_a_saved_secret_goes_to_no_other_address(as_ana, account_a, change):
    """Else an admin who never knew it could have it sent to a server of their own."""
    made = in_a(account_a, make_connection)
    url = f"{CONNECTIONS}{made.pk}/change/"
    with account_context(account_a):
        posted = fields(made.link, **{"config-token": "", **change, "version": made.version})
    answer = as_ana.post(url, posted)
    assert answer.status_code == 422
    assert "Enter the secrets again" in answer.content.decode()
    assert in_a(account_a, Connection.objects.get).config == made.config
    assert as_ana.post(url, {**posted, "config-token": "new"}).status_code == 302


@pytest.mark.parametrize("has_exchanged", [False, True])
def test_a_connection_with_documents_stays_the_same_tenants(as_ana, account_a, has_exchanged):
    """Another client's documents may have the same ids, and would be taken for seen."""
    with account_context(account_a):
        made = (make_inbound() if has_exchanged else make_run()).connection
        Cursor.objects.update(at=timezone.now())
        posted = fields(made.link, version=made.version, **{"config-client": "other"})
        given = services.Settings(made.name, made.link, {**made.config, "client": "other", "token": "new"})
    url = f"{CONNECTIONS}{made.pk}/change/"
    page = as_ana.get(url)
    assert page.context["config_form"].fields["client"].disabled == has_exchanged
    assert ("cannot become another one" in page.content.decode()) == has_exchanged
    as_ana.post(url, posted)
    found = in_a(account_a, Connection.objects.get)
    assert found.config["client"] == ("acme" if has_exchanged else "other")
    assert (in_a(account_a, Cursor.objects.get).at is None) == (not has_exchanged), (
        "another tenant is read from the start"
    )
    if has_exchanged:
        with account_context(account_a), pytest.raises(DomainError, match="Add a new connection"):
            services.change(connection_id=made.pk, version=found.version, given=given, actor=None)


def test_a_server_that_moved_keeps_cursor_and_documents(as_ana, account_a):
    made = in_a(account_a, make_inbound).connection
    at = timezone.now()
    with account_context(account_a):
        Cursor.objects.update(at=at)
        posted = fields(made.link, version=made.version, **{"config-url": "http://127.0.0.1:10"})
    assert as_ana.post(f"{CONNECTIONS}{made.pk}/change/", posted).status_code == 302
    with account_context(account_a):
        assert Connection.objects.get().config == {"url": "http://127.0.0.1:10", "client": "acme"}
        assert (Cursor.objects.get().at, InboundMessage.objects.count()) == (at, 1)


def test_mistakes_are_said_at_the_field(as_ana, account_a):
    link = in_a(account_a, make_warehouse_link)
    answer = as_ana.post(NEW, fields(link, **{"config-url": "nowhere", "config-token": "", "default_bin": "None"}))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Enter a valid URL" in page
    assert "There is no pick bin with this name" in page
    assert in_a(account_a, Connection.objects.count) == 0


def test_a_warehouse_has_one_connection(as_ana, account_a):
    made = in_a(account_a, make_connection)
    with account_context(account_a):
        twin, posted = fields(made.link), fields(made.link, **{"config-client": "other"})
        same_name = fields(make_warehouse_link(), name=made.name)
    assert f"{made.name} is a connection to just this already" in as_ana.post(NEW, twin).content.decode()
    assert "Another active connection runs this warehouse" in as_ana.post(NEW, posted).content.decode()
    assert "already a connection with this name" in as_ana.post(NEW, same_name).content.decode()


def test_the_default_bin_is_of_its_warehouse(as_ana, account_a):
    with account_context(account_a):
        link = make_warehouse_link()
        place = make_bin(link=link)
        posted = fields(link, default_bin=place.name)
    assert as_ana.post(NEW, posted).status_code == 302
    assert in_a(account_a, Connection.objects.get).default_bin_id == place.pk


def test_a_test_says_what_is_wrong(as_ana, account_a, settings):
    settings.LOTLINE_PRIVATE_HOSTS = []
    made = in_a(account_a, make_connection)
    page = as_ana.post(f"{CONNECTIONS}{made.pk}/test/", follow=True).content.decode()
    assert "It does not work yet" in page
    assert "inside a private network" in page


def test_a_stopped_connection_says_why(as_ana, account_a):
    made = in_a(account_a, make_connection)
    with account_context(account_a):
        Connection.objects.update(health=Health.STOPPED, error="The token is not right.")
    page = as_ana.get(f"{CONNECTIONS}{made.pk}/").content.decode()
    assert "Stopped until somebody changes the settings" in page
    assert "The token is not right." in page
    as_ana.post(f"{CONNECTIONS}{made.pk}/ask/")
    assert in_a(account_a, Connection.objects.get).condition == Condition.UNTRIED


def test_a_connection_that_is_refused_says_when_it_is_tried_again(as_ana, account_a):
    made = in_a(account_a, make_connection)
    page = as_ana.get(f"{CONNECTIONS}{made.pk}/").content.decode()
    assert "Not tried yet" in page
    assert "Working" not in page, "nobody knows that yet"
    assert "Working" not in as_ana.get(CONNECTIONS).content.decode()
    with account_context(account_a):
        health.note_failure(made.pk, NotAllowed("The token is not right."), Flow.RECEIPTS)
    page = as_ana.get(f"{CONNECTIONS}{made.pk}/").content.decode()
    assert "It refuses our access data. It is tried again at" in page
    assert "The token is not right." in page


def test_a_message_out_is_replayed_or_closed(as_ana, account_a):
    first, second = in_a(account_a, make_delivery), in_a(account_a, make_delivery)
    page = as_ana.get(f"/acme/sync/messages/out/{first.pk}/").content.decode()
    assert "Replay" in page
    assert first.label in page
    as_ana.post(f"/acme/sync/messages/out/{first.pk}/replay/")
    assert as_ana.post(f"/acme/sync/messages/out/{second.pk}/close/", {"reason": ""}).status_code == 422
    as_ana.post(f"/acme/sync/messages/out/{second.pk}/close/", {"reason": "By phone"})
    states = in_a(account_a, lambda: list(Delivery.objects.order_by("pk").values_list("state", flat=True)))
    assert states == [DeliveryState.WAITING, DeliveryState.CLOSED]
    page = as_ana.get(f"/acme/sync/messages/out/{second.pk}/").content.decode()
    assert "By phone" in page
    assert "/replay/" not in page


def test_a_message_in_shows_what_came_without_secrets(as_ana, account_a):
    made = in_a(account_a, make_inbound)
    page = as_ana.get(f"/acme/sync/messages/in/{made.pk}/").content.decode()
    assert "very-secret" not in page
    assert "api_key" in page
    assert (
        "still cannot be applied"
        in as_ana.post(f"/acme/sync/messages/in/{made.pk}/replay/", follow=True).content.decode()
    )
    as_ana.post(f"/acme/sync/messages/in/{made.pk}/close/", {"reason": "Not ours"})
    assert in_a(account_a, InboundMessage.objects.get).state == InboundState.CLOSED


def test_a_viewer_sees_and_touches_nothing(client_for, ben, account_a):
    made = in_a(account_a, make_connection)
    page = client_for(ben).get(f"{CONNECTIONS}{made.pk}/").content.decode()
    assert made.name in page
    assert "/change/" not in page
    assert "/test/" not in page
    assert "/ask/" not in page


def test_empty_lists_say_what_they_are_for(as_ana):
    for path in ("connections/", "messages/out/", "messages/in/", "runs/"):
        page = as_ana.get(f"/acme/sync/{path}").content.decode()
        assert 'class="empty"' in page, path
