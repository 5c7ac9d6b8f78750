"""Receipts that the warehouse entered, taken back."""

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oms.errors import Conflict, DomainError
from oms.models import Discrepancy, Sku, Stock, Workflow
from oms.services import stock
from oms.services.catalogue import set_workflow
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import Receipt
from replenishment.receiving import IncomingLot
from replenishment.services import by_hand, planning, submitting
from replenishment.services.accepting import settle_many
from replenishment.services.receiving import apply_receipt
from replenishment.services.undoing import undo
from serials.lifecycle import Actor
from serials.models import Unit, UnitEvent
from serials.services import Refused
from serials.services.units import By, move_units
from tests.factories import make_bin, make_serialized_sku, make_sku
from tests.replenishment.entered import enter, units
from tests.replenishment.factories import incoming, incoming_line, line_of, make_replenishment, make_submitted
from tests.serials.test_check_ledger import run as check_ledger

pytestmark = pytest.mark.django_db


def test_an_undone_receipt_counts_for_nothing(in_a, wes):
    sku, own, bulk = make_serialized_sku(), make_serialized_sku(), make_sku()
    made = make_replenishment((sku, 2), (own, 1), (bulk, 5))
    from_plan = line_of(made)
    by_hand_lines = [
        incoming_line(sku, serials=["A", "B"], position=1),
        incoming_line(own, serials=["OWN", "OWN"], position=2),
        incoming_line(bulk, quantity=4, position=3, lots=[IncomingLot("L", date(2027, 1, 1), None, 3)]),
    ]
    planning_of(from_plan, "A", "B")
    submitting.submit(replenishment_id=made.pk, actor=None)
    receipt = enter(made, wes, *by_hand_lines)
    assert (made.status, made.received_quantity) == (Status.REVIEW, 7)
    undo(receipt_id=receipt.pk, reason="Wrong pallet", actor=wes)
    made.refresh_from_db()
    receipt.refresh_from_db()
    assert (made.status, made.received_quantity, receipt.quantity) == (Status.IN_TRANSIT, 0, 0)
    assert (receipt.undone_by, receipt.undo_reason) == (wes, "Wrong pallet")
    assert units(is_void=False) == {"A": "incoming", "B": "incoming"}
    assert units(is_void=True) == {"OWN": "incoming"}
    assert not Stock.objects.filter(quantity__gt=0).exists()
    event = UnitEvent.objects.filter(event="unreceive").first()
    assert event.corrects_id is not None
    assert not Discrepancy.objects.filter(is_open=True).exists()
    with pytest.raises(Conflict, match="undone already"):
        undo(receipt_id=receipt.pk, reason="Again", actor=wes)
    enter(made, wes, by_hand_lines[0], key="k2")
    assert units(status="ready") == {"A": "ready", "B": "ready"}


def planning_of(line, *serials):
    planning.add_serials(line_id=line.pk, serials=list(serials), actor=None)


@pytest.mark.commits("the owner looks at the rows over its own connection")
def test_the_ledger_is_sound_after_receiving_accepting_and_undoing(account_a, wes):
    with account_context(account_a):
        sku, bulk = make_serialized_sku(), make_sku()
        made = make_replenishment((sku, 3), (bulk, 5))
        planning_of(line_of(made), "A", "B", "C")
        submitting.submit(replenishment_id=made.pk, actor=None)
        lot = IncomingLot("L-1", date(2027, 1, 1), None, 2)
        first = enter(made, wes, incoming_line(sku, serials=["A", "X", "Y"], position=1, lots=[IncomingLot("L")]))
        kept = enter(made, wes, incoming_line(bulk, quantity=7, position=2, lots=[lot]), key="k2")
        assert settle_many(replenishment_id=made.pk, reason="Right ones", actor=wes, is_accepted=True) == 3
        assert units(status="ready") == dict.fromkeys(["A", "X", "Y"], "ready")
    assert check_ledger()[0] == 0
    with account_context(account_a):
        undo(receipt_id=first.pk, reason="Wrong", actor=wes)
        enter(made, wes, incoming_line(sku, serials=["A", "B", "X"], position=1), key="k3")
        assert settle_many(replenishment_id=made.pk, reason="After all", actor=wes, is_accepted=True) == 1
        undo(receipt_id=kept.pk, reason="Wrong", actor=wes)
        assert units(status="ready") == dict.fromkeys(["A", "B", "X"], "ready")
        assert units(is_void=True) == {"Y": "incoming"}
        assert Stock.objects.filter(quantity__gt=0).get().quantity == 3
        assert (made.lines.get(sku=bulk).received_quantity, made.lines.get(sku=sku).received_quantity) == (0, 3)
    assert check_ledger()[0] == 0


def test_nothing_is_undone_once_a_unit_moved_or_pieces_left(in_a, wes):
    sku, bulk = make_serialized_sku(), make_sku()
    made = make_submitted((sku, 2), planned=True)
    other = make_submitted((bulk, 3), planned=False)
    receipt = enter(made, wes, incoming_line(sku, serials=["SN00000001", "SN00000002"], position=1))
    counted = enter(other, wes, incoming_line(bulk, quantity=3, position=1))
    unit = Unit.objects.get(serial="SN00000001")
    move_units(unit_ids=[unit.pk], to=make_bin(link=made.link), by=By(Actor.WAREHOUSE))
    with pytest.raises(Refused, match="SN00000001"):
        undo(receipt_id=receipt.pk, reason="Wrong", actor=wes)
    place = Stock.objects.get(sku=bulk)
    stock.post_moves([stock.Move(bulk.pk, place.bin_id, -1)], cause=stock.Cause("ship", "order"))
    with pytest.raises(stock.NotEnoughStock):
        undo(receipt_id=counted.pk, reason="Wrong", actor=wes)
    receipt.refresh_from_db()
    assert (receipt.undone_at, receipt.quantity) == (None, 2)


