"""From rows to the bytes of a file."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain

CONTENT_TYPE = "text/csv; charset=utf-8"
CHUNK = 64 * 1024
# What begins a formula: at the start of a cell, or behind what a spreadsheet of another country takes for a separator.
# Where that is the semicolon, quotation marks inside a cell are text, and a line break in them begins a row.
_BEHIND = r"""(^|[;\t|\r\n][" \t]*){0}('*[=+\-@＝＋－＠])"""
_DANGER = re.compile(_BEHIND.format(""))
_ESCAPED = re.compile(_BEHIND.format("'"))
# Some spreadsheets drop these at the start, and what is behind them is the start.
_DANGEROUS_START = re.compile(r"'*[\t\r\n]")
_NUMBER = re.compile(r"-\d+(\.\d+)?", re.ASCII)


def escape(text: str) -> str:
    """The text with an apostrophe where a spreadsheet would begin a formula (OWASP, "CSV injection").

    That is before = + - @ (full-width too) at the start and behind a separator or a line break, and before a tab or a
    line break at the start. Apostrophes before them count as part of them, which makes `unescape` exact. A plain
    negative number like -12.5 is no formula: it stays a number in the spreadsheet.
    """
    if _NUMBER.fullmatch(text):
        return text
    text = _DANGER.sub(r"\1'\2", text)
    return f"'{text}" if _DANGEROUS_START.match(text) else text


def unescape(text: str) -> str:
    """What was given to `escape`; any other text unchanged."""
    if "'" not in text:
        return text
    text = text[1:] if text[0] == "'" and _DANGEROUS_START.match(text) else text
    return _ESCAPED.sub(r"\1\2", text)


def _cell(value: object) -> object:
    """What the csv module is given: None is an empty cell, numbers stay, whatever becomes text is escaped."""
    if value is None or isinstance(value, int | float | Decimal):
        return value
    return escape(value if isinstance(value, str) else str(value))


def write(
    rows: Iterable[Sequence[object]], header: Sequence[str], *, has_bom: bool = True, delimiter: str = ","
) -> Iterator[bytes]:
    """The file in pieces of about CHUNK bytes: RFC 4180 in UTF-8, formulas escaped.

    Memory does not grow with the rows, so `rows` may be a server-side cursor. The BOM makes Excel read it as UTF-8.
    """
    buffer = io.StringIO(newline="")
    buffer.write("\ufeff" if has_bom else "")
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n")
    for row in chain([header], rows):
        writer.writerow([_cell(value) for value in row])
        if buffer.tell() >= CHUNK:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    if buffer.tell():
        yield buffer.getvalue().encode()
