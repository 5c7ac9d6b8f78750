"""The web server: clients that send half, read slowly or lie, and processes that die."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, closing

import httpx
import pytest
from django.conf import settings

from oms.bootstrap import ROOT
from oms.embedded import children
from oms.embedded.ports import free_port
from oms.embedded.processes import find
from oms.webserver import OPTIONS
from tests.web_process import serving, signed_in
from tests.worker_process import WorkerProcess, environment, wait_until

pytestmark = pytest.mark.commits("another process looks at the rows")
HALF_HEADERS = b"GET /sign-in/ HTTP/1.1\r\nHost: localhost\r\nX-Half:"
HALF_BODY = b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nusername=half"


@pytest.fixture(scope="module")
def web(django_db_setup):
    """One that nobody kills."""
    with serving(environment()) as running:
        yield running


@pytest.fixture
def mortal(server_env):
    """One for a test that ends it."""
    with serving(server_env) as running:
        yield running


def send(web, text):
    client = socket.create_connection(("127.0.0.1", web.port), timeout=30)
    client.sendall(text)
    return client


def answer(web, text):
    """The whole of what the server says until it closes."""
    with closing(send(web, text)) as client:
        return b"".join(iter(lambda: client.recv(65536), b"")).decode()


def test_half_sent_requests_and_slow_readers_keep_nobody_from_a_page(web, olga):
    with ExitStack() as stack, signed_in(web, olga) as client:
        cookie = client.cookies["lotline_session"].encode()
        never_read = b"GET /acme/inventory/serials/ HTTP/1.1\r\nHost: localhost\r\nCookie: lotline_session=%s\r\n\r\n"
        for text in [HALF_HEADERS] * 100 + [HALF_BODY] * 100 + [never_read % cookie] * 20:
            stack.enter_context(closing(send(web, text)))
        assert client.get("/acme/inventory/serials/").status_code == 200
        assert client.post("/acme/inventory/skus/new/", data={"code": ""}).status_code == 403, "no token, but an answer"


def two_of(web, *, without=frozenset()):
    """The two processes that serve, once none of those is one of them."""
    return wait_until(lambda: len(found := web.children() - without) == 2 and found, what="two processes")


def test_a_process_that_dies_is_replaced_but_not_for_ever(mortal):
    gone = set()
    for _death in range(4):
        gone.add(victim := min(two_of(mortal)))
        os.kill(victim, signal.SIGKILL)
        two_of(mortal, without=gone)
        assert httpx.get(f"{mortal.url}/healthz/").status_code == 200
    os.kill(min(two_of(mortal)), signal.SIGKILL)
    assert mortal.process.wait(60) == 1
    assert "ended with status -9" in mortal.said()
    assert "Web processes ended 5 times within 60 s, so none is started" in mortal.said()
    assert mortal.children() == set()


def test_processes_leave_with_a_parent_that_was_killed(mortal):
    pids = two_of(mortal)
    mortal.process.kill()
    mortal.process.wait()
    wait_until(lambda: not any(map(find, pids)), what="its processes are gone")


def test_web_is_ready_while_postgresql_recovers(server_env, tmp_path):
    """Else it would be ended and started anew again and again, by which nothing recovers sooner."""
    away = {**server_env, "DATABASE_URL": "postgres://lotline_app:x@127.0.0.1:9/lotline"}
    setting = children.Setting(away, free_port(), tmp_path)
    service = children.web(setting)
    process = WorkerProcess(tmp_path, service.argv, service.env)
    try:
        wait_until(lambda: service.ready(process.pid), what=process.said())
        assert httpx.get(f"http://127.0.0.1:{setting.port}/healthz/", timeout=30).status_code == 503
    finally:
        process.stop()


def test_an_address_that_is_taken_is_said(web):
    argv = [sys.executable, "-m", "oms.webserver", f"--port={web.port}"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Cannot listen on 127.0.0.1:{web.port}: Address already in use")


@pytest.mark.parametrize(
    ("proxies", "said"),
    [("0", "127.0.0.1"), ("1", "172.18.0.1"), ("2", "203.0.113.7")],
    ids=["nobody is believed", "as many as stand in front are believed", "as Caddy behind another proxy sends it"],
)
def test_who_the_client_is(server_env, proxies, said):
    lies = "X-Forwarded-For: 198.51.100.1, 203.0.113.7, 172.18.0.1\r\nX-Forwarded-Proto: https\r\n"
    with serving({**server_env, "LOTLINE_PROXIES": proxies}, "--access-log") as web:
        answer(web, f"GET /sign-in/ HTTP/1.0\r\nHost: localhost\r\n{lies}\r\n".encode())
        assert f"\n{said} GET /sign-in/ 200" in f"\n{web.said()}"
        web.process.terminate()
        assert web.process.wait(60) == 0, "asked to stop, it does"


def test_what_is_larger_than_any_upload_is_refused_by_its_length(web):
    most = OPTIONS["max_request_body_size"]
    text = answer(web, f"POST /sign-in/ HTTP/1.0\r\nHost: localhost\r\nContent-Length: {most + 1}\r\n\r\n".encode())
    assert text.startswith("HTTP/1.0 413")


def test_what_is_just_too_large_gets_our_page(web, olga):
    """It is read to its end, for a browser shows nothing of an answer that comes before."""
    with signed_in(web, olga) as client:
        file = {"file": ("big.csv", bytes(settings.LOTLINE_MOST_BODY), "text/csv")}
        refused = client.post("/acme/inventory/skus/upload/", files=file)
    assert refused.status_code == 413
    assert "This is too large" in refused.text


def test_a_long_address_gets_our_page(web):
    text = answer(web, f"GET /sign-in/?q={'a' * 20_000} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    assert text.startswith("HTTP/1.0 414")
    assert "This address is too long" in text
