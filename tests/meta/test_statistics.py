"""What PostgreSQL does in tables that it has not looked at yet, as in the first hour of an account."""

import pytest
from django.core.management import call_command
from django.db import connections
from psycopg.sql import SQL, Identifier

from oms.database.statistics import OF_ONE_ACCOUNT_SINCE

pytestmark = pytest.mark.django_db(databases=["default", "owner"])

# The tables that foreign keys point to, partitions too.
POINTED_TO = """
SELECT DISTINCT c.relname, k.conname FROM pg_constraint f
JOIN pg_class c ON c.oid = f.confrelid AND c.relkind = 'r'
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id'
JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
WHERE f.contype = 'f' AND array_length(f.confkey, 1) = 2
"""
# As if PostgreSQL had never looked: autovacuum may have, in the course of a session.
FORGET = """
SELECT pg_clear_relation_stats('public', %(table)s),
    pg_clear_attribute_stats('public', %(table)s, a.attname::text, false)
FROM pg_attribute a WHERE a.attrelid = %(table)s::regclass AND a.attnum > 0 AND NOT a.attisdropped
"""
# What PostgreSQL runs for each row that points there (RI_FKey_check), without the lock.
CHECK = SQL("EXPLAIN SELECT 1 FROM ONLY {} x WHERE account_id = 1 AND id = 1")


def test_a_foreign_key_is_checked_by_the_key_of_the_other_table_before_there_are_statistics():
    owner = connections["owner"]
    if owner.pg_version < OF_ONE_ACCOUNT_SINCE:
        pytest.skip("PostgreSQL before 18 takes no statistics from us")
    with owner.cursor() as cursor:
        cursor.execute(POINTED_TO)
        keys = dict(cursor.fetchall())
        for table in keys:
            cursor.execute(FORGET, {"table": table})
        call_command("migrate", verbosity=0)
        cursor.execute("SET LOCAL enable_seqscan = off")
        plans = {}
        for table in keys:
            cursor.execute(CHECK.format(Identifier(table)))
            plans[table] = " ".join(line for (line,) in cursor.fetchall())

    assert "serials_unit_p0" in keys
    assert [f"{table}: {plan}" for table, plan in plans.items() if keys[table] not in plan] == []
