"""Lines and serials of an Incomplete replenishment from CSV files: upload, what the file would do, and doing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_http_methods

from oms import csvio, files, jobs
from oms.access import AccountRequest, require_role
from oms.downloads import csv_file
from oms.errors import DomainError
from oms.models import OFFICE, Job, JobState, StoredFile
from oms.numbers import whole_number
from oms.queries.jobs import readable_files
from oms.scanning import Question, answers_of
from oms.ui.tables import with_query
from replenishment.forms import UploadForm
from replenishment.lifecycle import Step, may
from replenishment.models import Replenishment, ReplenishmentLine
from replenishment.services import lines_csv, serials_csv, upload_jobs, work as at_work
from replenishment.services.lookalikes import LookAlike, look_alikes_of
from replenishment.views.documents import address, around
from serials.lot_dates import doubt

AT_ONCE = 100_000
"""Files of up to so many bytes are applied while the person waits."""
SHOWN_DOUBTS = 10
SHOWN = 50
"""How many errors and lines the page lists; all errors are in the file of bad rows."""


@dataclass(frozen=True)
class Seen:
    """What a file would do, for its page: numbers with their labels, and a table of the first things that it adds."""

    errors: list[csvio.RowError]
    good_count: int
    row_count: int
    ignored_columns: tuple[str, ...]
    stats: list[tuple[str, int]]
    header: tuple[str, ...] = ()
    rows: list[Sequence[Any]] = field(default_factory=list)
    has_more: bool = False
    alike: list[LookAlike] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    """Sentences about expiries that are hardly meant: who applies the file means them."""
    questions: list[Question] = field(default_factory=list)
    """What is asked about rows before the file can be applied."""

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to say something."""
        return any(not question.chosen for question in self.questions)

    @property
    def lacks_columns(self) -> bool:
        """No row was read, because required columns are not there."""
        return not self.row_count

    @property
    def cells(self) -> list[list[tuple[str, Any]]]:
        """The rows, each cell with its label."""
        return [list(zip(self.header, row, strict=True)) for row in self.rows]


class Upload:
    """One kind of file for one replenishment. Subclasses say what is in it and what it does."""

    job = ""
    name = ""
    schema: csvio.Schema
    routes = ("", "")

    def __init__(self, request: AccountRequest, pk: int) -> None:
        self.request = request
        self.found = get_object_or_404(Replenishment, pk=pk)
        self.params: dict[str, Any] = {"replenishment_id": pk, "answers": dict(answers_of(request.GET).answers)}

    @property
    def title(self) -> str:
        """Words for the page."""
        raise NotImplementedError

    @property
    def done_url(self) -> str:
        """Where the person goes on."""
        return address(self.request, "replenishment", pk=self.found.pk)

    @property
    def query(self) -> str:
        """What the addresses of these pages end with."""
        return ""

    def plan(self, parsed: csvio.Parsed) -> Seen:
        """What the file would do."""
        raise NotImplementedError

    def apply(self, parsed: csvio.Parsed) -> Mapping[str, Any]:
        """Do it; the result of its job."""
        raise NotImplementedError

    def read(self, file: BinaryIO) -> csvio.Parsed:
        """The file by its schema. Raises FileRefused."""
        return self.schema.read(file)

    def key(self, stored: StoredFile) -> str:
        """What tells the job that applies this file here from others: it is done once."""
        return f"{self.job}:{self.found.pk}:{self.params.get('line_id', '')}:{stored.key}"

    def done_by(self, stored: StoredFile) -> Job | None:
        """The job that applied this file here already."""
        return Job.objects.filter(idempotency_key=self.key(stored), state=JobState.DONE).first()

    def url(self, **kwargs: Any) -> str:
        """The page that takes a file, or with `key` the one that says what that file would do."""
        return address(self.request, self.routes[bool(kwargs)], pk=self.found.pk, **kwargs) + self.query


