"""What every answer carries, whatever view made it: whether a browser may keep it, and compression."""

from collections.abc import Callable
from typing import TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

ResponseT = TypeVar("ResponseT", bound=HttpResponseBase)


class NoStoreMiddleware:
    """Answers that say nothing of caches are kept by none: the next person at this computer must not find them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer of the rest, with Cache-Control."""
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class CompressionMiddleware(GZipMiddleware):
    """Compresses what a browser shows. Files are sent as they are: a reader of a long one sees how much is left.

    A page with a link that lets somebody in is not compressed, so that its size says nothing of the link
    (https://breachattack.com).
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """See the class."""
        if getattr(response, "holds_secret", False) or response.get("Content-Disposition", "").startswith("attachment"):
            return response
        return super().process_response(request, response)


def without_compression(response: ResponseT) -> ResponseT:
    """Mark an answer that holds a secret."""
    response.holds_secret = True  # type: ignore[attr-defined]
    return response
