"""Settling what waits on a replenishment: accepted, refused, one by one and all at once."""

from dataclasses import replace
from datetime import date

import pytest

from channels_sync.queries.receipts import applied_before
from oms import outbox
from oms.errors import Conflict, DomainError
from oms.models import AuditEntry, Discrepancy, Stock
from oms.services.discrepancies import accept_discrepancies, acceptance, close_discrepancy
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import PlannedSerial, Receipt, ReceiptLine, ReceivedSerial
from replenishment.receiving import IncomingLot, IncomingUnit, Origin
from replenishment.services import submitting
from replenishment.services.accepting import settle_many
from replenishment.services.receiving import apply_receipt
from serials.models import Unit, UnitEvent
from serials.services import Refused
from tests.factories import make_bin, make_discrepancy, make_serialized_sku, make_sku
from tests.replenishment.factories import incoming, incoming_line, line_of, make_submitted
from tests.replenishment.test_planning import at_once

pytestmark = pytest.mark.django_db


def receive(made, *lines, source="wms:1"):
    receipt = apply_receipt(incoming(made, *lines), source=source)
    made.refresh_from_db()
    return receipt


def accept(*cases, actor=None):
    pks = [case.pk for case in cases] or list(Discrepancy.objects.values_list("pk", flat=True))
    return accept_discrepancies(discrepancy_ids=pks, reason="It is the right one", actor=actor)


def units():
    return dict(Unit.objects.filter(is_void=False).values_list("serial", "status"))


def test_an_accepted_serial_is_received_by_the_fact_that_brought_it(in_a, olga):
    sku = make_serialized_sku()
    made = make_submitted((sku, 3))
    place = make_bin(link=made.link, name="B-7")
    receipt = receive(
        made, incoming_line(sku, serials=["SN00000001", "WRONG"], bin_name="B-7", lots=[IncomingLot("L-1", quantity=2)])
    )
    assert accept(actor=olga) == 1
    unit = Unit.objects.get(serial="WRONG")
    assert (unit.status, unit.bin, unit.lot.number, unit.process_id) == ("ready", place, "L-1", made.number)
    event = UnitEvent.objects.get(unit=unit)
    assert (event.event, event.source, event.reason) == ("receive", "wms:1", "It is the right one")
    assert event.occurred_at == receipt.occurred_at
    made.refresh_from_db()
    receipt.refresh_from_db()
    assert (made.status, made.received_quantity, receipt.quantity) == (Status.PARTIAL, 2, 2)
    assert ReceiptLine.objects.get().applied_quantity == 2
    assert ReceivedSerial.objects.get(serial="WRONG").outcome == "accepted"
    assert Stock.objects.get(bin=place, quantity__gt=0).quantity == 2
    case = Discrepancy.objects.get()
    assert (case.is_open, case.closed_by, case.reason) == (False, olga, "It is the right one")
    assert AuditEntry.objects.filter(kind="discrepancy", action="accept", actor=olga).count() == 1


def test_an_accepted_serial_has_the_lot_that_was_named_for_it(in_a, olga):
    sku = make_serialized_sku()
    made = make_submitted((sku, 3))
    named = [
        IncomingUnit("SN00000001", lot_number="L-1"),
        IncomingUnit("OTHER", lot_number="L-2"),
        IncomingUnit("NONE"),
    ]
    receive(made, incoming_line(sku, serials=named, lots=[IncomingLot("L-1", quantity=1), IncomingLot("L-2")]))
    accept(actor=olga)
    lots = dict(Unit.objects.filter(status="ready").values_list("serial", "lot__number"))
    assert lots == {"SN00000001": "L-1", "OTHER": "L-2", "NONE": None}


