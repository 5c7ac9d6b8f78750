"""Files as people have them: other names of columns, a title above, no header, empty cells, a spreadsheet's days."""

import csv
import io
import re
from datetime import date
from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import given, settings, strategies as st

from oms.csvio import (
    Column,
    FileRefused,
    Schema,
    TwoDays,
    escape,
    failed_file,
    line_count,
    parse_day,
    unescape,
    whole_number,
    words,
    write,
)
from oms.errors import DomainError

SERIALS = Schema(
    [
        Column("Serial", is_required=True, aliases=words.SERIAL),
        Column("SKU", aliases=words.SKU),
    ],
    alone="Serial",
)
BOTH = Schema(
    [Column("SKU", is_required=True, aliases=words.SKU), Column("Serial", is_required=True, aliases=words.SERIAL)]
)


def read(text, schema=BOTH):
    return schema.read(io.BytesIO(text.encode()))


def rows(parsed):
    return [(row.line, *row.values.values()) for row in parsed.rows]


def test_a_file_of_one_column_needs_no_header():
    assert rows(read("HN1\r\nHN2\r\nHN3\r\n", SERIALS)) == [(1, "HN1", ""), (2, "HN2", ""), (3, "HN3", "")]
    assert rows(read("Serial No.\nHN1\n", SERIALS)) == [(2, "HN1", "")]
    assert rows(read("HN1,\nHN2,\n", SERIALS)) == [(1, "HN1", ""), (2, "HN2", "")]


def test_a_word_without_a_digit_is_a_header_that_nobody_knows():
    assert read("Numero de serie\nHN1\n", SERIALS).missing_columns == ("Serial",)
    assert read("HN1\n", BOTH).missing_columns == ("SKU", "Serial"), "a file of two columns has a header"


def test_a_title_above_the_header_is_no_header():
    parsed = read("Packing list PL-88;\r\nShipped 2026-11-20;\r\n\r\nSKU;Serial\r\nL2201308;XC1\r\n;XC2\r\n")
    assert rows(parsed) == [(5, "L2201308", "XC1")]
    assert [(error.line, error.column) for error in parsed.errors] == [(6, "SKU")]


def test_the_lines_above_the_header_are_told():
    parsed = read('L,X1\r\n\r\nL,="X2",\r\nSKU;Serial\r\nL;X3\r\n'.replace(";", ","))
    assert rows(parsed) == [(5, "L", "X3")]
    assert (parsed.header_line, parsed.above) == (4, ((1, "L, X1"), (3, "L, X2")))
    assert read("SKU,Serial\nL,X3\n").above == ()
    assert read('L;X1\nSKU;"open\nSKU;Serial\nL;X3\n').above == ((1, "L, X1"), (2, "")), "what cannot be read counts"


@pytest.mark.parametrize("title", ["Packing list PL-88", "PL-88\nShipped 2026-11-20", "X0\nX00"])
def test_a_title_above_a_file_of_one_column_is_no_value(title):
    parsed = read(f"{title}\nSerial\nX1\n", SERIALS)
    assert [row.values["Serial"] for row in parsed.rows] == ["X1"]
    assert [text for _line, text in parsed.above] == title.split("\n")


def test_a_header_below_others_may_have_to_name_several_columns():
    schema = Schema([Column("Serial", is_required=True, aliases=words.SERIAL), Column("SKU")], names_below=2)
    assert read("A1\nSN\nA3\n", schema).missing_columns == ("Serial",)
    assert rows(read("SN\nA3\n", schema)) == [(2, "A3", "")]
    assert rows(read("A1\nSN,SKU\nA3,L\n", schema)) == [(3, "A3", "L")]


def test_a_text_kept_as_a_formula_is_what_it_says_and_an_empty_one_is_empty():
    parsed = read('="SKU",="Serial",=""\n="L1",="007",=""\n="",=""\n"=""L2""", ="X1",""\n="",="X2"\n')
    assert rows(parsed) == [(2, "L1", "007"), (4, "L2", "X1")]
    assert [(error.line, error.column, "empty" in error.message) for error in parsed.errors] == [(5, "SKU", True)]


def test_a_formula_that_is_a_text_itself_is_read_back():
    texts = ['="007"', '=""', "=1+1", '="a;b"']
    file = b"".join(write([["L", text] for text in texts], ["SKU", "Serial"]))
    assert [row.values["Serial"] for row in BOTH.read(io.BytesIO(file)).rows] == texts


def test_a_row_knows_what_the_last_one_above_names_if_all_between_can_be_read():
    schema = Schema(
        [Column("SKU", is_required=True, may_be_empty=True), Column("Serial", is_required=True)], repeats=("SKU",)
    )
    parsed = read("SKU,Serial\n,X0\nL1,X1\n,X2\nL2,\n,X3\nL3,X4,too,many\n,X5\n", schema)
    assert [(row.values["SKU"], row.values["Serial"], row.above) for row in parsed.rows] == [
        ("", "X0", ""),
        ("L1", "X1", ""),
        ("", "X2", "L1"),
        ("", "X3", "L2"),
        ("", "X5", ""),
    ]


