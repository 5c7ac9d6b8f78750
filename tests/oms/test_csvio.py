"""The CSV reader and writer: round trips, whatever people upload, and every bad row at once."""

import csv
import io
import time

import pytest
from django.core.exceptions import ValidationError
from hypothesis import example, given, strategies as st

from oms.csvio import (
    ERROR_HEADER,
    Column,
    FileRefused,
    Schema,
    checked,
    error_rows,
    escape,
    one_of,
    unescape,
    whole_number,
    write,
)
from oms.models.keys import validate_identity

SCHEMA = Schema(
    [
        Column("SKU", is_required=True, max_length=20, example="L1"),
        Column("Serial", aliases=("Serial number",)),
        Column("Qty", whole_number(1, 99), empty=1, example="3"),
    ],
    key=("SKU", "Serial"),
)


def read(content, schema=SCHEMA):
    return schema.read(io.BytesIO(content if isinstance(content, bytes) else content.encode()))


def values(parsed):
    return [tuple(row.values.values()) for row in parsed.rows]


def faults(parsed):
    return [(error.line, error.column) for error in parsed.errors]


def refusal(content, schema=SCHEMA):
    with pytest.raises(FileRefused) as caught:
        read(content, schema)
    return str(caught.value)


# --- the declaration --------------------------------------------------------------------------------------------------
def test_template_is_the_declared_header_and_reads_back():
    assert SCHEMA.template() == "\ufeffSKU,Serial,Qty\r\n".encode()
    assert values(read(SCHEMA.template(has_example=True))) == [("L1", "", 3)]


def test_help_names_every_column():
    assert SCHEMA.help_text == (
        "Columns: SKU, Serial (may be left out), Qty (may be left out). Their order does not matter."
    )


def test_two_columns_of_one_name_are_a_mistake_of_ours():
    with pytest.raises(ValueError, match="Two columns"):
        Schema([Column("SKU"), Column("Other", aliases=("s k u",))])
    with pytest.raises(ValueError, match="No such columns"):
        Schema([Column("SKU")], key=("Serial",))


# --- headers and delimiters -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("header", ["SKU,Serial,Qty", "sku , SERIAL_NUMBER, q t y", "Sku,serial-number,QTY"])
def test_header_is_matched_without_case_spaces_and_underscores(header):
    assert values(read(f"{header}\nA,B,2\n")) == [("A", "B", 2)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_by_the_declared_columns(delimiter):
    parsed = read(f"Qty{delimiter}SKU\n2{delimiter}A\n")
    assert (values(parsed), parsed.delimiter) == ([("A", "", 2)], delimiter)


def test_delimiter_is_not_fooled_by_other_columns():
    parsed = read("SKU;Name, long, longer;Serial\nA;x, y, z;B\n")
    assert (parsed.delimiter, values(parsed)) == (";", [("A", "B", 1)])
    assert parsed.ignored_columns == ("Name, long, longer",)


def test_excels_own_first_line_names_the_delimiter():
    parsed = read("sep=|\r\nSKU|Serial\r\nA|B\r\n")
    assert (parsed.delimiter, parsed.rows[0].line, values(parsed)) == ("|", 3, [("A", "B", 1)])


def test_columns_ignored_and_missing_are_named():
    parsed = read("Serial,Colour,\nB,red,\n")
    assert (parsed.columns, parsed.ignored_columns, parsed.missing_columns) == (("Serial",), ("Colour",), ("SKU",))
    assert (parsed.rows, faults(parsed), parsed.is_ok) == ([], [(1, "SKU")], False)
    assert parsed.errors[0].message == "The column SKU is missing. The file has: Serial, Colour."


def test_a_column_twice_is_refused():
    assert refusal("SKU,sku\nA,B\n") == "The column SKU is there twice. Remove one."
    assert "Serial is there twice" in refusal("SKU,Serial,Serial number\nA,B,C\n")


# --- encodings --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("encoding", "is_called"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("cp1252", "cp1252")],
)
def test_encodings(encoding, is_called):
    parsed = read("SKU;Serial\nKöln €;ÄÖ\n".encode(encoding))
    assert (values(parsed), parsed.encoding) == ([("Köln €", "ÄÖ", 1)], is_called)


def test_big_endian_utf16():
    assert values(read(b"\xfe\xff" + "SKU\nÄ\n".encode("utf-16-be"))) == [("Ä", "", 1)]


# --- what is no CSV file ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00", "Excel (.xlsx) or ZIP"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "Excel (.xls)"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "PNG"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "JPEG"),
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\xef\xbb\xbf  <?xml version='1.0'?>", "web page or XML"),
        (b"SKU,Serial\nA\x00B,C\n", "binary data"),
        ("SKU,Serial\nA,B\n".encode("utf-16-le"), "binary data"),
        (bytes(range(256)) * 4, "binary data"),
        (b"\xff\xfeS", "binary data"),
        (b"SKU\n\x81\n", "binary data"),
        (b'"SKU\nA\n', "first line is not closed"),
    ],
)
def test_what_is_no_csv_file_is_said_with_what_to_do(content, says):
    message = refusal(content)
    assert message.startswith("This is not a CSV file: ")
    assert says in message


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\r\n  \n"])
def test_empty_file(content):
    assert refusal(content) == "The file is empty. Download the template and fill it."


