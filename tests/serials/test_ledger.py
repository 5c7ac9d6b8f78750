"""What the ledger promises beside the table of events: bad rows, the same fact twice, typed serials, statements."""

import json

import pytest
from django.db import DatabaseError, connection, connections, transaction
from psycopg.sql import SQL

from oms.errors import DomainError
from oms.models import OrderLine, Sku, Stock, StockMove
from oms.services import stock
from oms.services.stock import NotEnoughStock
from oms.tenancy import account_context, current_account_id
from serials.lifecycle import Actor, Event
from serials.models import Lot, Unit, UnitEvent
from serials.services import Fact, Refused, Row, Staging, ledger_sql, record_event
from tests import factories
from tests.serials.ledger_model import Place, record
from tests.serials.test_ledger_table import everything


@pytest.fixture
def place(in_a):
    return Place()


@pytest.fixture
def sku(place):
    return place.skus["in_out"]


@pytest.fixture
def pick(place):
    return place.bin_of("pick")


def new(sku, serial="SN-1", **fields):
    return Row(sku_id=sku, serial=serial, is_new_allowed=True, **fields)


def received(sku, pick, *serials):
    record("receive", *(new(sku, serial, bin_id=pick) for serial in serials))
    return [Unit.objects.get(sku=sku, serial=serial).pk for serial in serials]


# --- rows that cannot be ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("serial", "why"),
    [
        ("", "cannot be empty"),
        ("   ", "cannot be empty"),
        ("x" * 300, "100 characters at most"),
        ("ﷺ" * 50, "100 characters at most"),  # one character that NFKC makes eighteen
        ("a\0b", "Remove U+"),
        ("a\tb", "Remove U+"),
        ("a\ud800b", "Remove U+"),
    ],
)
def test_what_cannot_be_a_serial_is_refused_in_words(sku, pick, serial, why):
    before = everything()
    with pytest.raises(Refused, match=why) as refused:
        record("receive", new(sku, "GOOD", bin_id=pick), new(sku, serial, bin_id=pick))
    assert [state for _serial, state in refused.value.units] == ["new"]
    assert everything() == before
    assert str(refused.value).isprintable()


def test_many_bad_serials_are_counted_and_the_first_are_named(sku, pick):
    with pytest.raises(Refused, match="and 30 more") as refused:
        record("receive", *(new(sku, "x" * (200 + n), bin_id=pick) for n in range(50)))
    assert len(refused.value.units) == 20


@pytest.mark.parametrize("name", ["process_id", "order_no", "source", "reason"])
@pytest.mark.parametrize("text", ["x" * 401, "a\0b", "a\udfffb"])
def test_texts_of_a_fact_that_do_not_fit_are_refused_in_words(sku, pick, name, text):
    before = everything()
    with pytest.raises(DomainError, match=r"too long|cannot be stored"):
        record("receive", new(sku, bin_id=pick), **{name: text})
    assert everything() == before


@pytest.mark.parametrize("name", ["wms_notes", "oms_notes", "source", "reason"])
@pytest.mark.parametrize("text", ["x" * 2001, "a\0b"])
def test_texts_of_a_row_that_do_not_fit_are_refused_in_words(sku, pick, name, text):
    before = everything()
    with pytest.raises(DomainError, match=r"too long|cannot be stored"):
        record("receive", new(sku, bin_id=pick, **{name: text}))
    assert everything() == before


def test_a_reason_longer_than_stock_keeps_is_whole_in_the_history(sku, pick):
    record("receive", new(sku, bin_id=pick), reason="r" * 400)
    assert UnitEvent.objects.get().reason == "r" * 400
    assert StockMove.objects.get().reason == "r" * 250


