"""What the sandbox remembers: one SQLite file of its own (not Lotline's database), safe against kill -9."""

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TABLES = """
CREATE TABLE IF NOT EXISTS purchase_order (
    id INTEGER PRIMARY KEY, client TEXT NOT NULL, reference TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL,
    body TEXT NOT NULL, due_at REAL
);
CREATE TABLE IF NOT EXISTS receipt (
    id TEXT PRIMARY KEY, client TEXT NOT NULL, updated_at TEXT NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS unit (client TEXT, sku TEXT, serial TEXT, bin TEXT, UNIQUE (client, sku, serial));
CREATE TABLE IF NOT EXISTS stock (client TEXT, sku TEXT, bin TEXT, quantity INTEGER, UNIQUE (client, sku, bin));
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS own_name (name TEXT);
CREATE TABLE IF NOT EXISTS heard (id INTEGER PRIMARY KEY, method TEXT, path TEXT, key TEXT);
"""


def now() -> str:
    """The moment, as JSON carries it; fixed width, so that texts sort like times."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Store:
    """The file. Every method is one transaction; threads take turns."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "sandbox.sqlite3", check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + TABLES)
        if not self.rows("SELECT name FROM own_name"):
            with self.transaction():
                self.run("INSERT INTO own_name VALUES (?)", secrets.token_hex(2))
        # In the numbers of receipts, so that a warehouse that was emptied never uses one again.
        self.name = str(self.rows("SELECT name FROM own_name")[0]["name"])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """What a query finds."""
        with self._lock:
            return [dict(row) for row in self._db.execute(sql, values)]

    def run(self, sql: str, *values: Any) -> int:
        """Run a statement inside a transaction; the id of the row it made."""
        return self._db.execute(sql, values).lastrowid or 0

    def next(self, name: str) -> int:
        """The next number of a counter, inside a transaction."""
        self.run("INSERT INTO counter VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1", name)
        return int(self.rows("SELECT value FROM counter WHERE name = ?", name)[0]["value"])

    def note(self, method: str, path: str, key: str) -> None:
        """Remember a request, for the evidence."""
        with self.transaction():
            self.run("INSERT INTO heard (method, path, key) VALUES (?, ?, ?)", method, path, key)

    # --- purchase orders ----------------------------------------------------------------------------------------------
    def find(self, client: str, *, reference: str = "", key: str = "", pk: int | None = None) -> dict[str, Any] | None:
        """A purchase order as it is shown, the first one made."""
        condition, value = ("id", pk) if pk is not None else ("key", key) if key else ("reference", reference)
        rows = self.rows(
            f"SELECT * FROM purchase_order WHERE client = ? AND {condition} = ? ORDER BY id",  # noqa: S608
            client,
            value,
        )
        return _shown(rows[0]) if rows else None

    def add(self, client: str, reference: str, key: str, body: Mapping[str, Any], due_at: float | None) -> int:
        """Take a purchase order."""
        with self.transaction():
            return self.run(
                "INSERT INTO purchase_order (client, reference, key, state, body, due_at) "
                "VALUES (?, ?, ?, 'open', ?, ?)",
                client,
                reference,
                key,
                json.dumps(body),
                due_at,
            )

    def set_state(self, pk: int, state: str) -> None:
        """Move a purchase order on, inside a transaction."""
        self.run("UPDATE purchase_order SET state = ?, due_at = NULL WHERE id = ?", state, pk)

    def state(self, pk: int) -> str:
        """Where a purchase order stands."""
        return str(self.rows("SELECT state FROM purchase_order WHERE id = ?", pk)[0]["state"])

    def due(self, moment: float) -> list[dict[str, Any]]:
        """The purchase orders whose goods arrive by now."""
        rows = self.rows(
            "SELECT * FROM purchase_order WHERE state = 'open' AND due_at <= ? ORDER BY due_at, id", moment
        )
        return [_shown(row) for row in rows]

    def cut_waits(self, longest: float) -> None:
        """No goods arrive later than that: what was written while a clock was ahead would."""
        with self.transaction():
            self.run("UPDATE purchase_order SET due_at = ? WHERE due_at > ?", longest, longest)

    # --- receipts and what lies in the bins ---------------------------------------------------------------------------
    def save_receipt(self, client: str, receipt: Mapping[str, Any]) -> None:
        """Write a receipt, a new or a changed one, inside a transaction."""
        body = {**receipt, "updated_at": now()}
        self.run(
            "INSERT INTO receipt VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at, "
            "body = excluded.body",
            body["id"],
            client,
            body["updated_at"],
            json.dumps(body),
        )

    def put(self, client: str, sku: str, name: str, quantity: int, serials: list[str]) -> None:
        """Put goods into a bin, inside a transaction."""
        self.run(
            "INSERT INTO stock VALUES (?, ?, ?, ?) ON CONFLICT (client, sku, bin) DO UPDATE "
            "SET quantity = quantity + excluded.quantity",
            *(client, sku, name, quantity),
        )
        for serial in serials:
            self.run("INSERT OR REPLACE INTO unit VALUES (?, ?, ?, ?)", client, sku, serial, name)

    def receipts(self, client: str, since: str, until: str) -> list[dict[str, Any]]:
        """The receipts that changed in a span of time, oldest change first."""
        rows = self.rows(
            "SELECT body FROM receipt WHERE client = ? AND updated_at >= ? AND updated_at <= ? ORDER BY updated_at, id",
            client,
            since,
            until,
        )
        return [json.loads(row["body"]) for row in rows]

    def counts(self, client: str) -> dict[str, Any]:
        """The evidence: what there is, and what was asked."""

        def count(table: str, condition: str = "") -> int:
            sql = f"SELECT count(*) AS n FROM {table} WHERE client = ? {condition}"  # noqa: S608
            return int(self.rows(sql, client)[0]["n"])

        orders = self.rows(
            "SELECT reference, count(*) AS n FROM purchase_order WHERE client = ? GROUP BY reference", client
        )
        return {
            "purchase_orders": count("purchase_order"),
            "cancelled": count("purchase_order", "AND state = 'cancelled'"),
            "by_reference": {row["reference"]: row["n"] for row in orders},
            "receipts": count("receipt"),
            "units": count("unit"),
            "posts": self.rows("SELECT count(*) AS n FROM heard WHERE method = 'POST' AND path = '/purchase-orders'")[
                0
            ]["n"],
            "requests": self.rows("SELECT count(*) AS n FROM heard")[0]["n"],
        }


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "client": row["client"],
        "reference": row["reference"],
        "state": row["state"],
        **json.loads(row["body"]),
    }
