"""Background jobs: work that may take over a second, with progress, cancel and a result file.

    job = jobs.start("ui.export", _("Export of SKUs"), {"query": …}, person=request.user, idempotency_key=key)

A worker calls the runner that settings.JOBS names for the kind, with a `Progress`. The runner is inside the account and
in one transaction, and the job becomes Done in that same transaction: a job is done exactly if its work is. A worker
that is killed leaves nothing behind; its job is taken up again when its lease is over (settings.JOB_LEASE_SECONDS),
MOST_ATTEMPTS times at most. Had the first worker only been slow, its commit is refused: the attempt is another's now.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from oms.at_work import working_as
from oms.database.faults import WORDS, fault_of, is_passing
from oms.dispatch import due
from oms.errors import DomainError, Text
from oms.heartbeat import Heartbeat
from oms.models import Account, Job, JobState, Person, StoredFile
from oms.tenancy import account_context, current_account_id

KIND = "job"
MOST_ATTEMPTS = 3
AT_ONCE = 1
"""How many jobs of one account run at the same time; more wait, so that one account does not keep every worker: fewer
than settings.WORKERS["jobs"] can do."""
LONGEST_SECONDS = 3600
"""A job that takes longer is stopped and fails."""
KEY_LENGTH = 120
_UNDONE = (JobState.FAILED.value, JobState.CANCELLED.value)
_FINAL = [state.value for state in JobState if state.is_final]
TAKE_TURNS = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_FREE = Q(state=JobState.QUEUED) | Q(state=JobState.RUNNING, lease_until__lt=Now())

log = logging.getLogger(__name__)


class Cancelled(Exception):
    """The person asked to cancel. A runner lets it pass; nothing of its work is kept."""


class LeaseLost(Exception):
    """Another worker has taken the job up. A runner lets it pass; nothing of its work is kept."""


@dataclass(frozen=True)
class JobFacts:
    """What a runner may know of its job. Not the row: the runner's transaction must not write it."""

    id: int
    account_id: int
    kind: str
    title: str
    attempt: int
    person: Person | None
    input_file: StoredFile | None
    params: Mapping[str, Any]


class Progress:
    """A runner's side of its job."""

    def __init__(self, job: JobFacts, heartbeat: Heartbeat) -> None:
        self.job = job
        self.result: dict[str, Any] = {}
        self.result_file: StoredFile | None = None
        self._heartbeat = heartbeat
        self._total, self._message = 0, ""

    @property
    def params(self) -> Mapping[str, Any]:
        """What `start` was given."""
        return self.job.params

    @property
    def person(self) -> Person | None:
        """Who started it; None is the system."""
        return self.job.person

    @property
    def input_file(self) -> StoredFile:
        """The uploaded file. Raises LookupError where the job was started without one."""
        if self.job.input_file is None:
            raise LookupError(f"Job {self.job.id} has no input file.")
        return self.job.input_file

    def step(self, done: int, total: int | None = None, message: Text | None = None) -> None:
        """Say how far the work is; cheap, so call it for every row or batch. Others see it within half a second.

        Raises Cancelled where the person asked for it, LeaseLost where the job is somebody else's now.
        """
        self._total = self._total if total is None else total
        self._message = self._message if message is None else str(message).replace("\0", "")[:500]
        self._heartbeat.report(done, self._total, self._message)
        self.check()

    def check(self) -> None:
        """Only look whether to go on: raises as `step` does."""
        if self._heartbeat.is_lost:
            raise LeaseLost
        if self._heartbeat.is_cancelled:
            raise Cancelled

    def finish(self, result: Mapping[str, Any] | None = None, file: StoredFile | None = None) -> None:
        """What the page shows when the work is committed.

        Args:
            result: JSON-ready. The page knows `summary`, a sentence; `counts`, label → number; `errors`, a list of
                `RowError.as_dict()` (the first thousand at most), with `error_count` where there are more; `link`, a
                `label` and the `url` where it goes on.
            file: for the download button, from `files.store`.
        """
        # The name stays in the result, so that the page can tell a file that expired from none.
        self.result = {**(result or {}), **({"file": file.name} if file else {})}
        self.result_file = file


# --- what pages do ----------------------------------------------------------------------------------------------------
def start(
    kind: str,
    title: Text,
    params: Mapping[str, Any],
    *,
    person: Person | None,
    idempotency_key: str = "",
    input_file: StoredFile | None = None,
    subject: str = "",
) -> Job:
    """Queue a job in the caller's transaction, or give the one that was queued with the same key before.

    One that failed or was cancelled did nothing, so its key is free again and a new job is queued. Without a key, the
    same work for the same person is one job as long as it is not over: a double click on an export makes one file,
    and another click later a new one.

    Args:
        kind: a key of settings.JOBS; another raises ImproperlyConfigured.
        title: what the page and the tray call it; cut at 200 characters.
        params: JSON-ready, for the runner.
        person: who may see it, besides admins; None is the system.
        idempotency_key: up to 120 characters; a form that changes something carries a random one, so that sending it
            twice does its work once.
        input_file: what the runner reads, from `files.store`.
        subject: what it works on, such as "replenishment:42": others wait or are told, see oms/at_work.py.

    Whoever uses a key that somebody else used gets that job, which they may not be able to open.
    """
    facts = {**_facts(kind, title, params, person, input_file), "subject": subject}
    if not settings.JOBS[kind]:
        raise ImproperlyConfigured(f"No worker runs {kind!r}: it is only done while a page waits (do_now).")
    job, is_new = _claim(idempotency_key, facts)
    if is_new:
        due(current_account_id(), KIND)
    return job


