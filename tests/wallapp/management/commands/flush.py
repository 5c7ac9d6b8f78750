"""Django's flush truncates every table, a second for ours with all their partitions; this empties those with rows."""

from django.core.management.commands import flush
from django.db import connections, transaction

KEPT = {"django_content_type", "auth_permission"}  # made by migrate, and nothing changes them


class Command(flush.Command):
    """What a transaction test calls at its end, as the owner of the tables."""

    def handle(self, **options):
        """Empty the tables; the content types stay, so nothing is told to make them again."""
        alias = options["database"]
        with transaction.atomic(alias), connections[alias].cursor() as cursor:
            tables = set(connections[alias].introspection.django_table_names(only_existing=True, include_views=False))
            cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (TABLE {name})" for name in tables - KEPT))
            filled = {name for (name,) in cursor.fetchall()}
            cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE '%_append_only'")
            history = filled & {name for (name,) in cursor.fetchall()}
            if history:  # refuses DELETE; and TRUNCATE comes first, because it cannot wait for deferred checks
                cursor.execute(f"TRUNCATE {', '.join(sorted(history))} CASCADE")
            for name in filled - history:
                cursor.execute(f"DELETE FROM {name}")
