"""The only way out to the network: what adapters use to talk to a vendor.

    with HttpClient(url, headers={"Authorization": f"Bearer {token}"}, seconds=40) as http:
        answer = http.get("/receipts", params={"updated_since": …})

It retries what may be retried, honours Retry-After, follows no redirect, reads no more than MOST_BYTES, verifies TLS,
and connects to public addresses only, besides those that the operator allows (settings.LOTLINE_PRIVATE_HOSTS). What
goes wrong comes out as Retry, Rejected or Misconfigured.
"""

import ipaddress
import json
import logging
import random
import socket
import ssl
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

import httpcore
import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from channels_sync.contract import Misconfigured, NotAllowed, Rejected, Retry

MOST_BYTES = 10 * 1024 * 1024
MOST_TRIES = 3
CONNECT_SECONDS, READ_SECONDS = 5.0, 15.0
FIRST_WAIT, LONGEST_PAUSE = 0.3, 5.0
"""Seconds between two tries of one request: the first wait, and the longest for which a worker is kept."""
LONGEST_ASKED = 86_400.0
"""Seconds; whatever a vendor asks for, we look again after a day."""
PIECE = 16 * 1024
NO_RIGHT = {401, 403}
SHOWN = 300
NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            *("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96"),  # an IPv4 address: compatible, mapped, translated
            *("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"),  # a way to one: NAT64, 6to4, Teredo
            "fec0::/10",  # site-local
        ),
    )
)
"""What Python takes for global although it is, or may lead to, an address inside."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What the other side said; `data` is its JSON, None for an empty body."""

    status: int
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpClient:
    """Requests to one vendor at `base_url`; not for several threads. A context: leaving it closes the connections.

    `headers` (access data among them) go to the origin of `base_url` only: a link of the vendor may lead elsewhere.
    `date` is what the other side's clock said in its first answer, None before that, or where it does not say.

    Args:
        seconds: what all requests together may take, beyond it Retry is raised. What happens between them is our own
            time, and is not counted.
        pause: the shortest time between two requests in seconds, where the vendor limits them.
    """

    date: datetime | None = None

    def __init__(
        self, base_url: str, *, headers: Mapping[str, str] | None = None, seconds: float = 40.0, pause: float = 0.0
    ) -> None:
        self._left, self._until = seconds, 0.0
        self._pause, self._free_at = pause, 0.0
        self._own_headers = frozenset(headers or {})
        self._guarded = _Guarded()
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"User-Agent": "Lotline", "Accept": "application/json", **(headers or {})},
            transport=self._guarded,
            follow_redirects=False,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, *, params: Mapping[str, Any] | None = None, accept: Collection[int] = ()) -> Answer:
        """Ask for something; retried where that may help. A status in `accept` is an answer, not an error."""
        return self.request("GET", path, params=params, accept=accept, is_repeatable=True)

    def post(
        self,
        path: str,
        body: Any,
        *,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
        is_repeatable: bool = False,
    ) -> Answer:
        """Send JSON. `is_repeatable`: the vendor takes it once however often it is sent (it has an idempotency key)."""
        return self.request("POST", path, body=body, headers=headers, accept=accept, is_repeatable=is_repeatable)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
        is_repeatable: bool = False,
    ) -> Answer:
        """One request with its retries.

        Raises Retry where the other side is away, slow, busy (429, 5xx) or its answer broke off; Misconfigured for 401,
        403 (as NotAllowed), a redirect, a bad certificate or a refused address; Rejected for any other status from 400
        on.
        """
        self._until = self._guarded.deadline.until = time.monotonic() + self._left
        what = f"{method} {path.partition('?')[0]}"
        try:
            for tried in range(1, MOST_TRIES + 1):
                try:
                    return _judged(self._once(method, path, params, body, headers), accept, what)
                except Retry as error:
                    wait = self._wait(tried, error.after)
                    # A worker never waits long for one vendor: others want it too. So a silent one is not asked again.
                    is_silent = isinstance(error.__cause__, httpx.TimeoutException)
                    if tried == MOST_TRIES or not is_repeatable or is_silent or not self._may_wait(wait):
                        raise
                    time.sleep(wait)
            raise Retry  # not reached: the last try raises
        finally:
            self._left = self._until - time.monotonic()

    def _may_wait(self, seconds: float) -> bool:
        return seconds <= LONGEST_PAUSE and time.monotonic() + seconds <= self._until

    @staticmethod
    def _wait(tried: int, asked: float | None) -> float:
        """Seconds before the next try: what was asked for, else longer and longer, with jitter."""
        if asked is not None:
            return asked
        return float(min(FIRST_WAIT * 2**tried, LONGEST_PAUSE) * random.uniform(0.5, 1.0))  # noqa: S311

    def _once(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: Any, headers: Mapping[str, str] | None
    ) -> Answer:
        left = self._until - time.monotonic()
        if left <= 0:
            raise Retry(_("The other side took too long."))
        time.sleep(max(0.0, min(left, self._free_at - time.monotonic())))
        self._free_at = time.monotonic() + self._pause
        started = time.monotonic()
        limits = httpx.Timeout(min(READ_SECONDS, left), connect=min(CONNECT_SECONDS, left))
        try:
            request = self._client.build_request(
                method, path, params=_clean(params), json=body, headers=headers, timeout=limits
            )
            self._keep_to_ourselves(request, headers or {})
            with closing(self._client.send(request, stream=True)) as response:
                content = self._read(response)
        except httpx.TimeoutException as error:
            raise Retry(_("The other side did not answer in time.")) from error
        except httpx.TransportError as error:
            raise _unreachable(error) from error
        except httpx.InvalidURL as error:
            raise Misconfigured(_("The address is not one that can be called.")) from error
        finally:
            # The path only: a query may hold what must not be in a log.
            took = 1e3 * (time.monotonic() - started)
            log.info("%s %s %s took %.0f ms", method, self._client.base_url.host, path.partition("?")[0], took)
        self.date = self.date or _moment(response.headers.get("date", ""))
        return Answer(response.status_code, _parsed(response, content), response.headers)

    def _keep_to_ourselves(self, request: httpx.Request, headers: Mapping[str, str]) -> None:
        """Take what is for the connection's own origin out of a request to another one."""
        if _origin(request.url) != _origin(self._client.base_url):
            for name in {*self._own_headers, *headers}:
                request.headers.pop(name, None)

    def _read(self, response: httpx.Response) -> bytes:
        pieces, size = [], 0
        for piece in response.iter_bytes():
            size += len(piece)
            if size > MOST_BYTES:
                raise Rejected(_("The answer is longer than %(most)s MB.") % {"most": MOST_BYTES // 1024 // 1024})
            pieces.append(piece)
        return b"".join(pieces)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _moment(value: str) -> datetime | None:
    """What a header says of a moment (RFC 9110, 5.6.7); None where it says none."""
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC)


def _clean(params: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {key: value for key, value in params.items() if value not in (None, "")} if params else None


def _parsed(response: httpx.Response, content: bytes) -> Any:
    """The JSON of an answer. An error page that is not JSON is a text; a good answer that is none is a fault."""
    if not content.strip():
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        if response.status_code >= 400:
            return content[:SHOWN].decode("utf-8", "replace")
        raise Retry(_("The answer is not JSON; something else may stand at this address.")) from error


def _judged(answer: Answer, accept: Collection[int], what: str) -> Answer:
    status = answer.status
    if status < 300 or status in accept:
        return answer
    words = {"what": what, "status": status, "said": _said(answer.data)}
    answered = (_("%(what)s was answered with %(status)s. %(said)s") % words).strip()
    if status == 429 or status >= 500:
        raise Retry(answered, after=_retry_after(answer.headers))
    if status < 400:
        raise Misconfigured(_("%(what)s leads elsewhere (%(status)s): use the address that it leads to.") % words)
    if status in NO_RIGHT:
        refused = _("%(what)s was refused (%(status)s): check the access data and rights. %(said)s") % words
        raise NotAllowed(refused.strip())
    raise Rejected(answered)


def _said(data: Any) -> str:
    """The words of an error, short."""
    if isinstance(data, Mapping):
        data = next((data[key] for key in ("error", "message", "detail", "title") if data.get(key)), data)
    text = data if isinstance(data, str) else json.dumps(data, default=str)
    return "" if data is None else text[:SHOWN]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that Retry-After asks for, a number or a date (RFC 9110, 10.2.3); None where it says nothing useful."""
    value = headers.get("retry-after", "").strip()
    if value.replace(".", "", 1).isdecimal():
        return min(float(value), LONGEST_ASKED)
    at = _moment(value)
    if at is None:
        return None
    seconds = (at - datetime.now(UTC)).total_seconds()
    return min(max(0.0, seconds), LONGEST_ASKED)


def _unreachable(error: httpx.TransportError) -> Retry | Misconfigured:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate" in text.lower():
        return Misconfigured(_("The certificate of the other side is not valid for this address."))
    if isinstance(error, httpx.UnsupportedProtocol):
        return Misconfigured(_("The address must start with https:// or http://."))
    return Retry(_("The other side cannot be reached, or closed the connection."))


class _Deadline(httpcore.NetworkBackend):
    """Connections that no byte keeps alive beyond a moment: httpx measures each wait for one, not all together."""

    def __init__(self) -> None:
        self.until = 0.0
        self._backend = httpcore.SyncBackend()

    def left(self, timeout: float | None) -> float:
        """Seconds for the next step, `timeout` at most."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left if timeout is None else min(left, timeout)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """See httpcore."""
        made = self._backend.connect_tcp(host, port, self.left(timeout), local_address, socket_options)
        return _Timed(made, self)


class _Timed(httpcore.NetworkStream):
    """A connection of a _Deadline; its methods are httpcore's."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Wait for some bytes."""
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all, in pieces, because the other side may take its time for each."""
        for start in range(0, len(buffer), PIECE):
            self._stream.write(buffer[start : start + PIECE], self._deadline.left(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Agree on TLS."""
        safe = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _Timed(safe, self._deadline)

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        """What is known of it."""
        return self._stream.get_extra_info(info)


class _Guarded(httpx.HTTPTransport):
    """Connects to the very address that was checked, so that a name cannot mean another one a moment later."""

    def __init__(self) -> None:
        # What httpx makes here is the same but for the deadline, which it does not take.
        self.deadline = _Deadline()
        verified = httpx.create_ssl_context(verify=True, trust_env=False)
        self._pool = httpcore.ConnectionPool(verified, keepalive_expiry=5.0, network_backend=self.deadline)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The request, sent to a checked address under its own name (Host, and the name that TLS verifies)."""
        host, port = request.url.host, request.url.port or (443 if request.url.scheme == "https" else 80)
        *others, last = checked_addresses(host, port)
        named = request.url
        request.extensions = {**request.extensions, "sni_hostname": host}
        for address in others:
            request.url = named.copy_with(host=address)
            try:
                return super().handle_request(request)
            except httpx.ConnectError:
                continue
        request.url = named.copy_with(host=last)
        return super().handle_request(request)


def checked_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host that may be called. Raises Misconfigured where one of them may not.

    A name that leads to several addresses is refused if any of them is private: which one is used must not matter.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Retry(_("The name %(host)s is not known.") % {"host": host}) from error
    addresses = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
    allowed = settings.LOTLINE_PRIVATE_HOSTS
    if "*" not in allowed and f"{host}:{port}" not in allowed:
        for address in addresses:
            if not is_public(address):
                raise Misconfigured(
                    _(
                        "%(host)s is an address inside a private network. Whoever runs this installation can allow "
                        "it: LOTLINE_PRIVATE_HOSTS=%(host)s:%(port)s."
                    )
                    % {"host": host, "port": port}
                )
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet itself, not a way to another address."""
    ip = ipaddress.ip_address(address)
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in NOT_PUBLIC)
