"""What the warehouse enters in Lotline itself: checked, received, sent twice, taken back."""

from dataclasses import replace
from datetime import date

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from channels_sync.models import Connection
from oms.errors import Conflict, DomainError
from oms.models import AuditEntry, Discrepancy, Sku, Stock, Workflow
from oms.queries.stock import system_of
from oms.services import stock
from oms.services.catalogue import set_workflow
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import Receipt, ReceivedSerial, ReplenishmentLine, ReplenishmentLot
from replenishment.receiving import IncomingLot
from replenishment.services import by_hand, planning, submitting
from replenishment.services.accepting import settle_many
from replenishment.services.receiving import apply_receipt
from replenishment.services.undoing import undo
from serials.lifecycle import Actor
from serials.models import Unit, UnitEvent
from serials.services import Refused
from serials.services.units import By, move_units
from tests.factories import make_bin, make_serialized_sku, make_sku, make_warehouse_link
from tests.replenishment.factories import incoming, incoming_line, line_of, make_replenishment, make_submitted
from tests.replenishment.test_planning import at_once
from tests.serials.test_check_ledger import run as check_ledger

pytestmark = pytest.mark.django_db


def enter(made, wes, *lines, key="k1"):
    receipt = by_hand.receive(replenishment_id=made.pk, lines=lines, key=key, actor=wes)
    made.refresh_from_db()
    return receipt


def units(**found):
    return dict(Unit.objects.filter(**found).values_list("serial", "status"))


# --- receiving --------------------------------------------------------------------------------------------------------
def test_a_wrong_serial_waits_and_the_rest_is_applied(in_a, wes):
    sku = make_serialized_sku()
    made = make_submitted((sku, 3))
    receipt = enter(made, wes, incoming_line(sku, serials=["sn00000001", "SN00000003", "WRONG"], position=1))
    assert (made.status, made.received_quantity, receipt.actor) == (Status.REVIEW, 2, wes)
    assert str(receipt) == f"{made.number}-1"
    assert units() == {"SN00000001": "ready", "SN00000002": "incoming", "SN00000003": "ready"}
    assert set(UnitEvent.objects.filter(event="receive").values_list("actor_id", flat=True)) == {wes.pk}
    entry = AuditEntry.objects.get(action="Received")
    assert entry.actor == wes
    assert entry.changes == {"receipt": [None, str(receipt)], "units": [None, 2], "waiting": [None, 1]}
    assert receipt.raw["entered"][0]["serials"] == ["sn00000001", "SN00000003", "WRONG"]


def test_the_same_form_twice_is_one_receipt_and_another_is_told(in_a, wes):
    sku = make_sku()
    made = make_submitted((sku, 9), planned=False)
    line = incoming_line(sku, quantity=2, position=1)
    first = enter(made, wes, line)
    assert enter(made, wes, line) == first
    with pytest.raises(by_hand.AlreadySent) as caught:
        enter(made, wes, replace(line, quantity=3))
    assert caught.value.receipt == first
    enter(made, wes, replace(line, quantity=3), key="k2")
    assert (made.received_quantity, made.status) == (5, Status.PARTIAL)
    assert AuditEntry.objects.filter(action="Received").count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_people_who_receive_the_same_at_once_receive_it_once(account_a, wes):
    with account_context(account_a):
        sku = make_serialized_sku()
        made = make_submitted((sku, 40))
        serials = sorted(units())
    keys = iter(["one", "two", "one", "two"])
    line = incoming_line(sku, serials=serials, position=1)

    def act():
        return by_hand.receive(replenishment_id=made.pk, lines=[line], key=next(keys), actor=wes).quantity

    assert sorted(at_once(account_a, act, 4)) == [0, 0, 40, 40]
    with account_context(account_a):
        made.refresh_from_db()
        assert (made.received_quantity, made.status, Receipt.objects.count()) == (40, Status.REVIEW, 2)
        assert Discrepancy.objects.filter(kind="serial_in_stock").count() == 40
        assert Stock.objects.get(quantity__gt=0).quantity == 40
    assert check_ledger()[0] == 0


