"""Receive: the warehouse enters what arrived, line by line, or all of it as expected."""

from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from oms.access import AccountRequest, require_role
from oms.errors import DomainError
from oms.models import WAREHOUSE
from oms.numbers import whole_number
from oms.scanning import Given, answers_of, gtin_of
from replenishment import queries
from replenishment.entry_forms import AllForm, Entries, EntryForm, ask
from replenishment.lifecycle import Status, Step, may
from replenishment.models import MOST_LOTS, Receipt, Replenishment, ReplenishmentLine
from replenishment.receiving import IncomingLine, with_scanned
from replenishment.services import by_hand
from replenishment.views.documents import address, around

LINES = 20
"""How many lines one page takes."""
MORE_LOTS = 3
SHOWN_NOTES = 20


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(WAREHOUSE)
def receive(request: AccountRequest, pk: int) -> HttpResponse:
    """What arrived on each line: quantity, bin, lots and serials, checked while they are typed."""
    found = get_object_or_404(queries.documents(), pk=pk)
    if why := _why_not(found):
        return render(request, "replenishment/receive_off.html", {**_head(request, found), "why": why}, status=200)
    page = _lines(request, found)
    data = _filled(request, found, page) if request.method == "POST" else None
    entries = Entries([_entry(request, line, data) for line in page], found.link_id, answers_of(request.POST))
    context = {**_head(request, found), "page": page, "entries": entries, "key": uuid4().hex}
    if data is None or _only_fills(request):
        return render(request, "replenishment/receive.html", _drawn(context, found))
    context |= {"is_bad": True, "key": _key(data)}
    made = _send(request, context, found) if entries.is_valid() else None
    if made is not None:
        return _done(request, made)
    return render(request, "replenishment/receive.html", _drawn(context, found), status=422)


def _send(request: AccountRequest, context: dict[str, Any], found: Replenishment) -> Receipt | None:
    """The receipt of a valid page; None where the person is asked first or told why not: see the context then."""
    lines, key = context["entries"].lines(), context["key"]
    try:
        known = by_hand.sent_before(found, lines, key)
        if known is None:
            _ask_first(request, context, found, lines)
        if "asked" not in context:
            return known or by_hand.receive(replenishment_id=found.pk, lines=lines, key=key, actor=request.user)
    except by_hand.AlreadySent as error:
        context |= {"fault": str(error), "sent": error.receipt, "key": uuid4().hex}
    except DomainError as error:
        context["fault"] = str(error)
    return None


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(WAREHOUSE)
def receive_all(request: AccountRequest, pk: int) -> HttpResponse:
    """One question: did all that is missing arrive, just as it was planned?"""
    found = get_object_or_404(queries.documents(), pk=pk)
    form = AllForm(request.POST or None, link_id=found.link_id, initial={"key": uuid4().hex})
    notes, asked = _notes(found)
    if request.method == "POST" and form.is_valid() and (made := _send_all(request, form, found, asked)):
        return _done(request, made)
    context = {
        **_head(request, found),
        "page_title": _("Receive all as expected"),
        "intro": _("Everything that is missing is received as it was planned: its serials, lots and quantities."),
        "form": form,
        "notes": notes,
        "asked": asked,
        "submit_label": _("Receive all"),
        "cancel_url": address(request, "replenishment", pk=pk),
    }
    return render(request, "replenishment/receive_all.html", context, status=422 if form.errors else 200)


def _send_all(request: AccountRequest, form: AllForm, found: Replenishment, asked: str) -> Receipt | None:
    """The receipt of all that is missing; None where the person is asked first or told why not: see the form then."""
    if asked and request.POST.get("sure") != asked:
        form.add_error(None, _("Nothing is received yet. Look at this first, then receive all."))
        return None
    key, name = f"all-{form.cleaned_data['key']}", form.cleaned_data["bin"]
    try:
        return by_hand.receive_expected(replenishment_id=found.pk, key=key, actor=request.user, bin_name=name)
    except DomainError as error:
        form.add_error(None, str(error))
        return None


def _notes(found: Replenishment) -> tuple[list[str], str]:
    """What should be looked at before all of it is received as it was planned, and what names just that; both empty
    where there is nothing.
    """
    try:
        lines = by_hand.as_expected(found)
        checks = by_hand.look_at(found, lines)
    except DomainError:  # told when it is asked for
        return [], ""
    lotless = sum(check.lotless for check in checks)
    text = ngettext(
        "%(count)s serial gets no lot, because its line has several: receive that line by itself to say which.",
        "%(count)s serials get no lot, because their lines have several: receive those by themselves to say which.",
        lotless,
    )
    notes = [said for check in checks for said in (*check.questions, *check.doubts)]
    notes = [*notes[:SHOWN_NOTES], *([text % {"count": f"{lotless:,}"}] if lotless else [])]
    return notes, by_hand.digest(lines, checks) if notes else ""


