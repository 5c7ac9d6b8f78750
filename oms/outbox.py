"""The outbox: facts that other parts must hear of, written in the transaction that made them true.

A message exists if and only if its fact does. `drain` hands each to the functions that settings.OUTBOX_SUBSCRIBERS
names for its topic, in the same transaction that marks it done: what a subscriber writes in the database happens
exactly once. A subscriber talks to no remote system; it writes down what is to be sent.
"""

import logging
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string

from oms.dispatch import due
from oms.models import OutboxMessage
from oms.tenancy import account_context, current_account_id

KIND = "outbox"
SLICE_SECONDS = 20
"""How long one task drains before it lets other accounts have the worker."""
KEPT = timedelta(days=30)
"""How long a delivered message can still be looked up."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)

log = logging.getLogger(__name__)


def publish(topic: str, aggregate: models.Model | str, payload: Mapping[str, Any] | None = None) -> OutboxMessage:
    """Write a message in the caller's transaction, inside its account.

    Args:
        topic: a key of settings.OUTBOX_SUBSCRIBERS; another raises ImproperlyConfigured.
        aggregate: what the message is about: a row, or a text like "order:12". Messages of one aggregate are delivered
            one after the other, in the order of their ids; lock the row before you publish, so that this is the order
            of the facts.
        payload: JSON-ready facts; by default the id of the row.
    """
    if topic not in settings.OUTBOX_SUBSCRIBERS:
        raise ImproperlyConfigured(f"Nobody knows the topic {topic!r}: add it to OUTBOX_SUBSCRIBERS in the settings.")
    if isinstance(aggregate, models.Model):
        payload = {"id": aggregate.pk} if payload is None else payload
        aggregate = f"{aggregate._meta.label_lower}:{aggregate.pk}"
    message: OutboxMessage = OutboxMessage.objects.create(topic=topic, aggregate=aggregate, payload=dict(payload or {}))
    due(current_account_id(), KIND)
    return message


def drain(account_id: int) -> int:
    """Deliver the open messages of an account, in order; returns how many. Safe to run many times side by side.

    A message whose subscriber raises stays open and is tried again later, with longer and longer waits; the later ones
    of its aggregate wait for it, others do not.
    """
    delivered, last, until = 0, 0, monotonic() + SLICE_SECONDS
    while monotonic() < until:
        with account_context(account_id):
            message = _next(after=last)
            if message is None:
                return delivered
            last = message.pk
            delivered += _deliver(message)
    with account_context(account_id):
        due(account_id, KIND)
    return delivered


def forget(account_id: int, before: datetime) -> int:
    """Delete the messages of an account that were delivered before a moment; returns how many.

    Open ones stay, and those that a row of another app refers to.
    """
    with account_context(account_id):
        rows = OutboxMessage.objects.filter(done_at__lt=before)
        for field in OutboxMessage._meta.get_fields(include_hidden=True):
            if isinstance(field, models.ManyToOneRel):
                others = field.related_model.objects.filter(**{field.field.name: OuterRef("pk")})  # type: ignore[attr-defined]
                rows = rows.exclude(Exists(others))
        count: int = rows.delete()[0]
    return count


def _next(*, after: int) -> OutboxMessage | None:
    """The first message that may be delivered, locked; not one whose aggregate has an earlier one open."""
    earlier = OutboxMessage.objects.filter(aggregate=OuterRef("aggregate"), pk__lt=OuterRef("pk"), done_at=None)
    ripe = Q(next_at=None) | Q(next_at__lte=Now())
    ready = OutboxMessage.objects.filter(ripe, ~Exists(earlier), pk__gt=after, done_at=None)
    found: OutboxMessage | None = ready.order_by("pk").select_for_update(skip_locked=True, of=("self",)).first()
    return found


def _deliver(message: OutboxMessage) -> bool:
    """Call the subscribers; on success mark the message done, else note why not and when to try again."""
    try:
        with transaction.atomic():
            for path in settings.OUTBOX_SUBSCRIBERS[message.topic]:
                import_string(path)(message)
    except Exception as error:
        if connection.needs_rollback:  # not even the savepoint answers: the database is away, not the message bad
            raise
        log.exception("Outbox message %s (%s) could not be delivered", message.pk, message.topic)
        _postpone(message, error)
        return False
    OutboxMessage.objects.filter(pk=message.pk).update(done_at=Now(), next_at=None, error="")
    return True


def _postpone(message: OutboxMessage, error: Exception) -> None:
    wait = min(FIRST_WAIT * 2 ** min(message.attempts, 20), LONGEST_WAIT)
    # Jitter, so that what failed together does not come back together.
    at = timezone.now() + wait * random.uniform(0.8, 1.2)  # noqa: S311
    reason = f"{type(error).__name__}: {error}"[:2000]
    OutboxMessage.objects.filter(pk=message.pk).update(attempts=message.attempts + 1, next_at=at, error=reason)
    due(current_account_id(), KIND, at=at)
