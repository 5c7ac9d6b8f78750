"""A job has one worker at a time, whatever becomes of its workers, and accounts share them."""

import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections, transaction
from django.db.models.functions import Now
from django.utils import timezone

from oms import jobs
from oms.models import Due, Job, JobState, StoredFile
from oms.tasks import run_jobs
from oms.tenancy import account_context
from tests.oms import jobs_at_work, runners
from tests.oms.jobs_at_work import change, elsewhere, now, run_all, skus, start, until
from tests.worker_process import wait_until

pytestmark = [pytest.mark.commits("a job commits step by step"), pytest.mark.usefixtures("known_jobs")]
known_jobs, runner = jobs_at_work.known_jobs, jobs_at_work.runner


# --- leases -----------------------------------------------------------------------------------------------------------
def test_a_running_job_is_left_alone_while_its_lease_lasts(account_a):
    job = start(account_a, count=1)
    change(account_a, job, state=JobState.RUNNING, attempt=1, lease_until=Now() + timedelta(seconds=30))
    Due.objects.all().delete()
    assert jobs.run(account_a.pk, job.pk) is None
    assert jobs.run_next(account_a.pk) is None
    assert 25 < (Due.objects.get().at - timezone.now()).total_seconds() < 35  # somebody looks again


def test_a_job_whose_worker_died_is_taken_up_again(account_a):
    job = start(account_a, count=2)
    change(account_a, job, state=JobState.RUNNING, attempt=1, done=1, lease_until=Now() - timedelta(seconds=1))
    assert jobs.run_next(account_a.pk) == JobState.DONE
    assert (now(account_a, job).attempt, skus(account_a)) == (2, 2)


def test_a_job_that_kills_its_workers_fails_in_the_end(account_a):
    job = start(account_a, count=1)
    change(account_a, job, state=JobState.RUNNING, attempt=3, lease_until=Now() - timedelta(seconds=1))
    assert jobs.run_next(account_a.pk) == JobState.FAILED
    assert now(account_a, job).message == "It was begun 3 times and never came to its end. Nothing was changed."
    assert skus(account_a) == 0


def test_a_claim_leaves_word_for_the_time_when_its_lease_is_over(account_a, runner, settings):
    seen = []
    runner(lambda progress: seen.append(elsewhere(lambda: Due.objects.get().at)))
    job = start(account_a)
    Due.objects.all().delete()
    jobs.run(account_a.pk, job.pk)
    assert 0 < (seen[0] - timezone.now()).total_seconds() - settings.JOB_LEASE_SECONDS < 2


def test_the_lease_is_renewed_during_one_long_statement(account_a, settings):
    settings.JOB_LEASE_SECONDS = 1
    job = start(account_a, "sleep", seconds=2.5)
    others, is_over = [], threading.Event()

    def try_to_take_it():
        try:
            until(lambda: now(account_a, job).state == JobState.RUNNING)
            while not is_over.wait(0.1):
                others.append(jobs.run(account_a.pk, job.pk))
        finally:
            connection.close()

    thread = threading.Thread(target=try_to_take_it)
    thread.start()
    assert jobs.run(account_a.pk, job.pk) == JobState.DONE
    is_over.set()
    thread.join()
    assert len(others) > 10
    assert set(others) == {None}
    assert now(account_a, job).attempt == 1


def test_a_slow_worker_that_lost_its_job_commits_nothing(account_a, runner):
    """The first is only slow: when it comes to its end, the second has done the work."""
    make, answers = runners.make_skus, []

    def work(progress):
        if progress.job.attempt == 1:
            make(progress)
            elsewhere(lambda: change(account_a, job, lease_until=Now() - timedelta(seconds=1)))
            answers.append(elsewhere(lambda: jobs.run(account_a.pk, job.pk)))
        else:
            make(progress)

    runner(work)
    job = start(account_a, count=2)
    assert jobs.run(account_a.pk, job.pk) is None
    assert answers == [JobState.DONE]
    found = now(account_a, job)
    assert (found.state, found.attempt, skus(account_a)) == (JobState.DONE, 2, 2)
    with account_context(account_a):
        assert StoredFile.objects.count() == 1


