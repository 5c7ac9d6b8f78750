"""Making a replenishment and planning its serials, on a real PostgreSQL."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from oms.errors import Conflict, DomainError
from oms.models import OutboxMessage, Workflow
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import PlannedSerial, PlannedState, Replenishment, ReplenishmentLine
from replenishment.services import drafts, planning, serials_csv, submitting
from replenishment.services.lots import set_lots
from serials.models import NumberScheme, Unit, UnitEvent
from serials.services.numbers import NumbersExhausted, reserve_block
from tests.factories import make_serialized_sku, make_sku, make_warehouse_link
from tests.oms.jobs_at_work import is_waiting, until
from tests.replenishment.factories import generate, line_of, make_replenishment, make_submitted

pytestmark = pytest.mark.django_db


def serials(replenishment):
    return list(
        PlannedSerial.objects.filter(line__replenishment=replenishment).order_by("pk").values_list("serial", flat=True)
    )


# --- numbers ----------------------------------------------------------------------------------------------------------
def test_blocks_follow_each_other_and_never_overlap(in_a):
    first, second = reserve_block(count=3), reserve_block(count=2)
    assert list(first) == ["SN00000001", "SN00000002", "SN00000003"]
    assert list(second) == ["SN00000004", "SN00000005"]
    assert (len(first), len(second)) == (3, 2)


def test_a_block_is_one_statement(in_a):
    reserve_block(count=1)
    with CaptureQueriesContext(connection) as queries:
        reserve_block(count=100_000)
    assert [query["sql"].split()[0] for query in queries] == ["SAVEPOINT", "UPDATE", "RELEASE"]


def test_a_scheme_that_is_used_up_says_so_and_gives_nothing(in_a):
    NumberScheme.objects.create(prefix="X", width=2, first_counter=98, next_counter=98, is_default=True)
    with pytest.raises(NumbersExhausted):
        reserve_block(count=3)
    assert list(reserve_block(count=2)) == ["X98", "X99"]
    with pytest.raises(NumbersExhausted):
        reserve_block(count=1)


def test_each_account_counts_for_itself(account_a, account_b):
    for account in (account_a, account_b):
        with account_context(account):
            assert list(reserve_block(count=1)) == ["SN00000001"]


# --- making one -------------------------------------------------------------------------------------------------------
def test_a_replenishment_has_a_number_and_its_lines_in_order(in_a, olga):
    one, other = make_sku(), make_sku()
    made = make_replenishment((one, 5), (other, 2), actor=olga, supplier="Kim & Co", reference="PO 7")
    assert (made.number, made.status, made.quantity, made.version) == ("R-1001", Status.INCOMPLETE, 7, 1)
    assert list(made.lines.order_by("position").values_list("position", "sku", "quantity")) == [
        (1, one.pk, 5),
        (2, other.pk, 2),
    ]
    assert make_replenishment().number == "R-1002"


@pytest.mark.parametrize("quantity", [0, -1, 1_000_001, 10**9])
def test_a_quantity_out_of_bounds_makes_nothing(in_a, quantity):
    with pytest.raises(DomainError, match="1 to"):
        make_replenishment((make_sku(), quantity))
    assert not Replenishment.objects.exists()


def test_no_lines_and_too_many_are_refused(in_a):
    link, sku = make_warehouse_link(), make_sku()
    for lines in ([], [drafts.LineInput(sku.pk, 1)] * 1001):
        with pytest.raises(DomainError):
            drafts.create_replenishment(link_id=link.pk, lines=lines, actor=None)


def test_a_sku_or_warehouse_of_another_account_is_refused(account_a, account_b):
    with account_context(account_b):
        foreign_sku, foreign_link = make_sku(), make_warehouse_link()
    with account_context(account_a):
        with pytest.raises(DomainError):
            make_replenishment((foreign_sku, 1))
        with pytest.raises(DomainError):
            make_replenishment((make_sku(), 1), link=foreign_link)


# --- changing lines ---------------------------------------------------------------------------------------------------
def inputs(replenishment, **changes):
    return [
        drafts.LineInput(line.sku_id, changes.get(f"q{line.position}", line.quantity), line.pk)
        for line in replenishment.lines.order_by("position")
        if line.position != changes.get("without")
    ]


def change(made, lines, version=None):
    return drafts.change_lines(replenishment_id=made.pk, version=version or made.version, lines=lines, actor=None)


def test_lines_are_changed_added_and_removed(in_a):
    made = make_replenishment((make_serialized_sku(), 2), (make_serialized_sku(), 3))
    generate(made, 2)
    made.refresh_from_db()
    more = drafts.LineInput(make_sku().pk, 9)
    changed = change(made, [*inputs(made, without=2, q1=4), more])
    assert list(changed.lines.order_by("position").values_list("position", "quantity")) == [(1, 4), (3, 9)]
    assert changed.quantity == 13
    assert set(PlannedSerial.objects.values_list("state", "line")) == {(PlannedState.REMOVED, None)}


def test_who_saw_an_older_version_overwrites_nothing(in_a):
    made = make_replenishment()
    change(made, inputs(made, q1=4))
    with pytest.raises(Conflict, match="while you were editing"):
        change(made, inputs(made, q1=5), version=1)
    assert line_of(made).quantity == 4


def test_a_line_that_is_named_twice_changes_nothing(in_a):
    made = make_replenishment()
    with pytest.raises(DomainError, match="named twice"):
        change(made, [*inputs(made, q1=5), *inputs(made, q1=7)])
    made.refresh_from_db()
    assert (made.quantity, line_of(made).quantity, made.version) == (3, 3, 1)


def test_a_line_of_another_replenishment_cannot_be_changed_through_this_one(in_a):
    made, other = make_replenishment(), make_replenishment()
    with pytest.raises(Conflict):
        change(made, inputs(other, q1=7))
    assert line_of(other).quantity == 3


def test_after_submit_nothing_of_it_changes(in_a):
    made = make_submitted()
    with pytest.raises(Conflict, match="already submitted"):
        change(made, inputs(made, q1=7))
    for act in (
        lambda: generate(made),
        lambda: planning.add_serials(line_id=line_of(made).pk, serials=["X"], actor=None),
        lambda: planning.remove_serials(line_id=line_of(made).pk, planned_ids=None, actor=None),
    ):
        with pytest.raises(Conflict):
            act()


# --- generating -------------------------------------------------------------------------------------------------------
def test_each_selected_line_gets_as_many_as_it_has_units(in_a):
    made = make_replenishment((make_serialized_sku(), 2), (make_serialized_sku(), 3), (make_serialized_sku(), 4))
    assert generate(made, 1, 3) == 6
    counts = [line.planned.count() for line in made.lines.order_by("position")]
    assert counts == [2, 0, 4]
    assert serials(made) == [f"SN{number:08}" for number in range(1, 7)]


def test_lines_that_are_not_in_out_are_named_and_nothing_is_generated(in_a):
    made = make_replenishment((make_serialized_sku(), 2), (make_sku(code="PLAIN-1", workflow=Workflow.OUT), 3))
    with pytest.raises(DomainError, match=r"line 2 \(PLAIN-1\)"):
        generate(made)
    assert not PlannedSerial.objects.exists()


def test_a_line_that_has_serials_is_named(in_a):
    made = make_replenishment((make_serialized_sku(code="ONE"), 2), (make_serialized_sku(), 2))
    generate(made, 1)
    with pytest.raises(DomainError, match=r"line 1 \(ONE\)"):
        generate(made)


def test_numbers_that_are_taken_are_skipped(in_a):
    sku = make_serialized_sku()
    typed = make_replenishment((sku, 2))
    planning.add_serials(line_id=line_of(typed).pk, serials=["sn00000002", "SN00000003"], actor=None)
    submitting.submit(replenishment_id=typed.pk, actor=None)
    draft = make_replenishment((sku, 1))
    planning.add_serials(line_id=line_of(draft).pk, serials=["SN00000005"], actor=None)
    made = make_replenishment((sku, 4))
    generate(made)
    assert serials(made) == ["SN00000001", "SN00000004", "SN00000006", "SN00000007"]


def type_numbers(sku, how_many):
    """The scheme's first numbers, typed into a draft."""
    typed = make_replenishment((sku, how_many))
    numbers = [f"SN{number:08}" for number in range(1, how_many + 1)]
    planning.add_serials(line_id=line_of(typed).pk, serials=numbers, actor=None)
    return typed


