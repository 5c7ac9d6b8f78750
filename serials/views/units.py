"""A unit: its history, its page, its label, its notes."""

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from oms.access import AccountRequest, require_role
from oms.models import EVERYONE, OFFICE
from oms.numbers import whole_number
from oms.ui.links import document_url
from serials.lifecycle import LOOKS, Status
from serials.models import Unit
from serials.queries import units as queries
from serials.queries.prints import prints_of, said_last
from serials.views.around import back_url
from serials.views.labels import print_dialog


@require_safe
@require_role(EVERYONE)
def history(request: AccountRequest, pk: int) -> HttpResponse:
    """The inside of a unit's child row: SERIAL HISTORY, and METADATA if there is any; without htmx the unit's page."""
    unit = get_object_or_404(Unit, pk=pk)
    if request.htmx:
        answer: HttpResponse = render(request, "serials/_child_row.html", _history(request, unit))
    else:
        answer = redirect("serial", account_slug=request.account.slug, pk=pk)
    patch_vary_headers(answer, ["HX-Request"])
    return answer


@require_safe
@require_role(EVERYONE)
def unit_detail(request: AccountRequest, pk: int) -> HttpResponse:
    """A unit: what it is, where it is, and everything that happened to it."""
    unit = get_object_or_404(queries.units_with_places(), pk=pk)
    tone, shape = LOOKS[Status(unit.status)]
    context = {
        "section_label": _("Serials"),
        "section_url": reverse("serials", kwargs={"account_slug": request.account.slug}),
        "page_title": unit.serial,
        "page_icon": "barcode",
        "status": {"label": _status_label(unit), "tone": tone, "shape": shape},
        "facts": _facts(request, unit),
        "history": None,
        "secondary_actions": _actions(request, pk),
        **_history(request, unit),
    }
    return render(request, "serials/unit.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(EVERYONE)
def label(request: AccountRequest, pk: int) -> HttpResponseBase:
    """The dialog that prints the unit's label."""
    unit = get_object_or_404(Unit, pk=pk)
    return print_dialog(request, "units", {"pks": [unit.pk]}, back=back_url(request))


def _actions(request: AccountRequest, pk: int) -> list[dict[str, Any]]:
    """What the row menu of the grid offers, too."""
    notes = {"label": _("OMS Notes"), "icon": "pencil", "url": _url(request, "serial_notes", pk), "is_dialog": True}
    return [
        *([notes] if request.membership.role in OFFICE else []),
        {"label": _("Attributes"), "icon": "tag", "url": _url(request, "serial_attributes", pk), "is_dialog": True},
        {"label": _("Label"), "icon": "printer", "url": _url(request, "serial_label", pk), "is_dialog": True},
    ]


def _history(request: AccountRequest, unit: Unit) -> dict[str, Any]:
    """The context of the history tables; both the child row and the page draw them."""
    page = queries.unit_history(unit.pk, whole_number(request.GET.get("page"), most_digits=6) or 1)
    slug = request.account.slug
    return {
        "unit": unit,
        "page": page,
        "rows": [
            {
                "row": row,
                "look": LOOKS[Status(row.status)],
                "process_url": document_url(slug, row.process_type, row.process_id),
                "order_url": document_url(slug, "order", row.order_no),
            }
            for row in page.rows
        ],
        "metadata": queries.unit_metadata(unit.pk),
        "history_url": _url(request, "serial_history", unit.pk),
    }


def _facts(request: AccountRequest, unit: Unit) -> list[dict[str, Any]]:
    sku, place, slug = unit.sku, unit.bin, request.account.slug
    process_url = document_url(slug, unit.process_type, unit.process_id)
    order_url = document_url(slug, "order", unit.order_no)
    return [
        {"label": _("SKU"), "value": sku.code, "is_mono": True, "url": _url(request, "sku", unit.sku_id)},
        {"label": _("Name"), "value": sku.name},
        {"label": _("ProdID"), "value": sku.prod_id, "is_mono": True},
        {"label": _("Serial"), "value": unit.serial, "is_mono": True, "can_copy": True},
        {"label": _("BIN"), "value": place.name if place else "", "is_mono": True},
        {"label": _("Location"), "value": place.location.name if place else ""},
        {"label": _("Warehouse"), "value": place.link.warehouse.name if place else ""},
        {"label": _("Lot"), "value": unit.lot.number if unit.lot else "", "is_mono": True},
        {"label": _("WMS Notes"), "value": unit.wms_notes},
        {"label": _("OMS Notes"), "value": unit.oms_notes},
        {"label": _("ProcessType"), "value": unit.get_process_type_display()},
        {"label": _("ProcessID"), "value": unit.process_id, "is_mono": True, "url": process_url},
        {"label": _("Order#"), "value": unit.order_no, "is_mono": True, "url": order_url},
        {"label": _("Label"), "value": _printed(unit)},
    ]


def _printed(unit: Unit) -> str:
    """How often the unit's label was printed, and by whom last."""
    found = prints_of(unit.sku_id, unit.serial_key)
    if not found.last:
        return ""
    times = ngettext("Printed once", "Printed %(count)s times", found.count) % {"count": found.count}
    return _("%(times)s, last by %(who)s on %(day)s") % {"times": times, **said_last(found.last)}


def _status_label(unit: Unit) -> str:
    return _("%(status)s, void") % {"status": unit.get_status_display()} if unit.is_void else unit.get_status_display()


def _url(request: AccountRequest, route: str, pk: int) -> str:
    return reverse(route, kwargs={"account_slug": request.account.slug, "pk": pk})
