"""Errors of the database are told apart by what the server itself says, and people read which it was."""

import errno
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.test import RequestFactory

from oms import files, jobs
from oms.database.faults import WORDS, Fault, fault_of, is_passing
from oms.models import Job, JobState, Sku, StoredFile
from oms.tasks import wait_after
from oms.tenancy import account_context
from oms.views.errors import server_error
from tests.oms import runners

RAISE = "DO $$ BEGIN RAISE EXCEPTION 'as the server would' USING ERRCODE = '{}'; END $$"


def fails_with(state):
    """Let the server end a statement with a SQLSTATE."""
    with connection.cursor() as cursor:
        cursor.execute(RAISE.format(state))


def error_of(state):
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        fails_with(state)
    return caught.value


MEANINGS = {
    "08006": Fault.AWAY,
    "57P01": Fault.AWAY,
    "57P02": Fault.AWAY,
    "57P03": Fault.STARTING,
    "53300": Fault.CROWDED,
    "53200": Fault.CROWDED,
    "53100": Fault.FULL,
    "28P01": Fault.REFUSED,
    "28000": Fault.REFUSED,
    "57014": Fault.SLOW,
    "25P03": Fault.SLOW,
    "55P03": Fault.LOCKED,
    "40P01": Fault.LOCKED,
    "40001": Fault.LOCKED,
    "54001": None,  # a statement that is too complex is an OperationalError, too, and no reason to try again
    "23505": None,
    "42501": None,
}


def test_each_sqlstate_has_its_meaning(db):
    errors = {state: error_of(state) for state in MEANINGS}
    assert {state: fault_of(error) for state, error in errors.items()} == MEANINGS
    assert {state: fault_of(error.__cause__) for state, error in errors.items()} == MEANINGS
    wait_for_a_person = {None, Fault.FULL, Fault.REFUSED}
    assert {s: is_passing(e) for s, e in errors.items()} == {
        s: fault not in wait_for_a_person for s, fault in MEANINGS.items()
    }


def test_a_login_that_fails_is_told_apart_too(server_env):
    url = server_env["DATABASE_URL"]
    parts = urlsplit(url)

    def fault(**changes):
        with pytest.raises(psycopg.Error) as caught:
            psycopg.connect(urlunsplit(parts._replace(**changes)), connect_timeout=3)
        return fault_of(caught.value)

    user, _, place = parts.netloc.rpartition("@")
    assert fault(netloc=f"{parts.username}:wrong@{place}") is Fault.REFUSED
    assert fault(netloc=f"nobody-knows:{parts.password}@{place}") is Fault.REFUSED
    assert fault(netloc=f"{user}@127.0.0.1:1") is Fault.AWAY


def test_words_of_a_server_that_does_not_let_in_yet():
    said = {
        "FATAL:  the database system is starting up": Fault.STARTING,
        "FATAL:  the database system is in recovery mode": Fault.STARTING,
        "FATAL:  the database system is shutting down": Fault.STARTING,
        "FATAL:  sorry, too many clients already": Fault.CROWDED,
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute": Fault.CROWDED,
        "server closed the connection unexpectedly": Fault.AWAY,
    }
    assert {words: fault_of(psycopg.OperationalError(words)) for words in said} == said


def test_a_full_disk_is_known_from_the_system_too():
    assert fault_of(OSError(errno.ENOSPC, "No space left on device")) is Fault.FULL
    assert fault_of(OSError(errno.ENOENT, "No such file")) is None
    assert fault_of(ValueError("a fault of ours")) is None
    assert fault_of(None) is None


# --- what people read -------------------------------------------------------------------------------------------------
def page_of(error):
    try:
        raise error
    except type(error):
        return server_error(RequestFactory().get("/acme/"))


@pytest.mark.parametrize(
    ("error", "fault", "words"),
    [
        (psycopg.errors.DiskFull(), Fault.FULL, "Nothing of what was saved before is lost, and nothing of this"),
        (OSError(errno.ENOSPC, "full"), Fault.FULL, "Nothing of what was saved before is lost, and nothing of this"),
        (psycopg.errors.QueryCanceled(), Fault.SLOW, "Nothing of this was saved"),
        (psycopg.errors.DeadlockDetected(), Fault.LOCKED, "Nothing of this was saved"),
        (psycopg.errors.CannotConnectNow(), Fault.STARTING, "goes on by itself"),
        (psycopg.OperationalError("gone"), Fault.AWAY, "goes on by itself"),
    ],
)
def test_the_page_says_which_it_was(error, fault, words):
    answer = page_of(error)
    assert answer.status_code == 503
    assert str(WORDS[fault]) in answer.content.decode()
    assert words in answer.content.decode()
    assert answer["Retry-After"]


def test_a_fault_of_ours_is_still_a_500():
    assert page_of(psycopg.errors.StatementTooComplex()).status_code == 500
    assert page_of(ValueError("ours")).status_code == 500


# --- what a job says --------------------------------------------------------------------------------------------------
def job_that(account, settings, work):
    settings.JOBS = {**settings.JOBS, "fill": f"{__name__}.{work.__name__}"}
    with account_context(account):
        return jobs.start("fill", "Fill it", {"count": 1}, person=None)


def fills_the_database(progress):
    runners.make_skus(progress)
    fails_with("53100")


def fills_the_disk(progress):
    def chunks():
        yield b"half of it"
        raise OSError(errno.ENOSPC, "No space left on device")

    runners.make_skus(progress)
    files.store("big.csv", "text/csv", chunks())


@pytest.mark.commits("a job commits step by step")
@pytest.mark.parametrize("work", [fills_the_database, fills_the_disk])
def test_a_job_that_finds_the_disk_full_says_so_keeps_nothing_and_is_not_tried_again(account_a, settings, work):
    job = job_that(account_a, settings, work)
    assert jobs.run(account_a.pk, job.pk) == JobState.FAILED
    with account_context(account_a):
        found = Job.objects.get(pk=job.pk)
        assert "The disk is full" in found.message
        assert "Nothing was changed" in found.message
        assert (Sku.objects.count(), StoredFile.objects.count()) == (0, 0)
    folder = settings.FILES_ROOT / str(account_a.pk)
    assert [path.name for path in folder.glob("*")] == []
    assert jobs.run(account_a.pk, job.pk) is None


def test_a_task_asks_a_full_disk_seldom_and_others_soon():
    assert [wait_after(Fault.FULL, retries) for retries in (0, 5)] == [300, 300]
    assert [wait_after(Fault.AWAY, retries) for retries in (0, 1, 9)] == [2, 4, 60]
