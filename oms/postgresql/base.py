"""The database engine of Lotline; see docs/adr/0002 for why there are two roles and composite keys."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql import base, features


class DatabaseFeatures(features.DatabaseFeatures):
    """PostgreSQL as Django knows it, but for grouping by the model's primary key alone.

    In the database the key of an account table is (account_id, id), so `GROUP BY id` does not cover the other columns.
    """

    allows_group_by_selected_pks = False


class DatabaseWrapper(base.DatabaseWrapper):
    """Uses the features above and says plainly when no database was named."""

    features_class = DatabaseFeatures

    def get_connection_params(self) -> dict[str, Any]:
        """The parameters of a connection; raises ImproperlyConfigured with what to do where no URL was given."""
        if self.settings_dict["NAME"] == "":  # None is Django's own "connect to no database yet"
            raise ImproperlyConfigured(
                "No database is configured. Run `python3 manage.py up` (it starts one) and try again while it runs, "
                "or set DATABASE_URL and DATABASE_OWNER_URL."
            )
        return super().get_connection_params()
