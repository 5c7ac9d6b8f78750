"""Samples of the sync's addresses; see tests/samples.py."""

from itertools import count

from django.utils import timezone

from channels_sync.contract import Flow
from channels_sync.models import Action, Connection, Delivery, DeliveryState, InboundMessage, InboundState, Run
from channels_sync.services import connections
from oms.models import ADMINS, EVERYONE, OFFICE, OutboxMessage
from tests.factories import make_warehouse, make_warehouse_link
from tests.replenishment.factories import make_replenishment
from tests.samples import Case, Sample, times

_number = count(1)
NOWHERE = "http://127.0.0.1:9"


def make_connection(link=None) -> Connection:
    """A connection to a sandbox that does not answer; its name starts like a warehouse's."""
    n = next(_number)
    link = link or make_warehouse_link(warehouse=make_warehouse(f"Warehouse {n}{n} S"))
    return connections.connect_sandbox(
        link=link, client="acme", url=NOWHERE, token="very-secret", name=f"Warehouse {n} system"
    )


def make_delivery(state=DeliveryState.FAILED) -> Delivery:
    """A message out that waits for somebody."""
    replenishment = make_replenishment()
    found = make_connection(link=replenishment.link)
    message = OutboxMessage.objects.create(
        topic="replenishment.submitted", aggregate=f"replenishment:{replenishment.pk}", payload={}
    )
    return Delivery.objects.create(
        message=message,
        connection=found,
        action=Action.SEND_PO,
        aggregate=f"replenishment:{replenishment.pk}",
        label=replenishment.number,
        key=f"key-{message.pk}",
        payload={"number": replenishment.number},
        state=state,
        error="Refused",
    )


def make_inbound() -> InboundMessage:
    """A message in that waits for somebody."""
    return InboundMessage.objects.create(
        connection=make_connection(),
        stream=Flow.RECEIPTS,
        external_id=f"RC-{next(_number)}",
        digest="0",
        raw={"id": "RC", "api_key": "very-secret"},
        state=InboundState.DISCREPANCY,
        error="Unknown",
    )


def make_run() -> Run:
    """A run that found something."""
    return Run.objects.create(connection=make_connection(), flow=Flow.RECEIPTS, state="done", stored=1)


def fields(link, **more) -> dict:
    """What the form of a connection posts."""
    return {
        "version": 1,
        "name": f"Warehouse {next(_number)} form",
        "link": link.pk,
        "seconds": 60,
        "is_active": "on",
        "config-url": NOWHERE,
        "config-client": "acme",
        "config-token": "very-secret",
        **more,
    }


def new(_person) -> Case:
    return Case(data=fields(make_warehouse_link()), query={"kind": "sandbox_wms"})


def connection(_person) -> Case:
    made = make_connection()
    return Case({"pk": made.pk}, fields(made.link, version=made.version))


def again(_person) -> Case:
    return Case({"pk": make_connection().pk}, {"since": f"{timezone.now():%Y-%m-%d}"})


def out(_person) -> Case:
    return Case({"pk": make_delivery().pk}, {"reason": "Told by phone"})


def inbound(_person) -> Case:
    return Case({"pk": make_inbound().pk}, {"reason": "Settled by hand"})


SAMPLES = {
    "connections": Sample(get=EVERYONE, rows=times(make_connection)),
    "connection_new": Sample(new, get=ADMINS, post=ADMINS),
    "connection": Sample(connection, get=EVERYONE),
    "connection_edit": Sample(connection, get=ADMINS, post=ADMINS),
    "connection_test": Sample(connection, post=ADMINS),
    "connection_ask": Sample(connection, post=OFFICE),
    "connection_ask_from": Sample(again, get=ADMINS, post=ADMINS),
    "sync_runs": Sample(get=EVERYONE, rows=times(make_run)),
    "messages_out": Sample(get=EVERYONE, rows=times(make_delivery)),
    "message_out": Sample(out, get=EVERYONE),
    "message_out_replay": Sample(out, post=OFFICE),
    "message_out_close": Sample(out, get=OFFICE, post=OFFICE),
    "messages_in": Sample(get=EVERYONE, rows=times(make_inbound)),
    "message_in": Sample(inbound, get=EVERYONE),
    "message_in_replay": Sample(inbound, post=OFFICE),
    "message_in_close": Sample(inbound, get=OFFICE, post=OFFICE),
}
