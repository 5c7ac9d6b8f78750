"""The database engine of Lotline; see docs/adr/0002 for why there are two roles and composite keys."""

from typing import Any, ClassVar
from weakref import WeakSet

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql import base, features
from psycopg_pool import PoolTimeout


class DatabaseFeatures(features.DatabaseFeatures):
    """PostgreSQL as Django knows it, but for grouping by the model's primary key alone.

    In the database the key of an account table is (account_id, id), so `GROUP BY id` does not cover the other columns.
    """

    allows_group_by_selected_pks = False


RESTORING = "lotline_restoring"
"""The schema that is there while a backup is restored: what is in the database is not whole until it is gone."""
FACTS = """
SELECT to_regnamespace(%s) IS NOT NULL, current_user, r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT FROM pg_class c WHERE c.relrowsecurity AND c.relowner = r.oid),
       EXISTS (SELECT FROM pg_roles o WHERE o.rolname = 'lotline_owner'
               AND current_user <> 'lotline_owner' AND pg_has_role(current_user, o.oid, 'MEMBER'))
FROM pg_roles r WHERE r.rolname = current_user
"""


class BeingRestored(psycopg.errors.CannotConnectNow):
    """A restore into this database has not ended, so no process of the set may work on it (Fault.RESTORING)."""

    sqlstate = "LR001"


class WrongRole(RuntimeError):
    """The app's database role could read past the tenant wall (lotline.E001), so it is not used at all."""


def role_faults(cursor: Any) -> list[str]:
    """What is wrong with the role of a cursor's connection: any of these switches row-level security off."""
    return _facts(cursor)[1]


def _facts(cursor: Any) -> tuple[bool, list[str]]:
    """Whether a backup is being restored into the database, and `role_faults`; one statement."""
    cursor.execute(FACTS, [RESTORING])
    is_restoring, name, is_super, bypasses, owns, is_member = cursor.fetchone()
    found = {
        f"{name} is a superuser": is_super,
        f"{name} has BYPASSRLS": bypasses,
        f"{name} owns account tables": owns,
        f"{name} is a member of lotline_owner": is_member,
    }
    return is_restoring, [fault for fault, is_so in found.items() if is_so]


class DatabaseWrapper(base.DatabaseWrapper):
    """Uses the features above, says plainly when no database is named, and refuses the app a role that passes walls."""

    features_class = DatabaseFeatures
    # Of each connection to the server, not once a process: one may outlive the database, and find another of its name.
    _proven: ClassVar[WeakSet[Any]] = WeakSet()

    def init_connection_state(self) -> None:
        """Django's; a new connection as the app also proves itself. Raises WrongRole, BeingRestored."""
        super().init_connection_state()
        if self.alias != "default" or self.connection in self._proven:
            return
        try:
            self._prove()
        except BaseException:
            self.close()  # else the next query of this thread would use it
            raise
        self._proven.add(self.connection)

    def _prove(self) -> None:
        with self.connection.cursor() as cursor:
            is_restoring, faults = _facts(cursor)
        if faults:
            raise WrongRole(f"{' and '.join(faults)} (lotline.E001). Let DATABASE_URL name lotline_app")
        if settings.PROCESS and is_restoring:
            raise BeingRestored("A restore into this database has not ended. Run it again: it says what to do")

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Django's. Where the pool gives up, the server is asked once for the reason, which a pool keeps to itself."""
        try:
            return super().get_new_connection(conn_params)
        except PoolTimeout:
            psycopg.connect(**{**conn_params, "connect_timeout": 1}).close()
            raise

    def get_connection_params(self) -> dict[str, Any]:
        """The parameters of a connection; raises ImproperlyConfigured with what to do where no URL was given."""
        if self.settings_dict["NAME"] == "":  # None is Django's own "connect to no database yet"
            raise ImproperlyConfigured(
                "No database is configured. Run `python3 manage.py up` (it starts one) and try again while it runs, "
                "or set DATABASE_URL and DATABASE_OWNER_URL."
            )
        return super().get_connection_params()
