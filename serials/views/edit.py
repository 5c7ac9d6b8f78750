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
from serials.forms import AttributeFormSet, NotesForm, attribute_rows
from serials.models import Unit
from serials.services import attributes as services, notes
from serials.services.attributes import by_person
from serials.views.around import around, back_url


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def oms_notes(request: AccountRequest, pk: int) -> HttpResponse:
    """The Update dialog of a unit's OMS Notes."""
    unit = get_object_or_404(Unit, pk=pk)
    seen = _seen(request, notes.fingerprint(unit.oms_notes))
    form = NotesForm(request.POST or None, initial={"oms_notes": unit.oms_notes})
    is_conflict = False
    if request.method == "POST" and form.is_valid():
        try:
            notes.set_oms_notes(
                unit_id=pk, notes=form.cleaned_data["oms_notes"], seen=seen, by=by_person(request.user.pk)
            )
        except DomainError as error:
            form.add_error(None, f"{_('Please try again..')} {error}")
            is_conflict = isinstance(error, Conflict)
        else:
            messages.success(request, _("OMS Notes of %(serial)s are saved.") % {"serial": unit.serial})
            return redirect(back_url(request))
    if is_conflict:
        unit.refresh_from_db(fields=["oms_notes"])
        seen = notes.fingerprint(unit.oms_notes)
    context = {**_notes_words(request), "form": form, "unit": unit, "is_conflict": is_conflict, "seen": seen}
    return render(request, "serials/notes.html", context, status=422 if form.errors else 200)


def _notes_words(request: AccountRequest) -> dict[str, Any]:
    """What the dialog says whatever the notes are."""
    return {
        **around(request),
        "page_title": _("Update"),
        "page_icon": "pencil",
        "submit_label": _("Update"),
        "failed_text": _("Please try again.."),
        "cancel_url": back_url(request),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(EVERYONE, write=OFFICE)
def attributes(request: AccountRequest, pk: int) -> HttpResponse:
    """The attributes of one unit: seen by everyone, changed by the office."""
    unit = get_object_or_404(Unit, pk=pk)
    known = services.attributes_of(pk)
    seen = _seen(request, services.fingerprint(known))
    formset = AttributeFormSet(request.POST or None, known=known, is_current=seen == services.fingerprint(known))
    context = _attributes_words(request, unit)
    if request.method == "POST" and formset.is_valid():
        try:
            messages.success(request, _save(request, unit, formset, seen))
            return redirect(back_url(request))
        except Conflict as error:
            now = services.attributes_of(pk)
            seen, told = services.fingerprint(now), formset.told(attribute_rows(now))
            formset = AttributeFormSet(told, known=now)
            context |= {"faults": [error], "beside": formset.beside(now)}
        except DomainError as error:
            context["faults"] = [error]
    context |= {"known": known, "formset": formset, "seen": seen}
    return render(request, "serials/attributes.html", context, status=422 if request.method == "POST" else 200)


def _attributes_words(request: AccountRequest, unit: Unit) -> dict[str, Any]:
    """What the dialog says whatever the attributes are."""
    return {
        **around(request),
        "page_title": _("Attributes of %(serial)s") % {"serial": unit.serial},
        "page_icon": "tag",
        "may_edit": request.membership.role in OFFICE,
        "cancel_url": back_url(request),
    }


def _seen(request: AccountRequest, now: str) -> str:
    """The fingerprint of what the person saw when they began. They see it anew only by a conflict, which shows it."""
    return request.POST.get("seen", "") if request.method == "POST" else now


def _save(request: AccountRequest, unit: Unit, formset: Any, seen: str) -> str:
    """Save what the form says; the words for it."""
    is_changed = services.save_attributes(
        unit_id=unit.pk, attributes=formset.attributes(), seen=seen, by=by_person(request.user.pk)
    )
    words = _("Attributes of %(serial)s are saved.") if is_changed else _("Nothing was changed on %(serial)s.")
    return words % {"serial": unit.serial}