@pytest.mark.parametrize("is_submitted", [False, True])
def test_many_taken_numbers_are_passed_in_few_steps(in_a, is_submitted):
    sku = make_serialized_sku()
    typed = type_numbers(sku, 3_000)
    if is_submitted:
        submitting.submit(replenishment_id=typed.pk, actor=None)
    made = make_replenishment((sku, 2), (make_serialized_sku(), 3), (sku, 1))
    assert statements(lambda: generate(made)) < 100
    numbers = serials(made)
    own = PlannedSerial.objects.filter(line__replenishment=made, sku=sku).values_list("serial", flat=True)
    assert [line.planned.count() for line in made.lines.order_by("position")] == [2, 3, 1]
    assert len(set(numbers)) == 6
    assert min(own) > "SN00003000"
    other = make_replenishment((sku, 3))
    generate(other)
    assert min(serials(other)) > max(numbers), "none of the numbers that were looked at is given later"


def test_the_last_numbers_of_a_scheme_are_found_behind_taken_ones(in_a):
    NumberScheme.objects.create(prefix="SN", width=2, is_default=True)
    sku = make_serialized_sku()
    typed = make_replenishment((sku, 90))
    numbers = [f"SN{number:02}" for number in range(1, 91)]
    planning.add_serials(line_id=line_of(typed).pk, serials=numbers, actor=None)
    made = make_replenishment((sku, 5))
    generate(made)
    assert len(serials(made)) == 5
    assert min(serials(made)) == "SN91"


