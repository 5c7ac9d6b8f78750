"""Typed and pasted serials of a line: what looks like a range or a list is asked about before it is written out."""

import pytest

from oms.tenancy import account_context
from replenishment.models import PlannedSerial
from tests.factories import make_serialized_sku
from tests.replenishment.browsing import answers
from tests.replenishment.factories import line_of, make_replenishment

pytestmark = pytest.mark.django_db


def planned():
    return list(PlannedSerial.objects.filter(state="planned").order_by("pk").values_list("serial", flat=True))


@pytest.fixture
def line(account_a):
    with account_context(account_a):
        sku = make_serialized_sku(code="L2201316", gtin="9521234543213")
        return line_of(make_replenishment((sku, 60)))


@pytest.fixture
def send(web, line):
    """Send a text with the answers to what was asked about it, or about another text."""
    url = f"/acme/replenishments/lines/{line.pk}/serials/"

    def post(text, asked=None, **choices):
        questions = (asked or web.post(url, {"serials": text})).context["inquiry"].questions if choices else []
        return web.post(url, {"serials": text} | (answers(questions, **choices) if choices else {}))

    return post


def test_a_range_is_asked_about_before_it_is_written_out(send, account_a):
    asked = send("A001-A050\nX-1")
    assert "50 serials, A001 to A050" in asked.content.decode()
    with account_context(account_a):
        assert planned() == []
    # Another range than the one that was shown is asked about again, whatever was answered.
    again = send("A001-A055", asked, range="proposed")
    assert "55 serials, A001 to A055" in again.content.decode()
    assert "required checked" not in again.content.decode()
    assert send("A001-A050\nX-1", range="proposed").status_code == 302
    with account_context(account_a):
        found = planned()
    assert (found[0], found[49], found[50], len(found)) == ("A001", "A050", "X-1", 51)


def test_a_dash_number_is_kept_as_it_is(send, account_a):
    assert send("1234-5678", range="take").status_code == 302
    assert send("12-345").status_code == 302  # cannot be a range: nothing is asked
    with account_context(account_a):
        assert planned() == ["1234-5678", "12-345"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("A001-A090", "90 serials, but 60 fit"), ("A3-A1", "comes after the last"), ("A1-A10", "as many digits")],
)
def test_a_range_that_cannot_be_says_why(send, account_a, text, words):
    answer = send(text, range="proposed")
    assert answer.status_code == 422
    assert words in answer.content.decode()
    with account_context(account_a):
        assert planned() == []


@pytest.mark.parametrize("text", ["Y1, Y2, Y3", "Y1;Y2;Y3;", "Y1,Y2\nY3"])
def test_a_list_in_one_line_is_asked_about_and_taken_apart(send, account_a, text):
    asked = send(text)
    assert "looks like a list of serials" in asked.content.decode()
    with account_context(account_a):
        assert planned() == []
    assert send("Z1,Z2", asked, list="proposed").status_code == 422, "an answer is about what was shown"
    assert send(text, list="proposed").status_code == 302
    with account_context(account_a):
        assert planned() == ["Y1", "Y2", "Y3"]


def test_a_serial_with_a_comma_is_kept_as_it_is_and_a_tab_is_between_two(send, account_a):
    assert send("A,1", list="take").status_code == 302
    assert send("B\tC").status_code == 302
    with account_context(account_a):
        assert planned() == ["A,1", "B", "C"]


def test_a_list_with_a_range_in_it_is_asked_about_both(web, line, account_a):
    url, text = f"/acme/replenishments/lines/{line.pk}/serials/", "A1-A2, B7"
    first = answers(web.post(url, {"serials": text}).context["inquiry"].questions, list="proposed")
    asked = web.post(url, {"serials": text} | first)
    page = " ".join(asked.content.decode().split())
    assert "2 serials, A1 to A2" in page
    assert page.count("required checked") == 1, "the first answer stays"
    both = answers(asked.context["inquiry"].questions, list="proposed", range="proposed")
    assert web.post(url, {"serials": text} | both).status_code == 302
    with account_context(account_a):
        assert planned() == ["A1", "A2", "B7"]


@pytest.mark.parametrize("text", ["A001-A003", "Y1, Y2"])
def test_a_question_that_is_left_unanswered_says_so(web, line, account_a, text):
    url = f"/acme/replenishments/lines/{line.pk}/serials/"
    first = web.post(url, {"serials": text})
    assert first.status_code == 422, "nothing is added yet"
    assert "Say what they are" not in first.content.decode()
    again = web.post(url, {"serials": text} | answers(first.context["inquiry"].questions))
    assert again.status_code == 422
    assert "Say what they are: choose one." in again.content.decode()
    with account_context(account_a):
        assert planned() == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("FU12 - 15", "range"),
        ("98 - 103", "range"),
        ("V5678X - V5680X", "range"),
        ("A100 to A105", "range"),
        ("A100..A105", "range"),
        ("A100:A105", "range"),
        ("100+5", "range"),
        ("H890129292 K87827327", "list"),
        ("TBD", "placeholder"),
        ("10023.0", "decimal"),
        ("8939010102358470000", "rounded"),
        ("9521234543213", "sku"),
        ("09521234543213", "sku"),
        ("0109521234543213", "sku"),
        ("l2201316", "sku"),
        ("(01)09521234543213(10)LOT7", "product"),
        ("(01)04012345678901(21)ACME-1", "other_gtin"),
    ],
)
def test_what_may_be_no_serial_is_asked_about(send, account_a, text, code):
    asked = send(f"SN-1\n{text}")
    assert [question.code for question in asked.context["inquiry"].questions] == [code]
    with account_context(account_a):
        assert planned() == []
    assert send(f"SN-1\n{text}", **{code: "leave"}).status_code == 302
    with account_context(account_a):
        assert planned() == ["SN-1"]


@pytest.mark.parametrize("text", ["8.93901E+18", "#N/A", "#REF!", "#VALUE!", "AZ:ABCDEFGHIJKLMNOPQRSTUVWXYZ"])
def test_what_is_no_serial_is_refused_with_what_to_do(send, account_a, text):
    answer = send(text)
    assert answer.status_code == 422
    assert text in answer.content.decode()
    with account_context(account_a):
        assert planned() == []


def test_one_scan_is_one_serial(send, account_a):
    """Lines end at CR and LF only: the separator of a GS1 scan, and what else Python calls a line end, ends none."""
    scan = "01095212345432131726123110LOT7\x1d21ACME-0007"
    assert send(f'{scan}\r\n="000123"\r]C0PLAIN-1').status_code == 302
    with account_context(account_a):
        assert planned() == ["ACME-0007", "000123", "PLAIN-1"]
    assert send("A\u2028B").status_code == 422
