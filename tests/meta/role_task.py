"""Which role a process has, and a task that says it of a real worker (tests/settings.py imports it there)."""

from celery import shared_task
from django.core.cache import cache
from django.db import connection

FACTS = """
SELECT current_user, session_user, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb,
       (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid AND c.relpersistence <> 't'),
       (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid),
       (SELECT bool_and(row_security_active(c.oid)) FROM pg_class c WHERE c.relrowsecurity)
FROM pg_roles r WHERE r.rolname = current_user
"""
APP_ROLE = ["lotline_app", "lotline_app", False, False, False, False, 0, 0, True]


def role_facts() -> list[object]:
    """What PostgreSQL says of this process's role; of the application's it is APP_ROLE."""
    with connection.cursor() as cursor:
        cursor.execute(FACTS)
        return list(cursor.fetchone())


@shared_task(name="tests.tell_role")
def tell_role(key: str) -> None:
    """Leave the facts in the cache."""
    cache.set(key, role_facts(), timeout=60)
