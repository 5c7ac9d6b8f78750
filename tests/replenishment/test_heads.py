"""The head of a replenishment, its lots, and making another one like it; two people at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from oms.errors import Conflict, DomainError
from oms.models import AuditEntry
from oms.tenancy import account_context
from oms.ui.audit import said
from replenishment.lifecycle import OPEN, RULES, Status, Step
from replenishment.models import MOST_LOTS, PlannedSerial, Replenishment, ReplenishmentLot
from replenishment.services import drafts, heads, lots, planning, submitting
from replenishment.services.drafts import LineInput, LotInput
from tests.factories import make_serialized_sku, make_sku, make_warehouse_link
from tests.replenishment.factories import generate, line_of, make_replenishment, make_submitted

pytestmark = pytest.mark.django_db
DAY = date(2027, 1, 31)


@pytest.fixture
def in_a(account_a):
    with account_context(account_a):
        yield account_a


def change(made, version=None, **values):
    return heads.change_head(
        replenishment_id=made.pk, version=made.version if version is None else version, values=values, actor=None
    )


def set_lots(line, *rows, version=None):
    seen = Replenishment.objects.get(pk=line.replenishment_id).version if version is None else version
    found = [LotInput(*row) for row in rows]
    return lots.set_lots(line_id=line.pk, version=seen, lots=found, actor=None)


# --- the head ---------------------------------------------------------------------------------------------------------
def test_a_draft_changes_and_the_history_says_it_in_words(in_a, olga):
    made, other = make_replenishment(supplier="Kim"), make_warehouse_link()
    done = heads.change_head(
        replenishment_id=made.pk,
        version=made.version,
        values={"link": other, "supplier": "Lee", "expected_on": DAY, "tracking": "1Z9", "notes": "Ring twice"},
        actor=olga,
    )
    assert (done.link, done.supplier, done.expected_on, done.version) == (other, "Lee", DAY, made.version + 1)
    entry = AuditEntry.objects.get(action="change", kind="replenishment")
    words = {change.label: (change.before, change.after) for change in said(entry)}
    assert words["Supplier"] == ("Kim", "Lee")
    assert words["Expected"] == ("", "2027-01-31")
    assert words["Warehouse"][1] == other.warehouse.name
    assert set(words) == {"Supplier", "Expected", "Warehouse", "Tracking number", "Notes"}


def test_a_save_that_changes_nothing_leaves_no_trace(in_a):
    made = make_replenishment(supplier="Kim")
    assert change(made, supplier="Kim").version == made.version
    assert not AuditEntry.objects.filter(action="change").exists()


def test_who_has_not_seen_the_newest_overwrites_nothing(in_a):
    made = make_replenishment()
    change(made, supplier="Kim")
    with pytest.raises(Conflict, match="while you were editing"):
        change(made, version=made.version, supplier="Lee")
    assert Replenishment.objects.get(pk=made.pk).supplier == "Kim"


def test_after_submit_only_the_transport_changes(in_a):
    made = make_submitted()
    assert change(made, expected_on=DAY, carrier="UPS").carrier == "UPS"
    made.refresh_from_db()
    with pytest.raises(Conflict, match="already submitted"):
        change(made, supplier="Lee", notes="No")
    made.refresh_from_db()
    assert (made.supplier, made.notes, made.expected_on) == ("", "", DAY)
    submitting.cancel(replenishment_id=made.pk, reason="No", actor=None)
    made.refresh_from_db()
    with pytest.raises(Conflict):
        change(made, notes="Too late")


def test_a_warehouse_of_another_account_is_refused(in_a, account_b):
    made = make_replenishment()
    with account_context(account_b):
        foreign = make_warehouse_link()
    with pytest.raises(DomainError, match="warehouses"):
        change(made, link=foreign)


# --- duplicate --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", list(Status))
def test_any_replenishment_can_be_duplicated(in_a, status):
    sku, plain = make_serialized_sku(), make_sku()
    made = make_replenishment((sku, 2), (plain, 5), supplier="Kim", reference="PO-7", tracking="1Z", expected_on=DAY)
    made.lines.filter(sku=plain).update(unit_cost=Decimal("1.25"))
    generate(made, 1)
    set_lots(line_of(made, 2), ("L-1", 5, DAY))
    Replenishment.objects.update(status=status)
    copy = heads.duplicate(replenishment_id=made.pk, actor=None)
    assert (copy.status, copy.supplier, copy.reference, copy.quantity) == (Status.INCOMPLETE, "Kim", "PO-7", 7)
    assert (copy.tracking, copy.expected_on) == ("", None)
    rows = list(copy.lines.order_by("position").values_list("sku", "quantity", "unit_cost", "received_quantity"))
    assert rows == [(sku.pk, 2, None, 0), (plain.pk, 5, Decimal("1.25"), 0)]
    assert not ReplenishmentLot.objects.filter(line__replenishment=copy).exists()
    assert not PlannedSerial.objects.filter(line__replenishment=copy).exists()
    assert [str(each) for each in said(AuditEntry.objects.get(kind="replenishment", object_id=copy.pk))] == [
        f"Copied from: {made.number}"
    ]


# --- lots -------------------------------------------------------------------------------------------------------------
def test_a_line_has_several_lots_and_a_rest_without_one(in_a):
    line = line_of(make_replenishment((make_sku(), 10)))
    set_lots(line, ("L-1", 4, DAY), ("L-2", 3))
    assert list(line.lots.order_by("pk").values_list("number", "quantity", "expires_on")) == [
        ("L-1", 4, DAY),
        ("L-2", 3, None),
    ]
    set_lots(line, ("L-2", None, DAY))
    assert list(line.lots.values_list("number", "quantity", "expires_on")) == [("L-2", 10, DAY)]
    entry = AuditEntry.objects.filter(action="change").latest("pk")
    assert entry.changes["lots"] == ["4 of L-1 (2027-01-31), 3 of L-2", "10 of L-2 (2027-01-31)"]


TOO_MANY = [(f"L-{n}", 1) for n in range(MOST_LOTS + 1)]


@pytest.mark.parametrize("rows", [[("L", 1), ("L", 2)], [("L", 0)], [("L", 1_000_001)], TOO_MANY])
def test_lots_that_make_no_sense_are_refused(in_a, rows):
    line = line_of(make_replenishment())
    with pytest.raises(DomainError):
        set_lots(line, *rows)


def test_who_has_not_seen_the_newest_lots_overwrites_nothing(in_a):
    made = make_replenishment()
    set_lots(line_of(made), ("L-1", 1))
    with pytest.raises(Conflict):
        set_lots(line_of(made), ("L-2", 1), version=made.version)
    submitting.submit(replenishment_id=made.pk, actor=None)
    with pytest.raises(Conflict, match="already submitted"):
        set_lots(line_of(made), ("L-2", 1))
    assert line_of(made).lots.get().number == "L-1"


def test_lines_keep_or_set_their_lots_and_removed_lines_lose_them(in_a):
    made = make_replenishment((make_sku(), 10), (make_sku(), 5), (make_sku(), 2))
    first, second, third = (line_of(made, position) for position in (1, 2, 3))
    for line in (first, second, third):
        set_lots(line, ("OLD", 2))
    made.refresh_from_db()
    wanted = [
        LineInput(first.sku_id, 20, line_id=first.pk, lots=None, unit_cost=Decimal("2.5")),
        LineInput(second.sku_id, 5, line_id=second.pk, lots=(LotInput("NEW"),)),
    ]
    drafts.change_lines(replenishment_id=made.pk, version=made.version, lines=wanted, actor=None)
    found = ReplenishmentLot.objects.order_by("pk").values_list("line__position", "number", "quantity")
    assert list(found) == [(1, "OLD", 2), (2, "NEW", 5)]
    words = AuditEntry.objects.filter(action="change").latest("pk").changes["changed lines"][1]
    assert words == (
        f"line 1 ({first.sku.code}): 10 → 20, unit cost nothing → 2.50; "
        f"line 2 ({second.sku.code}): lots 2 of OLD → 5 of NEW; line 3 ({third.sku.code}) removed"
    )


def test_the_history_names_cost_lot_and_expiry_that_changed_and_nothing_else(in_a, olga):
    made = make_replenishment((make_sku(), 10), (make_sku(), 4))
    line, other = line_of(made), line_of(made, 2)

    def save(cost, *own, version):
        lines = [
            LineInput(line.sku_id, 10, line.pk, cost and Decimal(cost), tuple(LotInput(*lot) for lot in own)),
            LineInput(other.sku_id, 4, other.pk),
        ]
        return drafts.change_lines(replenishment_id=made.pk, version=version, lines=lines, actor=olga)

    def history():
        return [entry.changes for entry in AuditEntry.objects.filter(action="change").order_by("pk")]

    name = f"line 1 ({line.sku.code})"
    save("5", ("A",), version=1)
    assert history() == [{"changed lines": [None, f"{name}: unit cost nothing → 5.00, lots nothing → 10 of A"]}]
    assert save("5.0000", ("A",), version=2).version == 2
    assert len(history()) == 1, "what changes nothing leaves no trace"
    save("5", ("A", None, DAY), version=2)
    assert history()[-1] == {"changed lines": [None, f"{name}: lots 10 of A → 10 of A (2027-01-31)"]}
    new = [LineInput(line.sku_id, 10, line.pk, Decimal(5), None), LineInput(other.sku_id, 4)]
    drafts.change_lines(replenishment_id=made.pk, version=3, lines=new, actor=olga)
    words = f"line 2 ({other.sku.code}) removed; line 3 ({other.sku.code}) added, 4"
    assert history()[-1] == {"changed lines": [None, words]}


def test_submit_lists_the_faults_of_lots_with_the_others(in_a):
    sku, plain = make_serialized_sku(code="SER"), make_sku(code="PLAIN")
    made = make_replenishment((sku, 2), (plain, 5), (plain, 4))
    planning.add_serials(line_id=line_of(made, 1).pk, serials=["ONE"], actor=None)
    set_lots(line_of(made, 2), ("L-1", 4, DAY), ("L-2", 3))
    set_lots(line_of(made, 3), ("L-1", 4))
    with pytest.raises(submitting.CannotSubmit) as refused:
        submitting.submit(replenishment_id=made.pk, actor=None)
    assert refused.value.faults == [
        "Line 1 (SER) has 1 serial for 2 units: add 1 more, or remove it.",
        "Line 2 (PLAIN): its lots add up to 7, but it has 5 units.",
        "Line 3 (PLAIN): lot L-1 has another expiry here than on line 2.",
    ]


# --- what may happen when ---------------------------------------------------------------------------------------------
ACTS = {
    Step.CHANGE: lambda made: heads.change_head(
        replenishment_id=made.pk, version=made.version, values={"supplier": "New"}, actor=None
    ),
    Step.DESCRIBE: lambda made: heads.change_head(
        replenishment_id=made.pk, version=made.version, values={"notes": "New"}, actor=None
    ),
    Step.SUBMIT: lambda made: submitting.submit(replenishment_id=made.pk, actor=None),
    Step.CLOSE_SHORT: lambda made: submitting.close_short(replenishment_id=made.pk, reason="Why", actor=None),
    Step.CANCEL: lambda made: submitting.cancel(replenishment_id=made.pk, reason="Why", actor=None),
    Step.ARCHIVE: lambda made: submitting.archive(replenishment_id=made.pk, actor=None),
}


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("step", list(ACTS))
def test_only_the_moves_of_the_table_happen(in_a, step, status):
    made = make_replenishment()
    Replenishment.objects.update(status=status)
    made.refresh_from_db()
    sources, targets = RULES[step]
    if status in sources:
        assert ACTS[step](made).status in targets
        return
    with pytest.raises(Conflict):
        ACTS[step](made)
    assert Replenishment.objects.get(pk=made.pk).status == status


def test_an_open_replenishment_can_be_described(in_a):
    assert RULES[Step.DESCRIBE][0] == OPEN | {Status.INCOMPLETE}


# --- two people at once -----------------------------------------------------------------------------------------------
@pytest.mark.commits("threads, each with a connection of its own")
def test_of_two_who_save_at_once_one_is_told(account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(), 10))
        line = line_of(made)

    def save(number):
        try:
            with account_context(account_a):
                if number % 2:
                    set_lots(line, (f"L-{number}", 1), version=made.version)
                else:
                    change(made, notes=f"N-{number}")
        except Conflict:
            return "told"
        else:
            return "saved"
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(save, range(4))) == ["saved", "told", "told", "told"]
    with account_context(account_a):
        found = Replenishment.objects.get(pk=made.pk)
        assert found.version == made.version + 1
        assert bool(found.notes) != ReplenishmentLot.objects.exists()
