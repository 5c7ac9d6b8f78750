"""Units before lots, whoever receives, accepts or takes back: nobody waits in a circle. See replenishment.services."""

import threading

import pytest
from django.db import DatabaseError, connection, connections

from oms.errors import DomainError
from oms.models import Discrepancy
from oms.services.discrepancies import accept_discrepancies
from oms.tenancy import account_context
from replenishment.models import Receipt
from replenishment.receiving import IncomingLot
from replenishment.services.receiving import apply_receipt
from replenishment.services.undoing import undo
from serials.models import Lot, Unit
from serials.services.lots import hold_lots
from tests.channels_sync.warehouse import LOCKS_WAITED_FOR
from tests.factories import make_serialized_sku
from tests.oms.jobs_at_work import is_waiting, until
from tests.replenishment.entered import enter
from tests.replenishment.factories import incoming, incoming_line, make_submitted
from tests.serials.test_attribute_races import is_free, waiting

pytestmark = pytest.mark.commits("threads, each with a connection of its own")
SECONDS = 60


@pytest.fixture
def shared(account_a, wes):
    """A receipt of the unit S-1 and its lot that somebody entered, and another replenishment that may bring both."""
    with account_context(account_a):
        sku = make_serialized_sku()
        made, other = make_submitted((sku, 1), planned=False), make_submitted((sku, 1), planned=False)
        line = incoming_line(sku, serials=["S-1"], lots=[IncomingLot("L-1", quantity=1)])
        receipt = enter(made, wes, incoming_line(sku, serials=["S-1"], lots=line.lots, position=1))
    return receipt, lambda: apply_receipt(incoming(other, line), source="wms:1")


def waiters():
    with connection.cursor() as cursor:
        cursor.execute(LOCKS_WAITED_FOR)
        return cursor.fetchone()[0]


def elsewhere(account, call, ended):
    """A thread that does `call` on a connection of its own; how it ended goes into the list."""

    def run():
        try:
            with account_context(account):
                ended.append(type(call()).__name__)
        except (DatabaseError, DomainError) as error:
            ended.append(repr(error))
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("is_undo", [True, False])
def test_who_waits_for_a_unit_has_locked_no_lot(account_a, wes, shared, is_undo):
    receipt, tell = shared
    call = (lambda: undo(receipt_id=receipt.pk, reason="Wrong", actor=wes)) if is_undo else tell
    with waiting(account_a, Unit.objects.all(), call):
        pass_on = threading.Event()
        free = []
        elsewhere(account_a, lambda: free.append(is_free(Lot.objects.all())) or pass_on.set(), []).join(SECONDS)
        assert (pass_on.is_set(), free) == (True, [True])


def test_taking_back_and_receiving_the_same_unit_and_lot_never_deadlock(account_a, wes, shared):
    """Both wait for the unit, who receives first: who takes back must not hold the lot that the other needs next."""
    receipt, tell = shared
    ended = []
    with account_context(account_a):
        list(Unit.objects.select_for_update(of=("self",)))
        threads = [elsewhere(account_a, tell, ended)]
        until(is_waiting)
        threads.append(elsewhere(account_a, lambda: undo(receipt_id=receipt.pk, reason="Wrong", actor=wes), ended))
        until(lambda: waiters() == 2)
    for thread in threads:
        thread.join(SECONDS)
    assert ended == ["Receipt", "Receipt"]
    with account_context(account_a):
        assert (Unit.objects.get().is_void, Receipt.objects.count()) == (True, 2)


def test_who_refers_to_a_lot_at_the_very_end_does_not_wait_for_who_changes_it(account_a, olga, shared):
    """Goods that are accepted hold their place by then, for which who receives waits with the lot in hand."""
    with account_context(account_a):
        sku = make_serialized_sku()
        made = make_submitted((sku, 1))
        lots = [IncomingLot("L-9", quantity=1)]
        apply_receipt(incoming(made, incoming_line(sku, serials=["ODD-1"], lots=lots)), source="wms:9")
        case = Discrepancy.objects.get()
    ended = []
    with account_context(account_a):
        hold_lots(Lot.objects.all())
        accept = {"discrepancy_ids": [case.pk], "reason": "It is here", "actor": olga}
        elsewhere(account_a, lambda: accept_discrepancies(**accept), ended).join(SECONDS)
        assert ended == ["int"]
    with account_context(account_a):
        assert Unit.objects.get(serial="ODD-1").lot.number == "L-9"
