"""Lines and serials of an Incomplete replenishment from CSV files: upload, what the file would do, and doing it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_http_methods

from oms import csvio, files, jobs
from oms.access import AccountRequest, require_role
from oms.downloads import csv_file
from oms.errors import DomainError
from oms.models import OFFICE, Job, StoredFile
from oms.queries.jobs import readable_files
from oms.ui.tables import with_query
from replenishment.forms import UploadForm
from replenishment.lifecycle import Step, may
from replenishment.services import work as at_work
from replenishment.views.documents import address, around
from replenishment.views.upload_kinds import LinesUpload, Seen, SerialsUpload, Upload

AT_ONCE = 100_000
"""Files of up to so many bytes are applied while the person waits."""
SHOWN_DOUBTS = 10
SHOWN = 50
"""How many errors and lines the page lists; all errors are in the file of bad rows."""


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def lines(request: AccountRequest, pk: int) -> HttpResponse:
    """Take a file of lines; ?template=1 is the file to fill."""
    return _take(LinesUpload(request, pk))


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def check_lines(request: AccountRequest, pk: int, key: UUID) -> HttpResponse:
    """What a file of lines would add, POST adds it; ?errors=1 is the file of its bad rows."""
    return _check(LinesUpload(request, pk), key)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def serials(request: AccountRequest, pk: int) -> HttpResponse:
    """Take a file of serials, of the whole replenishment or of one line (?line=); ?template=1 is the file to fill."""
    return _take(SerialsUpload(request, pk))


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def check_serials(request: AccountRequest, pk: int, key: UUID) -> HttpResponse:
    """What a file of serials would plan, POST plans it; ?errors=1 is the file of its bad rows."""
    return _check(SerialsUpload(request, pk), key)


def _take(upload: Upload) -> HttpResponse:
    request = upload.request
    if "template" in request.GET:
        return csv_file(f"{upload.name}.csv", [upload.schema.template(has_example=True)])
    if refused := _refused(upload):
        return refused
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            upload.schema.check(file)
        except DomainError as error:
            form.add_error("file", f"{_('error processing csv file')}: {error}")
        else:
            file.seek(0)
            stored = files.store(file.name, "text/csv", file.chunks())
            return redirect(upload.url(key=stored.key))
    context = {
        **_around(upload),
        "page_title": upload.title,
        "form": form,
        "multipart": True,
        "wide": True,
        "submit_label": _("Check the file"),
        "columns": upload.schema.columns,
        "has_lots": isinstance(upload, LinesUpload),
        "template_url": f"{upload.url()}{'&' if upload.query else '?'}template=1",
        "cancel_url": upload.done_url,
    }
    return render(request, "replenishment/upload.html", context, status=422 if form.errors else 200)


def _check(upload: Upload, key: UUID) -> HttpResponse:
    request = upload.request
    stored = get_object_or_404(readable_files(request.membership), key=key)
    done = upload.done_by(stored)
    if request.method == "POST":
        return _said_again(upload, done) if done else _apply(upload, stored)
    if done and "errors" not in request.GET:
        return redirect("job", account_slug=request.account.slug, pk=done.pk)
    if refused := _refused(upload):
        return refused
    with files.open_file(stored) as file:
        try:
            parsed = upload.read(file)
            seen = upload.plan(parsed)
        except DomainError as error:
            messages.error(request, f"{_('error processing csv file')}: {error}")
            return redirect(upload.url())
        if "errors" in request.GET:
            rows = csvio.failed_file(upload.schema, file, seen.errors)
            return csv_file(f"{upload.name}-failed.csv", list(rows))
    return render(request, "replenishment/upload_check.html", _seen_context(upload, stored, parsed, seen))


def _seen_context(upload: Upload, stored: StoredFile, parsed: csvio.Parsed, seen: Seen) -> dict[str, Any]:
    """What the page of a file shows."""
    request = upload.request
    wrong = 0 if seen.lacks_columns else csvio.line_count(seen.errors)
    return {
        **_around(upload),
        "page_title": _("Check the upload") if seen.good_count or seen.questions else _("error processing csv file"),
        "page_icon": "alert-triangle" if seen.errors else "upload",
        "file": stored,
        "plan": seen,
        "ignored_columns": parsed.ignored_columns,
        "above": parsed.above,
        "wrong": wrong,
        "errors": seen.errors[:SHOWN],
        "alike": seen.alike[:SHOWN],
        "alike_more": len(seen.alike[SHOWN:]),
        "questions": seen.questions,
        "kept_line": request.GET.get("line", ""),
        "good_count": 0 if seen.is_open else seen.good_count,
        "doubts": seen.doubts[:SHOWN_DOUBTS],
        "doubts_title": ngettext(
            "%(count)s expiry is hardly meant: correct the file, or apply it if it is right",
            "%(count)s expiries are hardly meant: correct the file, or apply it if they are right",
            len(seen.doubts),
        )
        % {"count": f"{len(seen.doubts):,}"},
        "again_url": upload.url(),
        "download_url": "" if seen.lacks_columns else with_query(request.GET, errors="1"),
    }


def _apply(upload: Upload, stored: StoredFile) -> HttpResponse:
    """Apply a file, once however often it is sent: small ones while the person waits, large ones by a job."""
    request = upload.request
    facts: dict[str, Any] = {
        "kind": upload.job,
        "title": _("%(what)s of %(number)s from %(file)s")
        % {"what": upload.title, "number": upload.found.number, "file": stored.name},
        "params": upload.params,
        "person": request.user,
        "idempotency_key": upload.key(stored),
        "input_file": stored,
    }

    def work() -> Mapping[str, Any]:
        with files.open_file(stored) as file:
            return upload.apply(upload.read(file))

    try:
        if stored.size > AT_ONCE:
            job = at_work.start(**facts, replenishment_id=upload.found.pk)
            return redirect("job", account_slug=request.account.slug, pk=job.pk)
        job = jobs.do_now(**facts, work=work)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect(request.get_full_path())
    _tell(request, job)
    return redirect(upload.done_url)


def _tell(request: AccountRequest, job: Job) -> None:
    """Say what was added, and how much was left out."""
    messages.success(request, job.result["summary"])
    if count := job.result["error_count"]:
        said = ngettext("%(count)s row was left out.", "%(count)s rows were left out.", count)
        messages.warning(request, said % {"count": f"{count:,}"})


def _said_again(upload: Upload, done: Job) -> HttpResponse:
    """The way on for who applies a file that is applied: what it did then, and that it does nothing now."""
    said = _("This file was applied before: %(summary)s Nothing is added again.")
    messages.info(upload.request, said % {"summary": done.result["summary"]})
    return redirect(upload.done_url)


def _refused(upload: Upload) -> HttpResponse | None:
    """The way back, where the replenishment is not Incomplete any more."""
    if may(Step.CHANGE, upload.found.status):
        return None
    messages.error(upload.request, _("%(number)s is already submitted.") % {"number": upload.found.number})
    return redirect(address(upload.request, "replenishment", pk=upload.found.pk))


def _around(upload: Upload) -> dict[str, Any]:
    own = {"section_label": upload.found.number, "section_url": upload.done_url, "page_icon": "upload"}
    return {**around(upload.request, upload.found), **own}
