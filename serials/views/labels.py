"""Print labels: one dialog, wherever labels are asked for, with a picture of the first page."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import Form
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_POST

from oms.access import AccountRequest, require_role
from oms.errors import DomainError
from oms.models import EVERYONE
from oms.ui.actions import refusal, selection
from serials import labels_jobs
from serials.forms.labels import PrintLabelsForm
from serials.labels import SHEETS, LabelRun
from serials.labels.picture import page_picture
from serials.queries import prints as queries
from serials.queries.prints import Choice
from serials.views.stock import StockList


def print_dialog(
    request: AccountRequest,
    source: str,
    args: Mapping[str, Any],
    *,
    back: str,
    fields: Iterable[tuple[str, str]] = (),
) -> HttpResponseBase:
    """The dialog, its preview, or the labels: what a view answers that lets people print.

    Args:
        request: a POST with `do` = print or preview, or anything else for the dialog.
        source: a key of settings.LABEL_SOURCES.
        args: for the source.
        back: the address to go back to.
        fields: hidden fields that say `args` again.

    Raises DomainError where there is nothing to print.
    """
    run = labels_jobs.label_run(source, args)
    is_sent = "sheet" in request.POST
    form = PrintLabelsForm(request.POST if is_sent else None, run=run)
    if request.POST.get("do") == "print" and form.is_valid():
        try:
            return labels_jobs.respond_or_start(request, source, args, choice=form.choice)
        except DomainError as error:
            form.add_error(None, str(error))
    context = _preview(run, form)
    if request.htmx and request.POST.get("do") == "preview":
        return _varying(render(request, "serials/_label_preview.html", context))
    context |= _around(run, back) | {"form": form, "fields": [*fields, ("next", back)]}
    is_bad = is_sent and bool(form.errors)
    return _varying(render(request, "serials/print_labels.html", context, status=422 if is_bad else 200))


def _varying(answer: HttpResponse) -> HttpResponse:
    patch_vary_headers(answer, ["HX-Request"])
    return answer


def _around(run: LabelRun, back: str) -> dict[str, Any]:
    """What the dialog says whatever is chosen."""
    return {
        "page_title": _("Print labels"),
        "page_icon": "printer",
        "section_label": run.title,
        "section_url": back,
        "submit_label": _("Print"),
        "failed_title": _("Nothing is printed yet. Please correct:"),
        "native": True,
        "wide": True,
        "cancel_url": back,
        "before": queries.printed_before(run),
        "run": run,
    }


def _preview(run: LabelRun, form: PrintLabelsForm) -> dict[str, Any]:
    """The picture of the first page, or why there is none."""
    if form.is_bound and not form.is_valid():
        return {"preview_faults": faults_in_words(form)}
    choice = form.choice
    sheet = SHEETS[choice.sheet]
    try:
        labels = islice(run.labels(), sheet.per_page - choice.start + 1)
        picture = page_picture(labels, queries.plan_of(choice))
    except DomainError as error:
        return {"preview_faults": [str(error)]}
    return {
        "preview": f"data:image/png;base64,{b64encode(picture).decode()}",
        "preview_words": _pages(run, choice),
        "preview_is_roll": sheet.is_roll,
        "sheet_name": sheet.name,
    }


def faults_in_words(form: Form) -> list[str]:
    """What is wrong with a form where its fields are out of sight: each fault under the name of its field."""
    words = _("%(field)s: %(fault)s")
    return [
        str(fault) if name == NON_FIELD_ERRORS else words % {"field": form.fields[name].label, "fault": fault}
        for name, faults in form.errors.items()
        for fault in faults
    ]


def _pages(run: LabelRun, choice: Choice) -> str:
    """How much paper it takes."""
    sheet = SHEETS[choice.sheet]
    count = -(-(run.count + choice.start - 1) // sheet.per_page)
    labels = ngettext("%(count)s label", "%(count)s labels", run.count) % {"count": f"{run.count:,}"}
    if sheet.is_roll:
        return labels
    pages = ngettext("%(count)s sheet", "%(count)s sheets", count) % {"count": f"{count:,}"}
    return _("%(labels)s on %(pages)s") % {"labels": labels, "pages": pages}


@require_POST
@require_role(EVERYONE)
def bins(request: AccountRequest) -> HttpResponseBase:
    """Labels of the bins of the places that are checked on the stock page."""
    home = reverse("stock", kwargs={"account_slug": request.account.slug})
    try:
        places = selection(request, StockList, home)
        return print_dialog(request, "selected bins", places.params, back=home, fields=places.fields)
    except DomainError as error:
        return refusal(request, error, section=_("Stock"), url=home)
