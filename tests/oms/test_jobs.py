"""A job is done exactly if its work is, and is cancelled where its person asks."""

import threading
import time
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from oms import jobs
from oms.errors import DomainError
from oms.models import Due, JobState, Sku, StoredFile
from oms.tenancy import account_context
from tests.oms import jobs_at_work, runners
from tests.oms.jobs_at_work import change, elsewhere, is_waiting, now, run_all, skus, start, until

pytestmark = [pytest.mark.commits("a job commits step by step"), pytest.mark.usefixtures("known_jobs")]
known_jobs, runner = jobs_at_work.known_jobs, jobs_at_work.runner


# --- start ------------------------------------------------------------------------------------------------------------
def test_start_queues_a_job_once_per_key(account_a, olga, ben):
    first = start(account_a, person=olga, key="k", count=1)
    assert (first.state, first.person, first.params) == (JobState.QUEUED, olga, {"count": 1})
    assert start(account_a, person=ben, key="k", count=9).pk == first.pk
    assert start(account_a, person=olga, key="k2").pk != first.pk
    assert Due.objects.filter(kind="job", account_id=account_a.pk).count() == 2
    assert run_all(account_a) == 2


def test_without_a_key_the_same_work_is_one_job_until_it_is_over(account_a, olga, ben):
    def again(person=olga, count=1):
        with account_context(account_a):
            return jobs.start("test.make_skus", "Many", {"count": count}, person=person).pk

    first = again()
    assert again() == first
    assert len({first, again(person=ben), again(count=2)}) == 3
    assert run_all(account_a) == 3
    assert again() != first


def test_one_key_in_two_accounts_is_two_jobs(account_a, account_b):
    assert start(account_a, key="k").pk != start(account_b, key="k").pk


