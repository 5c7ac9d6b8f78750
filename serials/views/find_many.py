"""Find many: a list of numbers in, four groups out, and what is done with the found ones."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from oms import csvio
from oms.access import AccountRequest, require_role
from oms.downloads import csv_stream
from oms.models import EVERYONE
from serials.forms import FindManyForm
from serials.models import FoundList
from serials.queries.found_lists import FOUND, REST, group_file
from serials.services.find_many import find_many
from serials.services.number_lists import SCHEMA
from serials.views.around import around, list_url
from serials.views.grid import SerialList

SHOWN = 50


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(EVERYONE)
def find(request: AccountRequest) -> HttpResponse:
    """Paste or upload a list; what it means is the next page."""
    form = FindManyForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        made = find_many(asked=form.asked, person=request.user)
        return redirect("serials_found", account_slug=request.account.slug, key=made.key)
    context = {
        **around(request),
        "page_title": _("Find many"),
        "page_icon": "scan",
        "form": form,
        "columns": SCHEMA.header,
        "submit_label": _("Find"),
        "cancel_url": list_url(request),
    }
    return render(request, "serials/find_many.html", context, status=422 if form.errors else 200)


@require_safe
@require_role(EVERYONE)
def found(request: AccountRequest, key: UUID) -> HttpResponse:
    """The four groups of a list, and what can be done with the found ones."""
    made = get_object_or_404(FoundList, key=key)
    query = QueryDict(mutable=True)
    query.update({"list": str(key), **({"void": "on"} if made.has_void else {})})
    file = {"account_slug": request.account.slug, "key": key, "group": FOUND}
    context = {
        **around(request),
        "page_title": _("Find many"),
        "page_icon": "scan",
        "made": made,
        "count": len(made.unit_ids),
        "groups": [_group(request, made, group) for group in REST],
        "found_file": reverse("serials_found_file", kwargs=file),
        "filter": query.urlencode(),
        "grid_url": f"{list_url(request)}?{query.urlencode()}",
        "actions": _actions(request),
    }
    return render(request, "serials/found.html", context)


@require_safe
@require_role(EVERYONE)
def group_csv(request: AccountRequest, key: UUID, group: str) -> HttpResponseBase:
    """One group as a CSV file."""
    if group not in {FOUND, *REST}:
        raise Http404
    header, rows = group_file(get_object_or_404(FoundList, key=key), group)
    name = f"lotline-find-many-{group.replace('_', '-')}.csv"
    return csv_stream(request, name, lambda: csvio.write(rows, header))


def _actions(request: AccountRequest) -> list[dict[str, Any]]:
    """The grid's actions on selected units that the person may do."""
    here = {"account_slug": request.account.slug}
    return [
        {"label": each.label, "icon": each.icon, "url": reverse(each.route, kwargs=here), "is_dialog": each.is_dialog}
        for each in SerialList.bulk_actions
        if each.needs_rows and request.membership.role in each.roles
    ]


def _group(request: AccountRequest, made: FoundList, group: str) -> dict[str, Any]:
    """One group of numbers that are no found units, as the page draws it."""
    title, note, last = {
        "not_found": (_("Not found"), _("No serial of this account."), _("SKUs that have it")),
        "ambiguous": (
            _("Ambiguous"),
            _("Several SKUs have this serial: name the SKU in your list."),
            _("SKUs that have it"),
        ),
        "duplicate": (_("Duplicate"), _("The same number stands earlier in the list."), _("Line before")),
    }[group]
    here = {"account_slug": request.account.slug, "key": made.key, "group": group}
    rows = made.rest[group]
    return {
        "name": group,
        "title": title,
        "note": note,
        "last": last,
        "count": len(rows),
        "rows": rows[:SHOWN],
        "file": reverse("serials_found_file", kwargs=here),
    }
