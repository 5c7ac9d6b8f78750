"""People see how far their jobs are, and nobody else sees them."""

import re
import time
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from oms import files, jobs
from oms.models import Due, Job, JobState
from oms.queries.jobs import job_card, jobs_of, open_jobs, visible_jobs
from oms.tenancy import account_context
from oms.ui import exports, paging
from tests.oms import jobs_at_work
from tests.oms.jobs_at_work import change, now, start, visible
from tests.tables import column

pytestmark = [pytest.mark.commits("a job commits step by step"), pytest.mark.usefixtures("known_jobs")]
known_jobs = jobs_at_work.known_jobs


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
    assert tray(account_a, olga) == [waiting.pk, done.pk]
    assert tray(account_a, wes) == []

    html = client_for(olga).get("/acme/jobs/tray/").content.decode()
    assert 'hx-get="/acme/jobs/tray/"' in html
    assert html.count('<li class="progress">') == 2

    client_for(ana).post(f"/acme/jobs/{done.pk}/dismiss/")  # an admin does not clear somebody else's tray
    assert tray(account_a, olga) == [waiting.pk, done.pk]
    client_for(olga).post(f"/acme/jobs/{done.pk}/dismiss/")
    client_for(olga).post(f"/acme/jobs/{waiting.pk}/dismiss/")  # open: it stays
    assert tray(account_a, olga) == [waiting.pk]


HTMX = {"HX-Request": "true"}


def done_jobs(account, person, count):
    made = [start(account, person=person, title=f"Job {number}", count=0) for number in range(count)]
    for job in made:
        jobs.run(account.pk, job.pk)
    return [job.pk for job in made]


def test_what_is_over_can_be_dismissed_from_the_tray(account_a, olga, client_for):
    client = client_for(olga)
    (done,), waiting = done_jobs(account_a, olga, 1), start(account_a, person=olga)
    html = client.get("/acme/jobs/tray/").content.decode()
    assert f'action="/acme/jobs/{done}/dismiss/"' in html
    assert f'hx-post="/acme/jobs/{done}/dismiss/"' in html
    assert 'aria-label="Dismiss Job 0"' in html
    assert f"/acme/jobs/{waiting.pk}/dismiss/" not in html
    assert html.count("csrfmiddlewaretoken") == 3  # cancel one, dismiss the other, dismiss all

    response = client.post(f"/acme/jobs/{done}/dismiss/", headers=HTMX)
    assert response.status_code == 200
    assert response.content.decode().strip().startswith('<div id="jobs-tray"')
    assert "Job 0" not in response.content.decode()
    assert "Dismiss" not in response.content.decode(), "nothing is left to dismiss"
    seen = now(account_a, waiting).seen_at, now(account_a, Job(pk=done)).seen_at
    assert seen[0] is None

    again = client.post(f"/acme/jobs/{done}/dismiss/", headers=HTMX)  # a second tab still shows it
    assert (again.status_code, now(account_a, Job(pk=done)).seen_at) == (200, seen[1])
    assert client.post(f"/acme/jobs/{done}/dismiss/").url == "/acme/"  # without scripts


def test_all_that_is_over_is_dismissed_of_ones_own_and_of_this_account(account_a, account_b, ana, wes, client_for):
    done, anas, elsewhere = done_jobs(account_a, wes, 2), done_jobs(account_a, ana, 1), done_jobs(account_b, wes, 1)
    waiting = start(account_a, person=wes)
    html = client_for(wes).get("/acme/jobs/tray/").content.decode()
    assert html.count('hx-post="/acme/jobs/dismiss/"') == 1
    shown = re.findall(r'name="job" value="(\d+)"', html)
    assert shown == [str(pk) for pk in reversed(done)]
    (since,) = done_jobs(account_a, wes, 1)  # the page did not ask again yet
    for _tab in range(2):
        data = {"job": [*shown, anas[0], elsewhere[0], waiting.pk, "x", "9" * 30, "9" * 5_000]}
        response = client_for(wes).post("/acme/jobs/dismiss/", data, headers=HTMX)
        assert response.status_code == 200
        assert tray(account_a, wes) == [waiting.pk, since]
    assert (tray(account_a, ana), tray(account_b, wes)) == (anas, elsewhere)
    assert all(now(account_a, Job(pk=pk)).seen_at for pk in done)
    assert client_for(wes).post("/acme/jobs/dismiss/").url == "/acme/"


