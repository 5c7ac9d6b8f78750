"""Label files: answered at once when small, made by the job "serials.labels" when large.

For other apps. Name a source in settings.LABEL_SOURCES, name → dotted path of `source(args) -> LabelRun`, called inside
the account, which reads rows and raises DomainError where there is nothing to print. `args` is a JSON-ready dict: ids,
a filter. Then, in a view:

    return labels_jobs.respond_or_start(request, "units", {"pks": [412, 413]}, sheet="4x6")

answers the PDF for up to AT_ONCE labels, else starts the job and redirects to its page. It raises DomainError (nothing
to print, a serial that cannot be a barcode) for the view to show. `key` makes a form that is sent twice start one job.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from oms import files, jobs
from oms.access import AccountRequest
from oms.jobs import Progress
from oms.ui.actions import selected
from serials.labels import Label, LabelRun, Plan, render_pdf
from serials.queries.units import labels_of

KIND = "serials.labels"
PDF = "application/pdf"
AT_ONCE = 200
"""Up to so many labels the answer is the file itself."""
STEP = 50


def respond_or_start(
    request: AccountRequest, source: str, args: Mapping[str, Any], *, sheet: str = "4x6", key: str = ""
) -> HttpResponseBase:
    """The PDF of the labels that `source` gives for `args`, or a redirect to the page of the job that makes it.

    Args:
        request: of the person who gets the file.
        source: a key of settings.LABEL_SOURCES; another raises ImproperlyConfigured.
        args: JSON-ready, for the source.
        sheet: a key of serials.labels.SHEETS.
        key: up to 100 characters, the same for a form that is sent twice; see `jobs.start` for none.
    """
    run = label_run(source, args)
    if run.count <= AT_ONCE:
        response = HttpResponse(b"".join(render_pdf(run.labels(), Plan(sheet=sheet))), content_type=PDF)
        response["Content-Disposition"] = f'attachment; filename="{run.file_name}"'
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "private, no-store"
        return response
    job = jobs.start(
        KIND,
        run.title,
        {"source": source, "args": dict(args), "sheet": sheet},
        person=request.user,
        idempotency_key=f"{KIND}:{key}" if key else "",
    )
    return redirect("job", account_slug=request.account.slug, pk=job.pk)


def selected_labels(args: Mapping[str, Any]) -> LabelRun:
    """The label source "selected units"; `args` is a `Selection.params`."""
    return labels_of(selected(args))


def label_run(source: str, args: Mapping[str, Any]) -> LabelRun:
    """What a source has to print, inside the account. Raises ImproperlyConfigured for an unknown source."""
    if source not in settings.LABEL_SOURCES:
        raise ImproperlyConfigured(f"Nothing gives the labels of {source!r}: add it to LABEL_SOURCES in the settings.")
    run: LabelRun = import_string(settings.LABEL_SOURCES[source])(args)
    return run


def run_job(progress: Progress) -> None:
    """The job "serials.labels": the PDF as its result file."""
    params = progress.params
    run = label_run(params["source"], params["args"])
    stored = files.store(run.file_name, PDF, render_pdf(_counted(run, progress), Plan(sheet=params["sheet"])))
    progress.finish({"counts": {_("Labels"): run.count}}, stored)


def _counted(run: LabelRun, progress: Progress) -> Iterator[Label]:
    for number, label in enumerate(run.labels()):
        if number % STEP == 0:
            progress.step(number, run.count)
        yield label