@pytest.mark.django_db(transaction=True)
def test_people_who_receive_all_as_expected_at_once_receive_it_once(account_a, wes):
    with account_context(account_a):
        made = make_submitted((make_sku(), 100), planned=False)
    keys = iter(["one", "two", "one", "two"])

    def act():
        return by_hand.receive_expected(replenishment_id=made.pk, key=next(keys), actor=wes).source

    got = at_once(account_a, act, 4)
    assert (got.count(DomainError), len({each for each in got if each is not DomainError})) == (2, 1)
    with account_context(account_a):
        made.refresh_from_db()
        assert (made.received_quantity, made.status, Receipt.objects.count()) == (100, Status.COMPLETED, 1)
        assert Stock.objects.get(quantity__gt=0).quantity == 100
        assert not Discrepancy.objects.exists()


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_each_expected_unit_is_looked_up_by_its_serial_whatever_the_statistics_say(account_a, wes):
    """They know of no Incoming units: all of those were scanned again for each, minutes after a large Submit."""
    with account_context(account_a):
        sku = make_serialized_sku()
        made = make_submitted((sku, 300))
        enter(made, wes, incoming_line(sku, serials=list(units()), position=1))
        line = line_of(made)
    params = {"account": account_a.pk, "lines": [line.pk], "number": made.number, "most": 1}
    statements = [
        (by_hand.OUTSTANDING_OF_LINES, params),
        (submitting.OUTSTANDING, [account_a.pk, account_a.pk, made.pk, made.number]),
    ]
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE serials_unit, replenishment_plannedserial")
        for statement, values in statements:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
            scans = list(scans_of(cursor.fetchone()[0][0]["Plan"], "serials_unit"))
            assert [("serial_key" in scan["Index Cond"]) for scan in scans] == [True], scans
        transaction.set_rollback(True, using="owner")


def scans_of(plan, table):
    """The nodes of a plan that read a table."""
    if plan.get("Relation Name", "").startswith(table):
        yield plan
    for part in plan.get("Plans", ()):
        yield from scans_of(part, table)


