"""Lots of what arrives: their dates, kept, corrected and taken back; which serial is of which; what has expired."""

import re
from datetime import date

import pytest

from oms import outbox
from oms.models import AuditEntry, Discrepancy, Stock
from oms.services.discrepancies import accept_discrepancies, close_discrepancy
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import ReplenishmentLot
from replenishment.planned_lots import serial_rows
from replenishment.services import by_hand, planning, submitting
from replenishment.services.receiving import apply_receipt
from replenishment.services.undoing import undo
from serials.labels_jobs import label_run
from serials.models import Unit, UnitEvent
from serials.queries.prints import usual_choice
from serials.queries.units import labels_of
from serials.services.prints import record_print
from tests.factories import make_bin, make_serialized_sku, make_sku
from tests.replenishment.browsing import insist, text_of
from tests.replenishment.entered import enter, units
from tests.replenishment.factories import (
    expiry,
    incoming,
    incoming_line,
    line_of,
    lot,
    make_replenishment,
    make_submitted,
)

pytestmark = pytest.mark.django_db
TYPO, RIGHT, LATE = date(2038, 1, 31), date(2037, 1, 31), date(2207, 1, 31)


@pytest.fixture
def office(client_for, olga):
    return client_for(olga)


def expl():
    """A replenishment of one unit, EXPL-1."""
    made = make_replenishment((make_serialized_sku(gtin="09521234543213"), 1))
    planning.add_serials(line_id=line_of(made).pk, serials=["EXPL-1"], actor=None)
    submitting.submit(replenishment_id=made.pk, actor=None)
    return made


def line(made, serial="EXPL-1", *lots):
    return incoming_line(line_of(made).sku, serials=[serial], position=1, lots=lots)


def test_an_undone_receipt_takes_with_it_what_only_it_said(in_a, wes):
    made = expl()
    first = enter(made, wes, line(made, "EXPL-1", lot(TYPO)))
    undo(receipt_id=first.pk, reason="expiry mistyped", actor=wes)
    unit = Unit.objects.get()
    assert (expiry(), unit.status, unit.lot) == (None, "incoming", None)
    assert UnitEvent.objects.order_by("pk").last().lot_number == ""
    enter(made, wes, line(made, "EXPL-1", lot(RIGHT)), key="k2")
    assert (expiry(), Unit.objects.get().lot.number) == (RIGHT, "MX9")
    assert not Discrepancy.objects.exists()
    assert AuditEntry.objects.get(kind="lot").changes["expiry"] == ["2038-01-31", None]


def test_what_another_receipt_said_too_stays_and_settles_what_waited(in_a, wes):
    other = make_submitted((make_sku(), 9), planned=False)
    sku = line_of(other).sku
    first = enter(other, wes, incoming_line(sku, quantity=1, position=1, lots=[lot(TYPO)]))
    second = enter(other, wes, incoming_line(sku, quantity=1, position=1, lots=[lot(RIGHT)]), key="k2")
    enter(other, wes, incoming_line(sku, quantity=1, position=1, lots=[lot(RIGHT)]), key="k3")
    assert (expiry(), Discrepancy.objects.filter(is_open=True).count()) == (TYPO, 2)
    undo(receipt_id=first.pk, reason="expiry mistyped", actor=wes)
    assert (expiry(), Discrepancy.objects.filter(is_open=True).count()) == (RIGHT, 0)
    outbox.drain(in_a.pk)
    other.refresh_from_db()
    assert other.status == Status.PARTIAL
    undo(receipt_id=second.pk, reason="Not ours", actor=wes)
    assert expiry() == RIGHT, "the third said so, too"


def test_a_unit_keeps_the_lot_that_it_had_before_the_receipt_that_is_undone(in_a, wes):
    made = expl()
    first = enter(made, wes, line(made, "EXPL-1", lot(RIGHT)))
    undo(receipt_id=first.pk, reason="Wrong bin", actor=wes)
    second = enter(made, wes, line(made, "EXPL-1", lot(RIGHT, number="OTHER")), key="k2")
    assert Unit.objects.get().lot.number == "OTHER"
    undo(receipt_id=second.pk, reason="Wrong lot", actor=wes)
    assert Unit.objects.get().lot is None
    assert not Stock.objects.filter(quantity__gt=0).exists()