def test_what_is_too_much_no_more_once_a_receipt_is_undone_is_settled(in_a, wes):
    one, two = make_sku(), make_sku()
    made = make_submitted((one, 3), (two, 1), planned=False)
    wrong = enter(made, wes, incoming_line(one, quantity=3, position=1))
    enter(made, wes, incoming_line(one, quantity=2, position=1), incoming_line(two, quantity=4, position=2), key="k2")
    twice = enter(made, wes, incoming_line(two, quantity=1, position=2), key="k3")
    assert Discrepancy.objects.filter(kind="over_receipt", is_open=True).count() == 3
    undo(receipt_id=wrong.pk, reason="Wrong pallet", actor=wes)
    case = Discrepancy.objects.get(is_open=False)
    assert (case.sku_id, case.closed_by) == (one.pk, wes)
    assert f"{wrong} was undone" in case.reason
    undo(receipt_id=twice.pk, reason="Counted twice", actor=wes)
    made.refresh_from_db()
    assert (Discrepancy.objects.get(is_open=True).sku_id, made.status) == (two.pk, Status.REVIEW)
    undo(receipt_id=Receipt.objects.get(source__endswith="k2").pk, reason="And this", actor=wes)
    made.refresh_from_db()
    assert (Discrepancy.objects.filter(is_open=True).count(), made.status) == (0, Status.IN_TRANSIT)


def test_while_another_receipt_stands_that_applied_nothing_it_stays_processing(in_a, wes, olga):
    made = make_submitted((make_serialized_sku(code="LAP"), 2))
    enter(made, wes, incoming_line("LAP", serials=["WRONG"], position=1))
    again = enter(made, wes, incoming_line("LAP", serials=["SN00000001"], position=1), key="k2")
    settle_many(replenishment_id=made.pk, reason="Sent back", actor=olga, is_accepted=False)
    undo(receipt_id=again.pk, reason="Wrong pallet", actor=wes)
    made.refresh_from_db()
    assert (made.status, made.received_quantity) == (Status.PROCESSING, 0)


def test_a_receipt_of_many_lines_is_undone_in_as_many_statements_as_one_of_few(in_a, wes):
    counts = []
    for size in (2, 12):
        made = make_submitted(*((make_sku(), 3) for _n in range(size)), planned=False)
        receipt = enter(made, wes, *by_hand.as_expected(made))
        with CaptureQueriesContext(connection) as caught:
            undo(receipt_id=receipt.pk, reason="Wrong", actor=wes)
        counts.append(len(caught))
        assert not made.lines.exclude(received_quantity=0).exists()
    assert counts[0] == counts[1]


def test_undoing_counts_on_the_lines_that_receiving_counted_on(in_a, wes):
    """A serial counts for the line that planned it, even when it was entered on another line of its SKU."""
    sku = make_serialized_sku()
    made = make_replenishment((sku, 1), (sku, 3))
    planning_of(line_of(made), "A")
    submitting.submit(replenishment_id=made.pk, actor=None)
    receipt = enter(made, wes, incoming_line(sku, serials=["A", "NEW-1", "NEW-2"], position=2))
    assert [line_of(made, n).received_quantity for n in (1, 2)] == [1, 2]
    undo(receipt_id=receipt.pk, reason="Wrong", actor=wes)
    assert [line_of(made, n).received_quantity for n in (1, 2)] == [0, 0]


def test_goods_do_not_leave_as_units_that_came_as_pieces_nor_the_other_way_round(in_a, wes):
    """The Serial attribute may change as soon as a replenishment is Completed and its goods are gone."""
    bulk, sku = make_sku(), make_serialized_sku()
    pieces, by_unit = make_submitted((bulk, 5), planned=False), make_submitted((sku, 1))
    receipts = [
        enter(pieces, wes, incoming_line(bulk, quantity=5, position=1)),
        enter(by_unit, wes, incoming_line(sku, serials=["SN00000001"], position=1)),
    ]
    place = Stock.objects.get(sku=bulk)
    stock.post_moves([stock.Move(bulk.pk, place.bin_id, -5)], cause=stock.Cause("ship", "order"))
    set_workflow(sku_ids=[bulk.pk], workflow=Workflow.IN_OUT, actor=wes)
    Sku.objects.filter(pk=sku.pk).update(workflow=Workflow.NO)
    for receipt, changed in zip(receipts, (bulk, sku), strict=True):
        with pytest.raises(Conflict, match=f"Serial attribute of {changed.code} is another"):
            undo(receipt_id=receipt.pk, reason="Wrong", actor=wes)
        receipt.refresh_from_db()
        assert receipt.undone_at is None
    assert [line_of(made).received_quantity for made in (pieces, by_unit)] == [5, 1]


def test_a_receipt_of_a_warehouse_system_and_of_a_closed_one_is_not_undone(in_a, wes):
    sku = make_serialized_sku()
    made = make_submitted((sku, 2))
    told = apply_receipt(incoming(made, incoming_line(sku, serials=["SN00000001"])), source="wms:1")
    with pytest.raises(DomainError, match="warehouse system"):
        undo(receipt_id=told.pk, reason="Wrong", actor=wes)
    with pytest.raises(DomainError, match="Say why"):
        undo(receipt_id=told.pk, reason=" ", actor=wes)
    made = make_submitted((sku, 2))
    receipt = enter(made, wes, incoming_line(sku, serials=["SN00000003"], position=1))
    submitting.close_short(replenishment_id=made.pk, reason="No more", actor=wes)
    with pytest.raises(Conflict, match="closed short"):
        undo(receipt_id=receipt.pk, reason="Wrong", actor=wes)
