"""Submit Replenishment: the question, what stands in its way, many units by a job."""

import re

import pytest

from oms import jobs
from oms.models import AuditEntry, Job
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import Replenishment, ReplenishmentLine
from replenishment.services import drafts, planning
from serials.models import Unit
from tests.factories import make_serialized_sku, make_sku
from tests.replenishment.browsing import fields_of, text_of
from tests.replenishment.factories import generate, line_of, make_replenishment
from tests.replenishment.samples import row_data

pytestmark = pytest.mark.django_db


def submit(web, made, **more):
    """Submit it as who saw it as it is now."""
    sent = fields_of(text_of(web.get(f"/acme/replenishments/{made.pk}/submit/")))
    return web.post(f"/acme/replenishments/{made.pk}/submit/", sent, **more)


def test_many_are_submitted_by_one_job_however_often_it_is_asked(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(), 5_001))
        generate(made)
    for _turn in range(2):
        assert "/jobs/" in submit(web, made).url
    with account_context(account_a):
        assert Job.objects.filter(kind="replenishment.submit").count() == 1
        assert not Unit.objects.exists()


@pytest.mark.commits("a job commits step by step")
def test_the_job_of_a_submit_does_it_once(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(), 5_001))
        generate(made)
    submit(web, made)
    assert jobs.run_next(account_a.pk) == "done"
    assert jobs.run_next(account_a.pk) is None
    with account_context(account_a):
        assert Unit.objects.filter(status="incoming", process_id=made.number).count() == 5_001
        assert Replenishment.objects.get(pk=made.pk).status == "in_transit"


def test_submit_shows_in_transit_and_the_units(web, account_a):
    with account_context(account_a):
        made = make_replenishment()
        generate(made)
    url = f"/acme/replenishments/{made.pk}/submit/"
    assert "Submit Replenishment" in text_of(web.get(url))
    assert "In-Transit" in text_of(submit(web, made, follow=True))
    again = submit(web, made)
    assert again.status_code == 422
    assert "already submitted" in text_of(again)
    with account_context(account_a):
        assert Unit.objects.filter(status="incoming", process_id=made.number).count() == 3
        assert AuditEntry.objects.filter(action="Submitted").count() == 1


def test_what_the_question_did_not_say_is_not_submitted(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(), 3))
        line = line_of(made)
    url = f"/acme/replenishments/{made.pk}/submit/"
    sent = fields_of(text_of(web.get(url)))
    with account_context(account_a):
        more = [drafts.LineInput(line.sku_id, 900_000, line.pk)]
        drafts.change_lines(replenishment_id=made.pk, version=made.version, lines=more, actor=None)
    for unseen in (sent, {}):
        answer = web.post(url, unseen)
        assert answer.status_code == 422
        assert "Somebody changed this replenishment" in text_of(answer)
        assert "900,000 units" in text_of(answer)
    with account_context(account_a):
        assert Replenishment.objects.get().status == Status.INCOMPLETE
    assert web.post(url, fields_of(text_of(answer))).status_code == 302


@pytest.mark.commits("a job commits step by step")
def test_the_job_of_a_submit_stops_where_somebody_changed_it_meanwhile(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(), 5_001))
        generate(made)
    submit(web, made)
    with account_context(account_a):
        planning.remove_serials(line_id=line_of(made).pk, planned_ids=None, actor=None)
    assert jobs.run_next(account_a.pk) == "failed"
    with account_context(account_a):
        assert "Somebody changed" in Job.objects.get(kind="replenishment.submit").message
        assert Replenishment.objects.get().status == Status.INCOMPLETE


def test_every_fault_of_a_submit_is_on_the_page(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(code="A"), 2), (make_serialized_sku(code="B"), 2))
        generate(made)
        ReplenishmentLine.objects.update(quantity=5)
    page = text_of(submit(web, made))
    assert "Line 1 (A) has 2 serials for 5 units" in page
    assert "Line 2 (B) has 2 serials for 5 units" in page


def test_what_would_be_refused_is_said_before_and_promised_nothing(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(code="A"), 3), (make_serialized_sku(code="B"), 2))
        generate(made)
        planning.remove_serials(
            line_id=line_of(made, 2).pk, planned_ids=[line_of(made, 2).planned.first().pk], actor=None
        )
    url = f"/acme/replenishments/{made.pk}/submit/"
    page = text_of(web.get(url))
    assert "Line 2 (B) has 1 serial for 2 units: add 1 more, or remove it." in page
    assert "Incoming from now on" not in page
    assert not re.search("<button[^>]*>Submit Replenishment", page)
    with account_context(account_a):
        planning.remove_serials(line_id=line_of(made, 2).pk, planned_ids=None, actor=None)
    page = text_of(web.get(url))
    assert "3 serials, Incoming from now on" in page
    assert re.search("<button[^>]*>Submit Replenishment", page)


def test_a_quantity_below_its_serials_says_what_is_to_be_done(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(code="A"), 3))
        generate(made)
        line, version = line_of(made), Replenishment.objects.get().version
    data = row_data((line.sku.code, 1, line.pk), initial=1, version=version)
    page = text_of(web.post(f"/acme/replenishments/{made.pk}/lines/", data, follow=True))
    assert "Line 1 (A) has 3 serials for 1 unit: choose 2 to remove." in page
