"""A job is done exactly if its work is; people see how far it is, and nobody else's."""

import threading
import time
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from oms import jobs
from oms.errors import DomainError
from oms.models import Due, Job, JobState, Sku, StoredFile
from oms.queries.jobs import job_card, open_jobs, visible_jobs
from oms.tasks import run_jobs
from oms.tenancy import account_context
from tests.oms import runners
from tests.worker_settings import TEST_JOBS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def test_jobs(settings):
    settings.JOBS = {**settings.JOBS, **TEST_JOBS}


def start(account, kind="make_skus", *, person=None, key="", title="Many SKUs", **params):
    with account_context(account):
        return jobs.start(f"test.{kind}", title, params, person=person, idempotency_key=key or f"{time.monotonic_ns()}")


def now(account, job):
    """The job as it is in the database now."""
    with account_context(account):
        return visible(job)


def visible(job):
    return Job.objects.select_related("account", "result_file").get(pk=job.pk)


def change(account, job, **values):
    with account_context(account):
        Job.objects.filter(pk=job.pk).update(**values)


def skus(account):
    with account_context(account):
        return Sku.objects.count()


def elsewhere(work):
    """What `work` answers in another thread, on a connection of its own."""
    found = []

    def run():
        try:
            found.append(work())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def runner(monkeypatch):
    """`runner(function)` makes the job test.make_skus do something else."""
    return lambda function: monkeypatch.setattr(runners, "make_skus", function)


def until(is_so, seconds=20):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- start ------------------------------------------------------------------------------------------------------------
def test_start_queues_a_job_once_per_key(account_a, olga, ben):
    first = start(account_a, person=olga, key="k", count=1)
    assert (first.state, first.person, first.params) == (JobState.QUEUED, olga, {"count": 1})
    assert start(account_a, person=ben, key="k", count=9).pk == first.pk
    assert start(account_a, person=olga, key="k2").pk != first.pk
    assert Due.objects.filter(kind="job", account_id=account_a.pk).count() == 2
    assert run_all(account_a) == 2


def run_all(account):
    count = 0
    while jobs.run_next(account.pk):
        count += 1
    return count


def test_one_key_in_two_accounts_is_two_jobs(account_a, account_b):
    assert start(account_a, key="k").pk != start(account_b, key="k").pk


def test_two_that_start_the_same_key_at_once_get_one_job(account_a):
    start_together, found = threading.Barrier(4), []

    def work():
        try:
            start_together.wait(20)
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


