"""Serial numbers as people and machines write them. No database, no clock."""

import re
import unicodedata
from dataclasses import dataclass

from django.utils.translation import gettext as _

LONGEST = 100
"""The most characters of a serial number."""


class BadSerial(ValueError):
    """This text cannot be a serial number; the message says why."""


def normalise(serial: str) -> str:
    """The form in which two serials are the same: Unicode NFKC, trimmed, upper case; inner spaces and dashes stay."""
    plain = serial if serial.isascii() else unicodedata.normalize("NFKC", serial)  # ASCII is normal as it is
    return plain.strip().upper()


def check(serial: str) -> str:
    """The normalised serial. Raises BadSerial for an empty, too long or unprintable one."""
    key = normalise(serial)
    if not key:
        raise BadSerial(_("A serial number cannot be empty."))
    if len(key) > LONGEST or len(serial) > LONGEST:
        words = _("A serial number has %(most)s characters at most; this one has %(count)s.")
        raise BadSerial(words % {"most": LONGEST, "count": max(len(key), len(serial))})
    if not key.isprintable():
        raise BadSerial(_("A serial number cannot hold line breaks, tabs or invisible characters."))
    return key


@dataclass(frozen=True)
class Scheme:
    """How generated numbers look: a prefix, then a counter filled with zeros to `width` digits."""

    prefix: str
    width: int

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9A-Z][0-9A-Z./-]*|", self.prefix) or not 1 <= self.width <= 18:
            raise BadSerial(
                _("A scheme has a prefix of capital letters, digits, dots, slashes or dashes, and 1 to 18 digits.")
            )

    @property
    def last(self) -> int:
        """The highest counter that fits."""
        return int("9" * self.width)

    def number(self, counter: int) -> str:
        """The number of one counter. Raises BadSerial where the scheme is used up."""
        if counter > self.last:
            raise BadSerial(_("The numbers of %(scheme)s are used up.") % {"scheme": self.prefix + "0" * self.width})
        return f"{self.prefix}{counter:0{self.width}d}"
