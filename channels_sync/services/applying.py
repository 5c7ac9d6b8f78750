"""Applies what was stored: each message by one service in one transaction, and twice changes nothing."""

import logging
from collections.abc import Callable, Mapping

from django.db import connection as database, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from channels_sync.contract import Adapter, Capability, Flow, Misconfigured, Rejected, RemoteReceipt, WmsAdapter
from channels_sync.models import InboundMessage, InboundState
from channels_sync.queries.receipts import applied_before, from_source, has_open_cases, incoming, next_source, rest_of
from channels_sync.queries.tenants import of_same_tenant, tenant
from channels_sync.registry import adapter_class
from channels_sync.services import runs
from channels_sync.services.outgoing import settle
from oms.database.faults import fault_of
from oms.errors import Conflict, DomainError
from oms.models import Discrepancy, DiscrepancyKind, Person
from oms.services import audit
from oms.services.discrepancies import open_discrepancy
from oms.tenancy import account_context
from replenishment.models import Receipt
from replenishment.services.receiving import apply_receipt

log = logging.getLogger(__name__)


def apply_new(account_id: int, connection_id: int, flow: Flow, run_id: int) -> None:
    """Apply the stored messages of a stream, older versions first, each in a transaction of its own."""
    with account_context(account_id):
        rows = InboundMessage.objects.filter(connection=connection_id, stream=flow, state=InboundState.NEW)
        ids = list(rows.order_by("version", "pk").values_list("pk", flat=True))
    for pk in ids:
        with account_context(account_id):
            state = apply_message(message_id=pk)
        if state:
            is_bad = state == InboundState.DISCREPANCY
            runs.count(account_id, run_id, done=int(not is_bad), discrepancies=int(is_bad))


@transaction.atomic
def apply_message(*, message_id: int) -> InboundState | None:
    """Apply one stored message inside its account; how it ended, None where somebody else did it first.

    A message that contradicts what Lotline knows, or that nobody understands, becomes a discrepancy; nothing else of it
    is written.
    """
    message = _locked(message_id)
    if message.state != InboundState.NEW:
        return None
    return _apply(message)