def do_now(
    kind: str,
    title: Text,
    params: Mapping[str, Any],
    *,
    person: Person | None,
    idempotency_key: str,
    work: Callable[[], Mapping[str, Any]],
    input_file: StoredFile | None = None,
) -> Job:
    """Do at once, in the caller's transaction, what is a job where it takes longer; or give the job that did it before.

    So a form that is sent twice does small work once, too. Who sends the same key meanwhile waits for the first.

    `work` does it and gives the result, as for `Progress.finish`; an error that it raises leaves no job behind. All
    else is as for `start`; a job that waits or runs with the same key is given as it is. A kind whose runner is empty
    in settings.JOBS is only ever done so.
    """
    facts = _facts(kind, title, params, person, input_file)
    now = timezone.now()
    over = {"state": JobState.DONE, "attempt": 1, "started_at": now, "finished_at": now, "seen_at": now}
    with transaction.atomic():
        job, is_new = _claim(idempotency_key, {**facts, **over})
        if is_new:
            job.result = dict(work())
            job.save(update_fields=["result"])
    return job


def _facts(
    kind: str, title: Text, params: Mapping[str, Any], person: Person | None, input_file: StoredFile | None
) -> dict[str, Any]:
    if kind not in settings.JOBS:
        raise ImproperlyConfigured(f"Nothing runs {kind!r}: add it to JOBS in the settings.")
    return {
        "kind": kind,
        "title": str(title)[:200],
        "params": dict(params),
        "person": person,
        "input_file": input_file,
    }


def _claim(idempotency_key: str, facts: dict[str, Any]) -> tuple[Job, bool]:
    """The job of a key, and whether it was made just now."""
    gone = _UNDONE if idempotency_key else _FINAL
    person = facts["person"]
    if not idempotency_key:
        what = json.dumps([person.pk if person else None, facts["params"]], sort_keys=True)
        idempotency_key = f"{facts['kind']}:{hashlib.sha256(what.encode()).hexdigest()[:40]}"
    job: Job
    job, is_new = Job.objects.get_or_create(idempotency_key=idempotency_key, defaults=facts)
    if job.state in gone:
        # The key is given up under a condition, so of two tabs that try again one makes the new job and both get it.
        old_key = f"{idempotency_key[: KEY_LENGTH - 24]}#{job.pk}"
        Job.objects.filter(pk=job.pk, idempotency_key=idempotency_key).update(idempotency_key=old_key)
        job, is_new = Job.objects.get_or_create(idempotency_key=idempotency_key, defaults=facts)
    return job, is_new


def cancel(*, job_id: int) -> Job:
    """Cancel a waiting job now, a running one at its next step. Raises DomainError for one that is over."""
    job: Job = Job.objects.select_for_update(of=("self",)).get(pk=job_id)
    if JobState(job.state).is_final:
        raise DomainError(_("This job is over already, so there is nothing to cancel."))
    job.cancel_asked = True
    if job.state == JobState.QUEUED:
        job.state, job.finished_at = JobState.CANCELLED, timezone.now()
    job.save(update_fields=["cancel_asked", "state", "finished_at"])
    return job


def dismiss(*, job_id: int) -> None:
    """Take a job that is over out of its person's tray; an open one stays."""
    Job.objects.filter(pk=job_id, state__in=_FINAL, seen_at=None).update(seen_at=Now())


def dismiss_all(*, job_ids: Collection[int], person: Person) -> None:
    """Take these jobs out of a person's tray: the ones that they were shown, for another may be over since."""
    Job.objects.filter(pk__in=job_ids, person=person, state__in=_FINAL, seen_at=None).update(seen_at=Now())


# --- what workers do --------------------------------------------------------------------------------------------------
def run_next(account_id: int) -> JobState | None:
    """Run the oldest job of an account that waits, and see to it that the others are run; None where none waits."""
    state = _take_and_run(account_id)
    with account_context(account_id):
        _see_to_the_rest(account_id)
    return state


def run(account_id: int, job_id: int) -> JobState | None:
    """Run one job to its end and answer how it ended; None where it is over, somebody else's, or was lost on the way.

    The job must be committed: progress goes through a second connection. Raises database errors where the database is
    away; the job is then taken up again.
    """
    return _take_and_run(account_id, pk=job_id)


