"""Receipts: what the warehouse confirmed, with its serials and lots; settling what it left, and undoing it."""

import json
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from oms import csvio
from oms.access import AccountRequest, require_role
from oms.downloads import csv_stream
from oms.errors import DomainError
from oms.forms import ACCEPT_HINT, REFUSE_HINT, SettleForm
from oms.models import EVERYONE, OFFICE, WAREHOUSE
from replenishment import queries
from replenishment.forms import ReasonForm
from replenishment.models import Receipt, Replenishment
from replenishment.services import accepting, undoing
from replenishment.views.documents import address, around

SHOWN = 500
"""How many serials the page lists."""
NAMED = 10
"""How many serials that may be none "Accept all" names."""
RAW_SHOWN = 50_000
"""How many characters of the raw fact it shows."""


@require_safe
@require_role(EVERYONE)
def receipt(request: AccountRequest, pk: int) -> HttpResponse:
    """One receipt, line by line: lots, serials with what they meant, what waits, and the fact as it came."""
    rows = Receipt.objects.select_related("replenishment", "actor", "undone_by")
    row = get_object_or_404(rows, pk=pk)
    serials = list(queries.received_serials(row)[: SHOWN + 1])
    raw = json.dumps(row.raw, indent=2, ensure_ascii=False, sort_keys=True) if row.raw else ""
    context = {
        **_head(request, row),
        "page_title": _("Receipt %(receipt)s") % {"receipt": row},
        "facts": _facts(row),
        "history": None,
        "lines": queries.receipt_lines(row),
        "cases": queries.cases_of(row)[:50],
        "serials": serials[:SHOWN],
        "has_more": len(serials) > SHOWN,
        "has_lots": any(serial.lot_id for serial in serials),
        "raw": raw[:RAW_SHOWN],
        "is_raw_cut": len(raw) > RAW_SHOWN,
        "secondary_actions": _actions(request, row),
        "export_url": address(request, "replenishment_receipt_serials", pk=pk) if serials else "",
    }
    return render(request, "replenishment/receipt.html", context)


@require_safe
@require_role(EVERYONE)
def receipt_serials(request: AccountRequest, pk: int) -> HttpResponseBase:
    """All serials of a receipt as a CSV file."""
    row = get_object_or_404(Receipt.objects.select_related("replenishment").defer("raw"), pk=pk)
    header = [_("SKU"), _("Serial"), _("BIN"), _("Meaning")]
    name = f"lotline-{row.replenishment.number}-receipt-{row.pk}-serials.csv"
    return csv_stream(request, name, lambda: csvio.write(queries.received_file(row), header))


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(WAREHOUSE)
def undo(request: AccountRequest, pk: int) -> HttpResponse:
    """Take back a receipt that was entered by mistake, with a reason."""
    row = get_object_or_404(Receipt.objects.select_related("replenishment").defer("raw"), pk=pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            undoing.undo(receipt_id=pk, reason=form.cleaned_data["reason"], actor=request.user)
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The receipt is undone."))
            return redirect("replenishment_receipt", account_slug=request.account.slug, pk=pk)
    context = {
        **_head(request, row),
        "page_title": _("Undo this receipt"),
        "intro": _(
            "Its planned serials are expected again, others become void, and pieces leave the bins they were put in. "
            "If anything happened to one of them since, nothing is changed."
        ),
        "form": form,
        "submit_label": _("Undo this receipt"),
        "submit_tone": "danger",
        "cancel_url": address(request, "replenishment_receipt", pk=pk),
    }
    return render(request, "ui/form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def accept_all(request: AccountRequest, pk: int) -> HttpResponse:
    """Accept with one reason what waits on a replenishment and can be accepted."""
    intro = _(
        "What arrived although it was not expected is received after all. What cannot be accepted stays. A serial "
        "that came in several receipts is received once; its other discrepancies stay, for somebody to look at it."
    )
    words = {
        "page_title": _("Accept all"),
        "intro": " ".join([intro, *_may_be_none(get_object_or_404(Replenishment, pk=pk))]),
        "hint": ACCEPT_HINT,
    }
    return _settle(request, pk, words, is_accepted=True)


def _may_be_none(found: Replenishment) -> list[str]:
    """A sentence about the serials that may be none."""
    serials = accepting.doubtful(found)
    text = ngettext(
        "%(count)s looks like no serial, and would be one unit all the same: %(serials)s.",
        "%(count)s look like no serials, and would be one unit each all the same: %(serials)s.",
        len(serials),
    )
    named = ", ".join(serials[:NAMED]) + ("…" if len(serials) > NAMED else "")
    return [text % {"count": f"{len(serials):,}", "serials": named}] if serials else []


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def refuse_all(request: AccountRequest, pk: int) -> HttpResponse:
    """Settle with one reason all that waits on a replenishment, without receiving any of it."""
    words = {
        "page_title": _("Refuse all"),
        "intro": _("Nothing of it is received; what was applied stays. The facts are kept as they came."),
        "hint": REFUSE_HINT,
    }
    return _settle(request, pk, words, is_accepted=False)


def _settle(request: AccountRequest, pk: int, words: dict[str, Any], *, is_accepted: bool) -> HttpResponse:
    found = get_object_or_404(Replenishment, pk=pk)
    form = SettleForm(request.POST or None, hint=words["hint"])
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            count = accepting.settle_many(
                replenishment_id=pk, reason=reason, actor=request.user, is_accepted=is_accepted
            )
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            text = ngettext("%(count)s discrepancy is settled.", "%(count)s discrepancies are settled.", count)
            messages.success(request, " ".join([text % {"count": f"{count:,}"}, *_left(found)]))
            return redirect("replenishment", account_slug=request.account.slug, pk=pk)
    own = {"cancel_url": address(request, "replenishment", pk=pk), "form": form, "submit_label": words["page_title"]}
    return render(
        request, "ui/form.html", {**around(request, found), **words, **own}, status=422 if form.errors else 200
    )


def _left(found: Replenishment) -> list[str]:
    """A sentence about what is still open after settling, if anything is."""
    count = queries.open_discrepancies(found).count()
    text = ngettext("%(count)s stays open.", "%(count)s stay open.", count)
    return [text % {"count": f"{count:,}"}] if count else []


def _head(request: AccountRequest, row: Receipt) -> dict[str, Any]:
    return {
        **around(request, row.replenishment),
        "section_label": row.replenishment.number,
        "section_url": address(request, "replenishment", pk=row.replenishment_id),
        "page_icon": "inbox",
        "receipt": row,
    }


def _facts(row: Receipt) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"label": _("Applied"), "value": f"{row.quantity:,}"},
        {"label": _("Received at"), "value": f"{timezone.localtime(row.occurred_at):%Y-%m-%d %H:%M}"},
        {"label": _("By"), "value": row.actor or _("the warehouse system")},
        {"label": _("Fact"), "value": row.source, "is_mono": True},
    ]
    if row.undone_at:
        found += [
            {"label": _("Undone by"), "value": row.undone_by},
            {"label": _("Reason"), "value": row.undo_reason},
        ]
    return found


def _actions(request: AccountRequest, row: Receipt) -> list[dict[str, Any]]:
    if request.membership.role not in WAREHOUSE or not undoing.may_undo(row):
        return []
    url = address(request, "replenishment_receipt_undo", pk=row.pk)
    return [{"label": _("Undo this receipt"), "icon": "x", "url": url, "is_dialog": True}]
