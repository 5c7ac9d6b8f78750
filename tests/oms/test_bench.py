"""manage.py bench: the form of what it says and its exit status; how fast a busy machine is, is nobody's promise."""

import json
import subprocess
import sys

import pytest
from django.db import connections

from bench.report import compare, show
from oms.bootstrap import ROOT

# One after the other: each looks whether it has left a database, and would find that of another.
pytestmark = pytest.mark.xdist_group("bench")

FIELDS = {"measure", "value", "unit", "limit", "ratio", "bar", "holds", "p50", "p95", "runs", "sql"}


@pytest.mark.commits("another process looks at the rows")
def test_bench_generate_measures_on_a_database_of_its_own_and_leaves_none(server_env):
    before = databases()
    argv = [sys.executable, str(ROOT / "manage.py"), "bench", "generate", "--units", "2000", "--runs", "1", "--json"]
    env = {**server_env, "LOTLINE_VENV": "off"}
    done = subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.stderr == ""
    *measures, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["measure"] for each in measures] == [
        f"{step} vs {way}" for step in ("generate", "plan", "submit", "ledger alone") for way in ("COPY", "bulk_create")
    ]
    for each in measures:
        assert set(each) == FIELDS
        assert each["value"] > 0 < each["limit"]
        assert each["runs"] == 1
        assert each["p50"] <= each["p95"]
        assert each["holds"] == (each["bar"] is None or each["ratio"] >= each["bar"])
    assert {each["bar"] for each in measures if "COPY" in each["measure"]} == {0.75}
    assert all("COPY serials_unit" in each["sql"] for each in measures if each["measure"] == "submit vs COPY")
    missed = [each["measure"] for each in measures if not each["holds"]]
    assert last["summary"] == {"measures": 8, "missed": missed, "holds": not missed}
    assert done.returncode == (1 if missed else 0)
    assert databases() == before


@pytest.mark.slow
@pytest.mark.commits("another process looks at the rows")
def test_bench_import_measures_the_upload_its_check_and_the_memory_of_the_job(server_env):
    before = databases()
    argv = [sys.executable, str(ROOT / "manage.py"), "bench", "import", "--rows", "10000", "--runs", "1", "--json"]
    env = {**server_env, "LOTLINE_VENV": "off"}
    done = subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.stderr == ""
    *measures, _last = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["measure"]: each["bar"] for each in measures} == {
        "import vs COPY": 0.04,
        "import vs COPY, file ready": None,
        "import vs ORM": 3.0,
        "import vs ORM, no history": None,
        "check vs COPY, file ready": None,
        "memory vs 20 MB": 1.0,
    }
    assert all(each["value"] > 0 for each in measures)
    assert measures[-1]["holds"]
    assert databases() == before


@pytest.mark.slow
@pytest.mark.commits("another process looks at the rows")
def test_bench_export_measures_on_a_database_of_its_own_and_leaves_none(server_env):
    before = databases()
    argv = [sys.executable, str(ROOT / "manage.py"), "bench", "export", "--units", "600", "--runs", "1", "--json"]
    done = subprocess.run(argv, env=server_env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.stderr == ""
    *measures, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"export vs COPY", "export vs ORM"} <= {each["measure"] for each in measures}
    for each in measures:
        assert set(each) == FIELDS
        assert each["value"] > 0 < each["limit"]
        assert each["runs"] == 1
        assert each["holds"] == (each["bar"] is None or each["ratio"] >= each["bar"])
    missed = [each["measure"] for each in measures if not each["holds"]]
    assert last["summary"] == {"measures": len(measures), "missed": missed, "holds": not missed}
    assert "600 " in last["conditions"]
    assert done.returncode == (1 if missed else 0)
    assert databases() == before


@pytest.mark.commits("the bench is a process of its own")
def test_bench_receive_measures_new_accounts_against_the_floor(server_env):
    before = databases()
    argv = [sys.executable, str(ROOT / "manage.py"), "bench", "receive", "--units", "100", "--runs", "1", "--json"]
    done = subprocess.run(argv, env=server_env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.stderr == ""
    *measures, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["measure"]: each["bar"] for each in measures} == {
        f"{what}": bar
        for kind in ("planned", "new")
        for what, bar in (
            (f"receive {kind}, 100 vs fewer", 0.769),
            (f"undo {kind}, 100 vs fewer", 0.769),
            (f"receive {kind} vs floor", 0.6),
        )
    }
    assert all(each["value"] > 0 < each["limit"] for each in measures)
    assert "100 units of one SKU" in last["conditions"]
    assert databases() == before


def databases():
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'lotline_bench%' ORDER BY 1")
        return cursor.fetchall()


def measured(**fields):
    facts = {"count": 1_000, "ours": [2.0, 1.0, 4.0], "limits": [1.0, 1.0, 1.0], "bar": 0.75, "sql": "S", "unit": "u/s"}
    return compare("thing", **{**facts, **fields})


def test_a_ratio_is_the_median_of_ratios_of_the_same_round():
    found = measured()
    assert (found.value, found.limit, found.ratio, found.p50, found.p95, found.runs) == (500, 1000, 0.5, 2.0, 4.0, 3)
    assert not found.holds
    assert measured(bar=0.5).holds
    assert measured(bar=None).holds


def test_the_summary_says_by_how_much_a_bar_is_missed(tmp_path):
    with (tmp_path / "told").open("w+") as out:
        assert not show([measured(), measured(bar=None)], out=out, conditions="here", is_json=False)
        assert show([measured(bar=0.5)], out=out, conditions="here", is_json=False)
        out.seek(0)
        told = out.read()
    assert "missed 1 of 2 bars: thing by 33%" in told
    assert "all 1 bars hold" in told
    assert "limit: S" in told


def test_a_bench_that_is_not_there_is_refused_with_those_that_are(server_env):
    argv = [sys.executable, str(ROOT / "manage.py"), "bench", "nothing"]
    env = {**server_env, "LOTLINE_VENV": "off"}
    done = subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert "generate" in done.stderr


@pytest.mark.commits("another process looks at the rows")
def test_bench_labels_measures_speed_size_and_what_a_decoder_reads(server_env):
    before = databases()
    argv = [sys.executable, str(ROOT / "manage.py"), "bench", "labels", "--count", "120", "--runs", "1", "--json"]
    done = subprocess.run(argv, env=server_env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.stderr == ""
    *measures, last = [json.loads(line) for line in done.stdout.splitlines()]
    bars = {each["measure"]: each["bar"] for each in measures}
    assert bars == {
        f"{name}{what}": bar
        for name in ("4x6 Code 128", "A4 3x10 GS1 DataMatrix")
        for what, bar in ((" vs reportlab", 1.7), (" vs hand", None), (", size", 1.0), (", decoded", 1.0))
    } | {"4x6 ZPL vs hand": None}
    decoded = [each for each in measures if "decoded" in each["measure"]]
    assert [(each["value"], each["limit"]) for each in decoded] == [(120, 120)] * 2
    assert "no ZPL renderer" in last["conditions"]
    assert databases() == before
