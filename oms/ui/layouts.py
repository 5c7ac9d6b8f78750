"""What a person made of a list: the columns it shows them, and the menu of saved views.

Which view is open stands in the address as `view`; `columns=own` beside it means that its columns were changed since.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from oms.access import AccountRequest
from oms.models import Person, SavedView
from oms.queries import layouts as queries

VIEW, COLUMNS, OWN = "view", "columns", "own"
KEPT = (VIEW, COLUMNS)
PASSING = ("page", "after", "before", "format", *KEPT)
"""What is in the address of a list but no part of a view."""


@dataclass(frozen=True)
class Layout:
    """How one list looks to one person. No columns: all of them."""

    page: str
    columns: list[str]
    views: list[SavedView]
    current: SavedView | None

    @classmethod
    def of(cls, person: Person, page: str, query: QueryDict, *, has_menu: bool = True) -> "Layout":
        """The layout that a query string asks for. A view that the person may not open is none.

        Without the menu, only the view that is open is looked for.
        """
        views = list(queries.visible_views(person, page)) if has_menu or VIEW in query else []
        current = next((view for view in views if str(view.pk) == query.get(VIEW)), None)
        if current and query.get(COLUMNS) != OWN:
            return cls(page, current.columns, views, current)
        return cls(page, queries.chosen_columns(person, page), views, current)

    def columns_button(self, request: AccountRequest) -> dict[str, Any]:
        """The button that opens the choice of columns."""
        url = _url(request, "columns", list=self.page)
        return {"label": _("Columns"), "icon": "columns", "url": url, "is_dialog": True}

    def views_menu(self, request: AccountRequest) -> dict[str, Any]:
        """The menu of views, for components/actions.html."""
        items = [
            {"label": _("Without a view"), "icon": "list", "url": request.path, "is_current": self.current is None}
        ]
        items += [
            {
                "label": view.name if view.person_id == request.user.pk else f"{view.name} · {view.person}",
                "icon": "users" if view.is_shared else "user",
                "url": f"?{view_query(view)}",
                "is_current": view == self.current,
            }
            for view in self.views
        ]
        new = _url(request, "view_new", list=self.page)
        items.append({"label": _("Save this view…"), "icon": "plus", "url": new, "is_dialog": True, "starts": True})
        if self.current and queries.changeable_views(request.membership).filter(pk=self.current.pk).exists():
            update, edit = (_url(request, route, pk=self.current.pk) for route in ("view_update", "view"))
            name = {"name": self.current.name}
            items += [
                {"label": _("Update “%(name)s”") % name, "icon": "refresh", "url": update, "posts": True},
                {"label": _("Rename, share or delete…"), "icon": "pencil", "url": edit, "is_dialog": True},
            ]
        label = self.current.name if self.current else _("Views")
        return {"label": label, "icon": "list", "items": items}


def view_query(view: SavedView) -> str:
    """The query string that opens a view."""
    return f"{view.query}&{urlencode({VIEW: view.pk})}".lstrip("&")


def without(query: QueryDict, *names: str) -> str:
    """A query string without some of its parameters."""
    left = query.copy()
    for name in names:
        left.pop(name, None)
    return left.urlencode()


def _url(request: AccountRequest, route: str, *, pk: int | None = None, **query: str) -> str:
    kwargs = {"account_slug": request.account.slug, **({"pk": pk} if pk else {})}
    return reverse(route, kwargs=kwargs) + (f"?{urlencode(query)}" if query else "")
