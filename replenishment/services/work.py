"""Jobs that work on a replenishment: one at a time, and nothing else changes it meanwhile."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from oms import at_work, jobs
from oms.errors import Conflict, Text
from oms.models import Job, Person, StoredFile
from replenishment.models import Replenishment


class AtWork(Conflict):
    """A job works on this replenishment: nothing else changes it until that is over."""


def subject_of(replenishment_id: int) -> str:
    """What jobs that work on a replenishment carry as their subject."""
    return f"replenishment:{replenishment_id}"


def job_on(replenishment_id: int) -> Job | None:
    """The open job that works on a replenishment, if there is one."""
    return at_work.job_on(subject_of(replenishment_id))


def ended_on(replenishment_id: int) -> Job | None:
    """The last job that worked on a replenishment, until its person has seen what became of it."""
    return at_work.ended_on(subject_of(replenishment_id))


def words_of(job: Job) -> str:
    """A sentence about a job that is in somebody's way."""
    words = {"job": job.title, "person": job.person or _("Lotline")}
    return _("“%(job)s” is still at work, started by %(person)s. Wait until it is over, or have it cancelled.") % words


def refuse_while_at_work(replenishment_id: int) -> None:
    """Raise AtWork while a job, other than the one that calls, works on a replenishment."""
    if job := job_on(replenishment_id):
        raise AtWork(words_of(job))


@transaction.atomic
def start(
    kind: str,
    title: Text,
    params: Mapping[str, Any],
    *,
    replenishment_id: int,
    person: Person,
    idempotency_key: str,
    input_file: StoredFile | None = None,
) -> Job:
    """Queue a job that works on a replenishment, or give the one that this key queued.

    Raises AtWork while another job works on it. Of two that are started at once the second waits here for the first.
    """
    own = Job.objects.filter(idempotency_key=idempotency_key, state__in=at_work.OPEN)
    if not own.exists():
        refuse_while_at_work(replenishment_id)
        Replenishment.objects.select_for_update(of=("self",)).get(pk=replenishment_id)
        if not own.exists():
            refuse_while_at_work(replenishment_id)
    return jobs.start(
        kind,
        title,
        params,
        person=person,
        idempotency_key=idempotency_key,
        input_file=input_file,
        subject=subject_of(replenishment_id),
    )
