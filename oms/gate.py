"""What a request may weigh, asked before anything of it is read.

A body waits in a file of the web server until here (oms/webserver.py caps it); what is refused here is never parsed.
Who is not signed in sends little, and files come from those who are. A view that others may send more to says so.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from oms.views import errors

MOST_OF_ANYBODY = 64 * 1024
MOST_URL = 8_000
View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def takes_up_to(most: int) -> Callable[[View], View]:
    """Let anybody send a view up to `most` bytes, signed in or not."""

    def declare(view: View) -> View:
        view.most_bytes = most  # type: ignore[attr-defined]
        return view

    return declare


class GateMiddleware:
    """Answers 414 to an address, and 413 to a body, that is longer than who sends it may send."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer of the rest, or a refusal."""
        if len(request.get_full_path()) > MOST_URL:
            return errors.address_too_long(request)
        length = _length(request)
        if length > MOST_OF_ANYBODY and length > _most(request):
            return errors.too_large(request)
        return self.get_response(request)


def _length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:  # Django reads nothing then
        return 0


def _most(request: HttpRequest) -> int:
    """How many bytes this request may hold, above MOST_OF_ANYBODY."""
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if key and request.content_type != "multipart/form-data":
        # Not only who is signed in: what somebody typed must come back to them when their session has ended.
        most: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    elif key and _is_signed_in(key):
        most = settings.LOTLINE_MOST_BODY
    else:
        most = 0
    return max(most, _declared(request))


def _is_signed_in(key: str) -> bool:
    store = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return SESSION_KEY in store


def _declared(request: HttpRequest) -> int:
    try:
        return getattr(resolve(request.path_info).func, "most_bytes", 0)
    except Resolver404:
        return 0