def test_columns_that_stand_in_for_another_are_read_where_it_is_not_there():
    schema = Schema(
        [
            Column("SKU"),
            Column("Serial", is_required=True, unless=("From", "To"), example="S1"),
            Column("From", instead_of="Serial"),
            Column("To", instead_of="Serial"),
        ]
    )
    assert rows(read("From,To\nA1,A5\n", schema)) == [(2, "", "", "A1", "A5")]
    assert read("From,SKU\nA1,L\n", schema).missing_columns == ("Serial",)
    both = read("SKU,Serial,From,To\nL,X1,Hamburg,Kiel\n", schema)
    assert (rows(both), both.ignored_columns) == ([(2, "L", "X1", "", "")], ("From", "To"))
    assert schema.template(has_example=True).decode("utf-8-sig") == "SKU,Serial\r\n,S1\r\n"


def test_the_file_of_bad_rows_has_the_columns_that_the_file_has():
    text = 'Serial;Colour;SKU\n="01";red;\n\'=1;blue;L\n;grey;"L\nM"\n'
    parsed = read(text)
    assert line_count([*parsed.errors, *parsed.errors]) == 2
    file = b"".join(failed_file(BOTH, io.BytesIO(text.encode()), parsed.errors)).decode("utf-8-sig")
    again = read(file)
    assert file.splitlines()[0] == "SKU,Serial,Line,Reason"
    assert [(error.line, error.column) for error in again.errors] == [(2, "SKU"), (3, "Serial")]
    assert again.ignored_columns == ("Line", "Reason")


def test_the_header_is_looked_for_in_twenty_lines_only():
    title = "".join(f"Line {number},\n" for number in range(20))
    assert read(f"{title}SKU,Serial\nL,X\n").missing_columns == ("SKU", "Serial")


@pytest.mark.parametrize("header", ["SKU,Serial", "SKU,Serial,", "SKU,Serial,,"])
def test_empty_cells_at_the_end_are_none(header):
    parsed = read(f"{header}\nL,XE1,\nL,XE2,,,\nL,XE3\nL,XE4,,surplus\nL\n")
    assert rows(parsed) == [(2, "L", "XE1"), (3, "L", "XE2"), (4, "L", "XE3")]
    assert [error.line for error in parsed.errors] == [5, 6]


def test_a_cell_of_a_whole_file_is_told_as_one():
    parsed = read(f'SKU,Serial\nL,X1\nL,"{"9" * 140_000}"\nL,X2\n')
    assert rows(parsed) == [(2, "L", "X1"), (4, "L", "X2")]
    assert [(error.line, error.message) for error in parsed.errors] == [(3, "A cell has more than 131,072 characters.")]
    with pytest.raises(FileRefused, match="131,072"):
        read(f'"{"9" * 140_000}",Serial\nL,X1\n')


@pytest.mark.parametrize(
    "text",
    [
        *("2027-01-31", "2027-1-31", "2027/01/31", "2027.01.31", "31.01.2027", "31.1.27", "1/31/2027", "1/31/27"),
        *("31/1/2027", "31-01-2027", "31-Jan-27", "31 Jan 2027", "31. January 2027", "Jan 31, 2027", "January 31 2027"),
        *("2027-01-31 00:00:00", "2027-01-31T00:00:00Z", "31.01.2027 00:00", "2027-01-31T00:00:00.000+00:00"),
        *("1/31/2027 0:00", "1/31/2027 12:00:00 AM", "1/31/27 12:00 am", "31-Jan-27 0:00:00", "2027-01-31 0:00"),
        *("1/31/2027, 12:00:00\u202fAM", "31/01/2027 00:00:00 AM"),
    ],
)
def test_a_day_that_can_mean_one_only_is_that_day(text):
    assert parse_day(text) == date(2027, 1, 31)


def test_the_name_of_a_month_is_english_whatever_the_page_is():
    with translation.override("de"):
        assert parse_day("3-Sept-2027") == date(2027, 9, 3)
        assert parse_day("3-May-2027") == date(2027, 5, 3)