def test_ids_of_another_account_are_as_unknown_as_invented_ones(account_a, account_b):
    with account_context(account_b):
        theirs = Place()
        (their_unit,) = received(theirs.skus["in_out"], theirs.bin_of("pick"), "SN-1")
        their_event, untouched = UnitEvent.objects.get().pk, everything()
    with account_context(account_a):
        ours = Place()
        sku, pick = ours.skus["in_out"], ours.bin_of("pick")
        (unit,) = received(sku, pick, "OURS")
        before = everything()
        for foreign in (theirs, None):
            unit_id, sku_id, bin_id, lot_id, line_id, event_id = (
                (their_unit, theirs.skus["in_out"], theirs.bins[0], theirs.lots["in_out"], theirs.lines["in_out"][0])
                if foreign
                else (10**15,) * 5
            ) + ((their_event if foreign else 10**15),)
            for event, row, words in (
                ("move", Row(unit_id=unit_id, bin_id=pick), "does not exist"),
                ("receive", new(sku_id, bin_id=pick), "SKU that does not exist"),
                ("move", Row(unit_id=unit, bin_id=bin_id), "bin does not exist"),
                ("annotate", Row(unit_id=unit, lot_id=lot_id), "no such lot"),
                ("reserve", Row(unit_id=unit, order_line_id=line_id), "no such order line"),
                ("unreceive", Row(unit_id=unit, corrects_id=event_id), "not in its history"),
            ):
                with pytest.raises(Refused, match=words):
                    record(event, row)
        assert everything() == before
    with account_context(account_b):
        assert everything() == untouched


def test_a_lot_or_a_line_of_another_sku_is_refused(place, sku, pick):
    (unit,) = received(sku, pick, "SN-1")
    with pytest.raises(Refused, match="no such lot of its SKU"):
        record("annotate", Row(unit_id=unit, lot_id=place.lots["out"]))
    with pytest.raises(Refused, match="no such order line of its SKU"):
        record("ship", Row(unit_id=unit, order_line_id=place.lines["out"][0]))


def test_a_unit_named_twice_is_refused_however_it_is_named(sku, pick):
    before = everything()
    with pytest.raises(Refused, match="is named twice"):
        record("receive", new(sku, "ab", bin_id=pick), new(sku, " AB ", bin_id=pick))
    assert everything() == before
    (unit,) = received(sku, pick, "SN-1")
    for rows in (
        (Row(unit_id=unit, bin_id=pick), Row(unit_id=unit, bin_id=pick)),
        (Row(unit_id=unit, bin_id=pick), new(sku, "sn-1", bin_id=pick)),
    ):
        with pytest.raises(Refused, match="SN-1 is named twice"):
            record("move", *rows)


def test_one_refused_unit_stops_all_and_is_named_with_status_and_event(sku, pick):
    units = received(sku, pick, "SN-1", "SN-2")
    record("ship", Row(unit_id=units[1]))
    before = everything()
    with pytest.raises(Refused, match="SN-2 is Out: “Moved” is not possible") as refused:
        record("move", *(Row(unit_id=pk, bin_id=pick) for pk in units))
    assert refused.value.units == [("SN-2", "out")]
    assert everything() == before


# --- serials ----------------------------------------------------------------------------------------------------------
def test_a_serial_is_kept_as_typed_and_is_the_same_in_every_spelling(sku, pick):
    received(sku, pick, " ab-1")
    unit = Unit.objects.get()
    assert (unit.serial, unit.serial_key) == (" ab-1", "AB-1")
    for spelling in ("ab-1", "AB-1  ", "ＡＢ-1"):
        record("move", Row(sku_id=sku, serial=spelling, bin_id=pick))
        with pytest.raises(Refused):
            record("receive", new(sku, spelling, bin_id=pick))
    assert set(UnitEvent.objects.values_list("serial", flat=True)) == {" ab-1"}
    record("receive", new(sku, "AB1", bin_id=pick), new(sku, "AB 1", bin_id=pick))  # dashes and spaces do count
    assert Unit.objects.count() == 3


def test_the_same_serial_under_two_skus_is_two_units(sku, pick):
    other = factories.make_serialized_sku().pk
    record("receive", new(sku, "SN-1", bin_id=pick), new(other, "SN-1", bin_id=pick))
    record("ship", Row(sku_id=other, serial="SN-1"))
    assert dict(Unit.objects.values_list("sku_id", "status")) == {sku: "ready", other: "out"}


