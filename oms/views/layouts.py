"""The dialogs of a list: which columns it shows, and saved views."""

from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from oms.access import AccountRequest, require_role
from oms.errors import DomainError
from oms.forms import SavedViewForm
from oms.models import EVERYONE, Role, SavedView
from oms.queries import layouts as queries
from oms.services import layouts as services
from oms.ui.actions import refusal
from oms.ui.filters import FaultyFilter
from oms.ui.layouts import COLUMNS, KEPT, OWN, PASSING, Layout, view_query, without
from oms.ui.views import TableView


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(EVERYONE)
def columns(request: AccountRequest) -> HttpResponse:
    """Choose which columns a list shows and in which order; a press on an arrow only draws the choice again."""
    page, table_page = _asked_list(request)
    labels = table_page.choosable()
    layout = Layout.of(request.user, page, _state(request, page))
    shown = [name for name in layout.columns if name in labels] or list(labels)
    order, what = [*shown, *(name for name in labels if name not in shown)], ""
    if request.method == "POST":
        asked = [name for name in dict.fromkeys(request.POST.getlist("order")) if name in labels]
        order = [*asked, *(name for name in labels if name not in asked)]
        shown, what = [name for name in order if name in request.POST.getlist("show")], request.POST.get("do", "save")
        if what == "reset" or (what == "save" and shown):
            services.choose_columns(person=request.user, page=page, columns=shown if what == "save" else [])
            return _back(request, page, **({COLUMNS: OWN} if layout.current else {}))
        order = _moved(order, what)
    context = {
        **_around(request, page, table_page, _("Columns")),
        "columns": [{"name": name, "label": labels[name], "is_shown": name in shown} for name in order],
        "moved": what,
        "has_none": what == "save",
    }
    return render(request, "ui/columns.html", context, status=422 if what == "save" else 200)


