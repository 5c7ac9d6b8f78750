"""Due work, and the dispatcher: the only code that spans accounts.

Whoever leaves work for later says so with `due`, in the transaction that makes the work. The dispatcher reads these
rows, which hold nothing but an account's id, a kind and a time, and starts one task per account and kind. A row is
deleted in the transaction that sends its task, after sending: a task may be sent twice, never not at all, so tasks look
for what is to be done and do not count how often they are called.

It also makes the rounds (settings.ROUNDS), which are rows claimed by the database's clock: a round whose row lies in
the future was made while that clock was wrong, and is made again at once.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from oms.celery import app
from oms.models import Due

BATCH = 1000
# A page waits for this at most once, after its commit, and goes on without: beat dispatches every two seconds anyway.
SHORT = {"socket_connect_timeout": 0.5, "socket_timeout": 0.8, "max_retries": 0, "connect_retries_timeout": 1}
WAKE_EXPIRES = 10.0

CLAIM = """
WITH claimed AS (
    SELECT id FROM oms_due WHERE at <= COALESCE(%s, statement_timestamp()) AND kind = ANY(%s)
    ORDER BY at, id LIMIT %s FOR UPDATE SKIP LOCKED
)
DELETE FROM oms_due USING claimed WHERE oms_due.id = claimed.id RETURNING oms_due.at, oms_due.id, account_id, kind
"""
MADE_DUE = """
INSERT INTO oms_due (account_id, kind, at)
SELECT account.id, kind, statement_timestamp() + random() * make_interval(secs => %s)
FROM oms_account account CROSS JOIN unnest(%s::text[]) kind
"""
KNOWN_ROUNDS = """
INSERT INTO oms_round (kind, made_at)
SELECT unnest(%s::text[]), statement_timestamp() ON CONFLICT (kind) DO NOTHING
"""
CLAIM_ROUNDS = """
WITH claimed AS (
    SELECT known.kind FROM oms_round known JOIN unnest(%s::text[], %s::float[]) AS wanted (kind, seconds) USING (kind)
    WHERE made_at NOT BETWEEN statement_timestamp() - make_interval(secs => seconds) AND statement_timestamp()
    FOR UPDATE OF known SKIP LOCKED
)
UPDATE oms_round SET made_at = statement_timestamp() FROM claimed WHERE oms_round.kind = claimed.kind
RETURNING oms_round.kind
"""
CUT = """
UPDATE oms_due SET at = statement_timestamp() + make_interval(secs => %s)
WHERE at > statement_timestamp() + make_interval(secs => %s)
"""
LAST_DISPATCH = "SELECT made_at, statement_timestamp() - made_at FROM oms_round WHERE kind = 'dispatch'"
SPREAD_SECONDS = 300
LONGEST_SECONDS = 3600
"""A due row is only a look, and a look too early costs little: one that lies further off is cut to this."""
NOTED_EVERY = {"dispatch": 5}
"""The dispatcher notes in the same table when it ran, but not each time."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Wake:
    """The commit hook of `due`. Equal hooks are the same work: a transaction says it once, however often asked."""

    account_id: int
    kind: str

    def __call__(self) -> None:
        wake()


def due(account_id: int, kind: str, at: datetime | None = None) -> None:
    """Say that an account has work of a kind, now or from `at` on, if the caller's transaction commits.

    `kind` is a key of settings.DUE_TASKS; another raises ImproperlyConfigured. Saying "now" wakes a worker after the
    commit; saying it again in the same transaction costs nothing.
    """
    if kind not in settings.DUE_TASKS:
        raise ImproperlyConfigured(f"No task does {kind!r}: add it to DUE_TASKS in the settings.")
    if at is not None:
        Due.objects.create(account_id=account_id, kind=kind, at=at)
        return
    hook = _Wake(account_id, kind)
    # Django drops the hooks of a savepoint that is rolled back, so where the hook still is, its row is too.
    if not any(entry[1] == hook for entry in connection.run_on_commit):
        Due.objects.create(account_id=account_id, kind=kind)
        transaction.on_commit(hook)


def wake() -> None:
    """Ask a worker to dispatch now. Never raises, and takes at most about 1.5 s where Valkey is away.

    Nothing is lost without it: beat sends the same task every two seconds.
    """
    try:
        with _broker() as broker:
            _send("oms.tasks.dispatch", broker, expires=WAKE_EXPIRES)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("Valkey takes no tasks, so work waits until it does: %s", error)


def dispatch(now: datetime | None = None) -> int:
    """Start a task for every account and kind that is due (at `now`; None is the database's clock).

    Claims at most BATCH rows, the oldest first, and leaves those that another dispatcher is claiming; returns how many
    it claimed. Kinds that this installation does not know are left for a newer one. Raises kombu's OperationalError
    or a RedisError where the broker is away; then nothing was claimed.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, [now, list(settings.DUE_TASKS), BATCH])
            rows = sorted(cursor.fetchall())
        # Sent inside the transaction: where sending fails, the rows are still there.
        if rows:
            with _broker() as broker:
                for account_id, kind in dict.fromkeys((account_id, kind) for _at, _id, account_id, kind in rows):
                    _send(settings.DUE_TASKS[kind], broker, account_id)
    return len(rows)


def make_rounds(kinds: Collection[str], *, spread: float = SPREAD_SECONDS) -> None:
    """Make work of these kinds due for every account, within `spread` seconds.

    It starts what runs once in a while, and it is the net below everything else: where Valkey has lost its memory, or a
    task was lost in another way, work that is still open is found again by this.
    """
    with connection.cursor() as cursor:
        cursor.execute(MADE_DUE, [spread, list(kinds)])


def hold_rounds() -> set[str]:
    """Make the rounds whose time has come, each by one dispatcher; note that one ran. Returns their kinds."""
    rounds = {**settings.ROUNDS, **NOTED_EVERY}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(KNOWN_ROUNDS, [list(rounds)])
        cursor.execute(CLAIM_ROUNDS, [list(rounds), list(rounds.values())])
        kinds = {kind for (kind,) in cursor.fetchall()} - set(NOTED_EVERY)
        if kinds:
            cursor.execute(CUT, [LONGEST_SECONDS, LONGEST_SECONDS])
            make_rounds(kinds)
    return kinds


def look_at_all_waits() -> None:
    """At a start: no wait that was stored may be longer than it can be, whatever the clock was then."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CUT, [LONGEST_SECONDS, LONGEST_SECONDS])
        make_rounds(["waits"], spread=0)


def last_dispatch() -> tuple[datetime, timedelta] | None:
    """When the dispatcher last ran, give or take five seconds, and how long ago that is; None before the first time."""
    with connection.cursor() as cursor:
        cursor.execute(LAST_DISPATCH)
        found: tuple[datetime, timedelta] | None = cursor.fetchone()
    return found


def _broker() -> Any:
    return app.connection_for_write(connect_timeout=SHORT["connect_retries_timeout"], transport_options=SHORT)


def _send(name: str, broker: Any, *args: int, expires: float | None = None) -> None:
    app.send_task(name, args=args, connection=broker, retry=False, ignore_result=True, expires=expires)
