"""Rows of a file of serials: each is used whole or not at all, an empty SKU is asked about, From and To are a range."""

import io
from urllib.parse import urlencode

import pytest

from oms.tenancy import account_context
from replenishment.models import PlannedSerial
from replenishment.services import planning, serials_csv
from tests.factories import make_serialized_sku, make_sku
from tests.replenishment.browsing import answers, text_of
from tests.replenishment.factories import line_of, make_replenishment

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(account_a):
    with account_context(account_a):
        return make_replenishment((make_serialized_sku(code="SER", gtin="9521234543213"), 9))


@pytest.fixture
def send(web, made):
    """Upload a file of serials, or of another kind; the address of the page that says what it would do."""

    def post(text, kind="serials", query=""):
        file = io.BytesIO(text.encode())
        file.name = "file.csv"
        return web.post(f"/acme/replenishments/{made.pk}/{kind}/csv/{query}", {"file": file}).url

    return post


@pytest.fixture
def planned(account_a):
    def found():
        with account_context(account_a):
            rows = PlannedSerial.objects.filter(state="planned").order_by("pk")
            return list(rows.values_list("serial", flat=True))

    return found


def told(page):
    return [(error.line, error.column, error.message) for error in page.context["plan"].errors]


def asked(page):
    return {question.code: question.words for question in page.context["questions"]}


def answered(web, url, **choices):
    """The page with these answers, and its address."""
    given = urlencode(answers(web.get(url).context["questions"], **choices), doseq=True)
    url = f"{url}{'&' if '?' in url else '?'}{given}"
    return url, web.get(url)


# --- a row is used whole or not at all --------------------------------------------------------------------------------
def test_a_row_that_does_not_fit_is_left_out_whole(web, send, planned, account_a, made):
    with account_context(account_a):
        planning.add_serials(line_id=line_of(made).pk, serials=[f"T{n}" for n in range(7)], actor=None)
    url = send('SKU,Serial\nSER,"A1,A2,A3"\nSER,"B1,B2"\nSER,C1\n')
    url, page = answered(web, url, list="proposed")
    assert [(line, column) for line, column, _words in told(page)] == [(2, "Serial"), (4, "Serial")]
    assert "This row is 3 serials, and there is room for 2 more of this SKU: none of it is used." in text_of(page)
    assert (page.context["good_count"], page.context["wrong"]) == (1, 2)
    failed = web.get(f"{url}&errors=1").content.decode()
    assert '"A1,A2,A3",2' in failed
    assert "B1" not in failed
    answer = web.post(url, follow=True).content.decode()
    assert "2 serials are added." in answer
    assert "2 rows were left out." in answer
    assert planned()[7:] == ["B1", "B2"]


@pytest.mark.parametrize("bad", ["TAKEN", "#N/A", f"{'x' * 101}", "OK1"])
def test_a_row_with_one_bad_serial_is_left_out_whole(web, send, planned, account_a, made, bad):
    with account_context(account_a):
        planning.add_serials(line_id=line_of(made).pk, serials=["TAKEN"], actor=None)
    url, page = answered(web, send(f'SKU,Serial\nSER,OK1\nSER,"A1,{bad},A3"\n'), list="proposed")
    assert {line for line, _column, _words in told(page)} == {3}
    assert page.context["good_count"] == 1
    web.post(url)
    assert planned() == ["TAKEN", "OK1"]


def test_a_row_of_which_a_part_is_in_question_is_left_out_whole(account_a, made, planned):
    text = 'SKU,Serial\nSER,"A1,TBD"\nSER,B1\n'
    with account_context(account_a):
        parsed = serials_csv.SCHEMA.read(io.BytesIO(text.encode()))
        plan = serials_csv.plan_serials(parsed, replenishment_id=made.pk)
        given = {plan.questions[0].token: "proposed"}
        done = serials_csv.apply_serials(replenishment_id=made.pk, parsed=parsed, actor=None, answers=given)
    assert [error.line for error in done.errors] == [2]
    assert planned() == ["B1"]


