"""Messages in: stored raw first, applied once, in whatever order and number they come."""

import threading
from datetime import timedelta

import pytest
from django.db import connections as databases
from django.utils import timezone

from channels_sync.contract import Flow
from channels_sync.models import Connection, Cursor, Health, InboundMessage, InboundState, Run
from channels_sync.queries.tenants import tenant
from channels_sync.services import applying, pull as pulling
from channels_sync.services.health import PULL
from channels_sync.services.pull import pull
from oms import dispatch
from oms.errors import Conflict, DomainError
from oms.models import Bin, Discrepancy, Stock, StockMove
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import Receipt
from replenishment.services import submitting
from serials.models import UnitEvent
from tests.channels_sync.warehouse import WAITING, state_of, submitted, units
from tests.factories import make_serialized_sku, make_sku
from tests.replenishment.factories import make_submitted
from tests.worker_process import wait_until

pytestmark = pytest.mark.commits("the sync commits before and after it talks to the warehouse")


def test_exactly_those_serials_lie_where_the_warehouse_says(account_a, warehouse, connection, told, ask, seen):
    made = told()
    assert set(units(account_a).values()) == {("incoming", None)}
    warehouse.receive(made.number)
    ask()
    assert units(account_a) == {serial: ("ready", place) for serial, place in warehouse.units().items()}
    (message,) = seen()
    assert (message.state, message.stream) == (InboundState.APPLIED, Flow.RECEIPTS)
    with account_context(account_a):
        made.refresh_from_db()
        assert made.status == Status.COMPLETED
        assert set(Bin.objects.filter(name__in=warehouse.units().values()).values_list("needs_review", flat=True)) == {
            True
        }


def test_again_changes_nothing(account_a, warehouse, connection, told, ask, seen):
    made = told()
    warehouse.receive(made.number)
    ask()
    before = state_of(account_a)
    for _ in range(3):
        ask()
    assert state_of(account_a) == before
    assert len(seen()) == 1


def test_pages_that_come_twice_and_in_another_order(account_a, warehouse, connection, told, ask, seen, monkeypatch):
    monkeypatch.setattr("channels_sync.adapters.sandbox_wms.PAGE_ROWS", 2)
    for _ in range(5):
        warehouse.receive(told().number)
    warehouse.fault(do="duplicate_pages", times=0)
    warehouse.fault(do="reorder_pages", times=0)
    ask()
    assert units(account_a) == {serial: ("ready", place) for serial, place in warehouse.units().items()}
    assert len(warehouse.units()) == 15
    run = seen(Run, flow=Flow.RECEIPTS)[0]  # on a slow machine the next turn may have come already
    assert (run.pages, run.seen, run.stored, run.done) == (6, 10, 5, 5)