def test_two_that_start_the_same_key_at_once_get_one_job(account_a):
    start_together, found = threading.Barrier(4), []

    def work():
        try:
            start_together.wait(60)
            found.append(start(account_a, key="k").pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert Due.objects.count() == 1


def test_start_of_an_unknown_kind_is_a_mistake_of_ours(account_a):
    with pytest.raises(ImproperlyConfigured, match="JOBS"):
        start(account_a, "no_such_thing")


def test_what_is_only_done_while_a_page_waits_is_never_queued(account_a):
    with account_context(account_a), pytest.raises(ImproperlyConfigured, match="do_now"):
        jobs.start("replenishment.create", "A replenishment", {}, person=None)


# --- small work, done at once -----------------------------------------------------------------------------------------
def do_now(account, work, key="k", **more):
    with account_context(account):
        facts = {"person": None, "idempotency_key": key, **more}
        return jobs.do_now("test.make_skus", "Many SKUs", {"count": 1}, work=work, **facts)


def test_what_is_done_now_is_a_job_that_is_done_and_out_of_the_tray(account_a, olga):
    job = do_now(account_a, lambda: {"summary": "Made.", "counts": {"SKUs": 3}}, person=olga)
    job = now(account_a, job)
    assert (job.state, job.result["counts"], job.person) == (JobState.DONE, {"SKUs": 3}, olga)
    assert job.finished_at is not None
    assert job.seen_at is not None
    assert not Due.objects.exists()
    assert start(account_a, key="k").pk == job.pk
    assert run_all(account_a) == 0


def test_what_is_done_now_is_done_once_also_by_two_at_once(account_a):
    done, gate, found = [], threading.Barrier(2), []

    def work():
        done.append(1)
        until(is_waiting)  # the other one has come
        return {"summary": "Made."}

    def run():
        try:
            gate.wait(60)
            found.append(do_now(account_a, work))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 1
    assert {(job.pk, job.result["summary"]) for job in found} == {(found[0].pk, "Made.")}


def test_what_is_refused_now_leaves_no_job_and_can_be_done_again(account_a):
    def refuse():
        Sku.objects.create(code="X", name="X")
        raise DomainError("No.")

    with account_context(account_a):
        with pytest.raises(DomainError):
            jobs.do_now("test.make_skus", "Many", {}, person=None, idempotency_key="k", work=refuse)
        assert not Sku.objects.exists()
    assert do_now(account_a, lambda: {"summary": "Made."}).result == {"summary": "Made."}


def test_start_without_valkey_is_quick_and_kept(account_a, monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_WRITE_URL", "redis://127.0.0.1:9/0")
    begun = time.monotonic()
    job = start(account_a, count=1)
    assert time.monotonic() - begun < 4.5, "as long as one try of a task may take"
    assert (now(account_a, job).state, Due.objects.count()) == (JobState.QUEUED, 1)


# --- run --------------------------------------------------------------------------------------------------------------
def test_a_job_runs_to_its_end(account_a, olga):
    job = start(account_a, person=olga, count=3)
    assert jobs.run(account_a.pk, job.pk) == JobState.DONE
    found = now(account_a, job)
    assert (found.state, found.done, found.total, found.attempt) == (JobState.DONE, 3, 3, 1)
    assert found.started_at <= found.finished_at
    assert found.lease_until is None
    assert found.result["counts"] == {"Made": 3}
    assert found.result_file.name == found.result["file"] == "skus.csv"
    assert skus(account_a) == 3
    assert jobs.run(account_a.pk, job.pk) is None
    assert skus(account_a) == 3


def test_a_runner_knows_its_job(account_a, olga, runner):
    seen = []
    runner(lambda job: seen.append((job.job, job.params, job.person, timezone.get_current_timezone_name())))
    job = start(account_a, person=olga, count=3)
    jobs.run(account_a.pk, job.pk)
    facts, params, person, zone = seen[0]
    assert (facts.id, facts.account_id, facts.kind, facts.title) == (
        job.pk,
        account_a.pk,
        "test.make_skus",
        "Many SKUs",
    )
    assert (params, person, zone) == ({"count": 3}, olga, "Europe/Berlin")


def test_asking_for_a_file_that_was_not_given_is_a_mistake_of_ours(account_a, runner, caplog):
    runner(lambda progress: progress.input_file)
    assert jobs.run(account_a.pk, start(account_a).pk) == JobState.FAILED
    assert "has no input file" in caplog.text


def test_progress_is_seen_from_outside_while_the_work_is_not(account_a, runner):
    seen = []

    def work(progress):
        Sku.objects.create(code="A", name="A")
        progress.step(40, 100, "two fifths\0")
        until(lambda: elsewhere(lambda: now(account_a, job)).done == 40)
        seen.append((elsewhere(lambda: now(account_a, job)), elsewhere(lambda: skus(account_a))))
        progress.step(50)

    runner(work)
    job = start(account_a)
    jobs.run(account_a.pk, job.pk)
    during, made = seen[0]
    assert (during.state, during.done, during.total, during.message) == ("running", 40, 100, "two fifths")
    assert made == 0
    assert (now(account_a, job).done, now(account_a, job).message, skus(account_a)) == (50, "", 1)


def test_step_costs_next_to_nothing(account_a, runner):
    took = []

    def work(progress):
        begun = time.perf_counter()
        for number in range(100_000):
            progress.step(number, 100_000)
        took.append(time.perf_counter() - begun)

    runner(work)
    jobs.run(account_a.pk, start(account_a).pk)
    assert took[0] < 3


def test_a_refusal_is_shown_and_leaves_nothing(account_a):
    job = start(account_a, "refuse")
    assert jobs.run(account_a.pk, job.pk) == JobState.FAILED
    assert (now(account_a, job).message, skus(account_a)) == ("Not on Sundays.", 0)


def test_a_mistake_of_ours_is_logged_not_shown_and_leaves_nothing(account_a, caplog):
    job = start(account_a, "crash")
    assert jobs.run(account_a.pk, job.pk) == JobState.FAILED
    message = now(account_a, job).message
    assert message == "Something went wrong on our side. Nothing was changed. Please try again."
    assert "secret detail" in caplog.text
    assert skus(account_a) == 0


def test_a_file_of_a_failed_job_goes_too(account_a, runner):
    make = runners.make_skus

    def work(progress):
        make(progress)
        assert StoredFile.objects.exists()
        raise DomainError("At the last moment.")

    runner(work)
    jobs.run(account_a.pk, start(account_a, count=1).pk)
    with account_context(account_a):
        assert not StoredFile.objects.exists()
    assert skus(account_a) == 0


def test_what_is_refused_only_at_the_commit_fails_the_job(account_a, runner, caplog):
    def work(progress):
        with connection.cursor() as cursor:  # a reference that points nowhere, checked at the commit
            cursor.execute("UPDATE oms_job SET input_file_id = 999999 WHERE id = %s", [other.pk])

    runner(work)
    other, job = start(account_a), start(account_a)
    assert jobs.run(account_a.pk, job.pk) == JobState.FAILED
    assert now(account_a, job).message.startswith("Something went wrong")


def test_jobs_of_one_account_are_not_run_for_another(account_a, account_b):
    job = start(account_a, count=1)
    assert jobs.run(account_b.pk, job.pk) is None
    assert jobs.run_next(account_b.pk) is None
    assert now(account_a, job).state == JobState.QUEUED


# --- cancel -----------------------------------------------------------------------------------------------------------
def cancel(account, job):
    with account_context(account):
        return jobs.cancel(job_id=job.pk)


def test_cancel_of_a_waiting_job(account_a):
    job = start(account_a, count=1)
    assert cancel(account_a, job).state == JobState.CANCELLED
    assert jobs.run(account_a.pk, job.pk) is None
    assert skus(account_a) == 0
    with pytest.raises(DomainError, match="over already"):
        cancel(account_a, job)


def test_cancel_of_a_running_job_is_heard_at_the_next_step(account_a, runner):
    def work(progress):
        Sku.objects.create(code="A", name="A")
        elsewhere(lambda: cancel(account_a, job))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            progress.step(1, 2)
            time.sleep(0.01)

    runner(work)
    job = start(account_a)
    begun = time.monotonic()
    # Somebody watches: progress that does not change is not written, so the wish must be heard without it.
    assert jobs.run(account_a.pk, job.pk) == JobState.CANCELLED
    assert time.monotonic() - begun < 50, "not heard until the work was over"
    assert (now(account_a, job).state, skus(account_a)) == (JobState.CANCELLED, 0)


def test_cancel_is_heard_by_a_runner_that_swallows_it_or_never_asks(account_a, runner):
    def work(progress):
        Sku.objects.create(code="A", name="A")
        elsewhere(lambda: cancel(account_a, job))
        with suppress(Exception):
            progress.step(1, 2)

    runner(work)
    job = start(account_a)
    assert jobs.run(account_a.pk, job.pk) == JobState.CANCELLED
    assert skus(account_a) == 0


def test_cancel_of_a_job_whose_worker_died(account_a):
    job = start(account_a, count=1)
    change(account_a, job, state=JobState.RUNNING, attempt=1, lease_until=Now() - timedelta(seconds=1))
    assert cancel(account_a, job).state == JobState.RUNNING
    assert jobs.run_next(account_a.pk) == JobState.CANCELLED
    assert skus(account_a) == 0
