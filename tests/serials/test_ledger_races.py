"""Two at once: real threads and transactions on the same units, serials, facts, lines and SKUs."""

import threading
from collections import Counter

import pytest
from django.db import DatabaseError, connections

from oms.errors import Conflict, DomainError
from oms.models import OrderLine, Sku, Stock, Workflow
from oms.services import catalogue
from oms.tenancy import account_context
from serials.lifecycle import Actor
from serials.models import Unit, UnitEvent
from serials.services import Refused, Row, units
from tests.serials.ledger_model import Place, record

pytestmark = pytest.mark.commits("threads, each with a connection of its own")
WAIT = 60


@pytest.fixture
def place(account_a):
    with account_context(account_a):
        return Place()


@pytest.fixture
def stocked(account_a, place):
    """`stocked("A", "B")`: units in the first pick bin, by id."""

    def make(*serials):
        with account_context(account_a):
            sku, pick = place.skus["in_out"], place.bins[0]
            rows = (Row(sku_id=sku, serial=serial, bin_id=pick, is_new_allowed=True) for serial in serials)
            record("receive", *rows)
            return [Unit.objects.get(sku=sku, serial=serial).pk for serial in serials]

    return make


def at_once(account, *calls):
    """Run the calls in threads that start together; each one's result, or the error it raised."""
    gate, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place, call):
        try:
            gate.wait(WAIT)
            with account_context(account):
                results[place] = call()
        except (DomainError, DatabaseError) as error:
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive(), "a thread hangs"
    assert not [error for error in results if isinstance(error, DatabaseError)], results
    return results


def test_of_two_shipments_of_one_unit_exactly_one_wins(account_a, stocked):
    for n in range(10):
        (unit,) = stocked(f"SN-{n}")
        results = at_once(
            account_a,
            lambda: record("ship", Row(unit_id=unit), process_id="S-1"),  # noqa: B023
            lambda: record("ship", Row(unit_id=unit), process_id="S-2"),  # noqa: B023
        )
        assert Counter(type(result).__name__ for result in results) == {"Recorded": 1, "Refused": 1}
    with account_context(account_a):
        assert UnitEvent.objects.filter(event="ship").count() == 10
        assert set(Stock.objects.values_list("quantity", flat=True)) == {0}


def test_a_move_and_a_shipment_leave_unit_and_stock_in_step(account_a, stocked, place):
    for n in range(10):
        (unit,) = stocked(f"SN-{n}")
        at_once(
            account_a,
            lambda: record("ship", Row(unit_id=unit)),  # noqa: B023
            lambda: record("move", Row(unit_id=unit, bin_id=place.bins[3])),  # noqa: B023
        )
    with account_context(account_a):
        lying = Counter(Unit.objects.exclude(bin=None).values_list("bin_id", flat=True))
        kept = {pk: n for pk, n in Stock.objects.values_list("bin_id", "quantity") if n}
        assert kept == dict(lying)


def test_opposite_orders_of_the_same_units_never_deadlock(account_a, stocked, place):
    pks = stocked(*(f"SN-{n}" for n in range(8)))
    serials = [Row(sku_id=place.skus["in_out"], serial=f"SN-{n}", bin_id=place.bins[1]) for n in range(8)]
    by_id = [Row(unit_id=pk, bin_id=place.bins[0]) for pk in pks]
    mixed = [*reversed(serials[:4]), *reversed(by_id[4:])]
    for _ in range(50):
        results = at_once(account_a, lambda: record("move", *by_id), lambda: record("move", *reversed(mixed)))
        assert all(done.count == 8 for done in results)


def test_reserving_for_a_line_and_freeing_it_never_deadlock(account_a, stocked, place):
    held, free = stocked("SN-1", "SN-2")
    with account_context(account_a):
        line = OrderLine.objects.get(pk=place.lines["in_out"][0])
    office, floor = units.By(Actor.OFFICE), units.By(Actor.WAREHOUSE)
    damaged, pick = place.bins_by_pk[place.bins[3]], place.bins_by_pk[place.bins[0]]
    for _ in range(50):
        with account_context(account_a):
            units.reserve_units(unit_ids=[held], line=line, by=office)
        at_once(
            account_a,
            lambda: units.move_units(unit_ids=[free, held], to=damaged, by=floor),
            lambda: units.reserve_units(unit_ids=[free], line=line, by=office),
        )
        with account_context(account_a):
            units.move_units(unit_ids=[held, free], to=damaged, by=floor)
            units.move_units(unit_ids=[held, free], to=pick, by=floor)


def test_one_new_serial_from_many_threads_is_one_unit(account_a, place):
    row = Row(sku_id=place.skus["in_out"], serial="SN-1", bin_id=place.bins[0], is_new_allowed=True)
    for n in range(5):
        row = Row(sku_id=place.skus["in_out"], serial=f"SN-{n}", bin_id=place.bins[0], is_new_allowed=True)
        results = at_once(account_a, *(lambda: record("receive", row) for _ in range(4)))  # noqa: B023
        assert Counter(type(result) for result in results)[Refused] == 3
    with account_context(account_a):
        assert (Unit.objects.count(), UnitEvent.objects.count(), Stock.objects.get().quantity) == (5, 5, 5)


@pytest.mark.parametrize("is_known", [False, True])
def test_a_fact_delivered_ten_times_at_once_is_one_history_row_and_no_error(account_a, place, is_known):
    row = Row(sku_id=place.skus["in_out"], serial="SN-1", bin_id=place.bins[0], is_new_allowed=True)
    if is_known:
        with account_context(account_a):
            record("expect", row)
    results = at_once(account_a, *(lambda: record("receive", row, source="receipt:1") for _ in range(8)))
    assert sorted((done.count, done.skipped) for done in results) == [(0, 1)] * 7 + [(1, 0)]
    with account_context(account_a):
        assert UnitEvent.objects.filter(event="receive").count() == 1
        assert Stock.objects.get().quantity == 1


def test_goods_and_the_serial_attribute_never_change_at_once(account_a, place, ana):
    sku, pick = place.skus["in_out"], place.bins[0]
    for n in range(10):
        row = Row(sku_id=sku, serial=f"SN-{n}", bin_id=pick, is_new_allowed=True)
        received, changed = at_once(
            account_a,
            lambda: record("receive", row),  # noqa: B023
            lambda: catalogue.set_workflow(sku_ids=[sku], workflow=Workflow.OUT, actor=ana),
        )
        is_changed = changed.is_done and bool(changed.changed)
        assert isinstance(received, Conflict) == is_changed, (received, changed)
        with account_context(account_a):
            unit = Unit.objects.filter(serial=f"SN-{n}").first()
            assert (unit is None) == is_changed
            if unit:
                record("ship", Row(unit_id=unit.pk))
            Sku.objects.filter(pk=sku).update(workflow="in_out")
