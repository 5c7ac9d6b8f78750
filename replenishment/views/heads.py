"""Changing what a replenishment says about itself, and making another one like it."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from oms.access import AccountRequest, require_role
from oms.errors import Conflict, DomainError
from oms.models import OFFICE
from replenishment import queries
from replenishment.forms import HeadForm, TransportForm
from replenishment.lifecycle import Status, Step, may
from replenishment.models import Replenishment
from replenishment.services import heads as services
from replenishment.views.documents import address, around, posted_version
from replenishment.views.once import made_once


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def edit(request: AccountRequest, pk: int) -> HttpResponse:
    """The head of a replenishment; of a submitted one, expected date, tracking and notes."""
    found = get_object_or_404(queries.documents(), pk=pk)
    if not may(Step.DESCRIBE, found.status):
        words = {"number": found.number, "status": Status(found.status).label}
        messages.error(request, _("%(number)s is %(status)s and does not change any more.") % words)
        return redirect("replenishment", account_slug=request.account.slug, pk=pk)
    kind = HeadForm if may(Step.CHANGE, found.status) else TransportForm
    form = kind(request.POST or None, initial=_initial(found))
    is_conflict = False
    if request.method == "POST" and form.is_valid():
        try:
            services.change_head(
                replenishment_id=pk, version=posted_version(request), values=form.cleaned_data, actor=request.user
            )
        except DomainError as error:
            form.add_error(None, str(error))
            is_conflict = isinstance(error, Conflict)
        else:
            messages.success(request, _("Saved."))
            return redirect("replenishment", account_slug=request.account.slug, pk=pk)
    context = _context(request, pk, form, is_conflict=is_conflict)
    return render(request, "replenishment/edit.html", context, status=422 if form.errors else 200)


def _context(request: AccountRequest, pk: int, form: TransportForm, *, is_conflict: bool) -> dict[str, Any]:
    """Who is told of a conflict has seen what is saved now: saving again is their decision."""
    found = queries.documents().get(pk=pk)
    is_first = request.method != "POST" or is_conflict
    return {
        **around(request, found),
        "page_title": _("Edit details"),
        "form": form,
        "version": found.version if is_first else posted_version(request),
        "differences": _differences(found, form) if is_conflict else [],
        "is_submitted": not may(Step.CHANGE, found.status),
        "submit_label": _("Save"),
        "cancel_url": address(request, "replenishment", pk=pk),
    }


@require_POST
@require_role(OFFICE)
def duplicate(request: AccountRequest, pk: int) -> HttpResponse:
    """Another one of the same goods, Incomplete; one for each page (?key=) that asks."""
    found = get_object_or_404(Replenishment, pk=pk)
    made = made_once(
        request,
        key=request.GET.get("key", ""),
        title=_("Duplicate %(number)s") % {"number": found.number},
        make=lambda: services.duplicate(replenishment_id=pk, actor=request.user),
    )
    words = {"number": made.number, "other": found.number}
    text = _("%(number)s has the lines of %(other)s. It is Incomplete; serials, lots and dates are not taken over.")
    messages.success(request, text % words)
    return redirect("replenishment", account_slug=request.account.slug, pk=made.pk)


def _initial(found: Replenishment) -> dict[str, Any]:
    return {name: getattr(found, name) for name in (*services.ORDERED, *services.TRANSPORT)}


def _differences(found: Replenishment, form: TransportForm) -> list[dict[str, Any]]:
    """Field by field what it is now beside what was typed."""
    return [
        {"label": form.fields[name].label, "now": getattr(found, name), "typed": typed}
        for name, typed in form.cleaned_data.items()
        if getattr(found, name) != typed
    ]
