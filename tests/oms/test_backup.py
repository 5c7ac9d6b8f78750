"""`manage.py backup` and `manage.py restore` as an operator runs them, and what is left where they are stopped."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from oms import files
from oms.backup import archive, database, making, restoring
from oms.backup.errors import Damaged, NotABackup
from oms.embedded.state import State
from oms.models import Sku
from oms.postgresql.base import BeingRestored, DatabaseWrapper
from oms.postgresql.owner import as_owner
from oms.tenancy import account_context
from tests.oms.test_up import environment as of_a_shell

pytestmark = pytest.mark.commits("commands of their own process read and fill the database")
ROOT = Path(__file__).parents[2]
SESSIONS = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = %s"


class Operator:
    """A person at a terminal; `env` says which database and which files."""

    def __init__(self, env):
        self.env = {**env, "LOTLINE_HTTPS": "0"}

    def starts(self, *arguments, **options):
        return subprocess.Popen(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **{"stdin": subprocess.DEVNULL, **options},
        )

    def runs(self, *arguments, status=0, **options):
        process = self.starts(*arguments, **options)
        said, _none = process.communicate(timeout=120)
        assert process.returncode == status, said
        return said

    def counts(self):
        with psycopg.connect(self.env["DATABASE_OWNER_URL"]) as owner:
            return database.count_rows(owner)


@pytest.fixture
def here(server_env):
    """The operator of the test's own database."""
    return Operator(server_env)


@pytest.fixture
def there(server_env, settings):
    """The operator of another machine, whose database is empty."""
    name = f"test_lotline_{os.getpid()}_gw{uuid4().int % 10**9}"  # of a session that dies, the next one drops it
    env = {**server_env, "PYTEST_XDIST_WORKER": name}  # tests/settings.py keeps the files there
    for variable in ("DATABASE_URL", "DATABASE_OWNER_URL"):
        env[variable] = f"{server_env[variable].rpartition('/')[0]}/{name}"
    with as_owner() as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield Operator(env)
    with as_owner() as owner:
        owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def something(account_a):
    """Rows, and a file of half a megabyte."""
    with account_context(account_a):
        Sku.objects.bulk_create(Sku(code=f"SKU-{n}", name=os.urandom(60).hex()) for n in range(2_000))
        return files.store("big.csv", "text/csv", [os.urandom(500_000)])


@pytest.fixture
def saved(something, tmp_path):
    """A backup."""
    making.make(tmp_path / "saved", passphrase=None, say=str)
    return tmp_path / "saved"


