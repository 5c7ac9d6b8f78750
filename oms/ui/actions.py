"""Actions on selected rows. "Select all N that match" posts the filter, not the ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from oms.access import AccountRequest
from oms.errors import DomainError, Text
from oms.models import Role

if TYPE_CHECKING:
    from oms.ui.views import TableView

MOST = 1_000_000_000_000_000_000


@dataclass(frozen=True)
class BulkAction:
    """One action of a list page: `route` is the account URL that its selection is posted to."""

    name: str
    label: Text
    icon: str
    route: str
    roles: frozenset[Role]


@dataclass(frozen=True)
class Selection:
    """What a person selected: the rows, and the form fields that say it again on the next page."""

    rows: QuerySet[Any]
    fields: list[tuple[str, str]]
    is_all: bool


def selection(request: AccountRequest, page: "type[TableView]") -> Selection:
    """The selected rows of `page`, from the posted `pk`s, or from the posted filter when `all` is 1.

    Ids of other accounts are simply not found. Raises DomainError when nothing is selected.
    """
    posted = request.POST
    if posted.get("all") == "1":
        query = posted.get("filter", "")
        rows = page.filtered(QueryDict(query)).order_by("pk")
        return Selection(page.model_rows(rows), [("all", "1"), ("filter", query)], is_all=True)
    ids = list(_ids(posted.getlist("pk")))
    if not ids:
        raise DomainError(_("You must check at least one"))
    return Selection(page.model_rows(ids), [("pk", str(pk)) for pk in ids], is_all=False)


def _ids(texts: Iterable[str]) -> Iterable[int]:
    for text in dict.fromkeys(texts):
        if text.isascii() and text.isdigit() and int(text) < MOST:
            yield int(text)