def test_what_was_dismissed_is_in_the_list_of_jobs(account_a, olga, ana, ben, client_for):
    (done,), system = done_jobs(account_a, olga, 1), start(account_a, title="Of the system")
    jobs_of_olga = client_for(olga).get("/acme/jobs/tray/").content.decode()
    assert '<a id="jobs-all" href="/acme/jobs/">All jobs</a>' in jobs_of_olga
    assert f'id="job-dismiss-{done}"' in jobs_of_olga, "focus stays with a job, wherever it moves"
    client_for(olga).post(f"/acme/jobs/{done}/dismiss/")
    pages = {person.name: client_for(person).get("/acme/jobs/").content.decode() for person in (olga, ana, ben)}
    assert {name: ("Job 0" in text, "Of the system" in text) for name, text in pages.items()} == {
        "Olga": (True, False),
        "Ana": (True, True),
        "Ben": (False, False),
    }
    file = now(account_a, Job(pk=done)).result_file
    assert f'<a href="/acme/files/{file.key}/">{file.name}</a>' in pages["Olga"]
    assert pages["Ana"].index("Of the system") < pages["Ana"].index("Job 0"), "what waits is the newest"
    assert "Who" not in pages["Olga"]
    with account_context(account_a):
        rows = {name: [row.pk for row in jobs_of(person)] for name, person in (("Ben", ben), ("system", None))}
    assert rows == {"Ben": [], "system": []}, "so it is for an export, too"
    assert now(account_a, system).seen_at is None


def test_what_waits_stays_the_first_however_many_there_are(account_a, olga, client_for, monkeypatch):
    monkeypatch.setattr(paging, "COUNTED", 3)
    monkeypatch.setattr(paging, "SCANNED", 2)
    done_jobs(account_a, olga, 4)
    start(account_a, person=olga, title="Job that waits")
    page = client_for(olga).get("/acme/jobs/", {"q": "job"}).content.decode()
    assert column(page, "Job") == ["Job that waits", "Job 3", "Job 2", "Job 1", "Job 0"]


@pytest.mark.parametrize(("who", "is_told"), [("ana", True), ("olga", False)])
def test_an_export_by_a_job_has_the_columns_of_its_person(account_a, client_for, monkeypatch, request, who, is_told):
    monkeypatch.setattr(exports, "AT_ONCE", 0)
    person = request.getfixturevalue(who)
    done_jobs(account_a, person, 1)
    client_for(person).get("/acme/jobs/", {"format": "csv"})
    with account_context(account_a):
        export = Job.objects.get(kind="ui.export")
    jobs.run(account_a.pk, export.pk)
    with account_context(account_a), files.open_file(visible(export).result_file) as file:
        assert (b"Who" in file.readline()) == is_told


@pytest.mark.parametrize("path", ["{job}/dismiss/", "dismiss/"])
def test_dismissing_needs_the_token_of_the_form(account_a, olga, path):
    (done,) = done_jobs(account_a, olga, 1)
    client = Client(enforce_csrf_checks=True)
    client.force_login(olga)
    assert client.post(f"/acme/jobs/{path.format(job=done)}").status_code == 403
    assert tray(account_a, olga) == [done]


def test_who_looks_at_the_end_of_a_job_has_seen_it(account_a, olga, ana, client_for):
    job = start(account_a, person=olga, count=0)
    page(client_for(olga), job)
    jobs.run(account_a.pk, job.pk)
    page(client_for(ana), job)
    assert tray(account_a, olga) == [job.pk]
    page(client_for(olga), job)
    assert tray(account_a, olga) == []


def test_the_tray_is_two_queries_and_one_while_it_is_empty(in_a, olga, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert open_jobs(olga) == []
    for number in range(5):
        Job.objects.create(kind="x", title="x", person=olga, idempotency_key=f"{number}")
        with django_assert_num_queries(2):
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
