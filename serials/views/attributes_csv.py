"""Add Attributes By CSV: upload, what it would do, and doing it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from oms import csvio, files, jobs
from oms.access import AccountRequest, require_role
from oms.downloads import csv_file
from oms.errors import DomainError
from oms.models import OFFICE, StoredFile
from oms.queries.jobs import readable_files
from serials.forms import AttributesUploadForm
from serials.services.attributes import by_person, said
from serials.services.attributes_csv import FAILED_HEADER, SCHEMA, Plan, apply_import, failed_rows, plan_import
from serials.views.around import around, list_url

SHOWN = 50
AT_ONCE = 100_000
"""Files of up to so many bytes, about 2,000 rows, are applied while the person waits."""


@require_GET
@require_role(OFFICE)
def template(request: AccountRequest) -> HttpResponse:
    """Download Template: the columns SKU, Serial, Attribute, Value and an example row."""
    return csv_file("lotline-attributes.csv", [SCHEMA.template(has_example=True)])


@require_http_methods(["GET", "POST"])
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
            overwrite = form.cleaned_data["overwrite"]
            return redirect(_address(request, "serials_attributes_check", stored, overwrite=overwrite))
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


@require_http_methods(["GET", "POST"])
@require_role(OFFICE)
def check(request: AccountRequest, key: UUID) -> HttpResponse:
    """Every bad row of an uploaded file, and what the good ones do; POST applies those, once however often it is sent.

    Few rows are applied at once, many by a job.
    """
    stored = get_object_or_404(readable_files(request.membership), key=key)
    overwrite = request.GET.get("overwrite") == "1"
    if request.method == "POST":
        return _apply(request, stored, overwrite=overwrite)
    try:
        plan = _plan(stored, overwrite=overwrite)
    except csvio.FileRefused as error:
        messages.error(request, f"{_('error processing csv file')}: {error}")
        return redirect("serials_attributes_csv", account_slug=request.account.slug)
    context = {
        **around(request),
        "page_title": _("error processing csv file") if plan.errors else _("Check the upload"),
        "page_icon": "alert-triangle" if plan.errors else "upload",
        "file": stored,
        "plan": plan,
        "overwrite": overwrite,
        "errors": plan.failed[:SHOWN],
        "failed_count": len(plan.failed),
        "download_url": _address(request, "serials_attributes_failed", stored, overwrite=overwrite),
    }
    return render(request, "serials/attributes_check.html", context)


@require_GET
@require_role(OFFICE)
def failed(request: AccountRequest, key: UUID) -> HttpResponse:
    """Just the failed rows, as they were, with their line and the reason: correct them and upload this file."""
    stored = get_object_or_404(readable_files(request.membership), key=key)
    plan = _plan(stored, overwrite=request.GET.get("overwrite") == "1")
    with files.open_file(stored) as file:
        rows = list(failed_rows(file, plan.failed))
    return csv_file("lotline-attributes-failed.csv", csvio.write(rows, FAILED_HEADER))


def _apply(request: AccountRequest, stored: StoredFile, *, overwrite: bool) -> HttpResponse:
    if stored.size > AT_ONCE:
        job = jobs.start(
            "serials.attributes",
            _("Attributes from %(file)s") % {"file": stored.name},
            {"overwrite": overwrite},
            person=request.user,
            idempotency_key=f"serials.attributes:{stored.key}:{int(overwrite)}",
            input_file=stored,
        )
        return redirect("job", account_slug=request.account.slug, pk=job.pk)
    with files.open_file(stored) as file:
        parsed = SCHEMA.read(file)
    done, errors = apply_import(parsed, overwrite=overwrite, by=by_person(request.user.pk))
    messages.success(request, said(done), extra_tags="dialog")
    if errors:
        messages.warning(request, _("%(count)s rows were left out.") % {"count": len(errors)})
    return redirect(list_url(request))


def _address(request: AccountRequest, route: str, stored: StoredFile, *, overwrite: bool) -> str:
    address = reverse(route, kwargs={"account_slug": request.account.slug, "key": stored.key})
    return f"{address}?overwrite=1" if overwrite else address


def _plan(stored: StoredFile, *, overwrite: bool) -> Plan:
    with files.open_file(stored) as file:
        return plan_import(SCHEMA.read(file), overwrite=overwrite)
