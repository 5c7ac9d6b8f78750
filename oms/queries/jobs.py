"""Background jobs as pages show them, and who may see which."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _, ngettext

from oms.models import Job, JobState, Membership, Person, Role, StoredFile
from oms.tenancy import current_account_id

JUST_FINISHED = timedelta(hours=24)
"""A job that is over stays in the tray until its person has seen it, but not longer than this."""
HAS_OPEN = """
SELECT EXISTS (
    SELECT FROM oms_job WHERE account_id = %(account)s AND person_id = %(person)s
    AND (state IN ('queued', 'running') OR (seen_at IS NULL AND finished_at >= %(since)s))
)
"""
SHOWN = 20
"""The most that the tray shows."""
TONES = {JobState.DONE: "good", JobState.FAILED: "bad", JobState.CANCELLED: "warn"}


@dataclass(frozen=True)
class JobCard:
    """A job as components/progress.html and the tray want it; an empty address means: nothing to do there now."""

    pk: int
    title: str
    state: JobState
    state_label: str
    tone: str
    percent: int | None
    done: int
    total: int
    left: str
    message: str
    url: str
    cancel_url: str
    dismiss_url: str
    result_url: str

    @property
    def is_open(self) -> bool:
        """Something may still change, so ask again."""
        return not self.state.is_final


def open_jobs(person: Person) -> list[JobCard]:
    """A person's tray in the current account: what waits and runs, then what is over and not seen yet.

    Every page asks, and mostly there is nothing: that is one ready statement.
    """
    since = timezone.now() - JUST_FINISHED
    with connection.cursor() as cursor:
        cursor.execute(HAS_OPEN, {"account": current_account_id(), "person": person.pk, "since": since})
        if not cursor.fetchone()[0]:
            return []
    unseen = Q(seen_at=None, finished_at__gte=since)
    rows = _rows().filter(Q(state__in=[JobState.QUEUED, JobState.RUNNING]) | unseen, person=person)
    return [job_card(job) for job in rows.order_by(F("finished_at").desc(nulls_first=True), "-pk")[:SHOWN]]


def is_news(job: Job) -> bool:
    """Whether a job is over, a short while ago, and its person has not seen that yet."""
    since = timezone.now() - JUST_FINISHED
    return job.seen_at is None and job.finished_at is not None and job.finished_at >= since


def visible_jobs(membership: Membership) -> "QuerySet[Job]":
    """The jobs of the current account that a member may open: their own, and all for an admin."""
    return _rows() if membership.role == Role.ADMIN else _rows().filter(person_id=membership.person_id)


def jobs_of(person: Person | None) -> "QuerySet[Job]":
    """The jobs of the current account that a person may open; none for somebody who is not in it."""
    membership = Membership.objects.filter(account_id=current_account_id(), person=person).first()
    return visible_jobs(membership) if membership else Job.objects.none()


def readable_files(membership: Membership) -> "QuerySet[StoredFile]":
    """The files of the current account that a member may read: not those of jobs that they may not open."""
    rows: QuerySet[StoredFile] = StoredFile.objects.all()
    if membership.role == Role.ADMIN:
        return rows
    jobs = Job.objects.filter(Q(result_file=OuterRef("pk")) | Q(input_file=OuterRef("pk")))
    return rows.filter(~Exists(jobs) | Exists(jobs.filter(person_id=membership.person_id)))


def job_card(job: Job) -> JobCard:
    """How one job of `visible_jobs` looks now."""
    state, address = JobState(job.state), {"account_slug": job.account.slug, "pk": job.pk}
    is_stopping = job.cancel_asked and not state.is_final
    return JobCard(
        pk=job.pk,
        title=job.title,
        state=state,
        state_label=_("Stopping") if is_stopping else str(state.label),
        tone=TONES.get(state, "info"),
        percent=_percent(job, state),
        done=job.total if state == JobState.DONE else job.done,
        total=job.total,
        left=_left(job) if state == JobState.RUNNING else "",
        message=job.message,
        url=reverse("job", kwargs=address),
        cancel_url="" if state.is_final or job.cancel_asked else reverse("job_cancel", kwargs=address),
        dismiss_url=reverse("job_dismiss", kwargs=address) if state.is_final and job.seen_at is None else "",
        result_url=_file_url(job.account.slug, job.result_file.key) if job.result_file else "",
    )


def _rows() -> "QuerySet[Job]":
    rows: QuerySet[Job] = Job.objects.select_related("account", "result_file", "person")
    return rows


def _file_url(slug: str, key: UUID) -> str:
    return reverse("file", kwargs={"account_slug": slug, "key": key})


def _percent(job: Any, state: JobState) -> int | None:
    """0 to 100; None, a bar that only moves, while nobody knows how much there is to do."""
    if state == JobState.DONE:
        return 100
    if job.total:
        return int(max(0, min(100, 100 * job.done // job.total)))
    return 0 if state.is_final else None


def _left(job: Job) -> str:
    """The time that is left if it goes on like this, in words; empty until that can be told."""
    if not (job.started_at and 0 < job.done < job.total):
        return ""
    passed = (timezone.now() - job.started_at).total_seconds()
    if passed < 2:
        return ""
    seconds = int(passed * (job.total - job.done) / job.done) + 1
    if seconds < 90:
        return ngettext("%(count)s second", "%(count)s seconds", seconds) % {"count": seconds}
    minutes = round(seconds / 60)
    return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
