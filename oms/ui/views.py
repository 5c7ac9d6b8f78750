"""The list page: filters, sort, pages, bulk actions; one class answers the page, the htmx fragment and the CSV."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import QueryDict
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.http import require_GET

from oms.access import AccountRequest, require_role
from oms.errors import Text
from oms.models import Person, Role
from oms.ui.actions import BulkAction
from oms.ui.columns import Frame
from oms.ui.exports import export_response
from oms.ui.filters import FilterSet
from oms.ui.tables import Table, with_query

PAGE_SIZES = (25, 50, 100, 250)
COUNTED = 10_000
"""Up to here a count is exact; beyond it says "10,000+", because counting all costs more than the page."""


@dataclass(frozen=True)
class PageAction:
    """A button in the page's head: `route` is an account URL, shown to `roles` only."""

    label: Text
    icon: str
    route: str
    roles: frozenset[Role]


@dataclass(frozen=True)
class Empty:
    """What an empty list says: what this is, and the one action that fills it."""

    icon: str
    title: Text
    text: Text


class TableView(View):
    """Base of every list page. Declare `queryset`, `table_class`, `filterset_class`, `title` and what else it has.

    `queryset` is a function of `queries` that returns all rows of the account; filters, sort and page come from the
    address, so a link reproduces the view.
    """

    queryset: ClassVar["staticmethod[[], QuerySet[Any]]"]
    table_class: ClassVar[type[Table]]
    filterset_class: ClassVar[type[FilterSet]]
    title: ClassVar[Text]
    section: ClassVar[Text] = ""
    icon: ClassVar[str]
    noun: ClassVar["staticmethod[[int], str]"]
    empty: ClassVar[Empty]
    primary: ClassVar[PageAction | None] = None
    secondary: ClassVar[tuple[PageAction, ...]] = ()
    bulk_actions: ClassVar[tuple[BulkAction, ...]] = ()
    request: AccountRequest

    @classmethod
    def page(cls, roles: Collection[Role], admin: "type[TableView] | None" = None) -> Callable[..., HttpResponseBase]:
        """The view for urls: GET only, for `roles`; `admin` is the class that admins get instead."""
        plain, other = cls.as_view(), (admin or cls).as_view()

        @require_GET
        @require_role(roles)
        def view(request: AccountRequest) -> HttpResponseBase:
            return (other if request.membership.role == Role.ADMIN else plain)(request)

        view.table_view = cls  # type: ignore[attr-defined]  # an export job finds the page by its address
        return view

    @classmethod
    def rows(cls, person: Person | None) -> QuerySet[Any]:  # noqa: ARG003 - for pages that override this
        """The rows of the account that a person may see: all, unless a page says otherwise. None is the system."""
        return cls.queryset()

    @classmethod
    def filtered(cls, query: QueryDict, person: Person | None = None) -> QuerySet[Any]:
        """The rows that the filters of a query string leave, unsorted; filters that make no sense are left out."""
        rows: QuerySet[Any] = cls.filterset_class(query, queryset=cls.rows(person)).qs
        return rows

    @classmethod
    def model_rows(cls, chosen: QuerySet[Any] | Iterable[int]) -> QuerySet[Any]:
        """Rows of the model itself, by ids or by a query: what actions work on (a list may read through views)."""
        model = cls.table_class._meta.model
        if isinstance(chosen, QuerySet):
            # A limit that limits nothing is a fence: without one the planner mixes table and view and loses the index.
            chosen = chosen.values_list("pk", flat=True)[: 2**62]
        rows: QuerySet[Any] = model.objects.filter(pk__in=chosen).order_by("pk")
        return rows

    @classmethod
    def sorted_table(cls, query: QueryDict, rows: QuerySet[Any]) -> Table:
        """The table over `rows`, sorted as the query string says, always with the id last so that pages are stable."""
        table = cls.table_class(rows, order_by=query.getlist("sort")[:3] or None)
        ordered = table.data.data
        return table if not ordered.ordered else _stable(table)

    def get(self, request: AccountRequest) -> HttpResponseBase:
        """The page, its table alone for htmx, or the CSV file."""
        filters = self.filterset_class(request.GET, queryset=self.rows(request.user), request=request)
        table = self.sorted_table(request.GET, filters.qs)
        if request.GET.get("format") == "csv":
            return export_response(request, type(self), table)
        is_part = bool(request.htmx) and not request.htmx.history_restore_request
        context = self._context(filters, table)
        response = TemplateResponse(request, "ui/_table.html" if is_part else "ui/list.html", context)
        patch_vary_headers(response, ["HX-Request"])
        return response

    def _context(self, filters: FilterSet, table: Table) -> dict[str, Any]:
        query = self.request.GET
        frame = Frame(self.request.account.slug, timezone.now())
        window = Window.of(query, table.data.data)
        chips = list(filters.chips(query))
        return {
            "section_label": self.section,
            "page_title": self.title,
            "page_icon": self.icon,
            "count_text": window.count_text(self.noun),
            "search": filters.search_field,
            "filters": filters,
            "hidden_params": [
                {"name": name, "value": value}
                for name in ("sort", "per_page")
                for value in query.getlist(name)
                if value
            ],
            "table": {
                "columns": table.headers(query, filters.header_fields()),
                "rows_html": table.rows_html(window.rows, frame),
                "is_empty": not window.rows,
                "has_filters": True,
            },
            "empty": self._empty(),
            "no_match": not window.rows and bool(chips),
            "chips": chips,
            "switches": filters.switches(),
            "faults": filters.faults(),
            "clear_url": filters.clear_url(query),
            "pager": window.pager(query),
            "bulk": self._bulk(window),
            "primary_action": self._button(self.primary),
            "secondary_actions": [
                *(button for action in self.secondary if (button := self._button(action))),
                {"label": _("Export"), "icon": "download", "url": with_query(query, format="csv")},
            ],
        }

    def _button(self, action: PageAction | None) -> dict[str, Any] | None:
        if action is None or self.request.membership.role not in action.roles:
            return None
        return {"label": action.label, "icon": action.icon, "url": self._url(action.route)}

    def _empty(self) -> dict[str, Any]:
        return {
            "icon": self.empty.icon,
            "title": self.empty.title,
            "text": self.empty.text,
            "action": self._button(self.primary),
        }

    def _bulk(self, window: "Window") -> dict[str, Any] | None:
        allowed = [action for action in self.bulk_actions if self.request.membership.role in action.roles]
        if not allowed:
            return None
        return {
            "actions": [
                {"name": action.name, "label": action.label, "icon": action.icon, "url": self._url(action.route)}
                for action in allowed
            ],
            "total": window.total_text,
            "select_all_text": window.has_more and _("Select all %(count)s that match") % {"count": window.total_text},
        }

    def _url(self, route: str) -> str:
        return reverse(route, kwargs={"account_slug": self.request.account.slug})


