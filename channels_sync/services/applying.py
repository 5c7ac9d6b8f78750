"""Applies what was stored: each message by one service in one transaction, and twice changes nothing."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta

from django.db import connection as database, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _, gettext_lazy

from channels_sync.contract import Adapter, Capability, Flow, Misconfigured, Rejected, RemoteReceipt, WmsAdapter
from channels_sync.models import InboundMessage, InboundState
from channels_sync.queries.receipts import (
    applied_before,
    cases_of,
    has_open_cases,
    incoming,
    next_origin,
    of_document,
    rest_of,
)
from channels_sync.registry import adapter_class
from channels_sync.services import runs
from oms.database.faults import fault_of
from oms.errors import Conflict, DomainError
from oms.models import Discrepancy, DiscrepancyKind, Person
from oms.queries.people import local_words
from oms.services import audit
from oms.services.discrepancies import open_discrepancy, settle_open, shortened
from oms.tenancy import account_context
from replenishment.models import Receipt, Replenishment
from replenishment.receiving import Origin
from replenishment.services.receiving import SOURCE_LENGTH, apply_receipt, folded

SUBJECT = "message in"
"""The `subject_kind` of a discrepancy that a message in left."""

CLOCKS = timedelta(minutes=5)
"""What two clocks may differ by."""
OLDER = gettext_lazy(
    "It was received on %(came)s, before %(number)s was submitted on %(asked)s: it may be of an earlier replenishment "
    "with this number. If it is of this one, replay it."
)

log = logging.getLogger(__name__)


class OlderThanItsOrder(Rejected):
    """Goods came before they were ordered."""


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
    if _versions(message).filter(version__gt=message.version, applied_at__isnull=False).exists():
        return _end(message, InboundState.SUPERSEDED)
    try:
        with transaction.atomic():
            APPLIERS[Flow(message.stream)](message, _adapter(message))
    except OlderThanItsOrder as error:
        InboundMessage.objects.filter(pk=message.pk).update(told_older=True)
        return _refuse(message, str(error))
    except (Rejected, Misconfigured, DomainError) as error:
        return _refuse(message, str(error))
    except Exception as error:
        # A deadlock, a time-out or a full disk says nothing about the message: the next pull tries again. And where not
        # even the savepoint answers, the database is away.
        if fault_of(error) or database.needs_rollback:
            raise
        log.exception("Message %s of connection %s could not be applied", message.pk, message.connection_id)
        return _refuse(message, _("Something went wrong on our side: the log of this installation says what."))
    _settle(message, _("Applied after all."), None)
    for older in _versions(message).filter(
        version__lt=message.version, applied_at=None, state__in=[InboundState.NEW, InboundState.DISCREPANCY]
    ):
        _settle(older, _("A newer version was applied."), None)
        _end(older, InboundState.SUPERSEDED)
    is_open = has_open_cases(origin_of(message))
    return _end(message, InboundState.DISCREPANCY if is_open else InboundState.APPLIED, is_applied=True)


def origin_of(message: InboundMessage) -> Origin:
    """Which document a message is about, whatever its version and whichever connection of its tenant brought it."""
    return Origin(stream=message.stream, realm=message.realm, document=message.external_id)


def _apply_receipt(message: InboundMessage, adapter: type[Adapter]) -> None:
    """Apply what is new in a receipt. A later version, or a replay, continues where the last one ended."""
    if not issubclass(adapter, WmsAdapter):
        raise Rejected(_("This system sends no receipts."))
    origin, receipt = origin_of(message), adapter.read(Flow.RECEIPTS, message.raw)
    _refuse_other_document(origin, receipt)
    is_first = not _versions(message).filter(applied_at__isnull=False).exists()
    if is_first and not message.told_older:  # who was told that, and replays it, means it
        _refuse_older_than_its_order(receipt)
    rest = receipt if is_first else _rest(message, receipt)
    if rest.lines or is_first:
        found = message.connection
        if found.link_id is None:
            raise Rejected(_("This connection runs no warehouse, so nothing can be received over it."))
        told = incoming(
            rest,
            origin=next_origin(origin),
            link_id=found.link_id,
            options=found.options,
            default_bin=found.default_bin.name if found.default_bin else "",
            raw=message.raw,
        )
        apply_receipt(told, source=_new_source(told.origin))


def _new_source(origin: Origin) -> str:
    """A unique id for a new receipt. Where another document's has this text already, it gets a mark."""
    text = f"{origin.realm}:{origin.stream}:{origin.document}" + (f"@{origin.part}" if origin.part else "")
    while Receipt.objects.filter(source=shortened(text, SOURCE_LENGTH)).exists():
        text += "~"
    return text


