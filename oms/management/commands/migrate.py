"""Django's migrate, run as the role that owns the tables."""

from argparse import ArgumentParser

from django.core.management.commands import migrate


class Command(migrate.Command):
    """Bring the database up to date, through the `owner` connection unless told otherwise."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Django's arguments, with another default database."""
        super().add_arguments(parser)  # type: ignore[arg-type]
        parser.set_defaults(database="owner")
