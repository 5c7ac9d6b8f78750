"""The private file store: one folder per account on Django's default storage, which must be a folder (FILES_ROOT).

A file is a `StoredFile` row and `<account id>/<uuid>` on disk; the name that a person gave it is only in the row. Pages
hand files out through `oms.views.files.download`, which checks the account.
"""

import os
import re
import weakref
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, ProtectedError, Q
from django.utils.translation import gettext as _

from oms.models import Job, JobState, StoredFile
from oms.tenancy import account_context, current_account_id

PART = ".part"
NAME_LENGTH = 200
_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?charset=[\w-]+)?", re.ASCII)
_FOLDERS = re.compile(r"^.*[/\\]", re.DOTALL)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f:*?"<>|\u202a-\u202e\u2066-\u2069]+')
_OPEN = [state.value for state in JobState if not state.is_final]


class _Unkept:
    """Deletes a file again unless the transaction that made it commits.

    Django calls hooks after a commit, and has none for a rollback; but it drops the hooks of what is rolled back, also
    of a savepoint, and with the hook goes this object. What a killed process leaves is found by `sweep`.
    """

    def __init__(self, path: Path) -> None:
        self._undo = weakref.finalize(self, _remove, path)

    def keep(self) -> None:
        """The row is there for good, so the file stays."""
        self._undo.detach()


def store(name: str, content_type: str, chunks: Iterable[bytes]) -> StoredFile:
    """Write a file and its row, inside an account; both exist once the caller's transaction commits, or neither.

    Args:
        name: what the person who downloads it sees; path parts and unprintable characters are taken out.
        content_type: sent back with the file; anything but a plain type becomes application/octet-stream.
        chunks: its bytes in pieces, `csvio.write(...)` or `upload.chunks()`; they are never all in memory.
    """
    key = uuid4()
    path = _path(current_account_id(), key)
    unkept = _Unkept(path)
    size = _write(path, chunks)
    stored: StoredFile = StoredFile.objects.create(
        name=_safe(name),
        content_type=content_type if _CONTENT_TYPE.fullmatch(content_type) else "application/octet-stream",
        size=size,
        key=key,
    )
    transaction.on_commit(unkept.keep)
    return stored


def open_file(stored: StoredFile) -> BinaryIO:
    """The file's bytes, to be closed by the caller. Raises FileNotFoundError where the disk has lost it."""
    return _path(stored.account_id or 0, stored.key).open("rb")


def delete_expired(account_id: int, before: datetime) -> int:
    """Delete the files that were stored before a moment, rows and bytes; returns how many.

    Jobs stay, without their file. A file of an open job stays, and one that a row of any other table refers to.
    """
    with account_context(account_id):
        jobs = Job.objects.filter(Q(input_file=OuterRef("pk")) | Q(result_file=OuterRef("pk")), state__in=_OPEN)
        found = list(StoredFile.objects.filter(~Exists(jobs), created_at__lt=before).order_by("pk"))
    return sum(_delete(account_id, stored) for stored in found)


def _delete(account_id: int, stored: StoredFile) -> bool:
    try:
        with account_context(account_id):
            Job.objects.filter(result_file=stored).update(result_file=None)
            Job.objects.filter(input_file=stored).update(input_file=None)
            stored.delete()
            transaction.on_commit(partial(_remove, _path(account_id, stored.key)))
    except (ProtectedError, IntegrityError):  # somebody else's row refers to it
        return False
    return True


def sweep(account_id: int, before: datetime) -> int:
    """Delete bytes without a row that are older than a moment, which a killed process left; returns how many.

    `before` must lie further back than the longest transaction: a file is written before its row is committed.
    """
    folder = _path(account_id)
    old = [path for path in folder.iterdir() if path.stat().st_mtime < before.timestamp()] if folder.is_dir() else []
    with account_context(account_id):
        kept = {key.hex for key in StoredFile.objects.values_list("key", flat=True)} if old else set()
    lost = [path for path in old if path.name not in kept]
    for path in lost:
        _remove(path)
    return len(lost)


def _path(account_id: int, key: UUID | None = None) -> Path:
    """Where a file of an account lies; without a key, the account's folder."""
    return Path(default_storage.path(f"{account_id}/{key.hex}" if key else str(account_id)))


def _write(path: Path, chunks: Iterable[bytes]) -> int:
    """Write all of a file or nothing, and have it on the disk before anybody commits a row about it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(PART)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
    except BaseException:  # above all a full disk: half a file must not go on filling it
        _remove(path)
        raise
    part.replace(path)
    return size


def _remove(path: Path) -> None:
    for lost in (path, path.with_suffix(PART)):
        with suppress(OSError):
            lost.unlink(missing_ok=True)


def _safe(name: str) -> str:
    """A name that is a plain file name on every system, its ending kept when it is too long."""
    plain = _UNSAFE.sub("_", _FOLDERS.sub("", name)).strip(" .") or _("file")
    stem, dot, ending = plain.rpartition(".")
    if len(plain) <= NAME_LENGTH or not dot:
        return plain[:NAME_LENGTH]
    return f"{stem[: NAME_LENGTH - 20]}.{ending[:19]}"
