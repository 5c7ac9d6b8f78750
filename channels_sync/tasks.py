"""Celery tasks of the sync, started by the dispatcher (settings.DUE_TASKS) for one account each."""

from celery import shared_task

from channels_sync.services import pull as pulling, push as pushing
from oms.tasks import DueTask


@shared_task(name="channels_sync.tasks.push", base=DueTask)
def push(account_id: int) -> None:
    """Send what an account's connections still have to be told."""
    pushing.push(account_id)


@shared_task(name="channels_sync.tasks.pull", base=DueTask)
def pull(account_id: int) -> None:
    """Ask an account's connections for what changed."""
    pulling.pull(account_id)
