"""Receipts against replenishments, on a real PostgreSQL: product.md, "Receive"."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oms import outbox
from oms.errors import DomainError
from oms.models import Bin, Discrepancy, Stock, StockMove, Workflow
from oms.services.discrepancies import close_discrepancy, open_discrepancy, shortened
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import Receipt, ReceivedLot, ReceivedSerial
from replenishment.receiving import IncomingLot, IncomingUnit
from replenishment.services import submitting
from replenishment.services.receiving import UnknownReplenishment, apply_receipt
from serials.models import Lot, Unit, UnitEvent
from tests.factories import make_bin, make_serialized_sku, make_sku, make_warehouse_link
from tests.replenishment.factories import incoming, incoming_line, line_of, make_replenishment, make_submitted
from tests.replenishment.test_planning import at_once

pytestmark = pytest.mark.django_db


def receive(replenishment, *lines, source="wms:1"):
    receipt = apply_receipt(incoming(replenishment, *lines), source=source)
    if not isinstance(replenishment, str):
        replenishment.refresh_from_db()
    return receipt


def units(**found):
    return dict(Unit.objects.filter(**found).values_list("serial", "status"))


def cases():
    return sorted(Discrepancy.objects.filter(is_open=True).values_list("kind", "serial"))


def stock_of(sku):
    return sum(Stock.objects.filter(sku=sku).values_list("quantity", flat=True))


# --- planned serials --------------------------------------------------------------------------------------------------
def test_planned_serials_become_ready_and_the_replenishment_is_completed(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 3))
    receipt = receive(made, incoming_line(sku, serials=["sn00000001", "SN00000002", "SN00000003"], position=1))
    assert made.status == Status.COMPLETED
    assert (made.received_quantity, receipt.quantity, line_of(made).received_quantity) == (3, 3, 3)
    assert set(units().values()) == {"ready"}
    assert set(Unit.objects.values_list("process_id", "last_source")) == {(made.number, "wms:1")}
    assert stock_of(sku) == 3
    assert receipt.raw == {"from": "test"}
    assert cases() == []


def test_a_wrong_serial_waits_and_the_rest_is_applied(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 3))
    receive(made, incoming_line(sku, serials=["SN00000001", "WRONG", "SN00000003"]))
    assert made.status == Status.REVIEW
    assert units() == {"SN00000001": "ready", "SN00000002": "incoming", "SN00000003": "ready"}
    assert cases() == [("unexpected_serial", "WRONG")]
    assert made.received_quantity == 2
    assert dict(ReceivedSerial.objects.values_list("serial", "outcome"))["WRONG"] == "unexpected"


def test_part_by_part(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 3))
    receive(made, incoming_line(sku, quantity=0), source="wms:0")
    assert made.status == Status.PROCESSING
    receive(made, incoming_line(sku, serials=["SN00000001"]))
    assert made.status == Status.PARTIAL
    receive(made, incoming_line(sku, serials=["SN00000002", "SN00000003"]), source="wms:2")
    assert made.status == Status.COMPLETED
    receive(made, incoming_line(sku, serials=["SN00000003"]), source="wms:3")
    assert made.status == Status.REVIEW
    assert cases() == [("serial_in_stock", "SN00000003")]


def test_the_same_fact_again_changes_nothing(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 3))
    first = receive(made, incoming_line(sku, serials=["SN00000001", "NO"]))
    before = (list(UnitEvent.objects.values_list()), list(StockMove.objects.values_list()), made.version)
    again = receive(made, incoming_line(sku, serials=["SN00000002"]))
    assert again.pk == first.pk
    assert before == (list(UnitEvent.objects.values_list()), list(StockMove.objects.values_list()), made.version)
    assert (Receipt.objects.count(), Discrepancy.objects.count()) == (1, 1)


@pytest.mark.commits("threads, each with a connection of its own")
def test_ten_deliveries_at_once_are_one_receipt(account_a):
    with account_context(account_a):
        sku = make_serialized_sku()
        made = make_submitted((sku, 20))
        serials = [f"SN{number:08}" for number in range(1, 21)]
        fact = incoming(made, incoming_line(sku, serials=[*serials[:18], "X"], quantity=19, bin_name="NEW-BIN"))
    found = at_once(account_a, lambda: apply_receipt(fact, source="wms:1").pk, 10)
    assert len(set(found)) == 1
    with account_context(account_a):
        assert UnitEvent.objects.filter(event="receive").count() == 18
        assert (stock_of(sku), Receipt.objects.count(), Discrepancy.objects.count()) == (18, 1, 1)


@pytest.mark.commits("threads, each with a connection of its own")
def test_different_receipts_at_once_all_count(account_a):
    with account_context(account_a):
        sku, other = make_serialized_sku(), make_sku()
        made = make_submitted((sku, 8), planned=False)
        bulk = make_submitted((other, 8), planned=False)
    facts = iter(
        (f"wms:{n}", incoming(one, incoming_line(what, quantity=1, serials=own, bin_name=f"NEW-{n % 2}")))
        for n in range(8)
        for one, what, own in ((made, sku, [f"OWN-{n}"]), (bulk, other, []))[n % 2 : n % 2 + 1]
    )

    def act():
        source, fact = next(facts)
        return apply_receipt(fact, source=source).quantity

    assert at_once(account_a, act, 8) == [1] * 8
    with account_context(account_a):
        assert (stock_of(sku), stock_of(other)) == (4, 4)
        assert Bin.objects.filter(name__startswith="NEW-").count() == 2


def test_every_kind_of_wrong_serial_is_told_apart(in_a):
    sku = make_serialized_sku()
    other = make_submitted((sku, 1))  # SN1
    gone = make_submitted((sku, 1))  # SN2
    submitting.cancel(replenishment_id=gone.pk, reason="No", actor=None)
    made = make_submitted((sku, 6))  # SN3 to SN8
    sent = ["SN00000001", "SN00000002", "SN00000003", "SN00000003", "", "x" * 300, "a\0b", "NEW"]
    receive(made, incoming_line(sku, serials=sent))
    assert [kind for kind, _serial in cases()] == sorted(
        [
            "serial_elsewhere",
            "serial_void",
            "serial_twice",
            "bad_serial",
            "bad_serial",
            "bad_serial",
            "unexpected_serial",
        ]
    )
    assert units(status="ready") == {"SN00000003": "ready"}
    assert other.number != made.number
    assert ReceivedSerial.objects.count() == 8


def test_a_serial_of_another_sku_that_came_already_is_that_sku_s(in_a):
    sku, other = make_serialized_sku(), make_serialized_sku()
    made = make_submitted((sku, 1), (other, 1))
    receive(made, incoming_line(other, serials=["SN00000002"]))
    receive(made, incoming_line(sku, serials=["SN00000002", "NEW"]), source="wms:2")
    assert cases() == [("serial_wrong_sku", "SN00000002"), ("unexpected_serial", "NEW")]


def test_planned_serials_of_two_lines_of_one_sku_count_for_their_own_line(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 2), (sku, 2))
    receive(made, incoming_line(sku, serials=["SN00000003", "SN00000004", "SN00000001"]))
    assert (line_of(made, 1).received_quantity, line_of(made, 2).received_quantity) == (1, 2)


# --- the warehouse's own serials --------------------------------------------------------------------------------------
def test_without_a_plan_the_warehouse_s_own_serials_are_taken(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 2), planned=False)
    receive(made, incoming_line(sku, serials=["own-1", IncomingUnit("own-2", "D-9")]))
    assert made.status == Status.COMPLETED
    assert set(Unit.objects.values_list("serial", "status", "is_planned", "bin__name")) == {
        ("own-1", "ready", False, Bin.objects.order_by("pk").first().name),
        ("own-2", "ready", False, "D-9"),
    }
    assert Bin.objects.get(name="D-9").needs_review


def test_fewer_serials_than_pieces_apply_the_serials_and_wait(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 5), planned=False)
    receive(made, incoming_line(sku, quantity=5, serials=["A", "B", "C", "D"]))
    assert (stock_of(sku), made.received_quantity, made.status) == (4, 4, Status.REVIEW)
    assert cases() == [("quantity_mismatch", "")]


def test_a_unit_in_a_damaged_bin_is_imperfect(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 1), planned=False)
    make_bin(link=made.link, name="DAMAGED", kind="damaged")
    receive(made, incoming_line(sku, serials=["A"], bin_name="DAMAGED"))
    assert units() == {"A": "imperfect"}


def test_more_than_expected_is_applied_and_waits(in_a):
    sku, bulk = make_serialized_sku(), make_sku()
    made = make_submitted((sku, 1), (bulk, 2), planned=False)
    receive(made, incoming_line(sku, serials=["A", "B"]), incoming_line(bulk, quantity=3))
    assert (stock_of(sku), stock_of(bulk), made.status) == (2, 3, Status.REVIEW)
    assert cases() == [("over_receipt", ""), ("over_receipt", "")]


# --- stock by quantity ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("workflow", [Workflow.NO, Workflow.OUT, Workflow.OUT_BULK])
def test_other_workflows_move_stock_by_quantity_and_save_what_they_carry(in_a, workflow):
    sku = make_sku(workflow=workflow)
    made = make_submitted((sku, 5), planned=False)
    lots = [IncomingLot("L-1", date(2027, 1, 31), date(2026, 1, 1), 3)]
    receive(made, incoming_line(sku, quantity=5, serials=["A", "B"], lots=lots))
    assert not Unit.objects.exists()
    assert dict(ReceivedSerial.objects.values_list("serial", "outcome")) == {"A": "saved", "B": "saved"}
    lot = Lot.objects.get()
    assert (lot.number, lot.expires_on, lot.made_on) == ("L-1", date(2027, 1, 31), date(2026, 1, 1))
    assert dict(Stock.objects.values_list("lot_key", "quantity")) == {lot.pk: 3, 0: 2}
    assert set(StockMove.objects.values_list("process_type", "process_id", "source")) == {
        ("replenishment", made.number, "wms:1")
    }
    assert made.status == Status.COMPLETED


def test_pieces_without_a_position_fill_the_lines_in_order(in_a):
    sku = make_sku()
    made = make_submitted((sku, 2), (sku, 3), planned=False)
    receive(made, incoming_line(sku, quantity=4))
    assert (line_of(made, 1).received_quantity, line_of(made, 2).received_quantity) == (2, 2)
    receive(made, incoming_line(sku, quantity=1, position=2), source="wms:2")
    assert made.status == Status.COMPLETED


def test_a_lot_with_two_expiry_dates_keeps_the_first(in_a):
    sku = make_sku()
    made = make_submitted((sku, 9), planned=False)
    for number, expires_on in enumerate([None, date(2027, 1, 31), date(2028, 1, 1), date(2028, 1, 1)]):
        lots = [IncomingLot("L-1", expires_on, None, 1)]
        receive(made, incoming_line(sku, quantity=1, lots=lots), source=f"wms:{number}")
    assert Lot.objects.get().expires_on == date(2027, 1, 31)
    assert [kind for kind, _serial in cases()] == ["lot_expiry", "lot_expiry"]
    assert ReceivedLot.objects.filter(expires_on=date(2028, 1, 1)).count() == 2


def test_lots_that_exceed_the_quantity_move_no_lot(in_a):
    sku = make_sku()
    made = make_submitted((sku, 5), planned=False)
    receive(
        made, incoming_line(sku, quantity=2, lots=[IncomingLot("L-1", quantity=3), IncomingLot(" " * 3, quantity=1)])
    )
    assert dict(Stock.objects.values_list("lot_key", "quantity")) == {0: 2}
    assert [kind for kind, _serial in cases()] == ["bad_lot", "lot_quantity"]


def test_units_take_the_lot_of_their_whole_line_or_their_own(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 4), planned=False)
    receive(made, incoming_line(sku, serials=["A", "B"], lots=[IncomingLot("L-1", quantity=2)]))
    own = [IncomingUnit("C", lot_number="L-2"), IncomingUnit("D")]
    lots = [IncomingLot("L-2", quantity=1), IncomingLot("L-3", quantity=1)]
    receive(made, incoming_line(sku, serials=own, lots=lots), source="wms:2")
    assert dict(Unit.objects.values_list("serial", "lot__number")) == {"A": "L-1", "B": "L-1", "C": "L-2", "D": None}


# --- what does not fit ------------------------------------------------------------------------------------------------
def test_an_unknown_sku_or_line_waits_and_the_rest_is_applied(in_a):
    sku, other = make_sku(), make_sku()
    made = make_submitted((sku, 5), planned=False)
    receive(
        made,
        incoming_line("NOBODY-KNOWS", quantity=1),
        incoming_line(other, quantity=1),
        incoming_line(other, quantity=1, position=1),
        incoming_line(sku, quantity=1, position=77),
        incoming_line(sku, quantity=-4),
        incoming_line(sku, quantity=10**30),
        incoming_line(sku, quantity=2, bin_name="\0\n" + "b" * 300),
    )
    assert [kind for kind, _serial in cases()] == sorted(["bad_quantity"] * 2 + ["unknown_line"] * 3 + ["wrong_sku"])
    assert (stock_of(sku), made.status) == (2, Status.REVIEW)


def test_what_arrives_after_a_cancel_waits_and_moves_nothing(in_a):
    sku, bulk = make_serialized_sku(), make_sku()
    made = make_submitted((sku, 1), (bulk, 1), planned=False)
    submitting.cancel(replenishment_id=made.pk, reason="No", actor=None)
    receive(made, incoming_line(sku, serials=["A"]), incoming_line(bulk, quantity=1))
    assert made.status == Status.CANCELLED
    assert [kind for kind, _serial in cases()] == ["not_open", "not_open"]
    assert not StockMove.objects.exists()


def test_nothing_is_received_against_a_draft_an_unknown_or_a_foreign_replenishment(account_a, account_b):
    with account_context(account_b):
        foreign = make_submitted()
    with account_context(account_a):
        draft = make_replenishment()
        for number in (draft.number, "R-9", "x" * 500):
            with pytest.raises(UnknownReplenishment):
                apply_receipt(incoming(number), source=f"wms:{number}")
        assert not Receipt.objects.exists()
    with account_context(account_b):
        assert foreign.number == draft.number
        assert not Receipt.objects.exists()


def test_a_warehouse_receives_for_itself_only(in_a):
    sku = make_sku()
    made, other = make_submitted((sku, 5), planned=False), make_warehouse_link()
    fact = incoming(made, incoming_line(sku, quantity=2))
    with pytest.raises(UnknownReplenishment, match=f"{made.number} is for the warehouse {made.link}, but another"):
        apply_receipt(replace(fact, link_id=other.pk), source="wms:1")
    assert not Receipt.objects.exists()
    assert stock_of(sku) == 0
    apply_receipt(replace(fact, link_id=made.link_id), source="wms:1")
    apply_receipt(fact, source="browser:1")  # a member of the warehouse, in the browser
    assert stock_of(sku) == 4


def test_a_payload_with_what_no_database_holds_is_kept(in_a):
    made = make_submitted((make_sku(), 1), planned=False)
    fact = incoming(made, incoming_line("A\0\ud800", quantity=1), external_id="GR\0" * 80)
    kept = apply_receipt(
        type(fact)(fact.external_id, made.number, fact.occurred_at, fact.lines, {"a": ["\0", {"b\0": "\ud800"}]}),
        source="wms:" + "y" * 400,
    )
    kept.refresh_from_db()
    assert kept.raw == {"a": ["\ufffd", {"b\ufffd": "?"}]}
    assert len(kept.source) == 200


# --- settling ---------------------------------------------------------------------------------------------------------
def test_after_the_last_discrepancy_the_status_says_what_arrived(in_a, olga):
    sku = make_serialized_sku()
    made = make_submitted((sku, 2))
    receive(made, incoming_line(sku, serials=["SN00000001", "X", "Y"]))
    first, second = Discrepancy.objects.order_by("pk")
    for case, status in ((first, Status.REVIEW), (second, Status.PARTIAL)):
        close_discrepancy(discrepancy_id=case.pk, reason="Sent back", actor=olga)
        outbox.drain(in_a.pk)
        made.refresh_from_db()
        assert made.status == status
    with pytest.raises(DomainError, match="already"):
        close_discrepancy(discrepancy_id=second.pk, reason="Again", actor=olga)
    done = submitting.close_short(replenishment_id=made.pk, reason="Supplier owes one", actor=olga)
    assert (done.status, units()) == (Status.COMPLETED, {"SN00000001": "ready", "SN00000002": "incoming"})
    assert Unit.objects.get(serial="SN00000002").is_void


def test_a_case_is_opened_once_and_closed_once(in_a, olga):
    first = open_discrepancy(kind="test", source="s" * 900, summary="It is wrong\0", raw={"a": 1})
    assert open_discrepancy(kind="test", source="s" * 900, summary="Other").pk == first.pk
    assert open_discrepancy(kind="test", source="s" * 901, summary="Other").pk != first.pk
    assert len(shortened("\0" * 5, 4 * 10)) <= 40
    with pytest.raises(DomainError):
        close_discrepancy(discrepancy_id=first.pk, reason=" ", actor=olga)
    assert close_discrepancy(discrepancy_id=first.pk, reason="Done", actor=olga).closed_by == olga


# --- how much ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("planned", [True, False])
def test_a_receipt_of_10_and_of_10_000_serials_takes_the_same_statements(in_a, planned):
    sku, counts = make_serialized_sku(), []
    make_submitted()
    for quantity, source in ((10, "wms:1"), (10_000, "wms:2")):
        made = make_submitted((sku, quantity), planned=planned)
        serials = list(Unit.objects.filter(process_id=made.number).values_list("serial", flat=True))
        serials = serials or [f"{source}-{number}" for number in range(quantity)]
        fact = incoming(made, incoming_line(sku, serials=serials))
        with CaptureQueriesContext(connection) as queries:
            apply_receipt(fact, source=source)
        counts.append(len(queries))
        made.refresh_from_db()
        assert made.status == Status.COMPLETED
    assert counts[0] == counts[1]
    assert stock_of(sku) == 10_010


def test_an_old_fact_keeps_its_time(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 1), planned=False)
    fact = incoming(made, incoming_line(sku, serials=["A"]))
    past = timezone.now() - timedelta(days=3)
    apply_receipt(type(fact)(fact.external_id, made.number, past, fact.lines, {}), source="wms:1")
    assert UnitEvent.objects.get().occurred_at == past