def _stable(table: Table) -> Table:
    rows = table.data.data
    names = [str(name).lstrip("-") for name in rows.query.order_by]
    if not {"pk", "id"} & set(names):
        is_down = bool(rows.query.order_by) and str(rows.query.order_by[-1]).startswith("-")
        table.data.data = rows.order_by(*rows.query.order_by, "-pk" if is_down else "pk")
    return table


@dataclass(frozen=True)
class Window:
    """One page of rows out of a sorted queryset, and what is known of the whole."""

    rows: list[Any]
    start: int
    per_page: int
    page: int
    total: int
    has_next: bool

    @classmethod
    def of(cls, query: QueryDict, rows: QuerySet[Any]) -> "Window":
        """The page that the query string names; a page beyond the end is the last one. Two queries."""
        per_page = _number(query.get("per_page"), PAGE_SIZES[1])
        per_page = per_page if per_page in PAGE_SIZES else PAGE_SIZES[1]
        total = rows.order_by()[: COUNTED + 1].count()
        page = max(1, _number(query.get("page"), 1))
        if total <= COUNTED:
            page = min(page, max(1, -(-total // per_page)))
        start = (page - 1) * per_page
        found = list(rows[start : start + per_page + 1]) if total else []
        return cls(found[:per_page], start, per_page, page, total, has_next=len(found) > per_page)

    @property
    def total_text(self) -> str:
        """The count, "10,000+" where it was not counted to the end."""
        known = number_format(min(self.total, COUNTED), use_l10n=True, force_grouping=True)
        return known if self.total <= COUNTED else f"{known}+"

    @property
    def has_more(self) -> bool:
        """There are rows beside those of this page."""
        return self.total > len(self.rows)

    def count_text(self, noun: Callable[[int], str]) -> str:
        """The count with its noun: "1 SKU", "12,408 units", "10,000+ units"."""
        return f"{self.total_text} {noun(self.total)}"

    def pager(self, query: QueryDict) -> dict[str, Any]:
        """What the pager shows and where it leads."""

        def at(page: int) -> str:
            return with_query(query) + f"&page={page}"

        return {
            "start": number_format(self.start + 1 if self.rows else 0, use_l10n=True, force_grouping=True),
            "end": number_format(self.start + len(self.rows), use_l10n=True, force_grouping=True),
            "total_text": self.total_text,
            "prev_url": at(self.page - 1) if self.page > 1 else "",
            "next_url": at(self.page + 1) if self.has_next else "",
            "per_page": self.per_page,
            "per_page_options": [
                {"value": size, "url": with_query(query, per_page=str(size)), "is_current": size == self.per_page}
                for size in PAGE_SIZES
            ],
        }


def _number(text: str | None, default: int) -> int:
    """A small number from the address; anything else is the default."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else default