def _moved(order: list[str], what: str) -> list[str]:
    """The order after "up:name" or "down:name"."""
    step, _colon, name = what.partition(":")
    if name not in order or step not in {"up", "down"}:
        return order
    place = order.index(name)
    rest = order[:place] + order[place + 1 :]
    place = max(0, place + (-1 if step == "up" else 1))
    return [*rest[:place], name, *rest[place:]]


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(EVERYONE)
def view_new(request: AccountRequest) -> HttpResponse:
    """Save what a list shows now under a name."""
    page, table_page = _asked_list(request)
    form = SavedViewForm(request.POST or None, may_share=_may_share(request))
    state = _state(request, page)
    if request.method == "POST" and form.is_valid():
        layout = Layout.of(request.user, page, state)
        try:
            table_page.filtered(state, request.user)  # what cannot be used is not kept either
            made = services.save_view(
                person=request.user,
                page=page,
                query=without(state, *PASSING),
                columns=layout.columns,
                **form.cleaned_data,
            )
        except DomainError as error:
            form.add_error(None if isinstance(error, FaultyFilter) else "name", str(error))
        else:
            return _open(request, made, _("“%(name)s” is saved."))
    context = {**_around(request, page, table_page, _("Save this view")), "form": form, "submit_label": _("Save")}
    return render(request, "ui/view_form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(EVERYONE)
def view(request: AccountRequest, pk: int) -> HttpResponse:
    """Rename or share a view, or go on to deleting it."""
    found = get_object_or_404(queries.changeable_views(request.membership), pk=pk)
    initial = {"name": found.name, "is_shared": found.is_shared}
    form = SavedViewForm(request.POST or None, initial=initial, may_share=_may_share(request))
    if request.method == "POST" and form.is_valid():
        try:
            services.change_view(view=found, actor=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, _("“%(name)s” is saved.") % {"name": found.name})
            return _back(request, found.page)
    context = {**_around(request, found.page, _list(request, found.page), found.name), "form": form}
    context |= {"submit_label": _("Save"), "view": found}
    return render(request, "ui/view_form.html", context, status=422 if form.errors else 200)


@require_POST
@require_role(EVERYONE)
def view_update(request: AccountRequest, pk: int) -> HttpResponse:
    """Make a view what its list shows now."""
    found = get_object_or_404(queries.changeable_views(request.membership), pk=pk)
    state = _told_state(request, found.page)
    if state is None:
        messages.error(request, _("Nothing is changed: your browser did not say what the list shows."))
        return HttpResponseRedirect(f"{_list_url(request, found.page)}?{view_query(found)}")
    page = _list(request, found.page)
    layout = Layout.of(request.user, found.page, state)
    try:
        page.filtered(state, request.user)
        services.change_view(view=found, actor=request.user, query=without(state, *PASSING), columns=layout.columns)
    except DomainError as error:
        url = _list_url(request, found.page)
        return refusal(request, error, section=page.title, url=url, back=f"{url}?{state.urlencode()}")
    return _open(request, found, _("“%(name)s” is updated."))


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(EVERYONE)
def view_delete(request: AccountRequest, pk: int) -> HttpResponse:
    """Delete a view, after a question."""
    found = get_object_or_404(queries.changeable_views(request.membership), pk=pk)
    if request.method == "POST":
        page, state = found.page, _state(request, found.page)
        services.delete_view(view=found, actor=request.user)
        messages.success(request, _("“%(name)s” is deleted.") % {"name": found.name})
        return HttpResponseRedirect(f"{_list_url(request, page)}?{without(state, *KEPT)}".rstrip("?"))
    intro = (
        _("It is shared: the others lose it too.") if found.is_shared else _("The rows of the list stay as they are.")
    )
    context = {
        **_around(request, found.page, _list(request, found.page), _("Delete “%(name)s”") % {"name": found.name}),
        "intro": intro,
        "submit_label": _("Delete"),
        "submit_tone": "danger",
    }
    return render(request, "ui/view_form.html", context)


def _open(request: AccountRequest, found: SavedView, said: str) -> HttpResponse:
    """The list as a view shows it."""
    messages.success(request, said % {"name": found.name})
    return HttpResponseRedirect(f"{_list_url(request, found.page)}?{view_query(found)}")


def _back(request: AccountRequest, page: str, **more: str) -> HttpResponse:
    """The list as it was."""
    query = _state(request, page)
    query.update(more)
    return HttpResponseRedirect(f"{_list_url(request, page)}?{query.urlencode()}".rstrip("?"))


def _asked_list(request: AccountRequest) -> tuple[str, type[TableView]]:
    page = request.POST.get("list") or request.GET.get("list", "")
    return page, _list(request, page)


def _list(request: AccountRequest, page: str) -> type[TableView]:
    """The list of this name. Raises Http404 for what is no list, or one without layouts."""
    try:
        found = getattr(resolve(_list_url(request, page)).func, "table_view", None)
    except NoReverseMatch as error:
        raise Http404 from error
    if found is None or not found.has_layouts:
        raise Http404
    return found  # type: ignore[no-any-return]


def _list_url(request: AccountRequest, page: str) -> str:
    return reverse(page, kwargs={"account_slug": request.account.slug})


def _state(request: AccountRequest, page: str) -> QueryDict:
    """The query string of the list that the person is looking at; empty where nothing says it."""
    return _told_state(request, page) or QueryDict(mutable=True)


def _told_state(request: AccountRequest, page: str) -> QueryDict | None:
    """The query string of the list that the person is looking at: what the form carries, else where they come from;
    None where neither says it.

    A filter changes the address without a new page, so that no link on the page would know it.
    """
    if "state" in request.POST:
        return QueryDict(request.POST["state"], mutable=True)
    came = urlsplit(request.headers.get("Referer", ""))
    return QueryDict(came.query, mutable=True) if came.path == _list_url(request, page) else None


def _may_share(request: AccountRequest) -> bool:
    return request.membership.role != Role.VIEWER


def _around(request: AccountRequest, page: str, table_page: type[TableView], title: str) -> dict[str, Any]:
    state = _state(request, page).urlencode()
    return {
        "section_label": table_page.title,
        "section_url": _list_url(request, page),
        "page_title": title,
        "page_icon": table_page.icon,
        "fields": [("list", page), ("state", state)],
        "cancel_url": f"{_list_url(request, page)}?{state}".rstrip("?"),
    }
