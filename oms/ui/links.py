"""Addresses of documents that a row names by their number, such as ProcessID and Order#."""

from functools import lru_cache
from urllib.parse import quote_plus

from django.urls import NoReverseMatch, reverse

# Process type → account URLs, the first that exists, and the parameter that takes the number. A page of its own finds
# exactly one document; the list's search shows it among others.
_ROUTES = {
    "order": (("order_find", "number"),),
    "replenishment": (("replenishment_find", "number"), ("replenishments", "q")),
}


@lru_cache(maxsize=512)
def _address(process_type: str, account_slug: str) -> tuple[str, str]:
    """The address and the parameter for one kind of process; empty where no page shows it."""
    for route, parameter in _ROUTES.get(process_type, ()):
        try:
            return reverse(route, kwargs={"account_slug": account_slug}), parameter
        except NoReverseMatch:  # that app is not installed, or has no such page
            continue
    return "", ""


def document_url(account_slug: str, process_type: str, number: str) -> str:
    """Where the document with this number is shown; empty where nothing shows it."""
    address, parameter = _address(process_type, account_slug) if number else ("", "")
    return f"{address}?{parameter}={quote_plus(number)}" if address else ""