@require_POST
@require_role(WAREHOUSE)
def check(request: AccountRequest, pk: int) -> HttpResponse:
    """What the serials of one line mean, asked while they are typed."""
    line = get_object_or_404(ReplenishmentLine.objects.select_related("sku", "replenishment"), pk=pk)
    form = EntryForm(request.POST, line=line)
    form.is_valid()
    inquiry = ask([form], Given())
    context = {
        "check": by_hand.look_at(line.replenishment, [form.incoming({})])[0] if form.units else None,
        "line": line,
        "errors": [error for name, faults in form.errors.items() if name.endswith("serials") for error in faults],
        "questions": inquiry.questions,
        "lots": with_scanned((), form.lots_scanned, form.received),
    }
    return render(request, "replenishment/_check.html", context)


def _why_not(found: Replenishment) -> str:
    """Why nothing can be received here; empty where it can."""
    try:
        by_hand.refuse_other_system(found)
    except by_hand.RunElsewhere as error:
        return str(error)
    if may(Step.RECEIVE, found.status):
        return ""
    words = {"number": found.number, "status": Status(found.status).label}
    return _("%(number)s is %(status)s: nothing can be received for it.") % words


def _lines(request: AccountRequest, found: Replenishment) -> Page[ReplenishmentLine]:
    rows = ReplenishmentLine.objects.filter(replenishment=found).select_related("sku").prefetch_related("lots")
    rows = rows.order_by("position")
    if text := request.GET.get("sku", "").replace("\0", "").strip()[:200]:
        gtin = gtin_of(text).lstrip("0")
        named = Q(sku__code__icontains=text)
        rows = rows.filter(named | Q(sku__gtin__endswith=gtin) if gtin else named)
    return Paginator(rows, LINES).get_page(request.GET.get("page"))


def _entry(request: AccountRequest, line: ReplenishmentLine, data: QueryDict | None) -> EntryForm:
    return EntryForm(data, line=line, check_url=address(request, "replenishment_check", pk=line.pk))


def _only_fills(request: AccountRequest) -> bool:
    """Whether a button was used that changes the form and sends nothing."""
    return "fill" in request.POST or "more" in request.POST


def _filled(request: AccountRequest, found: Replenishment, page: Page[ReplenishmentLine]) -> QueryDict:
    """What was sent; with a line as it was planned, or with more rows for lots, where a button asked for that."""
    data = request.POST.copy()
    for line in page:
        if data.get("fill") == str(line.pk):
            due = by_hand.outstanding(found, [line.pk]).get(line.pk, by_hand.Outstanding())
            missing = max(0, line.quantity - line.received_quantity)
            data[f"line{line.pk}-quantity"] = str(len(due.first) if due.count else missing)
            data[f"line{line.pk}-serials"] = "\n".join(due.first)
        if data.get("more") == str(line.pk):
            rows = whole_number(data.get(f"line{line.pk}-lots"), most_digits=9) or 1
            data[f"line{line.pk}-lots"] = str(min(rows + MORE_LOTS, MOST_LOTS))
    return data


def _ask_first(
    request: AccountRequest, context: dict[str, Any], found: Replenishment, lines: list[IncomingLine]
) -> None:
    """Ask about what is not as expected, unless just that was shown before: the checks by line, and their digest."""
    checks = by_hand.look_at(found, lines)
    asked = by_hand.digest(lines, checks)
    if any(check.asked for check in checks) and request.POST.get("sure") != asked:
        shown = {line.position: check for line, check in zip(lines, checks, strict=True)}
        context |= {"asked": asked, "checks": shown, "waits": sum(check.waiting for check in checks)}


def _key(data: QueryDict) -> str:
    """The form's own key; a form without one is new each time."""
    key: str = data.get("key", "")
    return key if key.isascii() and key.isalnum() and len(key) <= 40 else uuid4().hex


def _done(request: AccountRequest, made: Receipt) -> HttpResponse:
    text = ngettext("%(count)s unit is received.", "%(count)s units are received.", made.quantity)
    messages.success(request, text % {"count": f"{made.quantity:,}"})
    return redirect("replenishment_receipt", account_slug=request.account.slug, pk=made.pk)


def _head(request: AccountRequest, found: Replenishment) -> dict[str, Any]:
    return {
        **around(request, found),
        "section_label": found.number,
        "section_url": address(request, "replenishment", pk=found.pk),
        "page_title": _("Receive %(number)s") % {"number": found.number},
        "page_icon": "inbox",
        "found": found,
        "arrived": queries.arrived(found),
        "bins": queries.bin_names(found.link_id),
    }


def _drawn(context: dict[str, Any], found: Replenishment) -> dict[str, Any]:
    """The context with what the page shows of each line."""
    due = by_hand.outstanding(found, [form.line.pk for form in context["entries"].forms], most=1)
    checks = context.get("checks", {})
    rows = [
        {
            "form": form,
            "line": form.line,
            "missing": max(0, form.line.quantity - form.line.received_quantity),
            "planned": due.get(form.line.pk, by_hand.Outstanding()).count,
            "check": checks.get(form.line.position),
        }
        for form in context["entries"].forms
    ]
    return {**context, "rows": rows}
