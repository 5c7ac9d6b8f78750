"""What an error of the database, or of its disk, means: the one place that tells them apart, by SQLSTATE.

Whoever catches such an error asks `fault_of`; no other module names OperationalError. Pure: nothing is read or written.
"""

import errno
import re
from collections.abc import Iterator, Mapping
from enum import Enum

import psycopg
from django.db import Error as DjangoError, InterfaceError, OperationalError
from django.utils.translation import gettext_lazy as _
from psycopg import errors

from oms.errors import Text


class Fault(Enum):
    """What is wrong."""

    AWAY = "away"
    STARTING = "starting"
    CROWDED = "crowded"
    REFUSED = "refused"
    SLOW = "slow"
    LOCKED = "locked"
    FULL = "full"
    RESTORING = "restoring"


WORDS: Mapping[Fault | None, Text] = {
    Fault.AWAY: _("The database does not answer."),
    Fault.STARTING: _("The database is starting, or recovers what it wrote last."),
    Fault.CROWDED: _("The database has too much to do at this moment."),
    Fault.REFUSED: _("The database does not let Lotline in. Whoever runs Lotline must see to that."),
    Fault.SLOW: _("This took too long, so the database stopped it."),
    Fault.LOCKED: _("Somebody else is changing the same things at this moment."),
    Fault.FULL: _("The disk is full, so nothing can be saved. Whoever runs Lotline must free some space."),
    Fault.RESTORING: _("A backup is being restored. Lotline goes on when that is done."),
}
"""What a page says of it."""
# The longest prefix of a SQLSTATE that is listed decides. https://www.postgresql.org/docs/18/errcodes-appendix.html
BY_STATE = {
    "08": Fault.AWAY,
    "25P03": Fault.SLOW,  # idle in a transaction for too long
    "25P04": Fault.SLOW,  # a transaction that took too long
    "28": Fault.REFUSED,
    "40": Fault.LOCKED,  # deadlock, serialization
    "53": Fault.CROWDED,  # memory, connections
    "53100": Fault.FULL,
    "55P03": Fault.LOCKED,
    "57014": Fault.SLOW,
    "57P": Fault.AWAY,  # somebody ended the session or the server
    "57P03": Fault.STARTING,
    "LR001": Fault.RESTORING,  # our own: see oms.postgresql.base.BeingRestored
}
FULL_WORDS = re.compile("No space left on device|Disk quota exceeded|Check free disk space")
"""How PostgreSQL, Valkey and the system say in their logs that the disk is full."""
# libpq keeps the SQLSTATE of a refused login to itself, so the server's words must do. They are English for our own
# servers; where they are not, the fault is AWAY.
BY_WORDS = (
    (re.compile("database system is|recovery (?:mode|state)|not accepting connections"), Fault.STARTING),
    (re.compile("too many (?:clients|connections)|connection slots are reserved"), Fault.CROWDED),
    (re.compile("authentication failed|no password supplied|pg_hba.conf|is not permitted to log in"), Fault.REFUSED),
    (FULL_WORDS, Fault.FULL),
)
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
PASSING = frozenset(Fault) - {Fault.FULL, Fault.REFUSED}
"""What goes by itself: the same work is worth another try soon. A full disk and a wrong password wait for a person."""


def fault_of(error: BaseException | None) -> Fault | None:
    """What is wrong with the database or its disk; None where the error says something else, such as a fault of ours.

    Knows what psycopg and its pool raise, what Django makes of that, and the system's errors of a full disk.
    """
    for each in _causes(error):
        if isinstance(each, OSError):
            return Fault.FULL if each.errno in DISK_FULL else None
        if isinstance(each, psycopg.Error):
            return _of_psycopg(each)
    return Fault.AWAY if isinstance(error, OperationalError | InterfaceError) else None


def is_passing(error: BaseException | None) -> bool:
    """Whether the error says nothing about the work itself, only that the database could not do it just now."""
    return fault_of(error) in PASSING


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it was raised from: Django's errors stand before those of psycopg."""
    while error is not None:
        yield error
        error = error.__cause__ if isinstance(error, DjangoError) else None


def _of_psycopg(error: psycopg.Error) -> Fault | None:
    if error.sqlstate:
        return next((BY_STATE[error.sqlstate[:n]] for n in (5, 3, 2) if error.sqlstate[:n] in BY_STATE), None)
    if not isinstance(error, errors.OperationalError | errors.InterfaceError):
        return None
    return next((fault for words, fault in BY_WORDS if words.search(str(error))), Fault.AWAY)