def test_what_is_left_out_of_a_row_by_its_answer_is_no_bad_row(web, send, planned):
    url = send('SKU,Serial\nSER,"A1,TBD,A3"\n')
    first = answers(web.get(url).context["questions"], list="proposed")
    second = answers(web.get(url, first).context["questions"], list="proposed", placeholder="leave")
    page = web.get(url, second)
    assert (told(page), page.context["good_count"]) == ([], 1)
    web.post(f"{url}?{urlencode(second, doseq=True)}")
    assert planned() == ["A1", "A3"]


def test_new_serials_are_counted_as_serials_not_as_rows(web, send):
    _url, page = answered(web, send('SKU,Quantity,Serials\nSER,3,"Q1,Q2,Q3"\nSER,1,Q4\n'), list="proposed")
    stats = dict(page.context["plan"].stats)
    assert (stats["New serials"], page.context["plan"].rows[0][2], page.context["good_count"]) == (4, 4, 2)


# --- the SKU is written once ------------------------------------------------------------------------------------------
def test_cells_left_empty_under_a_sku_are_asked_about_once(web, send, planned):
    url = send("SKU,Serial\nSER,XG1\n,XG2\n,XG3\n")
    page = web.get(url)
    assert asked(page) == {"blank": ["line 3, XG2: SER", "line 4, XG3: SER"]}
    assert "SKU is empty in 2 rows" in text_of(page)
    assert "of the SKU of this line" not in text_of(page)
    assert told(page) == []
    assert "Apply" not in text_of(page)
    web.post(url)
    assert planned() == [], "not before it has an answer"
    url, page = answered(web, url, blank="proposed")
    assert "Apply 3 rows" in text_of(page)
    web.post(url)
    assert planned() == ["XG1", "XG2", "XG3"]


def test_the_rows_can_be_left_out(web, send, planned):
    url, page = answered(web, send("SKU,Serial\nSER,XG1\n,XG2\n"), blank="leave")
    assert "Apply 1 row" in text_of(page)
    web.post(url)
    assert planned() == ["XG1"]


def test_a_job_leaves_them_out_and_says_so(account_a, made, planned):
    with account_context(account_a):
        parsed = serials_csv.SCHEMA.read(io.BytesIO(b"SKU,Serial\nSER,XG1\n,XG2\n"))
        done = serials_csv.apply_serials(replenishment_id=made.pk, parsed=parsed, actor=None)
    assert [(error.line, error.column) for error in done.errors] == [(3, "SKU")]
    assert planned() == ["XG1"]


def test_a_cell_without_a_sku_above_that_can_be_read_is_empty(web, send):
    page = web.get(send("SKU,Serial\n,X0\nSER,X1\nSER,X2,too many\n,X3\n"))
    assert asked(page) == {}
    empty = "This cell is empty, but SKU is needed."
    assert [told(page)[0], told(page)[2]] == [(2, "SKU", empty), (5, "SKU", empty)]


def test_in_the_file_of_one_line_the_sku_goes_without_saying(web, send, account_a, made):
    with account_context(account_a):
        line = line_of(made).pk
    url = send("Serial,SKU\nX1,9521234543213\nX2,\nX3,OTHER\nX4,\n", query=f"?line={line}")
    page = web.get(url)
    assert asked(page) == {"blank": ["line 5, X4: OTHER"]}, "X2 stands under another name of the SKU of the line"
    assert "They are of the SKU of this line" in text_of(page)
    _url, page = answered(web, url, blank="proposed")
    assert [line for line, _column, _words in told(page)] == [4, 5]


