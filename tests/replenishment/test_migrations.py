"""What the migrations make of rows that older releases wrote."""

import json

import pytest

from oms.tenancy import account_context
from serials.lifecycle import Actor, Event
from serials.services import Fact, Row, record_event
from tests.factories import make_bin, make_serialized_sku, make_sku
from tests.old_schema import old_schema
from tests.replenishment.factories import line_of, make_replenishment

pytestmark = pytest.mark.commits("migrations change the schema as the owner")

PLAN = """
INSERT INTO replenishment_plannedserial (account_id, line_id, sku_id, serial, serial_key, state, is_generated)
VALUES (%s, %s, %s, %s, %s, %s, false)
"""
RECEIPT = """
INSERT INTO replenishment_receipt (account_id, replenishment_id, source, external_id, occurred_at, quantity, raw)
VALUES (%s, %s, %s, %s, now(), 0, %s) RETURNING id
"""
RECEIPT_LINE = """
INSERT INTO replenishment_receiptline
    (account_id, receipt_id, line_id, sku_id, position, sku_code, quantity, applied_quantity)
VALUES (%s, %s, %s, %s, %s, %s, 1, 1)
"""
POSITIONS = """
SELECT d.external_id, array_agg(r.sent_position ORDER BY r.position) FROM replenishment_receiptline r
JOIN replenishment_receipt d ON d.account_id = r.account_id AND d.id = r.receipt_id GROUP BY d.id, d.external_id
"""


def register(sku, *serials):
    rows = [Row(sku_id=sku.pk, serial=serial, bin_id=make_bin().pk, is_new_allowed=True) for serial in serials]
    record_event(Fact(Event.RECEIVE, Actor.WAREHOUSE, process_id="R-1", source=f"test:{sku.pk}"), rows)


def test_planned_serials_of_every_old_state(account_a):
    with account_context(account_a):
        sku, other = make_serialized_sku(), make_serialized_sku()
        line = line_of(make_replenishment((sku, 9)))
        register(sku, "LIVING", "TWICE", "VOID")
        register(other, "NEVER", "AGAIN")  # the same numbers of another SKU are other units
    rows = [
        ("DRAFT", "draft", "planned"),
        ("LIVING", "submitted", "planned"),
        ("VOID", "submitted", "released"),
        ("NEVER", "submitted", "released"),
        ("GONE", "removed", "removed"),
        ("TWICE", "submitted", "released"),  # cancelled, and planned and submitted again since
        ("TWICE", "submitted", "planned"),
        ("AGAIN", "submitted", "released"),  # cancelled, and planned again since
        ("AGAIN", "draft", "planned"),
    ]
    with old_schema("replenishment", "0001_initial") as old:
        old.run("UPDATE serials_unit SET is_void = true, status = 'incoming', bin_id = NULL WHERE serial_key = 'VOID'")
        for serial, state, _after in rows:
            old.run(PLAN, account_a.pk, line.pk, sku.pk, serial, serial, state)
        old.migrate("replenishment", "0002_planned_states")
        found = old.run("SELECT serial, state FROM replenishment_plannedserial ORDER BY id")
    assert found == [(serial, after) for serial, _before, after in rows]


AS_SENT = [
    ("positions", "7:receipts:RC-1", [("A", 1), ("B", 3), ("A", 2)], [1, 3, 2]),
    ("no positions", "7:receipts:RC-2", [("a ", None), ("B", 3), ("A", None)], [None, 3, None]),
    ("some positions", "7:receipts:RC-3", [("A", None), ("B", None), ("A", 2)], [None, None, 2]),
    ("the rest of a version", "7:receipts:RC-3@1", [("X", 9), ("A", 1), ("B", None), ("A", 2)], [1, None, 2]),
    ("no lines", "7:receipts:RC-4", None, [None, None, None]),
    ("typed in", "browser:1", [("A", 1), ("B", 3), ("A", 2)], [None, None, None]),
]


def test_the_position_that_was_sent(account_a):
    with account_context(account_a):
        a, b = make_sku(code="A"), make_sku(code="B")
        made = make_replenishment((a, 1), (a, 1), (b, 1))
        first, second, third = (line_of(made, position) for position in (1, 2, 3))
    with old_schema("replenishment", "0002_planned_states") as old:
        for name, source, sent, _expected in AS_SENT:
            raw = {"lines": [{"sku": sku, "line": position} for sku, position in sent]} if sent else {}
            ((receipt,),) = old.run(RECEIPT, account_a.pk, made.pk, source, name, json.dumps(raw))
            for place, (line, sku) in enumerate([(first, a), (third, b), (second, a)], 1):
                old.run(RECEIPT_LINE, account_a.pk, receipt, line.pk, sku.pk, place, sku.code)
        old.migrate("replenishment", "0003_sent_position")
        found = old.run(POSITIONS)
    assert dict(found) == {name: expected for name, _source, _sent, expected in AS_SENT}


def test_the_lot_of_a_line_becomes_the_lot_of_all_its_units(account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(), 7), (make_sku(), 3))
    with old_schema("replenishment", "0003_sent_position") as old:
        old.run(
            "UPDATE replenishment_replenishmentline SET lot_number = 'L-1', lot_expires_on = '2027-01-31' "
            "WHERE replenishment_id = %s AND position = 1",
            made.pk,
        )
        old.migrate("replenishment", "0004_details_and_lots")
        found = old.run("SELECT number, expires_on::text, quantity FROM replenishment_replenishmentlot")
        assert found == [("L-1", "2027-01-31", 7)]
        old.run("UPDATE replenishment_replenishmentlot SET number = 'L-2'")
        old.migrate("replenishment", "0003_sent_position")
        found = old.run("SELECT position, lot_number, lot_expires_on::text FROM replenishment_replenishmentline")
        assert sorted(found) == [(1, "L-2", "2027-01-31"), (2, "", None)]
