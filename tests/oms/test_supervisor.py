"""The supervisor, what it keeps, and what it mends: with real processes, and without the servers."""

import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading

import pytest

from oms.bootstrap import ROOT
from oms.embedded.deaths import Deaths
from oms.embedded.errors import CannotStart
from oms.embedded.lock import is_held
from oms.embedded.processes import Record, find, processes, stop_leftovers, wait_until
from oms.embedded.state import PASSWORDS, State
from tests.oms.supervised import CLEAN, ends, rest, script, told

SLEEP = shutil.which("sleep")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state of a test"


# --- processes --------------------------------------------------------------------------------------------------------
def record_of(process, **changes):
    found = find(process.pid)
    facts = {"name": "x", "pid": found.pid, "started": found.started, "command": found.command}
    return Record(**{**facts, "stop_signal": int(signal.SIGTERM), "grace": 2.0, **changes})


@pytest.fixture
def sleeper():
    with subprocess.Popen([SLEEP, "30"], start_new_session=True) as process:
        yield process
        process.kill()


def test_a_leftover_is_stopped_and_its_record_dropped(sleeper, tmp_path):
    record_of(sleeper).save(tmp_path)
    assert stop_leftovers(tmp_path) == ["x"]
    assert sleeper.wait(timeout=60) == -signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
    assert stop_leftovers(tmp_path) == []


@pytest.mark.parametrize("change", [{"started": "1"}, {"command": "postgres -D elsewhere"}])
def test_a_process_that_only_got_the_number_is_left_alone(sleeper, tmp_path, change):
    record_of(sleeper, **change).save(tmp_path)
    assert stop_leftovers(tmp_path) == []
    assert sleeper.poll() is None


def test_a_leftover_that_does_not_listen_is_ended_even_when_suspended(tmp_path):
    deaf = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
    with subprocess.Popen(["/bin/sh", "-c", deaf], stdout=subprocess.PIPE, start_new_session=True) as process:
        process.stdout.readline()
        record_of(process, grace=0.2).save(tmp_path)
        process.send_signal(signal.SIGSTOP)
        assert stop_leftovers(tmp_path) == ["x"]
        assert process.wait(timeout=60) == -signal.SIGKILL


def test_what_a_dead_child_forked_is_a_leftover_too(tmp_path):
    forks = "import os, time; os.fork(); os.write(1, b'%d\\n' % os.getpid()); time.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", forks], stdout=subprocess.PIPE, start_new_session=True) as process:
        pids = {int(process.stdout.readline()) for _ in range(2)}
        record_of(process).save(tmp_path)
        process.kill()
        process.wait()
        (orphan,) = pids - {process.pid}
        assert find(orphan) is not None
        assert stop_leftovers(tmp_path) == ["x"]
        assert wait_until(lambda: find(orphan) is None, 5)


# --- state ------------------------------------------------------------------------------------------------------------
def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_are_nobody_elses(folder):
    state = State(folder)
    state.make()
    passwords = state.passwords()
    assert set(passwords) == set(PASSWORDS)
    assert len(set(passwords.values())) == len(PASSWORDS)
    assert State(folder).passwords() == passwords
    state.write_env({"DATABASE_URL": "postgres://x"})
    assert state.env_file.read_text() == "DATABASE_URL=postgres://x\n"
    assert {mode(folder / name) for name in ("passwords", "env")} == {0o600}
    assert mode(folder) & 0o066 == 0
    assert (folder / ".gitignore").read_text() == "*\n"


def test_one_supervisor_at_a_time_and_the_second_says_where_the_first_is(folder):
    first = """
state = State(Path(sys.argv[1])); state.make(); state.acquire(); state.describe(url="http://localhost:8123/")
tell(pid=os.getpid()); time.sleep(30)
"""
    state = State(folder)
    with script(first, folder) as process:
        pid = told(process)["pid"]
        with pytest.raises(CannotStart, match=rf"already runs .* at http://localhost:8123/ \(process {pid}, since"):
            state.acquire()
        process.kill()
        process.wait()
        state.acquire()
        state.release()


def is_configured(folder):
    """Whether another command would work on the servers that the env file names."""
    code = "from oms import settings; print(settings.IS_CONFIGURED)"
    env = {**CLEAN, "LOTLINE_STATE": str(folder)}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return done.stdout == "True\n"


def test_the_env_file_of_a_supervisor_that_was_killed_is_not_believed(folder):
    """After a power cut it names servers that are dead; a backup then has to start its own."""
    runs = """
state = State(Path(sys.argv[1])); state.make(); state.acquire()
state.write_env({"DATABASE_URL": "postgres://x/y", "SECRET_KEY": "s" * 50})
tell(wrote=True); time.sleep(60)
"""
    with script(runs, folder) as process:
        assert told(process) == {"wrote": True}
        assert is_configured(folder)
        process.kill()
        process.wait()
    state = State(folder)
    assert state.env_file.exists()
    assert not is_configured(folder)
    state.acquire()
    assert not state.env_file.exists()
    state.release()


