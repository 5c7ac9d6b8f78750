"""What jobs work on. A job may carry a subject, such as "replenishment:42": while it waits or runs, services of that
subject ask here, under the subject's lock, whether to wait. The job itself is not in its own way. Once it is over, the
subject's page says what became of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from oms.models import Job, JobState
from oms.queries.jobs import is_news

OPEN = (JobState.QUEUED, JobState.RUNNING)
_own: ContextVar[int] = ContextVar("job", default=0)


@contextmanager
def working_as(job_id: int) -> Iterator[None]:
    """What happens inside is the work of this job."""
    token = _own.set(job_id)
    try:
        yield
    finally:
        _own.reset(token)


def job_on(subject: str) -> Job | None:
    """The first open job that works on a subject, other than the one whose work asks."""
    rows = Job.objects.filter(subject=subject, state__in=OPEN).exclude(pk=_own.get())
    found: Job | None = rows.select_related("account", "person", "result_file").order_by("pk").first()
    return found


def ended_on(subject: str) -> Job | None:
    """The last job that worked on a subject, while it is as news to its person as in their tray; None once they saw it,
    and while another one waits or runs.
    """
    rows = Job.objects.filter(subject=subject).select_related("account", "person", "result_file")
    found: Job | None = rows.order_by("-pk").first()
    return found if found and is_news(found) else None