# --- facts ------------------------------------------------------------------------------------------------------------
def test_the_same_fact_again_is_skipped_even_where_it_could_not_happen_any_more(sku, pick):
    (first,) = received(sku, pick, "SN-1")
    rows = [new(sku, "SN-1"), new(sku, "SN-2")]
    record("expect", rows[1], source="f")
    record("ship", Row(unit_id=first), source="s")
    before = everything()
    done = record("ship", Row(unit_id=first), source="s")
    assert (done.count, done.skipped) == (0, 1)
    assert everything() == before
    done = record("annotate", Row(unit_id=first, source="s"), new(sku, "SN-2", source="mine"))
    assert (done.count, done.skipped) == (1, 1)


def test_an_annotation_between_does_not_count_as_the_last_thing_that_happened(sku, pick):
    (unit,) = received(sku, pick, "SN-1")
    record("annotate", Row(unit_id=unit, wms_notes="n"))
    record("unreceive", Row(unit_id=unit))
    found = Unit.objects.get()
    assert (found.status, found.is_void, found.wms_notes) == ("incoming", True, "n")


def test_an_annotation_keeps_process_and_order_and_never_moves_a_unit(place, sku, pick):
    (unit,) = received(sku, pick, "SN-1")
    record("annotate", Row(unit_id=unit, bin_id=place.bins[3], oms_notes="n"), process_id="X", order_no="Y")
    found = Unit.objects.get()
    assert (found.bin_id, found.status, found.process_id, found.order_no) == (pick, "ready", "P", "")


def test_a_changed_lot_moves_the_stock_of_the_lot(place, sku, pick):
    (unit,) = received(sku, pick, "SN-1")
    record("annotate", Row(unit_id=unit, lot_id=place.lots["in_out"]))
    assert dict(Stock.objects.values_list("lot_key", "quantity")) == {0: 0, place.lots["in_out"]: 1}


def test_freed_counts_reservations_and_their_lines_are_flagged(place, sku, pick):
    line, other = place.lines["in_out"]
    units = received(sku, pick, "SN-1", "SN-2", "SN-3")
    record("reserve", *(Row(unit_id=pk, order_line_id=line) for pk in units[:2]))
    record("reserve", Row(unit_id=units[2], order_line_id=other))
    done = record("move", *(Row(unit_id=pk, bin_id=place.bin_of("damaged")) for pk in units[:2]))
    assert done.freed == 2
    assert OrderLine.objects.get(pk=line).attention
    assert record("ship", Row(unit_id=units[2], order_line_id=other)).freed == 0
    assert not OrderLine.objects.get(pk=other).attention


def test_a_voided_shipment_frees_only_what_it_shipped(sku, pick):
    (unit,) = received(sku, pick, "SN-1")
    record("ship", Row(unit_id=unit), process_id="S-1")
    record("unship", Row(unit_id=unit, bin_id=pick), process_id="S-1")
    record("ship", Row(unit_id=unit), process_id="S-2")
    with pytest.raises(Refused):
        record("unship", Row(unit_id=unit, bin_id=pick), process_id="S-1")


def test_a_shipment_by_quantity_cannot_take_a_known_unit_or_more_than_there_is(place, pick):
    sku = place.skus["out"]
    stock.post_moves([stock.Move(sku, pick, 1)], cause=stock.Cause("receive", "replenishment"))
    record("ship", new(sku, "A", bin_id=pick))
    with pytest.raises(NotEnoughStock):
        record("ship", new(sku, "B", bin_id=pick))
    record("return", Row(sku_id=sku, serial="A", bin_id=pick))
    assert Stock.objects.get(sku=sku, bin=pick).quantity == 1
    with pytest.raises(NotEnoughStock, match="known units"):
        record("ship", new(sku, "B", bin_id=pick))
    assert not Unit.objects.filter(serial="B").exists()


