"""What a running job says while its work is still one uncommitted transaction.

Progress must be seen, and a wish to cancel be heard, from outside that transaction; and the lease must be renewed also
while the work waits for one long statement. So a thread with a connection of its own does all three.
"""

import logging
import threading
from time import monotonic
from typing import Any, Self

import psycopg
from django.conf import settings
from django.db import connection

WRITE_SECONDS = 0.5
"""Progress is written, and a wish to cancel heard, at most this often."""
JOIN_SECONDS = 15.0
# The thread must never wait long for a lock or a sick server: the job's end waits for the thread.
LIMITS = """
SELECT set_config('lotline.account', %s, true), set_config('statement_timeout', '5s', true),
       set_config('lock_timeout', '2s', true), set_config('idle_in_transaction_session_timeout', '10s', true)
"""
BEAT = """
UPDATE oms_job SET done = %s, total = %s, message = %s, lease_until = now() + make_interval(secs => %s)
WHERE account_id = %s AND id = %s AND attempt = %s AND state = 'running'
RETURNING cancel_asked
"""

log = logging.getLogger(__name__)


class Heartbeat:
    """Renews the lease of one job's attempt and carries its progress out; a context manager around the work.

    `is_cancelled` and `is_lost` (somebody else has the job now) become true while the work runs. A database that does
    not answer is no reason to stop: the next beat tries again, and who owns the job is checked when the work commits.
    """

    def __init__(self, *, account_id: int, job_id: int, attempt: int) -> None:
        self.is_cancelled = False
        self.is_lost = False
        self._key = (account_id, job_id, attempt)
        self._progress: tuple[int, int, str] = (0, 0, "")
        self._written = self._progress
        self._beat_at = monotonic()
        # The same server, role and limits as Django's connection, but not from its pool.
        self._params = {**connection.get_connection_params(), "application_name": "lotline heartbeat"}
        self._connection: psycopg.Connection[Any] | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat-{job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def report(self, done: int, total: int, message: str) -> None:
        """Remember where the work is; the thread writes it. Costs nothing, so call it as often as you like."""
        self._progress = (done, total, message)

    def stop(self) -> None:
        """Before the work commits: write and renew a last time, and never touch the job's row again.

        The commit updates the same row; a beat after that would wait for it.
        """
        self._end_thread()
        if not self._thread.is_alive():
            self._beat()
        self._close()

    def _run(self) -> None:
        while not self._is_over.wait(WRITE_SECONDS):
            # Another object, even of the same values, is a sign of life: who says it wants to hear of a wish to cancel.
            if self._progress is not self._written or monotonic() - self._beat_at >= settings.JOB_LEASE_SECONDS / 4:
                self._beat()

    def _beat(self) -> None:
        progress = self._progress
        try:
            row = self._write(progress)
        except psycopg.Error as error:
            log.warning("The progress of job %s could not be written: %s", self._key[1], error)
            self._disconnect()
        else:
            self._written, self._beat_at = progress, monotonic()
            self.is_lost = row is None
            self.is_cancelled = row is not None and bool(row[0])

    def _write(self, progress: tuple[int, int, str]) -> tuple[Any, ...] | None:
        if self._connection is None:
            self._connection = psycopg.connect(**self._params)
        # One transaction a beat: a pooler in between may hand the session to somebody else afterwards.
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(LIMITS, [str(self._key[0])])
            cursor.execute(BEAT, [*progress, settings.JOB_LEASE_SECONDS, *self._key])
            return cursor.fetchone()

    def _end_thread(self) -> None:
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=JOIN_SECONDS)

    def _close(self) -> None:
        self._end_thread()
        if not self._thread.is_alive():
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
