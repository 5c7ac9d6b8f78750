"""Numbers that pages and addresses say as text."""

MOST_DIGITS = 18
"""Any so long fits a bigint."""


def whole_number(text: str | None, *, most_digits: int = MOST_DIGITS) -> int | None:
    """The number, 0 or more, that plain digits say; None for anything else, and for more digits.

    Without a limit `int` refuses what has some thousands of digits, and PostgreSQL what is beyond its columns.
    """
    if text and len(text) <= most_digits and text.isascii() and text.isdigit():
        return int(text)
    return None
