"""All that an account has, as something to compare: nothing of it may change by what strangers do."""

from django.apps import apps
from django.db import connection

from oms.models import Account
from oms.tenancy import AccountModel, account_context

TABLES = [model._meta.db_table for model in apps.get_models() if issubclass(model, AccountModel)]
DIGESTS = " UNION ALL ".join(
    f"SELECT '{name}', md5(string_agg(t::text, ' ' ORDER BY id)) FROM {name} t" for name in TABLES
)


def fingerprint(account: Account) -> dict[str, object]:
    """Every row of an account, so that any change shows."""
    with account_context(account), connection.cursor() as cursor:
        cursor.execute(DIGESTS)
        members = sorted(account.memberships(manager="with_invited").values_list("pk", "person", "role", "joined_at"))
        return {**dict(cursor.fetchall()), "members": members}
