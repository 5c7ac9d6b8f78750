"""What people write on one unit: its OMS Notes and its attributes."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from oms.access import AccountRequest, require_role
from oms.errors import DomainError
from oms.models import EVERYONE, OFFICE
from serials.forms import AttributeFormSet, NotesForm
from serials.models import Unit
from serials.services import attributes as services, notes
from serials.services.attributes import by_person
from serials.views.around import around, back_url


@require_http_methods(["GET", "POST"])
@require_role(OFFICE)
def oms_notes(request: AccountRequest, pk: int) -> HttpResponse:
    """The Update dialog of a unit's OMS Notes."""
    unit = get_object_or_404(Unit, pk=pk)
    seen = notes.fingerprint(unit.oms_notes)
    form = NotesForm(request.POST or None, initial={"oms_notes": unit.oms_notes})
    if request.method == "POST" and form.is_valid():
        given, was = form.cleaned_data["oms_notes"], request.POST.get("seen", "")
        try:
            notes.set_oms_notes(unit_id=pk, notes=given, seen=was, by=by_person(request.user.pk))
        except DomainError as error:
            form.add_error(None, f"{_('Please try again..')} {error}")
        else:
            messages.success(request, _("OMS Notes of %(serial)s are saved.") % {"serial": unit.serial})
            return redirect(back_url(request))
    context = {
        **around(request),
        "page_title": _("Update"),
        "page_icon": "pencil",
        "form": form,
        "unit": unit,
        # After a conflict they have seen what is there now: sending their text again is their decision.
        "fields": [("next", back_url(request)), ("seen", seen)],
        "submit_label": _("Update"),
        "failed_text": _("Please try again.."),
        "cancel_url": back_url(request),
    }
    return render(request, "serials/notes.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@require_role(EVERYONE, write=OFFICE)
def attributes(request: AccountRequest, pk: int) -> HttpResponse:
    """The attributes of one unit: seen by everyone, changed by the office."""
    unit = get_object_or_404(Unit, pk=pk)
    known = services.attributes_of(pk)
    initial = [{"name": name, "value": value} for name, value in known.items()]
    formset = AttributeFormSet(request.POST or None, initial=initial, prefix="a")
    faults: list[str] = []
    if request.method == "POST" and formset.is_valid():
        try:
            messages.success(request, _save(request, unit, formset))
            return redirect(back_url(request))
        except DomainError as error:
            faults = [str(error)]
    context = {
        **around(request),
        "page_title": _("Attributes of %(serial)s") % {"serial": unit.serial},
        "page_icon": "tag",
        "known": known,
        "formset": formset,
        "faults": faults or _faults(formset),
        "may_edit": request.membership.role in OFFICE,
        "fields": [("next", back_url(request)), ("seen", services.fingerprint(known))],
        "cancel_url": back_url(request),
    }
    return render(request, "serials/attributes.html", context, status=422 if request.method == "POST" else 200)


def _faults(formset: Any) -> list[str]:
    """What is wrong with the whole; what is wrong with one attribute stands beside it."""
    return [str(fault) for fault in formset.non_form_errors()] if formset.is_bound else []


def _save(request: AccountRequest, unit: Unit, formset: Any) -> str:
    """Save what the form says; the words for it."""
    is_changed = services.save_attributes(
        unit_id=unit.pk,
        attributes=formset.attributes(),
        seen=request.POST.get("seen", ""),
        by=by_person(request.user.pk),
    )
    words = _("Attributes of %(serial)s are saved.") if is_changed else _("Nothing was changed on %(serial)s.")
    return words % {"serial": unit.serial}
