"""Messages out: made when something happened, replayed or closed by people. `push` sends them."""

from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from channels_sync.contract import Flow
from channels_sync.models import Action, Connection, Delivery, DeliveryState, Fault
from channels_sync.models.messages import OVER
from channels_sync.payloads import to_json
from channels_sync.queries.purchase_orders import expected, purchase_order
from channels_sync.registry import adapter_class, all_adapters
from channels_sync.services.health import PUSH
from channels_sync.services.restored import may_be_there
from oms.dispatch import due
from oms.errors import Conflict, DomainError
from oms.models import Discrepancy, OutboxMessage, Person
from oms.services import audit
from oms.services.discrepancies import settle_open
from oms.tenancy import current_account_id
from replenishment.models import Replenishment
from replenishment.services.submitting import CANCELLED, CLOSED, SUBMITTED

SUBJECT = "message out"
ACTIONS = {SUBMITTED: Action.SEND_PO, CANCELLED: Action.CANCEL_PO, CLOSED: Action.CANCEL_PO}


def hear_replenishment(message: OutboxMessage) -> None:
    """Outbox subscriber: a replenishment was submitted, cancelled or closed short; its warehouse's system is told.

    A connection that is switched off takes its message too, and sends it when it is on again. That nothing more is
    expected goes to whoever may have been told to expect it, also where another connection runs the warehouse now.
    """
    pk = message.payload.get("replenishment_id", message.payload.get("id"))
    replenishment = Replenishment.objects.get(pk=pk)
    whose = Q(link=replenishment.link_id)
    if ACTIONS[message.topic] == Action.CANCEL_PO:
        whose |= Q(Exists(_told().filter(connection=OuterRef("pk"), aggregate=_aggregate(replenishment))))
    for connection in _takers().filter(whose).order_by("pk"):
        _enqueue(message, connection, replenishment)


def hear_connection(message: OutboxMessage) -> None:
    """Outbox subscriber: a connection starts to serve a warehouse; it is told what was submitted before and is open.

    Each replenishment once, however often it starts.
    """
    connection = _takers().filter(pk=message.payload["id"], is_active=True, link__isnull=False).first()
    if connection is None:
        return
    known = set(_told().filter(connection=connection).values_list("aggregate", flat=True))
    # Locked: one that is cancelled meanwhile is either seen as that, or its cancelling comes after this message.
    held = expected(connection).select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True)
    for replenishment in expected(connection).filter(pk__in=list(held)).order_by("pk"):
        if _aggregate(replenishment) not in known:
            _enqueue(_submitted(replenishment), connection, replenishment)


def _told() -> "QuerySet[Delivery]":
    """The messages that tell somebody to expect goods, sent or not."""
    rows: QuerySet[Delivery] = Delivery.objects.filter(action=Action.SEND_PO)
    return rows


def _takers() -> "QuerySet[Connection]":
    """The connections that can be told of purchase orders."""
    kinds = [kind for kind, cls in all_adapters().items() if Flow.PURCHASE_ORDERS in cls.flows]
    rows: QuerySet[Connection] = Connection.objects.filter(kind__in=kinds)
    return rows


def _submitted(replenishment: Replenishment) -> OutboxMessage:
    """The message that a replenishment was submitted.

    One that was forgotten is made again, as delivered: whoever else heard it then must not hear it twice.
    """
    aggregate = f"{replenishment._meta.label_lower}:{replenishment.pk}"
    found: OutboxMessage | None = OutboxMessage.objects.filter(topic=SUBMITTED, aggregate=aggregate).first()
    return found or OutboxMessage.objects.create(
        topic=SUBMITTED, aggregate=aggregate, payload={"id": replenishment.pk}, done_at=Now()
    )


def _aggregate(replenishment: Replenishment) -> str:
    return f"replenishment:{replenishment.pk}"


def subject(delivery: Delivery) -> Replenishment:
    """What a message is about."""
    found: Replenishment = Replenishment.objects.get(pk=int(delivery.aggregate.partition(":")[2]))
    return found


def _enqueue(message: OutboxMessage, connection: Connection, replenishment: Replenishment) -> None:
    action = ACTIONS[message.topic]
    aggregate = _aggregate(replenishment)
    earlier = open_deliveries(connection.pk, aggregate)
    key = f"{connection.uid.hex}-{message.epoch}-{message.pk}"
    payload, notes = _document(action, connection, replenishment, key)
    _row, is_new = Delivery.objects.get_or_create(
        message=message,
        connection=connection,
        defaults={
            "action": action,
            "aggregate": aggregate,
            "label": replenishment.number[:80],
            "key": key,
            "payload": payload,
            "notes": notes,
            "look_first": may_be_there(message, replenishment),
            "state": DeliveryState.PARKED if earlier.filter(state=DeliveryState.FAILED).exists() else "waiting",
        },
    )
    if is_new:
        due(current_account_id(), PUSH)


