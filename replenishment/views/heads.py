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


@require_http_methods(["GET", "POST"])
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
    differences: list[dict[str, Any]] = []
    version = posted_version(request) if request.method == "POST" else found.version
    if request.method == "POST" and form.is_valid():
        try:
            services.change_head(replenishment_id=pk, version=version, values=form.cleaned_data, actor=request.user)
        except Conflict as error:
            found = queries.documents().get(pk=pk)
            form.add_error(None, str(error))
            version, differences = found.version, _differences(found, form)
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Saved."))
            return redirect("replenishment", account_slug=request.account.slug, pk=pk)
    context = {
        **around(request, found),
        "page_title": _("Edit details"),
        "form": form,
        "version": version,
        "differences": differences,
        "is_submitted": not may(Step.CHANGE, found.status),
        "submit_label": _("Save"),
        "cancel_url": address(request, "replenishment", pk=pk),
    }
    return render(request, "replenishment/edit.html", context, status=422 if form.errors else 200)


@require_POST
@require_role(OFFICE)
def duplicate(request: AccountRequest, pk: int) -> HttpResponse:
    """Another one of the same goods, Incomplete."""
    found = get_object_or_404(Replenishment, pk=pk)
    made = services.duplicate(replenishment_id=found.pk, actor=request.user)
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