@pytest.mark.parametrize("is_taken", [True, False])
def test_the_office_takes_the_other_expiry_or_keeps_the_known_one(office, account_a, wes, olga, is_taken):
    with account_context(account_a):
        made = expl()
        enter(made, wes, line(made, "EXPL-1", lot(TYPO)))
        enter(
            made,
            wes,
            incoming_line(line_of(made).sku, quantity=0, position=1, lots=[lot(RIGHT)], serials=["X"]),
            key="k2",
        )
        case = Discrepancy.objects.get(kind="lot_expiry")
        run = label_run("units", {"pks": [Unit.objects.get(serial="EXPL-1").pk]})
        print_labels(run, olga)
    address = f"/acme/discrepancies/{case.pk}/"
    page = text_of(office.get(address))
    assert "Take 2037-01-31" in page
    assert "Keep 2038-01-31" in page
    assert "1 label of its units was printed" in text_of(office.get(f"{address}accept/"))
    answer = office.post(f"{address}{'accept' if is_taken else 'close'}/", {"reason": "See the carton"})
    assert answer.status_code == 302
    with account_context(account_a):
        assert expiry() == (RIGHT if is_taken else TYPO)
        log = [(row.action, row.actor, row.changes["expiry"]) for row in AuditEntry.objects.filter(kind="lot")]
        decided = ("correct", olga, ["2038-01-31", "2037-01-31"]), ("keep", olga, ["2038-01-31", "2038-01-31"])
        assert log == [decided[not is_taken]]
        assert [label.expires_on for label in labels_of(Unit.objects.filter(serial="EXPL-1")).labels()] == [expiry()]


def print_labels(run, person):
    labels = [(each.sku_id, each.serial, each.bin_id) for each in run.labels()]
    record_print(run=run, choice=usual_choice(run), printed=labels, reprints=0, person=person)


def test_a_date_that_somebody_decided_on_is_not_taken_back(in_a, wes, olga):
    made = make_submitted((make_sku(), 9), planned=False)
    sku = line_of(made).sku
    enter(made, wes, incoming_line(sku, quantity=1, position=1, lots=[lot(TYPO)]))
    second = enter(made, wes, incoming_line(sku, quantity=1, position=1, lots=[lot(RIGHT)]), key="k2")
    enter(made, wes, incoming_line(sku, quantity=1, position=1, lots=[lot(RIGHT)]), key="k3")
    first_case = Discrepancy.objects.order_by("pk")[0]
    accept_discrepancies(discrepancy_ids=[first_case.pk], reason="See the carton", actor=olga)
    assert (expiry(), Discrepancy.objects.filter(is_open=True).count()) == (RIGHT, 0), "the other one says the same"
    undo(receipt_id=second.pk, reason="Twice", actor=wes)
    assert expiry() == RIGHT
    outbox.drain(in_a.pk)
    made.refresh_from_db()
    assert made.status == Status.PARTIAL


@pytest.mark.parametrize("is_all", [True, False])
def test_a_date_that_somebody_kept_is_not_taken_back(office, account_a, wes, olga, is_all):
    with account_context(account_a):
        made = make_submitted((make_sku(), 9), planned=False)
        sku = line_of(made).sku
        first = enter(made, wes, incoming_line(sku, quantity=1, position=1, lots=[lot(TYPO)]))
        enter(made, wes, incoming_line(sku, quantity=1, position=1, lots=[lot(RIGHT)]), key="k2")
        case = Discrepancy.objects.get()
    address = f"/acme/replenishments/{made.pk}/refuse/" if is_all else f"/acme/discrepancies/{case.pk}/close/"
    assert office.post(address, {"reason": "See the carton"}).status_code == 302
    with account_context(account_a):
        undo(receipt_id=first.pk, reason="One too many", actor=wes)
        assert expiry() == TYPO
        assert AuditEntry.objects.get(kind="lot").action == "keep"


def test_a_lot_that_was_left_without_a_date_has_none_again(in_a, wes, olga):
    """What a system sent and the office did not want does not come back by an undo."""
    made = make_submitted((make_sku(), 9), planned=False)
    sku = line_of(made).sku
    apply_receipt(incoming(made, incoming_line(sku, quantity=1, lots=[lot(LATE)])), source="wms:1")
    close_discrepancy(discrepancy_id=Discrepancy.objects.get().pk, reason="Cannot be", actor=olga, is_refused=True)
    receipt = enter(made, wes, incoming_line(sku, quantity=1, position=1, lots=[lot(RIGHT)]))
    assert expiry() == RIGHT
    undo(receipt_id=receipt.pk, reason="Twice", actor=wes)
    assert expiry() is None


