"""What the views of units share."""

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from oms.access import AccountRequest
from oms.errors import DomainError
from oms.ui.actions import Selection, refusal, selection
from serials.views.grid import SerialList


def list_url(request: AccountRequest) -> str:
    """The grid."""
    return reverse("serials", kwargs={"account_slug": request.account.slug})


def back_url(request: AccountRequest) -> str:
    """Where the person came from, if that is a page of this account's units: the grid with its filters, or a unit."""
    asked = request.POST.get("next") or request.headers.get("Referer", "")
    home = list_url(request)
    if not asked or not _is_ours(request, asked):
        return home
    parts = urlsplit(asked)
    if not parts.path.startswith(home):
        return home
    # A unit's own forms are no place to come back to.
    path = parts.path.removesuffix("notes/").removesuffix("attributes/").removesuffix("label/").removesuffix("labels/")
    return path + (f"?{parts.query}" if parts.query else "")


def _is_ours(request: HttpRequest, url: str) -> bool:
    return url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())


def chosen(request: AccountRequest) -> Selection:
    """The selected units. Raises DomainError when nothing is selected."""
    return selection(request, SerialList, list_url(request))


def around(request: AccountRequest) -> dict[str, Any]:
    """The breadcrumb of every page about units."""
    return {"section_label": _("Serials"), "section_url": list_url(request), "page_icon": "barcode"}


def alert(request: AccountRequest, error: DomainError) -> HttpResponse:
    """The dialog titled Alert."""
    return refusal(request, error, section=_("Serials"), url=list_url(request))
