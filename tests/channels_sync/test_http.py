"""The way out: against a real server, with what vendors and attackers do."""

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from channels_sync import http
from channels_sync.contract import Misconfigured, Rejected, Retry
from channels_sync.http import HttpClient, checked_addresses, is_public


class Vendor(BaseHTTPRequestHandler):
    """Answers what the test has put into `answers`, the last one again and again."""

    answers: list = []  # noqa: RUF012
    heard: list = []  # noqa: RUF012

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.heard.append((self.command, self.path, dict(self.headers)))
        status, headers, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_args):
        pass


@pytest.fixture
def vendor(settings):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    address = f"127.0.0.1:{server.server_address[1]}"
    settings.LOTLINE_PRIVATE_HOSTS = [address]
    Vendor.heard.clear()
    yield f"http://{address}"
    server.shutdown()
    server.server_close()


def ask(url, *answers, seconds=5.0, method="get", **kwargs):
    Vendor.answers[:] = answers
    with HttpClient(url, seconds=seconds) as client:
        return getattr(client, method)("/thing", **kwargs)


OK = (200, {}, b'{"a": 1}')


def test_an_answer(vendor):
    assert ask(vendor, OK, params={"q": "x", "none": None}).data == {"a": 1}
    (_method, path, headers) = Vendor.heard[0]
    assert path == "/thing?q=x"
    assert headers["Host"] == vendor.rpartition("//")[2]


def test_what_may_be_repeated_is(vendor):
    assert ask(vendor, (503, {}, b""), (429, {"Retry-After": "0"}, b""), OK).data == {"a": 1}
    assert len(Vendor.heard) == 3


def test_a_write_without_a_key_is_never_repeated(vendor):
    with pytest.raises(Retry):
        ask(vendor, (503, {}, b""), method="post", body={})
    assert len(Vendor.heard) == 1


def test_a_long_wait_is_handed_on(vendor):
    started = time.monotonic()
    with pytest.raises(Retry) as caught:
        ask(vendor, (429, {"Retry-After": "3600"}, b""))
    assert caught.value.after == 3600
    assert time.monotonic() - started < 2
    with pytest.raises(Retry) as caught:
        ask(vendor, (429, {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, b""))
    assert caught.value.after == 86_400, "a day at most, whatever they ask for"
    with pytest.raises(Retry) as caught:
        ask(vendor, (429, {"Retry-After": "9" * 20}, b""))
    assert caught.value.after == 86_400


def test_a_wait_that_would_keep_the_worker_is_handed_on(vendor, monkeypatch):
    """A worker waits some seconds at most, whatever is asked for."""
    waited = []
    monkeypatch.setattr(http, "time", SimpleNamespace(monotonic=time.monotonic, sleep=waited.append))
    with pytest.raises(Retry) as caught:
        ask(vendor, (429, {"Retry-After": "8"}, b""), seconds=40)
    assert caught.value.after == 8
    assert max(waited, default=0) == 0
    assert len(Vendor.heard) == 1


def test_only_the_time_of_the_vendor_counts(vendor, monkeypatch):
    """What is done with an answer before the next question is our own time."""
    Vendor.answers[:] = [OK]
    clock = [time.monotonic()]
    monkeypatch.setattr(http, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=time.sleep))
    with HttpClient(vendor, seconds=5.0) as client:
        for _ in range(3):
            assert client.get("/thing").data == {"a": 1}
            clock[0] += 60


def test_access_data_goes_to_its_own_origin_only(vendor, settings):
    other = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    address = f"127.0.0.1:{other.server_address[1]}"
    settings.LOTLINE_PRIVATE_HOSTS = [*settings.LOTLINE_PRIVATE_HOSTS, address]
    Vendor.answers[:] = [OK]
    secrets = {"Authorization": "Bearer very-secret", "X-Api-Key": "also-secret"}
    with HttpClient(vendor, headers=secrets) as client:
        client.get(f"http://{address}/page/2")
        client.post(f"http://{address}/page/3", {}, headers={"X-Signature": "signed"})
        client.get(f"{vendor}/page/4")
    other.shutdown()
    other.server_close()
    (_get, _path, linked), (_post, _path, posted), (_get, path, own) = Vendor.heard
    assert "secret" not in str(linked) + str(posted)
    assert "X-Signature" not in posted
    assert linked["User-Agent"] == "Lotline"
    assert (path, own["Authorization"], own["X-Api-Key"]) == ("/page/4", "Bearer very-secret", "also-secret")