class LinesUpload(Upload):
    """SKUs and quantities with costs and lots."""

    job, name, schema = "replenishment.lines_csv", "lotline-lines", lines_csv.SCHEMA
    routes = ("replenishment_lines_csv", "replenishment_lines_check")

    @property
    def title(self) -> str:
        """Words for the page."""
        return _("Upload lines")

    def plan(self, parsed: csvio.Parsed) -> Seen:
        """The lines that would be added."""
        count = ReplenishmentLine.objects.filter(replenishment=self.found).count()
        plan = lines_csv.plan_lines(parsed, line_count=count, answers=self.params["answers"])
        return Seen(
            plan.errors,
            plan.good_count,
            plan.row_count,
            plan.ignored_columns,
            [(_("New lines"), len(plan.lines)), (_("Units"), plan.units)],
            (_("SKU"), _("Quantity"), _("Unit cost"), _("Lots")),
            [_line_cells(line) for line in plan.lines[:SHOWN]],
            has_more=len(plan.lines) > SHOWN,
            doubts=[
                said
                for line in plan.lines
                for lot in line.lots
                if (said := doubt(lot.number, lot.expires_on, timezone.localdate()))
            ],
            questions=plan.questions,
        )

    def apply(self, parsed: csvio.Parsed) -> Mapping[str, Any]:
        """Add the good lines."""
        plan = lines_csv.apply_lines(parsed=parsed, actor=self.request.user, **self.params)
        return upload_jobs.lines_result(plan)


class SerialsUpload(Upload):
    """The supplier's own numbers, of the whole replenishment or (?line=) of one line."""

    job, name = "replenishment.serials_csv", "lotline-serials"
    routes = ("replenishment_serials_csv", "replenishment_serials_check")

    def __init__(self, request: AccountRequest, pk: int) -> None:
        super().__init__(request, pk)
        self.line: ReplenishmentLine | None = None
        if text := request.GET.get("line", ""):
            rows = ReplenishmentLine.objects.select_related("sku")
            self.line = get_object_or_404(rows, pk=whole_number(text), replenishment=self.found)
        self.params["line_id"] = self.line.pk if self.line else None
        self.schema = serials_csv.LINE_SCHEMA if self.line else serials_csv.SCHEMA

    @property
    def title(self) -> str:
        """Words for the page."""
        if self.line is None:
            return _("Upload serials")
        return _("Upload serials of line %(line)s, %(sku)s") % {"line": self.line.position, "sku": self.line.sku.code}

    @property
    def query(self) -> str:
        """The line, if it is of one."""
        return f"?line={self.line.pk}" if self.line else ""

    @property
    def done_url(self) -> str:
        """The line's page, if it is of one."""
        if self.line is None:
            return super().done_url
        return address(self.request, "replenishment_line_serials", pk=self.line.pk)

    def plan(self, parsed: csvio.Parsed) -> Seen:
        """The serials that would be planned, by line."""
        plan = serials_csv.plan_serials(parsed, **self.params)
        return Seen(
            plan.errors,
            plan.good_count,
            plan.row_count,
            plan.ignored_columns,
            [(_("New serials"), plan.good_count), (_("Lines"), len(plan.by_line))],
            (_("Line"), _("SKU"), _("New serials"), _("Units")),
            [(line.position, line.sku.code, count, line.quantity) for line, count in plan.by_line[:SHOWN]],
            has_more=len(plan.by_line) > SHOWN,
            alike=look_alikes_of((row.line.sku_id, row.serial) for row in plan.serials),
            questions=plan.questions,
        )

    def apply(self, parsed: csvio.Parsed) -> Mapping[str, Any]:
        """Plan the good serials."""
        plan = serials_csv.apply_serials(parsed=parsed, actor=self.request.user, may_ask=True, **self.params)
        return upload_jobs.serials_result(plan)


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
            seen = upload.plan(upload.read(file))
        except DomainError as error:
            messages.error(request, f"{_('error processing csv file')}: {error}")
            return redirect(upload.url())
        if "errors" in request.GET:
            rows = upload_jobs.failed_file(upload.schema, file, seen.errors)
            return csv_file(f"{upload.name}-failed.csv", list(rows))
    return render(request, "replenishment/upload_check.html", _seen_context(upload, stored, seen))


def _seen_context(upload: Upload, stored: StoredFile, seen: Seen) -> dict[str, Any]:
    """What the page of a file shows."""
    request = upload.request
    wrong = 0 if seen.lacks_columns else upload_jobs.line_count(seen.errors)
    return {
        **_around(upload),
        "page_title": _("Check the upload") if seen.good_count else _("error processing csv file"),
        "page_icon": "alert-triangle" if seen.errors else "upload",
        "file": stored,
        "plan": seen,
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


def _line_cells(line: lines_csv.NewLine) -> tuple[str, int, str, str]:
    cost = line.rows[0].values["Unit cost"]
    words = _("%(quantity)s of %(lot)s")
    lots = [
        words % {"quantity": lot.quantity or line.quantity, "lot": lot.number}
        + (f" ({lot.expires_on.isoformat()})" if lot.expires_on else "")
        for lot in line.lots
    ]
    return line.sku.code if line.sku else "", line.quantity, "" if cost is None else str(cost), ", ".join(lots)
