"""The poll: asks each stream for what changed, stores every payload as it came, then applies what is new.

One pull of a stream runs at a time (an advisory lock). Its next turn is written down before the first request, so a
worker that is killed costs one turn. The cursor moves only after everything up to it is stored, and never past the
moment at which the other side was asked: what is dated later than that may be followed by what is not. Once in a while
it is looked further back (a sweep), for what appeared late; a sweep that breaks off is made again.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from django.conf import settings
from django.db import Error, connection as database
from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Least, Now
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.contract import Adapter, Flow, Misconfigured, Page, Retry, SyncError
from channels_sync.models import Connection, Cursor, InboundMessage
from channels_sync.payloads import digest
from channels_sync.queries.tenants import tenant
from channels_sync.services import health, runs
from channels_sync.services.adapters import Opened, open_adapter, opened
from channels_sync.services.applying import SUBJECT, apply_new
from channels_sync.vault import redacted
from oms.database.faults import fault_of
from oms.dispatch import due
from oms.models import DiscrepancyKind
from oms.queries.people import local_words
from oms.services.discrepancies import open_discrepancy, shortened
from oms.tenancy import account_context

SLICE_SECONDS = 20
SWEEPS = {"swept_at": (timedelta(hours=1), timedelta(hours=4)), "swept_far_at": (timedelta(days=1), timedelta(days=8))}
"""When a stream was swept → how often that is done, and how far behind the cursor it looks."""
TOLERANCE = timedelta(minutes=5)
"""A document that is dated so much later than now is told of: clocks differ a little, and nobody cares."""
LONGEST_WAIT_FOR_NEW = timedelta(minutes=5)
"""What is new can be read, so it is, however often the look back breaks off."""

log = logging.getLogger(__name__)


class SettingsChanged(Exception):
    """The connection is another one now than the one that was asked."""


@dataclass(frozen=True)
class Turn:
    """One stream whose turn it is.

    It is looked back to `sweep_from`, None for no sweep: because a run failed, or somebody asked, from `asked_from` on,
    and because it is time for `sweeps`, of which the stream will know that they were made at `began`.
    """

    flow: Flow
    at: datetime | None
    connection: Opened
    realm: str
    began: datetime
    asked_from: datetime | None
    sweeps: tuple[str, ...]
    sweep_from: datetime | None


@dataclass
class Reading:
    """How far a turn has come. `asked_at` is when the other side was asked first, None before it answered."""

    turn: Turn
    at: datetime | None
    asked_at: datetime | None = None
    is_new_read: bool = False

    def clamped(self, moment: datetime) -> datetime:
        """A moment up to which the stream is known: never later than when it was asked."""
        return min(moment, self.asked_at or moment)


def pull(account_id: int) -> int:
    """Ask the account's streams whose turn it is, one after the other for SLICE_SECONDS; returns how many.

    Streams of other connections get a task of their own, so that a slow one keeps nobody waiting.
    """
    done, until = 0, monotonic() + SLICE_SECONDS
    while turn := _take_turn(account_id):
        with _alone(account_id, turn) as is_alone:
            if is_alone:
                _pull(account_id, turn)
                done += 1
        if monotonic() > until:
            break
    with account_context(account_id):
        if _ready().exists():
            due(account_id, health.PULL)
    return done


def _ready() -> "QuerySet[Cursor]":
    usable = health.usable().filter(pk=OuterRef("connection"))
    rows: QuerySet[Cursor] = Cursor.objects.filter(Exists(usable), next_at__lte=Now())
    return rows


def _take_turn(account_id: int) -> Turn | None:
    with account_context(account_id):
        cursor = _ready().order_by("next_at", "pk").select_for_update(skip_locked=True, of=("self",)).first()
        if cursor is None:
            return None
        # It grows with failures, and is never below what the connection asks for.
        found, now = cursor.connection, timezone.now()
        wait = timedelta(seconds=found.seconds)
        if cursor.failures:
            wait = max(wait, health.backoff(cursor.failures, longest=health.LONGEST_REST))
        at = min(cursor.at, now) if cursor.at else None
        if not Cursor.objects.filter(pk=cursor.pk, next_at=cursor.next_at).update(next_at=now + wait):
            return None
        due(account_id, health.PULL, at=now + wait)
        if _ready().exclude(pk=cursor.pk).exists():
            due(account_id, health.PULL)
        return _turn(cursor, at, now)


def _turn(cursor: Cursor, at: datetime | None, now: datetime) -> Turn:
    """A turn with the sweeps for which it is time. A stream that was never read is read as a whole anyway."""
    last = {name: getattr(cursor, name) for name in SWEEPS}
    sweeps = tuple(name for name, (every, _back) in SWEEPS.items() if not last[name] or last[name] <= now - every)
    back = [at - SWEEPS[name][1] for name in sweeps] if at else []
    return Turn(
        flow=Flow(cursor.stream),
        at=at,
        connection=opened(cursor.connection),
        realm=tenant(cursor.connection),
        began=now,
        asked_from=cursor.sweep_from,
        sweeps=sweeps,
        sweep_from=min(filter(None, [cursor.sweep_from, *back]), default=None),
    )


@contextmanager
def _alone(account_id: int, turn: Turn) -> Iterator[bool]:
    """Whether this worker is the only one that pulls the stream, until the end of the block.

    A lock of the session, because no transaction is open meanwhile; it ends with the session if the worker is killed.
    """
    name = f"lotline:pull:{account_id}:{turn.connection.pk}:{turn.flow}"
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        is_alone = bool(cursor.fetchone()[0])
    try:
        yield is_alone
    finally:
        if is_alone:
            with suppress(Error), database.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def _pull(account_id: int, turn: Turn) -> None:
    reading = Reading(turn, turn.at)
    with runs.running(account_id, turn.connection.pk, turn.flow) as run:
        try:
            _read(account_id, reading, run.pk)
        except SyncError as failure:
            run.error = str(failure)
            _note_failure(account_id, reading, failure)
        except SettingsChanged:
            run.error = _("The settings were changed meanwhile.")
            _note_failure(account_id, reading, None)
        except Exception as failure:
            if fault_of(failure) or isinstance(failure, Error):  # our own database says nothing about the other side
                raise
            log.exception("Stream %s of connection %s could not be read", turn.flow, turn.connection.pk)
            run.error = str(runs.OUR_FAULT)
            _note_failure(account_id, reading, None)
        else:
            _note_success(account_id, turn)
        apply_new(account_id, turn.connection.pk, turn.flow, run.pk)
        run.cursor = reading.at


def _read(account_id: int, reading: Reading, run_id: int) -> None:
    """Fetch what is new, then what may have appeared late; each page is stored and applied."""
    turn = reading.turn
    with open_adapter(turn.connection, seconds=settings.SYNC_PULL_SECONDS) as adapter:
        for since in _spans(turn, adapter):
            for page in adapter.fetch(turn.flow, since):
                reading.asked_at = reading.asked_at or _asked_at(adapter)
                _store(account_id, reading, page, run_id)
                apply_new(account_id, turn.connection.pk, turn.flow, run_id)
            _note_read(account_id, reading)


def _spans(turn: Turn, adapter: Adapter) -> Iterator[datetime | None]:
    """From when on the stream is asked: what is new, then what may have appeared late, where it is time to look."""
    if turn.at is None:
        yield None
        return
    new = turn.at - adapter.overlap
    yield new
    if turn.sweep_from and turn.sweep_from < new:
        yield turn.sweep_from


def _asked_at(adapter: Adapter) -> datetime:
    """When the other side was asked, by its own clock; by ours, with room for a difference, where it does not say."""
    theirs = adapter.clock()
    # They say it to the second.
    return theirs + timedelta(seconds=1) if theirs else timezone.now() - adapter.overlap


def _store(account_id: int, reading: Reading, page: Page, run_id: int) -> None:
    """Keep a page as it came, and how far the stream is known now."""
    turn = reading.turn
    rows: dict[tuple[str, str], InboundMessage] = {}
    dates: dict[tuple[str, str], datetime | None] = {}
    for payload in page.payloads:
        raw = redacted(payload.raw)
        row = InboundMessage(
            connection_id=turn.connection.pk,
            realm=turn.realm,
            stream=turn.flow,
            external_id=shortened(payload.external_id, 120),
            version=payload.version,
            digest=digest(raw),
            raw=raw,
        )
        rows[row.external_id, row.digest], dates[row.external_id, row.digest] = row, payload.updated_at
    with account_context(account_id):
        held = Connection.objects.select_for_update(of=("self",), no_key=True).get(pk=turn.connection.pk)
        if held.config != turn.connection.config:
            # Whose documents are these? Nothing may be stored for another tenant than the one that was asked; the lock
            # keeps the settings as they are until this is committed.
            raise SettingsChanged
        own = InboundMessage.objects.filter(connection=turn.connection.pk, stream=turn.flow)
        known = set(own.filter(external_id__in=[name for name, _digest in rows]).values_list("external_id", "digest"))
        fresh = [row for key, row in rows.items() if key not in known]
        InboundMessage.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=500)
        _tell_future(reading, {key: moment for key, moment in dates.items() if key not in known and moment})
        if page.through:
            _move(turn, reading.clamped(page.through))
    runs.count(account_id, run_id, pages=1, seen=len(page.payloads), stored=len(fresh))
    moments = [reading.clamped(moment) for moment in dates.values() if moment]
    reading.at = max(filter(None, [reading.at, *moments]), default=None)


def _tell_future(reading: Reading, dates: Mapping[tuple[str, str], datetime]) -> None:
    """Open a case for each new document that is dated in the future: it is applied, but its date is not believed."""
    latest = max(filter(None, [reading.asked_at, timezone.now()])) + TOLERANCE
    for (external_id, digested), moment in dates.items():
        if moment <= latest:
            continue
        message = InboundMessage.objects.get(
            connection=reading.turn.connection.pk,
            stream=reading.turn.flow,
            external_id=external_id,
            digest=digested,
        )
        words = {"what": str(message), "who": reading.turn.connection.name, "when": local_words(moment)}
        open_discrepancy(
            kind=DiscrepancyKind.FUTURE_DATE,
            source=f"inbound:{message.pk}:future",
            summary=_("%(what)s from %(who)s is dated %(when)s, in the future. It is applied all the same.") % words,
            raw=message.raw,
            subject_kind=SUBJECT,
            subject_id=message.pk,
        )


def _move(turn: Turn, to: datetime) -> None:
    """Move a cursor forwards, never back, unless it stands in the future."""
    _own(turn).filter(Q(at=None) | Q(at__lt=to) | Q(at__gt=timezone.now() + TOLERANCE)).update(at=to)


def _own(turn: Turn) -> "QuerySet[Cursor]":
    rows: QuerySet[Cursor] = Cursor.objects.filter(connection=turn.connection.pk, stream=turn.flow)
    return rows


def _note_read(account_id: int, reading: Reading) -> None:
    """All that is new is stored, so the connection works: what follows looks back only."""
    reading.is_new_read = True
    with account_context(account_id):
        if reading.at:
            _move(reading.turn, reading.at)
        health.note_success(reading.turn.connection.pk, reading.turn.flow)


def _note_success(account_id: int, turn: Turn) -> None:
    """All was read, the sweep to its end. Who asked for another one meanwhile gets it at the next turn."""
    with account_context(account_id):
        own = _own(turn)
        own.exclude(failures=0).update(failures=0)
        if turn.sweeps:
            own.update(**dict.fromkeys(turn.sweeps, turn.began))
        if turn.asked_from:
            own.filter(sweep_from=turn.asked_from).update(sweep_from=None)


def _note_failure(account_id: int, reading: Reading, error: SyncError | None) -> None:
    """Ask again after what the other side asked for, else after a longer and longer wait; from where this began.

    `error` is None where it is not the other side's, whose health then stays as it is.
    """
    turn, after = reading.turn, error.after if isinstance(error, Retry) else None
    with account_context(account_id):
        own = _own(turn)
        failures = own.get().failures + 1
        wait = timedelta(seconds=after) if after is not None else health.backoff(failures)
        if isinstance(error, Misconfigured):  # it is the connection that waits
            wait = timedelta()
        longest = LONGEST_WAIT_FOR_NEW if reading.is_new_read and after is None else health.LONGEST_REST
        next_at = timezone.now() + min(wait, longest)
        own.update(failures=failures, next_at=next_at)
        began = turn.sweep_from if reading.is_new_read else min(filter(None, [turn.at, turn.sweep_from]), default=None)
        if turn.at and began:
            own.update(sweep_from=Least("sweep_from", Value(began)))
        if error:
            health.note_failure(turn.connection.pk, error, turn.flow, at_least=after)
        due(account_id, health.PULL, at=next_at)
