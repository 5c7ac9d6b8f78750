"""`manage.py up`, `up --check` and `test`, run as a person runs them, each on a state folder of its own."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from oms import demo, smoke
from oms.bootstrap import ROOT
from oms.embedded.errors import CannotStart
from oms.embedded.ports import free_port
from oms.embedded.processes import find, processes, wait_until
from oms.embedded.stack import DEFAULT_PORT, pick_port
from oms.embedded.state import State
from tests.oms.supervised import rest

# Two whole sets at a time would be too much for two cores.
pytestmark = pytest.mark.xdist_group("up")

MANAGE = [sys.executable, str(ROOT / "manage.py")]
OURS = ("LOTLINE_", "DATABASE_", "REDIS_", "DJANGO_", "PYTEST_", "SECRET_", "ALLOWED_", "CSRF_", "LOG_", "PORT")


def environment(**more):
    """The environment of a person's shell, without what the test run has put into ours."""
    shell = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    return {**shell, "LOTLINE_VENV": "off", **more}


class Up:
    """A running `manage.py up`."""

    def __init__(self, state, *arguments, **more):
        self.state = state
        self.said = ""
        self.env = environment(**{"LOTLINE_STATE": str(state), **more})
        self.process = subprocess.Popen(
            [*MANAGE, "up", *arguments],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def reads_until(self, text):
        for line in self.process.stdout:
            self.said += line
            if text in line:
                return self
        return pytest.fail(f"it never said {text!r}:\n{self.said}")

    def ready(self):
        self.reads_until("Ctrl-C stops it")
        self.url = re.search(r"http://localhost:\d+/", self.said)[0]
        return self

    def ends(self, signum=None):
        """Send a signal and wait for the end; the exit status."""
        if signum is not None:
            self.process.send_signal(signum)
        self.said += rest(self.process)
        return self.process.returncode

    def pids(self):
        return {file.stem: json.loads(file.read_text())["pid"] for file in (self.state / "pids").glob("*.json")}

    def manage(self, *arguments):
        """Another management command, in another terminal."""
        return subprocess.run([*MANAGE, *arguments], env=self.env, capture_output=True, text=True, check=False)


@pytest.fixture
def state():
    """A state folder that root's PostgreSQL, which runs as nobody, can reach."""
    with State.throw_away("test-up") as made:
        yield made.folder


@pytest.fixture
def up(state):
    """Start `up` on one state; what the test does not stop is stopped."""
    with contextlib.ExitStack() as stack:

        def start(*arguments, **more):
            running = Up(state, *arguments, **more)
            stack.callback(running.process.stdout.close)
            stack.callback(stop, running)
            return running

        yield start


def stop(running):
    if running.process.poll() is None:
        running.process.terminate()
        rest(running.process)


def left_of(state, groups=()):
    return [p for p in processes() if str(state) in p.command or p.group in groups]


def test_a_whole_day(up, state):
    """Start, use, a second start, stop, and the same data the next day."""
    first = up("--port", str(free_port())).ready()
    first.reads_until("ana@lotline.example")
    groups = first.pids()
    assert set(groups) == {"postgres", "valkey", "sandbox", "worker", "sync", "jobs", "web", "beat"}
    page = httpx.get(first.url + "sign-in/")
    assert (page.status_code, "<h1" in page.text) == (200, True)

    # Other management commands find the servers; nobody else can read how.
    adds = "from oms.models import Account; Account.objects.create(name='Kept', slug='kept')"
    shell = first.manage("shell", "-v0", "-c", adds)
    assert shell.returncode == 0, shell.stderr
    assert (state / "env").stat().st_mode & 0o077 == 0

    second = first.manage("up")
    assert second.returncode == 1
    assert f"already runs from this folder at {first.url} (process {first.process.pid}," in second.stdout

    assert first.ends(signal.SIGINT) == 0, first.said
    farewells = re.findall(r"^(\w+) +\| .*(?:Warm shutdown|ready to exit|is shut down)", first.said, re.MULTILINE)
    assert farewells == ["jobs", "sync", "worker", "valkey", "postgres"]
    assert left_of(state, groups.values()) == []
    assert not (state / "env").exists()

    again = up("--port", str(free_port())).ready()
    assert "Demo data made" in first.said
    assert "Demo data made" not in again.said
    counts = "from oms.models import Account; print(Account.objects.filter(slug='kept').count())"
    count = again.manage("shell", "-v0", "-c", counts)
    assert count.stdout.strip() == "1", count.stderr
    assert again.ends(signal.SIGTERM) == 0


@pytest.mark.slow
def test_the_check_proves_the_whole_set_and_leaves_nothing():
    done = subprocess.run([*MANAGE, "up", "--check"], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [line.rsplit(None, 1)[0] for line in done.stdout.partition("seconds\n")[2].splitlines()]
    assert steps == [
        "postgres",
        "valkey",
        "prepare",
        "sandbox, worker, sync, jobs, web, beat",
        *(name for name, _ in smoke.STEPS),
        "stop",
        "total",
    ]
    (folder,) = re.findall(r"cluster in (\S+)/postgres", done.stdout)
    assert not Path(folder).exists()
    assert left_of(folder) == []


@pytest.mark.slow
def test_an_interrupted_check_leaves_nothing():
    with subprocess.Popen(
        [*MANAGE, "up", "--check"], env=environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        for line in process.stdout:
            if found := re.search(r"cluster in (\S+)/postgres", line):
                folder = Path(found[1])
            if "prepare: " in line:
                break
        process.send_signal(signal.SIGINT)
        assert "interrupted" in rest(process)
    assert process.returncode == 130
    assert not folder.exists()
    assert left_of(folder) == []


@pytest.mark.slow
def test_after_kill_9_the_next_start_goes_on(up, state):
    first = up("--port", str(free_port())).ready()
    groups = first.pids()
    os.kill(groups["beat"], signal.SIGSTOP)  # it cannot hear that its supervisor is gone
    assert first.ends(signal.SIGKILL) == -signal.SIGKILL
    assert find(groups["beat"]) is not None

    again = up("--port", str(free_port())).ready()
    assert re.search(r"stopped what it left: .*\bbeat\b", again.said)
    assert {name: find(pid) for name, pid in groups.items()} == dict.fromkeys(groups)
    assert httpx.get(again.url + "healthz/").status_code == 200
    assert again.ends(signal.SIGINT) == 0
    assert left_of(state, groups.values()) == []


def status(running):
    """What the start page answers; None where nobody does."""
    try:
        return httpx.get(running.url + "sign-in/", timeout=20).status_code
    except httpx.HTTPError:
        return None


def works(running):
    """Web answers, each worker takes a task, and the dispatcher runs."""
    steps = "".join(f"smoke.{step.__name__}({running.url!r}); " for _name, step in smoke.STEPS[:3])
    done = running.manage("shell", "-v0", "-c", f"from oms import smoke; {steps}")
    assert done.returncode == 0, done.stderr


def seen_while_it_is_gone(running, name):
    """Kill a child; what the site answers until it runs again."""
    before, seen = running.pids()[name], set()

    def is_another():
        seen.add(status(running))
        return running.pids().get(name, before) != before

    os.kill(before, signal.SIGKILL)
    assert wait_until(is_another, 60), name
    running.reads_until(f"{name} runs again")
    return seen


@pytest.mark.slow
def test_each_child_that_is_killed_comes_back_and_the_others_stay(up):
    """Once in one running set. Meanwhile pages say 503 and nothing worse, and nothing is lost."""
    running = up("--port", str(free_port())).ready()
    adds = "from oms.models import Account; Account.objects.create(name='Kept', slug='kept')"
    assert running.manage("shell", "-v0", "-c", adds).returncode == 0
    names = set(running.pids())
    assert names == {"postgres", "valkey", "sandbox", "worker", "sync", "jobs", "web", "beat"}
    for name in sorted(names):
        before, seen = running.pids(), seen_while_it_is_gone(running, name)
        after = running.pids()
        assert {other for other in names if after[other] != before[other]} == {name}
        assert seen <= {200, 503 if name == "postgres" else 200, None if name == "web" else 200}, (name, seen)
        works(running)
    kept = running.manage("shell", "-v0", "-c", "from oms.models import Account; print(Account.objects.count())")
    assert kept.stdout.strip() == str(len(demo.ACCOUNTS) + 1), kept.stderr
    groups = running.pids().values()
    assert running.ends(signal.SIGINT) == 0, running.said
    assert left_of(running.state, groups) == []


@pytest.mark.slow
def test_a_port_that_a_leftover_holds_is_free_again_for_the_next_start(up):
    """Web was suspended when its supervisor was killed, so it still listens."""
    port = str(free_port())
    first = up("--no-demo", "--port", port).ready()
    os.kill(first.pids()["web"], signal.SIGSTOP)
    assert first.ends(signal.SIGKILL) == -signal.SIGKILL
    again = up("--no-demo", "--port", port).ready()
    assert status(again) == 200
    assert again.ends(signal.SIGINT) == 0


def test_a_port_that_was_asked_for_and_is_taken_is_refused_before_anything_starts(up, state):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        by_variable = up(PORT=str(port))
        assert by_variable.ends() == 1
        assert f"Port {port} is taken" in by_variable.said
    assert not (state / "postgres").exists()


@pytest.fixture
def small_disk():
    """A file system of its own, too small for a database."""
    folder = Path(tempfile.mkdtemp(prefix="lotline-test-small-"))
    mount = shutil.which("mount")
    options = ("-t", "tmpfs", "-o", "size=20M,mode=755", "tmpfs", str(folder))
    if os.geteuid() or not mount or subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("only root, where it may mount, can make a small file system")
    yield folder
    subprocess.run([shutil.which("umount"), str(folder)], check=True)
    folder.rmdir()


def test_a_full_disk_is_named_and_nothing_half_made_is_left(small_disk, up):
    running = up("--no-demo", "--port", str(free_port()), LOTLINE_STATE=str(small_disk))
    assert running.ends() == 1
    assert f"The disk of {small_disk} is full. Free some space there and start again" in running.said
    assert "Traceback" not in running.said
    assert left_of(small_disk) == []
    assert {path.name for path in small_disk.iterdir()} <= {".gitignore", "lock", "passwords", "pids", "env"}


def test_a_disk_that_cannot_take_a_file_of_ours_is_named_too(small_disk, up):
    (small_disk / "filling").write_bytes(b"x" * (19 << 20))
    with suppress(OSError), (small_disk / "more").open("wb", buffering=0) as file:
        while file.write(b"x" * 512):
            pass
    running = up("--no-demo", "--port", str(free_port()), LOTLINE_STATE=str(small_disk))
    assert running.ends() == 1
    assert re.search(rf"The disk of {small_disk}\S* is full", running.said)
    assert "Traceback" not in running.said


def test_without_a_wish_any_free_port_will_do(monkeypatch):
    monkeypatch.setattr("oms.embedded.stack.is_free", lambda port: True)
    assert pick_port(None) == pick_port("") == DEFAULT_PORT
    assert pick_port("8123") == 8123
    monkeypatch.setattr("oms.embedded.stack.is_free", lambda port: port != DEFAULT_PORT)
    assert pick_port(None) != DEFAULT_PORT
    for wrong in ("http", "0", "70000", "-1"):
        with pytest.raises(CannotStart, match="is not a port"):
            pick_port(wrong)


def test_a_given_database_needs_the_owners_url_too(up):
    running = up(DATABASE_URL="postgres://lotline_app:x@127.0.0.1:1/lotline", SECRET_KEY="s" * 50)
    assert running.ends() == 1
    assert "set DATABASE_OWNER_URL too" in running.said


# --- manage.py test ---------------------------------------------------------------------------------------------------
TESTS = """
import os, psycopg, redis, pytest, time

def test_servers():
    with psycopg.connect(os.environ["DATABASE_URL"]) as app, psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        assert app.execute("SELECT current_user, current_setting('fsync')").fetchone() == ("lotline_app", "off")
        assert owner.execute("SELECT current_user").fetchone() == ("lotline_owner",)
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert client.ping()
    print("state:", os.environ["LOTLINE_STATE"])

def test_fails():
    assert False

@pytest.mark.skipif("LOTLINE_TEST_ALL" not in os.environ, reason="not all")
def test_all():
    pass

def test_waits():
    print("waiting", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def suite(tmp_path):
    """The arguments of a suite of four tests that has nothing to do with ours."""
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return [*MANAGE, "test", "-n", "0", "-s", "-c", str(tmp_path / "pytest.ini"), str(tmp_path / "test_it.py")]


def test_the_test_command_gives_pytest_servers_and_takes_its_arguments_and_status(suite):
    def run(*more):
        return subprocess.run([*suite, *more], env=environment(), capture_output=True, text=True, check=False)

    done = run("-k", "servers or all", "--all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed, 2 deselected" in done.stdout
    folder = Path(re.search(r"state: (\S+)", done.stdout)[1])
    assert not folder.exists()
    assert left_of(folder) == []

    failed = run("-k", "fails or all")
    assert failed.returncode == 1
    assert "1 failed, 1 skipped, 2 deselected" in failed.stdout


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_test_command_can_be_interrupted(suite, signum):
    with subprocess.Popen(
        [*suite, "-k", "servers or waits", "-p", "no:randomly"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        for line in process.stdout:
            if found := re.search(r"state: (\S+)", line):
                folder = Path(found[1])
            if "waiting" in line:
                break
        process.send_signal(signum)
        said = rest(process)
    assert process.returncode == 2, said
    assert "1 passed" in said
    assert not folder.exists()
    assert left_of(folder) == []
