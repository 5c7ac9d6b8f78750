"""Celery tasks of the platform: each fetches by id and calls one service."""

import logging
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from redis.exceptions import RedisError

from oms import dispatch as dispatcher, files, jobs, outbox, waits
from oms.access import AccountTask
from oms.database.faults import Fault, fault_of
from oms.services import people

MOST_BATCHES = 20
MOST_RETRIES = 60
PING_SECONDS = 60
FULL_WAIT = 300

log = logging.getLogger(__name__)


class DueTask(AccountTask):
    """Base of the tasks that the dispatcher starts (settings.DUE_TASKS); the account's id is their only argument.

    Their due row is gone when they run, so while the database cannot do it they wait for it, up to an hour; where its
    disk is full a person must act first, so they ask seldom.
    """

    abstract = True
    max_retries = MOST_RETRIES

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body; where the database cannot do it, again later."""
        try:
            return super().__call__(*args, **kwargs)
        except Exception as error:
            fault = fault_of(error)
            if fault is None:
                raise
            raise self.retry(exc=error, countdown=wait_after(fault, self.request.retries)) from error


def wait_after(fault: Fault, retries: int) -> int:
    """Seconds until a task is tried again: soon, then seldom; seldom from the beginning where a person must act."""
    return FULL_WAIT if fault == Fault.FULL else min(60, 2 ** (retries + 1))


@shared_task(name="oms.tasks.dispatch")
def dispatch() -> None:
    """Make the rounds, and start what is due, in every account."""
    if "waits" in dispatcher.hold_rounds():
        people.forgive_the_future()
    for _batch in range(MOST_BATCHES):
        if dispatcher.dispatch() < dispatcher.BATCH:
            break


@shared_task(name="oms.tasks.ping")
def ping(nonce: str) -> None:
    """Show that a worker takes tasks: the cache has `lotline:ping:<nonce>` afterwards, for a minute.

    Where the cache is away, nobody is told and nothing else fails.
    """
    try:
        cache.set(f"lotline:ping:{nonce}", "taken", PING_SECONDS)
    except (RedisError, OSError) as error:
        log.warning("A ping could not be written to the cache: %s", error)


@shared_task(name="oms.tasks.cut_waits", base=DueTask)
def cut_waits(account_id: int) -> None:
    """Cut the waits that an account has stored to the longest that they can be."""
    waits.cut_waits(account_id)


@shared_task(name="oms.tasks.drain_outbox", base=DueTask)
def drain_outbox(account_id: int) -> None:
    """Deliver an account's open outbox messages."""
    outbox.drain(account_id)


@shared_task(
    name="oms.tasks.run_jobs",
    base=DueTask,
    soft_time_limit=jobs.LONGEST_SECONDS,
    time_limit=jobs.LONGEST_SECONDS + 60,
)
def run_jobs(account_id: int) -> None:
    """Run an account's next job."""
    jobs.run_next(account_id)


@shared_task(name="oms.tasks.tidy", base=DueTask)
def tidy(account_id: int) -> None:
    """Delete what is past its days: an account's files, bytes that no row knows, delivered messages."""
    now = timezone.now()
    files.delete_expired(account_id, now - timedelta(days=settings.LOTLINE_FILE_DAYS))
    files.sweep(account_id, now - timedelta(days=1))
    outbox.forget(account_id, now - outbox.KEPT)
