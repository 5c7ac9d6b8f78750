"""Whether a connection works: noted after every call, so that one that keeps failing is left alone for a while."""

import random
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, Q, QuerySet, Value, When
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.contract import Flow, Misconfigured, NotAllowed, SyncError
from channels_sync.models import Connection, Cursor, Delivery, DeliveryState, Fault, Health
from oms.dispatch import due
from oms.models import Discrepancy, DiscrepancyKind
from oms.services.discrepancies import open_discrepancy, settle_open
from oms.tenancy import current_account_id

PUSH, PULL = "sync.push", "sync.pull"
BREAKS_AFTER = 5
"""So many failures without a success between them, and a connection rests."""
LONGEST_REST, LONGEST_WAIT = timedelta(hours=1), timedelta(days=1)
JITTER = 0.2
REFUSED_WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))
"""How long after each time that it did not let us in it is tried again; after the last one it is stopped."""
SUBJECT = "connection"


def usable() -> "QuerySet[Connection]":
    """The connections that may be called now."""
    rows: QuerySet[Connection] = Connection.objects.filter(
        Q(resting_until=None) | Q(resting_until__lte=Now()),
        Q(asked_until=None) | Q(asked_until__lte=Now()),
        is_active=True,
    ).exclude(health=Health.STOPPED)
    return rows


def backoff(attempts: int, *, longest: timedelta = LONGEST_WAIT) -> timedelta:
    """How long to wait after so many tries: longer and longer, with jitter so that not all come back together."""
    return _doubled(attempts, longest) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311


def _doubled(attempts: int, longest: timedelta) -> timedelta:
    first = timedelta(seconds=settings.SYNC_FIRST_WAIT_SECONDS)
    wait: timedelta = min(first * 2 ** min(max(attempts, 1) - 1, 24), longest)
    return wait


def note_success(connection_id: int, flow: Flow) -> None:
    """The other side answered: what waited because it did not is tried at once, but for what it asked for itself.

    Where it did not let us in for another flow, it still does not. And what is stopped stays so until a person acts,
    however a call ends that was under way.
    """
    rows = Connection.objects.filter(pk=connection_id)
    mended = {"failures": 0, "refusals": 0, "refused_flow": "", "resting_until": None, "error": "", "error_at": None}
    elsewhere = Q(health=Health.SUSPECT) & ~Q(refused_flow__in=["", flow])
    stays = Q(health__in=[Health.OK, Health.STOPPED]) | elsewhere
    was_away = rows.exclude(stays).update(health=Health.OK, **mended)
    was_failing = rows.filter(health=Health.OK).exclude(failures=0).update(**mended)
    rows.update(ok_at=Now())
    if was_away or was_failing:
        waiting = Delivery.objects.filter(connection=connection_id, state=DeliveryState.WAITING, fault=Fault.RETRY)
        waiting.update(next_at=Now())
        due(current_account_id(), PUSH)
    if was_away:
        Cursor.objects.filter(connection=connection_id).exclude(failures=0).update(next_at=Now(), failures=0)
        due(current_account_id(), PULL)
        settle_open(_cases(connection_id), reason=_("It works again."), actor=None)


def note_failure(connection_id: int, error: SyncError, flow: Flow, *, at_least: float | None = None) -> None:
    """The other side did not answer, or not usefully. `at_least` seconds is how long it asked us to stay away.

    A call that was under way when the connection was stopped changes nothing: why it is stopped stays said.
    """
    found = Connection.objects.select_for_update(of=("self",)).get(pk=connection_id)
    if found.health == Health.STOPPED:
        return
    found.error, found.error_at = str(error)[:600], timezone.now()
    if isinstance(error, NotAllowed) and found.refusals < len(REFUSED_WAITS):
        _suspect(found, flow)
    elif isinstance(error, Misconfigured):
        _stop(found)
    elif at_least is not None:
        asked = timezone.now() + min(timedelta(seconds=at_least), LONGEST_WAIT)
        found.asked_until = max(filter(None, [found.asked_until, asked]))
    else:
        _count_failure(found)
    found.save(
        update_fields=[
            *("error", "error_at", "health", "resting_until", "asked_until", "failures", "refusals", "refused_flow")
        ]
    )
    if until := max(filter(None, [found.resting_until, found.asked_until]), default=None):
        look_again(until)


