"""How generated numbers look. No database, no clock: the day is an argument.

A number is a prefix, in which the day may stand, a counter of fixed width, and perhaps a check character. The counter
never starts again, so that no two numbers of a scheme are the same, whatever their days.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from django.db.models import TextChoices
from django.utils.translation import gettext as _, gettext_lazy

from serials.numbering import BadSerial, normalise
from serials.numbering.check_characters import ALPHANUMERIC, DIGITS, SEPARATORS, Check
from serials.numbering.rules import GS1_LONGEST

LONGEST_PREFIX = 40
LONGEST_NUMBER = 40
MOST_COUNTER = 10**18 - 1
"""The highest counter of all, for it is a bigint."""
WARN_BELOW = 100_000
"""A scheme with fewer numbers left runs out soon; a small one, when it has less than a tenth left."""
DATE_PARTS = {"YYYY": 4, "YY": 2, "MM": 2, "DD": 2, "WW": 2, "DDD": 3}
"""Date parts → their length. A year beside a week (WW) is that of the ISO week."""
_TAIL = 1_000
"""About so many endings are made once, and then put behind each beginning."""
_PREFIX = re.compile(r"(?:[0-9A-Z]|\{[A-Z]+\})(?:[0-9A-Z./-]|\{[A-Z]+\})*|")
_PART = re.compile(r"\{([A-Z]+)\}")


class Alphabet(TextChoices):
    """The symbols of the counter, in their order; what is stored are the symbols, so that no scheme ever changes."""

    DIGITS = DIGITS, gettext_lazy("Digits 0–9")
    ALPHANUMERIC = ALPHANUMERIC, gettext_lazy("Digits and letters A–Z")
    NO_LOOKALIKES = "3479ACDEFHJKMNPRTWXY", gettext_lazy("Without look-alikes: 3479ACDEFHJKMNPRTWXY")


class BadScheme(BadSerial):
    """No scheme can be like this. `field` names the part that is wrong, empty for all of it."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def check_prefix(prefix: str) -> None:
    """Raises BadScheme where no number can begin with it, whatever else the scheme says."""
    if len(prefix) > LONGEST_PREFIX or not _PREFIX.fullmatch(prefix):
        raise BadScheme(
            _("Use capital letters, digits, dots, slashes, dashes and date parts, a letter or digit first."), "prefix"
        )
    unknown = [part for part in _PART.findall(prefix) if part not in DATE_PARTS]
    if unknown:
        raise BadScheme(_("There is no date part {%(part)s}.") % {"part": unknown[0]}, "prefix")


