"""PostgreSQL or Valkey is away: clear words, nothing lost, nothing doubled, and all well when it is back."""

import time
from urllib.parse import urlsplit, urlunsplit

import pytest

from oms import dispatch
from oms.models import Due, Job, Sku
from oms.tenancy import account_context
from tests.tcp_door import Door
from tests.web_process import csrf, serving, signed_in

pytestmark = pytest.mark.commits("another process looks at the rows")
PATIENCE = 25
"""Seconds within which a page must say that something is away; a browser that hangs says nothing. A wait that nobody
bounded is 30 (the pool's) or without end; ours are 4 and less, and the rest is for a machine that is busy."""


def behind(door, url):
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{door.port}" if user else f"127.0.0.1:{door.port}"))


def target(url):
    parts = urlsplit(url)
    return parts.hostname, parts.port


def eventually(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


@pytest.fixture
def postgres_door(server_env):
    return Door(target(server_env["DATABASE_URL"]))


@pytest.fixture
def valkey_door(server_env):
    return Door(target(server_env["REDIS_URL"]))


@pytest.fixture
def site(server_env, postgres_door, valkey_door):
    """A web server of its own whose databases are behind doors."""
    environment = {
        **server_env,
        "DATABASE_URL": behind(postgres_door, server_env["DATABASE_URL"]),
        "REDIS_URL": behind(valkey_door, server_env["REDIS_URL"]),
    }
    with serving(environment) as web:
        yield web


@pytest.fixture
def olga_online(site, olga):
    """Olga, signed in over HTTP."""
    with signed_in(site, olga, PATIENCE) as client:
        yield client


def new_sku(client, token, code):
    form = {"code": code, "name": "Lamp", "workflow": "no", "csrfmiddlewaretoken": token}
    return client.post("/acme/inventory/skus/new/", data=form)


def codes(account):
    with account_context(account):
        return sorted(Sku.objects.values_list("code", flat=True))


def test_postgresql_goes_away_and_comes_back(olga_online, postgres_door, account_a):
    token = csrf(olga_online.get("/acme/inventory/skus/new/"))
    assert new_sku(olga_online, token, "BEFORE").status_code == 302
    postgres_door.shut()
    for answer in (olga_online.get("/acme/inventory/skus/"), new_sku(olga_online, token, "MEANWHILE")):
        assert answer.status_code == 503
        assert "The database does not answer" in answer.text
        assert "Try again" in answer.text
        assert answer.headers["Retry-After"]
    assert olga_online.get("/healthz/").status_code == 503
    postgres_door.open()
    # Each process finds back by itself: a page of one says nothing of the other, which may take the next request.
    eventually(lambda: new_sku(olga_online, token, "AFTER").status_code == 302)
    eventually(lambda: olga_online.get("/acme/inventory/skus/").status_code == 200)
    assert codes(account_a) == ["AFTER", "BEFORE"], "the session lives, nothing is lost, nothing is half-done"


def test_valkey_goes_away_and_no_page_and_no_job_is_lost(olga_online, valkey_door, account_a):
    valkey_door.shut()
    token = csrf(olga_online.get("/acme/inventory/skus/new/"))
    assert new_sku(olga_online, token, "LAMP").status_code == 302
    files = {"file": ("skus.csv", b"SKU,Name\nA,One\n", "text/csv")}
    uploaded = olga_online.post("/acme/inventory/skus/upload/", data={"csrfmiddlewaretoken": token}, files=files)
    started = time.monotonic()
    applied = [olga_online.post(uploaded.headers["Location"], data={"csrfmiddlewaretoken": token}) for _tab in "ab"]
    assert time.monotonic() - started < PATIENCE
    assert {answer.status_code for answer in applied} == {302}
    assert "Waiting" in olga_online.get(applied[0].headers["Location"]).text
    with account_context(account_a):
        assert Job.objects.count() == 1
    assert Due.objects.filter(account_id=account_a.pk, kind="job").exists(), "it is due when Valkey is back"
    valkey_door.open()
    assert dispatch.dispatch() >= 1
