"""The numbers of one SKU: the scheme that they come from, the rule for those from outside, and a field to try one."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from oms.access import AccountRequest, require_role
from oms.errors import DomainError
from oms.models import ADMINS, EVERYONE, Role, Sku
from serials.forms.numbers import NumberingForm
from serials.numbering import BadSerial
from serials.queries import schemes as queries
from serials.services import schemes as services


def card(sku: Sku, role: str) -> dict[str, Any]:
    """What the page of a SKU shows of its numbers; see settings.SKU_CARDS."""
    row = queries.numbering_of(sku.pk)
    scheme = (row and row.scheme) or queries.default_scheme()
    return {
        "id": "numbers",
        "title": _("Serial numbers"),
        "template": "serials/_numbering_card.html",
        "scheme": scheme,
        "lacks_default": scheme is None and queries.lacks_default(),
        "is_own": bool(row and row.scheme),
        "preview": scheme and queries.Preview(scheme.scheme, scheme.next_counter, timezone.localdate()),
        "rule": row and str(row.rule),
        "actions": _change(sku) if role == Role.ADMIN else [],
    }


def _change(sku: Sku) -> list[dict[str, Any]]:
    url = reverse("sku_numbers", kwargs={"account_slug": sku.account.slug, "pk": sku.pk})
    return [{"label": _("Change"), "icon": "pencil", "url": url, "is_dialog": True}]


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(ADMINS)
def numbers(request: AccountRequest, pk: int) -> HttpResponse:
    """Choose the scheme of a SKU, and say what numbers from outside look like."""
    sku = get_object_or_404(Sku, pk=pk)
    form = NumberingForm(request.POST or None, row=queries.numbering_of(pk))
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data["scheme"]
        try:
            services.set_numbering(
                sku_id=pk, scheme_id=chosen.pk if chosen else None, rule=form.rule, actor=request.user
            )
        except DomainError as error:
            form.add_error("scheme", str(error))
        else:
            messages.success(request, _("%(sku)s is saved.") % {"sku": sku.code})
            return redirect("sku", account_slug=request.account.slug, pk=pk)
    context = {
        **_around(request, sku),
        "form": form,
        "page_title": _("Serial numbers of %(sku)s") % {"sku": sku.code},
        "submit_label": _("Save"),
    }
    return render(request, "serials/sku_numbers.html", context, status=422 if form.errors else 200)


@require_safe
@require_role(EVERYONE)
def try_number(request: AccountRequest, pk: int) -> HttpResponse:
    """Whether a number from outside would be taken for this SKU (?number=)."""
    sku = get_object_or_404(Sku, pk=pk)
    number = request.GET.get("number", "")[:400]
    fault = ""
    try:
        queries.rules_of([pk])[pk].check(number)
    except BadSerial as error:
        fault = str(error)
    context = {
        **_around(request, sku),
        "page_title": _("Try a number for %(sku)s") % {"sku": sku.code},
        "sku": sku,
        "number": number,
        "fault": fault,
    }
    return render(request, "serials/_tried.html" if request.htmx else "serials/try_number.html", context)


def _around(request: AccountRequest, sku: Sku) -> dict[str, Any]:
    own_url = reverse("sku", kwargs={"account_slug": request.account.slug, "pk": sku.pk})
    return {"section_label": sku.code, "section_url": own_url, "page_icon": "hash", "cancel_url": own_url}
