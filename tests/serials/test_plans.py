"""PostgreSQL's plans for every filter of the Serials grid: under row-level security, as the app, at 200,000 units."""

import re

import pytest
from django.db import connection

from bench import units
from bench.needles import GLOBAL, PLAIN, TEXT, cases, pairs
from oms.models import Account, Role
from oms.tenancy import account_context
from tests.conftest import _person

ROWS = 200_000


@pytest.fixture
def plans(db, client_for):
    """`plans(**query)`: the page's statements on units with their plans, explained inside the request itself."""
    for n in range(1, len(units.SHARES) + 1):
        Account.objects.create(name=f"Bench {n}", slug=f"bench-{n}")
    units.fill(ROWS)
    client = client_for(_person("Ana", **{"bench-1": Role.ADMIN}))

    def ask(**query):
        found = []

        def explained(execute, sql, params, many, context):
            sql = sql if isinstance(sql, str) else sql.as_string(context["cursor"].connection)
            if '"serials_unit_v"' in sql:
                with connection.connection.cursor() as cursor:
                    lines = cursor.execute(f"EXPLAIN {sql}", params).fetchall()
                found.append((sql, "\n".join(line for (line,) in lines)))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(explained):
            assert client.get("/bench-1/inventory/serials/", query).status_code == 200
        assert found
        return found

    return ask


@pytest.mark.slow
@pytest.mark.commits("the bench commits what it fills in")
def test_every_filter_uses_an_index(plans):
    with account_context(Account.objects.get(slug="bench-1")):
        texts = [case.query for name in (*TEXT, GLOBAL) for case in cases(name)[:4]] + [
            case.query for case in pairs() if re.search("[A-Z]", case.query["serial"])
        ]
        texts += [{"serial": "~q"}, {"serial": "qzj7"}, {"q": "qzj7"}, {"wms_notes": "xylophone"}]
    for query in texts:
        for sql, plan in plans(**query):
            # Of a text that thousands have, any sample will do: the first rows that are read are as good as an index.
            is_common = "MATERIALIZED" in sql and re.search(r"CTE m\n.*?Limit .*rows=\d{4,}", plan)
            assert is_common or not re.search(r"Seq Scan on serials_unit", plan), (query, sql, plan)


@pytest.mark.slow
@pytest.mark.commits("the bench commits what it fills in")
def test_every_other_filter_and_every_sort_walks_an_index(plans):
    queries = [case.query for found in PLAIN.values() for case in found]
    sorts = [{"sort": way + name} for way in ("", "-") for name in ("serial", "status", "update")]
    for query in queries + sorts:
        page = next(plan for sql, plan in plans(**query) if "LIMIT 51" in sql)
        assert "Index" in page, (query, page)
        assert not re.search(r"Seq Scan on serials_unit|Sort Key: serials_unit", page), (query, page)
