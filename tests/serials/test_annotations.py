"""Annotating locked units in one statement leaves exactly what the ledger's own way leaves."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.utils import timezone
from psycopg.sql import SQL

from oms.models import Sku
from oms.tenancy import account_context
from serials.lifecycle import Actor, Event
from serials.models import Unit, UnitEvent
from serials.queries.ledger_check import differences
from serials.services import Fact, Row
from serials.services.ledger import annotate_held, hold_units
from serials.services.units import By, annotate_held_units, annotate_units
from tests.serials.ledger_model import Place, record

BY = By(Actor.OFFICE, 7, occurred_at=datetime(2026, 3, 1, 12, tzinfo=UTC))
ALL = "SELECT id AS unit_id, 'Attributes: ' || serial AS reason FROM serials_unit"


@pytest.fixture
def units(in_a):
    """A unit in every status, one with a lot, notes and an order line, one void."""
    place = Place()
    sku, bins, line = place.skus["in_out"], place.bins, place.lines["in_out"][0]
    Sku.objects.filter(pk=sku).update(product_id="P-1", product_id_wh="W-1")
    serials = ("INCOMING", "VOID", "READY", "RESERVED", "HOLD", "IMPERFECT", "OUT")
    record("expect", *(Row(sku_id=sku, serial=serial) for serial in serials))
    found = dict(Unit.objects.values_list("serial", "pk"))
    record("void", Row(unit_id=found["VOID"]))
    for serial, bin_id in (("READY", bins[0]), ("RESERVED", bins[1]), ("OUT", bins[0]), ("HOLD", bins[2])):
        record("receive", Row(unit_id=found[serial], bin_id=bin_id, lot_id=place.lots["in_out"]), source=f"r:{serial}")
    record("receive", Row(unit_id=found["IMPERFECT"], bin_id=bins[3]))
    record("reserve", Row(unit_id=found["RESERVED"], order_line_id=line), order_no="O-1")
    record("ship", Row(unit_id=found["OUT"], order_line_id=line), order_no="O-1", process_id="S-1")
    annotate_units(rows=[Row(unit_id=pk, oms_notes="office") for pk in found.values()], by=By(Actor.OFFICE))
    record("annotate", *(Row(unit_id=pk, wms_notes="floor") for pk in found.values()), actor="warehouse")
    return found


def annotate(rows=ALL):
    hold_units(SQL(f"SELECT unit_id FROM ({rows}) AS r"))
    return annotate_held_units(rows=SQL(rows), params={}, by=BY)


def last_rows():
    own = {"id", "recorded_at"}
    rows = UnitEvent.objects.order_by("unit_id", "-pk").distinct("unit_id").values()
    return [{name: value for name, value in row.items() if name not in own} for row in rows]


def test_units_and_history_are_as_after_annotate_units(units):
    annotate_units(rows=[Row(unit_id=pk, reason=f"Attributes: {serial}") for serial, pk in units.items()], by=BY)
    expected = (last_rows(), list(Unit.objects.order_by("pk").values()))
    Unit.objects.update(updated_at=timezone.now())
    assert annotate() == 7
    assert (last_rows(), list(Unit.objects.order_by("pk").values())) == expected
    statuses = {(row["status"], row["is_void"]) for row in expected[0]}
    assert len(statuses) == 7
    assert {row["reason"] for row in expected[0]} == {f"Attributes: {serial}" for serial in units}
    assert list(differences()) == []


def test_units_of_another_account_are_not_found(units, account_b):
    with account_context(account_b):
        assert annotate(f"SELECT {units['READY']}::bigint AS unit_id, 'x' AS reason") == 0
    assert not UnitEvent.objects.filter(reason="x").exists()


def test_history_rows_of_a_call_are_in_the_order_of_the_units(units):
    annotate(f"{ALL} ORDER BY id DESC")
    found = UnitEvent.objects.order_by("pk").filter(reason__startswith="Attributes").values_list("unit_id", flat=True)
    assert list(found) == sorted(units.values())


@pytest.mark.parametrize(
    "fact", [Fact(Event.MOVE, Actor.WAREHOUSE), Fact(Event.ANNOTATE, Actor.OFFICE, source="receipt:1")]
)
def test_only_for_annotations_without_a_source(in_a, fact):
    with pytest.raises(ValueError, match="is not such an annotation"):
        annotate_held(fact, SQL(ALL), {})


def test_it_is_one_statement(units, django_assert_num_queries):
    hold_units(SQL("SELECT id FROM serials_unit"))
    with django_assert_num_queries(1, connection=connection):
        annotate_held_units(rows=SQL(ALL), params={}, by=BY)
