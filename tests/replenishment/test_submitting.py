"""Submitting a replenishment and its other ends, on a real PostgreSQL."""

from datetime import timedelta

import pytest
from django.utils import timezone

from oms.errors import Conflict, DomainError
from oms.models import OutboxMessage, Sku, Workflow
from oms.services import catalogue
from replenishment.lifecycle import Status
from replenishment.models import PlannedSerial, PlannedState
from replenishment.services import planning, submitting
from serials.lifecycle import Actor, Event
from serials.models import Unit, UnitEvent
from serials.services import Fact, Row, record_event
from tests.factories import make_bin, make_serialized_sku, make_sku
from tests.replenishment.factories import generate, line_of, make_replenishment, make_submitted

pytestmark = pytest.mark.django_db


# --- submitting -------------------------------------------------------------------------------------------------------
def test_submit_makes_as_many_incoming_units_tied_to_the_replenishment(in_a, olga):
    sku = make_serialized_sku()
    made = make_replenishment((sku, 4), (make_sku(), 7))
    generate(made, 1)
    done = submitting.submit(replenishment_id=made.pk, actor=olga)
    assert (done.status, done.submitted_by) == (Status.IN_TRANSIT, olga)
    rows = set(Unit.objects.values_list("sku", "status", "process_type", "process_id", "is_planned", "bin"))
    assert rows == {(sku.pk, "incoming", "replenishment", done.number, True, None)}
    assert Unit.objects.count() == UnitEvent.objects.filter(event="expect", actor=olga).count() == 4
    assert set(PlannedSerial.objects.values_list("state", flat=True)) == {PlannedState.PLANNED}
    message = OutboxMessage.objects.get(topic="replenishment.submitted")
    assert message.payload == {"id": done.pk}


def test_what_happened_in_the_past_keeps_its_time(in_a):
    made, past = make_replenishment(), timezone.now() - timedelta(days=9)
    generate(made)
    done = submitting.submit(replenishment_id=made.pk, actor=None, occurred_at=past)
    assert done.submitted_at == past
    assert set(UnitEvent.objects.values_list("occurred_at", flat=True)) == {past}


def test_submitting_twice_is_a_conflict_and_changes_nothing(in_a):
    made = make_submitted()
    with pytest.raises(Conflict, match="already submitted"):
        submitting.submit(replenishment_id=made.pk, actor=None)
    assert (Unit.objects.count(), OutboxMessage.objects.count()) == (3, 1)


def test_every_fault_is_listed_with_its_line(in_a, ana):
    sku, gone = make_serialized_sku(code="SHORT"), make_serialized_sku(code="GONE")
    taken = make_serialized_sku(code="TAKEN")
    made = make_replenishment((sku, 3), (gone, 1), (taken, 1))
    planning.add_serials(line_id=line_of(made, 1).pk, serials=["A", "B"], actor=None)
    generate(made, 2)
    planning.add_serials(line_id=line_of(made, 3).pk, serials=["T-1"], actor=None)
    Sku.objects.filter(pk=gone.pk).update(workflow=Workflow.OUT)
    receive_elsewhere(taken, "t-1")
    with pytest.raises(submitting.CannotSubmit) as refused:
        submitting.submit(replenishment_id=made.pk, actor=None)
    faults = refused.value.faults
    assert len(faults) == 3
    assert "Line 1 (SHORT) has 2 serials for 3 units" in faults[0]
    assert "Line 2 (GONE)" in faults[1]
    assert "Line 3 (TAKEN)" in faults[2]
    made.refresh_from_db()
    assert made.status == Status.INCOMPLETE


def receive_elsewhere(sku, serial):
    """A unit that the warehouse took in on its own."""
    fact = Fact(Event.RECEIVE, Actor.WAREHOUSE, process_id="R-0")
    record_event(fact, [Row(sku_id=sku.pk, serial=serial, bin_id=make_bin().pk, is_new_allowed=True)])


def test_a_serial_that_became_a_unit_elsewhere_is_named_with_its_line(in_a):
    sku = make_serialized_sku(code="TAKEN")
    made = make_replenishment((sku, 2))
    planning.add_serials(line_id=line_of(made).pk, serials=["T-1", "T-2"], actor=None)
    receive_elsewhere(sku, "t-2")
    with pytest.raises(submitting.CannotSubmit) as refused:
        submitting.submit(replenishment_id=made.pk, actor=None)
    assert refused.value.faults == ["Line 1 (TAKEN): the serial T-2 is registered already."]
    made.refresh_from_db()
    assert (made.status, Unit.objects.count()) == (Status.INCOMPLETE, 1)


def test_lines_may_be_submitted_without_serials(in_a):
    made = make_submitted(planned=False)
    assert made.status == Status.IN_TRANSIT
    assert not Unit.objects.exists()


def test_a_submitted_replenishment_blocks_a_change_of_serial(in_a, ana):
    sku = make_serialized_sku()
    made = make_submitted((sku, 2), planned=False)
    blockers = catalogue.workflow_blockers([sku.pk])[sku.pk]
    assert [str(blocker.text) for blocker in blockers] == [f"Replenishment {made.number} is In-Transit"]
    submitting.cancel(replenishment_id=made.pk, reason="Wrong supplier", actor=ana)
    assert catalogue.workflow_blockers([sku.pk]) == {}


# --- the other ends ---------------------------------------------------------------------------------------------------
def test_cancelling_voids_the_units_and_tells_the_warehouse(in_a, olga):
    made = make_submitted()
    done = submitting.cancel(replenishment_id=made.pk, reason="Supplier is out", actor=olga)
    assert (done.status, done.reason) == (Status.CANCELLED, "Supplier is out")
    assert set(Unit.objects.values_list("status", "is_void")) == {("incoming", True)}
    assert OutboxMessage.objects.filter(topic="replenishment.cancelled").count() == 1
    with pytest.raises(Conflict):
        submitting.cancel(replenishment_id=made.pk, reason="Again", actor=olga)
    assert submitting.archive(replenishment_id=made.pk, actor=olga).status == Status.ARCHIVED


def test_a_cancelled_draft_frees_its_typed_serials_and_tells_nobody(in_a):
    sku = make_serialized_sku()
    made = make_replenishment((sku, 1))
    planning.add_serials(line_id=line_of(made).pk, serials=["ONE"], actor=None)
    submitting.cancel(replenishment_id=made.pk, reason="Typed by mistake", actor=None)
    assert not OutboxMessage.objects.exists()
    assert planning.add_serials(line_id=line_of(make_replenishment((sku, 1))).pk, serials=["ONE"], actor=None) == 1


def test_a_void_unit_that_was_typed_may_be_planned_again(in_a):
    sku = make_serialized_sku()
    first = make_replenishment((sku, 1))
    planning.add_serials(line_id=line_of(first).pk, serials=["ONE"], actor=None)
    submitting.submit(replenishment_id=first.pk, actor=None)
    submitting.cancel(replenishment_id=first.pk, reason="Late", actor=None)
    second = make_replenishment((sku, 1))
    planning.add_serials(line_id=line_of(second).pk, serials=["ONE"], actor=None)
    submitting.submit(replenishment_id=second.pk, actor=None)
    unit = Unit.objects.get()
    assert (unit.is_void, unit.process_id) == (False, second.number)


@pytest.mark.parametrize("act", [submitting.cancel, submitting.close_short])
def test_a_reason_is_needed(in_a, act):
    made = make_submitted()
    with pytest.raises(DomainError, match="why"):
        act(replenishment_id=made.pk, reason="  ", actor=None)
