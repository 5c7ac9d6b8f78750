"""Restores a backup into an empty database; what can be wrong with it is found out before anything changes."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.utils.module_loading import import_string

from oms import checks
from oms.backup import archive, counting, database, programs, sealing
from oms.backup.errors import BackupFailed, Damaged
from oms.backup.making import PART, in_words, keys
from oms.backup.manifest import DUMP, KEYS, Manifest, check_lotline, check_server, from_json
from oms.embedded.processes import wait_until
from oms.models import Account
from oms.postgresql.owner import as_owner
from oms.tenancy import account_context

Say = Callable[[str], object]
ALONE_SECONDS = 5.0


@dataclass(frozen=True)
class Backup:
    """A backup whose every byte was looked at."""

    file: BinaryIO
    manifest: Manifest
    found: dict[str, archive.Found]

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a part."""
        return archive.chunks(self.file, self.found[name])

    @property
    def files(self) -> list[str]:
        """The parts that are files of the private store."""
        return [name for name in self.found if name.startswith("files/")]

    @property
    def since(self) -> datetime:
        """When the time began whose numbers say how far counters are moved."""
        return datetime.fromisoformat(self.manifest.taken_at) - counting.WINDOW

    def keys(self, passphrase: str) -> dict[str, list[str]]:
        """The keys in it. Raises BackupFailed where it has none, or for another passphrase."""
        if KEYS not in self.found:
            raise BackupFailed("This backup was made without keys (--with-keys).")
        return sealing.unseal(b"".join(self.chunks(KEYS)), passphrase)

    @property
    def has_same_keys(self) -> bool:
        """Whether this installation has keys that open what is sealed in it: the first of each kind are enough."""
        ours = sealing.fingerprints(keys())
        return all(not theirs or theirs[0] in ours.get(name, []) for name, theirs in self.manifest.keys.items())


@contextmanager
def opened(path: Path) -> Iterator[Backup]:
    """The backup in a file, verified. Raises NotABackup, Damaged, TooNew."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise BackupFailed(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        try:
            said, found = archive.read(file)
        except OSError as error:
            raise BackupFailed(f"{path} cannot be read: {error.strerror or error}.") from error
        manifest = from_json(said)
        archive.compare(found, manifest.parts)
        known = MigrationLoader(None).disk_migrations
        check_lotline(manifest, [(str(app), str(name)) for app, name in known])
        yield Backup(file, manifest, found)


def check_place(backup: Backup) -> None:
    """Raise BackupFailed unless the backup can be restored into the database of this process; nothing is changed."""
    with as_owner() as owner:
        check_server(backup.manifest, _major(owner))
        database.refuse_unless_empty(owner)
    if faults := checks.role_faults():
        raise BackupFailed(f"DATABASE_URL must name the role lotline_app, but {' and '.join(faults)}.")
    connections["default"].close()
    connections["default"].close_pool()  # type: ignore[attr-defined]  # our engine's


def restore(backup: Backup, *, jump: int | None, say: Say) -> None:
    """Restore into the empty database that `check_place` has looked at; `jump` overrules how far counters are moved.

    A mark stands in the database from before its first row until all is done: so long no process of the set works on
    it. Raises BackupFailed.
    """
    _write_files(backup)
    say(f"files: {len(backup.files):,}")
    with as_owner() as owner:
        _load(backup, owner)
        say(f"database: {sum(backup.manifest.rows.values()):,} rows")
        call_command("migrate", interactive=False, verbosity=0)
        owner.execute(database.REGISTER)
        owner.execute(database.NEW_EPOCH)
        owner.execute(database.SPREAD_IDS, [database.APART])
        # A dump holds no statistics: without any, PostgreSQL plans as if the tables were small.
        owner.execute(database.ANALYZE)
        say("statistics of the tables: gathered")
    for line in counting.jump(backup.since, jump):
        say(line)
    for line in _look_after():
        say(line)
    is_sound = _is_sound()
    with as_owner() as owner:
        owner.execute(database.UNMARK)
    if not is_sound:
        raise BackupFailed(
            "Everything was restored, but the ledger of this backup is not sound: what differs is named above. Look at "
            "that before you start Lotline."
        )


def _load(backup: Backup, owner: "psycopg.Connection[Any]") -> None:
    """Mark the database and load the dump, all of it or nothing."""
    owner.execute(database.MARK)
    try:
        # Who came since `check_place` has not seen the mark. The server may take a moment to end what we closed.
        if not wait_until(partial(database.is_alone, owner), ALONE_SECONDS):
            database.refuse_others(owner)
        programs.restore(backup.chunks(DUMP), _major(owner))
    except BackupFailed:
        owner.execute(database.UNMARK)
        raise
    if database.count_rows(owner) != backup.manifest.rows:
        raise BackupFailed(
            f"The database does not have the rows that the backup counts, so nothing starts on it. That is no fault of "
            f"the file: tell who makes Lotline. {database.make_anew(owner)}"
        )


def _major(owner: "psycopg.Connection[Any]") -> int:
    return owner.info.server_version // 10_000


def _look_after() -> Iterator[str]:
    """Let each app see to what it had under way, account after account; what it did."""
    for account in Account.objects.order_by("slug"):
        for path in settings.AFTER_RESTORE:
            with account_context(account):
                if words := import_string(path)():
                    yield f"{account.slug}: {words}"


def _is_sound() -> bool:
    try:
        call_command("check_ledger")
    except CommandError:
        return False
    return True


def _write_files(backup: Backup) -> None:
    """Put the files where the private store keeps them; what is there under the same name is the same file."""
    for name in backup.files:
        path = Path(default_storage.path(name.removeprefix("files/")))
        part = path.with_suffix(PART)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                out.writelines(backup.chunks(name))
                out.flush()
                os.fsync(out.fileno())
            part.replace(path)
        except Damaged:
            part.unlink()
            raise
        except OSError as error:
            part.unlink(missing_ok=True)
            raise BackupFailed(f"{in_words(error, path.parent)} The database was not touched.") from error