def test_header_without_rows():
    assert "no rows under it" in refusal("SKU,Serial\r\n,\r\n")


def test_size_cap_reads_no_further():
    class Endless:
        def seek(self, offset):
            return offset

        def read(self, size):
            assert size == 1025
            return b"a" * size

    with pytest.raises(FileRefused, match="larger than"):
        Schema([Column("SKU")], max_bytes=1024).read(Endless())


def test_row_cap():
    schema = Schema([Column("SKU")], max_rows=3)
    assert len(read("SKU\n1\n2\n\n3\n", schema).rows) == 3
    assert "more than 3 rows" in refusal("SKU\n1\n2\n3\n4\n", schema)


# --- rows -------------------------------------------------------------------------------------------------------------
def test_every_bad_row_is_reported_with_its_line_and_column():
    parsed = read(
        "SKU,Serial,Qty\r\n"  # 1
        "A,1,2\r\n"  # 2
        ",1,2\r\n"  # 3: SKU is empty
        "A,2,lots\r\n"  # 4: not a number
        "\r\n"  # 5
        'A,"two\r\nlines",1\r\n'  # 6 and 7
        "A,3\r\n"  # 8: too few
        "A,4,1,x\r\n"  # 9: too many
        ",,\r\n"  # 10
        "ABCDEFGHIJKLMNOPQRSTU,5,0\r\n"  # 11: too long, and too small
        "a,TWO\nlines,1\r\n"  # 12, 13: without quotes these are two ragged rows
        "B,1,1\r\n"  # 14
    )
    assert faults(parsed) == [
        (3, "SKU"),
        (4, "Qty"),
        (8, ""),
        (9, ""),
        (11, "SKU"),
        (11, "Qty"),
        (12, ""),
        (13, ""),
    ]
    assert [row.line for row in parsed.rows] == [2, 6, 14]
    assert parsed.row_count == 10
    said = {(error.line, error.column): error.message for error in parsed.errors}
    assert said[3, "SKU"] == "This cell is empty, but SKU is needed."
    assert said[4, "Qty"] == "Use a whole number from 1 to 99, digits only."
    assert said[9, ""].startswith("This row has 4 cells, the header has 3.")
    assert said[11, "SKU"] == "21 characters are too many: 20 at most."


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_numbers_count_lines_within_quotes_whatever_the_line_end(end):
    lines = ["SKU,Serial", 'A,"x', 'y"', "", "B,", '"C', '"",', '",', "D,"]
    parsed = read(end.join(lines))
    assert [row.line for row in parsed.rows] == [2, 5, 6, 9]


def test_a_quote_that_is_never_closed_hides_no_other_row():
    parsed = read('SKU,Serial\nA,"1\nB,2\nC,"3" x\nD,4\n')
    assert faults(parsed) == [(2, ""), (4, "")]
    assert [row.values["SKU"] for row in parsed.rows] == ["B", "D"]


def test_a_file_of_broken_quotes_is_refused_soon():
    begun = time.process_time()
    assert "not in pairs" in refusal("SKU,Serial\n" + 'A,"\nB,x"y\n' * 100_000)
    assert time.process_time() - begun < 10


def test_a_second_row_of_the_same_key_names_the_first():
    parsed = read("SKU,Serial\nA,1\nB,1\n\na,1\nA,2\nA,1\n")
    assert [(error.line, error.column, error.raw) for error in parsed.errors] == [
        (5, "SKU, Serial", "a, 1"),
        (7, "SKU, Serial", "A, 1"),
    ]
    assert {error.message for error in parsed.errors} == {"The same SKU, Serial as in line 2."}
    assert [row.line for row in parsed.rows] == [2, 3, 6]


def test_a_bad_row_does_not_claim_its_key():
    parsed = read("SKU,Serial,Qty\nA,1,none\nA,1,1\n")
    assert (faults(parsed), [row.line for row in parsed.rows]) == ([(2, "Qty")], [3])


def test_huge_cells_are_row_errors():
    parsed = read(f'SKU,Serial\nA,{"x" * 200_000}\nB,"{"y" * 200_000}"\nC,{"z" * 251}\nD,1\n')
    assert faults(parsed) == [(2, ""), (3, ""), (4, "Serial")]
    assert len(parsed.errors[2].raw) == 200


def test_what_a_clean_raises_is_what_the_person_reads():
    def strict(text):
        raise ValidationError("Not %(text)s.", params={"text": text})

    schema = Schema(
        [Column("A", strict), Column("B", int, example="7"), Column("C", one_of({"In/Out": "io", "No": "no"}))]
    )
    parsed = read("A,B,C\nx,y,z\n,1,IN/OUT\n", schema)
    assert [error.message for error in parsed.errors] == [
        "Not x.",
        "“y” is not valid here. Example: 7",
        "Use one of: In/Out, No.",
    ]
    assert values(parsed) == [("", 1, "io")]