@dataclass(frozen=True)
class Scheme:
    """A prefix with date parts in braces, a counter of `width` symbols, a check character over all of it."""

    prefix: str = "SN"
    width: int = 8
    alphabet: Alphabet = Alphabet.DIGITS
    check: Check = Check.NONE
    is_gs1_safe: bool = False

    def __post_init__(self) -> None:
        check_prefix(self.prefix)
        if self.width < 1 or len(self.alphabet) ** self.width - 1 > MOST_COUNTER:
            raise BadScheme(_("With these characters the counter has 1 to %(most)s.") % {"most": self._widest}, "width")
        if self.check is Check.LUHN and not self._is_numeric:
            raise BadScheme(
                _("Luhn is for digits. Choose digits and a prefix without letters, or MOD 37,36, which takes letters."),
                "check_kind",
            )
        self._check_length()

    def _check_length(self) -> None:
        length = len(self.places)
        if length > LONGEST_NUMBER:
            words = _("These numbers have %(count)s characters; %(most)s are possible.")
            raise BadScheme(words % {"count": length, "most": LONGEST_NUMBER}, "width")
        if self.is_gs1_safe and length > GS1_LONGEST:
            words = _("These numbers have %(count)s characters; a GS1 serial number, AI (21), has %(most)s at most.")
            raise BadScheme(words % {"count": length, "most": GS1_LONGEST}, "width")

    @property
    def _widest(self) -> int:
        return max(width for width in range(1, 19) if len(self.alphabet) ** width - 1 <= MOST_COUNTER)

    @property
    def _is_numeric(self) -> bool:
        plain = _PART.sub("", self.prefix)
        return self.alphabet is Alphabet.DIGITS and all(symbol in DIGITS + SEPARATORS for symbol in plain)

    @property
    def last(self) -> int:
        """The highest counter that fits."""
        return int(len(self.alphabet) ** self.width) - 1

    def left(self, following: int) -> int:
        """How many numbers are left, where `following` is the next counter."""
        return max(0, self.last + 1 - following)

    def is_low(self, following: int) -> bool:
        """Whether it runs out soon."""
        return self.left(following) < min(WARN_BELOW, max(1, self.last // 10))

    @property
    def places(self) -> tuple[frozenset[str], ...]:
        """What may stand at each place of a number."""
        places: list[frozenset[str]] = []
        for text in re.findall(r"\{[A-Z]+\}|.", self.prefix):
            part = _PART.fullmatch(text)
            places += [frozenset(DIGITS)] * DATE_PARTS[part[1]] if part else [frozenset(text)]
        places += [frozenset(self.alphabet)] * self.width
        return tuple(places + ([frozenset(self.check.symbols)] if self.check.symbols else []))

    def may_equal(self, other: "Scheme") -> bool:
        """Whether some number of the other scheme may be one of this; asks for no more than the places."""
        pairs = zip(self.places, other.places, strict=False)
        return len(self.places) == len(other.places) and all(mine & theirs for mine, theirs in pairs)

    def number(self, counter: int, on: date) -> str:
        """The number of one counter, made on that day. Raises BadSerial where the scheme is used up."""
        return next(self.numbers(counter, 1, on))

    def numbers(self, first: int, count: int, on: date) -> Iterator[str]:
        """The numbers of `count` counters from `first` on. Raises BadSerial where the scheme has not so many."""
        if first < 1 or first + count - 1 > self.last:
            raise BadSerial(_("The numbers of %(scheme)s are used up.") % {"scheme": self})
        size = len(self.alphabet)
        short = max(width for width in range(1, self.width + 1) if width == 1 or size**width <= _TAIL)
        start, span, counter, end = self.dated(on), size**short, first, first + count
        known = self.check.state(start, following=self.width)
        while counter < end:
            high, low = divmod(counter, span)
            middle = self._symbols(high, self.width - short)
            state = self.check.state(middle, following=short, before=known)
            stop = min(span, low + end - counter)
            head = start + middle
            yield from [head + tail for tail in _tails(self.alphabet, short, self.check, state)[low:stop]]
            counter += stop - low

    def counter_of(self, text: str) -> int | None:
        """The counter of a number of this scheme; None for any other text, a wrong check character included."""
        key = normalise(text)
        places = self.places
        if len(key) != len(places) or not all(symbol in place for symbol, place in zip(key, places, strict=True)):
            return None
        plain = key[:-1] if self.check.symbols else key
        if self.check.of(plain) != key[len(plain) :]:
            return None
        counter = 0
        for symbol in plain[len(plain) - self.width :]:
            counter = counter * len(self.alphabet) + self.alphabet.index(symbol)
        return counter or None

    def verify(self, text: str) -> bool:
        """Whether this text is a number of this scheme, with the right check character."""
        return self.counter_of(text) is not None

    def dated(self, on: date) -> str:
        """The prefix of that day."""
        week = on.isocalendar()
        year = week.year if "{WW}" in self.prefix else on.year
        parts = {"YYYY": f"{year:04}", "YY": f"{year % 100:02}", "MM": f"{on:%m}", "DD": f"{on:%d}"}
        parts |= {"WW": f"{week.week:02}", "DDD": f"{on:%j}"}
        return _PART.sub(lambda found: parts[found[1]], self.prefix)

    def _symbols(self, value: int, width: int) -> str:
        return _symbols(self.alphabet, value, width)

    def __str__(self) -> str:
        """The scheme as a pattern: the prefix, then a # for each symbol of the counter and a ✓ for the check."""
        return self.prefix + "#" * self.width + ("✓" if self.check.symbols else "")


def _symbols(alphabet: str, value: int, width: int) -> str:
    """A counter as text, filled with the first symbol."""
    found = []
    for _place in range(width):
        value, rest = divmod(value, len(alphabet))
        found.append(alphabet[rest])
    return "".join(reversed(found))


@lru_cache(maxsize=256)
def _tails(alphabet: str, width: int, check: Check, state: int) -> list[str]:
    """The last `width` symbols of all counters, each with the check character that follows from the state before."""
    plain = [_symbols(alphabet, value, width) for value in range(len(alphabet) ** width)]
    return [text + check.character(check.state(text, before=state)) for text in plain] if check.symbols else plain