def test_lots_left_under_a_merged_sku_are_asked_about_too(web, send, account_a, made):
    with account_context(account_a):
        make_sku(code="CABLE")
    url = send("SKU,Quantity,Lot,Lot quantity\nCABLE,8,L1,4\n,,L2,4\n,2,,\n", kind="lines")
    page = web.get(url)
    assert asked(page) == {"blank": ["line 3, L2, 4: CABLE", "line 4, 2: CABLE"]}
    assert web.post(url).url == url, "nothing is added without an answer"
    url, page = answered(web, url, blank="proposed")
    assert told(page) == []
    assert [list(row) for row in page.context["plan"].rows] == [
        ["CABLE", 8, "", "4 of L1, 4 of L2"],
        ["CABLE", 2, "", ""],
    ]
    web.post(url)
    with account_context(account_a):
        assert list(made.lines.order_by("position").values_list("sku__code", "quantity"))[1:] == [
            ("CABLE", 8),
            ("CABLE", 2),
        ]


# --- From and To ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "header", ["SKU,From,To", "Item No.,Serial from,Serial to", "sku,First SN,Last SN", "SKU,Start serial,End serial"]
)
def test_a_row_with_two_ends_is_asked_about_as_a_range(web, send, planned, header):
    url = send(f"{header}\nSER,A001,A005\nSER,FU12,FU12\n")
    page = web.get(url)
    assert asked(page) == {"ends": ["A001 to A005: 5 serials, A001 to A005", "FU12 to FU12: 1 serial, FU12"]}
    assert "2 rows are ranges: From and To" in text_of(page)
    assert "error processing csv file" not in text_of(page), "nothing is wrong with what is asked about"
    assert "just as it stands" not in text_of(page)
    url, page = answered(web, url, ends="proposed")
    assert "Apply 2 rows" in text_of(page)
    web.post(url)
    assert planned() == ["A001", "A002", "A003", "A004", "A005", "FU12"]


def test_a_range_of_two_columns_is_used_whole_or_not_at_all(web, send, planned):
    url, page = answered(web, send("SKU,From,To\nSER,A01,A10\nSER,B1,B3\n"), ends="proposed")
    assert [(line, "10 serials" in words) for line, _column, words in told(page)] == [(2, True)]
    failed = web.get(f"{url}&errors=1").content.decode("utf-8-sig")
    assert failed.startswith("SKU,From,To,Line,Reason\r\nSER,A01,A10,2,"), "it can be corrected and uploaded again"
    web.post(url)
    assert planned() == ["B1", "B2", "B3"]


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ("A001,B005", "is no range: both need the same beginning"),
        ("ABC,ABD", "is no range: both need the same beginning"),
        ("A5,A1", "the first serial comes after the last"),
        ("A99,A101", "write both ends with as many digits"),
        ("A001,", "Fill From and To."),
        (",A005", "Fill From and To."),
        (",", "Fill From and To."),
        ("8.93901E+18,8.93901E+19", "its last digits are lost"),
        ("#N/A,#N/A", "is a spreadsheet's error"),
        ("A000000001,A999999999", "this is 999,999,999 serials, but 50,000 fit"),
    ],
)
def test_two_ends_that_make_no_range_say_why(web, send, planned, ends, words):
    url = send(f"SKU,From,To\nSER,{ends}\nSER,OK1,OK2\n")
    url, page = answered(web, url, ends="proposed")
    assert [(line, column, words in said) for line, column, said in told(page)] == [(2, "From, To", True)]
    web.post(url)
    assert planned() == ["OK1", "OK2"]


def test_from_and_to_beside_serials_are_places_and_not_used(web, send, planned):
    url = send("SKU,Serial,From,To\nSER,X1,Hamburg,Kiel\n")
    assert "These columns are not used: From, To" in text_of(web.get(url))
    web.post(url)
    assert planned() == ["X1"]


def test_a_file_of_one_line_may_have_two_ends_too(web, send, account_a, made, planned):
    with account_context(account_a):
        line = line_of(made).pk
    url, _page = answered(web, send("From,To\nA1,A3\n", query=f"?line={line}"), ends="proposed")
    web.post(url)
    assert planned() == ["A1", "A2", "A3"]


def test_one_end_alone_says_which_columns_there_are(web, send):
    page = text_of(web.get(send("SKU,From\nSER,A1\n")))
    assert "The column Serial is missing. The file has: SKU, From." in page
