"""The poll: asks each stream for what changed, stores every payload as it came, then applies what is new.

One pull of a stream runs at a time (an advisory lock). Its next turn is written down before the first request, so a
worker that is killed costs one turn. The cursor moves only after everything up to it is stored.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from django.conf import settings
from django.db import DatabaseError, connection as database
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.contract import Flow, Page, Retry, SyncError
from channels_sync.models import Connection, Cursor, InboundMessage
from channels_sync.payloads import digest
from channels_sync.services import health, runs
from channels_sync.services.adapters import Opened, open_adapter, opened
from channels_sync.services.applying import apply_new
from channels_sync.vault import redacted
from oms.dispatch import due
from oms.services.discrepancies import shortened
from oms.tenancy import account_context

SLICE_SECONDS = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Turn:
    """One stream whose turn it is."""

    flow: Flow
    at: datetime | None
    connection: Opened


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
        found = cursor.connection
        wait = timedelta(seconds=found.seconds)
        if cursor.failures:
            wait = max(wait, health.backoff(cursor.failures, longest=health.LONGEST_REST))
        next_at = timezone.now() + wait
        if not Cursor.objects.filter(pk=cursor.pk, next_at=cursor.next_at).update(next_at=next_at):
            return None
        due(account_id, health.PULL, at=next_at)
        if _ready().exclude(pk=cursor.pk).exists():
            due(account_id, health.PULL)
        return Turn(Flow(cursor.stream), cursor.at, opened(found))


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
            with suppress(DatabaseError), database.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def _pull(account_id: int, turn: Turn) -> None:
    run_id = runs.start(account_id, turn.connection.pk, turn.flow)
    cursor, error = turn.at, ""
    try:
        with open_adapter(turn.connection, seconds=settings.SYNC_PULL_SECONDS) as adapter:
            since = turn.at - adapter.overlap if turn.at else None
            for page in adapter.fetch(turn.flow, since):
                cursor = _store(account_id, turn, page, run_id, cursor)
                apply_new(account_id, turn.connection.pk, turn.flow, run_id)
    except SyncError as failure:
        error = str(failure) or type(failure).__name__
        _note_failure(account_id, turn, failure)
    except Exception as failure:
        if isinstance(failure, DatabaseError):
            raise
        log.exception("Stream %s of connection %s could not be read", turn.flow, turn.connection.pk)
        error = f"{type(failure).__name__}: {failure}"
        _note_failure(account_id, turn, Retry(error))
    else:
        _note_success(account_id, turn, cursor)
    apply_new(account_id, turn.connection.pk, turn.flow, run_id)
    runs.finish(account_id, run_id, cursor=cursor, error=error)


def _store(account_id: int, turn: Turn, page: Page, run_id: int, cursor: datetime | None) -> datetime | None:
    """Keep a page as it came; answers how far the stream is known now."""
    rows: dict[tuple[str, str], InboundMessage] = {}
    for payload in page.payloads:
        raw = redacted(payload.raw)
        row = InboundMessage(
            connection_id=turn.connection.pk,
            stream=turn.flow,
            external_id=shortened(payload.external_id, 120),
            version=payload.version,
            digest=digest(raw),
            raw=raw,
        )
        rows[row.external_id, row.digest] = row
    with account_context(account_id):
        held = Connection.objects.select_for_update(of=("self",), no_key=True).get(pk=turn.connection.pk)
        if held.config != turn.connection.config:
            # Whose documents are these? Nothing may be stored for another tenant than the one that was asked; the lock
            # keeps the settings as they are until this is committed.
            raise Retry(_("The settings were changed meanwhile."))
        own = InboundMessage.objects.filter(connection=turn.connection.pk, stream=turn.flow)
        known = set(own.filter(external_id__in=[name for name, _digest in rows]).values_list("external_id", "digest"))
        fresh = [row for key, row in rows.items() if key not in known]
        InboundMessage.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=500)
        if page.through:
            _move(turn, page.through)
    runs.count(account_id, run_id, pages=1, seen=len(page.payloads), stored=len(fresh))
    moments = [payload.updated_at for payload in page.payloads if payload.updated_at]
    return max(filter(None, [cursor, *moments]), default=None)


def _move(turn: Turn, to: datetime) -> None:
    """Move a cursor forwards, never back."""
    rows = Cursor.objects.filter(connection=turn.connection.pk, stream=turn.flow)
    rows.filter(Q(at=None) | Q(at__lt=to)).update(at=to)


def _note_success(account_id: int, turn: Turn, cursor: datetime | None) -> None:
    with account_context(account_id):
        if cursor:
            _move(turn, cursor)
        Cursor.objects.filter(connection=turn.connection.pk, stream=turn.flow).exclude(failures=0).update(failures=0)
        health.note_success(turn.connection.pk)


def _note_failure(account_id: int, turn: Turn, error: SyncError) -> None:
    after = error.after if isinstance(error, Retry) else None
    with account_context(account_id):
        own = Cursor.objects.filter(connection=turn.connection.pk, stream=turn.flow)
        cursor = own.get()
        wait = timedelta(seconds=after) if after is not None else health.backoff(cursor.failures + 1)
        next_at = timezone.now() + min(wait, health.LONGEST_REST)
        own.update(failures=cursor.failures + 1, next_at=next_at)
        health.note_failure(turn.connection.pk, error, at_least=after)
        due(account_id, health.PULL, at=next_at)
