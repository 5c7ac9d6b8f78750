"""From a fresh machine with nothing but Python to a virtual environment that runs Lotline. Standard library only.

`manage.py` calls `enter` before it imports Django. `enter` returns where this process can run the command as it is;
else it makes or mends `.venv`, and replaces this process by the same command in it. It is written so that Python 3.7
can still read it: an older Python must be able to say what is missing.

How a broken environment is noticed, with no cost on the usual path: an installation writes a stamp when it has
finished (hashes of the locks, Python version, what it put into site-packages) and leaves a marker while it runs. A
marker without an end, a stamp of another lock, or something missing since, and the installation is done again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
# The environment as it was given to this process, before settings.py adds the values of a running `up` to it.
GIVEN = dict(os.environ)
OLDEST = (3, 11)
CANDIDATES = ("python3.13", "python3.12", "python3.11", "python3.14", "python3")
LOCK, DEV_LOCK = "requirements.txt", "requirements-dev.txt"
# Commands that need the test and development packages as well; DEV_LOCK holds everything that LOCK holds.
DEV_COMMANDS = frozenset({"test", "bench"})
HOPS = "LOTLINE_BOOTSTRAP_HOPS"
MOST_HOPS = 4
READY, OUTDATED, UNSTAMPED, BROKEN = "ready", "outdated", "unstamped", "broken"


class Refused(Exception):
    """The environment cannot be made. The message says why and what to do."""


def say(text: str) -> None:
    """Tell the person waiting; on stderr, so that the output of the command itself stays clean."""
    print("lotline: " + text, file=sys.stderr, flush=True)


def enter(argv: Sequence[str], root: Path = ROOT) -> None:
    """Return if this process can run `argv` (manage.py's arguments); else go on in `.venv`, or exit with a message."""
    try:
        if runs_here(argv, root):
            for environment in (os.environ, GIVEN):
                environment.pop(HOPS, None)
            return
        need_python(argv)
        Environment(root).prepare(lock_for(argv))
        hop(str(Environment(root).python), argv)
    except Refused as error:
        say(str(error))
    except KeyboardInterrupt:
        say("stopped. The next start finishes the installation.")
        sys.exit(130)
    sys.exit(1)


def lock_for(argv: Sequence[str]) -> str:
    """The lock file that holds what this command needs."""
    return DEV_LOCK if len(argv) > 1 and argv[1] in DEV_COMMANDS else LOCK


def runs_here(argv: Sequence[str], root: Path) -> bool:
    """Whether this very process has what the command needs: it runs in a sound `.venv`, or in an environment of yours.

    Raises `Refused` where LOTLINE_VENV=off says that no environment may be made and Django is not there.
    """
    environment = Environment(root)
    has_django = importlib.util.find_spec("django") is not None
    if os.environ.get("LOTLINE_VENV", "").lower() == "off":
        if has_django:
            return True
        raise Refused(f"LOTLINE_VENV=off, but {sys.executable} has no Django. Install {LOCK} into it first.")
    if environment.is_current() and not environment.is_borrowed():
        return environment.condition(lock_for(argv)) == READY
    return has_django and sys.prefix != sys.base_prefix and sys.version_info[:2] >= OLDEST


def need_python(argv: Sequence[str]) -> None:
    """Return if this Python is new enough to make the environment; else go on in one from PATH, or refuse."""
    if sys.version_info[:2] >= OLDEST:
        return
    test = f"import sys; sys.exit(sys.version_info[:2] < {OLDEST!r})"
    for name in CANDIDATES:
        path = shutil.which(name)
        # A name on PATH proves little: version managers put a shim there for versions that are not switched on.
        if path and subprocess.run([path, "-c", test], capture_output=True, check=False).returncode == 0:
            hop(path, argv)
    wanted = ".".join(map(str, OLDEST))
    raise Refused(
        f"Lotline needs Python {wanted} or newer, this is {sys.version.split()[0]} and PATH has no newer one. "
        f"Install one (Debian, Ubuntu: apt-get install python{wanted} python{wanted}-venv; macOS: brew install python)."
    )


def hop(python: str, argv: Sequence[str]) -> NoReturn:
    """Replace this process by the same command in another Python; refuses to go round in circles."""
    hops = int(os.environ.get(HOPS, "0")) + 1
    if hops > MOST_HOPS:
        raise Refused(f"{python} does not become usable. Remove .venv and start again.")
    os.environ[HOPS] = str(hops)
    started: list[str] = getattr(sys, "orig_argv", [sys.executable, *argv])
    flags = started[1 : len(started) - len(argv)]
    os.execv(python, [python, *flags, *argv])  # noqa: S606  (no shell is wanted)


class Environment:
    """The virtual environment `.venv` in the repository `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.stamp = self.folder / "lotline-stamp.json"
        self.marker = self.folder / "lotline-installing"

    def is_current(self) -> bool:
        """Whether this process runs in it."""
        return sys.prefix != sys.base_prefix and Path(sys.prefix).resolve() == self.folder.resolve()

    def is_borrowed(self) -> bool:
        """Whether `.venv` is a link: somebody shares an environment among copies, so no single copy may change it."""
        return self.folder.is_symlink()

    def condition(self, lock: str) -> str:
        """READY for what `lock` names; OUTDATED: whole, but of another lock; UNSTAMPED: not made by this module;
        BROKEN: left in the middle of an installation, or damaged since, or of a Python that was upgraded."""
        if self.marker.exists() or not os.access(self.python, os.X_OK):
            return BROKEN
        try:
            stamp: dict[str, Any] = json.loads(self.stamp.read_text())
            present = {entry.name for entry in os.scandir(stamp["site"])}
            whole = present.issuperset(stamp["entries"])
            same_lock = stamp["locks"].get(lock) == self.digest(lock)
        except FileNotFoundError:
            return BROKEN if self.stamp.exists() else UNSTAMPED
        except (OSError, ValueError, KeyError):
            return BROKEN
        if not whole or (self.is_current() and stamp["version"] != list(sys.version_info[:2])):
            return BROKEN
        return READY if same_lock else OUTDATED

    def digest(self, lock: str) -> str:
        """SHA-256 of the lock file."""
        return hashlib.sha256((self.root / lock).read_bytes()).hexdigest()

    def prepare(self, lock: str) -> None:
        """Make it ready for `lock`. One process at a time; the others wait and then find the work done."""
        if not (self.root / lock).is_file():
            raise Refused(f"{self.root / lock} is missing: this is not a whole copy of Lotline.")
        if self.condition(lock) == READY:
            return
        if self.is_borrowed():
            if self.runs("import django"):
                return
            raise Refused(
                f"{self.folder} is a link, and what it leads to has no Django. Mend that, or remove the link."
            )
        if not os.access(str(self.folder if self.folder.is_dir() else self.root), os.W_OK | os.X_OK):
            raise Refused(
                f"{self.root} is not writable for you, so no .venv can be made in it. Run this as the owner, work on a "
                f"copy of your own, or install {LOCK} into an environment of yours and set LOTLINE_VENV=off."
            )
        try:
            with self.locked() as handle:
                condition = self.condition(lock)
                if condition != READY:
                    self.install(lock, handle, afresh=condition == BROKEN)
        except OSError as error:
            raise Refused(f"{self.folder} could not be made: {error}.") from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the repository folder's lock. Nothing is written for it, and pip inherits the handle: were this process
        killed, the next one would wait for the pip that it left."""
        handle = os.open(str(self.root), os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another process is installing in this folder; waiting for it.")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)

    def install(self, lock: str, handle: int, *, afresh: bool) -> None:
        """Install exactly what `lock` says, every file checked against its hash, and stamp the result."""
        started = time.monotonic()
        if afresh or not self.runs("import pip"):
            self.make()
        with contextlib.suppress(FileNotFoundError):
            self.stamp.unlink()
        self.marker.touch()
        say(f"installing {lock} into .venv (about a minute the first time) ...")
        pip = [
            str(self.python),
            "-m",
            "pip",
            "install",
            "--require-hashes",
            "--no-input",
            "--progress-bar=on",
        ]
        done = subprocess.run(
            [*pip, "--disable-pip-version-check", "-r", str(self.root / lock)],
            stdout=sys.stderr,
            pass_fds=(handle,),
            env={**os.environ, "PIP_USER": "0"},
            check=False,
        )
        if done.returncode:
            if done.returncode > 0:
                self.marker.unlink()  # pip ended by itself and has undone its changes; a killed one has not
            raise Refused(
                f"pip could not install {lock}; its own words are above. Most often it is the network or a proxy (pip "
                f"reads HTTPS_PROXY and pip.conf), or a system without wheels (Linux with glibc and macOS have them). "
                f"Run the same command again when it is mended; to start from nothing, remove .venv."
            )
        self.finish(lock)
        say(f"installed in {time.monotonic() - started:.0f} s.")

    def runs(self, code: str) -> bool:
        """Whether its Python starts and runs `code`; after an interrupted `venv` or a system upgrade it may not."""
        try:
            asked = subprocess.run([str(self.python), "-c", code], capture_output=True, check=False)
        except OSError:
            return False
        return asked.returncode == 0

    def make(self) -> None:
        """Make the empty environment, from the system's Python even when this process runs in the broken one."""
        base: str = getattr(sys, "_base_executable", None) or sys.executable
        missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
        if missing:
            package = "python{}.{}-venv".format(*sys.version_info)
            raise Refused(
                f"{base} lacks its module {missing[0]}. Debian and Ubuntu: apt-get install {package} (as root). "
                f"Fedora: dnf install python3-libs. Alpine has no wheels for Valkey: use docker compose there."
            )
        say(f"making .venv with {base} ...")
        made = subprocess.run(
            [base, "-m", "venv", "--clear", str(self.folder)],
            stdout=sys.stderr,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if made.returncode:
            raise Refused(f"{base} -m venv failed; its own words are above.")

    def finish(self, lock: str) -> None:
        """Stamp the installation as whole; the stamp of DEV_LOCK is one of LOCK too."""
        ask = "import json, sys, sysconfig; print(json.dumps([sysconfig.get_path('purelib'), sys.version_info[:2]]))"
        told = subprocess.run([str(self.python), "-c", ask], stdout=subprocess.PIPE, check=True).stdout
        site, version = json.loads(told)
        locks = {LOCK, lock}
        # Names without a version: who tries a newer package in .venv by hand is not undone at every start.
        entries = [e.name for e in os.scandir(site) if not e.name.endswith(".dist-info") and e.name != "__pycache__"]
        stamp = {
            "locks": {name: self.digest(name) for name in sorted(locks)},
            "site": site,
            "version": version,
            "entries": sorted(entries),
        }
        half = self.stamp.with_suffix(".new")
        half.write_text(json.dumps(stamp))
        half.replace(self.stamp)
        self.marker.unlink()