def test_a_later_version_of_the_receipt_does_not_bring_what_was_accepted_again(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 3))
    document = Origin("receipts", "wms", "GR-1")
    fact = incoming(made, incoming_line(sku, serials=["SN00000001", "WRONG"], position=1))
    apply_receipt(replace(fact, origin=document), source="wms:1")
    accept()
    before = applied_before(document)
    assert before.pieces == {(1, sku.code.upper()): 2}
    assert before.serials == {(sku.code.upper(), "SN00000001"), (sku.code.upper(), "WRONG")}


def test_accepting_twice_receives_once(in_a, olga):
    sku = make_serialized_sku()
    made = make_submitted((sku, 3))
    receive(made, incoming_line(sku, serials=["WRONG"]))
    case = Discrepancy.objects.get()
    accept(case)
    with pytest.raises(Conflict, match="already"):
        accept(case)
    with pytest.raises(Conflict, match="already"):
        close_discrepancy(discrepancy_id=case.pk, reason="No", actor=olga)
    assert UnitEvent.objects.filter(event="receive").count() == 1


@pytest.mark.commits("threads, each with a connection of its own")
def test_people_who_accept_and_refuse_at_once_decide_once(account_a):
    with account_context(account_a):
        sku = make_serialized_sku()
        made = make_submitted((sku, 30))
        receive(made, incoming_line(sku, serials=[f"W-{number}" for number in range(20)]))
    turns = iter(range(8))

    def act():
        return settle_many(replenishment_id=made.pk, reason="So be it", actor=None, is_accepted=next(turns) % 2 == 0)

    found = at_once(account_a, act, 8)
    assert sorted(map(str, found)).count("20") == 1
    with account_context(account_a):
        made.refresh_from_db()
        received = Unit.objects.filter(status="ready").count()
        assert received in {0, 20}
        assert made.received_quantity == received
        assert not Discrepancy.objects.filter(is_open=True).exists()


def test_a_planned_serial_that_is_still_missing_keeps_it_from_being_complete(in_a, olga):
    sku = make_serialized_sku()
    made = make_submitted((sku, 2))
    receive(made, incoming_line(sku, serials=["SN00000001", "WRONG"]))
    accept()
    made.refresh_from_db()
    assert (made.received_quantity, made.status) == (2, Status.PARTIAL)
    submitting.close_short(replenishment_id=made.pk, reason="It came under another number", actor=olga)
    made.refresh_from_db()
    assert made.status == Status.COMPLETED
    assert units() == {"SN00000001": "ready", "WRONG": "ready"}


def test_a_void_unit_that_arrived_lives_again(in_a, olga):
    sku = make_serialized_sku()
    made = make_submitted((sku, 2))
    receive(made, incoming_line(sku, serials=["SN00000001"]))
    submitting.close_short(replenishment_id=made.pk, reason="No more", actor=olga)
    receive(made, incoming_line(sku, serials=["SN00000002"]), source="wms:2")
    assert made.status == Status.REVIEW
    accept()
    made.refresh_from_db()
    assert (made.status, made.received_quantity) == (Status.COMPLETED, 2)
    assert units() == {"SN00000001": "ready", "SN00000002": "ready"}
    assert set(PlannedSerial.objects.values_list("state", flat=True)) == {"planned"}


def test_more_than_expected_is_kept_and_nothing_moves(in_a):
    sku = make_sku()
    made = make_submitted((sku, 2), planned=False)
    receive(made, incoming_line(sku, quantity=3))
    assert made.status == Status.REVIEW
    accept()
    made.refresh_from_db()
    assert (made.status, made.received_quantity, Stock.objects.get().quantity) == (Status.COMPLETED, 3, 3)


def test_it_counts_on_the_line_that_misses_something(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 1), (sku, 2))
    receive(made, incoming_line(sku, serials=["SN00000001", "X", "Y", "Z"]))
    receive(made, incoming_line(sku, serials=["V"], position=1), source="wms:2")
    accept()
    assert (line_of(made, 1).received_quantity, line_of(made, 2).received_quantity) == (2, 3)