def test_a_day_that_can_mean_two_is_asked_about():
    with pytest.raises(TwoDays):
        parse_day("1/2/2027")
    assert parse_day("1/2/2027", "day") == date(2027, 2, 1)
    assert parse_day("1/2/2027", "month") == date(2027, 1, 2)
    assert parse_day("1.2.2027", "month") == date(2027, 2, 1), "dots: the day comes first"
    assert parse_day("2/2/2027") == date(2027, 2, 2)
    assert parse_day("13/2/2027", "month") == date(2027, 2, 13), "there is no month 13"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("31.02.2027", "no such day"),
        ("46418", "number that a spreadsheet keeps"),
        ("31/13/2027", "no such day"),
        *((f"1/31/2027 {noon}", "yyyy-mm-dd") for noon in ("14:30", "12:00", "12:00:00 PM", "0:30", "0:00:01", "AM")),
        ("٣١.٠١.٢٠٢٧", "yyyy-mm-dd"),
        ("31-Foo-2027", "yyyy-mm-dd"),
        ("31-Jany-2027", "yyyy-mm-dd"),
        ("1/2-2027", "yyyy-mm-dd"),
    ],
)
def test_what_is_no_day_is_told(text, why):
    with pytest.raises(DomainError, match=why):
        parse_day(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("40.0", 40), ("40,00", 40), ("0", 0), ("007", 7), ("0.00", 0), ("1,200,000", 1_200_000)),
        *(("1.000.000", 1_000_000), ("1,200.00", 1200), ("1.200,0", 1200), ("1,200.000", 1200)),
        *(("1,200", 1200), ("999,999", 999_999)),
    ],
)
def test_quantities_as_spreadsheets_write_them(text, number):
    assert whole_number(0, 10**7)(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("40 pcs", "1,200.5", "12,00,000", "1e3", "٤٠", "1_000", "40.5", "0.500", "0,500", "00.125", "012,500"),
        *("0,500,000", "1,200,000,00", "1,200.000.000", "1.2,000", "-1,200,000"),
    ],
)
def test_a_quantity_that_is_no_whole_number_is_refused(text):
    with pytest.raises(DomainError, match="Use a whole number"):
        whole_number(0, 10**7)(text)


@pytest.mark.parametrize(
    ("text", "many", "few"),
    [
        *(("2,000", "2000", "2"), ("40.000", "40000", "40"), ("2.500", "2500", "2.5"), ("1.250", "1250", "1.25")),
    ],
)
def test_a_quantity_that_may_be_two_says_which(text, many, few):
    with pytest.raises(DomainError, match=f"^This is {many} for some and {few} for others. Use digits only.$"):
        whole_number(0, 10**7)(text)


def readings(text):
    """What a text says to somebody who writes decimals with a point, and to somebody who writes them with a comma."""
    for group, decimal in (",.", ".,"):
        whole, _mark, rest = text.partition(decimal)
        first, *groups = whole.split(group)
        if all(part.isdigit() for part in (first, *groups, rest or "0")) and {len(each) for each in groups} <= {3}:
            yield Decimal(f"{first}{''.join(groups)}.{rest or 0}")


@given(st.text("0123456789.,", min_size=1, max_size=12) | st.from_regex(r"\d{1,3}([.,]\d{1,3}){1,3}", fullmatch=True))
def test_no_quantity_is_more_than_somebody_means(text):
    try:
        number = whole_number(0, 10**12)(text)
    except DomainError:
        return
    assert {number} == {read for read in readings(text) if read % 1 == 0}, "no other whole number is meant"


DANGEROUS = [
    *("x;=1+1", "x;\t=1+1", 'x;"=1+1"', "a|@b", "x\t-2+3", "=1;=2", "x; ＝1", "x\n=1+1\ny", "x\r\n+1", "x\r@y", "\n=1"),
    *("x\n\t-1", 'x\n"=1', "x\n'=1", "-1\n-1", "\t\n\r=1", "\n\n=1", "'\n''=1"),
]


def test_no_cell_begins_a_formula_behind_another_separator_or_line_break():
    for text in DANGEROUS:
        _is_harmless_and_reads_back(text)


@given(st.text(st.sampled_from("=+-@＝';\t|\r\n\" x1"), max_size=14))
@settings(max_examples=2_000)
def test_no_arrangement_of_separators_and_signs_begins_a_formula(text):
    assert unescape(escape(text)) == text
    _is_harmless_and_reads_back(text)


def _is_harmless_and_reads_back(text):
    file = b"".join(write([["SKU-1", text]], ["A", "B"], has_bom=False)).decode()
    (_header, (_sku, written)) = csv.reader(io.StringIO(file, newline=""))
    assert unescape(written) == text
    if re.fullmatch(r"-\d+(\.\d+)?", text):
        return  # a number
    assert written[:1] not in set("=+-@＝\t\r\n"), written
    for behind in re.split("[;\t|\r\n]", written)[1:]:
        assert behind.lstrip(' "')[:1] not in set("=+-@＝"), written


def test_prose_with_semicolons_is_left_alone():
    assert b"one; two, 3 - 4" in b"".join(write([["one; two, 3 - 4"]], ["Note"]))
