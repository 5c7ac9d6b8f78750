"""Numbers that are said as text."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from oms.numbers import AmountField, WholeNumberField, whole_number


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("9" * 5_000, None)]
)
def test_digits_are_a_number_unless_there_are_too_many(text, number):
    assert whole_number(text) == number


@pytest.mark.parametrize("text", [None, "", "-1", "1.0", "1 ", "1_0", "0x1", "٣", "²"])
def test_anything_else_is_none(text):
    assert whole_number(text) is None


def test_fewer_digits_are_asked_for():
    assert (whole_number("9999", most_digits=4), whole_number("10000", most_digits=4)) == (9999, None)


@pytest.mark.parametrize("text", ["1_000", "١٢", "１２", "²", "1e3", "0x10", "Ⅷ", "1 000"])
def test_a_form_takes_plain_digits_only(text):
    for field in (WholeNumberField(), AmountField()):
        with pytest.raises(ValidationError):
            field.clean(text)


def test_a_form_takes_plain_numbers():
    assert [WholeNumberField().clean(text) for text in ("12", " 7 ", "-3", "5.0")] == [12, 7, -3, 5]
    amounts = ("12.50", ".5", "-0.1")
    assert [AmountField().clean(text) for text in amounts] == [Decimal(text) for text in amounts]
