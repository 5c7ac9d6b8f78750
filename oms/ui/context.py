"""What templates of the kit are given: domain objects turned into words and links."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from oms.access import AccountRequest
from oms.errors import Blocker


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
