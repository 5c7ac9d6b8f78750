"""The list page: filters, sort, pages, bulk actions; one class answers the page, the htmx fragment and the CSV."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import QueryDict
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language, gettext as _
from django.views import View
from django.views.decorators.http import require_safe

from oms.access import AccountRequest, require_role, wants_part
from oms.errors import Text
from oms.models import Person, Role
from oms.queries.people import is_admin
from oms.ui.actions import BulkAction, refusal
from oms.ui.columns import Frame, url_pattern
from oms.ui.exports import export_response
from oms.ui.filters import FaultyFilter, FilterSet
from oms.ui.layouts import KEPT, Layout
from oms.ui.paging import COUNTED, Search, Window
from oms.ui.tables import Table, with_query


@dataclass(frozen=True)
class PageAction:
    """A button in the page's head: `route` is an account URL, shown to `roles` only."""

    label: Text
    icon: str
    route: str
    roles: frozenset[Role]


@dataclass(frozen=True)
class RowAction:
    """One item of the menu behind a row's ellipsis: `route` is an account URL of the record."""

    label: Text
    icon: str
    route: str
    roles: frozenset[Role]
    is_dialog: bool = False


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
    shown: ClassVar[tuple[str, ...]] = ()
    """The paths of all that a row shows or is sorted by. Where they are named, rows are named tuples of their values:
    to make a record of each row, and of all that it refers to, costs more than to read it."""
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
    row_menu: ClassVar[tuple[RowAction, ...]] = ()
    has_layouts: ClassVar[bool] = False
    """People choose its columns and save views of it."""
    request: AccountRequest

    @classmethod
    def page(cls, roles: Collection[Role], admin: "type[TableView] | None" = None) -> Callable[..., HttpResponseBase]:
        """The view for urls: GET only, for `roles`; `admin` is the class that admins get instead."""
        plain, other = cls.as_view(), (admin or cls).as_view()

        @require_safe
        @require_role(roles)
        def view(request: AccountRequest) -> HttpResponseBase:
            return (other if request.membership.role == Role.ADMIN else plain)(request)

        def page_for(person: Person | None) -> type[TableView]:
            return admin if admin and person and is_admin(person) else cls

        # A job finds the page by its address.
        view.table_view, view.page_for = cls, page_for  # type: ignore[attr-defined]
        return view

    @classmethod
    def rows(cls, person: Person | None) -> QuerySet[Any]:  # noqa: ARG003 - for pages that override this
        """The rows of the account that a person may see: all, unless a page says otherwise. None is the system."""
        return cls.queryset()

    @classmethod
    def filtered(cls, query: QueryDict, person: Person | None = None) -> QuerySet[Any]:
        """The rows that the filters of a query string leave, unsorted, to do something with.

        Raises FaultyFilter where it does not say just which.
        """
        return cls.filterset_class(query, queryset=cls.rows(person)).sure()

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
    def choosable(cls) -> dict[str, str]:
        """Name → label of the columns that people may choose among, in the order of the declaration."""
        table = cls.table_class([])
        return {name: str(table.columns[name].header) for name in table.shown()}

    @classmethod
    def sorted_table(cls, query: QueryDict, rows: QuerySet[Any]) -> Table:
        """The table over `rows`, sorted as the query string says, always with the id last so that pages are stable.

        What is no sort of the table is left out; where nothing is left it is sorted as ever.
        """
        table = cls.table_class(rows, order_by=cls.table_class.sorts(query.getlist("sort"))[:3] or None)
        ordered = table.data.data
        return table if not ordered.ordered else _stable(table)

    def get(self, request: AccountRequest) -> HttpResponseBase:
        """The page, its table alone for htmx, or the CSV file."""
        filters = self.filterset_class(request.GET, queryset=self.rows(request.user), request=request)
        is_file, is_part = request.GET.get("format") == "csv", wants_part(request)
        try:
            table = self.sorted_table(request.GET, filters.sure() if is_file else filters.qs)
        except FaultyFilter as error:
            back = with_query(request.GET, format="")
            return refusal(request, error, section=self.title, url=request.path, back=f"{request.path}{back}")
        layout = self._layout(has_menu=not is_part)
        columns = layout.columns if layout else []
        if is_file:
            table.arrange(columns)
            return export_response(request, type(self), table)
        table, window = self._window(filters, table)
        table.arrange(columns)
        context = self._context(filters, table, window)
        response: SimpleTemplateResponse
        if is_part:  # without what context processors find out for the frame around the page
            context |= {"request": request, "csrf_token": get_token(request)}
            response = SimpleTemplateResponse("ui/_table.html", context)
        else:
            context |= self._head(layout) | {"cards_url": table.cards_url()}
            response = TemplateResponse(request, "ui/list.html", context)
        patch_vary_headers(response, ["HX-Request"])
        return response

    def _window(self, filters: FilterSet, table: Table) -> tuple[Table, Window]:
        """The page's rows, and the table in the order that they have."""
        usual = None if table.has_index else self.sorted_table(QueryDict(), filters.qs)
        query = self.request.GET
        search = Search(
            self.rows(self.request.user),
            table.data.data,
            matches=[self.sorted_table(query, part).data.data for part in filters.matches()],
            instead=usual and usual.data.data,
            is_indexed=bool(table.indexed),
            shown=self.shown,
            is_short=filters.has_pair,
        )
        window = Window.of(query, search)
        return (usual if window.is_instead and usual else table), window

    def _context(self, filters: FilterSet, table: Table, window: Window) -> dict[str, Any]:
        query = self.request.GET
        frame = Frame(self.request.account.slug, timezone.now(), self.request.membership.role)
        chips, is_sure = list(filters.chips(query)), not (filters.faults or filters.unknown)
        columns = table.headers(query, filters.header_fields(), is_long=window.total > COUNTED)
        return {
            "section_label": self.section,
            "page_title": self.title,
            "page_icon": self.icon,
            "count_text": window.count_text(self.noun),
            "search": filters.search_field,
            "filters": filters,
            "hidden_params": [
                {"name": name, "value": value}
                for name in ("sort", "per_page", *KEPT, *filters.undrawn([column.name for column in columns]))
                for value in query.getlist(name)
                if value
            ],
            "table": {
                "columns": columns,
                "rows_html": table.rows_html(window.rows, frame),
                "is_empty": not window.rows,
                "has_filters": True,
                "child_url": self._pattern(table.child) if table.child else "",
            },
            "empty": self._empty(),
            "no_match": not window.rows and bool(chips or filters.faults),
            "chips": chips,
            "switches": filters.switches(),
            "faults": filters.faults,
            "is_short": all(fault.is_short for fault in filters.faults),
            "unknown": filters.unknown,
            "known_url": filters.known_url(query),
            "clear_url": filters.clear_url(query),
            "pager": None if filters.faults else window.pager(query),
            "bulk": None if filters.faults else self._bulk(window, may_be_all=is_sure),
            "row_menu": self._row_menu(),
            "primary_action": self._button(self.primary),
            "export_url": with_query(query, format="csv") if is_sure else "",
        }

    def _layout(self, *, has_menu: bool) -> Layout | None:
        match = self.request.resolver_match
        if not match or not self.has_layouts:
            return None
        return Layout.of(self.request.user, match.url_name or "", self.request.GET, has_menu=has_menu)

    def _head(self, layout: Layout | None) -> dict[str, Any]:
        """The buttons and menus of the page's head, beside the primary action."""
        buttons = [button for action in self.secondary if (button := self._button(action))]
        if layout is None:
            return {"secondary_actions": buttons}
        columns = layout.columns_button(self.request)
        return {"secondary_actions": [*buttons, columns], "menus": [layout.views_menu(self.request)]}

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

    def _bulk(self, window: "Window", *, may_be_all: bool) -> dict[str, Any] | None:
        request = self.request
        of = request.account.slug, request.membership.role, get_language()
        menu, buttons = _bulk_controls(type(self), *of)  # type: ignore[arg-type]  # mypy takes no class for hashable
        if not menu:
            return None
        return {
            "menu": menu,
            "buttons": buttons,
            "total": window.total_text,
            "select_all_text": may_be_all
            and window.has_more
            and _("Select all %(count)s that match") % {"count": window.total_text},
        }

    def _row_menu(self) -> list[dict[str, Any]]:
        items = [action for action in self.row_menu if self.request.membership.role in action.roles]
        return [
            {
                "label": action.label,
                "icon": action.icon,
                "url": self._pattern(action.route),
                "is_dialog": action.is_dialog,
            }
            for action in items
        ]

    def _pattern(self, route: str) -> str:
        """The address of a page of any record, which `{pk}` stands for."""
        return "{pk}".join(url_pattern(route, self.request.account.slug))

    def _url(self, route: str) -> str:
        return reverse(route, kwargs={"account_slug": self.request.account.slug})


@lru_cache(maxsize=256)
def _bulk_controls(page: type[TableView], slug: str, role: Role, language: str | None) -> tuple[str, str]:
    """The items of the Actions menu and the buttons of the bar under the table, drawn once for a role in an account."""
    actions = [
        {
            "name": action.name,
            "label": action.label,
            "icon": action.icon,
            "url": reverse(action.route, kwargs={"account_slug": slug}),
            "is_dialog": action.is_dialog,
            "is_link": not action.needs_rows,
        }
        for action in page.bulk_actions
        if role in action.roles
    ]
    menu, buttons = (
        render_to_string("ui/_bulk_actions.html", {"actions": actions, "in_menu": in_menu}) for in_menu in (True, False)
    )
    return (menu, buttons) if actions else ("", "")


def _stable(table: Table) -> Table:
    rows = table.data.data
    names = [str(name).lstrip("-") for name in rows.query.order_by]
    if not {"pk", "id"} & set(names):
        is_down = bool(rows.query.order_by) and str(rows.query.order_by[-1]).startswith("-")
        table.data.data = rows.order_by(*rows.query.order_by, "-pk" if is_down else "pk")
    return table
