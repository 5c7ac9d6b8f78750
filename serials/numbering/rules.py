"""What a SKU asks of numbers that come from outside: length, characters, a regular expression. No database, no clock.

Expressions are RE2's, which never goes back to try again: the time is bounded by the length of the number and the size
of the expression, and so is the memory. A time limit around a search that does go back stops the search, but neither
the compiling nor the memory that some expressions of forty characters take.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2
from django.db.models import TextChoices
from django.utils.translation import gettext as _, gettext_lazy

from serials.numbering import LONGEST, BadSerial, check
from serials.numbering.check_characters import ALPHANUMERIC, DIGITS

LONGEST_PATTERN = 200
GS1_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
"""What the value of AI (21) may hold: GS1 General Specifications, figure 7.11-1, character set 82."""
GS1_LONGEST = 20
"""The most characters of the value of AI (21)."""
_MEMORY = 1 << 20


class Characters(TextChoices):
    """Which characters a number may have."""

    ANY = "any", gettext_lazy("Any")
    DIGITS = "digits", gettext_lazy("Digits")
    ALPHANUMERIC = "alphanumeric", gettext_lazy("Letters A–Z and digits")
    GS1 = "gs1", gettext_lazy("GS1 (letters A–Z, digits and ! \" % & ' ( ) * + , - . / : ; < = > ? _)")


_ALLOWED = {
    Characters.DIGITS: frozenset(DIGITS),
    Characters.ALPHANUMERIC: frozenset(ALPHANUMERIC),
    Characters.GS1: frozenset(GS1_82),
}


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.case_sensitive, options.log_errors, options.max_mem = False, False, _MEMORY
    return re2.compile(pattern, options=options)


class BadRule(BadSerial):
    """No rule can be like this. `field` names the part that is wrong."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Rule:
    """The rule of one SKU. The default accepts everything that can be a serial number.

    `pattern` must fit the whole number, as Lotline compares it: upper case, without spaces around it.
    """

    min_length: int = 1
    max_length: int = LONGEST
    characters: Characters = Characters.ANY
    pattern: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.min_length <= self.max_length <= LONGEST:
            words = _("The length goes from 1 to %(most)s characters, the shortest first.")
            raise BadRule(words % {"most": LONGEST}, "max_length")
        if len(self.pattern) > LONGEST_PATTERN:
            words = _("The expression has %(most)s characters at most.")
            raise BadRule(words % {"most": LONGEST_PATTERN}, "pattern")
        try:
            _compiled(self.pattern)
        except re2.error as error:
            raise BadRule(
                _("This expression cannot be used: %(why)s. Look-around and back-references are not possible.")
                % {"why": _reason(error)},
                "pattern",
            ) from error

    def check(self, serial: str) -> str:
        """The normalised serial. Raises BadSerial where it cannot be one, or breaks the rule."""
        key = check(serial)
        if fault := self.fault(key):
            raise BadSerial(fault)
        return key

    def fault(self, key: str) -> str:
        """Why this normalised serial breaks the rule, in a sentence; empty where it does not."""
        if not self.min_length <= len(key) <= self.max_length:
            return self._length_words(len(key))
        allowed = _ALLOWED.get(self.characters)
        if allowed is not None and (strange := [symbol for symbol in key if symbol not in allowed]):
            words = _("This SKU's numbers cannot have “%(symbol)s”: %(allowed)s only.")
            return words % {"symbol": strange[0], "allowed": self.characters.label}
        if self.pattern and _compiled(self.pattern).fullmatch(key) is None:
            return _("This SKU's numbers look different: they fit the expression %(pattern)s.") % {
                "pattern": self.pattern
            }
        return ""

    def _length_words(self, count: int) -> str:
        words = {"least": self.min_length, "most": self.max_length, "count": count}
        if self.min_length == self.max_length:
            return _("This SKU's numbers have %(most)s characters; this one has %(count)s.") % words
        return _("This SKU's numbers have %(least)s to %(most)s characters; this one has %(count)s.") % words

    def __str__(self) -> str:
        """The rule in a few words; empty where it accepts everything."""
        parts = []
        if (self.min_length, self.max_length) != (1, LONGEST):
            span = {"least": self.min_length, "most": self.max_length}
            same = self.min_length == self.max_length
            parts.append((_("%(most)s characters") if same else _("%(least)s to %(most)s characters")) % span)
        if self.characters != Characters.ANY:
            parts.append(str(self.characters.label))
        if self.pattern:
            parts.append(self.pattern)
        return " · ".join(parts)


ANYTHING = Rule()


def _reason(error: Exception) -> str:
    """What RE2 says of an expression, as text; it says it in bytes."""
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return re.sub(r"[^\x20-\x7e]", "?", text)[:120]