def test_a_database_that_goes_away_is_tried_again(account_a, runner):
    make = runners.make_skus

    def work(progress):
        make(progress)
        if progress.job.attempt == 1:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    runner(work)
    job = start(account_a, count=2)
    with pytest.raises(OperationalError):
        jobs.run(account_a.pk, job.pk)
    assert (now(account_a, job).state, skus(account_a)) == (JobState.RUNNING, 0)
    change(account_a, job, lease_until=Now() - timedelta(seconds=1))
    assert jobs.run(account_a.pk, job.pk) == JobState.DONE
    assert skus(account_a) == 2


def test_progress_survives_a_connection_that_breaks(account_a, runner, caplog):
    def work(progress):
        progress.step(1, 3)
        until(lambda: elsewhere(lambda: now(account_a, job)).done == 1)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'lotline heartbeat'"
            )
            assert cursor.fetchall() == [(True,)]
        progress.step(2, 3)
        until(lambda: elsewhere(lambda: now(account_a, job)).done == 2)

    runner(work)
    job = start(account_a)
    assert jobs.run(account_a.pk, job.pk) == JobState.DONE


# --- many -------------------------------------------------------------------------------------------------------------
def test_jobs_run_oldest_first_one_a_task(account_a):
    pks = [start(account_a, count=1).pk for _n in range(3)]
    Due.objects.all().delete()
    assert jobs.run_next(account_a.pk) == JobState.DONE
    with account_context(account_a):
        assert list(Job.objects.filter(state=JobState.DONE).values_list("pk", flat=True)) == pks[:1]
    assert Due.objects.filter(at__lte=Now()).count() == 1  # the next one is another task's
    assert run_all(account_a) == 2
    Due.objects.all().delete()
    run_jobs(account_a.pk)
    assert not Due.objects.exists()


def test_one_account_does_not_take_every_worker(account_a):
    assert settings.WORKERS["jobs"][2] > jobs.AT_ONCE
    running = [start(account_a) for _n in range(jobs.AT_ONCE)]
    for job in running:
        change(account_a, job, state=JobState.RUNNING, attempt=1, lease_until=Now() + timedelta(seconds=30))
    waiting = start(account_a, count=1)
    Due.objects.all().delete()
    assert jobs.run_next(account_a.pk) is None
    assert Due.objects.get().at > timezone.now() + timedelta(seconds=20)
    change(account_a, running[0], state=JobState.DONE, lease_until=None)
    assert jobs.run_next(account_a.pk) == JobState.DONE
    assert now(account_a, waiting).state == JobState.DONE


WAITING = """
SELECT count(*) FROM pg_locks
WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def test_two_workers_that_look_at_the_same_moment_run_one(account_a, runner):
    """Both are stopped between the question whether one runs and the taking of a job, then let go together."""
    at_work, is_over, answers = [], threading.Event(), []

    def work(progress):
        at_work.append(progress.job.id)
        until(lambda: len(at_work) > 1 or is_over.is_set())

    def look():
        try:
            answers.append(jobs.run_next(account_a.pk))
        finally:
            is_over.set()  # whoever ends first has run nothing, or both
            connection.close()

    runner(work)
    first, second = start(account_a), start(account_a)
    workers = [threading.Thread(target=look) for _ in range(2)]
    with transaction.atomic("owner"), connections["owner"].cursor() as cursor:
        cursor.execute("LOCK TABLE oms_job IN EXCLUSIVE MODE")  # questions are answered, nothing can be taken
        for worker in workers:
            worker.start()
        wait_until(lambda: cursor.execute(WAITING).fetchone()[0] == 2, what="both wait")
    for worker in workers:
        worker.join(60)
    assert at_work == [first.pk]
    assert answers == [None, JobState.DONE]
    assert now(account_a, second).state == JobState.QUEUED
