"""Actions on selected rows. "Select all N that match" posts the filter, not the ids."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import resolve
from django.utils.translation import gettext_lazy as _

from oms.access import AccountRequest
from oms.errors import DomainError, Text
from oms.models import Role
from oms.numbers import whole_number

if TYPE_CHECKING:
    from oms.ui.views import TableView


@dataclass(frozen=True)
class BulkAction:
    """One action of a list page: `route` is the account URL that its selection is posted to."""

    name: str
    label: Text
    icon: str
    route: str
    roles: frozenset[Role]
    is_dialog: bool = False
    """Its answer is a page with data-dialog-content; a file or another page otherwise."""
    needs_rows: bool = True
    """Without, it is a link in the Actions menu, for which nothing need be checked."""


@dataclass(frozen=True)
class Selection:
    """What a person selected: the rows, the form fields that say it again on the next page, and `params`, JSON-ready,
    from which a job finds the same rows with `selected`.
    """

    rows: QuerySet[Any]
    fields: list[tuple[str, str]]
    params: dict[str, Any]
    is_all: bool


def selection(request: AccountRequest, page: "type[TableView]", path: str = "") -> Selection:
    """The selected rows of `page`, from the posted `pk`s, or from the posted filter when `all` is 1.

    `path` is the address of the list, for jobs. Ids of other accounts are simply not found. Raises DomainError when
    nothing is selected, or the filter does not say just which rows.
    """
    posted = request.POST
    if posted.get("all") == "1":
        if "filter" not in posted:
            raise DomainError(_("Nothing is done: the page did not say which rows. Open the list and try again."))
        query = posted["filter"]
        rows = page.filtered(QueryDict(query)).order_by("pk")
        params = {"path": path, "filter": query}
        return Selection(page.model_rows(rows), [("all", "1"), ("filter", query)], params, is_all=True)
    ids = list(_ids(posted.getlist("pk")))
    if not ids:
        raise DomainError(_("You must check at least one"))
    fields = [("pk", str(pk)) for pk in ids]
    return Selection(page.model_rows(ids), fields, {"path": path, "pks": ids}, is_all=False)


def selected(params: Mapping[str, Any]) -> QuerySet[Any]:
    """The rows that a `Selection.params` means now, in the current account. Raises FaultyFilter as `selection` does."""
    page: type[TableView] = resolve(params["path"]).func.table_view  # type: ignore[attr-defined]  # see TableView.page
    if "pks" in params:
        return page.model_rows(params["pks"])
    return page.model_rows(page.filtered(QueryDict(params["filter"])).order_by("pk"))


def refusal(request: AccountRequest, error: DomainError, *, section: Text, url: str, back: str = "") -> HttpResponse:
    """The dialog titled Alert: why nothing is done, and the way back to the list of `section` at `url`."""
    context = {"section_label": section, "section_url": url, "page_title": _("Alert")}
    return render(request, "ui/alert.html", {**context, "text": str(error), "back_url": back or url}, status=422)


def _ids(texts: Iterable[str]) -> Iterable[int]:
    for text in dict.fromkeys(texts):
        if (number := whole_number(text)) is not None:
            yield number
