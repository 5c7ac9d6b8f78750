"""The CSV of a list page: the same rows, columns and sort as the screen; at once when small, by a job when large."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import resolve
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from oms import csvio, files, jobs
from oms.access import AccountRequest
from oms.downloads import csv_stream
from oms.jobs import Progress
from oms.ui.paging import shown
from oms.ui.tables import Table

if TYPE_CHECKING:
    from oms.ui.views import TableView

AT_ONCE = 10_000
"""Up to so many rows the answer is the file itself."""
BATCH = 2_000


def export_response(request: AccountRequest, page: "type[TableView]", table: Table) -> HttpResponseBase:
    """The file, or the page of the job that makes it."""
    rows = table.data.data
    if rows.order_by()[: AT_ONCE + 1].count() > AT_ONCE:
        job = jobs.start(
            "ui.export",
            _("Export of %(page)s") % {"page": page.title},
            {"path": request.path, "query": request.GET.urlencode(), "columns": table.shown()},
            person=request.user,
        )
        return redirect("job", account_slug=request.account.slug, pk=job.pk)
    return csv_stream(request, file_name(page), lambda: _file(table, shown(rows, page.shown)))


def run_export_job(progress: Progress) -> None:
    """The job "ui.export": the list page that its path names, as a file."""
    page: type[TableView] = resolve(progress.params["path"]).func.page_for(progress.person)  # type: ignore[attr-defined]  # set by TableView.page
    query = QueryDict(progress.params["query"])
    table = page.sorted_table(query, page.filtered(query, progress.person))
    table.arrange(progress.params.get("columns", []))
    rows = table.data.data
    total = rows.order_by().count()
    content = _file(table, shown(rows, page.shown), progress, total)
    stored = files.store(file_name(page), csvio.CONTENT_TYPE, content)
    progress.finish({"counts": {_("Rows"): total}}, stored)


def file_name(page: "type[TableView]") -> str:
    """A name that tells the page and the day."""
    return f"lotline-{slugify(str(page.title))}-{timezone.localdate():%Y-%m-%d}.csv"


def _file(
    table: Table, rows: QuerySet[Any], progress: Progress | None = None, total: int | None = None
) -> Iterator[bytes]:
    columns = table.csv_columns()
    texts = [text for _label, text in columns]

    def cells() -> Iterator[list[str]]:
        for number, record in enumerate(rows.iterator(chunk_size=BATCH)):
            if progress and number % BATCH == 0:
                progress.step(number, total)
            yield [text(record) for text in texts]

    return csvio.write(cells(), [label for label, _text in columns])
