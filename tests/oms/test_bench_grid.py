"""manage.py bench grid: that it measures the real view, and what it says; never how fast."""

import json
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from itertools import takewhile

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

ROWS, CI_ROWS = 4_000, 200_000


@pytest.fixture
def site(db, settings):
    """The bench's account, small."""
    settings.ALLOWED_HOSTS = ["*"]
    for n in range(1, len(units.SHARES) + 1):
        Account.objects.create(name=f"Bench {n}", slug=f"bench-{n}")
    units.fill(ROWS)
    person = _person("Bench", **{"bench-1": Role.ADMIN})
    Person.objects.filter(pk=person.pk).update(email=units.PERSON)
    return grid.Site("bench-1")


@pytest.mark.commits("the bench commits what it fills in")
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


@pytest.mark.commits("the bench commits what it fills in")
@pytest.mark.parametrize(("rows", "is_full"), [(2_500_000, True), (2_499_997, False), (200_000, False)])
def test_bars_that_need_many_units_are_held_where_there_are_many(site, monkeypatch, rows, is_full):
    monkeypatch.setattr(units, "prepare", lambda _rows: False)  # what is measured here is small all the same
    measures, conditions = grid.run(rows=rows, runs=1)
    with closing(measures):
        bars = {each.measure: each.bar for each in takewhile(lambda each: each.measure != "sku vs scan", measures)}
    assert ("all bars held" in conditions) == is_full
    of_size = ["serial vs scan", "no filter page", "capped count, no filter", "view in process vs raw SQL"]
    assert [bars[name] is not None for name in of_size] == [is_full] * 4
    always = ["sort serial", "sort -update", "serial under RLS", "bytes of 50 rows"]
    assert [bars[name] for name in always] == [0.2, 0.2, 0.8, 1.0]


@pytest.mark.slow
@pytest.mark.commits("another process looks at the rows")
def test_the_command_keeps_its_database_until_it_is_told_to_drop_it(server_env):
    argv = [sys.executable, str(ROOT / "manage.py"), "bench", "grid", "--rows", str(CI_ROWS), "--runs", "1"]
    run = {"env": server_env, "cwd": ROOT, "capture_output": True, "text": True, "timeout": 600}
    try:
        done = subprocess.run([*argv, "--json"], check=False, **run)
        assert done.stderr == ""
        *measures, last = [json.loads(line) for line in done.stdout.splitlines()]
        names = {each["measure"] for each in measures}
        assert {"serial vs scan", "global vs scan", "serial under RLS", "no filter page", "sort update"} <= names
        assert all(each["value"] > 0 for each in measures)
        assert last["summary"] == {"measures": len(measures), "missed": [], "holds": True}
        assert "200,000 units of 20 accounts, 80,000 in the one measured" in last["conditions"]
        assert done.returncode == 0
        assert kept() == [(units.database_name(CI_ROWS),)]
    finally:
        assert subprocess.run([*argv, "--drop"], check=False, **run).returncode == 0
    assert kept() == []


def kept():
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"SELECT datname FROM pg_database WHERE datname LIKE 'lotline_grid_{CI_ROWS}%'")
        return cursor.fetchall()
