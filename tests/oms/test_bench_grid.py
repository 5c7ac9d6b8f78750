"""manage.py bench grid: that it measures the real view, and what it says; never how fast."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from django.db import connections

from bench import grid, units
from bench.needles import PLAIN, cases
from oms.bootstrap import ROOT
from oms.models import Account, Person, Role
from oms.tenancy import account_context
from oms.ui.paging import Window
from serials.views.grid import SerialList
from tests.conftest import _person

ROWS = 4_000


@pytest.fixture
def site(transactional_db, settings):
    """The bench's account, small."""
    settings.ALLOWED_HOSTS = ["*"]
    for n in range(1, len(units.SHARES) + 1):
        Account.objects.create(name=f"Bench {n}", slug=f"bench-{n}")
    units.fill(ROWS)
    person = _person("Bench", **{"bench-1": Role.ADMIN})
    Person.objects.filter(pk=person.pk).update(email=units.PERSON)
    return grid.Site("bench-1")


@pytest.mark.django_db(transaction=True)
def test_a_view_that_shows_something_else_ends_the_bench(site, monkeypatch):
    with account_context(site.account):
        case = cases("serial")[0]
    asked = site.ask(case.query)
    assert asked.statements
    assert asked.sql < asked.seconds
    grid.same(case, asked, site.scan(case)[1])
    usual = Window.of
    monkeypatch.setattr(Window, "of", lambda *args: replace(usual(*args), rows=usual(*args).rows[1:]))
    with pytest.raises(RuntimeError, match="does not show"):
        grid.same(PLAIN["no filter"][0], site.ask({}), site.scan(PLAIN["no filter"][0])[1])
    monkeypatch.setattr(SerialList, "get", lambda *args: (_ for _ in ()).throw(ValueError("broken")))
    with pytest.raises(ValueError, match="broken"):
        site.ask({})
    site.client.logout()
    with pytest.raises(RuntimeError, match="not with the grid"):
        site.ask({})


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_command_keeps_its_database_until_it_is_told_to_drop_it(server_env):
    argv = [sys.executable, str(ROOT / "manage.py"), "bench", "grid", "--rows", str(ROWS), "--runs", "1"]
    run = {"env": server_env, "cwd": ROOT, "capture_output": True, "text": True, "timeout": 300}
    try:
        done = subprocess.run([*argv, "--json"], check=False, **run)
        assert done.stderr == ""
        *measures, last = [json.loads(line) for line in done.stdout.splitlines()]
        names = {each["measure"] for each in measures}
        assert {"serial vs scan", "global vs scan", "serial under RLS", "no filter page", "sort update"} <= names
        assert all(each["value"] > 0 for each in measures)
        assert last["summary"]["measures"] == len(measures)
        assert done.returncode == (0 if last["summary"]["holds"] else 1)
        assert kept() == [(units.database_name(ROWS),)]
    finally:
        assert subprocess.run([*argv, "--drop"], check=False, **run).returncode == 0
    assert kept() == []


def kept():
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"SELECT datname FROM pg_database WHERE datname LIKE 'lotline_grid_{ROWS}%'")
        return cursor.fetchall()