def test_start_without_valkey_is_quick_and_kept(account_a, monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_WRITE_URL", "redis://127.0.0.1:9/0")
    begun = time.monotonic()
    job = start(account_a, count=1)
    assert time.monotonic() - begun < 1.5
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
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            progress.step(1, 2)
            time.sleep(0.01)

    runner(work)
    job = start(account_a)
    begun = time.monotonic()
    # Somebody watches: progress that does not change is not written, so the wish must be heard without it.
    assert jobs.run(account_a.pk, job.pk) == JobState.CANCELLED
    assert time.monotonic() - begun < 5
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


# --- who sees what ----------------------------------------------------------------------------------------------------
def page(client, job, what="", slug="acme", **more):
    return client.get(f"/{slug}/jobs/{job.pk}/{what}", **more)


def test_a_job_is_its_persons_and_the_admins(account_a, account_b, ana, olga, ben, wes, cid, client_for):
    job = start(account_a, person=olga, count=1)
    statuses = {p.name: page(client_for(p), job).status_code for p in (ana, olga, ben, wes, cid)}
    assert statuses == {"Ana": 200, "Olga": 200, "Ben": 404, "Wes": 404, "Cid": 404}
    for person in (cid, wes):
        assert page(client_for(person), job, slug="bolt").status_code == 404
    for what in ("cancel", "dismiss"):
        for person, slug in ((ben, "acme"), (cid, "bolt"), (wes, "bolt"), (cid, "acme")):
            assert client_for(person).post(f"/{slug}/jobs/{job.pk}/{what}/").status_code == 404
    assert now(account_a, job).state == JobState.QUEUED


def test_methods(account_a, olga, client_for):
    job, client = start(account_a, person=olga), client_for(olga)
    assert client.post(f"/acme/jobs/{job.pk}/").status_code == 405
    assert client.post("/acme/jobs/tray/").status_code == 405
    assert page(client, job, "cancel/").status_code == 405
    assert page(client, job, "dismiss/").status_code == 405


def test_a_jobs_of_the_system_are_the_admins(account_a, ana, olga, client_for):
    job = start(account_a)
    assert [page(client_for(person), job).status_code for person in (ana, olga)] == [200, 404]


def test_the_page_of_an_open_job_asks_again_and_can_cancel(account_a, olga, client_for):
    job = start(account_a, person=olga, title="Export <of> SKUs")
    html = page(client_for(olga), job).content.decode()
    assert f'hx-get="/acme/jobs/{job.pk}/" hx-trigger="every 1s"' in html
    assert "Export &lt;of&gt; SKUs" in html
    assert f'action="/acme/jobs/{job.pk}/cancel/"' in html
    fragment = page(client_for(olga), job, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert 'hx-trigger="every 1s"' in fragment
    assert fragment.split("csrf")[0].strip() in html  # the page includes the very fragment


def test_the_page_of_a_done_job(account_a, olga, client_for):
    job = start(account_a, person=olga, count=1234)
    change(account_a, job, params={"count": 2})
    jobs.run(account_a.pk, job.pk)
    html = page(client_for(olga), job).content.decode()
    key = now(account_a, job).result_file.key
    for said in (
        f'href="/acme/files/{key}/"',
        "All made.",
        "<dt>Made</dt>",
        "1 row was not used",
        "&lt;b&gt;No.&lt;/b&gt;",
    ):
        assert said in html
    assert "every 1s" not in html
    assert "/cancel/" not in html
    fragment = page(client_for(olga), job, headers={"HX-Request": "true"}).content.decode()
    assert '<div id="job-said" hx-swap-oob="innerHTML">Many SKUs: Done</div>' in fragment


def test_the_page_of_a_failed_and_of_a_cancelled_job(account_a, olga, client_for):
    failed, cancelled = start(account_a, "refuse", person=olga), start(account_a, person=olga)
    jobs.run(account_a.pk, failed.pk)
    response = client_for(olga).post(f"/acme/jobs/{cancelled.pk}/cancel/", follow=True)
    assert response.redirect_chain == [(f"/acme/jobs/{cancelled.pk}/", 302)]
    assert "Nothing of it was kept." in response.content.decode()
    assert "Not on Sundays." in page(client_for(olga), failed).content.decode()
    again = client_for(olga).post(f"/acme/jobs/{failed.pk}/cancel/", follow=True)
    assert "over already" in again.content.decode()


def test_cancel_leads_back_to_the_page_that_it_was_on(account_a, olga, client_for):
    job = start(account_a, person=olga)
    here = {"HTTP_REFERER": "http://testserver/acme/inventory/skus/?q=1"}
    assert client_for(olga).post(f"/acme/jobs/{job.pk}/cancel/", **here).url == here["HTTP_REFERER"]
    there = {"HTTP_REFERER": "https://evil.example/"}
    assert client_for(olga).post(f"/acme/jobs/{job.pk}/dismiss/", **there).url == "/acme/"


# --- the tray ---------------------------------------------------------------------------------------------------------
def tray(account, person):
    with account_context(account):
        return [card.pk for card in open_jobs(person)]


def test_the_tray_has_a_persons_open_jobs_and_those_they_have_not_seen(
    account_a, account_b, olga, ana, wes, client_for
):
    waiting, done = start(account_a, person=olga), start(account_a, person=olga, count=0)
    start(account_b, person=wes)
    start(account_a, person=ana)
    start(account_a)
    jobs.run(account_a.pk, done.pk)
    old = start(account_a, person=olga)
    change(account_a, old, state=JobState.DONE, finished_at=Now() - timedelta(days=2))
    assert tray(account_a, olga) == [done.pk, waiting.pk]
    assert tray(account_a, wes) == []

    html = client_for(olga).get("/acme/jobs/tray/").content.decode()
    assert 'hx-get="/acme/jobs/tray/"' in html
    assert html.count('<li class="progress">') == 2

    client_for(ana).post(f"/acme/jobs/{done.pk}/dismiss/")  # an admin does not clear somebody else's tray
    assert tray(account_a, olga) == [done.pk, waiting.pk]
    client_for(olga).post(f"/acme/jobs/{done.pk}/dismiss/")
    client_for(olga).post(f"/acme/jobs/{waiting.pk}/dismiss/")  # open: it stays
    assert tray(account_a, olga) == [waiting.pk]


def test_who_looks_at_the_end_of_a_job_has_seen_it(account_a, olga, ana, client_for):
    job = start(account_a, person=olga, count=0)
    page(client_for(olga), job)
    jobs.run(account_a.pk, job.pk)
    page(client_for(ana), job)
    assert tray(account_a, olga) == [job.pk]
    page(client_for(olga), job)
    assert tray(account_a, olga) == []


def test_the_tray_is_one_query(in_a, olga, django_assert_num_queries):
    for number in range(5):
        Job.objects.create(kind="x", title="x", person=olga, idempotency_key=f"{number}")
        with django_assert_num_queries(1):
            assert len(open_jobs(olga)) == number + 1


def test_time_left_and_percent(in_a, olga):
    def card(**values):
        values = {"kind": "x", "title": "x", "person": olga, "idempotency_key": f"{time.monotonic_ns()}"} | values
        return job_card(visible(Job.objects.create(**values)))

    ago = timezone.now() - timedelta(seconds=30)
    running = {"state": JobState.RUNNING, "started_at": ago}
    assert (card().percent, card().left, card().state_label, card().tone) == (None, "", "Waiting", "info")
    assert (card(**running, done=1, total=4).percent, card(**running, done=1, total=4).left) == (25, "2 minutes")
    assert card(**running, done=30, total=40).left == "11 seconds"
    assert (card(**running, done=0, total=40).percent, card(**running, done=0, total=40).left) == (0, "")
    assert card(**running, done=50, total=40).percent == 100
    assert (card(**running, cancel_asked=True).state_label, card(**running, cancel_asked=True).cancel_url) == (
        "Stopping",
        "",
    )
    assert (card(state=JobState.DONE).percent, card(state=JobState.DONE).tone) == (100, "good")
    assert (card(state=JobState.FAILED).percent, card(state=JobState.FAILED).tone) == (0, "bad")


def test_visible_jobs_are_of_the_current_account(account_a, account_b, cid):
    start(account_a)
    with account_context(account_b):
        assert list(visible_jobs(cid.memberships.get())) == []


def test_nothing_is_written_when_the_page_of_the_start_fails(account_a, olga):
    with account_context(account_a):
        jobs.start("test.make_skus", "x", {}, person=olga, idempotency_key="k")
        transaction.set_rollback(True)
    with account_context(account_a):
        assert not Job.objects.exists()
    assert not Due.objects.exists()