def _count_failure(found: Connection) -> None:
    found.failures += 1
    if found.failures >= BREAKS_AFTER and found.health in {Health.UNTRIED, Health.OK, Health.RESTING}:
        rest = backoff(found.failures - BREAKS_AFTER + 1, longest=LONGEST_REST)
        found.health = Health.RESTING
        found.resting_until = max(filter(None, [found.resting_until, timezone.now() + rest]))


def _suspect(found: Connection, flow: Flow) -> None:
    """It may be a hiccup of theirs: a few more tries before anybody is troubled."""
    found.resting_until = timezone.now() + REFUSED_WAITS[found.refusals]
    found.health, found.refused_flow = Health.SUSPECT, flow
    found.refusals += 1


def _stop(found: Connection) -> None:
    """Call it no more until a person acts, who is told once."""
    found.health, found.resting_until = Health.STOPPED, None
    if not _cases(found.pk).filter(is_open=True).exists():
        open_discrepancy(
            kind=DiscrepancyKind.CONNECTION_STOPPED,
            source=f"{SUBJECT}:{found.pk}:{timezone.now():%Y%m%d%H%M%S%f}",
            summary=_("%(who)s is stopped; its messages wait. %(why)s") % {"who": found.name, "why": found.error},
            subject_kind=SUBJECT,
            subject_id=found.pk,
        )


def _cases(connection_id: int) -> "QuerySet[Discrepancy]":
    """The cases that a connection was stopped."""
    rows: QuerySet[Discrepancy] = Discrepancy.objects.filter(subject_kind=SUBJECT, subject_id=connection_id)
    return rows


def resume(connection_id: int) -> None:
    """Somebody changed the settings, or asked to try now: call it again, with all that its settings had stopped."""
    Connection.objects.filter(pk=connection_id).update(
        failures=0,
        refusals=0,
        refused_flow="",
        health=Case(When(health=Health.OK, then=Value(Health.OK)), default=Value(Health.UNTRIED)),
        resting_until=None,
        asked_until=None,
        error="",
        error_at=None,
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

    A message waits by itself as long as its tries say: how long another system asked us to stay away is kept by its
    connection, with the moment when it was said.
    """
    lease = Now() + timedelta(seconds=settings.SYNC_LEASE_SECONDS)
    Delivery.objects.filter(lease_until__gt=lease).update(lease_until=lease)
    waiting = Delivery.objects.filter(state=DeliveryState.WAITING)
    waiting.filter(attempts=0, next_at__gt=Now()).update(next_at=Now())
    for attempts in waiting.filter(next_at__gt=Now()).values_list("attempts", flat=True).distinct():
        longest = min(_doubled(attempts, LONGEST_WAIT) * (1 + JITTER), LONGEST_WAIT)
        waiting.filter(attempts=attempts, next_at__gt=Now() + longest).update(next_at=Now() + longest)
    for seconds in Cursor.objects.values_list("connection__seconds", flat=True).distinct():
        turn = Now() + max(LONGEST_REST, timedelta(seconds=seconds))
        Cursor.objects.filter(connection__seconds=seconds, next_at__gt=turn).update(next_at=turn)
    for name, longest in (("resting_until", LONGEST_REST * 1.2), ("asked_until", LONGEST_WAIT)):
        own = Connection.objects.filter(**{f"{name}__gt": Now()})
        own.filter(error_at__gt=Now()).update(**{name: Now()})
        own.filter(**{f"{name}__gt": Now() + longest}).update(**{name: Now() + longest})
    Connection.objects.filter(error_at__gt=Now()).update(error_at=Now())
    look_again()
