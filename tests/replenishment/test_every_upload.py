"""What holds for every file that Lotline takes: names of columns, a title above, odd cells, a cell that is too long."""

import io
import random

import pytest

from oms.services.catalogue_csv import SCHEMA as SKUS
from oms.tenancy import account_context
from replenishment.services.lines_csv import SCHEMA as LINES
from replenishment.services.serials_csv import LINE_SCHEMA as LINE_SERIALS, SCHEMA as SERIALS
from serials.services.attributes_csv import SCHEMA as ATTRIBUTES
from serials.services.number_lists import SCHEMA as NUMBERS
from tests.factories import make_serialized_sku
from tests.replenishment.browsing import text_of
from tests.replenishment.factories import line_of, make_replenishment

pytestmark = pytest.mark.django_db

WITH_SKU = {
    "skus": (SKUS, "Name"),
    "lines": (LINES, "Qty"),
    "serials": (SERIALS, "Serial"),
    "line_serials": (LINE_SERIALS, "Serial"),
    "attributes": (ATTRIBUTES, "Serial,Attribute,Value"),
    "numbers": (NUMBERS, "Serial"),
}


def read(schema, text):
    return schema.read(io.BytesIO(text.encode()))


# --- names of columns -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", WITH_SKU)
@pytest.mark.parametrize("name", ["Item No.", "SKU", "Part Number", "sku", "Article no", "ITEM CODE", "Material"])
def test_every_upload_knows_what_packing_lists_call_a_sku(kind, name):
    schema, rest = WITH_SKU[kind]
    parsed = read(schema, f"{name},{rest}\nL2201308{',1' * len(rest.split(','))}\n")
    assert (parsed.missing_columns, [row.values["SKU"] for row in parsed.rows]) == ((), ["L2201308"])


@pytest.mark.parametrize("kind", ["serials", "line_serials", "attributes", "numbers"])
@pytest.mark.parametrize("name", ["Serial No.", "S/N", "SerialNumber", "SN", "Serial #", "serial_numbers"])
def test_every_upload_of_serials_knows_what_packing_lists_call_them(kind, name):
    schema, _rest = WITH_SKU[kind]
    parsed = read(schema, f"sku;{name};Attribute;Value\nL2201308;XA1;Colour;red\n")
    assert (parsed.missing_columns, len(parsed.rows)) == ((), 1)
    assert "XA1" in parsed.rows[0].values["Serial"]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("SKU,Qty,Lot No.,Exp. date", ("SKU", "Quantity", "Lot", "Expiry")),
        ("Item,Pcs,Batch,Best before", ("SKU", "Quantity", "Lot", "Expiry")),
        ("UPC,Quantity shipped,Batch Qty", ("Quantity", "Lot quantity", "GTIN")),
        ("EAN,Order qty,Lot code,Use by", ("Quantity", "Lot", "Expiry", "GTIN")),
    ],
)
def test_the_file_of_lines_knows_what_packing_lists_call_its_columns(header, columns):
    parsed = read(LINES, f"{header}\n1,1,1,1\n")
    assert (parsed.columns, parsed.missing_columns, parsed.ignored_columns) == (columns, (), ())


# --- the pages --------------------------------------------------------------------------------------------------------
@pytest.fixture
def made(account_a):
    with account_context(account_a):
        return make_replenishment((make_serialized_sku(code="SER", gtin="9521234543213", product_id="88302"), 5))


@pytest.fixture
def send(web, made, account_a):
    """Upload a file of a kind; the page that says what it would do, or what is wrong with it."""
    with account_context(account_a):
        line = line_of(made).pk
    here = f"/acme/replenishments/{made.pk}"
    addresses = {
        "skus": "/acme/inventory/skus/upload/",
        "lines": f"{here}/lines/csv/",
        "serials": f"{here}/serials/csv/",
        "line_serials": f"{here}/serials/csv/?line={line}",
        "attributes": "/acme/inventory/serials/attributes/csv/",
        "numbers": "/acme/inventory/serials/find/",
    }

    def post(kind, data):
        file = io.BytesIO(data if isinstance(data, bytes) else data.encode())
        file.name = "file.csv"
        return web.post(addresses[kind], {"file": file}, follow=True)

    return post


GOOD = {
    "skus": ("SKU,Name", "NEW,New"),
    "lines": ("SKU,Quantity", "SER,4"),
    "serials": ("SKU,Serial", "SER,X1"),
    "line_serials": ("Serial,SKU", "X1,SER"),
    "attributes": ("SKU,Serial,Attribute,Value", "SER,X1,Colour,red"),
    "numbers": ("SKU,Serial", "SER,X1"),
}


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind != "numbers"])
def test_the_page_tells_the_lines_above_the_header(send, kind):
    header, row = GOOD[kind]
    page = text_of(send(kind, f"Packing <b>list</b> PL-88\nSER,EARLY\n\n{header}\n{row}\n"))
    for words in ("2 lines above the header are not read", "Packing &lt;b&gt;list&lt;/b&gt; PL-88", "SER, EARLY"):
        assert words in page
    assert "above the header" not in text_of(send(kind, f"{header}\n{row}\n"))


