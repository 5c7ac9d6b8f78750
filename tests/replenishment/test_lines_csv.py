"""Lines from a CSV file: which rows make a line, and every bad row with its line, column and reason."""

import io
import random
import re
from decimal import Decimal

import pytest

from oms import jobs
from oms.errors import Conflict
from oms.models import Job
from oms.tenancy import account_context
from replenishment.models import MOST_LOTS, Replenishment, ReplenishmentLine, ReplenishmentLot
from replenishment.services import lines_csv
from tests.factories import make_sku
from tests.replenishment.factories import make_replenishment, make_submitted

pytestmark = pytest.mark.django_db
HEADER = "SKU,Quantity,Unit cost,Lot,Expiry,Lot quantity\n"


@pytest.fixture
def in_a(account_a):
    with account_context(account_a):
        yield account_a


def parsed(text):
    return lines_csv.SCHEMA.read(io.BytesIO(text if isinstance(text, bytes) else (HEADER + text).encode()))


def plan(text, line_count=0):
    return lines_csv.plan_lines(parsed(text), line_count=line_count)


def errors(text):
    return [(error.line, error.column, error.message) for error in plan(text).errors]


def test_a_row_with_a_quantity_is_a_line_and_rows_without_are_its_lots(in_a):
    make_sku(code="AB-1"), make_sku(code="Maß")
    made = make_replenishment()
    file = parsed("ab-1,10,12.5,L-1,2027-01-31,4\nAB-1,,,L-2,,3\nmaß,7,,,,\nAB-1,5,,L-9,,\n")
    assert not lines_csv.apply_lines(replenishment_id=made.pk, parsed=file, actor=None).errors
    rows = ReplenishmentLine.objects.filter(replenishment=made, position__gt=1).order_by("position")
    assert list(rows.values_list("position", "sku__code", "quantity", "unit_cost")) == [
        (2, "AB-1", 10, Decimal("12.5")),
        (3, "Maß", 7, None),
        (4, "AB-1", 5, None),
    ]
    found = ReplenishmentLot.objects.order_by("pk").values_list("line__position", "number", "quantity")
    assert list(found) == [(2, "L-1", 4), (2, "L-2", 3), (4, "L-9", 5)]
    made.refresh_from_db()
    assert made.quantity == 3 + 22


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("NOBODY,1,,,,", "SKU", "no SKU of this name"),
        ("AB,0,,,,", "Quantity", "from 1 to 1000000"),
        ("AB,1000001,,,,", "Quantity", "from 1 to 1000000"),
        ("AB,1.5,,,,", "Quantity", "digits only"),
        ("AB,٣,,,,", "Quantity", "digits only"),
        ("AB,1,-1,,,", "Unit cost", "12.50"),
        ("AB,1,1.23456,,,", "Unit cost", "four decimals"),
        ('AB,1,"1,500",,,', "Unit cost", "point"),
        ('AB,1,"1,500.00",,,', "Unit cost", "point"),
        ("AB,1,NaN,,,", "Unit cost", "point"),
        ("AB,1,1e9,,,", "Unit cost", "point"),
        ("AB,1,,L,soon,", "Expiry", "yyyy-mm-dd"),
        ("AB,1,,L,2027-02-30,", "Expiry", "no such day"),
        ("AB,1,,,2027-01-31,", "Expiry", "Name the lot"),
        ("AB,1,,,,1", "Lot quantity", "Name the lot"),
        ("AB,1,,L,,2", "Lot quantity", "add up to 2"),
        (f"AB,1,,{'x' * 101},,", "Lot", "100 characters"),
        ("AB,1,,L\u202e,,", "Lot", ""),
        ("AB,1,,", "", "cells"),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_column(in_a, row, column, words):
    make_sku(code="AB")
    ((line, found, message),) = errors(f"AB,1,,,,\n\n{row}\n")[:1]
    assert (line, found) == (4, column)
    assert words in message
    assert len(plan(f"AB,1,,,,\n{row}\n").lines) == 1


