"""Makes a backup: the database at one moment, the files that it knows then, and a manifest of both."""

import contextlib
import errno
import fcntl
import os
import tomllib
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from oms.backup import counting, programs, sealing
from oms.backup.archive import CHUNK, Writer
from oms.backup.database import Snapshot, files_now, snapshot
from oms.backup.errors import BackupFailed
from oms.backup.manifest import DUMP, KEYS, Counter, Manifest
from oms.bootstrap import ROOT

PART = ".part"
READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


def make(target: Path, *, passphrase: str | None, say: Callable[[str], object]) -> Manifest:
    """Write a backup to `target`, which appears when it is whole; with a passphrase the keys are sealed in it.

    Raises BackupFailed, with nothing kept, where the passphrase is short, the file is there already, the disk is full,
    or the database is not up to date.
    """
    if passphrase is not None:
        sealing.check(passphrase)
    with _appearing(target) as file, snapshot() as moment:
        taken_at, writer = timezone.now(), Writer(file)
        writer.add(DUMP, programs.dump(moment.name, int(moment.version.partition(".")[0])))
        say(f"database: {writer.parts[0].size:,} bytes")
        lost = _add_files(writer, moment)
        say(f"files: {len(writer.parts) - 1:,}{f', {len(lost):,} are lost' if lost else ''}")
        if passphrase is not None:
            writer.add(KEYS, [sealing.seal(keys(), passphrase)])
        manifest = _manifest(moment, writer, taken_at, lost)
        writer.close(manifest.to_json())
    return manifest


def keys() -> dict[str, list[str]]:
    """What this installation signs and seals with, the newest first; the database is of little use without."""
    return {
        "SECRET_KEY": [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS],
        "LOTLINE_SECRETS_KEYS": [key for key in settings.LOTLINE_SECRETS_KEYS if key],
    }


def version() -> str:
    """Of this Lotline."""
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return found


def _manifest(moment: Snapshot, writer: Writer, taken_at: datetime, lost: list[str]) -> Manifest:
    uid, epoch = moment.installation()
    return Manifest(
        lotline=version(),
        taken_at=taken_at.isoformat(),
        postgresql=moment.version,
        installation=uid,
        epoch=epoch,
        migrations=moment.migrations(),
        rows=moment.rows(),
        counters=tuple(_counters(moment.name, taken_at)),
        parts=tuple(writer.parts),
        lost=lost,
        keys=sealing.fingerprints(keys()),
    )


def _counters(name: str, taken_at: datetime) -> Iterator[Counter]:
    """Those of the same moment, read as the app: every account for itself."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(READ_ONLY)
            cursor.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(name)))
        yield from counting.counters(taken_at - counting.WINDOW)


def _add_files(writer: Writer, moment: Snapshot) -> list[str]:
    """Add each file of the private store that is there; the names of those that are lost: not deleted meanwhile."""
    missing = []
    for account, key in moment.files():
        path = Path(default_storage.path(f"{account}/{key}"))
        try:
            file = path.open("rb")
        except FileNotFoundError:
            missing.append((account, key))
        except OSError as error:
            raise _cannot_read(path, error) from error
        else:
            with file:
                writer.add(f"files/{account}/{key}", _bytes_of(path, file))
    now = files_now() if missing else set()
    return [f"{account}/{key}" for account, key in missing if (account, key) in now]


def _bytes_of(path: Path, file: BinaryIO) -> Iterator[bytes]:
    try:
        yield from iter(partial(file.read, CHUNK), b"")
    except OSError as error:
        raise _cannot_read(path, error) from error


def _cannot_read(path: Path, error: OSError) -> BackupFailed:
    return BackupFailed(f"{path} cannot be read: {error.strerror or error}. No backup was kept.")


@contextlib.contextmanager
def _appearing(target: Path) -> Iterator[BinaryIO]:
    """A file to write, for this user alone, that gets its name when the block ends well and leaves nothing else.

    What a killed process left under the other name is overwritten; two at once are refused.
    """
    part = target.with_name(target.name + PART)
    if os.path.lexists(target):
        raise _is_there(target)
    try:
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w+b") as file:
            _hold(file, part)
            try:
                os.fchmod(file.fileno(), 0o600)
                file.truncate()
                yield file
                _name(part, target)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        _sync(target.parent)
    except FileExistsError as error:
        raise _is_there(target) from error
    except OSError as error:
        raise BackupFailed(f"{in_words(error, target.parent)} No backup was kept.") from error


def _name(part: Path, target: Path) -> None:
    """Let the file be called `target`, unless something is by now. Raises FileExistsError."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: take the name first, and replace only what is ours
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            part.replace(target)
        except OSError:
            target.unlink()
            raise
    else:
        part.unlink()


def _is_there(target: Path) -> BackupFailed:
    return BackupFailed(f"{target} is there already, and a backup overwrites nothing. Give another name.")


def in_words(error: OSError, folder: Path) -> str:
    """Why a file could not be written there."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"The disk of {folder} is full."
    return f"Nothing can be written in {folder}: {error.strerror or error}."


def _hold(file: BinaryIO, part: Path) -> None:
    """Lock it, and make sure that it is `part` still: another backup may have ended since it was opened, and be it."""
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file.fileno()), part.lstat()):
            return
    raise BackupFailed(f"Another backup is being written to {part} at this moment.")


def _sync(folder: Path) -> None:
    """Have the name on the disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
