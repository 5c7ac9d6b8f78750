"""Add Attributes By CSV: upload, what it would do, and doing it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from oms import files, jobs
from oms.access import AccountRequest, require_role
from oms.downloads import csv_file
from oms.errors import Conflict, DomainError
from oms.models import OFFICE, Job, JobState, StoredFile
from oms.queries.jobs import readable_files
from serials.forms import AttributesUploadForm
from serials.services.attributes import by_person
from serials.services.attributes_csv import (
    FAILED_NAME,
    SCHEMA,
    apply_import,
    failed_file,
    import_result,
    plan_import,
)
from serials.views.around import around, list_url

AT_ONCE = 100_000
"""Files of up to so many bytes, about 2,000 rows, are checked and applied while the person waits."""


@require_safe
@require_role(OFFICE)
def template(request: AccountRequest) -> HttpResponse:
    """Download Template: the columns SKU, Serial, Attribute, Value and an example row."""
    return csv_file("lotline-attributes.csv", [SCHEMA.template(has_example=True)])


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def upload(request: AccountRequest) -> HttpResponse:
    """Take a file that can be read as CSV; what it would do is the next page."""
    form = AttributesUploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            SCHEMA.check(file)
        except DomainError as error:
            form.add_error("file", f"{_('error processing csv file')}: {error}")
        else:
            file.seek(0)
            stored = files.store(file.name, "text/csv", file.chunks())
            return _to_check(request, stored, overwrite=form.cleaned_data["overwrite"])
    context = {
        **around(request),
        "page_title": _("Add Attributes By CSV"),
        "page_icon": "upload",
        "form": form,
        "multipart": True,
        "submit_label": _("Upload"),
        "columns": SCHEMA.header,
        "cancel_url": list_url(request),
    }
    return render(request, "serials/attributes_upload.html", context, status=422 if form.errors else 200)


def _to_check(request: AccountRequest, stored: StoredFile, *, overwrite: bool) -> HttpResponse:
    """What a file would do: the page that says so, or the job that finds it out."""
    if stored.size > AT_ONCE:
        return redirect(
            "job", account_slug=request.account.slug, pk=_check_job(request, stored, overwrite=overwrite).pk
        )
    return redirect(_address(request, "serials_attributes_check", stored, overwrite=overwrite))


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def check(request: AccountRequest, key: UUID) -> HttpResponse:
    """Every bad row of an uploaded file, and what the good ones do; POST applies those, once however often it is sent.

    Small files are checked and applied at once, large ones by a job each.
    """
    stored = get_object_or_404(readable_files(request.membership), key=key)
    overwrite = request.GET.get("overwrite") == "1"
    try:
        if request.method == "POST":
            return _apply(request, stored, overwrite=overwrite)
        seen = _seen(request, stored, overwrite=overwrite)
    except DomainError as error:
        messages.error(request, f"{_('error processing csv file')}: {error}")
        return redirect("serials_attributes_csv", account_slug=request.account.slug)
    if seen is None:
        return _to_check(request, stored, overwrite=overwrite)
    context = {
        **around(request),
        "page_title": _("error processing csv file") if seen["wrong"] else _("Check the upload"),
        "page_icon": "alert-triangle" if seen["wrong"] else "upload",
        "file": stored,
        "plan": seen,
        "overwrite": overwrite,
        "errors": seen["errors"],
        "download_url": _address(request, "serials_attributes_failed", stored, overwrite=overwrite),
    }
    return render(request, "serials/attributes_check.html", context)


@require_safe
@require_role(OFFICE)
def failed(request: AccountRequest, key: UUID) -> HttpResponse:
    """Just the failed rows, as they were, with their line and the reason: correct them and upload this file."""
    stored = get_object_or_404(readable_files(request.membership), key=key)
    overwrite = request.GET.get("overwrite") == "1"
    page = _address(request, "serials_attributes_check", stored, overwrite=overwrite)
    if stored.size > AT_ONCE:
        made = _check_job(request, stored, overwrite=overwrite).result_file
        return redirect("file", account_slug=request.account.slug, key=made.key) if made else redirect(page)
    with files.open_file(stored) as file:
        try:
            return csv_file(FAILED_NAME, failed_file(file, plan_import(file, overwrite=overwrite)))
        except DomainError:  # the page says why
            return redirect(page)


def _seen(request: AccountRequest, stored: StoredFile, *, overwrite: bool) -> dict[str, Any] | None:
    """What a file would do; of a large one, what its job found, None until it has."""
    if stored.size > AT_ONCE:
        job = _check_job(request, stored, overwrite=overwrite)
        return job.result["plan"] if job.state == JobState.DONE else None
    with files.open_file(stored) as file:
        return plan_import(file, overwrite=overwrite).shown()


def _check_job(request: AccountRequest, stored: StoredFile, *, overwrite: bool) -> Job:
    """The job that checks a large file, begun when it is first asked for, and anew after it could not be applied."""
    failed = Job.objects.filter(kind="serials.attributes", input_file=stored, state=JobState.FAILED).count()
    return jobs.start(
        "serials.attributes_check",
        _("Check of %(file)s") % {"file": stored.name},
        {"overwrite": overwrite, "page": _address(request, "serials_attributes_check", stored, overwrite=overwrite)},
        person=request.user,
        idempotency_key=f"serials.attributes_check:{stored.key}:{int(overwrite)}:{failed}",
        input_file=stored,
    )


def _apply(request: AccountRequest, stored: StoredFile, *, overwrite: bool) -> HttpResponse:
    seen = request.POST.get("seen", "")[:64]
    facts: dict[str, Any] = {
        "kind": "serials.attributes",
        "title": _("Attributes from %(file)s") % {"file": stored.name},
        "params": {"overwrite": overwrite, "seen": seen},
        "person": request.user,
        "idempotency_key": f"serials.attributes:{stored.key}:{int(overwrite)}",
        "input_file": stored,
    }

    def work() -> dict[str, Any]:
        with files.open_file(stored) as file:
            return import_result(*apply_import(file, overwrite=overwrite, by=by_person(request.user.pk), seen=seen))

    if stored.size > AT_ONCE:
        return redirect("job", account_slug=request.account.slug, pk=jobs.start(**facts).pk)
    try:
        job = jobs.do_now(**facts, work=work)
    except Conflict as error:
        messages.error(request, str(error))
        return redirect(_address(request, "serials_attributes_check", stored, overwrite=overwrite))
    _tell(request, job)
    return redirect(list_url(request))


def _tell(request: AccountRequest, job: Job) -> None:
    """Say what was set, and how much was left out."""
    messages.success(request, job.result["summary"], extra_tags="dialog")
    if count := job.result["error_count"]:
        said = ngettext("%(count)s row was left out.", "%(count)s rows were left out.", count)
        messages.warning(request, said % {"count": f"{count:,}"})


def _address(request: AccountRequest, route: str, stored: StoredFile, *, overwrite: bool) -> str:
    address = reverse(route, kwargs={"account_slug": request.account.slug, "key": stored.key})
    return f"{address}?overwrite=1" if overwrite else address