def test_checked_runs_a_models_validators():
    schema = Schema([Column("A", checked(validate_identity))])
    assert faults(read('A\nfine\n"a\tb"\n', schema)) == [(3, "A")]


@pytest.mark.parametrize("text", ["1.5", "1e1", "٣", "0x1", "1_0", "", "100", "-1", "9" * 30])
def test_whole_number_refuses(text):
    assert faults(read(f"SKU,Qty,Serial\nA,{text or ' - '},1\n")) == [(2, "Qty")]


def test_errors_are_a_file_too():
    parsed = read("SKU,Qty\n,1\nA,=1+1\n")
    lines = b"".join(write(error_rows(parsed.errors), ERROR_HEADER, has_bom=False)).decode().split("\r\n")
    assert lines[0] == "Line,Column,Reason,Cell"
    assert lines[2] == '3,Qty,"Use a whole number from 1 to 99, digits only.",\'=1+1'
    assert parsed.errors[1].as_dict()["line"] == 3


# --- writing ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+49 170", "'+49 170"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("'-5", "''-5"),
        ("-5", "-5"),
        ("-12.50", "-12.50"),
        ("-", "'-"),
        ("a=b", "a=b"),
        ("'quoted'", "'quoted'"),
        ("", ""),
    ],
)
def test_escape(text, written):
    assert (escape(text), unescape(written)) == (written, text)


@given(st.text())
@example("'=")
@example("''-1")
def test_unescape_undoes_escape(text):
    assert unescape(escape(text)) == text


def test_written_as_rfc_4180_says():
    rows = [("a,b", 'say "x"', "two\nlines"), (None, -5, 1.5), ("", "ü", "=1")]
    assert b"".join(write(rows, ("A", "B", "C"), has_bom=False)).decode() == (
        'A,B,C\r\n"a,b","say ""x""","two\nlines"\r\n,-5,1.5\r\n,ü,\'=1\r\n'
    )


def test_writing_is_lazy_and_in_pieces():
    asked = []

    def rows():
        for number in range(100_000):
            asked.append(number)
            yield (number, "x" * 50)

    pieces = write(rows(), ("N", "X"))
    first = next(pieces)
    assert first.startswith(b"\xef\xbb\xbfN,X\r\n")
    assert len(asked) < 3_000
    assert all(len(piece) < 200_000 for piece in pieces)
    assert len(asked) == 100_000


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
tables = st.lists(st.tuples(cells, cells), min_size=1, max_size=20)


@given(rows=tables, delimiter=st.sampled_from(",;\t|"), has_bom=st.booleans())
def test_what_is_written_reads_back(rows, delimiter, has_bom):
    schema = Schema([Column("One", max_length=100), Column("Two", max_length=100)])
    kept = [(one.strip(), two.strip()) for one, two in rows if (escape(one) + escape(two)).strip()]
    data = b"".join(write(rows, schema.header, has_bom=has_bom, delimiter=delimiter))
    if kept:
        assert values(read(data, schema)) == kept
    else:
        refusal(data, schema)


@given(tables)
def test_what_is_written_is_what_pythons_reader_reads(rows):
    data = b"".join(write(rows, ("One", "Two"), has_bom=False)).decode()
    found = list(csv.reader(io.StringIO(data, newline=""), strict=True))
    assert found == [["One", "Two"], *([escape(one), escape(two)] for one, two in rows)]


@given(st.binary(max_size=300))
@example(b"\xff\xfe\x00\xd8")
@example(b"SKU\n\r\x0b\x1a")
def test_any_bytes_are_read_or_refused(data):
    for content in (data, b"SKU,Serial,Qty\n" + data):
        try:
            parsed = read(content)
        except FileRefused:
            continue
        assert parsed.row_count >= len(parsed.rows)
        assert parsed.rows or parsed.errors


@given(st.text(st.sampled_from("SKU,;\"\n\r\t =|'x"), max_size=80))
def test_any_arrangement_of_quotes_and_delimiters_is_read_or_refused(text):
    try:
        parsed = read("SKU,Serial\n" + text)
    except FileRefused:
        return
    lines = text.count("\n") + text.count("\r") + 2
    assert all(1 < found.line <= lines for found in [*parsed.rows, *parsed.errors])


@pytest.mark.slow
def test_200_000_rows_of_four_columns_in_a_few_seconds():
    schema = Schema(
        [Column("SKU", is_required=True), Column("Serial"), Column("A"), Column("V")], key=("SKU", "Serial")
    )
    data = b"".join(write(((f"S{n % 500}", f"N{n:07}", "colour", "deep, blue") for n in range(200_000)), schema.header))
    begun = time.process_time()
    parsed = read(data, schema)
    assert (len(parsed.rows), parsed.errors) == (200_000, [])
    assert time.process_time() - begun < 10  # 1.7 s alone on a slow core; machines do other things too
