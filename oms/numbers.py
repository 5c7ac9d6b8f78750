"""Numbers that pages, forms and addresses say as text: ASCII digits, and nothing else that Python would take."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

MOST_DIGITS = 18
"""Any so long fits a bigint."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,100}(\.0*)?")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,100}(\.[0-9]{0,100})?|[+-]?\.[0-9]{1,100}")


def whole_number(text: str | None, *, most_digits: int = MOST_DIGITS) -> int | None:
    """The number, 0 or more, that plain digits say; None for anything else, and for more digits.

    Without a limit `int` refuses what has some thousands of digits, and PostgreSQL what is beyond its columns.
    """
    if text and len(text) <= most_digits and text.isascii() and text.isdigit():
        return int(text)
    return None


class WholeNumberField(forms.IntegerField):
    """A whole number in plain digits: neither `1_000` nor the digits of other scripts, which read like others."""

    def to_python(self, value: Any) -> int | None:
        """Raises ValidationError for what is written otherwise."""
        _refuse(self, value, _WHOLE)
        return super().to_python(value)


class AmountField(forms.DecimalField):
    """A number with decimals in plain digits."""

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]  # Django derives one from the other
        """Raises ValidationError for what is written otherwise."""
        _refuse(self, value, _DECIMAL)
        return super().to_python(value)


def _refuse(field: forms.Field, value: Any, pattern: re.Pattern[str]) -> None:
    if isinstance(value, str) and value.strip() and not pattern.fullmatch(value.strip()):
        raise ValidationError(field.error_messages["invalid"], code="invalid")
