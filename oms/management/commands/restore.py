"""`manage.py restore FILE`: an installation as it was when the backup was made, in an empty database."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from oms.backup import counting, database, making, restoring
from oms.backup.errors import BackupFailed, Damaged, NotABackup
from oms.embedded import own_servers
from oms.management.commands.backup import PASSPHRASE_FILE, passphrase_of

MOST_JUMP = 10**9


class Command(BaseCommand):
    """Looks at every byte first, and changes nothing where anything is wrong. Never drops or overwrites."""

    help = "Restores a backup into an empty database; --check only looks at it."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which file, and the answers to what would be asked."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--check", action="store_true", help="look at all of it, and change nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask: move the counters on as it is shown")
        parser.add_argument("--jump", type=int, metavar="N", help="move every counter on by N instead; do not ask")
        parser.add_argument("--keys-to", type=Path, metavar="FILE", help="write the keys that are sealed in it there")
        parser.add_argument(PASSPHRASE_FILE, type=Path, help="its first line opens the keys; else you are asked")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        """Restore; raises CommandError with what there is now."""
        _look_at(options)
        file = file.absolute()
        try:
            with restoring.opened(file) as backup:
                self._use(backup, **options)
        except NotABackup as error:
            raise CommandError(f"{file} is not a backup of Lotline. {error} Nothing was changed.") from error
        except Damaged as error:
            raise CommandError(f"{file} is damaged, so nothing of it is used. {error}") from error
        except BackupFailed as error:
            raise CommandError(str(error)) from error
        except database.ERRORS as error:
            raise CommandError(
                f"{database.in_words(error)} When that is mended, run it again: it says what else is to be done."
            ) from error
        if not options["check"] and not settings.IS_CONFIGURED:
            sys.exit(own_servers.run(own_servers.of_this_copy(), "restore", [str(file), *_again(options)]))

    def _use(self, backup: restoring.Backup, **options: Any) -> None:
        if settings.IS_CONFIGURED or options["check"]:
            self._describe(backup)
        if options["keys_to"]:
            self._write_keys(backup, options["keys_to"], options["passphrase_file"])
        if settings.IS_CONFIGURED and not options["check"]:
            self._restore(backup, **options)

    def _describe(self, backup: restoring.Backup) -> None:
        about = backup.manifest
        self.stdout.write(
            f"A whole backup of {about.taken_at} by Lotline {about.lotline}, PostgreSQL {about.postgresql}: "
            f"{sum(about.rows.values()):,} rows, {len(backup.files):,} files."
        )
        if about.lost:
            self.stdout.write(f"{len(about.lost):,} files were not on the disk any more when it was made.")
        if settings.IS_CONFIGURED and not backup.has_same_keys:
            self.stdout.write(
                "It was made with other keys than this installation has: set SECRET_KEY and LOTLINE_SECRETS_KEYS as "
                "they were, or the secrets of connections must be entered again."
            )

    def _restore(self, backup: restoring.Backup, *, yes: bool, jump: int | None, **options: Any) -> None:
        restoring.check_place(backup)
        self.stdout.write("\nNumbers given after the backup are not in it, so that every counter is moved on:")
        for each in backup.manifest.counters:
            by = counting.jump_of(each.given) if jump is None else jump
            self.stdout.write(
                f"  {each.account}: {each.name}: from {each.next} on by {by:,} ({each.given:,} in 30 days)"
            )
        if not yes and jump is None:
            if not sys.stdin.isatty():
                raise CommandError("Nobody is there to ask. Give --yes to move them as shown, or --jump N.")
            if input("Type yes to restore: ").strip().lower() != "yes":
                raise CommandError("Nothing was changed. --jump N moves every counter by another number.")
        restoring.restore(backup, jump=jump, say=self.stdout.write)
        self.stdout.write(self.style.SUCCESS("Restored. Start Lotline again."))

    def _write_keys(self, backup: restoring.Backup, path: Path, passphrase_file: Path | None) -> None:
        found = backup.keys(passphrase_of(passphrase_file, twice=False))
        first, *older = found.pop("SECRET_KEY")
        lines = {"SECRET_KEY": first, "SECRET_KEY_FALLBACKS": ",".join(older)}
        lines |= {name: ",".join(values) for name, values in found.items()}
        _write_new(path, "".join(f"{name}={value}\n" for name, value in lines.items() if value))
        self.stdout.write(f"{path}: the keys, to be set in the environment of every process.")


def _look_at(options: dict[str, Any]) -> None:
    """Raise CommandError for options that cannot be meant, before the file is read."""
    if options["jump"] is not None and not 1 <= options["jump"] <= MOST_JUMP:
        raise CommandError(
            f"--jump is 1 to {MOST_JUMP:,}: a number that was given after the backup must not come again."
        )
    if options["keys_to"] and os.path.lexists(options["keys_to"]):
        raise _is_there(options["keys_to"])


def _write_new(path: Path, text: str) -> None:
    """Write a file for this user alone. Raises CommandError, with none left, where there is one or none can be."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    except FileExistsError as error:
        raise _is_there(path) from error
    except OSError as error:
        raise CommandError(f"{making.in_words(error, path.absolute().parent)} The keys were not written.") from error


def _is_there(path: Path) -> CommandError:
    return CommandError(f"{path} is there already, and the keys replace nothing. Give another name.")


def _again(options: dict[str, Any]) -> list[str]:
    """The answers once more, for the same command on servers of its own."""
    return [*(["--yes"] if options["yes"] else []), *([f"--jump={options['jump']}"] if options["jump"] else [])]
