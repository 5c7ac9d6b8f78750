"""Serial numbers as people and machines write them. No database, no clock."""

import unicodedata

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