def test_what_is_wrong_with_one_lot_leaves_out_its_whole_line(in_a):
    make_sku(code="AB"), make_sku(code="CD")
    text = "AB,10,,L-1,,4\nAB,,,L-2,nonsense,3\nAB,,,L-3,,1\nCD,1,,,,\n"
    assert [(line, column) for line, column, _text in errors(text)] == [(2, ""), (3, "Expiry"), (4, "")]
    assert [line.sku.code for line in plan(text).lines] == ["CD"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AB,10,,L-1,,\nAB,,,L-2,,3\n", [(2, "Lot quantity"), (3, "")]),
        ("AB,10,,L-1,,4\nAB,,,L-1,,3\n", [(2, ""), (3, "Lot")]),
        ("AB,10,,L-1,,4\nAB,,,,,\n", [(2, ""), (3, "Quantity")]),
        ("AB,10,,L-1,,4\nAB,,5,L-2,,1\n", [(2, ""), (3, "Unit cost")]),
        ("AB,10,,L-1,,4\nCD,1,,,,\nAB,,,L-2,,1\n", [(4, "Quantity")]),
        ("AB,10,,L-1,,4\nAB,,\nAB,,,L-3,,1\n", [(2, ""), (3, ""), (4, "")]),
    ],
)
def test_what_lots_must_say(in_a, text, expected):
    make_sku(code="AB"), make_sku(code="CD")
    assert [(line, column) for line, column, _text in errors(text)] == expected


def test_a_forgotten_quantity_is_told_as_that(in_a):
    make_sku(code="AB")
    (told,) = [text for _line, column, text in errors("AB,10,,,,\nAB,,,,,\n") if column == "Quantity"]
    assert told.startswith("No quantity.")


def test_a_cost_may_have_a_decimal_comma(in_a):
    make_sku(code="AB")
    file = lines_csv.SCHEMA.read(io.BytesIO(b"SKU;Quantity;Unit cost\nAB;1;129,50\nAB;1;7,5\n"))
    found = lines_csv.plan_lines(file, line_count=0)
    assert [line.as_input().unit_cost for line in found.lines] == [Decimal("129.50"), Decimal("7.5")]


def test_a_file_without_its_columns_counts_no_rows(web, account_a):
    with account_context(account_a):
        made = make_replenishment()
        make_sku(code="AB")
    page = web.get(upload(web, made, b"Name,Number\nA,B\n").url).content.decode()
    assert "No row can be read: columns are missing" in page
    for words in ("0 rows", "left out", "Rows that are wrong", "errors=1"):
        assert words not in page
    page = web.get(upload(web, made, "AB,1,,,,\nAB,x,,,,\n").url).content.decode()
    assert "1 row is left out" in page
    assert re.search("<h1[^>]*>.*Check the upload", page, re.DOTALL)


def lots(count):
    return f"ONE,{count},,L-0,,1\n" + "".join(f"ONE,,,L-{n},,1\n" for n in range(1, count))


def test_a_line_has_a_hundred_lots_at_most(in_a):
    make_sku(code="ONE")
    assert errors(lots(MOST_LOTS)) == []
    found = plan(lots(MOST_LOTS + 50))
    assert (found.lines, found.good_count) == ([], 0)
    assert (found.errors[MOST_LOTS].line, found.errors[MOST_LOTS].message) == (102, "A line has 100 lots at most.")


def test_a_replenishment_has_a_thousand_lines_at_most(in_a, django_assert_num_queries):
    make_sku(code="AB")
    text = "AB,1,,,,\n" * 1_001
    with django_assert_num_queries(1):
        found = plan(text)
    assert (len(found.lines), [error.line for error in found.errors]) == (1_000, [1_002])
    assert len(plan("AB,1,,,,\n" * 2, line_count=999).lines) == 1


def test_a_thousand_lines_are_added_by_a_few_statements(in_a, django_assert_max_num_queries):
    for number in range(20):
        make_sku(code=f"S-{number}")
    made = make_replenishment()
    rows = [f"S-{random.randrange(20)},{number},1.5,L-{number},2027-01-31,1\n" for number in range(1, 1_000)]  # noqa: S311
    file = parsed("".join(rows))
    with django_assert_max_num_queries(15):
        lines_csv.apply_lines(replenishment_id=made.pk, parsed=file, actor=None)
    assert Replenishment.objects.get(pk=made.pk).quantity == 3 + sum(range(1, 1_000))
    assert ReplenishmentLot.objects.count() == 999


