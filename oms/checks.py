"""System checks: a wrong set-up is named at start, with what to do, not found out later by a leak or a crash."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connections

from oms.postgresql import base


def role_faults(alias: str = "default") -> list[str]:
    """What is wrong with the role that connection `alias` uses; see oms.postgresql.base.role_faults."""
    with connections[alias].cursor() as cursor:
        return base.role_faults(cursor)


def check_roles(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Error where the application's database role could read past the tenant wall."""
    if "default" not in (databases or []):
        return []
    try:
        faults = role_faults()
    except base.WrongRole as error:
        faults = [str(error)]
    return [
        checks.Error(
            f"The role of DATABASE_URL must not be able to pass row-level security, but {fault}.",
            hint="Connect as lotline_app (NOSUPERUSER NOBYPASSRLS, owner of nothing); lotline_owner is for migrations.",
            id="lotline.E001",
        )
        for fault in faults
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
