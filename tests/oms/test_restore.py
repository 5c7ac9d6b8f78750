"""`manage.py restore` as an operator runs it: what it refuses, and what is left where it is stopped."""

import os
import resource
import signal
from dataclasses import replace

import psycopg
import pytest
from django.db import DatabaseError, connection
from django.test import Client

from oms.backup import archive, database, making, restoring
from oms.backup.errors import Damaged, NotABackup
from oms.database.faults import Fault, fault_of
from oms.embedded.state import State
from oms.postgresql.owner import as_owner
from tests.oms.operating import Operator, until
from tests.oms.test_faults import RAISE
from tests.oms.test_up import environment as of_a_shell

pytestmark = pytest.mark.commits("commands of their own process read and fill the database")
SESSIONS = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = %s"


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
    assert there.counts() == before


def test_where_the_disk_is_full_the_database_is_not_touched(there, saved):
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    said = there.runs("restore", saved, "--yes", status=1, preexec_fn=small)
    assert "The database was not touched." in said
    assert there.counts() == {}


def test_no_process_of_the_set_works_on_what_is_being_restored_not_even_one_that_was_there_before(settings, db):
    connection.ensure_connection()
    settings.PROCESS = "web"
    page = Client(raise_request_exception=False)
    with as_owner() as owner:
        owner.execute(database.MARK)
        connection.close()
        connection.close_pool()  # as by DROP DATABASE: what comes next is a new connection of the same process
        try:
            for _again in range(2):
                with pytest.raises(DatabaseError) as caught:
                    connection.ensure_connection()
                assert fault_of(caught.value) == Fault.RESTORING
            answer = page.get("/healthz/")
            assert answer.status_code == 503
            assert "A backup is being restored. Lotline goes on when that is done." in answer.content.decode()
            settings.PROCESS = ""
            connection.ensure_connection()
        finally:
            owner.execute(database.UNMARK)
            connection.close()
    settings.PROCESS = "web"
    assert page.get("/healthz/").status_code == 200


def test_who_comes_while_the_question_waits_keeps_a_restore_from_loading(there, saved):
    person, terminal = os.openpty()
    process = there.starts("restore", saved, stdin=terminal)
    while "every counter is moved on" not in process.stdout.readline():
        assert process.poll() is None
    with psycopg.connect(there.env["DATABASE_URL"]):
        os.write(person, b"yes\n")
        said, _none = process.communicate(timeout=120)
    os.close(person)
    os.close(terminal)
    assert "1 other sessions use" in said
    assert there.counts() == {}
    with psycopg.connect(there.env["DATABASE_OWNER_URL"]) as owner:
        assert not database.is_marked(owner)


def test_rows_that_are_not_those_counted_are_no_fault_of_the_file(there, saved, tmp_path):
    with restoring.opened(saved) as backup, (tmp_path / "other").open("w+b") as file:
        writer = archive.Writer(file)
        for name in backup.found:
            writer.add(name, backup.chunks(name))
        rows = {**backup.manifest.rows, "oms_sku": 2_001}
        writer.close(replace(backup.manifest, rows=rows, parts=tuple(writer.parts)).to_json())
    said = there.runs("restore", tmp_path / "other", "--yes", status=1)
    assert "does not have the rows that the backup counts" in said
    assert "CREATE DATABASE" in said
    assert "damaged" not in said
    assert "was interrupted" in there.runs("restore", saved, "--yes", status=1)


@pytest.mark.parametrize("jump", [0, 10**9 + 1])
def test_a_jump_is_at_least_one(there, saved, jump):
    assert "--jump is 1 to 1,000,000,000" in there.runs("restore", saved, f"--jump={jump}", status=1)


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


def test_a_database_that_is_away_or_refuses_is_told_in_words(there, saved):
    there.env["DATABASE_OWNER_URL"] = "postgres://lotline_owner:x@127.0.0.1:9/lotline"
    said = there.runs("restore", saved, "--yes", status=1)
    assert "The database does not answer. Look at DATABASE_URL and DATABASE_OWNER_URL. It said: " in said
    assert "Traceback" not in said
    there.env["DATABASE_OWNER_URL"] = there.env["DATABASE_URL"].replace("lotline_app", "nobody_knows")
    said = there.runs("restore", saved, "--yes", status=1)
    assert "The database does not let Lotline in." in said
    assert "Traceback" not in said


def test_both_families_of_errors_are_told_apart():
    said = {}
    for state in ("53100", "57P03", "42501"):
        with as_owner() as owner, pytest.raises(psycopg.Error) as of_psycopg:
            owner.execute(RAISE.format(state))
        with connection.cursor() as cursor, pytest.raises(DatabaseError) as of_django:
            cursor.execute(RAISE.format(state))
        assert isinstance(of_django.value, database.ERRORS)
        assert database.in_words(of_django.value) == database.in_words(of_psycopg.value)
        said[state] = database.in_words(of_psycopg.value)
    assert said["53100"].startswith("The disk is full")
    assert said["57P03"].startswith("The database is starting")
    assert said["42501"].startswith("PostgreSQL refused what it was asked for. It said: as the server would")