def test_ten_workers_apply_the_same_receipt_once(account_a, warehouse, connection, told, ask, seen):
    made = told()
    warehouse.receive(made.number)
    barrier, ended = threading.Barrier(10), []

    def deliver():
        try:
            barrier.wait(60)
            ask()
            for message in seen():
                with account_context(account_a):
                    ended.append(applying.apply_message(message_id=message.pk))
        finally:
            databases.close_all()

    threads = [threading.Thread(target=deliver) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    ask()
    assert [state for state in ended if state] in ([], [InboundState.APPLIED])
    assert units(account_a) == {serial: ("ready", place) for serial, place in warehouse.units().items()}
    assert len(seen(Receipt)) == 1
    assert len(seen(UnitEvent, event="receive")) == 3
    assert sum(move.delta for move in seen(StockMove)) == 3


def test_a_wrong_serial_waits_and_the_rest_is_applied(account_a, warehouse, connection, told, ask, seen):
    made = told()
    warehouse.fault(do="wrong_serial")
    warehouse.receive(made.number)
    ask()
    assert sorted(status for status, _bin in units(account_a).values()) == ["incoming", "ready", "ready"]
    (message,) = seen()
    assert message.state == InboundState.DISCREPANCY
    (case,) = seen(Discrepancy)
    assert (case.kind, case.serial[:5], case.is_open) == ("unexpected_serial", "WRONG", True)


def test_parts_come_one_after_the_other(account_a, warehouse, connection, told, ask):
    made = told()
    line = warehouse.order(made.number)["lines"][0]
    for serial in line["serials"]:
        unit = {"serial": serial, "bin": "A-01-1"}
        warehouse.receive(made.number, [{**line, "quantity": 1, "units": [unit], "lots": []}])
        ask()
    assert set(units(account_a).values()) == {("ready", "A-01-1")}


def test_own_numbers_of_the_warehouse_and_plain_goods(account_a, warehouse, connection, told, ask, seen):
    with account_context(account_a):
        serialized, plain = make_serialized_sku(), make_sku()
    made = told((serialized, 2), (plain, 7), planned=False)
    warehouse.receive(made.number)
    ask()
    assert units(account_a) == {serial: ("ready", place) for serial, place in warehouse.units().items()}
    assert all(serial.startswith("SBX") for serial in units(account_a))
    assert [row.quantity for row in seen(Stock, sku=plain)] == [7]


def test_a_receipt_that_nobody_expects_waits_for_replay(account_a, ana, warehouse, connection, ask, seen):
    with account_context(account_a):
        made = submitted(connection, planned=False)
        sku = made.lines.get().sku
        number = made.number
        type(made).objects.filter(pk=made.pk).update(number="R-0")
    line = {"line": 1, "sku": sku.code, "quantity": 1, "serialized": True}
    body = {"client": warehouse.client, "reference": number, "lines": [line]}
    assert warehouse.http.post("/purchase-orders", json=body).status_code == 201
    warehouse.receive(number)
    ask()
    (message,) = seen()
    assert message.state == InboundState.DISCREPANCY
    assert number in message.error
    assert message.raw["reference"] == number
    with account_context(account_a):
        assert applying.replay(message_id=message.pk, actor=ana) == InboundState.DISCREPANCY
        type(made).objects.filter(pk=made.pk).update(number=number)
        assert applying.replay(message_id=message.pk, actor=ana) == InboundState.APPLIED
        with pytest.raises(Conflict):
            applying.replay(message_id=message.pk, actor=ana)
    assert len(units(account_a)) == 1
    assert [case.is_open for case in seen(Discrepancy)] == [False, False]


def test_a_connection_receives_for_its_own_warehouse_only(account_a, warehouse, connection, ask, seen):
    """Two warehouses, one merchant: what the first says of the second's replenishment waits."""
    with account_context(account_a):
        made = make_submitted((make_sku(code="OURS"), 2), planned=False)
        assert made.link_id != connection.link_id
    line = {"line": 1, "sku": "OURS", "quantity": 2, "serialized": False}
    body = {"client": warehouse.client, "reference": made.number, "lines": [line]}
    assert warehouse.http.post("/purchase-orders", json=body).status_code == 201
    warehouse.receive(made.number)
    ask()
    (message,) = seen()
    assert message.state == InboundState.DISCREPANCY
    assert f"{made.number} is for the warehouse" in message.error
    assert seen(Receipt) == seen(StockMove) == []


def test_a_connection_without_a_warehouse_receives_nothing(account_a, warehouse, connection, told, ask, seen):
    made = told()
    warehouse.receive(made.number)
    with account_context(account_a):
        Connection.objects.update(link=None)
    ask()
    assert "runs no warehouse" in seen()[0].error
    assert seen(Receipt) == []


def test_a_message_can_be_closed_with_a_reason(account_a, ana, warehouse, connection, told, ask, seen):
    made = told()
    warehouse.fault(do="wrong_serial")
    warehouse.receive(made.number)
    ask()
    (message,) = seen()
    with account_context(account_a):
        with pytest.raises(DomainError):
            applying.close(message_id=message.pk, reason="", actor=ana)
        assert applying.close(message_id=message.pk, reason="Sent back", actor=ana).state == InboundState.CLOSED


def test_nobody_understands_it_and_it_is_kept(account_a, warehouse, connection, ask, seen):
    with account_context(account_a):
        raw = {"id": "RC-X", "nothing": "\0 we know", "api_key": "very secret"}
        row = InboundMessage.objects.create(
            connection=connection,
            realm=tenant(connection),
            stream=Flow.RECEIPTS,
            external_id="RC-X",
            digest="1",
            raw={**raw, "nothing": "?"},
        )
        assert applying.apply_message(message_id=row.pk) == InboundState.DISCREPANCY
    (case,) = seen(Discrepancy)
    assert "“reference” is missing in what Sandbox warehouse sent." in case.summary


def test_what_was_asked_with_settings_of_before_is_not_stored(account_a, warehouse, connection, told, ask, seen):
    """They were changed while the other side thought about its answer."""
    warehouse.receive(told().number)
    turn = pulling._take_turn(account_a.pk)
    with account_context(account_a):
        Connection.objects.update(config={**connection.config, "client": "other"})
    pulling._pull(account_a.pk, turn)
    assert seen() == []
    assert "settings were changed" in seen(Run)[-1].error
    assert seen(Cursor)[0].at is None


def test_settings_that_are_just_being_changed_are_waited_for(account_a, warehouse, connection, told, ask, seen):
    warehouse.receive(told().number)
    turn = pulling._take_turn(account_a.pk)
    pulled = threading.Thread(target=lambda: (pulling._pull(account_a.pk, turn), databases.close_all()))
    with account_context(account_a), databases["default"].cursor() as cursor:
        Connection.objects.update(config={**connection.config, "client": "other"})
        pulled.start()

        def is_waiting():
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(WAITING)
            return cursor.fetchone()[0] or not pulled.is_alive()

        wait_until(is_waiting, what="it waits for the change")
    pulled.join(60)
    assert seen() == []
    assert "settings were changed" in seen(Run)[-1].error


def test_the_cursor_moves_when_all_is_stored_and_looks_back(account_a, warehouse, connection, told, ask, seen):
    made = told()
    receipt = warehouse.receive(made.number)
    warehouse.fault(do="status", status=500, times=0)
    ask()
    assert seen(Cursor)[0].at is None
    assert seen(Run, state="failed")[0].error
    warehouse.clear()
    ask()
    (cursor,) = seen(Cursor)
    assert receipt["received_at"] <= cursor.at.isoformat(timespec="microseconds")
    assert abs(timezone.now() - cursor.at) < timedelta(minutes=5)
    requests = warehouse.counts()["requests"]
    ask()
    assert warehouse.counts()["requests"] == requests + 1
    assert seen(Run, flow=Flow.RECEIPTS)[-1].seen == 1, "the overlap shows it again"


def test_a_stream_that_fails_comes_back_later_and_later(account_a, warehouse, connection, ask, seen, settings):
    settings.SYNC_FIRST_WAIT_SECONDS = 5
    warehouse.fault(do="down", seconds=600)
    for _ in range(6):
        ask()
    (cursor,) = seen(Cursor)
    assert cursor.failures == 6
    assert (cursor.next_at - timezone.now()).total_seconds() > 60
    assert seen(Connection)[0].health == Health.RESTING
    assert pull(account_a.pk) == 0


def test_one_pull_of_a_stream_at_a_time(account_a, warehouse, connection, ask):
    warehouse.fault(do="timeout", seconds=3)
    slow = threading.Thread(target=lambda: (ask(), databases.close_all()))
    requests = warehouse.counts()["requests"]
    slow.start()
    wait_until(lambda: warehouse.counts()["requests"] > requests, what="the first one asks")
    assert ask() == 0
    slow.join(60)
    assert ask() == 1


def test_the_next_turn_is_due_before_the_first_request(account_a, warehouse, connection, ask):
    def due():
        with databases["default"].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM oms_due WHERE kind = %s AND at > now()", [PULL])
            return cursor.fetchone()[0]

    before = due()
    ask()
    assert due() == before + 1
    with databases["default"].cursor() as cursor:  # all rows are lost: the rounds find the work again
        cursor.execute("DELETE FROM oms_due")
    dispatch.make_rounds([PULL])
    assert due() == 1
    assert ask() == 1
    assert due() == 2


def test_options_that_are_off_keep_serials_out(account_a, warehouse, connection, told, ask, seen):
    with account_context(account_a):
        Connection.objects.update(options=["po_serials_out"])
    made = told()
    warehouse.receive(made.number)
    ask()
    assert {status for status, _bin in units(account_a).values()} == {"incoming"}
    assert seen()[0].state == InboundState.DISCREPANCY
    assert seen()[0].raw["lines"][0]["units"], "what was sent is kept"


def test_a_cancelled_one_that_arrives_after_all(account_a, warehouse, connection, told, ask, seen):
    made = told()
    with account_context(account_a):
        submitting.cancel(replenishment_id=made.pk, reason="Not needed", actor=None)
    warehouse.receive(made.number)
    ask()
    assert seen()[0].state == InboundState.DISCREPANCY
    assert len(seen(Discrepancy, is_open=True)) >= 1
