"""Sync → Connections: the list, one connection, adding and changing it, testing it, asking it now."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from channels_sync.contract import Adapter, BaseConfigForm
from channels_sync.filters import ConnectionFilter
from channels_sync.forms import AskFromForm, ConnectionForm, config_form
from channels_sync.models import Condition, Connection, RunState
from channels_sync.queries import lists
from channels_sync.registry import all_adapters
from channels_sync.services import connections as services
from channels_sync.services.adapters import opened
from channels_sync.tables import CONDITION_TONES, RUN_TONES, ConnectionTable, system_name
from channels_sync.vault import HIDDEN
from channels_sync.views.handing_out import SyncList, handing_out
from oms.access import AccountRequest, give_back_connection, require_role, waits_outside
from oms.errors import DomainError
from oms.models import ADMINS, EVERYONE, OFFICE
from oms.tenancy import account_context
from oms.ui.audit import timeline
from oms.ui.views import Empty, PageAction


class ConnectionList(SyncList):
    """Sync → Connections."""

    queryset = staticmethod(lists.connections)
    table_class = ConnectionTable
    filterset_class = ConnectionFilter
    title, section, icon = gettext_lazy("Connections"), gettext_lazy("Sync"), "plug"
    noun = staticmethod(lambda count: ngettext("connection", "connections", count))
    empty = Empty(
        "plug",
        gettext_lazy("No connections yet"),
        gettext_lazy(
            "A connection tells a warehouse system which goods to expect, and brings back what it received. "
            "Without one a warehouse is run on Lotline's own scan pages."
        ),
    )
    primary = PageAction(gettext_lazy("Add connection"), "plus", "connection_new", ADMINS)


connection_list = ConnectionList.page(EVERYONE)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@require_role(ADMINS)
def connection_new(request: AccountRequest) -> HttpResponse:
    """Choose a system, then say how to reach it."""
    kind = request.GET.get("kind", "")
    if not kind:
        context = {**_around(request), "page_title": _("Add connection"), "systems": lists.systems()}
        return render(request, "sync/systems.html", context)
    adapter = _adapter(kind)
    form, config = ConnectionForm(request.POST or None, adapter=adapter), config_form(adapter, request.POST or None)
    if request.method == "POST" and form.is_valid() & config.is_valid():
        try:
            made = services.add(kind=kind, given=form.given(config.cleaned_data), actor=request.user)
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("%(name)s is connected. Test it to be sure.") % {"name": made.name})
            return redirect("connection", account_slug=request.account.slug, pk=made.pk)
    return _form_page(request, form, config, _("Add %(system)s") % {"system": adapter.label})


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@require_role(ADMINS)
def connection_edit(request: AccountRequest, pk: int) -> HttpResponse:
    """Change a connection."""
    found = get_object_or_404(lists.connections(), pk=pk)
    adapter = _adapter(found.kind)
    form = ConnectionForm(request.POST or None, adapter=adapter, instance=found)
    config = config_form(adapter, request.POST or None, found)
    if request.method == "POST" and form.is_valid() & config.is_valid():
        version, given = form.cleaned_data["version"] or 0, form.given(config.cleaned_data)
        try:
            services.change(connection_id=pk, version=version, given=given, actor=request.user)
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("%(name)s is saved.") % {"name": given.name})
            return redirect("connection", account_slug=request.account.slug, pk=pk)
    return _form_page(request, form, config, _("Change %(name)s") % {"name": found.name})


@require_safe
@require_role(EVERYONE)
def connection(request: AccountRequest, pk: int) -> HttpResponse:
    """A connection: whether it works, what it passes through, what it did."""
    found = get_object_or_404(lists.connections(), pk=pk)
    adapter = all_adapters().get(found.kind)
    tone, said = CONDITION_TONES[found.condition], handing_out()
    context = {
        **_around(request),
        **said,
        "page_title": found.name,
        "status": {"label": found.condition.label, "tone": tone.tone, "shape": tone.shape},
        "connection": found,
        "facts": _facts(found, said["handed_out"]),
        "options": lists.options(adapter, found.options) if adapter else [],
        "limits": adapter.limits if adapter else (),
        "cursors": lists.cursors(found),
        "runs": [(run, RUN_TONES[RunState(run.state)]) for run in lists.last_runs(found)],
        "history": timeline(lists.history(found)),
        **_actions(request, found),
    }
    return render(request, "sync/connection.html", context)


@require_POST
@waits_outside
@require_role(ADMINS)
def connection_test(request: AccountRequest, pk: int) -> HttpResponse:
    """Call the other side and say what it answered; it may take its time, so nothing is held meanwhile."""
    with account_context(request.account):
        found = opened(get_object_or_404(Connection, pk=pk))
    give_back_connection()
    tested = services.test(found)
    if tested.is_good:
        messages.success(request, _("It works. %(words)s") % {"words": tested.words})
    else:
        messages.error(request, _("It does not work yet. %(words)s") % {"words": tested.words})
    return redirect("connection", account_slug=request.account.slug, pk=pk)


@require_POST
@require_role(OFFICE)
def connection_ask(request: AccountRequest, pk: int) -> HttpResponse:
    """Send and ask now, not at the next turn."""
    found = get_object_or_404(Connection, pk=pk)
    try:
        services.ask_now(connection_id=pk)
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(name)s is being asked now.") % {"name": found.name})
    return redirect("connection", account_slug=request.account.slug, pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(ADMINS)
def connection_ask_from(request: AccountRequest, pk: int) -> HttpResponse:
    """Read again what changed since a day."""
    found = get_object_or_404(Connection, pk=pk)
    form = AskFromForm(request.POST or None)
    own_url = reverse("connection", kwargs={"account_slug": request.account.slug, "pk": pk})
    if request.method == "POST" and form.is_valid():
        try:
            services.ask_from(connection_id=pk, since=form.cleaned_data["since"], actor=request.user)
        except DomainError as error:
            form.add_error("since", str(error))
        else:
            messages.success(request, _("%(name)s is being read again.") % {"name": found.name})
            return redirect(own_url)
    context = {
        **_around(request),
        "page_title": _("Read %(name)s again") % {"name": found.name},
        "form": form,
        "submit_label": _("Read again"),
        "cancel_url": own_url,
    }
    return render(request, "ui/form.html", context, status=422 if form.errors else 200)


def _adapter(kind: str) -> type[Adapter]:
    adapter = all_adapters().get(kind)
    if adapter is None:
        raise Http404
    return adapter


def _form_page(request: AccountRequest, form: ConnectionForm, config: BaseConfigForm, title: str) -> HttpResponse:
    context = {
        **_around(request),
        "page_title": title,
        "form": form,
        "config_form": config,
        "submit_label": _("Save connection"),
        "cancel_url": reverse("connections", kwargs={"account_slug": request.account.slug}),
    }
    return render(request, "sync/connection_form.html", context, status=422 if form.errors or config.errors else 200)


def _around(request: AccountRequest) -> dict[str, Any]:
    list_url = reverse("connections", kwargs={"account_slug": request.account.slug})
    return {"section_label": _("Connections"), "section_url": list_url, "page_icon": "plug"}


def _actions(request: AccountRequest, found: Connection) -> dict[str, Any]:
    address = {"account_slug": request.account.slug, "pk": found.pk}
    is_admin, is_off = request.membership.role in ADMINS, found.condition == Condition.OFF
    return {
        "edit_url": reverse("connection_edit", kwargs=address) if is_admin else "",
        "test_url": reverse("connection_test", kwargs=address) if is_admin else "",
        "ask_from_url": reverse("connection_ask_from", kwargs=address) if is_admin and not is_off else "",
        "ask_url": reverse("connection_ask", kwargs=address)
        if request.membership.role in OFFICE and not is_off
        else "",
    }


def _facts(found: Connection, handed_out: str) -> list[dict[str, Any]]:
    cls = all_adapters().get(found.kind)
    fields = cls.ConfigForm.base_fields if cls else {}
    settings = [
        {"label": field.label, "value": found.config.get(name, ""), "is_mono": True}
        if name not in cls.ConfigForm.secret_fields
        else {"label": field.label, "value": HIDDEN if found.secrets else ""}
        for name, field in fields.items()
        if cls
    ]
    return [
        {"label": _("System"), "value": system_name(found.kind)},
        {"label": _("Warehouse"), "value": str(found.link) if found.link else ""},
        *settings,
        {"label": _("Default bin"), "value": str(found.default_bin or ""), "is_mono": True},
        {"label": _("Asked every"), "value": _("%(seconds)s seconds") % {"seconds": found.seconds}},
        {"label": _("Work last handed out"), "value": handed_out},
    ]
