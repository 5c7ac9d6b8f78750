"""Sync → Runs and Messages: what went out and came in, and what people do about what did not get through."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from channels_sync.filters import DeliveryFilter, InboundFilter, RunFilter
from channels_sync.forms import ReasonForm
from channels_sync.models import Connection, Delivery, DeliveryState, InboundMessage, InboundState
from channels_sync.queries import lists
from channels_sync.services import applying, outgoing
from channels_sync.tables import DELIVERY_TONES, INBOUND_TONES, DeliveryTable, InboundTable, RunTable
from channels_sync.vault import redacted
from channels_sync.views.handing_out import SyncList
from oms.access import AccountRequest, require_role
from oms.errors import DomainError
from oms.models import EVERYONE, OFFICE
from oms.ui.audit import timeline
from oms.ui.views import Empty

SYNC = gettext_lazy("Sync")
LOOK_FIRST = gettext_lazy(
    "Look first: a backup was restored, so this may have arrived already. Its document is looked for before it is sent."
)
MOST_SHOWN = 100_000
"""Characters of a payload on its page."""


class RunList(SyncList):
    """Sync → Runs."""

    queryset = staticmethod(lists.runs)
    table_class = RunTable
    filterset_class = RunFilter
    title, section, icon = gettext_lazy("Sync runs"), SYNC, "sync"
    noun = staticmethod(lambda count: ngettext("run", "runs", count))
    empty = Empty(
        "sync",
        gettext_lazy("Nothing was synced yet"),
        gettext_lazy(
            "Each time a connection sends or asks, a line appears here with what it found and how long it took."
        ),
    )


class DeliveryList(SyncList):
    """Sync → Messages out."""

    queryset = staticmethod(lists.deliveries)
    table_class = DeliveryTable
    filterset_class = DeliveryFilter
    title, section, icon = gettext_lazy("Messages out"), SYNC, "upload"
    noun = staticmethod(lambda count: ngettext("message", "messages", count))
    empty = Empty(
        "upload",
        gettext_lazy("Nothing was sent yet"),
        gettext_lazy("Submit a replenishment for a connected warehouse, and its purchase order goes out from here."),
    )


class InboundList(SyncList):
    """Sync → Messages in."""

    queryset = staticmethod(lists.inbound)
    table_class = InboundTable
    filterset_class = InboundFilter
    title, section, icon = gettext_lazy("Messages in"), SYNC, "inbox"
    noun = staticmethod(lambda count: ngettext("message", "messages", count))
    empty = Empty(
        "inbox",
        gettext_lazy("Nothing came in yet"),
        gettext_lazy("What connected systems send is kept here exactly as it came, before anything is done with it."),
    )


run_list = RunList.page(EVERYONE)
delivery_list = DeliveryList.page(EVERYONE)
inbound_list = InboundList.page(EVERYONE)


@require_safe
@require_role(EVERYONE)
def message_out(request: AccountRequest, pk: int) -> HttpResponse:
    """A message out: what is sent, what was answered."""
    found = get_object_or_404(Delivery.objects.select_related("connection", "closed_by"), pk=pk)
    facts = [
        {
            "label": _("Connection"),
            "value": found.connection.name,
            "url": _url(request, "connection", found.connection_id),
        },
        {"label": _("Message"), "value": found.get_action_display()},
        {"label": _("Document"), "value": found.label, "is_mono": True},
        {"label": _("Their number"), "value": found.remote_id, "is_mono": True},
        {"label": _("Tries"), "value": str(found.attempts)},
        {"label": _("Key"), "value": found.key, "is_mono": True},
    ]
    context = {
        **_around(request, "messages_out", _("Messages out"), "upload"),
        "page_title": str(found),
        "status": _status(DeliveryState(found.state).label, DELIVERY_TONES[DeliveryState(found.state)]),
        "facts": facts,
        "notes": [*found.notes, *([LOOK_FIRST] if found.look_first and not found.is_over else [])],
        "payload": _pretty(found.payload),
        **_ways(request, found, "message_out", may=found.state in {DeliveryState.FAILED, DeliveryState.WAITING}),
    }
    return render(request, "sync/message.html", context)


@require_safe
@require_role(EVERYONE)
def message_in(request: AccountRequest, pk: int) -> HttpResponse:
    """A message in: what came, and what became of it."""
    found = get_object_or_404(InboundMessage.objects.select_related("connection", "closed_by"), pk=pk)
    facts = [
        {
            "label": _("Connection"),
            "value": found.connection.name,
            "url": _url(request, "connection", found.connection_id),
        },
        {"label": _("Message"), "value": found.get_stream_display()},
        {"label": _("Their number"), "value": found.external_id, "is_mono": True},
        {"label": _("Version"), "value": str(found.version)},
    ]
    context = {
        **_around(request, "messages_in", _("Messages in"), "inbox"),
        "page_title": str(found),
        "status": _status(InboundState(found.state).label, INBOUND_TONES[InboundState(found.state)]),
        "facts": facts,
        "payload": _pretty(found.raw),
        **_ways(request, found, "message_in", may=found.state in {InboundState.DISCREPANCY, InboundState.NEW}),
    }
    return render(request, "sync/message.html", context)


@require_POST
@require_role(OFFICE)
def message_out_replay(request: AccountRequest, pk: int) -> HttpResponse:
    """Send a failed message again."""
    get_object_or_404(Delivery, pk=pk)
    try:
        outgoing.replay(delivery_id=pk, actor=request.user)
    except DomainError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("It is sent again."))
    return redirect("message_out", account_slug=request.account.slug, pk=pk)


@require_POST
@require_role(OFFICE)
def message_in_replay(request: AccountRequest, pk: int) -> HttpResponse:
    """Apply a message again."""
    get_object_or_404(InboundMessage, pk=pk)
    try:
        state = applying.replay(message_id=pk, actor=request.user)
    except DomainError as error:
        messages.warning(request, str(error))
    else:
        if state == InboundState.DISCREPANCY:
            messages.warning(request, _("It still cannot be applied as a whole: see the discrepancies."))
        else:
            messages.success(request, _("It is applied."))
    return redirect("message_in", account_slug=request.account.slug, pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def message_out_close(request: AccountRequest, pk: int) -> HttpResponse:
    """Never send a message, for a reason."""
    found = get_object_or_404(Delivery, pk=pk)
    return _close(
        request,
        "message_out",
        pk,
        str(found),
        lambda reason: outgoing.close(delivery_id=pk, reason=reason, actor=request.user),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def message_in_close(request: AccountRequest, pk: int) -> HttpResponse:
    """Never apply a message, for a reason."""
    found = get_object_or_404(InboundMessage, pk=pk)
    return _close(
        request,
        "message_in",
        pk,
        str(found),
        lambda reason: applying.close(message_id=pk, reason=reason, actor=request.user),
    )


def _close(request: AccountRequest, route: str, pk: int, title: str, close: Callable[[str], Any]) -> HttpResponse:
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            close(form.cleaned_data["reason"])
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The message is closed."))
            return redirect(route, account_slug=request.account.slug, pk=pk)
    context = {
        "section_label": title,
        "section_url": _url(request, route, pk),
        "page_title": _("Close message"),
        "form": form,
        "submit_label": _("Close message"),
        "submit_tone": "danger",
        "cancel_url": _url(request, route, pk),
    }
    return render(request, "ui/form.html", context, status=422 if form.errors else 200)


def _ways(request: AccountRequest, found: Delivery | InboundMessage, route: str, *, may: bool) -> dict[str, Any]:
    """What went wrong, what a person may do about it, and what was done."""
    may = may and request.membership.role in OFFICE
    kind = "message out" if route == "message_out" else "message in"
    return {
        "message": found,
        "replay_url": _url(request, f"{route}_replay", found.pk) if may else "",
        "close_url": _url(request, f"{route}_close", found.pk) if may else "",
        "history": timeline(lists.message_history(kind, found.pk)),
    }


def _connection(request: AccountRequest, found: Connection) -> dict[str, Any]:
    return {"label": _("Connection"), "value": found.name, "url": _url(request, "connection", found.pk)}


def _url(request: AccountRequest, route: str, pk: int) -> str:
    return reverse(route, kwargs={"account_slug": request.account.slug, "pk": pk})


def _around(request: AccountRequest, route: str, label: str, icon: str) -> dict[str, Any]:
    address = reverse(route, kwargs={"account_slug": request.account.slug})
    return {"section_label": label, "section_url": address, "page_icon": icon}


def _status(label: Any, tone: Any) -> dict[str, Any]:
    return {"label": label, **asdict(tone)}


def _pretty(value: Any) -> str:
    """A payload for people, without secrets."""
    return json.dumps(redacted(value), indent=2, ensure_ascii=False, sort_keys=True)[:MOST_SHOWN]
