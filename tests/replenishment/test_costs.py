"""What a receipt costs in an account that is new: so much per unit, however many there are and whatever was counted.

Told by the blocks and rows that its statements look at, which no busy machine changes.
"""

import json

import pytest
from django.db import connection, connections, transaction

from oms.tenancy import account_context
from replenishment.models import Receipt
from replenishment.receiving import ENTERED, Origin
from replenishment.services.receiving import apply_receipt
from replenishment.services.undoing import undo
from serials.models import Unit
from tests.factories import make_serialized_sku
from tests.replenishment.factories import incoming, incoming_line, make_submitted

FEW, MANY = 200, 2_000


@pytest.fixture
def stale(db):
    """The tables were counted while they were empty."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE")


def looked_at(plan):
    """The rows that a plan and all below it look at, those that they drop among them."""
    dropped = sum(count for name, count in plan.items() if name.startswith("Rows Removed by"))
    own = (plan["Actual Rows"] + dropped) * plan["Actual Loops"]
    return own + sum(looked_at(inner) for inner in plan.get("Plans", ()))


def work_of(work):
    """Statement → what it looks at; only those that find out which units are meant."""
    found = {}

    def explained(execute, sql, params, many, context):
        sql = sql if isinstance(sql, str) else sql.as_string(context["cursor"].connection)
        name = " ".join(sql.split()[:3])
        if name.startswith(("INSERT INTO stage", "SELECT u.sku_id, u.serial_key,", "SELECT u.id, e.id,")):
            point = transaction.savepoint()
            execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params, many, context)
            (plan,) = context["cursor"].fetchone()
            transaction.savepoint_rollback(point)
            top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
            found[name] = found.get(name, 0) + top["Shared Hit Blocks"] + top["Shared Read Blocks"] + looked_at(top)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explained):
        work()
    return found


def costs(account, person, count):
    """What is looked at for each unit: of receiving and of taking back."""
    with account_context(account):
        made = make_submitted((make_serialized_sku(), count))
        serials = list(Unit.objects.order_by("pk").values_list("serial", flat=True))
    with account_context(account):
        fact = incoming(made, incoming_line(made.lines.get().sku, serials=serials), origin=Origin(ENTERED))
        received = work_of(lambda: apply_receipt(fact, source="entered:1", actor=person))
        taken = work_of(lambda: undo(receipt_id=Receipt.objects.get().pk, reason="A mistake", actor=person))
    return {name: work / count for found in (received, taken) for name, work in found.items()}


@pytest.mark.commits("the owner counts the tables, and each receipt is a transaction")
def test_a_unit_of_many_costs_what_a_unit_of_few_costs(account_a, account_b, wes, stale):
    few, many = costs(account_a, wes, FEW), costs(account_b, wes, MANY)
    assert few.keys() == many.keys()
    assert len(few) >= 3
    assert {name: (few[name], many[name]) for name in few if many[name] > 1.5 * few[name] + 5} == {}