def until(is_so, process):
    """Wait for a moment in the life of a process."""
    end = time.monotonic() + 60
    while not (found := is_so()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "it did not come true"
    return found


# --- backup -----------------------------------------------------------------------------------------------------------
def test_a_backup_is_for_its_maker_alone_and_restores_on_another_machine(here, there, something, tmp_path):
    path = tmp_path / "saved"
    said = here.runs("backup", path)
    assert "The keys are not in it" in said
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert "A whole backup of" in there.runs("restore", path, "--check")
    with restoring.opened(path) as backup:
        rows = dict(backup.manifest.rows)
        assert rows["oms_sku"] == 2_000
        assert backup.files == [f"files/{something.account_id}/{something.key.hex}"]
    assert "is there already" in here.runs("backup", path, status=1)

    assert "Nobody is there to ask" in there.runs("restore", path, status=1)
    assert there.counts() == {}
    said = there.runs("restore", path, "--yes")
    assert "acme: Replenishments: the next one is R-2001." in said
    assert said.index("The ledger is sound.") < said.index("Restored. Start Lotline again.")
    after = there.counts()
    assert {name for name in rows if after[name] != rows[name]} <= {"oms_numberscheme", "serials_numberscheme"} | {
        "replenishment_replenishmentcounter"
    }
    assert "is not empty, and a restore removes nothing" in there.runs("restore", path, "--yes", status=1)
    there.runs("prepare", "--no-demo", "--no-static")


def test_keys_are_in_it_only_if_wanted_and_open_by_the_passphrase_alone(here, there, something, tmp_path):
    secret = tmp_path / "passphrase"
    secret.write_text("a passphrase for tests\n")
    path = tmp_path / "saved"
    here.env |= {"SECRET_KEY": "k" * 50, "LOTLINE_SECRETS_KEYS": "one,two"}
    here.runs("backup", path, "--with-keys", f"--passphrase-file={secret}")
    assert b"k" * 50 not in path.read_bytes()
    there.env |= {"SECRET_KEY": "o" * 50}
    out = tmp_path / "keys"
    said = there.runs("restore", path, "--check", f"--keys-to={out}", f"--passphrase-file={secret}")
    assert "made with other keys" in said
    assert out.read_text() == f"SECRET_KEY={'k' * 50}\nLOTLINE_SECRETS_KEYS=one,two\n"
    assert out.stat().st_mode & 0o777 == 0o600
    secret.write_text("another passphrase\n")
    arguments = ("restore", path, "--check", f"--keys-to={out}", f"--passphrase-file={secret}")
    assert "does not open the keys" in there.runs(*arguments, status=1)
    assert "Nobody is there to type" in here.runs("backup", tmp_path / "other", "--with-keys", status=1)
    assert not (tmp_path / "other").exists()


def test_killed_in_the_middle_it_leaves_no_file_and_the_next_one_works(here, something, tmp_path):
    path, part = tmp_path / "saved", tmp_path / "saved.part"
    with psycopg.connect(here.env["DATABASE_OWNER_URL"]) as somebody:
        somebody.execute("LOCK TABLE oms_sku IN ACCESS EXCLUSIVE MODE")  # pg_dump waits for it
        process = here.starts("backup", path)
        until(part.exists, process)
        assert "Another backup is being written" in here.runs("backup", path, status=1)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert not path.exists()
    here.runs("backup", path)
    here.runs("restore", path, "--check")
    assert not part.exists()


@pytest.mark.parametrize("size", [20_000, 400_000])
def test_where_the_disk_is_full_no_backup_is_kept(here, something, tmp_path, size):
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    said = here.runs("backup", tmp_path / "saved", status=1, preexec_fn=small)
    assert "No backup was kept." in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_called_that():
    assert making.in_words(OSError(28, "No space left on device"), Path("/backups")) == "The disk of /backups is full."


# --- restore ----------------------------------------------------------------------------------------------------------
def test_what_is_damaged_foreign_or_newer_is_refused_before_anything_changes(there, saved, tmp_path):
    whole = saved.read_bytes()
    cases = {"cut": whole[: len(whole) // 2], "foreign": b"PGDMP" + whole, "longer": whole + b"\0" * 512}
    with saved.open("rb") as file:
        _said, found = archive.read(file)
    for name, each in found.items():
        flipped = bytearray(whole)
        flipped[each.offset + each.part.size // 2] ^= 1
        cases[f"flipped in {name.partition('/')[0]}"] = bytes(flipped)
    for name, data in cases.items():
        (tmp_path / name.replace("/", "")).write_bytes(data)
        with pytest.raises(NotABackup if name == "foreign" else Damaged), restoring.opened(tmp_path / name):
            pass
    assert "is damaged, so nothing of it is used" in there.runs("restore", tmp_path / "cut", "--yes", status=1)
    assert "is not a backup of Lotline" in there.runs("restore", tmp_path / "foreign", "--yes", status=1)
    assert "cannot be read" in there.runs("restore", tmp_path / "none", "--yes", status=1)
    assert there.counts() == {}
    with psycopg.connect(there.env["DATABASE_OWNER_URL"]) as owner:
        assert not database.is_marked(owner)


def test_a_backup_of_a_newer_lotline_is_refused(there, something, tmp_path):
    with as_owner() as owner:
        owner.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('oms', '9999_of_tomorrow', now())")
        try:
            making.make(tmp_path / "saved", passphrase=None, say=str)
        finally:
            owner.execute("DELETE FROM django_migrations WHERE name = '9999_of_tomorrow'")
    said = there.runs("restore", tmp_path / "saved", "--yes", status=1)
    assert "of a newer Lotline" in said
    assert "oms.9999_of_tomorrow" in said
    assert there.counts() == {}


def test_nothing_is_restored_beside_people_at_work(there, saved):
    with psycopg.connect(there.env["DATABASE_URL"]):
        assert "1 other sessions use" in there.runs("restore", saved, "--yes", status=1)
    assert there.counts() == {}


def test_it_needs_its_own_database(there, saved, server_env):
    there.env["DATABASE_OWNER_URL"] = f"{server_env['DATABASE_OWNER_URL'].rpartition('/')[0]}/postgres"
    assert "does not belong to lotline_owner" in there.runs("restore", saved, "--yes", status=1)


def test_killed_while_it_loads_the_database_stays_empty_and_the_next_one_works(there, saved):
    process = there.starts("restore", saved, "--yes")
    name = there.env["DATABASE_URL"].rpartition("/")[2]
    with as_owner() as owner:
        until(lambda: owner.execute(SESSIONS, [name, "pg_restore"]).fetchone(), process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        while owner.execute(SESSIONS, [name, "pg_restore"]).fetchone():  # the server notices
            pass
    assert there.counts() == {}
    assert "was interrupted" in there.runs("prepare", "--no-demo", "--no-static", status=1)
    person, terminal = os.openpty()
    os.write(person, b"no\n")
    assert "Nothing was changed." in there.runs("restore", saved, status=1, stdin=terminal)
    assert there.counts() == {}
    os.write(person, b"yes\n")
    assert "Restored." in there.runs("restore", saved, stdin=terminal)
    os.close(person)
    os.close(terminal)


def test_killed_later_the_next_one_says_what_to_do_and_nothing_starts(there, saved):
    there.env["DJANGO_SETTINGS_MODULE"] = "tests.dying_settings"
    there.runs("restore", saved, "--yes", status=-signal.SIGKILL)
    there.env["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    name = there.env["DATABASE_URL"].rpartition("/")[2]
    before = there.counts()
    for arguments in (["restore", saved, "--yes"], ["prepare", "--no-demo", "--no-static"], ["backup", f"{saved}2"]):
        said = there.runs(*arguments, status=1)
        assert "was interrupted, so what is in it is not whole" in said
        assert f"DROP DATABASE {name}; CREATE DATABASE {name} OWNER lotline_owner" in said
    ask = "import django; django.setup(); from oms.models import Account; print(Account.objects.count())"
    env = {**there.env, "LOTLINE_PROCESS": "web"}
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert "has not ended" in done.stderr
    assert there.counts() == before


def test_where_the_disk_is_full_the_database_is_not_touched(there, saved):
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    said = there.runs("restore", saved, "--yes", status=1, preexec_fn=small)
    assert "The database was not touched." in said
    assert there.counts() == {}


def test_no_process_of_the_set_works_on_what_is_being_restored(settings, db):
    with as_owner() as owner:
        owner.execute(database.MARK)
        connection.close()
        DatabaseWrapper.is_role_known = False
        try:
            settings.PROCESS = "sync"
            with pytest.raises(BeingRestored):
                connection.ensure_connection()
            settings.PROCESS = ""
            connection.ensure_connection()
        finally:
            owner.execute(database.UNMARK)
            connection.close()


def test_a_backup_of_what_is_not_up_to_date_says_so(there, tmp_path):
    assert "Run `manage.py prepare` first" in there.runs("backup", tmp_path / "saved", status=1)
    assert list(tmp_path.iterdir()) == []


def test_a_jump_is_at_least_one(there, saved):
    assert "--jump is 1 or more" in there.runs("restore", saved, "--jump=0", status=1)


@pytest.mark.slow
def test_with_the_servers_of_up_it_starts_them_itself(saved, tmp_path):
    same = {name: os.environ[name] for name in ("LOTLINE_TEST_SESSION", "PYTEST_XDIST_WORKER") if name in os.environ}
    with State.throw_away("test-restore") as state:
        up = Operator(of_a_shell(LOTLINE_STATE=str(state.folder), DJANGO_SETTINGS_MODULE="tests.settings", **same))
        assert "Restored." in up.runs("restore", saved, "--jump=5")
        assert "is not empty" in up.runs("restore", saved, "--yes", status=1)
        up.runs("backup", tmp_path / "again")
    with restoring.opened(saved) as first, restoring.opened(tmp_path / "again") as second:
        assert second.manifest.installation == first.manifest.installation
        assert second.manifest.epoch > first.manifest.epoch
        assert second.files == first.files


def test_a_database_that_is_away_is_told_in_words(there, saved):
    there.env["DATABASE_OWNER_URL"] = "postgres://lotline_owner:x@127.0.0.1:9/lotline"
    said = there.runs("restore", saved, "--yes", status=1)
    assert "PostgreSQL refused" in said
    assert "Traceback" not in said
