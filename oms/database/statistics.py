"""What PostgreSQL is told of a table before it has looked at it.

Every key and most indexes of an account's table begin with the account. Without statistics PostgreSQL takes an account
for one of two hundred, so that "this account and this id" looks as cheap by any index that begins with the account as
by the key; the plan that a foreign key is checked by may then read all units of the account for each row, and is kept
by the connection. Told that all rows are of one account, it takes the key. Its own statistics replace ours as soon as
it has any, which in a new account is after the first fifty rows.
"""

from typing import Any

OF_ONE_ACCOUNT_SINCE = 180_000
"""The version of PostgreSQL that has `pg_restore_attribute_stats`; older ones keep what they think."""

# https://www.postgresql.org/docs/18/functions-admin.html, "Statistics Manipulation Functions"
OF_ONE_ACCOUNT = """
SELECT pg_restore_attribute_stats(
    'schemaname', n.nspname::text, 'relname', c.relname::text, 'attname', a.attname::text, 'inherited', false,
    'null_frac', 0::real, 'avg_width', a.attlen::integer, 'n_distinct', 1::real)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id' AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.reltuples <= 0
ORDER BY c.relname
"""


def assume_one_account(connection: Any) -> None:
    """Tell PostgreSQL that all rows of each table in which it has seen none are of one account.

    `connection` is Django's, of the role that owns the tables.
    """
    if connection.pg_version >= OF_ONE_ACCOUNT_SINCE:
        with connection.cursor() as cursor:
            cursor.execute(OF_ONE_ACCOUNT)
