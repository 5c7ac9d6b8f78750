"""What the warehouse enters in Lotline itself: checked, received, sent twice."""

from dataclasses import replace

import pytest
from django.db import connections, transaction

from channels_sync.models import Connection
from oms.errors import Conflict, DomainError
from oms.models import AuditEntry, Discrepancy, Stock
from oms.queries.stock import system_of
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import Receipt, ReceivedSerial, ReplenishmentLine, ReplenishmentLot
from replenishment.services import by_hand, submitting
from serials.models import Unit, UnitEvent
from tests.factories import make_bin, make_serialized_sku, make_sku, make_warehouse_link
from tests.replenishment.entered import enter, units
from tests.replenishment.factories import incoming_line, line_of, make_replenishment, make_submitted
from tests.replenishment.test_planning import at_once
from tests.serials.test_check_ledger import run as check_ledger

pytestmark = pytest.mark.django_db


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


@pytest.mark.commits("threads, each with a connection of its own")
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


@pytest.mark.commits("threads, each with a connection of its own")
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


@pytest.mark.commits("the owner looks at the rows over its own connection")
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


@pytest.mark.commits("a rollback of the whole transaction")
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
