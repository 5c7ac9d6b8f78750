"""`up --check` measures what the whole set uses."""

import json
import os
import subprocess
import sys

import pytest

from oms import smoke_memory

EATER = """
import subprocess, sys
kept = bytearray(b"x") * (int(sys.argv[1]) << 20)
child = subprocess.Popen([sys.executable, "-c", sys.argv[3], sys.argv[2], "0", ""]) if sys.argv[2] != "0" else None
print("eaten", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def eaters(settings, tmp_path):
    """A recorded process of 40 MB and its child of 20 MB."""
    settings.STATE_DIR = tmp_path
    argv = [sys.executable, "-c", EATER, "40", "20", EATER]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert [process.stdout.readline() for _process in range(2)] == ["eaten\n"] * 2
        (tmp_path / "pids").mkdir()
        (tmp_path / "pids" / "web.json").write_text(json.dumps({"pid": process.pid}))
        yield process
        process.stdin.close()


@pytest.mark.skipif(not (smoke_memory.PROC / "self" / "smaps_rollup").exists(), reason="needs smaps_rollup")
def test_children_count_and_too_much_fails(eaters, monkeypatch):
    pids = smoke_memory.family({eaters.pid})
    assert len(pids) == 2
    assert 60 < smoke_memory.used(pids) < 100
    assert smoke_memory.used(pids | {2**22 + 1}) == pytest.approx(smoke_memory.used(pids), rel=0.1)
    # The supervisor, which is this process here, counts, too; who measures does not.
    others = smoke_memory.family({os.getpid()}) - {os.getpid()}
    assert pids <= others
    monkeypatch.setattr(smoke_memory, "MOST_MEGABYTES", 10_000)
    assert f"{len(others)} processes use" in smoke_memory.set_stays_small("")
    monkeypatch.setattr(smoke_memory, "MOST_MEGABYTES", 50)
    with pytest.raises(smoke_memory.TooBig, match="more than 50 MB"):
        smoke_memory.set_stays_small("")


def test_where_nothing_can_be_measured_the_check_goes_on(settings, tmp_path, monkeypatch):
    settings.STATE_DIR = tmp_path
    monkeypatch.setattr(smoke_memory, "PROC", tmp_path)
    assert "no smaps_rollup" in smoke_memory.set_stays_small("")
    monkeypatch.undo()
    settings.STATE_DIR = tmp_path
    assert "not measured" in smoke_memory.set_stays_small("")