@pytest.mark.parametrize("kind", [kind for kind in GOOD if kind != "attributes"])
def test_a_cell_longer_than_any_is_told_as_one(send, kind):
    header, row = GOOD[kind]
    long = f'"{"9" * 140_000}",{row.partition(",")[2]}'
    assert "A cell has more than 131,072 characters." in text_of(send(kind, f"{header}\n{row}\n{long}\n"))
    assert "A cell has more than 131,072 characters." in text_of(send(kind, f"{long}\n{row}\n"))


# fmt: off
ODD = [
    "", " ", '=""', '="" ', '= ""', '="\ufeff"', '=" "', '="0"', '="=1"', '=""""', '="a""b"', "=", '="', "'",
    "''", "'=",
    '\'=""', "\ufeff", "\u200b", "\u2800", "\xa0", "\u3000", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85",
    "\u2028", "\x7f", "^]", "]", "]C", "]C1", "]C1]C1", "]E0", "]d2\x1d", "(01)", "(21)", "()", "01", "21",
    "<GS>", "~", "|",
    "\\F",
    "(01)09521234543213(21)", "0109521234543213", "0109521234543213\x1d21", "https://", "https://x/01/", "http://[::1",
    "-", "--", "+", "..", "1..", "..1", " to ", "1 to ", "A1-", "-A1", "+5", "1+", "A1+0", f"{'9' * 300}-{'9' * 301}",
    ",", ";", ",;|", "a,", ",a", "/", " / ", "&", "and", "1.0", "1,0", "1e5", "1E+18", "#N/A", "N/A", "0", "00",
    "1/2/2027", "x" * 81, "x" * 101, "x" * 251, "x" * 10_001, "\U0001f600", "e\u0301", "İ", "ß", "٣", "\ud7ff",
    "\uffff", "\U0010ffff", "a\nb", "\n", "\r", "\r\n", "a\tb", "\t", '"', '""', "{}", "%s", "%(x)s", "\\N", "\\.",
    "NULL", "<b>",
]
# fmt: on


def quoted(cell):
    return '"' + cell.replace('"', '""') + '"'


@pytest.mark.parametrize("kind", WITH_SKU)
def test_no_odd_cell_breaks_an_upload(send, kind):
    """Each odd cell in each column, quoted as a writer would, and bare; and rows of nothing else."""
    schema, _rest = WITH_SKU[kind]
    dice = random.Random(kind)  # noqa: S311
    headers = [[column.name for column in schema.columns if not column.instead_of]]
    headers += [["From", "To", "SKU"]] if "From" in schema.header else []
    for names in headers:
        examples = [next(column.example for column in schema.columns if column.name == name) or "A1" for name in names]
        rows = [
            [odd if place == at else text for at, text in enumerate(examples)]
            for odd in ODD
            for place in range(len(names))
        ]
        rows += [[dice.choice(ODD) for _name in names] for _row in range(300)]
        answer = send(kind, "\n".join([",".join(names), *(",".join(map(quoted, row)) for row in rows)]))
        assert answer.status_code in {200, 422}
        bare = [",".join(row) for row in rows if not any(mark in "".join(row) for mark in "\r\n")]
        answer = send(kind, "\n".join([",".join(names), *bare]))
        assert answer.status_code in {200, 422}


@pytest.mark.parametrize("kind", WITH_SKU)
def test_no_odd_cell_breaks_a_file_of_one_row(send, kind):
    """Alone, none hides behind what is wrong with others."""
    schema, _rest = WITH_SKU[kind]
    names = [column.name for column in schema.columns if not column.instead_of]
    for odd in ODD[:30]:
        answer = send(kind, f"{','.join(names)}\n{','.join([quoted(odd)] * len(names))}\n")
        assert answer.status_code in {200, 422}, odd


@pytest.mark.parametrize("kind", ["attributes", "serials"])
def test_an_empty_text_is_an_empty_cell(send, kind):
    header, row = GOOD[kind]
    cells = row.split(",")
    page = text_of(send(kind, f"{header}\n{','.join([cells[0], chr(61) + chr(34) * 2, *cells[2:]])}\n{row}\n"))
    assert "This cell is empty, but Serial is needed." in page


@pytest.mark.parametrize("kind", ["lines", "serials", "attributes", "numbers"])
@pytest.mark.parametrize("name", ["9521234543213", "09521234543213", "88302", "]C10109521234543213", "ser"])
def test_any_name_of_a_sku_names_it_in_every_upload(send, kind, name):
    header, row = GOOD[kind]
    page = text_of(send(kind, f"{header}\n{row.replace('SER', name)}\n"))
    assert "no SKU of this name" not in page
    assert "not on the replenishment" not in page