@pytest.mark.parametrize("table", ["serials_unitevent", "oms_stockmove"])
@pytest.mark.parametrize("change", ["UPDATE {} SET reason = 'other'", "DELETE FROM {}"])
@pytest.mark.commits("the owner looks at the rows over its own connection")
def test_history_and_movements_are_append_only_even_for_the_owner(account_a, table, change):
    with account_context(account_a):
        place = Place()
        received(place.skus["in_out"], place.bin_of("pick"), "SN-1")
        with (
            connection.cursor() as cursor,
            pytest.raises(DatabaseError, match="permission denied"),
            transaction.atomic(),
        ):
            cursor.execute(change.format(table))
    with connections["owner"].cursor() as cursor, pytest.raises(DatabaseError, match="append-only"):
        cursor.execute(change.format(table))


# --- statements -------------------------------------------------------------------------------------------------------
STATEMENTS = 27
"""Of every call that moves stock, savepoints included; EXPECT moves none, and takes six less."""


def statements(call):
    """How many statements a call sends, with the COPY that Django does not count."""
    sent = []

    def listen(execute, sql, params, many, context):
        sent.append(str(sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        call()
    return len(sent)


def test_one_unit_and_ten_thousand_take_the_same_number_of_statements(sku, pick, place):
    counts = {}
    for n in (1, 10_000):
        serials = [f"S{n}-{i}" for i in range(n)]
        rows = [Row(sku_id=sku, serial=serial) for serial in serials]
        here = [Row(sku_id=sku, serial=serial, bin_id=pick) for serial in serials]
        there = [Row(sku_id=sku, serial=serial, bin_id=place.bins[1]) for serial in serials]
        steps = {"expect": rows, "receive": here, "move": there, "ship": rows}
        counts[n] = {event: statements(lambda: record(event, *rows)) for event, rows in steps.items()}  # noqa: B023
    assert Unit.objects.filter(status="out").count() == 10_001
    assert UnitEvent.objects.count() == 4 * 10_001
    assert not Stock.objects.exclude(quantity=0).exists()
    moving = dict.fromkeys(("receive", "move", "ship"), STATEMENTS)
    assert counts == {1: {"expect": STATEMENTS - 6, **moving}, 10_000: {"expect": STATEMENTS - 6, **moving}}


def test_rows_that_are_in_the_database_need_not_come_back(sku):
    fact = Fact(Event.EXPECT, Actor.OFFICE, process_id="R-1", source="r-1")
    select = "SELECT id, 'SN-' || n, 'SN-' || n FROM oms_sku, generate_series(1, 50) AS n WHERE id = %s"
    assert record_event(fact, Staging(SQL(select), [sku])).count == 50
    assert record_event(fact, Staging(SQL(select), [sku])).skipped == 50
    assert Unit.objects.filter(status="incoming", process_id="R-1").count() == 50


def test_history_keeps_what_was_when_a_sku_is_renamed(sku, pick):
    Sku.objects.filter(pk=sku).update(code="OLD", product_id="P1", product_id_wh="")
    (unit,) = received(sku, pick, "SN-1")
    Sku.objects.filter(pk=sku).update(code="NEW", product_id_wh="W1")
    record("ship", Row(unit_id=unit))
    rows = UnitEvent.objects.order_by("id").values_list("sku", "prod_id", "bin_name")
    assert [row[:2] for row in rows] == [("OLD", "P1"), ("NEW", "W1")]
    assert rows[0][2]
    assert not rows[1][2]


def test_a_lot_is_written_beside_the_serial(place, sku, pick):
    record("receive", new(sku, bin_id=pick, lot_id=place.lots["in_out"]))
    assert UnitEvent.objects.get().lot_number == Lot.objects.get(pk=place.lots["in_out"]).number


# --- plans ------------------------------------------------------------------------------------------------------------
def test_the_look_for_any_unit_of_a_sku_is_made_before_all_others_and_once(in_a):
    """As a join it was made again for each row: 45 seconds for 20,000 known units where statistics were old."""
    with connection.cursor() as cursor:
        cursor.execute(ledger_sql.MAKE_STAGES)
        params = {"account": current_account_id(), "source": ""}
        cursor.execute(f"EXPLAIN (FORMAT JSON) {ledger_sql.LOCK_UNITS}", params)
        plan = json.dumps(cursor.fetchone()[0])
    assert '"Subplan Name": "InitPlan' in plan
    assert '"Parent Relationship": "InitPlan"' in plan
