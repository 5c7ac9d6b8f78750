"""Serials before Submit: Generate Serials and its popup, downloads, labels, typed serials."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from oms.access import AccountRequest, require_role
from oms.downloads import csv_stream
from oms.errors import DomainError
from oms.models import EVERYONE, OFFICE
from oms.numbers import whole_number
from oms.queries.scans import Expected, SerialJudge
from oms.scanning import Entry, Inquiry, answers_of, refused_words
from replenishment import queries
from replenishment.forms import SerialsForm
from replenishment.label_runs import file_stem
from replenishment.lifecycle import Status
from replenishment.models import PlannedSerial, Replenishment, ReplenishmentLine
from replenishment.planned_lots import serial_rows
from replenishment.services import planning, work
from replenishment.services.generation_job import serials_file
from replenishment.services.lookalikes import look_alikes
from replenishment.views.documents import address, around
from serials import labels_jobs
from serials.queries.schemes import low_schemes, low_words, schemes_of
from serials.views.labels import print_dialog

AT_ONCE = 5_000
"""Up to so many serials are generated while the page waits."""
NAMED = 50
"""How many look-alikes it names."""
MOST_WRITTEN_OUT = 50_000
"""Serials that ranges may mean at once."""
SHOWN = 500
"""How many serials of a line its page lists."""


@require_POST
@require_role(OFFICE)
def generate(request: AccountRequest, pk: int) -> HttpResponse:
    """Generate Serials for the checked lines; many by a job."""
    found = get_object_or_404(Replenishment, pk=pk)
    ids = _numbers(request, "line")
    total = sum(ReplenishmentLine.objects.filter(replenishment=found, pk__in=ids).values_list("quantity", flat=True))
    try:
        if total > AT_ONCE:
            return redirect("job", account_slug=request.account.slug, pk=_start_job(request, found, ids, total).pk)
        count = planning.generate_serials(replenishment_id=pk, line_ids=ids, actor=request.user)
    except DomainError as error:
        context = {
            **around(request, found),
            "page_title": _("Alert"),
            "text": str(error),
            "back_url": address(request, "replenishment", pk=pk),
        }
        return render(request, "ui/alert.html", context, status=422)
    text = ngettext("%(count)s serial is generated.", "%(count)s serials are generated.", count)
    messages.success(request, text % {"count": f"{count:,}"})
    if low := low_words(low_schemes()):
        messages.warning(request, low)
    return redirect(f"{address(request, 'replenishment', pk=pk)}?generated=1")


def _start_job(request: AccountRequest, found: Replenishment, ids: list[int], total: int) -> Any:
    """The job; the same form sent twice starts one, because the replenishment's version is part of its key."""
    return work.start(
        "replenishment.generate",
        _("Serials of %(number)s") % {"number": found.number},
        {"replenishment_id": found.pk, "line_ids": ids, "total": total, "schemes": _schemes(found, ids)},
        replenishment_id=found.pk,
        person=request.user,
        idempotency_key=f"replenishment.generate:{found.pk}:{found.version}:{request.user.pk}:{hash(tuple(ids))}",
    )


def _schemes(found: Replenishment, ids: list[int]) -> dict[int, int | None]:
    """SKU → the scheme that its numbers are to come from, as it is now that somebody asks for them."""
    lines = ReplenishmentLine.objects.filter(replenishment=found, pk__in=ids)
    return schemes_of(list(lines.values_list("sku_id", flat=True)))


@require_safe
@require_role(EVERYONE)
def generated(request: AccountRequest, pk: int) -> HttpResponse:
    """The popup: download all serials or those of one SKU, labels for all or for one SKU."""
    return _popup(request, get_object_or_404(Replenishment, pk=pk))


def _popup(
    request: AccountRequest, found: Replenishment, *, fault: str = "", sku_id: int | None = None
) -> HttpResponse:
    """The popup, with why labels (of one SKU) could not be printed."""
    context = {
        **around(request, found),
        "page_title": _("Serials of %(number)s") % {"number": found.number},
        "found": found,
        "skus": queries.planned_skus(found),
        "fault": fault,
        "fault_sku": sku_id,
    }
    return render(request, "replenishment/generated.html", context, status=422 if fault else 200)


@require_safe
@require_role(EVERYONE)
def download(request: AccountRequest, pk: int) -> HttpResponseBase:
    """All serials, or those of one SKU (?sku=), as a CSV file: SKU, Serial, and Lot where it is known."""
    found, sku_id = _chosen(request, pk)
    name = f"{file_stem(found, sku_id)}-serials.csv"
    return csv_stream(request, name, lambda: serials_file(serial_rows(found, sku_id)))


@require_POST
@require_role(EVERYONE)
def labels(request: AccountRequest, pk: int) -> HttpResponseBase:
    """Print the labels of all serials, or of one SKU (?sku=): a PDF, or the job that makes it."""
    found, sku_id = _chosen(request, pk)
    try:
        return labels_jobs.respond_or_start(request, "replenishment", {"replenishment_id": pk, "sku_id": sku_id})
    except DomainError as error:
        return _popup(request, found, fault=str(error), sku_id=sku_id)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(EVERYONE)
