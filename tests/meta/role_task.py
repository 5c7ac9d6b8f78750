"""Which role a process has, and a task that says it of a real worker (tests/settings.py imports it there)."""

from celery import shared_task
from django.core.cache import cache
from django.db import connection

from oms.tenancy import account_context

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


LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


def patience(account_id: int) -> list[str]:
    """How long PostgreSQL lets this process have, inside an account, for each of LIMITS."""
    with account_context(account_id), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(name) FROM unnest(%s::text[]) AS name", [list(LIMITS)])
        return [value for (value,) in cursor.fetchall()]


@shared_task(name="tests.tell_patience")
def tell_patience(key: str, account_id: int) -> None:
    """Leave it in the cache."""
    cache.set(key, patience(account_id), timeout=60)