def test_a_generated_number_is_never_used_again(in_a):
    made = make_replenishment((make_serialized_sku(), 2))
    generate(made)
    line = line_of(made)
    assert planning.remove_serials(line_id=line.pk, planned_ids=None, actor=None) == 2
    with pytest.raises(planning.BadSerials) as refused:
        planning.add_serials(line_id=line.pk, serials=["SN00000001", "FREE-1"], actor=None)
    assert [fault.place for fault in refused.value.faults] == [1]
    generate(made)
    assert serials(made) == ["SN00000003", "SN00000004"]


def statements(action):
    with CaptureQueriesContext(connection) as queries:
        action()
    return len(queries)


def test_generate_and_submit_take_the_same_statements_for_10_and_10_000(in_a):
    small, large = (make_replenishment((make_serialized_sku(), quantity)) for quantity in (10, 10_000))
    make_submitted()  # the first message of a transaction also says that there is work
    assert statements(lambda: generate(small)) == statements(lambda: generate(large))
    few = statements(lambda: submitting.submit(replenishment_id=small.pk, actor=None))
    assert few == statements(lambda: submitting.submit(replenishment_id=large.pk, actor=None))
    assert Unit.objects.filter(process_id=large.number, status="incoming").count() == 10_000


# --- typing -----------------------------------------------------------------------------------------------------------
def test_typed_serials_are_kept_as_typed_and_removed_ones_may_come_back(in_a):
    line = line_of(make_replenishment())
    planning.add_serials(line_id=line.pk, serials=[" ab-1 ", "Zwei"], actor=None)
    assert list(line.planned.order_by("pk").values_list("serial", "serial_key", "is_generated")) == [
        ("ab-1", "AB-1", False),
        ("Zwei", "ZWEI", False),
    ]
    planning.remove_serials(line_id=line.pk, planned_ids=[line.planned.get(serial="ab-1").pk], actor=None)
    assert planning.add_serials(line_id=line.pk, serials=["AB-1"], actor=None) == 1


def test_every_bad_serial_is_reported_with_its_place(in_a):
    sku = make_serialized_sku()
    make_submitted((sku, 1))
    other = make_replenishment((sku, 1))
    planning.add_serials(line_id=line_of(other).pk, serials=["PLANNED"], actor=None)
    line = line_of(make_replenishment((sku, 20)))
    typed = ["GOOD", "", "x" * 300, "A\tB", "good ", "planned", "sn00000001", "ＧＯＯＤ", "NUL\0"]
    with pytest.raises(planning.BadSerials) as refused:
        planning.add_serials(line_id=line.pk, serials=typed, actor=None)
    assert [fault.place for fault in refused.value.faults] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert "number 1" in refused.value.faults[3].message
    assert other.number in refused.value.faults[4].message
    assert "Registered" in refused.value.faults[5].message
    assert not line.planned.exists()


def test_more_than_the_line_has_units_is_refused(in_a):
    line = line_of(make_replenishment((make_serialized_sku(), 2)))
    with pytest.raises(DomainError, match="room for 2 more"):
        planning.add_serials(line_id=line.pk, serials=["A", "B", "C"], actor=None)


