"""Rows that say what a sync did, written while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import Error, connection as database
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _, gettext_lazy

from channels_sync.contract import Flow
from channels_sync.models import Run, RunState
from oms.database.faults import WORDS, fault_of
from oms.tenancy import account_context

KEPT = timedelta(days=30)
OUR_FAULT = gettext_lazy("Something went wrong on our side. Whoever runs this installation finds it in the log.")


@dataclass
class Running:
    """A run that is not over. How far it came, and what stopped it, is said before it ends."""

    pk: int
    cursor: datetime | None = None
    error: str = ""


@contextmanager
def running(account_id: int, connection_id: int, flow: Flow) -> Iterator[Running]:
    """A run for the length of the block. One that ends in an exception has failed, as far as that can be written."""
    run = Running(_start(account_id, connection_id, flow))
    try:
        yield run
    except Exception as failure:
        fault = fault_of(failure)
        with suppress(Error):  # where the database is away still, the next run of the flow ends it
            database.close_if_unusable_or_obsolete()
            _finish(account_id, run.pk, error=str(WORDS[fault] if fault else OUR_FAULT))
        raise
    _finish(account_id, run.pk, cursor=run.cursor, error=run.error)


def _start(account_id: int, connection_id: int, flow: Flow) -> int:
    """Begin a run; its id. One that never came to its end was left by a worker that died."""
    with account_context(account_id):
        own = Run.objects.filter(connection=connection_id, flow=flow)
        own.filter(state=RunState.RUNNING, started_at__lt=Now() - timedelta(minutes=15)).update(
            state=RunState.FAILED, error=_("The worker was stopped."), finished_at=Now()
        )
        own.filter(started_at__lt=Now() - KEPT).delete()
        run: Run = Run.objects.create(connection_id=connection_id, flow=flow)
        return run.pk


def count(account_id: int, run_id: int, **more: int) -> None:
    """Add to its counts, where everybody sees them."""
    with account_context(account_id):
        Run.objects.filter(pk=run_id).update(**{name: F(name) + number for name, number in more.items()})


def _finish(account_id: int, run_id: int, *, cursor: datetime | None = None, error: str = "") -> None:
    """End a run. Of runs that found nothing only the last of its flow stays: a quiet day is one row, not thousands."""
    with account_context(account_id):
        state = RunState.FAILED if error else RunState.DONE
        Run.objects.filter(pk=run_id).update(state=state, error=error[:600], cursor=cursor, finished_at=Now())
        run = Run.objects.get(pk=run_id)
        if run.is_idle:
            quiet = Run.objects.filter(connection=run.connection_id, flow=run.flow, state=RunState.DONE, pk__lt=run_id)
            quiet.filter(stored=0, done=0, discrepancies=0).delete()
