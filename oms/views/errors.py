"""The pages for what went wrong. They need no database, no session and no context processor."""

import sys

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from oms.database.faults import WORDS, Fault, fault_of


def _page(request: HttpRequest, name: str, status: int, **context: str) -> HttpResponse:
    path = request.get_full_path() if request.method in {"GET", "HEAD"} else request.META.get("HTTP_REFERER", "/")
    return HttpResponse(render_to_string(f"errors/{name}.html", {"path": path, **context}), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: the request itself cannot be understood (a forged host, too many fields)."""
    return _page(request, "400", 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: a member, whose role may not do this."""
    return _page(request, "403", 403, reason=str(exception))


def too_large(request: HttpRequest) -> HttpResponse:
    """413: more than who sends it may send; it was not read."""
    return _page(request, "413", 413)


def address_too_long(request: HttpRequest) -> HttpResponse:
    """414: an address that no page of ours makes."""
    return HttpResponse(render_to_string("errors/414.html", {"path": "/"}), status=414)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: the form is too old, or was sent from another site."""
    response = _page(request, "403_csrf", 403)
    response["X-Form-Too-Old"] = "1"  # for dialogs, which can get themselves another token
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: nothing here, or nothing that this person may know of; both look the same."""
    return _page(request, "404", 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 where the database or its disk is the reason: what failed, that nothing was lost, Try again."""
    error = sys.exc_info()[1]
    fault = Fault.AWAY if isinstance(error, ImproperlyConfigured) else fault_of(error)
    if fault is None:
        return _page(request, "500", 500)
    response = _page(request, "503", 503, reason=str(WORDS[fault]), fault=fault.value)
    response["Retry-After"] = "10"
    return response
