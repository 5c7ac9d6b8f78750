"""Jobs and outbox with a real worker and a real clock, and what is left when the worker is killed."""

import os
import signal

import pytest

from oms import files, jobs, outbox
from oms.models import Due, Job, JobState, OutboxMessage, Sku
from oms.tasks import run_jobs
from oms.tenancy import account_context
from tests import worker_process
from tests.worker_process import wait_until
from tests.worker_settings import TEST_JOBS, TEST_SUBSCRIBERS

pytestmark = [pytest.mark.commits("another process looks at the rows"), pytest.mark.xdist_group("worker")]
worker = worker_process.worker


@pytest.fixture(autouse=True)
def known_here_too(settings, worker):
    settings.JOBS = {**settings.JOBS, **TEST_JOBS}
    settings.OUTBOX_SUBSCRIBERS = TEST_SUBSCRIBERS
    yield
    # The next test begins by emptying the tables: not while somebody works on them.
    wait_until(lambda: not Due.objects.filter(kind="outbox").exists(), what="the outbox is looked after")


def start(account, kind, **params):
    with account_context(account):
        return jobs.start(f"test.{kind}", kind, params, person=None, idempotency_key=os.urandom(8).hex())


def now(account, job):
    with account_context(account):
        return Job.objects.select_related("result_file").get(pk=job.pk)


def wait_for(account, job, state):
    wait_until(lambda: now(account, job).state == state, what=f"{job} is {state}")
    return now(account, job)


def skus(account):
    with account_context(account):
        return Sku.objects.count()


def test_a_job_is_started_done_and_gives_its_file(account_a):
    job = start(account_a, "make_skus", count=3)
    found = wait_for(account_a, job, JobState.DONE)
    assert (found.attempt, skus(account_a)) == (1, 3)
    with files.open_file(found.result_file) as file:
        assert file.read() == b"SKU\r\n1\r\n"


def test_a_worker_that_is_killed_midway_leaves_nothing_and_its_job_is_done_once(account_a, tmp_path, worker):
    job = start(account_a, "wait_midway", folder=str(tmp_path))
    first = tmp_path / "started-1"
    wait_until(lambda: first.exists() and first.read_text(), what="the job is midway")
    wait_until(lambda: now(account_a, job).done == 5, what="progress is seen")
    assert skus(account_a) == 0  # ten are made, none is committed

    child = int(first.read_text())
    assert child in worker.children()
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: child not in worker.children(), what="the child is gone")
    assert (now(account_a, job).state, skus(account_a)) == (JobState.RUNNING, 0)

    (tmp_path / "go").touch()
    found = wait_for(account_a, job, JobState.DONE)
    assert (found.attempt, found.result) == (2, {"counts": {"Made": 10}})
    assert skus(account_a) == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["go", "started-1", "started-2"]


@pytest.mark.slow
def test_a_job_that_is_killed_each_time_fails_in_the_end(account_a, tmp_path):
    job = start(account_a, "wait_midway", folder=str(tmp_path))
    for attempt in range(1, jobs.MOST_ATTEMPTS + 1):
        begun = tmp_path / f"started-{attempt}"
        wait_until(lambda begun=begun: begun.exists() and begun.read_text(), what=f"attempt {attempt} is midway")
        os.kill(int(begun.read_text()), signal.SIGKILL)
    found = wait_for(account_a, job, JobState.FAILED)
    assert (found.attempt, skus(account_a)) == (jobs.MOST_ATTEMPTS, 0)


def test_a_job_whose_database_goes_away_is_done_when_it_is_back(account_a):
    job = start(account_a, "lose_connection")
    assert wait_for(account_a, job, JobState.DONE).attempt == 2
    assert skus(account_a) == 1


def test_cancel_midway(account_a, tmp_path):
    job = start(account_a, "wait_midway", folder=str(tmp_path))
    wait_until((tmp_path / "started-1").exists, what="the job is midway")
    with account_context(account_a):
        jobs.cancel(job_id=job.pk)
    wait_for(account_a, job, JobState.CANCELLED)
    assert skus(account_a) == 0


def test_jobs_of_one_account_run_one_after_the_other_and_those_of_another_beside_them(account_a, account_b, tmp_path):
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    owners = [account_a, account_a, account_b]
    queued = [start(owner, "wait_midway", folder=str(folder)) for owner, folder in zip(owners, folders, strict=True)]
    wait_until(lambda: all((folders[n] / "started-1").exists() for n in (0, 2)), what="one of each is midway")
    assert not (folders[1] / "started-1").exists()
    for folder in folders:
        (folder / "go").touch()
    for owner, job in zip(owners, queued, strict=True):
        wait_for(owner, job, JobState.DONE)
    assert (skus(account_a), skus(account_b)) == (20, 10)


def test_a_long_statement_keeps_its_lease(account_a):
    job = start(account_a, "sleep", seconds=5)  # the lease is 4 s, and no step is made
    assert wait_for(account_a, job, JobState.DONE).attempt == 1


@pytest.mark.parametrize("kind", ["sleep", "wait_midway"])
def test_a_job_that_takes_too_long_is_stopped(account_a, tmp_path, kind):
    with account_context(account_a):
        params = {"seconds": 50, "folder": str(tmp_path)}
        job = jobs.start(f"test.{kind}", kind, params, person=None, idempotency_key="k")
        Due.objects.all().delete()  # so that it is not started by the usual way, with its limit of an hour
    run_jobs.apply_async(args=[account_a.pk], soft_time_limit=2)
    assert "more than an hour" in wait_for(account_a, job, JobState.FAILED).message
    assert skus(account_a) == 0


def test_a_message_that_was_published_without_valkey_is_heard_when_it_is_back(account_a, monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_WRITE_URL", "redis://127.0.0.1:9/0")
    with account_context(account_a):
        message = outbox.publish("test.heard", "a")
    wait_until(lambda: is_heard(account_a, message), what="the message is heard")  # beat found it
    assert skus(account_a) == 1


def is_heard(account, message):
    with account_context(account):
        return OutboxMessage.objects.filter(pk=message.pk, done_at__isnull=False).exists()


def test_a_failing_message_is_tried_again_by_itself(account_a, tmp_path):
    gate = tmp_path / "closed"
    gate.touch()
    with account_context(account_a):
        bad = outbox.publish("test.heard", "a", {"fails_while": str(gate)})
        good = outbox.publish("test.heard", "b")
    wait_until(lambda: is_heard(account_a, good), what="the other message is heard")
    assert not is_heard(account_a, bad)
    gate.unlink()
    wait_until(lambda: is_heard(account_a, bad), what="the message is heard at last")
    assert skus(account_a) == 2
