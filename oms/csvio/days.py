"""Days as people and spreadsheets write them."""

import re
from collections.abc import Callable
from datetime import date
from typing import Literal

from django.utils.translation import gettext as _

from oms.errors import DomainError

Order = Literal["day", "month"]
"""Which comes first where a day is written as two numbers before the year."""
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# 00:00:00 as systems write it, 0:00 and 12:00:00 AM as Excel does; newer ones put a narrow space before AM.
_MIDNIGHT = re.compile(
    r"(?:T|,? )(?:00?:00(?::00(?:\.0+)?)?(?:[ \u00a0\u202f]?AM)?|12:00(?::00(?:\.0+)?)?[ \u00a0\u202f]?AM)"
    r"(?:Z|[+-]00:?00| UTC)?$",
    re.ASCII | re.IGNORECASE,
)
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
_NAMED = re.compile(r"(\d{1,2})[-. /]*([A-Za-z]{3,9})[-., /]*(\d{4}|\d{2})", re.ASCII)
_MONTH_NAMED_FIRST = re.compile(r"([A-Za-z]{3,9})[-. ]*(\d{1,2})[-., ]+(\d{4}|\d{2})", re.ASCII)


class TwoDays(DomainError):
    """A text that is one day for some and another for others, such as 1/2/2027."""


def parse_day(text: str, order: Order | None = None) -> date:
    """The one day that a text can mean.

    Taken are yyyy-mm-dd, a month's (English) name, dots with the day first, two numbers of which one is above 12, and
    a time of 00:00 after any of them. Two digits of a year are of this century.

    Args:
        text: of a cell or field, trimmed.
        order: what comes first in 1/2/2027, where somebody has said so.

    Raises TwoDays where nobody has, DomainError where it is no day.
    """
    text = _MIDNIGHT.sub("", text)
    year, month, day = _parts(text, order)
    try:
        return date(year, month, day)
    except ValueError as error:
        raise DomainError(_("There is no such day.")) from error


def day_in(order: Order | None) -> Callable[[str], date]:
    """`parse_day` for a column of a file, where somebody has said what comes first or nobody has."""
    return lambda text: parse_day(text, order)


def _parts(text: str, order: Order | None) -> tuple[int, int, int]:
    if found := _YEAR_FIRST.fullmatch(text):
        return int(found[1]), int(found[2]), int(found[3])
    if (found := _NAMED.fullmatch(text)) and (month := _month(found[2])):
        return _year(found[3]), month, int(found[1])
    if (found := _MONTH_NAMED_FIRST.fullmatch(text)) and (month := _month(found[1])):
        return _year(found[3]), month, int(found[2])
    if found := _YEAR_LAST.fullmatch(text):
        first, second, year = int(found[1]), int(found[3]), _year(found[4])
        return (year, second, first) if _is_day_first(first, found[2], second, order) else (year, first, second)
    if re.fullmatch(r"\d{5}(\.0+)?", text, re.ASCII):
        raise DomainError(_("This is the number that a spreadsheet keeps for a date. Format the column as a date."))
    raise DomainError(_("Use the form yyyy-mm-dd."))


def _is_day_first(first: int, mark: str, second: int, order: Order | None) -> bool:
    if mark == "." or first > 12 or first == second:
        return True
    if second > 12:
        return False
    if order is None:
        raise TwoDays(_("This may be two days: say whether the day or the month comes first, or use yyyy-mm-dd."))
    return order == "day"


def _month(name: str) -> int:
    """1 to 12, or 0 where it is no month's name."""
    short, full = name[:3].lower(), name.lower()
    is_name = short in MONTHS and (
        len(name) == 3 or date(2000, MONTHS.index(short) + 1, 1).strftime("%B").lower() == full
    )
    return MONTHS.index(short) + 1 if is_name or full == "sept" else 0


def _year(text: str) -> int:
    return int(text) + (2000 if len(text) == 2 else 0)