@pytest.mark.django_db(transaction=True)
def test_what_is_interrupted_leaves_nothing(account_a, wes, monkeypatch):
    with account_context(account_a):
        sku = make_serialized_sku()
        made = make_submitted((sku, 3))
    line = incoming_line(sku, serials=["SN00000001", "X"], position=1, bin_name="NEW")

    def die(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("replenishment.services.receiving.set_status", die)
        with pytest.raises(KeyboardInterrupt), account_context(account_a):
            enter(made, wes, line)
    with account_context(account_a):
        assert not Receipt.objects.exists()
        assert not Discrepancy.objects.exists()
        assert set(units().values()) == {"incoming"}
        assert enter(made, wes, line).quantity == 1


def test_what_cannot_be_received_here_is_refused(in_a, wes, settings):
    sku = make_serialized_sku()
    draft, made = make_replenishment((sku, 1)), make_submitted((sku, 2))
    line = incoming_line(sku, serials=["SN00000001"], position=1)
    with pytest.raises(Conflict, match="Incomplete"):
        enter(draft, wes, line)
    with pytest.raises(DomainError, match="Enter what arrived"):
        enter(made, wes, incoming_line(sku, quantity=0, position=1))
    with pytest.raises(DomainError, match="At most 10,000"):
        enter(made, wes, incoming_line(sku, serials=["A"] * 10_001, position=1))
    settings.WAREHOUSE_SYSTEMS = "tests.replenishment.test_by_hand.systems"
    with pytest.raises(by_hand.RunElsewhere, match="Robo WMS runs the warehouse"):
        enter(made, wes, line)
    assert not Receipt.objects.exists()


def test_a_warehouse_is_run_by_its_active_connection(in_a):
    link, other = make_warehouse_link(), make_warehouse_link()
    made = Connection.objects.create(kind="sandbox_wms", name="Robo WMS", link=link)
    assert (system_of(link.pk), system_of(other.pk)) == ("Robo WMS", "")
    Connection.objects.filter(pk=made.pk).update(is_active=False)
    assert system_of(link.pk) == ""


def systems(link_ids):
    """A warehouse system that runs everything."""
    return dict.fromkeys(link_ids, "Robo WMS")


def test_as_expected_names_the_ordered_lots(in_a, wes):
    made = make_submitted((make_sku(), 10), (make_sku(), 4), planned=False)
    for position, number, quantity in ((1, "A", 6), (1, "B", 3), (2, "C", 4)):
        ReplenishmentLot.objects.create(line=line_of(made, position), number=number, quantity=quantity)
    first, second = by_hand.as_expected(made)
    assert [(lot.number, lot.quantity) for lot in first.lots] == [("A", 6), ("B", 3)]
    assert [(lot.number, lot.quantity) for lot in second.lots] == [("C", 4)]
    enter(made, wes, replace(first, quantity=2, lots=()), replace(second, quantity=1, lots=()))
    with pytest.raises(DomainError, match=r"Line 1 .* has several lots and a part of it was received"):
        by_hand.as_expected(made)
    enter(made, wes, replace(first, quantity=8, lots=()), key="k2")
    (line,) = by_hand.as_expected(made)
    assert [(lot.number, lot.quantity) for lot in line.lots] == [("C", 3)]


def test_lines_are_not_held_against_each_other(in_a, monkeypatch):
    """A thousand lines would be half a million comparisons."""
    made = make_submitted(*((make_sku(), 1) for _n in range(30)), planned=False)
    compared, own = [], ReplenishmentLine.__eq__
    monkeypatch.setattr(ReplenishmentLine, "__eq__", lambda one, other: compared.append(1) or own(one, other))
    assert len(by_hand.as_expected(made)) == 30
    assert len(compared) <= 30


def test_all_as_expected(in_a, wes):
    sku, bulk = make_serialized_sku(), make_sku()
    made = make_submitted((sku, 3), (bulk, 5), planned=False)
    with pytest.raises(DomainError, match=r"Line 1 \(.*\) has no planned serials"):
        by_hand.as_expected(made)
    made = make_submitted((sku, 3))
    enter(made, wes, incoming_line(sku, serials=["SN00000002"], position=1))
    place = make_bin(link=made.link, name="Z-9")
    lines = by_hand.as_expected(made, bin_name="Z-9")
    assert [unit.serial for unit in lines[0].units] == ["SN00000001", "SN00000003"]
    enter(made, wes, *lines, key="k2")
    assert made.status == Status.COMPLETED
    assert Unit.objects.filter(bin=place).count() == 2
    with pytest.raises(DomainError, match="Nothing is missing"):
        by_hand.as_expected(made)


def test_a_check_says_what_receiving_would_do(in_a, wes):
    sku, other = make_serialized_sku(), make_serialized_sku()
    made = make_submitted((sku, 4), (other, 1))
    enter(made, wes, incoming_line(sku, serials=["SN00000001"], position=1))
    said = ["SN00000001", "SN00000002", "sn00000002", "SN00000005", "NOBODY", "a\tb"]
    check = by_hand.look_at(made, [incoming_line(sku, serials=said, position=1)])[0]
    assert (check.matched, check.missing, check.absent, check.waiting) == (1, 2, ["SN00000003", "SN00000004"], 5)
    assert check.counts == {
        "In the warehouse already": 1,
        "Named twice": 1,
        "Planned for another SKU": 1,
        "Not expected": 1,
        "Not a serial number": 1,
    }
    assert Receipt.objects.count() == 1
    assert not Discrepancy.objects.exists()
    enter(made, wes, incoming_line(sku, serials=said, position=1), key="k2")
    outcomes = ReceivedSerial.objects.filter(receipt_line__receipt__external_id__endswith="-2")
    assert outcomes.filter(outcome__in=["matched"]).count() == 1
    assert Discrepancy.objects.count() == 5


def test_a_check_counts_what_is_too_much_beside_what_matches(in_a):
    bulk = make_sku()
    made = make_submitted((bulk, 9), planned=False)
    check = by_hand.look_at(made, [incoming_line(bulk, quantity=12, position=1)])[0]
    assert (check.matched, check.excess, check.missing, check.waiting) == (9, 3, 0, 1)


# --- taking back ------------------------------------------------------------------------------------------------------
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


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
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
