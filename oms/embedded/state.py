"""The state folder: everything that one set of servers keeps, in one place that git ignores.

lock        held by the supervisor while it lives; says where it runs
passwords   made once, readable for its owner only
env         KEY=VALUE lines for other management commands; only true while the lock is held
pids/       one record per child, for the next start should the supervisor be killed
postgres/ valkey/ static/ files/ beat/ sandbox/
"""

import contextlib
import errno
import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from oms.bootstrap import GIVEN, ROOT
from oms.database.faults import fault_of
from oms.embedded.errors import STOPPING_SIGNALS, CannotStart
from oms.embedded.lock import take

PASSWORDS = ("superuser", "owner", "app", "valkey", "sandbox", "secret_key")


class State:
    """The state in `folder`. `durable` data survives a crash of the machine; a throw-away state need not."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.durable = durable
        self.outside: Path | None = None  # data that had to be kept elsewhere; goes with a throw-away state
        self._lock: int | None = None

    @classmethod
    def of_this_copy(cls) -> "State":
        """The state of this copy of the repository: LOTLINE_STATE, or `.lotline` in it."""
        state = cls(cls.folder_of_this_copy())
        state.make()
        return state

    @staticmethod
    def folder_of_this_copy() -> Path:
        """Where `of_this_copy` keeps what it has."""
        return Path(GIVEN.get("LOTLINE_STATE") or ROOT / ".lotline").absolute()

    @classmethod
    @contextlib.contextmanager
    def throw_away(cls, purpose: str) -> Iterator["State"]:
        """A state of its own that is removed at the end, whatever happens."""
        state = cls(Path(tempfile.mkdtemp(prefix=f"lotline-{purpose}-")), durable=False)
        try:
            state.make()
            yield state
        finally:
            state.release()
            before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING_SIGNALS)  # an impatient Ctrl-C leaves no half
            for folder in filter(None, (state.outside, state.folder)):
                shutil.rmtree(folder, ignore_errors=True)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def make(self) -> None:
        """Make the folder. As root others may pass through it, for PostgreSQL runs as another user; not list it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            owner = self.folder.stat().st_uid
            if owner != os.geteuid():
                raise PermissionError(errno.EACCES, f"it belongs to user {owner}")
            self.folder.chmod(0o711 if owner == 0 else 0o700)
            if not (self.folder / ".gitignore").exists():
                write_private(self.folder / ".gitignore", "*\n")
        except OSError as error:
            if fault_of(error):
                raise
            raise CannotStart(
                f"The state folder {self.folder} is not writable for you ({error.strerror}). Run this as its owner, or "
                f"set LOTLINE_STATE to a folder of your own."
            ) from error

    # --- one supervisor at a time -------------------------------------------------------------------------------------
    @property
    def lock_file(self) -> Path:
        """Locked while a supervisor lives; holds what a second start should say."""
        return self.folder / "lock"

    def acquire(self) -> None:
        """Take the lock for the life of this process. Raises `CannotStart` where another one has it, saying where."""
        self._lock = take(self.lock_file)
        if self._lock is None:
            raise CannotStart(self._says_where())
        self.remove_env()  # of a supervisor that was killed
        self.describe(pid=os.getpid(), since=time.strftime("%Y-%m-%d %H:%M:%S"))

    def describe(self, **facts: Any) -> None:
        """Write into the lock file what a second start should say."""
        if self._lock is None:
            raise RuntimeError("acquire the lock first")
        known = _json(os.pread(self._lock, 65536, 0).decode())
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, json.dumps({**known, **facts}).encode(), 0)

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two processes lock two files of one name."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def _says_where(self) -> str:
        facts = _json(self.lock_file.read_text())
        where = f" at {facts['url']}" if "url" in facts else ", still starting"
        pid = facts.get("pid", "unknown")
        return (
            f"Lotline already runs from this folder{where} (process {pid}, since {facts.get('since', 'unknown')}). "
            f"Stop it there with Ctrl-C, or with: kill {pid}"
        )

    # --- secrets ------------------------------------------------------------------------------------------------------
    def passwords(self) -> dict[str, str]:
        """The passwords of this state by name (PASSWORDS), made at the first call; safe in a URL without quoting."""
        file = self.folder / "passwords"
        try:
            known: dict[str, str] = json.loads(file.read_text())
        except FileNotFoundError:
            known = {}
        except ValueError as error:
            raise CannotStart(
                f"{file} is damaged: {error}. Put a copy of it back; the data in {self.folder} is not touched."
            ) from None
        if missing := [name for name in PASSWORDS if name not in known]:
            known |= {name: secrets.token_urlsafe(48 if name == "secret_key" else 24) for name in missing}
            write_private(file, json.dumps(known))
        return known

    # --- the env file -------------------------------------------------------------------------------------------------
    @property
    def env_file(self) -> Path:
        """Read by settings.py where DATABASE_URL is not in the environment, while the lock is held."""
        return self.folder / "env"

    def write_env(self, environment: Mapping[str, str]) -> None:
        """Let other management commands of this copy find the running servers."""
        write_private(self.env_file, "".join(f"{key}={value}\n" for key, value in environment.items()))

    def remove_env(self) -> None:
        """The servers stop, or have stopped."""
        self.env_file.unlink(missing_ok=True)


def write_private(file: Path, text: str) -> None:
    """Write `file` so that nobody else ever sees it, and a crash leaves the old or the new text, never half of it."""
    half = file.with_name(file.name + ".new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    half.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Have on the disk what was renamed in `folder`: else a power cut may undo it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _json(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        return {}
    return found
