"""The drain: sends what waits, one message of a connection at a time, each exactly once.

A claim is one conditional UPDATE that gives a message to this worker until its lease is over. The adapter is then
called outside of any transaction. Should the worker die, whoever claims the message next sends it with the same
idempotency key, and the adapter looks before it writes.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _, gettext_lazy

from channels_sync.contract import Flow, Misconfigured, Rejected, RemoteRef, Retry, SyncError, WmsAdapter
from channels_sync.models import Action, Connection, Delivery, DeliveryState, Fault
from channels_sync.models.messages import OVER
from channels_sync.payloads import from_json
from channels_sync.queries.purchase_orders import why_not
from channels_sync.services import health, outgoing, restored, runs
from channels_sync.services.adapters import Opened, open_adapter, opened
from oms.dispatch import due
from oms.models import DiscrepancyKind
from oms.services.discrepancies import open_discrepancy
from oms.tenancy import account_context

SLICE_SECONDS = 20
"""How long one task sends over one connection before it lets others have the worker."""
# A draft of the backup that was submitted, and sent, before the backup was restored; and now once more.
SENT_BEFORE = gettext_lazy(
    "The warehouse has %(number)s already, from before a backup was restored. Compare the two: close this message if "
    "they are the same; else cancel it there, and enter what is missing on a new replenishment."
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """A message that is this worker's own for a while, with all that is needed to send it."""

    pk: int
    attempt: int
    action: str
    label: str
    aggregate: str
    payload: dict[str, Any]
    remote_id: str
    look_first: bool
    is_restored: bool
    connection: Opened


def push(account_id: int) -> int:
    """Send the account's waiting messages over one connection, for SLICE_SECONDS at most; returns how many got through.

    Other connections with work get a task of their own, so that a slow one keeps nobody waiting.
    """
    first = _claim(account_id, None)
    sent = _run(account_id, first) if first else 0
    with account_context(account_id):
        if _ready_connections().exists():
            # Where nothing was claimed, somebody holds it just for this moment.
            due(account_id, health.PUSH, at=None if first else timezone.now() + timedelta(seconds=1))
    return sent


def _run(account_id: int, first: Claim) -> int:
    """Send a message, and those that follow over its connection; how many got through."""
    connection_id, sent, until = first.connection.pk, 0, monotonic() + SLICE_SECONDS
    claim: Claim | None = first
    with runs.running(account_id, connection_id, Flow.PURCHASE_ORDERS) as run:
        while claim:
            is_sent = _send(account_id, claim)
            sent += is_sent
            runs.count(account_id, run.pk, seen=1, done=int(is_sent))
            claim = _claim(account_id, connection_id) if monotonic() <= until else None
    return sent


# --- claiming ---------------------------------------------------------------------------------------------------------
def _ripe() -> "QuerySet[Delivery]":
    """What may be sent: it waits or was left by a worker that died, and nothing earlier of its document is open."""
    earlier = Delivery.objects.filter(
        connection=OuterRef("connection"), aggregate=OuterRef("aggregate"), pk__lt=OuterRef("pk")
    ).exclude(state__in=OVER)
    is_ripe = Q(state=DeliveryState.WAITING, next_at__lte=Now()) | Q(state=DeliveryState.SENDING, lease_until__lt=Now())
    rows: QuerySet[Delivery] = Delivery.objects.filter(is_ripe, ~Exists(earlier))
    return rows


def _busy() -> "QuerySet[Delivery]":
    rows: QuerySet[Delivery] = Delivery.objects.filter(state=DeliveryState.SENDING, lease_until__gte=Now())
    return rows


def _ready_connections() -> "QuerySet[Connection]":
    """Connections with something to send that nobody is sending over."""
    own = {"connection": OuterRef("pk")}
    return health.usable().filter(Exists(_ripe().filter(**own)), ~Exists(_busy().filter(**own)))


def _claim(account_id: int, connection_id: int | None) -> Claim | None:
    """Take the next message of a connection, or of the one that waited longest for its turn; None without one."""
    with account_context(account_id):
        ready = _ready_connections()
        mine = ready.filter(pk=connection_id) if connection_id else ready
        connection = mine.order_by("served_at", "pk").select_for_update(skip_locked=True, of=("self",)).first()
        # Asked again behind the lock: the first answer may be older than what another worker has just committed.
        if connection is None or _busy().filter(connection=connection).exists():
            return None
        found = _next(connection)
        lease = timedelta(seconds=settings.SYNC_LEASE_SECONDS)
        if found is None or not Delivery.objects.filter(pk=found.pk, state=found.state, attempts=found.attempts).update(
            state=DeliveryState.SENDING, attempts=F("attempts") + 1, lease_until=Now() + lease
        ):
            return None
        health.mark_served(connection.pk)
        due(account_id, health.PUSH, at=timezone.now() + lease + timedelta(seconds=1))
        if connection_id is None and ready.exclude(pk=connection.pk).exists():
            due(account_id, health.PUSH)
        return _claimed(found, connection)


