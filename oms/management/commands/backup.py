"""`manage.py backup FILE`: the whole installation in one file."""

import sys
from argparse import ArgumentParser
from getpass import getpass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from oms.backup import database, making
from oms.backup.errors import BackupFailed
from oms.embedded import own_servers

PASSPHRASE_FILE = "--passphrase-file"  # noqa: S105  (the name of an option)
LOST_OK = "--lost-files-ok"


def passphrase_of(path: Path | None, *, twice: bool) -> str:
    """The first line of a file, or what a person types. Raises CommandError."""
    if path is not None:
        try:
            return path.read_text().partition("\n")[0]
        except UnicodeDecodeError as error:
            raise CommandError(f"{path} is no text: its first line is to be the passphrase.") from error
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
    if not sys.stdin.isatty():
        raise CommandError(f"Nobody is there to type the passphrase: give {PASSPHRASE_FILE}.")
    said = getpass("Passphrase for the keys: ")
    if twice and getpass("Once more: ") != said:
        raise CommandError("The two are not the same.")
    return said


class Command(BaseCommand):
    """While people work: what is saved is one moment. Starts the servers of `up` where they do not run."""

    help = "Saves the database and the private files to one file, which `restore` checks and restores."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to, and whether with the keys."""
        parser.add_argument("file", type=Path, help="must not be there yet; it appears when it is whole")
        parser.add_argument("--with-keys", action="store_true", help="seal the installation's keys in it, too")
        parser.add_argument(PASSPHRASE_FILE, type=Path, help="its first line seals the keys; else you are asked")
        parser.add_argument(LOST_OK, action="store_true", help="private files that are lost for good are no failure")

    def handle(
        self,
        *args: Any,
        file: Path,
        with_keys: bool,
        passphrase_file: Path | None,
        lost_files_ok: bool,
        **options: Any,
    ) -> None:
        """Make it; raises CommandError, with no file left, or with one that lacks what the disk has lost."""
        file = file.absolute()
        if not settings.IS_CONFIGURED:
            given = ["--with-keys"] if with_keys else []
            given += [f"{PASSPHRASE_FILE}={passphrase_file.absolute()}"] if passphrase_file else []
            given += [LOST_OK] if lost_files_ok else []
            sys.exit(own_servers.run(own_servers.of_this_copy(), "backup", [str(file), *given]))
        passphrase = passphrase_of(passphrase_file, twice=True) if with_keys else None
        try:
            made = making.make(file, passphrase=passphrase, say=self.stdout.write)
        except BackupFailed as error:
            raise CommandError(str(error)) from error
        except database.ERRORS as error:
            raise CommandError(f"{database.in_words(error)} No backup was kept.") from error
        self.stdout.write(f"{file}: {file.stat().st_size:,} bytes, the state of {made.taken_at}.")
        if not with_keys:
            self.stdout.write("The keys are not in it: keep SECRET_KEY and LOTLINE_SECRETS_KEYS in another place.")
        if made.lost and not lost_files_ok:
            raise CommandError(
                f"{len(made.lost):,} private files are not in it, because they are not in {settings.FILES_ROOT}; all "
                f"else is. Set LOTLINE_FILES as web has it and make another backup, or bring the files back. Where "
                f"they are lost for good, give {LOST_OK}."
            )
