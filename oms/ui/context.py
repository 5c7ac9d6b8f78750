"""What templates of the kit are given: domain objects turned into words and links."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _, gettext_lazy

from oms.access import AccountRequest
from oms.errors import Blocker
from oms.models import AuditEntry
from oms.ui.columns import when

ACTIONS = {
    "create": gettext_lazy("Created"),
    "change": gettext_lazy("Changed"),
    "add": gettext_lazy("Added"),
    "remove": gettext_lazy("Removed"),
}


def blocker_links(request: AccountRequest, blockers: Iterable[Blocker]) -> list[dict[str, Any]]:
    """Blockers for components/blockers.html, their routes turned into addresses of this account."""
    return [
        {"text": blocker.text, "how": blocker.how, "link_label": blocker.link_label, "url": _address(request, blocker)}
        for blocker in blockers
    ]


def _address(request: AccountRequest, blocker: Blocker) -> str:
    if not blocker.route:
        return ""
    url = reverse(blocker.route, kwargs={"account_slug": request.account.slug, **blocker.kwargs})
    return f"{url}?{urlencode(blocker.query)}" if blocker.query else url


def said(value: Any) -> str:
    """A value of an audit row in words."""
    return _("nothing") if value in (None, "") else str(value)


def audit_timeline(entries: Iterable[AuditEntry]) -> list[dict[str, Any]]:
    """Audit rows for components/timeline.html."""
    now = timezone.now()
    return [
        {
            "text": ACTIONS.get(entry.action, entry.action),
            "who": entry.actor or _("Lotline"),
            "when": entry.at,
            "when_text": when(entry.at, now),
            "detail": "; ".join(
                f"{name}: {said(before)} → {said(after)}" for name, (before, after) in entry.changes.items()
            ),
        }
        for entry in entries
    ]
