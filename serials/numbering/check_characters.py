"""Check characters: ISO/IEC 7064 MOD 37,36 and Luhn (ISO/IEC 7812-1, annex B). No database, no clock.

Separators (dots, slashes, dashes) are no part of the calculation, as in the GRid and ISAN numbers that use MOD 37,36.
Each system is a state that goes from left to right, so numbers that begin alike share the work of their beginning.
"""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

DIGITS = "0123456789"
ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SEPARATORS = "./-"
_VALUES = {symbol: value for value, symbol in enumerate(ALPHANUMERIC)}
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # twice a digit, its own digits added


class Check(TextChoices):
    """The systems, by how they are stored."""

    NONE = "none", _("None")
    MOD37_36 = "mod37_36", _("ISO/IEC 7064 MOD 37,36")
    LUHN = "luhn", _("Luhn")

    @property
    def symbols(self) -> str:
        """What the check character may be; empty where there is none."""
        return {Check.NONE: "", Check.MOD37_36: ALPHANUMERIC, Check.LUHN: DIGITS}[self]

    def state(self, text: str, *, following: int = 0, before: int | None = None) -> int:
        """The state after `text`, which comes after the state `before`, with `following` symbols still to come.

        Luhn doubles every second digit counted from the right, so it must know how many follow.
        """
        plain = [_VALUES[symbol] for symbol in text if symbol not in SEPARATORS]
        if self is Check.MOD37_36:
            product = 36 if before is None else before
            for value in plain:
                product = ((product + value) % 36 or 36) * 2 % 37
            return product
        if self is Check.LUHN:
            places = range(following + len(plain) - 1, following - 1, -1)
            pairs = zip(plain, places, strict=True)
            return ((before or 0) + sum(digit if place % 2 else _DOUBLED[digit] for digit, place in pairs)) % 10
        return 0

    def character(self, state: int) -> str:
        """The check character after a whole number that left this state; empty where there is none."""
        if self is Check.MOD37_36:
            return ALPHANUMERIC[(37 - state) % 36]
        return DIGITS[-state % 10] if self is Check.LUHN else ""

    def of(self, text: str) -> str:
        """The check character of a whole number."""
        return self.character(self.state(text))
