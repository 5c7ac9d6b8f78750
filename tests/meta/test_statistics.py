"""What PostgreSQL does in tables that it has not looked at yet, as in the first hour of an account."""

import pytest
from django.db import connections
from psycopg.sql import SQL, Identifier

from oms.database.statistics import OF_ONE_ACCOUNT_SINCE

pytestmark = pytest.mark.django_db(databases=["default", "owner"])

# The tables that foreign keys point to, partitions too, in which PostgreSQL has seen nothing yet.
POINTED_TO = """
SELECT DISTINCT c.oid::regclass::text, k.conname FROM pg_constraint f
JOIN pg_class c ON c.oid = f.confrelid AND c.relkind = 'r' AND c.reltuples < 0
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id'
JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
WHERE f.contype = 'f' AND array_length(f.confkey, 1) = 2
"""
# What PostgreSQL runs for each row that points there (RI_FKey_check), without the lock.
CHECK = SQL("EXPLAIN SELECT 1 FROM ONLY {} x WHERE account_id = 1 AND id = 1")


def test_a_foreign_key_is_checked_by_the_key_of_the_other_table_before_there_are_statistics():
    owner = connections["owner"]
    with owner.cursor() as cursor:
        if owner.pg_version < OF_ONE_ACCOUNT_SINCE:
            pytest.skip("PostgreSQL before 18 takes no statistics from us")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(POINTED_TO)
        keys = dict(cursor.fetchall())
        plans = {}
        for table in keys:
            cursor.execute(CHECK.format(Identifier(table)))
            plans[table] = " ".join(line for (line,) in cursor.fetchall())

    assert "serials_unit_p0" in keys, "no partition of units is untouched: what is asserted here?"
    assert [f"{table}: {plan}" for table, plan in plans.items() if keys[table] not in plan] == []