def _document(
    action: str, connection: Connection, replenishment: Replenishment, key: str
) -> tuple[dict[str, Any], list[str]]:
    if action == Action.CANCEL_PO:
        return {"number": replenishment.number}, []
    adapter = adapter_class(connection.kind)
    found = purchase_order(replenishment, key=key, adapter=adapter, options=connection.options)
    return to_json(found.po), found.notes


def open_deliveries(connection_id: int, aggregate: str) -> "QuerySet[Delivery]":
    """The messages of one document that are still to be sent over a connection."""
    rows: QuerySet[Delivery] = Delivery.objects.filter(connection=connection_id, aggregate=aggregate)
    return rows.exclude(state__in=OVER)


@transaction.atomic
def replay(*, delivery_id: int, actor: Person | None) -> Delivery:
    """Send a failed message again, made anew from what Lotline knows now; its idempotency key stays, and so does the
    count of its tries: that it may have arrived is remembered.

    Raises Conflict where it is not waiting for that.
    """
    found = _locked(delivery_id)
    if found.state not in {DeliveryState.FAILED, DeliveryState.WAITING}:
        raise Conflict(_("This message is not waiting for somebody: it is %(state)s.") % {"state": _state(found)})
    found.payload, found.notes = _document(found.action, found.connection, subject(found), found.key)
    found.state, found.fault, found.error = DeliveryState.WAITING, Fault.NONE, ""
    found.save(update_fields=["payload", "notes", "state", "fault", "error"])
    Delivery.objects.filter(pk=found.pk).update(next_at=Now())
    unpark(found.connection_id, found.aggregate)
    _record(found, actor, "replay", "")
    due(current_account_id(), PUSH)
    return found


@transaction.atomic
def close(*, delivery_id: int, reason: str, actor: Person | None) -> Delivery:
    """Never send this message, for a reason; later ones of its document go on.

    Raises DomainError without a reason, Conflict where it is being sent or is over.
    """
    if not reason.strip():
        raise DomainError(_("Say why it need not be sent."))
    found = _locked(delivery_id)
    if found.is_over or found.state == DeliveryState.SENDING:
        raise Conflict(_("This message cannot be closed: it is %(state)s.") % {"state": _state(found)})
    withdraw(found, reason, actor)
    return found


def withdraw(found: Delivery, reason: str, actor: Person | None) -> None:
    """End a message that is the caller's own, unsent; later ones of its document go on."""
    found.state, found.reason, found.closed_by = DeliveryState.CLOSED, reason.strip()[:400], actor
    found.lease_until = None
    found.save(update_fields=["state", "reason", "closed_by", "lease_until"])
    settle(found.pk, found.reason, actor)
    unpark(found.connection_id, found.aggregate)
    _record(found, actor, "close", found.reason)
    due(current_account_id(), PUSH)


def unpark(connection_id: int, aggregate: str) -> None:
    """Let the later messages of a document wait for their turn again; they keep their order."""
    rows = open_deliveries(connection_id, aggregate)
    if not rows.filter(state=DeliveryState.FAILED).exists():
        rows.filter(state=DeliveryState.PARKED).update(state=DeliveryState.WAITING, next_at=Now())


def park(connection_id: int, aggregate: str) -> None:
    """Show on the later messages of a document that they wait for one that failed."""
    open_deliveries(connection_id, aggregate).filter(state=DeliveryState.WAITING).update(state=DeliveryState.PARKED)


def settle(delivery_id: int, reason: str, actor: Person | None) -> None:
    """Close what a message out has opened and is not settled yet."""
    cases = Discrepancy.objects.filter(subject_kind=SUBJECT, subject_id=delivery_id)
    settle_open(cases, reason=reason, actor=actor)


def _locked(pk: int) -> Delivery:
    found: Delivery = Delivery.objects.select_for_update(of=("self",)).select_related("connection").get(pk=pk)
    return found


def _state(found: Delivery) -> str:
    return str(DeliveryState(found.state).label).lower()


def _record(found: Delivery, actor: Person | None, action: str, reason: str) -> None:
    changes: dict[str, tuple[Any, Any]] = {"reason": (None, reason)} if reason else {}
    audit.record(actor=actor, action=action, kind="message out", object_id=found.pk, label=str(found), changes=changes)
