"""The database engine of Lotline; see docs/adr/0002 for why there are two roles and composite keys."""

from typing import Any

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


ROLE_FACTS = """
SELECT current_user, r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT FROM pg_class c WHERE c.relrowsecurity AND c.relowner = r.oid),
       EXISTS (SELECT FROM pg_roles o WHERE o.rolname = 'lotline_owner'
               AND current_user <> 'lotline_owner' AND pg_has_role(current_user, o.oid, 'MEMBER'))
FROM pg_roles r WHERE r.rolname = current_user
"""


RESTORING = "lotline_restoring"
"""The schema that is there while a backup is restored: what is in the database is not whole until it is gone."""


class BeingRestored(RuntimeError):
    """A restore into this database has not ended, so no process of the set may work on it."""


class WrongRole(RuntimeError):
    """The app's database role could read past the tenant wall (lotline.E001), so it is not used at all."""


def role_faults(cursor: Any) -> list[str]:
    """What is wrong with the role of a cursor's connection: any of these switches row-level security off."""
    cursor.execute(ROLE_FACTS)
    name, is_super, bypasses, owns, is_member = cursor.fetchone()
    found = {
        f"{name} is a superuser": is_super,
        f"{name} has BYPASSRLS": bypasses,
        f"{name} owns account tables": owns,
        f"{name} is a member of lotline_owner": is_member,
    }
    return [fault for fault, is_so in found.items() if is_so]


class DatabaseWrapper(base.DatabaseWrapper):
    """Uses the features above, says plainly when no database is named, and refuses the app a role that passes walls."""

    features_class = DatabaseFeatures
    is_role_known = False

    def init_connection_state(self) -> None:
        """Django's; the first connection of a process as the app also proves its role. Raises WrongRole."""
        super().init_connection_state()
        if self.alias != "default" or DatabaseWrapper.is_role_known:
            return
        with self.connection.cursor() as cursor:
            faults = role_faults(cursor)
            cursor.execute("SELECT to_regnamespace(%s) IS NOT NULL", [RESTORING])
            is_whole = not cursor.fetchone()[0]
        if faults:
            raise WrongRole(f"{' and '.join(faults)} (lotline.E001). Let DATABASE_URL name lotline_app")
        if settings.PROCESS and not is_whole:
            raise BeingRestored("A restore into this database has not ended. Run it again: it says what to do")
        DatabaseWrapper.is_role_known = True

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
