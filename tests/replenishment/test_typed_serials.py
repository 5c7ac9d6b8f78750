"""Typed and pasted serials of a line: what looks like a range or a list is asked about before it is written out."""

import re

import pytest

from oms.tenancy import account_context
from replenishment.models import PlannedSerial
from tests.factories import make_serialized_sku
from tests.replenishment.factories import line_of, make_replenishment

pytestmark = pytest.mark.django_db


def planned():
    return list(PlannedSerial.objects.filter(state="planned").order_by("pk").values_list("serial", flat=True))


def test_a_range_is_asked_about_before_it_is_written_out(web, account_a):
    with account_context(account_a):
        line = line_of(make_replenishment((make_serialized_sku(), 60)))
    url = f"/acme/replenishments/lines/{line.pk}/serials/"
    asked = web.post(url, {"serials": "A001-A050\nX-1"})
    page = asked.content.decode()
    assert "50 serials, A001 to A050" in page
    token = asked.context["asked"]
    with account_context(account_a):
        assert planned() == []
    # Another range than the one that was shown is asked about again, whatever was answered.
    again = web.post(url, {"serials": "A001-A060", "is_range": "yes", "asked": token})
    assert "60 serials, A001 to A060" in again.content.decode()
    assert 'value="yes" checked' not in " ".join(again.content.decode().split())
    assert web.post(url, {"serials": "A001-A050\nX-1", "is_range": "yes", "asked": token}).status_code == 302
    with account_context(account_a):
        found = planned()
    assert (found[0], found[49], found[50], len(found)) == ("A001", "A050", "X-1", 51)


def test_a_dash_number_is_kept_as_it_is(web, account_a):
    with account_context(account_a):
        line = line_of(make_replenishment())
    url = f"/acme/replenishments/lines/{line.pk}/serials/"
    token = web.post(url, {"serials": "1234-5678"}).context["asked"]
    web.post(url, {"serials": "1234-5678", "is_range": "no", "asked": token})
    web.post(url, {"serials": "12-345"})  # cannot be a range: nothing is asked
    with account_context(account_a):
        assert planned() == ["1234-5678", "12-345"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("A001-A050", "50 serials, but 3 fit"), ("A3-A1", "comes after the last"), ("A1-A10", "as many digits")],
)
def test_a_range_that_cannot_be_says_why(web, account_a, text, words):
    with account_context(account_a):
        line = line_of(make_replenishment())
    url = f"/acme/replenishments/lines/{line.pk}/serials/"
    token = web.post(url, {"serials": text}).context["asked"]
    answer = web.post(url, {"serials": text, "is_range": "yes", "asked": token})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    with account_context(account_a):
        assert planned() == []


@pytest.mark.parametrize("text", ["Y1, Y2, Y3", "Y1;Y2;Y3;", "Y1,Y2\nY3"])
def test_a_list_in_one_line_is_asked_about_and_taken_apart(web, account_a, text):
    with account_context(account_a):
        line = line_of(make_replenishment())
    url = f"/acme/replenishments/lines/{line.pk}/serials/"
    asked = web.post(url, {"serials": text})
    assert "looks like a list of serials" in asked.content.decode()
    with account_context(account_a):
        assert planned() == []
    answer = {"serials": text, "is_list": "yes", "asked_lists": asked.context["asked_lists"]}
    assert "asked_lists" in asked.content.decode()
    assert web.post(url, {**answer, "serials": "Z1,Z2"}).status_code == 200, "an answer is about what was shown"
    assert web.post(url, answer).status_code == 302
    with account_context(account_a):
        assert planned() == ["Y1", "Y2", "Y3"]


def test_a_serial_with_a_comma_is_kept_as_it_is_and_a_tab_is_between_two(web, account_a):
    with account_context(account_a):
        line = line_of(make_replenishment())
    url = f"/acme/replenishments/lines/{line.pk}/serials/"
    token = web.post(url, {"serials": "A,1"}).context["asked_lists"]
    assert web.post(url, {"serials": "A,1", "is_list": "no", "asked_lists": token}).status_code == 302
    assert web.post(url, {"serials": "B\tC"}).status_code == 302
    with account_context(account_a):
        assert planned() == ["A,1", "B", "C"]


def test_a_list_with_a_range_in_it_is_asked_about_both(web, account_a):
    with account_context(account_a):
        line = line_of(make_replenishment())
    url, text = f"/acme/replenishments/lines/{line.pk}/serials/", "A1-A2, B7"
    sent = {"serials": text, "is_list": "yes", "asked_lists": web.post(url, {"serials": text}).context["asked_lists"]}
    asked = web.post(url, sent)
    page = " ".join(asked.content.decode().split())
    assert "2 serials, A1 to A2" in page
    assert re.search(r'name="is_list" value="yes"[^>]* checked', page), "the first answer stays"
    assert web.post(url, {**sent, "is_range": "yes", "asked": asked.context["asked"]}).status_code == 302
    with account_context(account_a):
        assert planned() == ["A1", "A2", "B7"]


@pytest.mark.parametrize(("text", "token"), [("A001-A003", "asked"), ("Y1, Y2", "asked_lists")])
def test_a_question_that_is_left_unanswered_says_so(web, account_a, text, token):
    with account_context(account_a):
        line = line_of(make_replenishment())
    url = f"/acme/replenishments/lines/{line.pk}/serials/"
    first = web.post(url, {"serials": text})
    assert first.status_code == 200
    again = web.post(url, {"serials": text, token: first.context[token]})
    assert again.status_code == 422
    assert "Say what they are: choose one." in again.content.decode()
    with account_context(account_a):
        assert planned() == []
