"""Django's migrate, run as the role that owns the tables."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from oms.database.statistics import assume_one_account


class Command(migrate.Command):
    """Bring the database up to date, through the `owner` connection unless told otherwise."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Django's arguments, with another default database."""
        super().add_arguments(parser)  # type: ignore[arg-type]
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        """Django's, then what new tables are taken for until PostgreSQL has looked at them."""
        super().handle(*args, **options)
        if not (options["plan"] or options["check_unapplied"]):
            assume_one_account(connections[options["database"]])