def test_a_submitted_one_takes_no_lines(in_a):
    make_sku(code="AB")
    with pytest.raises(Conflict, match="already submitted"):
        lines_csv.apply_lines(replenishment_id=make_submitted().pk, parsed=parsed("AB,1,,,,\n"), actor=None)


# --- the pages --------------------------------------------------------------------------------------------------------
def upload(web, made, content):
    file = io.BytesIO(content if isinstance(content, bytes) else (HEADER + content).encode())
    file.name = "lines.csv"
    return web.post(f"/acme/replenishments/{made.pk}/lines/csv/", {"file": file})


def test_upload_check_apply(web, account_a):
    with account_context(account_a):
        make_sku(code="AB"), make_sku(code="=CD")
        made = make_replenishment()
    template = web.get(f"/acme/replenishments/{made.pk}/lines/csv/?template=1")
    assert template.content.decode("utf-8-sig").startswith("SKU,Quantity,Unit cost,Lot,Expiry,Lot quantity")
    url = upload(web, made, "AB,4,2.50,L-1,,\n'=CD,1,,,,\nNOBODY,<b>,,,,\n").url
    page = web.get(url).content.decode()
    for words in ("There is no SKU of this name", "NOBODY", "Apply the 2 good rows", "&lt;b&gt;", "4 of L-1"):
        assert words in page
    download = web.get(f"{url}?errors=1")
    bad = download.content.decode("utf-8-sig").splitlines()
    assert bad[0] == "SKU,Quantity,Unit cost,Lot,Expiry,Lot quantity,Line,Reason"
    assert bad[1].startswith("NOBODY,<b>,,,,,4,")
    with account_context(account_a):
        assert ReplenishmentLine.objects.count() == 1
    answer = web.post(url, follow=True).content.decode()
    for words in ("2 lines are added.", "1 row was left out."):
        assert words in answer
    assert "before" not in answer
    # Sent twice, it is done once, and says so; its page is what it did.
    answer = web.post(url, follow=True).content.decode()
    assert "This file was applied before: 2 lines are added. Nothing is added again." in answer
    page = web.get(url, follow=True).content.decode()
    assert "2 lines are added." in page
    assert "There is no SKU of this name" in page
    assert "Apply" not in page
    assert web.get(f"{url}?errors=1").content == download.content
    with account_context(account_a):
        assert ReplenishmentLine.objects.count() == 3


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04xx", b"\x00\x01\x02", b"", b"SKU,Quantity\n", b"SKU,SKU\nA,B\n", b"<html>", b'"', b"%PDF-1.4"],
)
def test_what_is_no_file_of_lines_says_why(web, account_a, content):
    with account_context(account_a):
        made = make_replenishment()
    answer = upload(web, made, content)
    assert answer.status_code == 422
    assert "error" in answer.content.decode()


def test_a_file_without_any_good_row_or_column_changes_nothing(web, account_a):
    with account_context(account_a):
        made = make_replenishment()
    for content in (b"Name,Number\nA,B\n", b"SKU,Quantity\nNOBODY,1\n"):
        url = upload(web, made, content).url
        assert "Apply" not in web.get(url).content.decode()
        assert "No row of this file can be used" in web.post(url, follow=True).content.decode()
    with account_context(account_a):
        assert not Job.objects.exists()
        assert ReplenishmentLine.objects.count() == 1


@pytest.mark.commits("a job commits step by step")
def test_a_large_file_is_applied_by_a_job(web, account_a):
    with account_context(account_a):
        make_sku(code="AB" + "x" * 70)
        made = make_replenishment()
    url = upload(web, made, f"AB{'x' * 70},1,,{'L' * 90},,\n" * 990).url
    for _turn in range(2):
        assert "/jobs/" in web.post(url).url
    assert jobs.run_next(account_a.pk) == "done"
    assert jobs.run_next(account_a.pk) is None
    with account_context(account_a):
        assert ReplenishmentLine.objects.filter(replenishment=made).count() == 991


def test_a_submitted_one_leads_back(web, account_a):
    with account_context(account_a):
        made = make_submitted()
    for path in ("lines/csv/", "serials/csv/"):
        answer = web.get(f"/acme/replenishments/{made.pk}/{path}", follow=True)
        assert "is already submitted" in answer.content.decode()
