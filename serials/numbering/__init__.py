"""Serial numbers as people and machines write them. No database, no clock."""

from django.utils.translation import gettext as _

from oms import identity

LONGEST = 100
"""The most characters of a serial number."""


class BadSerial(identity.BadText):
    """This text cannot be a serial number; the message says why."""


def normalise(serial: str) -> str:
    """The form in which two serials are the same; inner spaces and dashes stay."""
    return identity.key(serial)


def check(serial: str) -> str:
    """The normalised serial. Raises BadSerial for an empty or too long one and for what cannot be seen."""
    key = normalise(serial)
    if not key:
        raise BadSerial(_("A serial number cannot be empty."))
    if len(key) > LONGEST or len(serial) > LONGEST:
        words = _("A serial number has %(most)s characters at most; this one has %(count)s.")
        raise BadSerial(words % {"most": LONGEST, "count": max(len(key), len(serial))})
    if words := identity.refusal(serial):
        raise BadSerial(words)
    return key
