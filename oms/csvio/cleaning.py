"""Functions for `Column.clean`: each makes a value from a cell's text, or raises what the person is told."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from oms.errors import DomainError

_FILLER = re.compile(r"[\s_\-\ufeff./#:()]+")
_TWO_NUMBERS = re.compile(r"([1-9]\d{0,2})(?:\.|,(?=000))(\d{3})", re.ASCII)
_WHOLE = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"([+-]?\d{1,16})(?:[.,]0{1,2})?",
        r"([1-9]\d{0,2}(?:,\d{3}){1,4})(?:\.0+)?",
        r"([1-9]\d{0,2}(?:\.\d{3}){1,4})(?:,0+)?",
    )
)


def plain(word: str) -> str:
    """A header or choice without what people vary: case, spaces, dashes, underscores, points and other signs."""
    return _FILLER.sub("", word).casefold()


def checked(*validators: Callable[[str], None]) -> Callable[[str], str]:
    """Keeps the text and runs Django validators on it, those of a model's field for instance."""

    def clean(text: str) -> str:
        for validate in validators:
            validate(text)
        return text

    return clean


def one_of(choices: Mapping[str, Any]) -> Callable[[str], Any]:
    """The value of one of these words, whatever their case, spaces, dashes and underscores."""
    values = {plain(word): value for word, value in choices.items()}

    def clean(text: str) -> Any:
        if plain(text) not in values:
            raise DomainError(_("Use one of: %(choices)s.") % {"choices": ", ".join(choices)})
        return values[plain(text)]

    return clean


def whole_number(lowest: int = 0, highest: int = 2**53) -> Callable[[str], int]:
    """A whole number in plain digits, within these bounds."""

    def clean(text: str) -> int:
        number = _digits(text)
        if number is None or not lowest <= number <= highest:
            raise DomainError(
                _("Use a whole number from %(lowest)s to %(highest)s, digits only.")
                % {"lowest": lowest, "highest": highest}
            )
        return number

    return clean


def _digits(text: str) -> int | None:
    """The whole number, also as spreadsheets write it: 40.0, 1,200 and 1,200.00; None for what is none.

    Raises DomainError where the only mark stands before three digits and may part thousands or begin decimals: any
    point, and a comma before zeros. 1,200 is what a spreadsheet makes of 1200; 1.2 would be no whole number.
    """
    if two := _TWO_NUMBERS.fullmatch(text):
        rest = two[2].rstrip("0")
        raise DomainError(
            _("This is %(many)s for some and %(few)s for others. Use digits only.")
            % {"many": two[1] + two[2], "few": f"{two[1]}.{rest}" if rest else two[1]}
        )
    found = next((found for pattern in _WHOLE if (found := pattern.fullmatch(text))), None)
    return int(re.sub("[.,]", "", found[1])) if found else None
