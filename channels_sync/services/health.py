"""Whether a connection works: noted after every call, so that one that keeps failing is left alone for a while."""

import random
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from channels_sync.contract import Misconfigured, SyncError
from channels_sync.models import Connection, Cursor, Delivery, DeliveryState, Fault, Health
from oms.dispatch import due
from oms.tenancy import current_account_id

PUSH, PULL = "sync.push", "sync.pull"
BREAKS_AFTER = 5
"""So many failures without a success between them, and a connection rests."""
LONGEST_REST, LONGEST_WAIT = timedelta(hours=1), timedelta(days=1)


def usable() -> "QuerySet[Connection]":
    """The connections that may be called now."""
    rows: QuerySet[Connection] = Connection.objects.filter(
        Q(resting_until=None) | Q(resting_until__lte=Now()), is_active=True
    ).exclude(health=Health.STOPPED)
    return rows


def backoff(attempts: int, *, longest: timedelta = LONGEST_WAIT) -> timedelta:
    """How long to wait after so many tries: longer and longer, with jitter so that not all come back together."""
    wait: timedelta = min(
        timedelta(seconds=settings.SYNC_FIRST_WAIT_SECONDS) * 2 ** min(max(attempts, 1) - 1, 24), longest
    )
    jitter = random.uniform(0.8, 1.2)  # noqa: S311
    return wait * jitter


def note_success(connection_id: int) -> None:
    """The other side answered: what waited because it did not is tried at once."""
    rows = Connection.objects.filter(pk=connection_id)
    was_failing = rows.exclude(failures=0, health=Health.OK).update(
        failures=0, health=Health.OK, resting_until=None, error="", error_at=None
    )
    rows.update(ok_at=Now())
    if was_failing:
        Delivery.objects.filter(connection=connection_id, state=DeliveryState.WAITING, fault=Fault.RETRY).update(
            next_at=Now()
        )
        due(current_account_id(), PUSH)


def note_failure(connection_id: int, error: SyncError, *, at_least: float | None = None) -> None:
    """The other side did not answer, or not usefully. `at_least` seconds is how long it asked us to stay away."""
    found = Connection.objects.select_for_update(of=("self",)).get(pk=connection_id)
    found.error, found.error_at = str(error)[:600], timezone.now()
    if isinstance(error, Misconfigured):
        found.health, found.resting_until = Health.STOPPED, None
    elif at_least is not None:
        found.resting_until = timezone.now() + timedelta(seconds=min(at_least, 86_400))
    else:
        found.failures += 1
    if found.failures >= BREAKS_AFTER and found.health != Health.STOPPED:
        rest = backoff(found.failures - BREAKS_AFTER + 1, longest=LONGEST_REST)
        found.health = Health.RESTING
        found.resting_until = max(filter(None, [found.resting_until, timezone.now() + rest]))
    found.save(update_fields=["error", "error_at", "health", "resting_until", "failures"])
    if found.resting_until:
        look_again(found.resting_until)


def resume(connection_id: int) -> None:
    """Somebody changed the settings, or asked to try now: call it again, with all that its settings had stopped."""
    Connection.objects.filter(pk=connection_id).update(
        failures=0, health=Health.OK, resting_until=None, error="", error_at=None
    )
    Delivery.objects.filter(connection=connection_id, state=DeliveryState.WAITING).update(next_at=Now())
    Cursor.objects.filter(connection=connection_id).update(next_at=Now(), failures=0)
    look_again()


def look_again(at: datetime | None = None) -> None:
    """Let push and pull look for work, now or at a moment."""
    for kind in (PUSH, PULL):
        due(current_account_id(), kind, at=at)


def mark_served(connection_id: int) -> None:
    """It had its turn: others go first now."""
    Connection.objects.filter(pk=connection_id).update(served_at=Now())


def cut_waits() -> None:
    """Cut the account's stored waits to the longest that they can be; see oms/waits.py.

    A message waits for an hour at most by itself: how long another system asked us to stay away is kept by its
    connection, with the moment when it was said.
    """
    lease = Now() + timedelta(seconds=settings.SYNC_LEASE_SECONDS)
    Delivery.objects.filter(lease_until__gt=lease).update(lease_until=lease)
    waiting = Delivery.objects.filter(state=DeliveryState.WAITING)
    waiting.filter(attempts=0, next_at__gt=Now()).update(next_at=Now())
    waiting.filter(next_at__gt=Now() + LONGEST_REST).update(next_at=Now() + LONGEST_REST)
    for seconds in Cursor.objects.values_list("connection__seconds", flat=True).distinct():
        turn = Now() + max(LONGEST_REST, timedelta(seconds=seconds))
        Cursor.objects.filter(connection__seconds=seconds, next_at__gt=turn).update(next_at=turn)
    Connection.objects.filter(resting_until__gt=Now() + LONGEST_WAIT).update(resting_until=Now() + LONGEST_WAIT)
    Connection.objects.filter(resting_until__gt=Now(), error_at__gt=Now()).update(resting_until=Now(), error_at=Now())
    look_again()
