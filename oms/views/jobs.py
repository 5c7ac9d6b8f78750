"""Background jobs: the list, the page of one, the tray of running ones, cancel and dismiss."""

from dataclasses import replace

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _, gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from oms import jobs
from oms.access import AccountRequest, require_role
from oms.errors import DomainError
from oms.filters import JobFilter
from oms.models import EVERYONE
from oms.numbers import whole_number
from oms.queries import jobs as queries
from oms.queries.jobs import SHOWN
from oms.tables import JobAdminTable, JobTable
from oms.ui.views import Empty, TableView


class JobList(TableView):
    """The person's jobs, also those that they took out of the tray."""

    rows = staticmethod(queries.jobs_of)
    table_class = JobTable
    filterset_class = JobFilter
    title, section, icon = gettext_lazy("Jobs"), gettext_lazy("Settings"), "clock"
    noun = staticmethod(lambda count: ngettext("job", "jobs", count))
    empty = Empty(
        "clock",
        gettext_lazy("No jobs yet"),
        gettext_lazy("Exports, uploads and other work that takes longer is listed here with what came of it."),
    )


class JobAdminList(JobList):
    """All jobs of the account, for admins."""

    table_class = JobAdminTable


job_list = JobList.page(EVERYONE, admin=JobAdminList)


@never_cache
@require_safe
@require_role(EVERYONE)
def detail(request: AccountRequest, pk: int) -> HttpResponse:
    """A job: how far it is, then what came of it. The same address answers the fragment that asks every second."""
    job = get_object_or_404(queries.visible_jobs(request.membership), pk=pk)
    card = queries.job_card(job)
    if not card.is_open and job.person_id == request.user.pk:
        jobs.dismiss(job_id=pk)
    context = {
        "job": replace(card, url=""),  # no link to the page that one is on
        "result": job.result,
        "counts": list(job.result.get("counts", {}).items()),
        "errors": job.result.get("errors", []),
        "error_count": job.result.get("error_count", len(job.result.get("errors", []))),
        "has_lost_file": bool(job.result.get("file")) and job.result_file is None,
        "page_title": job.title,
        "page_icon": "clock",
        "is_fragment": bool(request.htmx),
    }
    return render(request, "jobs/_progress.html" if request.htmx else "jobs/detail.html", context)


@never_cache
@require_safe
@require_role(EVERYONE)
def tray(request: AccountRequest) -> HttpResponse:
    """The person's running and just finished jobs, for the top bar."""
    return _tray(request)


@require_POST
@require_role(EVERYONE)
def cancel(request: AccountRequest, pk: int) -> HttpResponse:
    """Cancel a job, its own person or an admin."""
    job = get_object_or_404(queries.visible_jobs(request.membership), pk=pk)
    try:
        jobs.cancel(job_id=pk)
    except DomainError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("“%(job)s” is cancelled. Nothing of it is kept.") % {"job": job.title})
    return _back(request, reverse("job", kwargs={"account_slug": request.account.slug, "pk": pk}))


@require_POST
@require_role(EVERYONE)
def dismiss(request: AccountRequest, pk: int) -> HttpResponse:
    """Take a job that is over out of the tray."""
    get_object_or_404(queries.visible_jobs(request.membership).filter(person=request.user), pk=pk)
    jobs.dismiss(job_id=pk)
    return _after_dismissing(request)


@require_POST
@require_role(EVERYONE)
def dismiss_all(request: AccountRequest) -> HttpResponse:
    """Take the jobs that are over, and that the tray showed, out of it."""
    texts = request.POST.getlist("job")[:SHOWN]
    shown = [pk for text in texts if (pk := whole_number(text)) is not None]
    jobs.dismiss_all(job_ids=shown, person=request.user)
    return _after_dismissing(request)


def _after_dismissing(request: AccountRequest) -> HttpResponse:
    if request.htmx:
        return _tray(request)
    return _back(request, reverse("account_home", kwargs={"account_slug": request.account.slug}))


def _tray(request: AccountRequest) -> HttpResponse:
    """The tray alone: the frame of every page has all that it needs."""
    return render(request, "ui/_jobs_tray.html")


def _back(request: AccountRequest, otherwise: str) -> HttpResponse:
    """To the page that the button was on, which may be any."""
    page = request.META.get("HTTP_REFERER", "")
    is_ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    return redirect(page if is_ours else otherwise)