def _refuse_other_document(origin: Origin, receipt: RemoteReceipt) -> None:
    """Raise Rejected where what was applied under this number belongs to another replenishment."""
    number = Receipt.objects.filter(of_document(origin)).values_list("replenishment__number", flat=True).first()
    if number not in {None, folded(receipt.reference)}:
        words = {"number": receipt.external_id, "known": number, "said": receipt.reference}
        raise Rejected(_("Receipt %(number)s was applied for %(known)s before, and now is for %(said)s.") % words)


def _refuse_older_than_its_order(receipt: RemoteReceipt) -> None:
    """Raise OlderThanItsOrder where goods came before they were ordered: they may be of an earlier order."""
    order = Replenishment.objects.filter(
        number=folded(receipt.reference), submitted_at__gt=receipt.occurred_at + CLOCKS
    ).first()
    if order is None or order.submitted_at is None:
        return
    came, asked = local_words(receipt.occurred_at), local_words(order.submitted_at)
    raise OlderThanItsOrder(OLDER % {"number": order.number, "came": came, "asked": asked})


APPLIERS: Mapping[Flow, Callable[[InboundMessage, type[Adapter]], None]] = {Flow.RECEIPTS: _apply_receipt}
"""Stream → what applies a message of it."""


# --- what people do ---------------------------------------------------------------------------------------------------
@transaction.atomic
def replay(*, message_id: int, actor: Person | None) -> InboundState:
    """Apply a message again after its cause was cleared; only what is not there yet.

    Raises Conflict where it is not waiting for that.
    """
    message = _locked(message_id)
    if message.state not in {InboundState.DISCREPANCY, InboundState.NEW}:
        raise Conflict(_("This message is not waiting for somebody: it is %(state)s.") % {"state": _state(message)})
    _settle(message, _("Replayed."), actor)
    if message.applied_at and _has_rest(message):
        settle_open(cases_of(origin_of(message)), reason=_("Replayed."), actor=actor)
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
    _settle(message, message.reason, actor)
    _record(message, actor, "close", message.reason)
    return message


def _has_rest(message: InboundMessage) -> bool:
    adapter = _adapter(message)
    if not issubclass(adapter, WmsAdapter):
        return False
    try:
        return bool(_rest(message, adapter.read(Flow.RECEIPTS, message.raw)).lines)
    except Rejected:
        return False


def _rest(message: InboundMessage, receipt: RemoteReceipt) -> RemoteReceipt:
    """What of a receipt was not applied before. Raises Rejected where that is not known."""
    origin = origin_of(message)
    if not Receipt.objects.filter(of_document(origin)).exists():  # from before documents were told in columns
        raise Rejected(_("Which receipts belong to it is not known for sure: compare them, correct, then close this."))
    has_lots = Capability.RECEIPT_LOTS_IN in message.connection.options
    return rest_of(receipt, applied_before(origin), has_lots=has_lots)


# --- rows -------------------------------------------------------------------------------------------------------------
def _locked(pk: int) -> InboundMessage:
    """A message, locked with all versions of its document in one order, before anything else: they take turns, and what
    one brought in, the next must see.
    """
    rows = InboundMessage.objects.select_related("connection", "connection__default_bin")
    list(_versions(rows.defer("raw").get(pk=pk)).select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    found: InboundMessage = rows.get(pk=pk)
    return found


def _adapter(message: InboundMessage) -> type[Adapter]:
    return adapter_class(message.connection.kind)


def _versions(message: InboundMessage) -> "QuerySet[InboundMessage]":
    """All messages about the same document, over all connections of its tenant."""
    rows: QuerySet[InboundMessage] = InboundMessage.objects.filter(
        realm=message.realm, stream=message.stream, external_id=message.external_id
    )
    return rows


def _refusals(message: InboundMessage) -> "QuerySet[Discrepancy]":
    """The cases that a message could not be applied."""
    rows: QuerySet[Discrepancy] = Discrepancy.objects.filter(subject_kind=SUBJECT, subject_id=message.pk)
    return rows.filter(kind=DiscrepancyKind.INBOUND_REFUSED)


def _settle(message: InboundMessage, reason: str, actor: Person | None) -> None:
    settle_open(_refusals(message), reason=reason, actor=actor)


def _refuse(message: InboundMessage, why: str) -> InboundState:
    words = {"what": str(message), "who": message.connection.name, "why": why}
    open_discrepancy(
        kind=DiscrepancyKind.INBOUND_REFUSED,
        source=f"inbound:{message.pk}:{_refusals(message).count()}",
        summary=_("%(what)s from %(who)s waits. %(why)s") % words,
        raw=message.raw,
        subject_kind=SUBJECT,
        subject_id=message.pk,
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
