"""Goods that arrive for what is over, and every answer to what waits, whatever the status is by then."""

from datetime import date
from itertools import product

import pytest
from django.db import transaction

from oms.errors import Conflict
from oms.models import CaseState, Discrepancy, DiscrepancyKind, Stock, Workflow
from oms.queries.discrepancies import with_state
from oms.services.catalogue import set_workflow
from oms.services.discrepancies import accept_discrepancies, acceptance, close_discrepancy, is_refusable
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import ReceiptLine, Replenishment
from replenishment.receiving import IncomingLot
from replenishment.services import planning, submitting
from replenishment.services.accepting import settle_many
from replenishment.services.receiving import apply_receipt
from serials.models import Lot, Unit
from tests.factories import make_bin, make_discrepancy, make_serialized_sku, make_sku
from tests.replenishment.browsing import text_of
from tests.replenishment.factories import incoming, incoming_line, line_of, make_replenishment, make_submitted
from tests.serials.test_check_ledger import run as check_ledger

pytestmark = pytest.mark.django_db
ENDED = {Status.CANCELLED, Status.ARCHIVED}


def receive(made, *lines, source="wms:1"):
    receipt = apply_receipt(incoming(made, *lines), source=source)
    made.refresh_from_db()
    return receipt


def cancelled(*lines, planned=False):
    made = make_submitted(*lines, planned=planned)
    submitting.cancel(replenishment_id=made.pk, reason="Bought elsewhere", actor=None)
    return made


def lots(*days):
    return [IncomingLot("L-1", day, None, 2) for day in days]


def unexpected_serial():
    sku = make_serialized_sku()
    made = make_submitted((sku, 3))
    receive(made, incoming_line(sku, serials=["X"]))
    return made, 0, 1


def void_serial():
    sku = make_serialized_sku()
    made = cancelled((sku, 1), planned=True)
    receive(made, incoming_line(sku, serials=["SN00000001"]))
    return made, 0, 1


def late_serial():
    sku = make_serialized_sku()
    made = cancelled((sku, 3))
    receive(made, incoming_line(sku, serials=["A"]))
    return made, 0, 1


def late_pieces():
    sku = make_sku()
    made = cancelled((sku, 3))
    receive(made, incoming_line(sku, quantity=2))
    return made, 0, 2


def too_many():
    sku = make_sku()
    made = make_submitted((sku, 1), planned=False)
    receive(made, incoming_line(sku, quantity=2))
    return made, 2, 2


def expired():
    sku = make_sku()
    made = make_submitted((sku, 9), planned=False)
    receive(made, incoming_line(sku, quantity=2, lots=lots(date(2020, 1, 31))))
    return made, 2, 2


def other_expiry():
    sku = make_sku()
    made = make_submitted((sku, 9), planned=False)
    Lot.objects.create(sku=sku, number="L-1", expires_on=date(2070, 1, 31))
    receive(made, incoming_line(sku, quantity=2, lots=lots(date(2069, 1, 31))))
    return made, 2, 2


ANSWERABLE = {
    "unexpected_serial": [unexpected_serial],
    "serial_void": [void_serial],
    "not_open": [late_serial, late_pieces],
    "over_receipt": [too_many],
    "lot_expired": [expired],
    "lot_expiry": [other_expiry],
}


def pieces():
    return sum(Stock.objects.values_list("quantity", flat=True))


@pytest.mark.parametrize("kind", DiscrepancyKind.values)
def test_every_kind_can_be_answered_whatever_the_status_is(in_a, kind):
    """No fact leads nowhere: in each status each answer that its page offers is taken, and does what it says."""
    assert (acceptance(kind) is not None) == (kind in ANSWERABLE)
    makers = ANSWERABLE.get(kind, [lambda: (make_submitted(), 0, 0)])
    answers = [True, False] if kind in ANSWERABLE else [False]
    for make, status, is_accepted in product(makers, set(Status) - {Status.INCOMPLETE}, answers):
        with transaction.atomic():
            made, before, after = make()
            if kind not in ANSWERABLE:
                make_discrepancy(kind=kind, process_type="replenishment", process_id=made.number)
            Replenishment.objects.filter(pk=made.pk).update(status=status)
            assert pieces() == before
            case = Discrepancy.objects.get(kind=kind)
            if is_accepted:
                accept_discrepancies(discrepancy_ids=[case.pk], reason="So be it", actor=None)
            else:
                close_discrepancy(discrepancy_id=case.pk, reason="No", actor=None, is_refused=True)
            ended = {True: CaseState.ACCEPTED, False: CaseState.REFUSED if is_refusable(kind) else CaseState.SETTLED}
            assert with_state(Discrepancy.objects.filter(pk=case.pk)).get().state == ended[is_accepted]
            assert pieces() == (after if is_accepted else before)
            made.refresh_from_db()
            assert (made.status == status) or status not in ENDED
            transaction.set_rollback(True)


