"""What people write on one unit: its OMS Notes and its attributes."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from oms.access import AccountRequest, require_role
from oms.errors import Conflict, DomainError
from oms.models import EVERYONE, OFFICE
from serials.forms import AttributeFormSet, NotesForm
from serials.models import Unit
from serials.services import attributes as services, notes
from serials.views.around import around, back_url


@require_http_methods(["GET", "POST"])
@require_role(OFFICE)
def oms_notes(request: AccountRequest, pk: int) -> HttpResponse:
    """The Update dialog of a unit's OMS Notes."""
    unit = get_object_or_404(Unit, pk=pk)
    seen = notes.fingerprint(unit.oms_notes)
    form = NotesForm(request.POST or None, initial={"oms_notes": unit.oms_notes, "seen": seen})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            notes.set_oms_notes(
                unit_id=pk, notes=given["oms_notes"], seen=given["seen"], by=services.by_person(request.user.pk)
            )
        except DomainError as error:
            form.add_error(None, f"{_('Please try again..')} {error}")
            if isinstance(error, Conflict):  # they have seen it now; sending it again is their decision
                form.data = form.data.copy()
                form.data["seen"] = seen
        else:
            messages.success(request, _("OMS Notes of %(serial)s are saved.") % {"serial": unit.serial})
            return redirect(back_url(request))
    context = {
        **around(request),
        "page_title": _("Update"),
        "page_icon": "pencil",
        "form": form,
        "unit": unit,
        "fields": [("next", back_url(request))],
        "submit_label": _("Update"),
        "cancel_url": back_url(request),
    }
    return render(request, "serials/notes.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@require_role(EVERYONE, write=OFFICE)
def attributes(request: AccountRequest, pk: int) -> HttpResponse:
    """The attributes of one unit: seen by everyone, changed by the office."""
    unit = get_object_or_404(Unit, pk=pk)
    known = services.attributes_of(pk)
    seen = services.fingerprint(known)
    initial = [{"name": name, "value": value} for name, value in known.items()]
    formset = AttributeFormSet(request.POST or None, initial=initial, prefix="a")
    faults: list[str] = []
    if request.method == "POST" and formset.is_valid():
        try:
            is_changed = services.save_attributes(
                unit_id=pk,
                attributes=formset.attributes(),
                seen=request.POST.get("seen", ""),
                by=services.by_person(request.user.pk),
            )
        except DomainError as error:
            faults = [str(error)]
        else:
            words = _("Attributes of %(serial)s are saved.") if is_changed else _("Nothing was changed on %(serial)s.")
            messages.success(request, words % {"serial": unit.serial})
            return redirect(back_url(request))
    context: dict[str, Any] = {
        **around(request),
        "page_title": _("Attributes of %(serial)s") % {"serial": unit.serial},
        "page_icon": "tag",
        "unit": unit,
        "known": known,
        "formset": formset,
        "faults": [*faults, *formset.non_form_errors()] if formset.is_bound else [],
        "seen": seen,
        "may_edit": request.membership.role in OFFICE,
        "fields": [("next", back_url(request)), ("seen", seen)],
        "cancel_url": back_url(request),
    }
    is_bad = bool(faults) or (formset.is_bound and not formset.is_valid())
    return render(request, "serials/attributes.html", context, status=422 if is_bad else 200)
