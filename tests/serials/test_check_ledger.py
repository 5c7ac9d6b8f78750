"""manage.py check_ledger: silent on a sound ledger, and each kind of damage is named with exit status 1.

Damage is done as the owner of the tables with their triggers off, as a restored backup or a hand in psql would.
"""

import io

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from oms.models import BinKind, OrderLine, Stock
from oms.services import stock
from oms.tenancy import account_context
from serials.lifecycle import Actor, Event
from serials.models import Unit, UnitEvent
from serials.services import Fact, Row, record_event
from serials.services.units import (
    By,
    annotate_units,
    move_units,
    release_units,
    reserve_units,
    return_units,
    ship_units,
)
from tests.factories import make_bin, make_order, make_serialized_sku, make_sku, make_stock, make_warehouse_link
from tests.serials.factories import make_units

pytestmark = pytest.mark.commits("the owner looks at the rows over its own connection")
WAREHOUSE = By(Actor.WAREHOUSE, reason="because")


def run(*args):
    """(exit status, what it printed)."""
    out = io.StringIO()
    try:
        call_command("check_ledger", *args, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue() + str(error)
    return 0, out.getvalue()


def damage(*statements):
    """Change rows behind everybody's back: row-level security does not hold for the owner, triggers are off."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relname ~ '^(serials_unitevent|oms_stockmove)(_p[0-9])?$'")
        logs = [name for (name,) in cursor.fetchall()]
        for name in logs:
            cursor.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
        for statement, *params in statements:
            cursor.execute(statement, params)
            assert cursor.rowcount != 0, f"this damages nothing: {statement}"
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in logs:
            cursor.execute(f"ALTER TABLE {name} ENABLE TRIGGER USER")


@pytest.fixture
def lived(account_a, account_b):
    """Units of account A that lived through every status, pieces that are counted, and a sound account B."""
    with account_context(account_b):
        make_units(3)
    with account_context(account_a):
        sku, link = make_serialized_sku(), make_warehouse_link()
        pick, reserved, damaged = (make_bin(link=link, kind=kind) for kind in BinKind)
        line = OrderLine.objects.get(order=make_order(sku, quantity=9))
        planned = [Row(sku_id=sku.pk, serial=f"SERIAL-P{number}") for number in range(12)]
        record_event(Fact(Event.EXPECT, Actor.OFFICE, process_id="R-1001"), planned)
        pks = list(Unit.objects.filter(sku=sku).order_by("pk").values_list("pk", flat=True))
        received = [Row(unit_id=pk, bin_id=pick.pk) for pk in pks[:9]]
        record_event(Fact(Event.RECEIVE, Actor.WAREHOUSE, process_id="R-1001"), received)
        reserve_units(unit_ids=pks[:4], line=line, by=By(Actor.OFFICE))
        release_units(unit_ids=pks[:1], by=WAREHOUSE)
        move_units(unit_ids=pks[4:5], to=reserved, by=WAREHOUSE)
        move_units(unit_ids=pks[5:6], to=damaged, by=WAREHOUSE)
        ship_units(rows=[Row(unit_id=pk) for pk in pks[1:3]], line=line, by=WAREHOUSE)
        return_units(rows=[Row(unit_id=pks[1], bin_id=reserved.pk)], by=WAREHOUSE, process_id="RET-1")
        record_event(Fact(Event.VOID, Actor.OFFICE, process_id="R-1001"), [Row(unit_id=pks[11])])
        annotate_units(rows=[Row(unit_id=pks[4], oms_notes="Look at this")], by=By(Actor.OFFICE))
        make_stock(quantity=7)
        loose = make_sku(workflow="out")
        make_stock(sku=loose, bin=pick, quantity=3)
    return {"sku": sku, "pick": pick, "pks": pks, "loose": loose}


def test_a_sound_ledger_is_exit_status_0(lived):
    status, said = run()
    assert status == 0, said
    assert "acme: 12 units" in said
    assert "bolt: 3 units" in said
    assert said.endswith("The ledger is sound.\n")


def test_one_account_can_be_asked_for(lived):
    status, said = run("--account", "bolt")
    assert (status, "acme" in said) == (0, False)
    assert run("--account", "nobody")[0] == 1


COLUMNS = [
    ("status", "'imperfect'"),
    ("bin_id", "NULL, status = 'out'"),
    ("wms_notes", "'Somebody wrote this'"),
    ("oms_notes", "'Somebody wrote this'"),
    ("process_type", "'return'"),
    ("process_id", "'R-9999'"),
    ("order_no", "'1'"),
    ("last_event", "'ship'"),
    ("last_source", "'x'"),
    ("serial", "'OTHER', serial_key = 'OTHER'"),
    ("updated_at", "now() + interval '1 day'"),
]


@pytest.mark.parametrize(("column", "value"), COLUMNS, ids=[name for name, _value in COLUMNS])
def test_a_unit_that_is_not_its_history_is_named(lived, column, value):
    pk = lived["pks"][6]
    damage((f"UPDATE serials_unit SET {column} = {value} WHERE id = %s", pk))
    status, said = run()
    assert status == 1
    assert f"(id {pk}): " in said
    assert f"{column} is" in said
    assert "unit is not the fold of its history" in said


def test_a_void_mark_that_nobody_made_is_named(lived):
    pk = lived["pks"][10]
    damage(("UPDATE serials_unit SET is_void = true WHERE id = %s", pk))
    status, said = run()
    assert (status, "is_void is true, its history says false" in said) == (1, True)


def test_a_lost_lot_or_line_is_named(lived, account_a):
    pk = lived["pks"][3]
    with account_context(account_a):
        other = OrderLine.objects.get(order=make_order(lived["sku"])).pk
    damage(
        (
            "INSERT INTO serials_lot (account_id, sku_id, number, number_key) VALUES (%s, %s, 'L9', 'L9')",
            account_a.pk,
            lived["sku"].pk,
        ),
        (
            "UPDATE serials_unit SET order_line_id = %s, lot_id = (SELECT max(id) FROM serials_lot) WHERE id = %s",
            other,
            pk,
        ),
    )
    status, said = run()
    assert status == 1
    assert f"order_line_id is {other}" in said
    assert "lot_id is" in said
    assert "stock and units differ" in said


def test_a_history_row_that_was_changed_is_named(lived):
    pk = lived["pks"][6]
    damage(
        (
            "UPDATE serials_unitevent SET event = 'ship', process_type = 'order' WHERE unit_id = %s AND bin_id > 0",
            pk,
        )
    )
    status, said = run()
    assert status == 1
    assert "history breaks the rules" in said
    assert "“ship” from incoming to ready as order is not allowed" in said


def test_a_history_row_of_the_wrong_process_is_named(lived):
    damage(
        ("UPDATE serials_unitevent SET process_type = 'move' WHERE unit_id = %s AND event = 'expect'", lived["pks"][6])
    )
    status, said = run()
    assert (status, "“expect” from new to incoming as move is not allowed" in said) == (1, True)


def test_a_history_row_that_is_gone_is_named(lived):
    damage(("DELETE FROM serials_unitevent WHERE unit_id = %s AND event = 'expect'", lived["pks"][1]))
    status, said = run()
    assert status == 1
    assert "is_planned is true, its history says false" in said
    damage(("DELETE FROM serials_unitevent WHERE unit_id = %s AND event = 'ship'", lived["pks"][1]))
    status, said = run()
    assert status == 1
    assert "“return” from reserved to hold" in said


def test_a_unit_without_history_is_named(lived):
    pk = lived["pks"][9]
    damage(("DELETE FROM serials_unitevent WHERE unit_id = %s", pk))
    status, said = run()
    assert status == 1
    assert "unit without history: unit SERIAL-P9 of SKU" in said


def test_stock_that_is_not_its_movements_is_named(lived):
    damage(("UPDATE oms_stock SET quantity = quantity + 1 WHERE sku_id = %s", lived["loose"].pk))
    status, said = run()
    assert status == 1
    assert f"SKU {lived['loose'].code} in bin {lived['pick'].name}: stock is 4, its movements say 3" in said


def test_a_movement_that_is_gone_is_named(lived):
    damage(("DELETE FROM oms_stockmove WHERE sku_id = %s", lived["loose"].pk))
    status, said = run()
    assert (status, "stock is 3, its movements say 0" in said) == (1, True)


def test_a_place_that_is_gone_is_named(lived):
    damage(("DELETE FROM oms_stock WHERE sku_id = %s", lived["loose"].pk))
    status, said = run()
    assert (status, "stock is 0, its movements say 3" in said) == (1, True)


def test_stock_of_in_out_that_is_not_its_units_is_named(lived, account_a):
    """Consistent with its movements, and still wrong: a piece without a unit."""
    with account_context(account_a):
        move = stock.Move(lived["sku"].pk, lived["pick"].pk, 1)
        stock.post_moves([move], cause=stock.Cause(event="receive", process_type="replenishment"), by_unit=True)
    status, said = run()
    assert status == 1
    assert "stock and units differ" in said
    assert "stock is 6, units there are 5" in said
    assert said.count("acme: ") == 2


def test_more_units_than_pieces_of_other_workflows_are_named(lived):
    damage(("UPDATE oms_sku SET workflow = 'out' WHERE id = %s", lived["sku"].pk))
    assert run()[0] == 0
    damage(
        ("UPDATE oms_stock SET quantity = 1 WHERE sku_id = %s AND bin_id = %s", lived["sku"].pk, lived["pick"].pk),
    )
    status, said = run()
    assert (status, "units there are 5, more than the stock of 1" in said) == (1, True)


def test_stock_below_zero_is_named(lived):
    check = "CHECK (quantity >= 0)"
    damage(("ALTER TABLE oms_stock DROP CONSTRAINT stock_not_negative",))
    try:
        damage(("UPDATE oms_stock SET quantity = -2 WHERE sku_id = %s", lived["loose"].pk))
        status, said = run()
        damage(("UPDATE oms_stock SET quantity = 3 WHERE sku_id = %s", lived["loose"].pk))
    finally:
        damage((f"ALTER TABLE oms_stock ADD CONSTRAINT stock_not_negative {check} NOT VALID",))
    assert status == 1
    assert "stock below zero" in said
    assert "stock is -2" in said


@pytest.mark.parametrize("serial", ["serial-p7", " SERIAL-P7", "ＳＥＲＩＡＬ-P7"])
def test_the_same_serial_twice_is_named(lived, serial):
    pk = lived["pks"][8]
    damage(("UPDATE serials_unit SET serial = %s, serial_key = 'HIDDEN' WHERE id = %s", serial, pk))
    status, said = run()
    assert status == 1
    assert "same serial twice: serial SERIAL-P7 of SKU" in said
    assert "serial is not normalised" in said
    assert "serial_key is HIDDEN, its serial says SERIAL-P7" in said


def test_many_differences_are_counted(lived, account_a, monkeypatch):
    monkeypatch.setattr("serials.queries.ledger_check.NAMED", 3)
    damage(("UPDATE serials_unit SET oms_notes = 'x' WHERE sku_id = %s", lived["sku"].pk))
    status, said = run("--account", "acme")
    assert status == 1
    assert "and 9 more" in said
    assert "12 differences" in said


def test_it_asks_as_often_for_many_units_as_for_few(lived, account_a):
    def asked():
        with CaptureQueriesContext(connection) as queries:
            run("--account", "acme")
        return len(queries)

    few = asked()
    with account_context(account_a):
        make_units(60)
    assert asked() == few


def test_it_writes_nothing(lived, account_a):
    with account_context(account_a):
        before = (list(Unit.objects.values_list()), UnitEvent.objects.count(), list(Stock.objects.values_list()))
    run()
    with account_context(account_a):
        assert (
            list(Unit.objects.values_list()),
            UnitEvent.objects.count(),
            list(Stock.objects.values_list()),
        ) == before
