"""CSV files that a person is sent at once; large ones are made by a job and kept (oms.files)."""

from collections.abc import Callable, Iterable, Iterator

from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone

from oms.access import AccountRequest, stream_in_account
from oms.csvio import CONTENT_TYPE


def csv_file(name: str, pieces: Iterable[bytes]) -> HttpResponse:
    """A small file, made within the request."""
    return HttpResponse(b"".join(pieces), content_type=CONTENT_TYPE, headers=_named(name))


def csv_stream(request: AccountRequest, name: str, make: Callable[[], Iterable[bytes]]) -> StreamingHttpResponse:
    """A file of any length, made while it is sent: in the request's account and in its reader's time zone."""
    zone = timezone.get_current_timezone()

    def pieces() -> Iterator[bytes]:
        with timezone.override(zone):
            yield from make()

    return StreamingHttpResponse(
        stream_in_account(request.account, pieces), content_type=CONTENT_TYPE, headers=_named(name)
    )


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
