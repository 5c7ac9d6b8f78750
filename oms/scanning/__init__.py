"""From the text of a scan, a line or a cell to what it says. No database, no clock.

    parse(text)     what a text is where a serial is asked: Taken, Asked (somebody has to say what it is) or Refused
    readings(text)  all that a text may name, for searches, which ask nothing; serials(text) where it is a unit
    Inquiry         the texts of a page or a file with the questions that they raise, and the answers to them

What needs the database, such as the SKU that a GTIN names, is looked up in `oms.queries.scans`.
"""

from oms.scanning.asking import Entry, Given, Inquiry, Judge, Question, answers_of, looks_like, question, refused_words
from oms.scanning.ranges import Range
from oms.scanning.reading import (
    LEAVE,
    PROPOSED,
    TAKE,
    Asked,
    Option,
    Refused,
    Taken,
    Verdict,
    entries,
    gtin_of,
    lines,
    of_ends,
    parse,
    plain,
    readings,
    scans,
    serials,
)

__all__ = [
    "LEAVE",
    "PROPOSED",
    "TAKE",
    "Asked",
    "Entry",
    "Given",
    "Inquiry",
    "Judge",
    "Option",
    "Question",
    "Range",
    "Refused",
    "Taken",
    "Verdict",
    "answers_of",
    "entries",
    "gtin_of",
    "lines",
    "looks_like",
    "of_ends",
    "parse",
    "plain",
    "question",
    "readings",
    "refused_words",
    "scans",
    "serials",
]