def _apply(message: InboundMessage) -> InboundState:
    # Versions of one document take turns: what one brought in, the next must see.
    list(_versions(message).select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    if _versions(message).filter(version__gt=message.version, applied_at__isnull=False).exists():
        return _end(message, InboundState.SUPERSEDED)
    try:
        with transaction.atomic():
            source = APPLIERS[Flow(message.stream)](message, _adapter(message))
    except (Rejected, Misconfigured, DomainError) as error:
        return _refuse(message, str(error))
    except Exception as error:
        # A deadlock, a time-out or a full disk says nothing about the message: the next pull tries again. And where not
        # even the savepoint answers, the database is away.
        if fault_of(error) or database.needs_rollback:
            raise
        log.exception("Message %s of connection %s could not be applied", message.pk, message.connection_id)
        return _refuse(message, f"{type(error).__name__}: {error}")
    settle(f"inbound:{message.pk}:", _("Applied after all."), None)
    for older in _versions(message).filter(
        version__lt=message.version, applied_at=None, state__in=[InboundState.NEW, InboundState.DISCREPANCY]
    ):
        settle(f"inbound:{older.pk}:", _("A newer version was applied."), None)
        _end(older, InboundState.SUPERSEDED)
    return _end(message, InboundState.DISCREPANCY if has_open_cases(source) else InboundState.APPLIED, is_applied=True)


def receipt_source(message: InboundMessage) -> str:
    """The unique id of a receipt, whatever its version and whichever connection of its tenant brought it."""
    return f"{tenant(message.connection)}:receipts:{message.external_id}"


def _apply_receipt(message: InboundMessage, adapter: type[Adapter]) -> str:
    """Apply what is new in a receipt; its source. A later version, or a replay, continues where the last one ended."""
    if not issubclass(adapter, WmsAdapter):
        raise Rejected(_("This system sends no receipts."))
    source, receipt = receipt_source(message), adapter.read_receipt(message.raw)
    _refuse_other_document(source, receipt)
    is_first = not _versions(message).filter(applied_at__isnull=False).exists()
    rest = receipt if is_first else _rest(message, receipt)
    if rest.lines or is_first:
        found = message.connection
        if found.link_id is None:
            raise Rejected(_("This connection runs no warehouse, so nothing can be received over it."))
        default_bin = found.default_bin.name if found.default_bin else ""
        told = incoming(rest, link_id=found.link_id, options=found.options, default_bin=default_bin, raw=message.raw)
        apply_receipt(told, source=source if is_first else next_source(source))
    return source


def _refuse_other_document(source: str, receipt: RemoteReceipt) -> None:
    """Raise Rejected where what was applied under this number belongs to another replenishment."""
    number = Receipt.objects.filter(from_source(source)).values_list("replenishment__number", flat=True).first()
    if number not in {None, receipt.reference}:
        words = {"number": receipt.external_id, "known": number, "said": receipt.reference}
        raise Rejected(_("Receipt %(number)s was applied for %(known)s before, and now is for %(said)s.") % words)


APPLIERS: Mapping[Flow, Callable[[InboundMessage, type[Adapter]], str]] = {Flow.RECEIPTS: _apply_receipt}
"""Stream → what applies a message of it; it returns the source under which discrepancies of the message are opened."""


# --- what people do ---------------------------------------------------------------------------------------------------
@transaction.atomic
def replay(*, message_id: int, actor: Person | None) -> InboundState:
    """Apply a message again after its cause was cleared; only what is not there yet.

    Raises Conflict where it is not waiting for that.
    """
    message = _locked(message_id)
    if message.state not in {InboundState.DISCREPANCY, InboundState.NEW}:
        raise Conflict(_("This message is not waiting for somebody: it is %(state)s.") % {"state": _state(message)})
    settle(f"inbound:{message.pk}:", _("Replayed."), actor)
    if message.applied_at and _has_rest(message):
        for mark in "#@":
            settle(f"{receipt_source(message)}{mark}", _("Replayed."), actor)
    _record(message, actor, "replay", "")
    return _apply(message)


@transaction.atomic
def close(*, message_id: int, reason: str, actor: Person | None) -> InboundMessage:
    """Never apply (the rest of) a message, for a reason. Raises DomainError without one, Conflict where it is over."""
    if not reason.strip():
        raise DomainError(_("Say why it need not be applied."))
    message = _locked(message_id)
    if message.state not in {InboundState.DISCREPANCY, InboundState.NEW}:
        raise Conflict(_("This message cannot be closed: it is %(state)s.") % {"state": _state(message)})
    message.state, message.reason, message.closed_by = InboundState.CLOSED, reason.strip()[:400], actor
    message.save(update_fields=["state", "reason", "closed_by"])
    settle(f"inbound:{message.pk}:", message.reason, actor)
    _record(message, actor, "close", message.reason)
    return message


def _has_rest(message: InboundMessage) -> bool:
    adapter = _adapter(message)
    if not issubclass(adapter, WmsAdapter):
        return False
    try:
        return bool(_rest(message, adapter.read_receipt(message.raw)).lines)
    except Rejected:
        return False


def _rest(message: InboundMessage, receipt: RemoteReceipt) -> RemoteReceipt:
    has_lots = Capability.RECEIPT_LOTS_IN in message.connection.options
    return rest_of(receipt, applied_before(receipt_source(message)), has_lots=has_lots)


# --- rows -------------------------------------------------------------------------------------------------------------
def _locked(pk: int) -> InboundMessage:
    rows = InboundMessage.objects.select_related("connection", "connection__default_bin")
    found: InboundMessage = rows.select_for_update(of=("self",)).get(pk=pk)
    return found


def _adapter(message: InboundMessage) -> type[Adapter]:
    return adapter_class(message.connection.kind)


def _versions(message: InboundMessage) -> "QuerySet[InboundMessage]":
    """All messages about the same document, over all connections of its tenant."""
    rows: QuerySet[InboundMessage] = InboundMessage.objects.filter(
        connection__in=of_same_tenant(message.connection), stream=message.stream, external_id=message.external_id
    )
    return rows


def _refuse(message: InboundMessage, why: str) -> InboundState:
    words = {"what": str(message), "who": message.connection.name, "why": why}
    own = f"inbound:{message.pk}:"
    open_discrepancy(
        kind=DiscrepancyKind.INBOUND_REFUSED,
        source=f"{own}{Discrepancy.objects.filter(source__startswith=own).count()}",
        summary=_("%(what)s from %(who)s waits. %(why)s") % words,
        raw=message.raw,
    )
    return _end(message, InboundState.DISCREPANCY, why)


def _end(message: InboundMessage, state: InboundState, error: str = "", *, is_applied: bool = False) -> InboundState:
    rows = InboundMessage.objects.filter(pk=message.pk)
    rows.update(state=state, error=error[:600])
    if is_applied:
        rows.update(applied_at=Now())
    return state


def _state(message: InboundMessage) -> str:
    return str(InboundState(message.state).label).lower()


def _record(message: InboundMessage, actor: Person | None, action: str, reason: str) -> None:
    audit.record(
        actor=actor,
        action=action,
        kind="message in",
        object_id=message.pk,
        label=str(message),
        changes={"reason": (None, reason)} if reason else {},
    )