def test_the_clock_of_the_other_side(vendor, monkeypatch):
    said = iter(["Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:29:00 GMT"])
    monkeypatch.setattr(Vendor, "date_time_string", lambda _self: next(said))
    Vendor.answers[:] = [OK]
    with HttpClient(vendor) as client:
        assert client.date is None
        client.get("/thing")
        client.get("/thing")
    assert client.date == datetime(2026, 10, 21, 7, 28, tzinfo=UTC), "its first answer counts"


@pytest.mark.parametrize(
    ("status", "error"), [(400, Rejected), (404, Rejected), (422, Rejected), (401, Misconfigured), (403, Misconfigured)]
)
def test_a_refusal_has_the_vendors_words(vendor, status, error):
    with pytest.raises(error, match="no such SKU"):
        ask(vendor, (status, {}, b'{"message": "no such SKU"}'))
    assert len(Vendor.heard) == 1


def test_redirects_are_not_followed(vendor):
    with pytest.raises(Misconfigured, match="leads elsewhere"):
        ask(vendor, (302, {"Location": "http://169.254.169.254/"}, b""))
    assert len(Vendor.heard) == 1


class Dripping(BaseHTTPRequestHandler):
    """Never silent and never done: one more byte every tenth of a second."""

    start, is_over = b"", threading.Event()

    def do_GET(self):
        self.wfile.write(self.start)
        with suppress(OSError):  # they hung up
            while not self.is_over.wait(0.1):
                self.wfile.write(b"a")

    def log_message(self, *_args):
        pass


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        # A file name of any length may stand before what is packed.
        b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\0",
    ],
    ids=["headers", "body", "chunk", "packed"],
)
def test_a_byte_now_and_then_keeps_no_worker(settings, start):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    settings.LOTLINE_PRIVATE_HOSTS = [f"127.0.0.1:{server.server_address[1]}"]
    Dripping.start = start
    Dripping.is_over.clear()
    hangs_up = threading.Timer(20, Dripping.is_over.set)
    hangs_up.start()
    started = time.monotonic()
    try:
        with pytest.raises(Retry, match="did not answer in time"):
            ask(f"http://{settings.LOTLINE_PRIVATE_HOSTS[0]}", OK, seconds=1.0)
        assert time.monotonic() - started < 10
    finally:
        hangs_up.cancel()
        Dripping.is_over.set()
        server.shutdown()
        server.server_close()


def test_an_answer_has_a_size(vendor, monkeypatch):
    monkeypatch.setattr(http, "MOST_BYTES", 1000)
    with pytest.raises(Rejected, match="longer"):
        ask(vendor, (200, {}, b"[" + b"1," * 5000 + b"1]"))


def test_a_page_of_something_else_is_no_answer(vendor):
    with pytest.raises(Retry, match="not JSON"):
        ask(vendor, (200, {}, b"<html>"), seconds=1)


def test_nobody_there(settings):
    settings.LOTLINE_PRIVATE_HOSTS = ["127.0.0.1:9"]
    with pytest.raises(Retry):
        ask("http://127.0.0.1:9", OK, seconds=2)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),  # noqa: S104
        *("::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "224.0.0.1", "::"),
        *("::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8", "::ffff:0:10.0.0.1"),  # mapped, compatible, translated
        *("64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::10.0.0.1"),  # NAT64
        *("2002:7f00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),  # 6to4, Teredo
        *("fec0::1", "feff::1", "ff0e::1", "2001:db8::1"),  # site-local, multicast, documentation
    ],
)
def test_private_addresses(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "2a00:1450:4001:81b::200e"])
def test_public_addresses(address):
    assert is_public(address)


def test_a_private_server_is_not_called_unless_the_operator_allows_it(vendor, settings):
    settings.LOTLINE_PRIVATE_HOSTS = []
    for url in (vendor, vendor.replace("127.0.0.1", "localhost")):
        with pytest.raises(Misconfigured, match="LOTLINE_PRIVATE_HOSTS"):
            ask(url, OK)
    assert Vendor.heard == []
    settings.LOTLINE_PRIVATE_HOSTS = ["*"]
    assert checked_addresses("127.0.0.1", 80) == ["127.0.0.1"]


def test_logs_hold_no_query_and_no_header(vendor, caplog):
    caplog.set_level("DEBUG")
    Vendor.answers[:] = [OK]
    with HttpClient(vendor, headers={"Authorization": "Bearer very-secret"}) as client:
        client.get("/thing", params={"api_key": "also-secret"})
        client.get(f"{vendor}/thing?api_key=also-secret")
    assert "/thing" in caplog.text
    assert "secret" not in "".join(r.getMessage() for r in caplog.records if r.name.startswith("channels_sync"))
