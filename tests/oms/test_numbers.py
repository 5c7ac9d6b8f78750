"""Numbers that are said as text."""

import pytest

from oms.numbers import whole_number


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
