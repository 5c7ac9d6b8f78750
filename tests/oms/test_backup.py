"""`manage.py backup` as an operator runs it, and what is left where it is stopped."""

import errno
import os
import resource
import signal
from pathlib import Path

import psycopg
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from oms import files
from oms.backup import archive, database, making, restoring
from oms.backup.errors import BackupFailed
from oms.bootstrap import GIVEN, ROOT
from oms.embedded.console import Console
from oms.embedded.stack import Stack
from oms.embedded.state import State
from oms.embedded.supervisor import Supervisor
from tests.oms.operating import Operator, until
from tests.oms.test_up import environment as of_a_shell

pytestmark = pytest.mark.commits("commands of their own process read and fill the database")


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
    with psycopg.connect(there.env["DATABASE_OWNER_URL"]) as owner:
        assert owner.execute("SELECT relname FROM pg_stat_user_tables WHERE last_analyze IS NULL").fetchall() == []
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
    out.write_text("somebody's own")
    arguments = ["restore", path, "--check", f"--keys-to={out}", f"--passphrase-file={secret}"]
    assert "is there already" in there.runs(*arguments, status=1)
    assert out.read_text() == "somebody's own"
    arguments[3] = f"--keys-to={tmp_path / 'no folder' / 'keys'}"
    assert "The keys were not written." in there.runs(*arguments, status=1)
    secret.write_text("another passphrase\n")
    arguments[3] = f"--keys-to={tmp_path / 'others'}"
    assert "does not open the keys" in there.runs(*arguments, status=1)
    assert "Nobody is there to type" in here.runs("backup", tmp_path / "other", "--with-keys", status=1)
    assert {each.name for each in tmp_path.iterdir()} == {"saved", "keys", "passphrase"}


@pytest.mark.parametrize(
    ("first_line", "why"), [(b"short\n", "12 characters"), (b"\na long passphrase", "12 characters"), (b"\xff", "text")]
)
def test_a_passphrase_that_cannot_be_meant_is_refused_before_anything_is_saved(here, tmp_path, first_line, why):
    (tmp_path / "passphrase").write_bytes(first_line)
    with psycopg.connect(here.env["DATABASE_OWNER_URL"]) as somebody:
        somebody.execute("LOCK TABLE oms_sku IN ACCESS EXCLUSIVE MODE")  # a dump would wait for it
        options = ("--with-keys", f"--passphrase-file={tmp_path / 'passphrase'}")
        said = here.runs("backup", tmp_path / "saved", *options, status=1)
    assert why in said
    assert "Traceback" not in said


def test_a_file_that_appears_meanwhile_is_not_overwritten(something, tmp_path, monkeypatch):
    target = tmp_path / "saved"

    def somebody_writes_it(_said):
        target.write_text("somebody's own")

    def no_links(*_names):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    for link in (os.link, no_links):
        monkeypatch.setattr("os.link", link)
        with pytest.raises(BackupFailed, match="is there already"):
            making.make(target, passphrase=None, say=somebody_writes_it)
        assert target.read_text() == "somebody's own"
        assert list(tmp_path.iterdir()) == [target]
        target.unlink()
        making.make(target, passphrase=None, say=str)
        assert list(tmp_path.iterdir()) == [target]
        with restoring.opened(target):
            target.unlink()


def test_a_part_that_became_the_backup_meanwhile_is_left_alone(tmp_path):
    part, target = tmp_path / "saved.part", tmp_path / "saved"
    part.write_text("a whole backup")
    with part.open("r+b") as opened_before:
        part.rename(target)
        for _there in range(2):
            with pytest.raises(BackupFailed, match="Another backup"):
                making._hold(opened_before, part)
            part.touch()


# --- private files ----------------------------------------------------------------------------------------------------
def test_files_that_are_lost_end_a_backup_with_an_error_but_not_those_deleted_meanwhile(here, something, tmp_path):
    here.env["PYTEST_XDIST_WORKER"] = "elsewhere"  # tests/settings.py keeps the files there
    said = here.runs("backup", tmp_path / "saved", status=1)
    assert "1 private files are not in it" in said
    assert "Set LOTLINE_FILES as web has it" in said
    here.runs("restore", tmp_path / "saved", "--check")
    here.runs("backup", tmp_path / "other", "--lost-files-ok")
    with database.snapshot() as moment, (tmp_path / "parts").open("w+b") as file:
        assert files.delete_expired(something.account_id, timezone.now()) == 1
        assert making._add_files(archive.Writer(file), moment) == []


def test_a_file_that_cannot_be_read_is_named(something, tmp_path):
    path = Path(default_storage.path(f"{something.account_id}/{something.key.hex}"))
    path.unlink()
    path.mkdir()
    with pytest.raises(BackupFailed, match=f"{path} cannot be read"):
        making.make(tmp_path / "saved", passphrase=None, say=str)
    path.rmdir()
    assert list(tmp_path.iterdir()) == []


def test_beside_a_running_set_a_backup_has_its_files_and_keys(server_env, something, settings, tmp_path, monkeypatch):
    keys = {"SECRET_KEY": "k" * 50, "SECRET_KEY_FALLBACKS": "old", "LOTLINE_SECRETS_KEYS": "one,two"}
    kept = os.path.relpath(settings.FILES_ROOT, ROOT)
    servers = {name: server_env[name] for name in ("DATABASE_URL", "DATABASE_OWNER_URL")}
    for name, value in {**servers, **keys, "REDIS_URL": "redis://127.0.0.1:9", "LOTLINE_FILES": kept}.items():
        monkeypatch.setitem(GIVEN, name, value)
    state = State(tmp_path / "state")
    state.make()
    state.acquire()
    stack = Stack(Supervisor(Console(quiet=True), state.folder / "pids"), state, port=1)
    stack.start_servers()
    stack.share()
    cron = Operator(of_a_shell(LOTLINE_STATE=str(state.folder)))
    secret = tmp_path / "passphrase"
    secret.write_text("a passphrase for tests\n")
    with_keys = ("--with-keys", f"--passphrase-file={secret}")
    cron.runs("backup", tmp_path / "saved", *with_keys)
    state.release()
    with restoring.opened(tmp_path / "saved") as backup:
        assert backup.files == [f"files/{something.account_id}/{something.key.hex}"]
        found = backup.keys("a passphrase for tests")
    assert found == {"SECRET_KEY": ["k" * 50, "old"], "LOTLINE_SECRETS_KEYS": ["one", "two"]}


# --- what stands in the way -------------------------------------------------------------------------------------------
def test_the_database_that_the_app_cannot_reach_is_told_in_words(here, something, tmp_path):
    here.env["DATABASE_URL"] = "postgres://lotline_app:x@127.0.0.1:9/lotline"
    said = here.runs("backup", tmp_path / "saved", status=1)
    assert "The database does not answer." in said
    assert "No backup was kept." in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_backup_of_what_is_not_up_to_date_says_so(there, tmp_path):
    assert "Run `manage.py prepare` first" in there.runs("backup", tmp_path / "saved", status=1)
    assert list(tmp_path.iterdir()) == []


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
