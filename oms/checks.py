"""System checks: a wrong set-up is named at start, with what to do, not found out later by a leak or a crash."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connections

ROLE_FACTS = """
SELECT current_user, r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT FROM pg_class c WHERE c.relrowsecurity AND c.relowner = r.oid),
       EXISTS (SELECT FROM pg_roles o WHERE o.rolname = 'lotline_owner'
               AND current_user <> 'lotline_owner' AND pg_has_role(current_user, o.oid, 'MEMBER'))
FROM pg_roles r WHERE r.rolname = current_user
"""


def role_faults(alias: str = "default") -> list[str]:
    """What is wrong with the role that connection `alias` uses: any of these switches row-level security off."""
    with connections[alias].cursor() as cursor:
        cursor.execute(ROLE_FACTS)
        name, is_super, bypasses, owns, is_member = cursor.fetchone()
    found = {
        f"{name} is a superuser": is_super,
        f"{name} has BYPASSRLS": bypasses,
        f"{name} owns account tables": owns,
        f"{name} is a member of lotline_owner": is_member,
    }
    return [fault for fault, is_so in found.items() if is_so]


def check_roles(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Error where the application's database role could read past the tenant wall."""
    if "default" not in (databases or []):
        return []
    return [
        checks.Error(
            f"The role of DATABASE_URL must not be able to pass row-level security, but {fault}.",
            hint="Connect as lotline_app (NOSUPERUSER NOBYPASSRLS, owner of nothing); lotline_owner is for migrations.",
            id="lotline.E001",
        )
        for fault in role_faults()
    ]


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Errors for settings that would make tests or tasks lie."""
    found: list[checks.CheckMessage] = []
    if getattr(settings, "CELERY_TASK_ALWAYS_EAGER", False):
        found.append(
            checks.Error("Tasks must run in a worker.", hint="Remove CELERY_TASK_ALWAYS_EAGER.", id="lotline.E002")
        )
    if settings.IS_CONFIGURED and len(settings.SECRET_KEY) < 32:
        found.append(checks.Error("SECRET_KEY is short.", hint="Use 50 random characters.", id="lotline.E003"))
    return found