def test_a_date_that_nobody_was_asked_about_does_not_come_back_by_an_undo(in_a, wes):
    made = make_submitted((make_sku(), 9), planned=False)
    sku = line_of(made).sku
    apply_receipt(incoming(made, incoming_line(sku, quantity=1, lots=[lot(LATE)])), source="wms:1")
    receipt = enter(made, wes, incoming_line(sku, quantity=1, position=1, lots=[lot(RIGHT)]))
    undo(receipt_id=receipt.pk, reason="Twice", actor=wes)
    assert (expiry(), Discrepancy.objects.get().is_open) == (None, True)


# --- which serial is of which lot -------------------------------------------------------------------------------------
def test_each_serial_stands_under_its_lot(floor, account_a):
    with account_context(account_a):
        made = make_submitted((make_serialized_sku(), 4), planned=False)
        pk = line_of(made).pk
    own = {
        "lots": "2",
        "lot0_number": "WA",
        "lot0_serials": "LW1\nLW2",
        "lot1_number": "WB",
        "lot1_serials": "LW3\nLW4",
    }
    data = {"key": "k1", **{f"line{pk}-{name}": value for name, value in own.items()}}
    live = text_of(floor.post(f"/acme/replenishments/lines/{pk}/check/", data))
    assert "4 matched" in live
    assert "without their lot" not in live
    answer = floor.post(f"/acme/replenishments/{made.pk}/receive/", data)
    assert answer.status_code == 302
    with account_context(account_a):
        found = dict(Unit.objects.values_list("serial", "lot__number"))
        assert found == {"LW1": "WA", "LW2": "WA", "LW3": "WB", "LW4": "WB"}
        assert sorted(Stock.objects.values_list("quantity", flat=True)) == [2, 2]
    shown = re.sub(r"\s+", " ", text_of(floor.get(answer.url)))
    assert all(shown.count(f'data-label="Lot">{number}</td>') == 2 for number in ("WA", "WB"))
    other = data | {f"line{pk}-lot0_serials": "LW1\nLW3", f"line{pk}-lot1_serials": "LW2\nLW4"}
    assert "was sent before" in text_of(floor.post(f"/acme/replenishments/{made.pk}/receive/", other))


def test_where_it_is_not_said_the_page_says_that_they_get_none(floor, account_a):
    with account_context(account_a):
        made = make_submitted((make_serialized_sku(), 4), planned=False)
        pk = line_of(made).pk
    own = {"serials": "LW1\nLW2\nLW3", "lots": "2", "lot0_number": "WA", "lot0_quantity": "2", "lot1_number": "WB"}
    own |= {"lot1_quantity": "2", "lot1_serials": "LW4"}
    data = {"key": "k1", **{f"line{pk}-{name}": value for name, value in own.items()}}
    for page in (f"/acme/replenishments/lines/{pk}/check/", f"/acme/replenishments/{made.pk}/receive/"):
        text = text_of(floor.post(page, data))
        assert "3 without their lot" in text
        assert "Enter each serial under its lot" in text
    assert insist(floor, f"/acme/replenishments/{made.pk}/receive/", data).status_code == 302
    with account_context(account_a):
        found = dict(Unit.objects.values_list("serial", "lot__number"))
        assert found == {"LW1": None, "LW2": None, "LW3": None, "LW4": "WB"}


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"lot0_serials": "LW1"}, "Name the lot"),
        ({"lot0_number": "WA", "lot0_serials": "LW1\nLW2", "lot0_quantity": "1"}, "There are 2 serials under this lot"),
        ({"lot0_number": "WA", "lot0_serials": "A\n" * 10_001}, "At most 10,000 serials"),
    ],
)
def test_serials_under_a_lot_that_make_no_sense_are_told_there(floor, account_a, own, words):
    with account_context(account_a):
        made = make_submitted((make_serialized_sku(), 4), planned=False)
        pk = line_of(made).pk
    data = {"key": "k1", **{f"line{pk}-{name}": value for name, value in own.items()}}
    page = floor.post(f"/acme/replenishments/{made.pk}/receive/", data)
    assert (page.status_code, words in text_of(page)) == (422, True)