def test_a_command_that_looks_at_the_lock_keeps_nobody_from_starting(folder):
    state = State(folder)
    state.make()
    looking = os.open(state.lock_file, os.O_RDONLY | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    ends = threading.Timer(0.1, os.close, [looking])
    ends.start()
    state.acquire()
    ends.join()
    assert is_held(state.lock_file)
    state.release()
    assert not is_held(state.lock_file)


def test_a_throw_away_state_goes_whatever_happens(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(ZeroDivisionError), State.throw_away("test") as state:
        state.outside = elsewhere
        folder = state.folder
        (folder / "some").write_text("file")
        raise ZeroDivisionError
    assert not folder.exists()
    assert not elsewhere.exists()


def test_a_damaged_password_file_is_not_replaced_in_silence(folder):
    state = State(folder)
    state.make()
    (folder / "passwords").write_text('{"owner": ')
    with pytest.raises(CannotStart, match=r"passwords is damaged.*Put a copy of it back; the data .* is not touched"):
        state.passwords()


# --- the supervisor ---------------------------------------------------------------------------------------------------
RUN = """
def service(name, script, more=None):
    mark = Path(f"{sys.argv[1]}-{name}")  # made where the script says READY: before, it could not even hear a signal
    more = more or ({"ready": lambda _pid: mark.exists()} if "READY" in script else {})
    return shell(name, script.replace("READY", f": > '{mark}'"), **more)

services = [service(*given) for given in SERVICES]
with Supervisor(Console(), Path(sys.argv[1])) as supervisor:
    try:
        children = [supervisor.start(service) for service in services]
        supervisor.wait_ready(children)
        tell(pids=[child.process.pid for child in children])
        supervisor.watch()
    except Interrupted as request:
        print("asked by", request.signum, flush=True)
    except ChildDied as death:
        print("died:", death, flush=True)
print("children left:", len(supervisor.children), flush=True)
"""
WAITS = "trap 'echo bye; exit 0' TERM; READY; while :; do sleep 0.05; done"


def test_children_are_prefixed_and_stopped_in_the_opposite_order(tmp_path):
    with script(f"SERVICES = [('one', {WAITS!r}), ('two', {WAITS!r})]" + RUN, tmp_path) as process:
        pids = told(process)["pids"]
        assert sorted(file.name for file in tmp_path.iterdir()) == ["one.json", "two.json"]
        lines = ends(process).splitlines()
        spoken = [line for line in lines if "bye" in line or "asked" in line or "left" in line]
        assert spoken == ["asked by 15", "two      | bye", "one      | bye", "children left: 0"]
        assert list(tmp_path.iterdir()) == []
    assert [find(pid) for pid in pids] == [None, None]


QUICKLY = "import oms.embedded.deaths\noms.embedded.deaths.FIRST_WAIT = 0.01\n"


def test_a_child_that_dies_is_started_again_and_the_others_are_left_alone(tmp_path):
    """What it started goes with it; it is only started when nothing of it is in the way any more."""
    code = """
lasts = "sleep 30 & trap 'exit 0' TERM; while :; do sleep 0.05; done"
clear = Path(sys.argv[1] + "-clear")
service, other = shell("dies", lasts, clear=clear.exists), shell("other", lasts)
with Supervisor(Console(), Path(sys.argv[1])) as supervisor:
    try:
        children = [supervisor.start(each) for each in (service, other)]
        supervisor.wait_ready(children)
        tell(pids=[child.process.pid for child in children])
        supervisor.watch()
    except Interrupted:
        tell(pids=[child.process.pid for child in children], order=[child.name for child in supervisor.children])
"""
    folder = tmp_path / "pids"
    with script(QUICKLY + code, folder) as process:
        first, other = told(process)["pids"]
        os.kill(first, signal.SIGKILL)
        assert skipped_to(process, "dies was ended by SIGKILL; it is started again")
        assert wait_until(lambda: not [p for p in processes() if p.group == first], 10), "what it started went with it"
        assert not (folder / "dies.json").exists(), "something of it is in the way still"
        (tmp_path / "pids-clear").touch()
        assert skipped_to(process, "dies runs again")
        assert json.loads((folder / "dies.json").read_text())["pid"] != first
        process.terminate()
        now = told(process)
        assert (now["pids"][0] != first, now["pids"][1], now["order"]) == (True, other, ["dies", "other"])
        rest(process)
    assert [find(pid) for pid in now["pids"]] == [None, None]


def skipped_to(process, words):
    """Read on until a line holds these words."""
    return any(words in line for line in process.stdout)


def test_a_child_that_dies_again_and_again_stops_all_with_its_reason(tmp_path):
    go = tmp_path / "go"
    dies = f"sleep 30 & READY; until [ -e '{go}' ]; do sleep 0.05; done; echo last words; exit 7"
    with script(f"{QUICKLY}SERVICES = [('one', {WAITS!r}), ('two', {dies!r})]" + RUN, tmp_path / "pids") as process:
        _, group = told(process)["pids"]
        go.touch()
        said = rest(process)
    assert said.count("two      | last words") == said.count("two ended by itself with status 7") == 5
    assert "died: two ended by itself with status 7, 5 times within 60 s" in said
    assert "one      | bye" in said
    assert not [p for p in processes() if p.group == group]


def test_deaths_that_lie_far_apart_are_no_reason_to_stop():
    deaths = Deaths()
    assert [deaths.note(moment) for moment in (0.0, 1.0, 2.0, 3.0)] == [0.5, 1.0, 2.0, 4.0]
    assert deaths.note(61.5) == 2.0
    assert [deaths.note(moment) for moment in (200.0, 201.0)] == [0.5, 1.0]
    assert [deaths.note(moment) for moment in (202.0, 203.0, 204.0)] == [2.0, 4.0, None]


def test_a_child_that_is_never_ready_is_an_error(tmp_path):
    more = "{'ready': lambda _pid: False, 'ready_seconds': 0.3}"
    with script(f"SERVICES = [('one', {WAITS!r}, {more})]" + RUN, tmp_path) as process:
        assert "died: one was not ready after 0 s" in rest(process)


def test_a_child_that_is_slow_to_be_ready_is_waited_for_while_it_gets_on(tmp_path):
    """The clock is ours: each look at the child takes half of what it has, and each line that it says comes before."""
    code = """
import types
import oms.embedded.supervisor as s
clock, lines, looks = [0.0], [], iter(range(100))
s.time = types.SimpleNamespace(monotonic=lambda: clock[0])
go = Path(sys.argv[1])

def ready(_pid):
    if len(lines) < len(child.output):
        lines.append(clock[0])
        clock[0] += 5.0
        Path(f"{go}-{len(lines)}").touch()
    return len(lines) == 6

service = shell("slow", SCRIPT, ready=ready, ready_seconds=8.0, progress=PROGRESS)
with Supervisor(Console(quiet=True), go / "pids") as supervisor:
    try:
        child = supervisor.start(service)
        supervisor.wait_ready([child])
        tell(ready=True, seconds=clock[0])
    except ChildDied as death:
        tell(died=str(death))
"""
    waits = f"until [ -e {tmp_path}/go-$n ]; do sleep 0.02; done"
    says = f"for n in 1 2 3 4 5 6; do echo redo $n, elapsed time: 10 s; {waits}; done; sleep 30"
    with script(f"SCRIPT, PROGRESS = {says!r}, 'elapsed time: '" + code, tmp_path / "go") as process:
        assert told(process) == {"ready": True, "seconds": 30.0}
    for mark in tmp_path.glob("go-*"):
        mark.unlink()
    with script(f"SCRIPT, PROGRESS = {says!r}, ''" + code, tmp_path / "go") as process:
        assert told(process) == {"died": "slow was not ready after 8 s"}


def test_a_second_request_hurries_a_child_that_takes_its_time(tmp_path):
    deaf = "trap '' TERM; READY; while :; do sleep 0.05; done"
    code = "import oms.embedded.supervisor as s; s.HURRIED_GRACE = 0.3\n"
    ready = "lambda _pid: Path(sys.argv[1] + '-deaf').exists()"
    code += f"SERVICES = [('deaf', {deaf!r}, {{'grace': 60.0, 'ready': {ready}}})]"
    with script(code + RUN, tmp_path) as process:
        told(process)
        process.send_signal(signal.SIGINT)
        assert "asked by 2" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert "children left: 0" in rest(process)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_a_killed_supervisor_takes_its_children_along(tmp_path):
    with script(f"SERVICES = [('one', {WAITS!r})]" + RUN, tmp_path) as process:
        (pid,) = told(process)["pids"]
        process.kill()
        assert wait_until(lambda: find(pid) is None, 5)


def test_a_closed_terminal_stops_everything(tmp_path):
    talks = "while :; do echo more; sleep 0.05; done"
    with script(f"SERVICES = [('one', {talks!r})]" + RUN, tmp_path) as process:
        (pid,) = told(process)["pids"]
        process.stdout.close()  # what `up | head` does
        assert process.wait(timeout=20) == 0
        assert find(pid) is None
