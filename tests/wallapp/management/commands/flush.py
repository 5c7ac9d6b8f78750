"""Django's flush truncates every table, a second for ours with all their partitions; this empties those with rows."""

from django.core.management.commands import flush
from django.db import connections

KEPT = ["django_migrations", "django_content_type", "auth_permission"]  # made by migrate, and nothing changes them
# A table or partition whose file is empty holds no row. Whoever refuses DELETE is history.
FILLED = """
SELECT oid::regclass::text, EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname LIKE '%%_append_only')
FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
AND pg_relation_size(oid) > 0 AND relname <> ALL (%s)
"""


class Command(flush.Command):
    """What a transaction test calls at its end, as the owner of the tables."""

    def handle(self, **options):
        """Empty the tables; the content types stay, so nothing is told to make them again."""
        with connections[options["database"]].cursor() as cursor:
            cursor.execute(FILLED, [KEPT])
            found = cursor.fetchall()
            # TRUNCATE makes new files for a table and all its indexes, so it is for those that refuse DELETE. It comes
            # first, because it cannot wait for deferred checks. All is sent at once, which makes it one transaction.
            history = ", ".join(name for name, is_history in found if is_history)
            truncate = [f"TRUNCATE {history} CASCADE"] if history else []
            delete = [f"DELETE FROM {name}" for name, is_history in found if not is_history]
            cursor.execute("; ".join(truncate + delete))
