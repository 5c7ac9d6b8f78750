"""Ranges of serials as people type them, `A001-A050`, and lists of them in one line, `A1, B2; C3`. No database.

A serial may hold a dash or a comma itself, so a text is never taken for a range or a list without asking: `as_range`
and `split` say what a text would be, a person says whether it is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from oms import identity

_BETWEEN_ENDS = re.compile(r"[-\u2013\u2014]|\s+to\s+|\.\.+|:", re.IGNORECASE)
"""What stands between the two ends. Blanks around a dash, and the longer dashes of word processors, mean the same."""
_END = re.compile(r"(?P<prefix>(?:.*[^0-9])?)(?P<digits>[0-9]+)(?P<suffix>[^0-9]*)", re.DOTALL)
_BETWEEN_SERIALS = re.compile(r"[,;|]|\s+(?:/|&|\+|and)\s+", re.IGNORECASE)
_WORD = re.compile(r"(?=[^0-9]*[0-9])[^\W_][\w./\-]{3,}")
_DIGITS = "0123456789"
LONGEST = 250
"""A longer text is no range: it is no two serials either."""


@dataclass(frozen=True, slots=True)
class Range:
    """Two ends that differ in one number, as they were typed. `fault` is why it has no serials, empty where it has."""

    text: str
    prefix: str
    first: int
    last: int
    width: int
    suffix: str = ""
    fault: str = ""

    @property
    def count(self) -> int:
        """How many serials it means."""
        return 0 if self.fault else self.last - self.first + 1

    @property
    def ends(self) -> tuple[str, str]:
        """The first and the last serial."""
        return self._serial(self.first), self._serial(self.last)

    def serials(self) -> Iterator[str]:
        """Every serial in order."""
        return map(self._serial, range(self.first, self.last + 1))

    def _serial(self, number: int) -> str:
        return f"{self.prefix}{number:0{self.width}d}{self.suffix}"


def as_range(text: str) -> Range | None:
    """What a text means if it is a range; None where it cannot be one.

    Both ends have the same beginning, whatever its case, and as many digits at their end. Where only the digits are not
    as many, or the first end is after the last, it still looks like a range, and has a `fault`. Digits alone on both
    sides that differ in length are no range: that is how many serials with a dash look. With blanks around what stands
    between them less is needed: letters may follow the digits, and the second end may be digits that go on with the
    first, `FU12 - 15`. `100+5` is a first serial and how many come after it.
    """
    text = text.strip()
    if len(text) > LONGEST:
        return None
    for match in _BETWEEN_ENDS.finditer(text):
        left, right = text[: match.start()], text[match.end() :]
        is_spaced = left != left.rstrip() and right != right.lstrip()
        is_word = match[0].strip().lower() == "to"
        ends = _ends(left.rstrip(), right.lstrip(), is_spaced=is_spaced or is_word, sign=match[0].strip())
        if ends:
            return _made(text, *ends)
    return _counted(text)


def between(first: str, last: str) -> Range | None:
    """What two ends mean that stand for themselves, as in two cells; None where they are no ends of one range."""
    if max(len(first), len(last)) > LONGEST:
        return None
    ends = _ends(first, last, is_spaced=True, sign="")
    return _made(f"{first} to {last}", *ends) if ends else None


def _ends(left: str, right: str, *, is_spaced: bool, sign: str) -> tuple[str, str, str, str] | None:
    """Prefix, first digits, last digits and suffix of two ends that make a range; None for any others."""
    if not is_spaced:
        if not right.endswith(tuple(_DIGITS)):
            return None
        prefix, other = left.rstrip(_DIGITS), right.rstrip(_DIGITS)
        first, last = left[len(prefix) :], right[len(other) :]
        # A colon between digits alone is a time or an address, not a range.
        is_alike = first and last and _is_same(prefix, other) and (prefix or len(first) == len(last))
        return (prefix, first, last, "") if is_alike and (prefix or sign != ":") else None
    one, two = _END.fullmatch(left), _END.fullmatch(right)
    if not one or not two:
        return None
    first, last = one["digits"], two["digits"]
    if _is_same(one["prefix"], two["prefix"]) and _is_same(one["suffix"], two["suffix"]):
        return one["prefix"], first, last, one["suffix"]
    if two["prefix"] or two["suffix"] or one["suffix"]:
        return None
    return one["prefix"], first, first[: max(0, len(first) - len(last))] + last, ""


def _is_same(one: str, other: str) -> bool:
    return identity.key(one) == identity.key(other)


def _made(text: str, prefix: str, first: str, last: str, suffix: str) -> Range:
    fault = ""
    if len(first) != len(last) and (prefix or suffix):
        fault = _("%(range)s: write both ends with as many digits, such as %(example)s.")
        width = max(len(first), len(last))
        example = f"{prefix}{int(first):0{width}d}{suffix}-{prefix}{int(last):0{width}d}{suffix}"
        fault %= {"range": text, "example": example}
    elif int(first) > int(last):
        fault = _("%(range)s: the first serial comes after the last.") % {"range": text}
    return Range(text, prefix, int(first), int(last), len(first), suffix, fault)


def _counted(text: str) -> Range | None:
    left, sign, right = text.rpartition("+")
    left, right = left.rstrip(), right.lstrip()
    prefix = left.rstrip(_DIGITS)
    first = left[len(prefix) :]
    if not sign or not first or not re.fullmatch(r"[1-9][0-9]{0,5}", right):
        return None
    return Range(text, prefix, int(first), int(first) + int(right), len(first))


def split(text: str) -> list[str]:
    """The serials that a text would be, were what stands between them no part of them: one, where it is no list.

    Commas, semicolons and bars stand between serials, and blanks between words that each look like a serial.
    """
    parts = [part.strip() for part in _BETWEEN_SERIALS.split(text) if part.strip()]
    if len(parts) > 1:
        return parts
    words = text.split()
    if len(words) > 1 and all(map(_WORD.fullmatch, words)):
        return words
    return [text.strip()]
