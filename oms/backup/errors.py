"""What can go wrong with a backup. Every message is a sentence for the person at the terminal, saying what to do."""


class BackupFailed(Exception):
    """The backup was not made, or the restore did not happen; the message says why and what there is now."""


class NotABackup(BackupFailed):
    """The file is something else."""


class Damaged(BackupFailed):
    """The file was a backup, and is not what was written any more. Nothing of it is used."""


class TooNew(BackupFailed):
    """The backup is of a newer Lotline or PostgreSQL than this."""