def label_options(request: AccountRequest, pk: int) -> HttpResponseBase:
    """The dialog that prints labels of all serials, or of one SKU (?sku=), otherwise than usual."""
    _found, sku_id = _chosen(request, pk)
    back = address(request, "replenishment_generated", pk=pk)
    try:
        return print_dialog(request, "replenishment", {"replenishment_id": pk, "sku_id": sku_id}, back=back)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("replenishment", account_slug=request.account.slug, pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(EVERYONE, write=OFFICE)
def line_serials(request: AccountRequest, pk: int) -> HttpResponse:
    """The serials of one line: type, paste or scan more, take some away."""
    row = get_object_or_404(ReplenishmentLine.objects.select_related("sku", "replenishment"), pk=pk)
    is_removal = "remove" in request.POST or "remove_all" in request.POST
    form = SerialsForm(None if is_removal else request.POST or None)
    faults: list[planning.SerialFault] = []
    inquiry: Inquiry | None = None
    if is_removal:
        _remove(request, row)
        return redirect("replenishment_line_serials", account_slug=request.account.slug, pk=pk)
    if request.method == "POST" and form.is_valid():
        inquiry = _ask(request, row, form)
        if not form.errors and not inquiry.is_open:
            faults = _add(request, row, form, inquiry)
            if not form.errors:
                return redirect("replenishment_line_serials", account_slug=request.account.slug, pk=pk)
    context = {**_line_context(request, row, form, faults), "inquiry": inquiry}
    is_open = bool(form.errors or inquiry)  # a page without a fault or a question has led on
    return render(request, "replenishment/line_serials.html", context, status=422 if is_open else 200)


def _ask(request: AccountRequest, row: ReplenishmentLine, form: SerialsForm) -> Inquiry:
    """What the entered texts are, and what somebody still has to say about them."""
    texts = [Entry(text, row.pk) for text in form.cleaned_data["serials"]]
    room = max(0, row.quantity - planning.planned_counts([row])[row.pk])
    judge = SerialJudge({row.pk: Expected(row.sku)})
    inquiry = Inquiry(texts, judge, answers_of(request.POST), most=min(room, MOST_WRITTEN_OUT))
    for words in refused_words([refused for _place, refused in inquiry.refused]):
        form.add_error("serials", words)
    if inquiry.is_unanswered:
        form.add_error(None, _("Say what they are: choose one."))
    return inquiry


def _add(
    request: AccountRequest, row: ReplenishmentLine, form: SerialsForm, inquiry: Inquiry
) -> list[planning.SerialFault]:
    if not inquiry.taken:
        form.add_error("serials", _("All of it is left out: type or paste at least one serial."))
        return []
    try:
        serials = [each.text for _place, each in inquiry.taken]
        count = planning.add_serials(line_id=row.pk, serials=serials, actor=request.user)
    except planning.BadSerials as error:
        form.add_error("serials", str(error))
        return error.faults[:SHOWN]
    except DomainError as error:
        form.add_error("serials", str(error))
        return []
    text = ngettext("%(count)s serial is added.", "%(count)s serials are added.", count)
    messages.success(request, text % {"count": f"{count:,}"})
    return []


def _remove(request: AccountRequest, row: ReplenishmentLine) -> None:
    chosen = None if "remove_all" in request.POST else _numbers(request, "serial")
    try:
        count = planning.remove_serials(line_id=row.pk, planned_ids=chosen, actor=request.user)
    except DomainError as error:
        messages.error(request, str(error))
        return
    text = ngettext("%(count)s serial is removed.", "%(count)s serials are removed.", count)
    messages.success(request, text % {"count": f"{count:,}"})


def _line_context(
    request: AccountRequest, row: ReplenishmentLine, form: SerialsForm, faults: list[planning.SerialFault]
) -> dict[str, Any]:
    found = row.replenishment
    planned = PlannedSerial.objects.filter(line=row, state__in=queries.LIVE)
    count = planned.count()
    own_url = address(request, "replenishment", pk=found.pk)
    return {
        **around(request, found),
        "section_label": found.number,
        "section_url": own_url,
        "page_title": _("Serials of line %(line)s, %(sku)s") % {"line": row.position, "sku": row.sku.code},
        "page_icon": "barcode",
        "found": found,
        "line": row,
        "view": queries.LineView(row, count, is_draft=found.status == Status.INCOMPLETE),
        "serials": planned.order_by("pk")[:SHOWN],
        "form": form,
        "faults": faults,
        **_alike(row),
        "may_edit": request.membership.role in OFFICE and found.status == Status.INCOMPLETE,
        "cancel_url": own_url,
    }


def _alike(row: ReplenishmentLine) -> dict[str, Any]:
    """The typed serials that look like others, while they can still be changed."""
    found = look_alikes(row) if row.replenishment.status == Status.INCOMPLETE else []
    return {"alike": found[:NAMED], "alike_more": len(found) - NAMED if len(found) > NAMED else 0}


def _chosen(request: AccountRequest, pk: int) -> tuple[Replenishment, int | None]:
    """The replenishment, and the SKU that the address names; 404 for one that is not on it."""
    found = get_object_or_404(Replenishment, pk=pk)
    text = request.GET.get("sku", "")
    if not text:
        return found, None
    sku_id = whole_number(text) or 0
    if not ReplenishmentLine.objects.filter(replenishment=found, sku=sku_id).exists():
        raise Http404
    return found, sku_id


def _numbers(request: AccountRequest, name: str) -> list[int]:
    texts = request.POST.getlist(name)[:10_000]
    return [number for text in texts if (number := whole_number(text)) is not None]
