"""Values that nobody means well: for every field, every parameter and every file."""

MARK = "xq7mark"
"""Stands in markup; where it is found in a page as an element, something was not escaped."""
VALUES = (
    *("", " ", "\0", "a\0b", "\t", "\r\nSet-Cookie: a=b", "\x1d", "\x7f", "a" * 300, "a" * 10_000, "🦄" * 60, "ab\ncd"),
    *(
        f'"\'><{MARK} a="',
        f"<script>{MARK}</script>",
        "{{ 7|add:7 }}",
        "{% load x %}",
        "%s %(x)s %",
        "${7*7}",
        "\\",
        "\\'",
    ),
    *("'", '"', "%", "_", "*", "?", "a%b_c", "--", "';DROP TABLE oms_sku;--", "1 OR 1=1", "../../etc/passwd", "//evil"),
    *("-1", "0", "1", "2", "00", "+1", "1.5", "1e9", "1e309", "NaN", "Infinity", "-0", "1_000", "1,000", "٣", "１"),
    *("2147483648", "9223372036854775808", "9" * 40, "9" * 5000, "0x1F", "None", "null", "true", "on", "[]", "{}"),
    *("2026-02-30", "0000-00-00", "0001-01-01", "9999-12-31", "10000-01-01", "2026-13-45", "2027-01-31", "31.01.2027"),
    *(
        "2026-01-31..2026-01-01",
        "now",
        "\u202eabc",
        "\u200b",
        "SN1\u034f",
        "\u2800",
        "\ufeff",
        "İ1",
        "ﬀ",
        "ß",
        "K",
        "﷐",
    ),
    *("=1+1", "x;=1+1", "@a", "+49", "8.93901E+18", "#N/A", "TBD", "N/A", "10023.0", "A001-A005", "a,b;c\td", "1" * 19),
    *(
        "01095212345432131726123110LOT7\x1d21ACME",
        "(01)09521234543213(21)X",
        "https://id.gs1.org/01/09521234543213/21/X",
    ),
    *("sku", "-sku", "sku,serial", "-", "--sku", "id", "pk", "__proto__", "password", "select", "a=b&c=d", "#", "csv"),
)
NAMES = (
    "sort",
    "page",
    "per_page",
    "after",
    "before",
    "format",
    "columns",
    "view",
    "q",
    "nobody",
    "all",
    "filter",
    "pk",
)
"""Parameters that any address may be asked with."""


def _file(header: str, row: str) -> bytes:
    """A CSV file with a row for each of VALUES in place of {}."""
    quoted = (value.replace('"', '""') for value in VALUES)
    return "\n".join([header, *(row.format(f'"{value}"') for value in quoted)]).encode("utf-8", "replace")


FILES = (
    *(b"", b"\0\1\2", b"PK\x03\x04zip", b"%PDF-1.4", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, b"GIF89a" + b"\xff" * 32),
    *(
        b"<html>",
        b"\xff\xfeS\0K\0U\0",
        b"\xff\xff\xff",
        b"SKU,Serial\n",
        b"SKU\n" + b"a," * 5_000,
        b'SKU,Serial\n"a,b\n',
    ),
    b"\xef\xbb\xbfSKU;Serial;Attribute;Value\r\n",
    _file("SKU,Serial", "L2201308,{}"),
    _file("SKU,Serial", "{},SN00000001"),
    _file("SKU,Serial,Attribute,Value", "L2201308,SN00000001,{0},{0}"),
    _file("SKU,Quantity,Lot,Expiry,Lot quantity,Unit cost", "L2201308,4,{0},{0},{0},{0}"),
    _file("SKU,Quantity", "L2201308,{}"),
    _file("SKU,Name,GTIN,Serial", "{0},{0},,No"),
    _file("Serial", "{}"),
    b'SKU,Serial\nL2201308,"' + b"9" * 140_000 + b'"\n',
)
"""What is uploaded: no CSV at all, half of one, and one whose cells are the VALUES."""
