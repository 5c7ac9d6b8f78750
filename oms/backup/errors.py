"""What can go wrong with a backup. Every message is a sentence for the person at the terminal, saying what to do."""

import psycopg
from django.db import Error as DjangoError

from oms.database.faults import WORDS, Fault, fault_of

DATABASE_ERRORS = (psycopg.Error, DjangoError)
"""What the database raises, by psycopg itself and through Django."""


class BackupFailed(Exception):
    """The backup was not made, or the restore did not happen; the message says why and what there is now."""


class NotABackup(BackupFailed):
    """The file is something else."""


class Damaged(BackupFailed):
    """The file was a backup, and is not what was written any more. Nothing of it is used."""


class TooNew(BackupFailed):
    """The backup is of a newer Lotline or PostgreSQL than this."""


def in_words(error: Exception) -> str:
    """What is said of one of DATABASE_ERRORS: which fault it is, and the server's own words."""
    fault = fault_of(error)
    said = [str(WORDS[fault]) if fault else "PostgreSQL refused what it was asked for."]
    if fault in {Fault.AWAY, Fault.REFUSED}:
        said.append("Look at DATABASE_URL and DATABASE_OWNER_URL.")
    return " ".join([*said, f"It said: {str(error).strip()}"])
