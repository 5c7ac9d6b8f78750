"""Ranges of serials as people type them, `A001-A050`, and lists of them in one line, `A1, B2; C3`. No database.

A serial may hold a dash or a comma itself, so a text is never taken for a range or a list without asking: `find_ranges`
and `find_lists` say what looks like one, a person says whether it is.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from oms import identity
from oms.errors import DomainError

_DASH = re.compile(r"[-\u2013\u2014]")
"""Blanks around the dash, and the longer dashes that word processors put in its place, mean the same."""
_BETWEEN = re.compile(r"[,;]")
_DIGITS = "0123456789"
LONGEST = 250
"""A longer text is no range: it is no two serials either."""


class BadRange(DomainError):
    """This range cannot be what is meant; the message names it."""


@dataclass(frozen=True)
class Range:
    """Two ends with the same beginning, as they were typed. `fault` is why it has no numbers, empty where it has."""

    text: str
    prefix: str
    first: int
    last: int
    width: int
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
        return f"{self.prefix}{number:0{self.width}d}"


def as_range(text: str) -> Range | None:
    """What a text means if it is a range; None where it cannot be one.

    Both ends have the same beginning, whatever its case, and as many digits at their end. Where only the digits are not
    as many, or the first end is after the last, it still looks like a range, and has a `fault`. Digits alone on both
    sides that differ in length are no range: that is how many serials with a dash look.
    """
    text = text.strip()
    if len(text) > LONGEST or not text.endswith(tuple(_DIGITS)):
        return None
    for place in (match.start() for match in _DASH.finditer(text)):
        left, right = text[:place].rstrip(), text[place + 1 :].lstrip()
        prefix, other = left.rstrip(_DIGITS), right.rstrip(_DIGITS)
        first, last = left[len(prefix) :], right[len(other) :]
        is_alike = first and last and identity.key(prefix) == identity.key(other)
        if is_alike and (prefix or len(first) == len(last)):
            return _made(text, prefix, first, last)
    return None


def _made(text: str, prefix: str, first: str, last: str) -> Range:
    fault = ""
    if len(first) != len(last):
        fault = _("%(range)s: write both ends with as many digits, such as %(example)s.")
        width = max(len(first), len(last))
        example = f"{prefix}{int(first):0{width}d}-{prefix}{int(last):0{width}d}"
        fault %= {"range": text, "example": example}
    elif int(first) > int(last):
        fault = _("%(range)s: the first serial comes after the last.") % {"range": text}
    return Range(text, prefix, int(first), int(last), len(first), fault)


def find_ranges(texts: Iterable[str]) -> list[Range]:
    """All that look like ranges, in order."""
    return [found for text in texts if (found := as_range(text))]


def split(text: str) -> list[str]:
    """The serials that a text has between its commas and semicolons."""
    return [part.strip() for part in _BETWEEN.split(text) if part.strip()]


def find_lists(texts: Iterable[str]) -> list[str]:
    """All that would be several serials, were a comma or a semicolon not part of them, in order."""
    return [text for text in texts if len(split(text)) > 1]


def split_all(texts: Iterable[str]) -> list[str]:
    """The serials of all these texts, where those that look like lists are lists."""
    return [serial for text in texts for serial in (split(text) if len(split(text)) > 1 else (text,))]


def fingerprint(texts: Iterable[str]) -> str:
    """What tells these texts from others: a person's answer is about what they were shown."""
    return hashlib.sha256("\n".join(texts).encode("utf-8", "replace")).hexdigest()[:32]


def expand(texts: Sequence[str], *, most: int) -> list[str]:
    """The serials that these texts mean, ranges written out.

    Raises BadRange for one that has a fault, or where there would be more than `most` serials in all: then none is
    written out.
    """
    found = [(text, as_range(text)) for text in texts]
    for _text, each in found:
        if each and each.fault:
            raise BadRange(each.fault)
    total = sum(each.count if each else 1 for _text, each in found)
    if total > most:
        text = _("With its ranges this is %(total)s serials, but %(most)s fit.")
        raise BadRange(text % {"total": f"{total:,}", "most": f"{most:,}"})
    return [serial for text, each in found for serial in (each.serials() if each else (text,))]
