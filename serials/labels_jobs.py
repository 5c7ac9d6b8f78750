"""Label files: answered at once when small, made by the job "serials.labels" when large; all go into the ledger.

For other apps. Name a source in settings.LABEL_SOURCES, name → dotted path of `source(args) -> LabelRun`, called inside
the account, which reads rows and raises DomainError where there is nothing to print. `args` is a JSON-ready dict: ids,
a filter. Then, in a view:

    return labels_jobs.respond_or_start(request, "units", {"pks": [412, 413]})

answers the file for up to AT_ONCE labels, else starts the job and redirects to its page. It raises DomainError (nothing
to print, a serial that cannot be a barcode) for the view to show. `key` makes a form that is sent twice start one job.
"""

from collections.abc import Iterable, Iterator, Mapping
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
from oms.errors import DomainError
from oms.jobs import Progress
from oms.models import Bin, Person
from oms.ui.actions import selected
from serials.labels import Format, Label, LabelRun
from serials.labels.pdf import MOST, render_pdf
from serials.labels.zpl import render_zpl
from serials.queries import prints as queries
from serials.queries.prints import Choice
from serials.queries.units import labels_of
from serials.services import prints as services

KIND = "serials.labels"
TYPES = {Format.PDF: "application/pdf", Format.ZPL: "application/zpl"}
AT_ONCE = 200
"""Up to so many labels the answer is the file itself."""
STEP = 50


def respond_or_start(
    request: AccountRequest, source: str, args: Mapping[str, Any], *, choice: Choice | None = None
) -> HttpResponseBase:
    """The file of the labels that `source` gives for `args`, or a redirect to the page of the job that makes it.

    Args:
        request: of the person who gets the file.
        source: a key of settings.LABEL_SOURCES; another raises ImproperlyConfigured.
        args: JSON-ready, for the source.
        choice: sheet, symbol, start and kind of file; without one, the account's usual.

    The same that is asked for again while its job waits or runs is that job.

    Raises DomainError where there is nothing to print, or more than a file holds: before anybody waits for it.
    """
    run = label_run(source, args)
    if run.count > MOST:
        raise DomainError(
            _("These are %(count)s labels, and one file holds %(most)s: print them in parts, such as SKU by SKU.")
            % {"count": f"{run.count:,}", "most": f"{MOST:,}"}
        )
    choice = choice or queries.usual_choice(run)
    if run.count <= AT_ONCE:
        printing = Printing(run, choice, request.user)
        response = HttpResponse(b"".join(printing.file(run.labels())), content_type=TYPES[choice.format])
        printing.record()
        response["Content-Disposition"] = f'attachment; filename="{printing.name}"'
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "private, no-store"
        return response
    job = jobs.start(
        KIND,
        run.title,
        {"source": source, "args": dict(args), **choice.params},
        person=request.user,
    )
    return redirect("job", account_slug=request.account.slug, pk=job.pk)


class Printing:
    """One file of labels and its place in the ledger: make `file`, then `record` it."""

    def __init__(self, run: LabelRun, choice: Choice, person: Person | None) -> None:
        self.run, self.choice, self.person = run, choice, person
        self.before = queries.printed_before(run)
        self.printed: list[services.Printed] = []

    @property
    def name(self) -> str:
        """What the file is called; a reprint says so."""
        stem, _dot, ending = self.run.file_name.rpartition(".")
        ending = Format.ZPL if self.choice.format == Format.ZPL else ending
        return f"{stem}{'-reprint' if self.before.count else ''}.{ending}"

    def file(self, labels: Iterable[Label]) -> Iterator[bytes]:
        """The bytes, in pieces."""
        plan = queries.plan_of(self.choice, is_reprint=bool(self.before.count))
        return (render_zpl if self.choice.format == Format.ZPL else render_pdf)(self._noted(labels), plan)

    def _noted(self, labels: Iterable[Label]) -> Iterator[Label]:
        for label in labels:
            self.printed.append((label.sku_id, label.serial, label.bin_id))
            yield label

    def record(self) -> None:
        """Into the ledger with what was printed."""
        services.record_print(
            run=self.run,
            choice=self.choice,
            printed=self.printed,
            reprints=self.before.count,
            person=self.person,
        )


def selected_labels(args: Mapping[str, Any]) -> LabelRun:
    """The label source "selected units"; `args` is a `Selection.params`."""
    return labels_of(selected(args))


def selected_bins(args: Mapping[str, Any]) -> LabelRun:
    """The label source "selected bins": of places of the stock page; `args` is a `Selection.params`."""
    return queries.labels_of_bins(Bin.objects.filter(pk__in=selected(args).order_by().values("bin")))


def label_run(source: str, args: Mapping[str, Any]) -> LabelRun:
    """What a source has to print, inside the account. Raises ImproperlyConfigured for an unknown source."""
    if source not in settings.LABEL_SOURCES:
        raise ImproperlyConfigured(f"Nothing gives the labels of {source!r}: add it to LABEL_SOURCES in the settings.")
    run: LabelRun = import_string(settings.LABEL_SOURCES[source])(args)
    return run


def run_job(progress: Progress) -> None:
    """The job "serials.labels": the file as its result."""
    params = progress.params
    run = label_run(params["source"], params["args"])
    printing = Printing(run, queries.choice_of(params), progress.person)
    labels = _counted(run, progress)
    stored = files.store(printing.name, TYPES[printing.choice.format], printing.file(labels))
    printing.record()
    counts = {_("Labels"): run.count}
    if printing.before.count:
        counts[_("Printed before")] = printing.before.count
    progress.finish({"counts": counts}, stored)


def _counted(run: LabelRun, progress: Progress) -> Iterator[Label]:
    for number, label in enumerate(run.labels()):
        if number % STEP == 0:
            progress.step(number, run.count)
        yield label
