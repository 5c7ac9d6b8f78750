"""SKUs from a CSV file: upload, what it would do, and doing it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from oms import csvio, files, jobs
from oms.access import AccountRequest, require_role
from oms.downloads import csv_file
from oms.errors import DomainError
from oms.forms import CatalogueUploadForm
from oms.models import OFFICE, Job, Role, StoredFile, Workflow
from oms.queries.jobs import readable_files
from oms.services.catalogue_csv import FIELDS, SCHEMA, Change, Plan, plan_import

SHOWN = 50
"""How many errors and changes the page lists; all errors are in the file of errors."""


@require_safe
@require_role(OFFICE)
def template(request: AccountRequest) -> HttpResponse:
    """The file to fill, with an example row."""
    return csv_file("lotline-skus.csv", [SCHEMA.template(has_example=True)])


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def upload(request: AccountRequest) -> HttpResponse:
    """Take a file that can be read as CSV; what it would do is the next page."""
    form = CatalogueUploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            SCHEMA.read(file)
        except DomainError as error:
            form.add_error("file", str(error))
        else:
            file.seek(0)
            stored = files.store(file.name, "text/csv", file.chunks())
            return redirect("sku_check", account_slug=request.account.slug, key=stored.key)
    context = {
        **_around(request),
        "page_title": _("Upload SKUs"),
        "form": form,
        "submit_label": _("Check the file"),
        "columns": SCHEMA.columns,
    }
    return render(request, "catalogue/upload.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def check(request: AccountRequest, key: UUID) -> HttpResponse:
    """Every bad row and every change of an uploaded file; POST applies the good rows, once however often it is sent."""
    stored = get_object_or_404(readable_files(request.membership), key=key)
    if request.method == "POST":
        try:
            job = _start(request, stored)
        except DomainError as error:
            messages.error(request, str(error))
            return redirect("sku_check", account_slug=request.account.slug, key=key)
        return redirect("job", account_slug=request.account.slug, pk=job.pk)
    plan = _plan(request, stored)
    context = {
        **_around(request),
        "page_title": _("Check the upload"),
        "file": stored,
        "plan": plan,
        "changes": [_said(change) for change in (plan.changed + plan.created)[:SHOWN]],
        "wrong": csvio.line_count(plan.errors),
        "errors": plan.errors[:SHOWN],
    }
    return render(request, "catalogue/upload_check.html", context)


def _start(request: AccountRequest, stored: StoredFile) -> Job:
    """The job that applies a file; one file is one job, whoever sends it first."""
    seen = request.POST.get("seen", "")[:64]
    return jobs.start(
        "catalogue.import",
        _("Upload of %(file)s") % {"file": stored.name},
        {"may_set_serial": _may_set_serial(request), "seen": seen},
        person=request.user,
        idempotency_key=f"catalogue.import:{stored.key}",
        input_file=stored,
    )


@require_safe
@require_role(OFFICE)
def errors(request: AccountRequest, key: UUID) -> HttpResponse:
    """Every bad row of an uploaded file as a file."""
    stored = get_object_or_404(readable_files(request.membership), key=key)
    rows = list(csvio.error_rows(_plan(request, stored).errors))
    return csv_file("lotline-sku-errors.csv", csvio.write(rows, csvio.ERROR_HEADER))


def _plan(request: AccountRequest, stored: StoredFile) -> Plan:
    with files.open_file(stored) as file:
        return plan_import(SCHEMA.read(file), may_set_serial=_may_set_serial(request))


def _may_set_serial(request: AccountRequest) -> bool:
    return request.membership.role == Role.ADMIN


def _said(change: Change) -> dict[str, Any]:
    """A change for the page: the SKU and, field by field, before and after."""
    names = {field: name for name, field in FIELDS.items()}
    before = {field: getattr(change.sku, field) if change.sku else "" for field in change.values}
    return {
        "line": change.line,
        "sku": change.sku,
        "code": change.sku.code if change.sku else change.values["code"],
        "fields": [
            (names[field], _in_words(field, before[field]), _in_words(field, value))
            for field, value in change.values.items()
            if field != "code" and value != before[field]
        ],
    }


def _in_words(field: str, value: str) -> str:
    return str(Workflow(value).label) if field == "workflow" and value else value


def _around(request: AccountRequest) -> dict[str, Any]:
    list_url = reverse("skus", kwargs={"account_slug": request.account.slug})
    return {"section_label": _("SKUs"), "section_url": list_url, "page_icon": "upload", "cancel_url": list_url}
