"""The test database as an older release left it, so that a data migration can be seen at work."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections
from django.db.migrations.executor import MigrationExecutor

CHANGED = (
    "replenishment_plannedserial",
    "replenishment_receipt",
    "replenishment_replenishmentline",
    "oms_discrepancy",
    "serials_unitattribute",
)
"""The tables of which migrations change rows: emptied before the way back, whatever a failed test left in them."""


class OldSchema:
    """What a test does with it: rows of the old shape by SQL, then `migrate`, then a look at what became of them."""

    def migrate(self, app: str, name: str) -> None:
        MigrationExecutor(connections["owner"]).migrate([(app, name)])

    def run(self, sql: str, *values: object) -> list[tuple]:
        with connections["owner"].cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def old_schema(app: str, name: str) -> Iterator[OldSchema]:
    """The schema at a migration of `app`, with all that builds on later ones undone; the newest again afterwards."""
    found = OldSchema()
    try:
        found.migrate(app, name)
        yield found
    finally:
        found.run(f"TRUNCATE {', '.join(CHANGED)} CASCADE")
        executor = MigrationExecutor(connections["owner"])
        executor.migrate(executor.loader.graph.leaf_nodes())