def _take_and_run(account_id: int, **which: int) -> JobState | None:
    job = _take(account_id, **which)
    if job is None or isinstance(job, JobState):
        return job
    try:
        return _work(job)
    except Cancelled:
        return _end(job, JobState.CANCELLED)
    except LeaseLost:
        log.warning("Job %s was taken up by another worker; what this one did is rolled back.", job.id)
        return None
    except DomainError as error:
        return _end(job, JobState.FAILED, str(error))
    except SoftTimeLimitExceeded:
        return _end(job, JobState.FAILED, _("It took more than an hour. Nothing was changed. Do it in smaller parts."))
    except Exception as error:
        if is_passing(error):
            _give_back(job)
            raise
        log.exception("Job %s (%s) of account %s failed", job.id, job.kind, job.account_id)
        why = WORDS.get(fault_of(error)) or _("Something went wrong on our side.")
        return _end(job, JobState.FAILED, _("%(why)s Nothing was changed. Please try again.") % {"why": why})


def _take(account_id: int, **which: int) -> JobFacts | JobState | None:
    """Make a job this worker's own for JOB_LEASE_SECONDS, or end one that must not be run; None where there is none,
    or where AT_ONCE run already and none was asked for by its id.
    """
    with account_context(account_id):
        if not which and _is_full(account_id):
            return None
        rows = Job.objects.filter(_FREE, **which).select_related("person", "input_file").order_by("pk")
        job = rows.select_for_update(skip_locked=True, of=("self",)).first()
        if job is None:
            return None
        if job.cancel_asked:
            return _finish(job.pk, job.attempt, JobState.CANCELLED)
        if job.attempt >= MOST_ATTEMPTS:
            text = _("It was begun %(count)s times and never came to its end. Nothing was changed.")
            return _finish(job.pk, job.attempt, JobState.FAILED, text % {"count": job.attempt})
        Job.objects.filter(pk=job.pk).update(
            state=JobState.RUNNING,
            attempt=job.attempt + 1,
            lease_until=Now() + timedelta(seconds=settings.JOB_LEASE_SECONDS),
            started_at=Now(),
            done=0,
            total=0,
            message="",
        )
        due(account_id, KIND, at=timezone.now() + timedelta(seconds=settings.JOB_LEASE_SECONDS + 1))
    return JobFacts(
        id=job.pk,
        account_id=account_id,
        kind=job.kind,
        title=job.title,
        attempt=job.attempt + 1,
        person=job.person,
        input_file=job.input_file,
        params=job.params,
    )


def _is_full(account_id: int) -> bool:
    """Whether AT_ONCE jobs of the account run; who asks is alone with that question until its transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_TURNS, [f"lotline:jobs:{account_id}"])
    return _running().count() >= AT_ONCE


def _running() -> "QuerySet[Job]":
    rows: QuerySet[Job] = Job.objects.filter(state=JobState.RUNNING, lease_until__gte=Now())
    return rows


def _work(job: JobFacts) -> JobState:
    """The work and the job's end, in one transaction."""
    run_it = import_string(settings.JOBS[job.kind])
    zone = Account.objects.values_list("time_zone", flat=True).get(pk=job.account_id)
    with (
        Heartbeat(account_id=job.account_id, job_id=job.id, attempt=job.attempt) as heartbeat,
        timezone.override(zone),
        account_context(job.account_id),
        working_as(job.id),
    ):
        # A server notices late that its client was killed, and would hold the locks of a long statement until it ends.
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL client_connection_check_interval = '2s'")
        progress = Progress(job, heartbeat)
        run_it(progress)
        heartbeat.stop()
        progress.check()
        return _finish(job.id, job.attempt, JobState.DONE, result=progress.result, result_file=progress.result_file)


def _finish(job_id: int, attempt: int, state: JobState, message: str = "", **more: Any) -> JobState:
    """Write the end of a job's attempt in the current transaction. Raises LeaseLost where it is not the current one."""
    own = Job.objects.filter(pk=job_id, attempt=attempt).exclude(state__in=_FINAL)
    if not own.update(state=state, message=message, finished_at=Now(), lease_until=None, **more):
        raise LeaseLost
    return state


def _end(job: JobFacts, state: JobState, message: str = "") -> JobState | None:
    """The end of a job whose work was rolled back."""
    try:
        with account_context(job.account_id):
            return _finish(job.id, job.attempt, state, message)
    except LeaseLost:
        return None


def _give_back(job: JobFacts) -> None:
    """Let the job be taken up again soon; where the database is away that happens when its lease is over."""
    wait = timedelta(seconds=5 * job.attempt)
    try:
        with account_context(job.account_id):
            Job.objects.filter(pk=job.id, attempt=job.attempt, state=JobState.RUNNING).update(lease_until=Now() + wait)
            due(job.account_id, KIND, at=timezone.now() + wait)
    except Error:
        log.warning("Job %s could not be given back: it waits until its lease is over.", job.id)


def _see_to_the_rest(account_id: int) -> None:
    """Due now where a job waits for a worker; later where all that is open is running, in case its worker dies."""
    leases = [until for until in _running().values_list("lease_until", flat=True) if until]
    if len(leases) < AT_ONCE and Job.objects.filter(_FREE).exists():
        due(account_id, KIND)
    elif leases:
        due(account_id, KIND, at=min(leases) + timedelta(seconds=1))
