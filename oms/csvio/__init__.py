"""The only reader and writer of CSV files.

A file's columns are declared once, as a `Schema` of `Column`s; the template, the help on the page, the parser and every
error message come from that declaration:

    SCHEMA = Schema([Column("SKU", is_required=True, example="L2201308"), Column("Name")], key=("SKU",))
    parsed = SCHEMA.read(upload)            # raises FileRefused for a file that cannot be read at all
    parsed.rows, parsed.errors              # every good row, and every bad one with its line, column and reason
    yield from write(rows, header)          # the other way, in constant memory

What spreadsheets would run as a formula is written with an apostrophe before it, and read back without it (`escape`).
"""

from oms.csvio import words
from oms.csvio.cleaning import checked, one_of, whole_number
from oms.csvio.columns import ERROR_HEADER, Column, Parsed, Row, RowError, error_rows
from oms.csvio.days import Order, TwoDays, day_in, parse_day
from oms.csvio.failed import failed_file, line_count
from oms.csvio.reading import FileRefused
from oms.csvio.schema import Schema, is_needed
from oms.csvio.writing import CONTENT_TYPE, escape, unescape, write

__all__ = [
    "CONTENT_TYPE",
    "ERROR_HEADER",
    "Column",
    "FileRefused",
    "Order",
    "Parsed",
    "Row",
    "RowError",
    "Schema",
    "TwoDays",
    "checked",
    "day_in",
    "error_rows",
    "escape",
    "failed_file",
    "is_needed",
    "line_count",
    "one_of",
    "parse_day",
    "unescape",
    "whole_number",
    "words",
    "write",
]