@pytest.mark.commits("cases are settled in transactions of their own")
def test_goods_that_come_for_a_cancelled_one_are_booked_after_all(account_a, olga):
    with account_context(account_a):
        own, bulk = make_serialized_sku(), make_sku()
        made = cancelled((own, 2), (bulk, 5), (bulk, 5))
        place = make_bin(link=made.link, name="B-7")
        receive(
            made,
            incoming_line(
                own, serials=["A", "B"], bin_name="B-7", lots=[IncomingLot("L-1", date(2070, 1, 1), None, 2)]
            ),
            incoming_line(bulk, quantity=7, bin_name="B-7", lots=[IncomingLot("L-2", quantity=4)]),
        )
        cases = Discrepancy.objects.order_by("pk")
        assert sorted((case.kind, case.serial) for case in cases) == [
            ("not_open", ""),
            ("not_open", "A"),
            ("not_open", "B"),
        ]
        assert f"arrived for {made.number}, which is Cancelled" in cases[0].summary
        assert not Stock.objects.exists()
        assert settle_many(replenishment_id=made.pk, reason="Keep it", actor=olga, is_accepted=True) == 3
        made.refresh_from_db()
        assert (made.status, made.received_quantity) == (Status.CANCELLED, 9)
        assert [line_of(made, position).received_quantity for position in (1, 2, 3)] == [2, 5, 2]
        assert set(Unit.objects.filter(bin=place).values_list("serial", "lot__number")) == {("A", "L-1"), ("B", "L-1")}
        assert sorted(Stock.objects.filter(sku=bulk).values_list("bin", "quantity")) == [(place.pk, 3), (place.pk, 4)]
        assert sum(ReceiptLine.objects.values_list("applied_quantity", flat=True)) == 9
    assert check_ledger()[0] == 0


def test_the_office_answers_on_the_page_of_a_cancelled_one(client_for, olga, account_a):
    with account_context(account_a):
        made, _before, _after = late_pieces()
        case = Discrepancy.objects.get()
    page = text_of(client_for(olga).get(f"/acme/replenishments/{made.pk}/"))
    assert "Accept all (1)" in page
    dialog = text_of(client_for(olga).get(f"/acme/discrepancies/{case.pk}/accept/"))
    assert "It is received after all" in dialog
    answer = client_for(olga).post(f"/acme/replenishments/{made.pk}/accept/", {"reason": "Sold anyway"})
    assert answer.status_code == 302
    with account_context(account_a):
        assert (pieces(), Replenishment.objects.get().status) == (2, Status.CANCELLED)


@pytest.mark.parametrize(("make", "workflow"), [(late_serial, Workflow.NO), (late_pieces, Workflow.IN_OUT)])
def test_goods_do_not_come_in_as_units_where_they_came_as_pieces_nor_the_other_way_round(in_a, make, workflow):
    made, _before, _after = make()
    set_workflow(sku_ids=[line_of(made).sku_id], workflow=workflow, actor=None)
    with pytest.raises(Conflict, match="Serial attribute"):
        settle_many(replenishment_id=made.pk, reason="Keep it", actor=None, is_accepted=True)
    assert pieces() == 0
    assert settle_many(replenishment_id=made.pk, reason="Sent back", actor=None, is_accepted=False) == 1


def test_a_number_that_became_void_since_it_came_is_accepted_too(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 3))
    receive(made, incoming_line(sku, serials=["X"]))
    case = Discrepancy.objects.get()
    other = make_replenishment((sku, 1))
    planning.add_serials(line_id=line_of(other).pk, serials=["X"], actor=None)
    submitting.submit(replenishment_id=other.pk, actor=None)
    submitting.cancel(replenishment_id=other.pk, reason="No", actor=None)
    assert Unit.objects.get(serial="X").is_void
    accept_discrepancies(discrepancy_ids=[case.pk], reason="Right one", actor=None)
    unit = Unit.objects.get(serial="X")
    assert (unit.status, unit.is_void, unit.process_id) == ("ready", False, made.number)


@pytest.mark.parametrize("is_over", [True, False])
def test_what_may_be_no_serial_says_so_before_all_of_it_is_accepted(account_a, client_for, olga, is_over):
    with account_context(account_a):
        sku = make_serialized_sku()
        made = cancelled((sku, 9)) if is_over else make_submitted((sku, 9))
        receive(made, incoming_line(sku, serials=["A001-A005", "ODD-1"]))
        words = {case.serial: case.summary for case in Discrepancy.objects.all()}
    doubt = "looks like a range of serials"
    assert [doubt in words[serial] for serial in ("A001-A005", "ODD-1")] == [True, False]
    page = text_of(client_for(olga).get(f"/acme/replenishments/{made.pk}/accept/"))
    assert "1 looks like no serial" in page
    assert "A001-A005 (a range of serials)" in page
    assert "ODD-1" not in page


def test_a_case_of_before_that_names_no_sku_is_only_settled(in_a):
    made, _before, _after = late_serial()
    Discrepancy.objects.update(sku=None)
    with pytest.raises(Conflict, match="Nothing of what waits"):
        settle_many(replenishment_id=made.pk, reason="Keep it", actor=None, is_accepted=True)
    assert settle_many(replenishment_id=made.pk, reason="Sent back", actor=None, is_accepted=False) == 1
