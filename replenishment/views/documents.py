"""A replenishment's own page, and what ends it: submit, cancel, close short, archive."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from oms.access import AccountRequest, require_role
from oms.errors import DomainError
from oms.models import EVERYONE, OFFICE, WAREHOUSE, Job, JobState, Role
from oms.numbers import whole_number
from oms.queries.jobs import JobCard, job_card, visible_jobs
from oms.queries.stock import system_of
from oms.ui import audit
from replenishment import queries
from replenishment.forms import ReasonForm
from replenishment.lateness import is_late
from replenishment.lifecycle import Status, Step, may
from replenishment.line_forms import BLANK_ROWS
from replenishment.models import Replenishment
from replenishment.services import submitting, work
from replenishment.services.accepting import acceptable
from replenishment.services.lots import expired_words
from replenishment.tables import LATE, STATUS_TONES

SHOWN_CASES = 20
SHOWN_EXPIRED = 20
AT_ONCE = 5_000
"""Up to so many units are submitted while the page waits."""


@require_safe
@require_role(EVERYONE)
def detail(request: AccountRequest, pk: int) -> HttpResponse:
    """Status, lines with their serials and what arrived, receipts, what waits, history."""
    found = get_object_or_404(queries.documents(), pk=pk)
    lines = queries.lines_of(found)
    is_office = request.membership.role in OFFICE
    context = {
        **_place(request, found),
        "page_title": found.number,
        "status": {"label": Status(found.status).label, **asdict(STATUS_TONES[Status(found.status)])},
        "found": found,
        "facts": _facts(found),
        "lines": lines,
        "arrived": queries.Arrived(found.received_quantity, sum(line.too_many for line in lines)),
        "has_serials": any(line.planned for line in lines),
        **_costs(request, lines),
        **_waiting(found, is_office=is_office),
        "system": system_of(found.link_id),
        "receipts": queries.receipts_of(found)[:50],
        "skus": queries.planned_skus(found) if "generated" in request.GET else [],
        "history": audit.timeline(queries.history(found)),
        **_open_to(request, found),
    }
    return render(request, "replenishment/detail.html", context)


def _open_to(request: AccountRequest, found: Replenishment) -> dict[str, Any]:
    """What may be done with it now: nothing while a job works on it."""
    job = _job_card(request, found)
    is_draft = found.status == Status.INCOMPLETE
    may_generate = request.membership.role in OFFICE and is_draft and not job
    own = {} if job else {"ended": _ended(request, found), **_actions(request, found)}
    return {"job": job, "is_draft": is_draft, "may_generate": may_generate, **own}


@never_cache
@require_safe
@require_role(EVERYONE)
def at_work(request: AccountRequest, pk: int) -> HttpResponse:
    """The job that works on it, asked for again and again; when it is over, the page shows what became of it."""
    found = get_object_or_404(Replenishment, pk=pk)
    job = _job_card(request, found)
    if job is None:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "replenishment/_at_work.html", {"job": job, "found": found})


def _job_card(request: AccountRequest, found: Replenishment) -> JobCard | None:
    """The job that works on it; with links for those only who may open it."""
    job = work.job_on(found.pk)
    return _card(request, job) if job else None


def _card(request: AccountRequest, job: Job) -> JobCard:
    card = job_card(job)
    if not visible_jobs(request.membership).filter(pk=job.pk).exists():
        card = replace(card, url="", cancel_url="", result_url="")
    return card if job.person_id == request.user.pk else replace(card, dismiss_url="")


def _ended(request: AccountRequest, found: Replenishment) -> dict[str, Any] | None:
    """What became of the last job that worked on it."""
    job = work.ended_on(found.pk)
    if job is None:
        return None
    words = {"job": job.title, "state": JobState(job.state).label}
    text = job.message if job.state == JobState.FAILED else job.result.get("summary", "")
    return {"job": _card(request, job), "title": _("%(job)s: %(state)s") % words, "text": text}


def _costs(request: AccountRequest, lines: Sequence[queries.LineView]) -> dict[str, Any]:
    """Whether the lines show what they cost, and the sum; prices are no business of the warehouse."""
    costs = [line.cost for line in lines if line.cost is not None]
    has_costs = bool(costs) and request.membership.role != Role.WAREHOUSE
    return {"has_costs": has_costs, "total_cost": queries.amount(sum(costs, Decimal())) if has_costs else ""}


def _waiting(found: Replenishment, *, is_office: bool) -> dict[str, Any]:
    """What waits for the office."""
    cases = queries.open_discrepancies(found)
    shown = list(cases[:SHOWN_CASES])
    is_more = len(shown) == SHOWN_CASES
    return {
        "waiting": shown,
        "waiting_count": cases.count() if is_more else len(shown),
        "may_settle": is_office,
        "acceptable": len(acceptable(found)) if shown and is_office else 0,
    }


def _submit_job(request: AccountRequest, found: Replenishment, planned: int) -> Job:
    """Many units by a job; two tabs start one, because the replenishment's version is part of its key."""
    return work.start(
        "replenishment.submit",
        _("Submit %(number)s") % {"number": found.number},
        {"replenishment_id": found.pk, "version": found.version, "total": planned},
        replenishment_id=found.pk,
        person=request.user,
        idempotency_key=f"replenishment.submit:{found.pk}:{found.version}:{request.user.pk}",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def submit(request: AccountRequest, pk: int) -> HttpResponse:
    """Submit Replenishment: one question, then it is on its way; exactly what the question said."""
    found = get_object_or_404(queries.documents(), pk=pk)
    told: list[str] = []
    if request.method == "POST":
        planned, version = queries.planned_count(found), posted_version(request)
        try:
            if planned > AT_ONCE and found.status == Status.INCOMPLETE and found.version == version:
                return redirect("job", account_slug=request.account.slug, pk=_submit_job(request, found, planned).pk)
            submitting.submit(replenishment_id=pk, version=version, actor=request.user)
        except DomainError as error:
            told = [] if isinstance(error, submitting.CannotSubmit | work.AtWork) else [str(error)]
        else:
            messages.success(request, _("%(number)s is submitted. It is In-Transit.") % {"number": found.number})
            return redirect("replenishment", account_slug=request.account.slug, pk=pk)
        found = get_object_or_404(queries.documents(), pk=pk)  # it may have changed since
    status = 422 if request.method == "POST" else 200
    return render(request, "replenishment/submit.html", _question(request, found, told), status=status)


def _question(request: AccountRequest, found: Replenishment, told: list[str]) -> dict[str, Any]:
    """What the page of Submit shows: the question, or all that stands in its way; `told` is why it was just refused."""
    faults = submitting.faults_of(found) if may(Step.SUBMIT, found.status) else []
    if job := work.job_on(found.pk):
        faults = [work.words_of(job)]
    return {
        **_place(request, found),
        "page_title": _("Submit Replenishment"),
        "found": found,
        "faults": told + faults,
        "is_blocked": bool(faults),
        "expired": expired_words(found)[:SHOWN_EXPIRED],
        "lines": queries.lines_of(found),
        "cancel_url": address(request, "replenishment", pk=found.pk),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def cancel(request: AccountRequest, pk: int) -> HttpResponse:
    """Cancel it with a reason."""
    is_draft = Replenishment.objects.filter(pk=pk, status=Status.INCOMPLETE).exists()
    words = {
        "page_title": _("Cancel replenishment"),
        "intro": _("Nobody was told of it yet. This cannot be undone.")
        if is_draft
        else _("Its Incoming serials become void, and the warehouse is told. This cannot be undone."),
        "submit_tone": "danger",
    }
    return _end(request, pk, submitting.cancel, words, _("%(number)s is cancelled."))


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def close_short(request: AccountRequest, pk: int) -> HttpResponse:
    """Expect nothing more, with a reason."""
    words = {
        "page_title": _("Close short"),
        "intro": _(
            "Nothing more is expected, and the warehouse is told. Serials that did not arrive become void. "
            "This cannot be undone."
        ),
    }
    return _end(request, pk, submitting.close_short, words, _("%(number)s is closed short."))


@require_POST
@require_role(OFFICE)
def archive(request: AccountRequest, pk: int) -> HttpResponse:
    """Take it out of the list."""
    found = get_object_or_404(Replenishment, pk=pk)
    try:
        submitting.archive(replenishment_id=pk, actor=request.user)
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(number)s is archived.") % {"number": found.number})
    return redirect("replenishment", account_slug=request.account.slug, pk=pk)


def _end(
    request: AccountRequest, pk: int, service: Callable[..., Replenishment], words: dict[str, Any], done: str
) -> HttpResponse:
    found = get_object_or_404(Replenishment, pk=pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            service(replenishment_id=pk, reason=form.cleaned_data["reason"], actor=request.user)
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, done % {"number": found.number})
            return redirect("replenishment", account_slug=request.account.slug, pk=pk)
    own = {"cancel_url": address(request, "replenishment", pk=pk), "form": form, "submit_label": words["page_title"]}
    return render(
        request, "ui/form.html", {**around(request, found), **words, **own}, status=422 if form.errors else 200
    )


def around(request: AccountRequest, found: Replenishment) -> dict[str, Any]:
    """What every page of a replenishment says of where it stands, and of a job that works on it."""
    job = work.job_on(found.pk)
    return {**_place(request, found), "page_notice": work.words_of(job) if job else ""}


def _place(request: AccountRequest, found: Replenishment) -> dict[str, Any]:
    """The same for a page that tells of the job itself."""
    return {
        "section_label": _("Replenishment"),
        "section_url": address(request, "replenishments"),
        "page_icon": "truck",
        "number": found.number,
    }


def address(request: AccountRequest, route: str, **kwargs: Any) -> str:
    """A page of this account."""
    return reverse(route, kwargs={"account_slug": request.account.slug, **kwargs})


def posted_version(request: AccountRequest) -> int:
    """The version of the replenishment that the person saw; 0, which is none, where the page does not say."""
    return whole_number(request.POST.get("version"), most_digits=9) or 0


def more_rows(request: AccountRequest, prefix: str) -> QueryDict:
    """What was sent, for a formset: the button "more" asks for the same with more rows."""
    data: QueryDict = request.POST.copy()
    if "more" in data:
        count = whole_number(data.get(f"{prefix}-TOTAL_FORMS"), most_digits=4) or 0
        data[f"{prefix}-TOTAL_FORMS"] = str(count + BLANK_ROWS)
    return data


def _facts(found: Replenishment) -> list[dict[str, Any]]:
    expected = found.expected_on.isoformat() if found.expected_on else ""
    late: dict[str, Any] = {}
    if is_late(found):
        late = {"badge": asdict(LATE)}
        expected = _("%(day)s, late") % {"day": expected}
    tracking = " ".join(part for part in (found.carrier, found.tracking) if part)
    return [
        {"label": _("Warehouse"), "value": found.link.warehouse.name},
        {"label": _("Supplier"), "value": found.supplier},
        {"label": _("Reference"), "value": found.reference},
        {"label": _("Expected"), "value": expected, **late},
        {"label": _("Tracking"), "value": tracking, "is_mono": bool(found.tracking)},
        *([{"label": _("Reason"), "value": found.reason}] if found.reason else []),
    ]


def _button(
    request: AccountRequest, found: Replenishment, step: Step, route: str, icon: str, **more: Any
) -> list[dict[str, Any]]:
    """A button, where the status allows its step."""
    url = address(request, route, pk=found.pk)
    return [{"label": step.label, "icon": icon, "url": url, **more}] if may(step, found.status) else []


def _actions(request: AccountRequest, found: Replenishment) -> dict[str, Any]:
    """The buttons that its status and the person's role allow."""
    if request.membership.role in OFFICE:
        return _office_actions(request, found)
    is_theirs = request.membership.role in WAREHOUSE and may(Step.RECEIVE, found.status)
    if not is_theirs or system_of(found.link_id):
        return {}
    receive = {"label": _("Receive"), "icon": "inbox", "url": address(request, "replenishment_receive", pk=found.pk)}
    return {"secondary_actions": [receive]} if found.status == Status.COMPLETED else {"primary_action": receive}


def _office_actions(request: AccountRequest, found: Replenishment) -> dict[str, Any]:
    """Those of the office; what is done seldom is behind More."""
    units = {"process_type": "replenishment", "process_id": found.number}
    show = {"label": _("Serials"), "icon": "barcode", "url": f"{address(request, 'serials')}?{urlencode(units)}"}
    edit = {"label": _("Edit details"), "is_dialog": True}
    submits = _button(request, found, Step.SUBMIT, "replenishment_submit", "check", is_dialog=True)
    lines = _button(request, found, Step.CHANGE, "replenishment_lines", "list", label=_("SKUs and quantities"))
    return {
        "primary_action": submits[0] if submits else None,
        "secondary_actions": [
            *_button(request, found, Step.DESCRIBE, "replenishment_edit", "pencil", **edit),
            *(lines or [show]),
        ],
        "menus": [{"label": _("More"), "items": _more(request, found)}],
    }


def _more(request: AccountRequest, found: Replenishment) -> list[dict[str, Any]]:
    """What is done seldom."""
    copies = f"{address(request, 'replenishment_duplicate', pk=found.pk)}?key={uuid4().hex}"
    lines, serials = ({"label": label, "is_dialog": True} for label in (_("Upload lines"), _("Upload serials")))
    return [
        *_button(request, found, Step.CHANGE, "replenishment_lines_csv", "upload", **lines),
        *_button(request, found, Step.CHANGE, "replenishment_serials_csv", "upload", **serials),
        {"label": _("Duplicate"), "icon": "copy", "url": copies, "posts": True},
        *_button(request, found, Step.CLOSE_SHORT, "replenishment_close", "minus", is_dialog=True),
        *_button(request, found, Step.CANCEL, "replenishment_cancel", "x", is_dialog=True),
        *_button(request, found, Step.ARCHIVE, "replenishment_archive", "inbox", posts=True),
    ]