def test_what_is_expected_is_counted_over_the_lines_that_serials_count_for(floor, account_a, wes):
    with account_context(account_a):
        sku = make_serialized_sku()
        made = make_replenishment((sku, 2), (sku, 2))
        planning.add_serials(line_id=line_of(made).pk, serials=["TRF-1", "TRF-2"], actor=None)
        submitting.submit(replenishment_id=made.pk, actor=None)
        pk = line_of(made, 2).pk
    data = {"key": "k1", f"line{pk}-serials": "TRF-1\nTRF-2\nTRF-3\nTRF-4"}
    live = text_of(floor.post(f"/acme/replenishments/lines/{pk}/check/", data))
    assert "4 matched" in live
    assert "more than expected" not in live
    assert "missing" not in live
    assert floor.post(f"/acme/replenishments/{made.pk}/receive/", data).status_code == 302
    with account_context(account_a):
        made.refresh_from_db()
        assert (made.status, Discrepancy.objects.exists()) == (Status.COMPLETED, False)


def test_what_another_line_of_the_form_brings_is_not_missing_and_is_no_room_twice(in_a):
    sku = make_serialized_sku()
    made = make_replenishment((sku, 2), (sku, 1))
    planning.add_serials(line_id=line_of(made).pk, serials=["A", "B"], actor=None)
    made = submitting.submit(replenishment_id=made.pk, actor=None)
    checks = by_hand.look_at(
        made,
        [incoming_line(sku, serials=["A", "X"], position=1), incoming_line(sku, serials=["B", "Y", "Z"], position=2)],
    )
    assert [(check.matched, check.missing, check.excess, check.absent) for check in checks] == [
        (1, 0, 0, []),
        (2, 0, 1, []),
    ]


# --- one's own receipt corrected --------------------------------------------------------------------------------------
def test_what_was_undone_is_received_again_without_a_case(in_a, wes):
    made = make_submitted((make_serialized_sku(), 1), planned=False)
    bins = [make_bin(link=made.link, name=name) for name in ("A-01-1", "A-01-2")]
    sku = line_of(made).sku
    first = enter(made, wes, incoming_line(sku, serials=["UNDO-77"], position=1, bin_name="A-01-1"))
    undo(receipt_id=first.pk, reason="Wrong bin", actor=wes)
    assert by_hand.look_at(made, [incoming_line(sku, serials=["UNDO-77"], position=1)])[0].waiting == 0
    enter(made, wes, incoming_line(sku, serials=["UNDO-77"], position=1, bin_name="A-01-2"), key="k2")
    assert (units(), Unit.objects.get().bin) == ({"UNDO-77": "ready"}, bins[1])
    assert (made.status, Discrepancy.objects.exists()) == (Status.COMPLETED, False)


def test_one_that_another_replenishment_took_back_was_cancelled_there(in_a, wes):
    sku = make_serialized_sku()
    made, other = make_submitted((sku, 1), planned=False), make_submitted((sku, 1), planned=False)
    receipt = enter(other, wes, incoming_line(sku, serials=["X"], position=1))
    undo(receipt_id=receipt.pk, reason="Of the other truck", actor=wes)
    enter(made, wes, incoming_line(sku, serials=["X"], position=1), key="k2")
    assert Discrepancy.objects.get().kind == "serial_void"


# --- what labels and files say ----------------------------------------------------------------------------------------
def both(made):
    """(lot, expiry) that the two ways to a unit's label say, and the lot in the file of serials."""
    runs = (
        label_run("replenishment", {"replenishment_id": made.pk}),
        label_run("units", {"pks": list(Unit.objects.values_list("pk", flat=True))}),
    )
    said = [(label.lot, label.expires_on) for run in runs for label in run.labels()]
    return {*said, (next(serial_rows(made))[2], said[0][1])}


def test_both_labels_of_a_unit_say_what_it_is(in_a, wes):
    made = make_replenishment((make_serialized_sku(), 1))
    planning.add_serials(line_id=line_of(made).pk, serials=["EXPL-2"], actor=None)
    ReplenishmentLot.objects.create(line=line_of(made), number="ORDERED", expires_on=TYPO, quantity=1)
    submitting.submit(replenishment_id=made.pk, actor=None)
    assert both(made) == {("ORDERED", TYPO)}
    first = enter(made, wes, line(made, "EXPL-2", lot(RIGHT, number="MX10")))
    assert both(made) == {("MX10", RIGHT)}
    undo(receipt_id=first.pk, reason="Wrong lot", actor=wes)
    assert both(made) == {("ORDERED", TYPO)}
    enter(made, wes, line(made, "EXPL-2"), key="k2")
    assert both(made) == {("", None)}, "it came without a lot"