def test_all_are_accepted_or_none(in_a):
    """A number that arrived elsewhere meanwhile is in the warehouse by now, and is named."""
    sku = make_serialized_sku()
    made, other = make_submitted((sku, 5)), make_submitted((sku, 1), planned=False)
    receive(made, incoming_line(sku, serials=["X", "Y"]))
    receive(other, incoming_line(sku, serials=["X"]), source="wms:2")
    with pytest.raises(Refused, match="X"):
        accept()
    assert Discrepancy.objects.filter(is_open=True).count() == 2
    assert units() == dict.fromkeys([f"SN{n:08}" for n in range(1, 6)], "incoming") | {"X": "ready"}


def test_a_serial_of_several_receipts_is_accepted_once_and_the_others_stay(in_a):
    """Reported twice or two goods with one number: who looks at them can tell, and settles it."""
    sku, other = make_serialized_sku(), make_serialized_sku()
    made = make_submitted((sku, 5), (other, 1))
    receive(made, incoming_line(sku, serials=["X"]))
    receive(made, incoming_line(sku, serials=["x ", "Y"]), incoming_line(other, serials=["X"]), source="wms:2")
    assert settle_many(replenishment_id=made.pk, reason="All", actor=None, is_accepted=True) == 3
    ready = Unit.objects.filter(status="ready").values_list("sku", "serial")
    assert sorted(ready) == sorted([(sku.pk, "X"), (sku.pk, "Y"), (other.pk, "X")])
    left = Discrepancy.objects.get(is_open=True)
    assert (left.kind, left.source.startswith("wms:2#")) == ("unexpected_serial", True)
    made.refresh_from_db()
    assert (made.status, made.received_quantity) == (Status.REVIEW, 3)
    receive(made, incoming_line(sku, serials=["Z"]), source="wms:3")
    assert settle_many(replenishment_id=made.pk, reason="All", actor=None, is_accepted=True) == 1
    with pytest.raises(Conflict, match="Nothing of what waits"):
        settle_many(replenishment_id=made.pk, reason="All", actor=None, is_accepted=True)
    assert Discrepancy.objects.get(is_open=True) == left


def test_what_cannot_be_accepted_is_left_or_refused(in_a, olga):
    sku = make_serialized_sku()
    made = make_submitted((sku, 5))
    receive(made, incoming_line(sku, serials=["SN00000001", "SN00000001", "X"], quantity=4))
    assert settle_many(replenishment_id=made.pk, reason="Fine", actor=olga, is_accepted=True) == 1
    made.refresh_from_db()
    assert made.status == Status.REVIEW
    with pytest.raises(DomainError, match="only settled"):
        accept(*Discrepancy.objects.filter(is_open=True))
    with pytest.raises(DomainError, match="Say how"):
        settle_many(replenishment_id=made.pk, reason=" ", actor=olga, is_accepted=False)
    assert settle_many(replenishment_id=made.pk, reason="Mistyped", actor=olga, is_accepted=False) == 2
    made.refresh_from_db()
    assert made.status == Status.PARTIAL
    assert outbox.drain(in_a.pk) >= 0


def test_a_case_without_its_receipt_can_only_be_settled(in_a):
    made = make_submitted()
    make_discrepancy(process_type="replenishment", process_id=made.number)
    with pytest.raises(DomainError, match="not known any more"):
        accept()
    with pytest.raises(DomainError, match="settle it instead"):
        accept(make_discrepancy())


def test_a_serial_that_is_planned_for_another_sku_says_so(in_a):
    sku, other = make_serialized_sku(), make_serialized_sku()
    made = make_submitted((sku, 1), (other, 1))
    receive(made, incoming_line(other, serials=["SN00000001"], lots=[IncomingLot("L", date(2027, 1, 1))]))
    assert Discrepancy.objects.get().kind == "serial_wrong_sku"
    assert acceptance("serial_wrong_sku") is None
    assert ReceivedSerial.objects.get().outcome == "wrong_sku"
    assert Receipt.objects.get().quantity == 0
