"""Tables: django-tables2 declarations with rows rendered by compiled columns."""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import django_tables2 as tables
from django.http import QueryDict
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from oms.ui.columns import Column, Frame, escape
from oms.ui.icons import icon


class Declared(dict[str, Any]):
    """Declarations by name, whose copies are their own, but not what these are made of."""

    def __deepcopy__(self, memo: Any) -> dict[str, Any]:
        return {name: copy(declared) for name, declared in self.items()}


@dataclass(frozen=True)
class Header:
    """One column's head: its words, its kind, where sorting leads, and the field of its filter."""

    name: str
    label: str
    kind: str
    sort_url: str
    sorted: str
    field: str
    why: str
    """Why no sort is offered; empty where one is, or never will be."""

    @property
    def words(self) -> SafeString:
        """What stands in the header cell: a link that sorts, or only the words."""
        label = escape(self.label)
        if self.sort_url:
            url = escape(self.sort_url)
            label = (
                f'<a class="sort" id="sort-{self.name}" href="{url}" hx-get="{url}" hx-target="#table-region" '
                f'hx-swap="outerHTML" hx-push-url="true" hx-sync="#filters:replace">{label}{icon("chevron-down")}</a>'
            )
        elif self.why:
            why = escape(self.why)
            label = f'<span title="{why}">{label}<span class="visually-hidden">: {why}</span></span>'
        return mark_safe(label)  # noqa: S308

    @property
    def cell(self) -> SafeString:
        """The header cell of a column of values."""
        kind = "" if self.kind == "badge" else self.kind
        order = f' aria-sort="{self.sorted}"' if self.sorted else ""
        return mark_safe(f'<th scope="col" class="{kind}"{order}>{self.words}</th>')  # noqa: S308

    @property
    def filter_cell(self) -> SafeString:
        """The cell under it, with the field of its filter if it has one."""
        kind = "" if self.kind == "badge" else self.kind
        field = f'<div class="filters">{self.field}</div>' if self.field else ""
        return mark_safe(f'<td class="{kind}" data-label="{escape(self.label)}">{field}</td>')  # noqa: S308


class Table(tables.Table):
    """Base of every table. Declare columns of `oms.ui.columns`, `Meta.model` and `Meta.order_by` (the default sort).

    django-tables2 keeps the declaration, the columns' order and the sort; rows are made by `rows_html`.
    """

    sequence: Any
    base_columns: Any
    indexed: frozenset[str] = frozenset()
    """The columns whose sort, all its keys and directions, is an index. Where any is named, the others are offered for
    a counted number of rows only, and pages beyond that go by the keys of a row."""

    class Meta:
        orderable = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # django-tables2 copies all columns deeply for every table; what it changes is only the columns themselves.
        if not isinstance(self.base_columns, Declared):
            type(self).base_columns = Declared(self.base_columns)
        super().__init__(*args, **kwargs)

    @classmethod
    def sorts(cls, texts: Iterable[str]) -> list[str]:
        """Those that are sorts of this table, `name` or `-name`, each column once."""
        known: dict[str, str] = {}
        for text in texts:
            name = text.removeprefix("-")
            if name in cls.base_columns and cls.base_columns[name].orderable is not False:
                known.setdefault(name, text)
        return list(known.values())

    def shown(self) -> list[str]:
        """The names of the columns that hold values, in order: what people choose among."""
        return [bound.name for bound in self.columns if isinstance(bound.column, Column)]

    def arrange(self, names: Iterable[str]) -> None:
        """Show these columns in this order, the controls where they were. Where no name is known, nothing changes."""
        own = self.shown()
        wanted = [name for name in dict.fromkeys(names) if name in own]
        if not wanted:
            return
        hidden = [name for name in own if name not in wanted]
        for name in hidden:
            self.columns.hide(name)  # and not taken out, so that the list can still be sorted by it
        rest = iter([*wanted, *hidden])
        order: list[str] = list(self.sequence)
        self.sequence = [next(rest) if name in own else name for name in order]

    @property
    def child(self) -> str:
        """The account URL of what a row opens to, where there is such a column."""
        return next((bound.column.child for bound in self.columns if hasattr(bound.column, "child")), "")

    def cards_url(self) -> str:
        """The address of the style that names the columns on cards."""
        labels = enumerate((str(bound.header) for bound in self.columns), 1)
        return f"{reverse('cards')}?{urlencode([(str(place), label) for place, label in labels if label])}"

    def row_renderer(self, frame: Frame) -> Callable[[Any], str]:
        """One function from a record to its `<tr>`, made once for a page."""
        cells = [bound.column.compile(bound.name, frame) for bound in self.columns]
        row_id = f"row-{self._meta.model._meta.model_name}" if self._meta.model else "row"
        css_of = self.row_css

        def row(record: Any) -> str:
            css = css_of(record)
            marked = f' class="{css}"' if css else ""
            return f'<tr{marked} id="{row_id}-{record.pk}">{"".join([cell(record) for cell in cells])}</tr>'

        return row

    def row_css(self, record: Any) -> str:
        """The classes of a record's row."""
        return ""

    def rows_html(self, records: Iterable[Any], frame: Frame) -> SafeString:
        """The rows of one page; every column escapes its own value."""
        row = self.row_renderer(frame)
        return mark_safe("".join([row(record) for record in records]))  # noqa: S308

    @property
    def has_index(self) -> bool:
        """Whether the sort of this table is one for any number of rows."""
        names = {str(name).lstrip("-") for name in self.order_by}
        return not self.indexed or (len(names) == 1 and names <= self.indexed)

    def headers(self, query: QueryDict, fields: Mapping[str, str], *, is_long: bool = False) -> list[Header]:
        """The heads of the columns; `fields` maps a column's name to the drawn field of its filter.

        `is_long` says that there are more rows than a sort without an index is offered for.
        """
        refused = {bound.name for bound in self.columns if bound.orderable} - self.indexed
        refused = refused if is_long and self.indexed else set()
        why = str(_("Too many rows to sort by this: filter first."))
        return [
            Header(
                name=bound.name,
                label=str(bound.header),
                kind=getattr(bound.column, "kind", "text"),
                sort_url=self._sort_url(query, bound) if bound.orderable and bound.name not in refused else "",
                sorted=self._direction(bound),
                field=fields.get(bound.name, ""),
                why=why if bound.name in refused else "",
            )
            for bound in self.columns
        ]

    @staticmethod
    def _sort_url(query: QueryDict, bound: Any) -> str:
        return with_query(query, sort=str(bound.order_by_alias.next))

    @staticmethod
    def _direction(bound: Any) -> str:
        if not bound.is_ordered:
            return ""
        return "descending" if bound.order_by_alias.is_descending else "ascending"

    def csv_columns(self) -> list[tuple[str, Callable[[Any], str]]]:
        """What an export of this table holds: each text column's header and the function from a record to its text."""
        return [
            (str(bound.header), bound.column.compile_text(bound.name))
            for bound in self.columns
            if isinstance(bound.column, Column)
        ]


def with_query(query: QueryDict, /, **changes: str) -> str:
    """The query string with some parameters changed, back on the first page; an empty value removes its parameter."""
    gone = {"page", "after", "before", *changes}
    kept = [(name, value) for name, values in query.lists() if name not in gone for value in values]
    return f"?{urlencode(kept + [(name, value) for name, value in changes.items() if value])}"
