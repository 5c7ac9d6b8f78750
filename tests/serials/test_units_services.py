"""What people do with units, in the field's words: what each service asks for beyond the table of events."""

import pytest

from oms.errors import DomainError
from oms.models import OrderLine, Stock
from serials.lifecycle import Actor
from serials.models import Unit, UnitEvent
from serials.services import Refused, Row, units
from tests.serials.ledger_model import Place, record

OFFICE, FLOOR = units.By(Actor.OFFICE), units.By(Actor.WAREHOUSE, reason="why")


@pytest.fixture
def place(in_a):
    return Place()


@pytest.fixture
def line(place):
    return OrderLine.objects.select_related("order").get(pk=place.lines["in_out"][0])


@pytest.fixture
def ready(place):
    """Three Ready units, by id."""
    sku, pick = place.skus["in_out"], place.bin_of("pick")
    record("receive", *(Row(sku_id=sku, serial=f"SN-{n}", bin_id=pick, is_new_allowed=True) for n in range(3)))
    return list(Unit.objects.order_by("serial").values_list("pk", flat=True))


def statuses():
    return list(Unit.objects.order_by("serial").values_list("status", flat=True))


def bin_of(place, kind):
    return place.bins_by_pk[place.bin_of(kind)]


def test_reserving_ties_units_to_the_line_and_its_order(ready, line):
    units.reserve_units(unit_ids=ready[:2], line=line, by=OFFICE)
    assert statuses() == ["reserved", "reserved", "ready"]
    unit = Unit.objects.get(pk=ready[0])
    assert (unit.order_line_id, unit.order_no, unit.process_type) == (line.pk, line.order.number, "order")


def test_a_line_never_holds_more_than_it_asks_for(ready, line):
    OrderLine.objects.filter(pk=line.pk).update(quantity=2)
    units.reserve_units(unit_ids=ready[:1], line=line, by=OFFICE)
    with pytest.raises(DomainError, match="asks for 2 and has 1"):
        units.reserve_units(unit_ids=ready[1:], line=line, by=OFFICE)
    units.ship_units(rows=[Row(unit_id=ready[0])], line=line, by=FLOOR)
    with pytest.raises(DomainError, match="asks for 2 and has 1"):
        units.reserve_units(unit_ids=ready[1:], line=line, by=OFFICE)


def test_units_of_another_sku_are_not_reserved(ready, place):
    other = OrderLine.objects.get(pk=place.lines["out"][0])
    with pytest.raises(DomainError, match="own SKU"):
        units.reserve_units(unit_ids=ready, line=other, by=OFFICE)


@pytest.mark.parametrize("kind", ["pick"])
def test_a_released_unit_stays_in_its_bin(ready, line, place, kind):
    units.reserve_units(unit_ids=ready, line=line, by=OFFICE)
    units.move_units(unit_ids=ready[:1], to=place.bins_by_pk[place.bins[1]], by=FLOOR)
    done = units.release_units(unit_ids=ready, by=units.By(Actor.SYSTEM))
    assert (done.count, done.freed, statuses()) == (3, 3, ["ready"] * 3)
    assert Unit.objects.get(pk=ready[0]).bin_id == place.bins[1]
    assert not Unit.objects.exclude(order_line=None).exists()
    assert not OrderLine.objects.get(pk=line.pk).attention


def test_a_hold_needs_a_reason(ready, place):
    hold = bin_of(place, "reserved")
    with pytest.raises(DomainError, match="why these units are held"):
        units.move_units(unit_ids=ready, to=hold, by=units.By(Actor.WAREHOUSE))
    units.move_units(unit_ids=ready, to=hold, by=FLOOR)
    assert statuses() == ["hold"] * 3
    assert set(UnitEvent.objects.filter(event="move").values_list("reason", flat=True)) == {"why"}


def test_a_shipment_ships_on_its_line_and_can_be_voided(ready, line, place):
    units.reserve_units(unit_ids=ready[:1], line=line, by=OFFICE)
    rows = [Row(unit_id=pk) for pk in ready[:2]]
    units.ship_units(rows=rows, line=line, by=FLOOR, process_id="SH-1")
    assert set(Unit.objects.filter(status="out").values_list("order_line", flat=True)) == {line.pk}
    units.unship_units(unit_ids=ready[:2], to=bin_of(place, "damaged"), by=FLOOR, process_id="SH-1")
    assert statuses() == ["imperfect", "imperfect", "ready"]
    assert not Unit.objects.exclude(order_line=None).exists()


def test_a_unit_reserved_for_another_line_does_not_ship(ready, line, place):
    other = OrderLine.objects.select_related("order").get(pk=place.lines["in_out"][1])
    units.reserve_units(unit_ids=ready[:1], line=other, by=OFFICE)
    with pytest.raises(Refused, match="SN-0 is Reserved"):
        units.ship_units(rows=[Row(unit_id=pk) for pk in ready], line=line, by=FLOOR)
    assert statuses() == ["reserved", "ready", "ready"]


def test_returns_go_where_they_are_put_and_strangers_only_on_hold(ready, line, place):
    units.ship_units(rows=[Row(unit_id=pk) for pk in ready], line=line, by=FLOOR)
    back = [Row(unit_id=pk, bin_id=place.bin_of(kind)) for pk, kind in zip(ready, ("pick", "damaged"), strict=False)]
    units.return_units(rows=back, by=FLOOR, process_id="RMA-1", order_no=line.order.number)
    assert statuses() == ["ready", "imperfect", "out"]
    stranger = {"sku_id": place.skus["in_out"], "serial": "STRANGER", "is_new_allowed": True}
    with pytest.raises(Refused):
        units.return_units(rows=[Row(**stranger, bin_id=place.bin_of("pick"))], by=FLOOR, process_id="RMA-2")
    units.return_units(rows=[Row(**stranger, bin_id=place.bin_of("reserved"))], by=FLOOR, process_id="RMA-2")
    assert Unit.objects.get(serial="STRANGER").status == "hold"


def test_a_recount_writes_only_what_is_not_as_it_was(ready, place):
    pick, other = bin_of(place, "pick"), place.bins_by_pk[place.bins[1]]
    units.count_missing(unit_ids=ready[:1], by=FLOOR, process_id="RC-1")
    units.move_units(unit_ids=ready[1:2], to=other, by=FLOOR)
    done = units.count_found(unit_ids=ready, at=pick, by=FLOOR, process_id="RC-2")
    assert (done.count, statuses()) == (2, ["ready"] * 3)
    assert Stock.objects.get(bin=pick).quantity == 3
    assert UnitEvent.objects.filter(event="recount_found").count() == 2


def test_annotating_keeps_the_process(ready):
    units.annotate_units(rows=[Row(unit_id=ready[0], oms_notes="ask")], by=OFFICE)
    unit = Unit.objects.get(pk=ready[0])
    assert (unit.oms_notes, unit.process_type, unit.process_id, unit.last_event) == (
        "ask",
        "replenishment",
        "P",
        "receive",
    )


def test_only_the_warehouse_moves_and_only_the_office_reserves(ready, line, place):
    with pytest.raises(Refused, match="Only the warehouse"):
        units.move_units(unit_ids=ready, to=bin_of(place, "pick"), by=OFFICE)
    with pytest.raises(Refused):
        units.reserve_units(unit_ids=ready, line=line, by=FLOOR)