def test_serials_of_another_workflow_or_account_are_refused(account_a, account_b):
    with account_context(account_b):
        foreign = line_of(make_replenishment())
    with account_context(account_a):
        plain = line_of(make_replenishment((make_sku(), 2)))
        with pytest.raises(DomainError, match="In/Out"):
            planning.add_serials(line_id=plain.pk, serials=["A"], actor=None)
        for act in (
            lambda: planning.add_serials(line_id=foreign.pk, serials=["A"], actor=None),
            lambda: planning.remove_serials(line_id=foreign.pk, planned_ids=None, actor=None),
        ):
            with pytest.raises(Conflict, match="removed this line"):
                act()
        with pytest.raises(Replenishment.DoesNotExist):
            planning.generate_serials(replenishment_id=foreign.replenishment_id, line_ids=[foreign.pk], actor=None)


def test_a_line_that_somebody_removed_is_told(in_a):
    made = make_replenishment((make_serialized_sku(), 2), (make_serialized_sku(), 3))
    gone = line_of(made, 2).pk
    change(made, inputs(made, without=2))
    file = serials_csv.LINE_SCHEMA.read(io.BytesIO(b"Serial\nA-1\n"))
    for act in (
        lambda: planning.add_serials(line_id=gone, serials=["A"], actor=None),
        lambda: planning.remove_serials(line_id=gone, planned_ids=None, actor=None),
        lambda: set_lots(line_id=gone, version=made.version, lots=[], actor=None),
        lambda: serials_csv.apply_serials(replenishment_id=made.pk, parsed=file, actor=None, line_id=gone),
    ):
        with pytest.raises(Conflict, match="removed this line"):
            act()


# --- two people at once -----------------------------------------------------------------------------------------------
def at_once(account, action, how_many):
    """What each of several threads got: an answer, or the error's class."""
    found, gate = [], threading.Barrier(how_many)

    def run():
        try:
            gate.wait()
            with account_context(account):
                found.append(action())
        except DomainError as error:
            found.append(type(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _n in range(how_many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.commits("threads, each with a connection of its own")
def test_two_tabs_that_submit_at_once_submit_once(account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(), 50))
        generate(made)
    found = at_once(account_a, lambda: submitting.submit(replenishment_id=made.pk, actor=None).status, 4)
    assert sorted(map(str, found)) == sorted([Status.IN_TRANSIT.value, *[str(Conflict)] * 3])
    with account_context(account_a):
        assert Unit.objects.count() == UnitEvent.objects.count() == 50
        assert OutboxMessage.objects.count() == 1


@pytest.mark.commits("threads, each with a connection of its own")
@pytest.mark.parametrize("late", ["add", "lots"])
def test_a_line_that_is_removed_while_somebody_waits_for_it_is_told(account_a, late):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(), 2), (make_serialized_sku(), 3))
        gone = line_of(made, 2).pk
    acts = {
        "add": lambda: planning.add_serials(line_id=gone, serials=["A"], actor=None),
        "lots": lambda: set_lots(line_id=gone, version=made.version + 1, lots=[], actor=None),
    }
    with ThreadPoolExecutor(1) as pool:
        with account_context(account_a):
            change(made, inputs(made, without=2))
            waiting = pool.submit(lambda: at_once(account_a, acts[late], 1))
            until(is_waiting)
        assert waiting.result() == [Conflict]


@pytest.mark.commits("threads, each with a connection of its own")
def test_people_who_generate_at_once_get_different_numbers(account_a):
    with account_context(account_a):
        sku = make_serialized_sku()
        made = iter([make_replenishment((sku, 40)).pk for _n in range(4)])

    def act():
        pk = next(made)
        line = ReplenishmentLine.objects.get(replenishment=pk)
        return planning.generate_serials(replenishment_id=pk, line_ids=[line.pk], actor=None)

    assert at_once(account_a, act, 4) == [40] * 4
    with account_context(account_a):
        assert PlannedSerial.objects.values("serial_key").distinct().count() == 160
        assert NumberScheme.objects.get().next_counter == 161


@pytest.mark.commits("threads, each with a connection of its own")
def test_numbers_of_replenishments_made_at_once_are_different(account_a):
    with account_context(account_a):
        sku, link = make_serialized_sku(), make_warehouse_link()
    found = at_once(account_a, lambda: make_replenishment((sku, 1), link=link).number, 4)
    assert sorted(found) == ["R-1001", "R-1002", "R-1003", "R-1004"]