def _next(connection: Connection) -> Delivery | None:
    """The first message that is still true. What was to be expected when it was written may be over: that is closed."""
    ripe = _ripe().filter(connection=connection).order_by("pk")
    while found := ripe.select_for_update(of=("self",)).first():
        if found.action == Action.CANCEL_PO:
            return found
        if not (
            reason := why_not(outgoing.subject(found), connection, is_tried=found.attempts > 0 or found.look_first)
        ):
            return found
        outgoing.withdraw(found, reason, None)
    return None


def _claimed(found: Delivery, connection: Connection) -> Claim:
    return Claim(
        pk=found.pk,
        attempt=found.attempts + 1,
        action=found.action,
        label=found.label,
        aggregate=found.aggregate,
        payload=found.payload,
        remote_id=found.remote_id or _sent_as(found),
        look_first=found.look_first,
        is_restored=found.look_first and restored.is_of_before(found.message),
        connection=opened(connection),
    )


def _sent_as(found: Delivery) -> str:
    """The other side's id of the document that an earlier message made."""
    earlier = Delivery.objects.filter(connection=found.connection_id, aggregate=found.aggregate).exclude(remote_id="")
    return str(earlier.order_by("-pk").values_list("remote_id", flat=True).first() or "")


# --- sending ----------------------------------------------------------------------------------------------------------
def _send(account_id: int, claim: Claim) -> bool:
    """Call the adapter and write down what came of it; whether the message got through."""
    try:
        with open_adapter(claim.connection, seconds=settings.SYNC_LEASE_SECONDS * 0.6) as adapter:
            ref = _call(adapter, claim)
    except (Retry, Misconfigured) as error:
        _later(account_id, claim, error)
    except SyncError as error:
        _fail(account_id, claim, str(error), Fault(error.fault))
    except Exception:
        log.exception("Message %s could not be sent", claim.pk)
        _fail(account_id, claim, str(runs.OUR_FAULT), Fault.BROKEN)
    else:
        return _done(account_id, claim, ref)
    return False


def _call(adapter: Any, claim: Claim) -> RemoteRef:
    if not isinstance(adapter, WmsAdapter):
        raise Rejected(_("This system takes no purchase orders."))
    if claim.action == Action.CANCEL_PO:
        return adapter.cancel_purchase_order(RemoteRef(id=claim.remote_id, reference=claim.label))
    if claim.look_first and (there := adapter.find_purchase_order(claim.label)) is not None:
        if claim.is_restored:
            return there
        raise Rejected(SENT_BEFORE % {"number": claim.label})
    return adapter.send_purchase_order(from_json(claim.payload))


def _own(claim: Claim) -> "QuerySet[Delivery]":
    """The claimed row, while it is still this worker's."""
    rows: QuerySet[Delivery] = Delivery.objects.filter(pk=claim.pk, state=DeliveryState.SENDING, attempts=claim.attempt)
    return rows


def _done(account_id: int, claim: Claim, ref: RemoteRef) -> bool:
    with account_context(account_id):
        is_ours = _own(claim).update(
            state=DeliveryState.SENT,
            fault=Fault.NONE,
            error="",
            lease_until=None,
            sent_at=Now(),
            remote_id=ref.id[:120],
            answer={"id": ref.id, "note": ref.note},
        )
        health.note_success(claim.connection.pk, Flow.PURCHASE_ORDERS)
        if is_ours:
            outgoing.settle(claim.pk, _("Sent after all."), None)
            outgoing.unpark(claim.connection.pk, claim.aggregate)
    return bool(is_ours)


def _later(account_id: int, claim: Claim, error: Retry | Misconfigured) -> None:
    """Try again after what the other side asked for, else after a longer and longer wait.

    Where nothing works with the connection it is the connection that waits, and this message with it.
    """
    own = {"state": DeliveryState.WAITING, "fault": error.fault, "error": str(error)[:600], "lease_until": None}
    at, after = timezone.now(), None
    if isinstance(error, Retry):
        after = error.after
        wait = timedelta(seconds=after) if after is not None else health.backoff(claim.attempt)
        at += min(wait, health.LONGEST_WAIT)
    with account_context(account_id):
        _own(claim).update(next_at=at, **own)
        health.note_failure(claim.connection.pk, error, Flow.PURCHASE_ORDERS, at_least=after)
        due(account_id, health.PUSH, at=at)


def _fail(account_id: int, claim: Claim, why: str, fault: Fault) -> None:
    """Stop this message, and with it the later ones of its document, until somebody sees to it."""
    with account_context(account_id):
        if not _own(claim).update(state=DeliveryState.FAILED, fault=fault, error=why[:600], lease_until=None):
            return
        outgoing.park(claim.connection.pk, claim.aggregate)
        if fault == Fault.REJECTED:
            health.note_success(claim.connection.pk, Flow.PURCHASE_ORDERS)
        words = {"what": claim.label, "who": claim.connection.name, "why": why}
        open_discrepancy(
            kind=DiscrepancyKind(f"push_{fault.value}"),
            source=f"delivery:{claim.pk}:{timezone.now():%Y%m%d%H%M%S%f}",
            summary=_("%(what)s did not reach %(who)s. %(why)s") % words,
            raw=claim.payload,
            subject_kind=outgoing.SUBJECT,
            subject_id=claim.pk,
        )
