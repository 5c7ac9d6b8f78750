"""What backup and restore ask and tell PostgreSQL, as the role that owns the tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import Error as DjangoError
from psycopg import sql

from oms.backup.errors import BackupFailed
from oms.database.faults import WORDS, Fault, fault_of
from oms.postgresql.base import RESTORING
from oms.postgresql.owner import as_owner

ERRORS = (psycopg.Error, DjangoError)
"""What the database raises, by psycopg itself and through Django."""
ANALYZE = "ANALYZE"
ROLES = ("lotline_owner", "lotline_app")
APART = 1_000_000
"""What the ids of rows jump by: they stand in addresses, and one that was sent around must not lead elsewhere now."""

TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
"""
FILES = "SELECT account_id, key FROM oms_storedfile ORDER BY account_id, key"
MIGRATIONS = "SELECT app, name FROM django_migrations ORDER BY app, name"
REGISTER = "INSERT INTO oms_installation (id, uid, epoch) VALUES (1, gen_random_uuid(), 1) ON CONFLICT DO NOTHING"
INSTALLATION = "SELECT uid::text, epoch FROM oms_installation WHERE id = 1"
# Never an epoch twice, also where one backup is restored twice: the clock tells two restores apart.
NEW_EPOCH = """
UPDATE oms_installation SET restored_at = now(), epoch = GREATEST(epoch + 1, EXTRACT(epoch FROM now())::bigint)
WHERE id = 1
"""
SPREAD_IDS = """
SELECT setval(format('%%I.%%I', schemaname, sequencename)::regclass, COALESCE(last_value, 0) + %s)
FROM pg_sequences WHERE schemaname = 'public' AND data_type = 'bigint'::regtype
"""
MARK = sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(RESTORING))
UNMARK = sql.SQL("DROP SCHEMA {}").format(sql.Identifier(RESTORING))
IS_MARKED = "SELECT to_regnamespace(%s) IS NOT NULL"
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
"""
MISSING_ROLES = "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regrole(name) IS NULL"
IS_OURS = "SELECT pg_get_userbyid(datdba) = current_user FROM pg_database WHERE datname = current_database()"


@dataclass(frozen=True)
class Snapshot:
    """One moment of the database: everything that is asked through it, and pg_dump, see just that."""

    owner: "psycopg.Connection[Any]"
    name: str

    @property
    def version(self) -> str:
        """Of the server."""
        found = self.owner.info.server_version
        return f"{found // 10_000}.{found % 10_000}"

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        return count_rows(self.owner)

    def files(self) -> list[tuple[int, str]]:
        """Account and key of every file of the private store."""
        return _files(self.owner)

    def migrations(self) -> dict[str, list[str]]:
        """App → the names of those that are applied."""
        found: dict[str, list[str]] = {}
        for app, name in self.owner.execute(MIGRATIONS):
            found.setdefault(app, []).append(name)
        return found

    def installation(self) -> tuple[str, int]:
        """Its id and its epoch."""
        row = self.owner.execute(INSTALLATION).fetchone()
        if row is None:
            raise BackupFailed("This database has no id of its own. Run `manage.py prepare` first.")
        return row[0], row[1]


@contextmanager
def snapshot() -> Iterator[Snapshot]:
    """The database as it is now, for as long as the block runs. Raises BackupFailed where it is not up to date."""
    with as_owner() as owner:
        if is_marked(owner):
            raise BackupFailed(interrupted(owner))
        try:
            owner.execute(REGISTER)
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            raise BackupFailed("This database is not up to date. Run `manage.py prepare` first.") from error
        with owner.transaction():
            owner.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield Snapshot(owner, str(_said(owner.execute("SELECT pg_export_snapshot()"))))


def in_words(error: Exception) -> str:
    """What is said of one of ERRORS: which fault it is, and the server's own words."""
    fault = fault_of(error)
    said = [str(WORDS[fault]) if fault else "PostgreSQL refused what it was asked for."]
    if fault in {Fault.AWAY, Fault.REFUSED}:
        said.append("Look at DATABASE_URL and DATABASE_OWNER_URL.")
    return " ".join([*said, f"It said: {str(error).strip()}"])


def count_rows(owner: "psycopg.Connection[Any]") -> dict[str, int]:
    """How many rows each table has."""
    found = {}
    for (name,) in owner.execute(TABLES).fetchall():
        row = owner.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
        found[str(name)] = int(row[0]) if row else 0
    return found


def refuse_unless_empty(owner: "psycopg.Connection[Any]") -> None:
    """Raise BackupFailed unless a backup can be restored into this database as it is; nothing is ever dropped."""
    if missing := [name for (name,) in owner.execute(MISSING_ROLES, [list(ROLES)])]:
        raise BackupFailed(f"This server has no role {' and no role '.join(missing)}. Make it first: docs/running.md.")
    if not _said(owner.execute(IS_OURS)):
        raise BackupFailed(
            f"The database {owner.info.dbname} does not belong to {owner.info.user}. Make it with: "
            f"CREATE DATABASE {owner.info.dbname} OWNER {owner.info.user}"
        )
    if owner.execute(TABLES).fetchone() is not None:
        if is_marked(owner):
            raise BackupFailed(interrupted(owner))
        raise BackupFailed(
            f"The database {owner.info.dbname} is not empty, and a restore removes nothing. Make an empty one, and let "
            f"DATABASE_URL and DATABASE_OWNER_URL name it; where `up` runs the servers, set LOTLINE_STATE to another "
            f"folder."
        )
    refuse_others(owner)


def refuse_others(owner: "psycopg.Connection[Any]") -> None:
    """Raise BackupFailed where other sessions use the database."""
    if others := _said(owner.execute(OTHERS)):
        raise BackupFailed(
            f"{others} other sessions use the database {owner.info.dbname}. Stop web, workers and beat first."
        )


def is_alone(owner: "psycopg.Connection[Any]") -> bool:
    """Whether no other session uses the database."""
    return not _said(owner.execute(OTHERS))


def interrupted(owner: "psycopg.Connection[Any]") -> str:
    """What is said of a database that a restore did not finish."""
    return (
        f"A restore into the database {owner.info.dbname} was interrupted, so what is in it is not whole, and nothing "
        f"starts on it. {make_anew(owner)}"
    )


def make_anew(owner: "psycopg.Connection[Any]") -> str:
    """What to do where a restore has begun to load and cannot go on."""
    return (
        f"Make an empty database and restore again. As a superuser of the server: DROP DATABASE "
        f"{owner.info.dbname}; CREATE DATABASE {owner.info.dbname} OWNER {owner.info.user}; where `up` runs the "
        f"servers, set LOTLINE_STATE to a new folder instead. The backup itself is as it was."
    )


def files_now() -> set[tuple[int, str]]:
    """`Snapshot.files` as they are by now."""
    with as_owner() as owner:
        return set(_files(owner))


def _files(owner: "psycopg.Connection[Any]") -> list[tuple[int, str]]:
    return [(account, key.hex) for account, key in owner.execute(FILES)]


def is_marked(owner: "psycopg.Connection[Any]") -> bool:
    """Whether a restore into this database began and did not end."""
    return bool(_said(owner.execute(IS_MARKED, [RESTORING])))


def _said(answer: "psycopg.Cursor[Any]") -> Any:
    """The one value of an answer; None without one."""
    row = answer.fetchone()
    return row[0] if row else None
