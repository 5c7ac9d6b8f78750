"""Later versions of a receipt: what is new in them is applied, what takes back waits."""

import threading

import pytest
from django.db import DatabaseError, connections as databases, transaction
from django.utils import timezone

from channels_sync.contract import Flow
from channels_sync.models import InboundMessage, InboundState
from channels_sync.queries.tenants import tenant
from channels_sync.services import applying
from channels_sync.services.push import push
from oms import outbox
from oms.errors import Conflict, DomainError
from oms.models import Discrepancy, Stock
from oms.services.discrepancies import accept_discrepancies
from oms.tenancy import account_context
from replenishment.models import Outcome, Receipt, ReceiptLine, ReceivedSerial
from replenishment.queries import cases_of
from replenishment.services import submitting
from replenishment.services.accepting import settle_many
from serials.models import Lot, Unit, UnitEvent
from tests.channels_sync.warehouse import LOCKS_WAITED_FOR, state_of, units
from tests.factories import make_serialized_sku, make_sku
from tests.replenishment.factories import generate, make_replenishment
from tests.worker_process import wait_until

pytestmark = pytest.mark.commits("the sync commits before and after it talks to the warehouse")


def test_a_later_version_brings_the_rest(account_a, warehouse, connection, told, ask, seen):
    """The warehouse corrects its typing error: the right serial is received, what was there stays as it is."""
    made = told()
    right = warehouse.order(made.number)["lines"][0]["serials"]
    warehouse.fault(do="wrong_serial")
    receipt = warehouse.receive(made.number)
    ask()
    lines = [dict(line) for line in receipt["lines"]]
    wrong = next(unit for unit in lines[0]["units"] if unit["serial"].startswith("WRONG"))
    wrong["serial"] = next(serial for serial in right if serial not in {unit["serial"] for unit in lines[0]["units"]})
    warehouse.change(receipt, lines)
    ask()
    assert {status for status, _bin in units(account_a).values()} == {"ready"}
    assert len(seen(UnitEvent, event="receive")) == 3
    assert [row.version for row in seen()] == [1, 2]


def half_planned(account, connection):
    """A replenishment, told, of two lines of an In/Out SKU with serials and one of a plain SKU; and that SKU."""
    with account_context(account):
        sku, plain = make_serialized_sku(), make_sku()
        made = make_replenishment((sku, 3), (sku, 2), (plain, 9), link=connection.link)
        generate(made, 1, 2)
        submitting.submit(replenishment_id=made.pk, actor=None)
    outbox.drain(account.pk)
    push(account.pk)
    return made, plain


def test_a_later_version_of_a_partly_applied_line_keeps_its_lot(account_a, warehouse, connection, ask, seen):
    """And two lines of one SKU do not take each other's pieces."""
    made, plain = half_planned(account_a, connection)
    first, second, third = (dict(one) for one in warehouse.order(made.number)["lines"])
    right = [{"serial": serial, "bin": "A-01-1"} for serial in first["serials"]]
    units_of_second = [{"serial": serial, "bin": "A-01-2"} for serial in second["serials"]]
    wrong = [{**right[0], "serial": "WRONG"}, *right[1:]]
    lots = [{"number": "L-1", "quantity": 3}]
    lines = [
        {**first, "units": wrong, "lots": lots},
        {**second, "units": units_of_second, "lots": []},
        {**third, "quantity": 5, "units": [], "lots": [{"number": "P-1", "quantity": 5}], "bin": "A-01-3"},
    ]
    receipt = warehouse.receive(made.number, lines)
    ask()
    lots_of_third = [{"number": "P-1", "quantity": 6}, {"number": "P-2", "quantity": 3}]
    corrected = [{**lines[0], "units": right}, lines[1], {**lines[2], "quantity": 9, "lots": lots_of_third}]
    warehouse.change(receipt, corrected)
    ask()
    with account_context(account_a):
        assert set(Unit.objects.values_list("status", "lot__number", "bin__name")) == {
            ("ready", "L-1", "A-01-1"),
            ("ready", None, "A-01-2"),
        }
        lot_names = dict(Lot.objects.filter(sku=plain).values_list("pk", "number"))
        stock = dict(Stock.objects.filter(sku=plain).values_list("lot_key", "quantity"))
        assert {lot_names[pk]: quantity for pk, quantity in stock.items()} == {"P-1": 6, "P-2": 3}
        made.refresh_from_db()
        assert made.received_quantity == made.quantity == 14
    before = state_of(account_a)
    warehouse.change(receipt, [*corrected[:2], {**corrected[2], "lots": [{**lots_of_third[0], "quantity": 9}]}])
    ask()
    assert "takes back what it received (P-2)" in seen()[-1].error
    after = state_of(account_a)
    assert {name: after[name] for name in after if name != "Discrepancy"} == {
        name: before[name] for name in before if name != "Discrepancy"
    }


def test_a_partly_applied_line_of_several_lots_is_corrected(account_a, warehouse, connection, told, ask, seen):
    made = told()
    line = warehouse.order(made.number)["lines"][0]
    units_of = [
        {"serial": serial, "bin": "A-01-1", "lot": lot} for serial, lot in zip(line["serials"], "AAB", strict=True)
    ]
    wrong = [units_of[0], {**units_of[1], "serial": "WRONG-1"}, {**units_of[2], "serial": "WRONG-2"}]
    lots = [{"number": "A", "quantity": 2}, {"number": "B", "quantity": 1}]
    receipt = warehouse.receive(made.number, [{**line, "units": wrong, "lots": lots}])
    ask()
    right = [units_of[0], {**units_of[1], "lot": "B"}, units_of[2]]
    lots = [{"number": "A", "quantity": 1}, {"number": "B", "quantity": 2}]
    warehouse.change(receipt, [{**line, "units": right, "lots": lots}])
    ask()
    assert seen()[-1].error == ""
    with account_context(account_a):
        assert sorted(Unit.objects.values_list("status", "lot__number")) == [("ready", "A"), *[("ready", "B")] * 2]


@pytest.mark.parametrize("options", [["receipt_lots_in"], []], ids=["lots in", "no lots"])
def test_lots_that_come_later_wait_for_a_person(account_a, warehouse, connection, told, ask, seen, options):
    with account_context(account_a):
        type(connection).objects.update(options=options)
        plain = make_sku()
    made = told((plain, 5), planned=False)
    receipt = warehouse.receive(made.number)
    ask()
    warehouse.change(receipt, [{**receipt["lines"][0], "lots": [{"number": "L1", "quantity": 5}]}])
    ask()
    assert [row.quantity for row in seen(Stock, sku=plain)] == [5]
    if options:
        assert "names lots of what was received without them (L1)" in seen()[-1].error
    assert seen()[-1].state == (InboundState.DISCREPANCY if options else InboundState.APPLIED)


def test_an_older_version_never_overwrites(account_a, warehouse, connection, told, ask, seen):
    """The second version was seen first; the first one, which comes late, changes nothing."""
    made = told()
    receipt = warehouse.receive(made.number)
    warehouse.change(receipt, receipt["lines"])
    ask()
    before = state_of(account_a)
    with account_context(account_a):
        late = InboundMessage.objects.create(
            connection=connection,
            realm=tenant(connection),
            stream=Flow.RECEIPTS,
            external_id=receipt["id"],
            version=1,
            digest="1",
            raw=receipt,
        )
        assert applying.apply_message(message_id=late.pk) == InboundState.SUPERSEDED
    assert state_of(account_a) == before


def test_taking_back_what_was_received_needs_a_person(account_a, warehouse, connection, told, ask, seen):
    made = told()
    receipt = warehouse.receive(made.number)
    ask()
    before = units(account_a)
    line = receipt["lines"][0]
    warehouse.change(receipt, [{**line, "quantity": 2, "units": line["units"][:2]}])
    ask()
    assert units(account_a) == before
    assert seen()[-1].state == InboundState.DISCREPANCY
    assert "takes back" in seen()[-1].error


def test_two_versions_that_are_replayed_at_once_take_turns(account_a, ana, warehouse, connection, told, ask, seen):
    """Both are stopped in the middle, then let go together."""
    made = told()
    warehouse.fault(do="wrong_serial")
    receipt = warehouse.receive(made.number)
    ask()
    warehouse.change(receipt, receipt["lines"])
    ask()
    first, second = seen()
    with account_context(account_a):
        InboundMessage.objects.update(state=InboundState.DISCREPANCY, applied_at=None)
    ended = []

    def replay(pk):
        try:
            with account_context(account_a):
                ended.append(applying.replay(message_id=pk, actor=ana))
        except (DatabaseError, Conflict) as error:
            ended.append(type(error).__name__)
        finally:
            databases.close_all()

    threads = [threading.Thread(target=replay, args=(row.pk,)) for row in (first, second)]
    with transaction.atomic("owner"), databases["owner"].cursor() as cursor:
        cursor.execute("LOCK TABLE oms_auditentry IN SHARE MODE")  # a replay is written down before it is applied
        for thread in threads:
            thread.start()
        wait_until(lambda: cursor.execute(LOCKS_WAITED_FOR).fetchone()[0] == 2, what="both wait")
    for thread in threads:
        thread.join(30)
    assert "OperationalError" not in ended, "no deadlock"
    assert len(ended) == 2


def test_documents_whose_numbers_begin_alike_are_two(account_a, warehouse, connection, told, ask, seen):
    """The vendor calls them RC-1, RC-1@B, RC-1@1 and RC-1#1: a later version of the first is not one of the others."""
    numbers = ("RC-1", "RC-1@B", "RC-1@1", "RC-1#1:S1")
    with account_context(account_a):
        sku = make_sku()
    made = told((sku, 90), planned=False)

    def tell(number, version, quantity):
        line = {"line": 1, "sku": sku.code, "quantity": quantity, "lots": [], "units": [], "bin": "A-01-1"}
        raw = {"id": number, "version": version, "reference": made.number, "lines": [line]}
        raw["received_at"] = timezone.now().isoformat()
        with account_context(account_a):
            row = InboundMessage.objects.create(
                connection=connection,
                realm=tenant(connection),
                stream=Flow.RECEIPTS,
                external_id=number,
                version=version,
                digest=f"{number}{version}",
                raw=raw,
            )
            return applying.apply_message(message_id=row.pk)

    assert tell("RC-1", 1, 3) == tell("RC-1", 2, 4) == InboundState.APPLIED
    assert {tell(number, 1, 10) for number in numbers[1:]} == {InboundState.APPLIED}
    assert tell("RC-1", 3, 5) == tell("RC-1@1", 2, 11) == InboundState.APPLIED
    with account_context(account_a):
        found = {(row.document, row.part): row.quantity for row in Receipt.objects.all()}
        assert found == {
            ("RC-1", 0): 3,
            ("RC-1", 1): 1,
            ("RC-1", 2): 1,
            ("RC-1@1", 1): 1,
            **{(number, 0): 10 for number in numbers[1:]},
        }
        assert Stock.objects.get(sku=sku).quantity == 5 + 10 + 11 + 10


def test_a_case_belongs_to_its_own_document(account_a, ana, warehouse, connection, told, ask, seen):
    """What waits of RC-1#1:X does not keep RC-1 open, and is not settled with it."""
    with account_context(account_a):
        sku = make_sku()
    made = told((sku, 5), planned=False)

    def tell(number, code):
        line = {"line": 1, "sku": code, "quantity": 1, "lots": [], "units": [], "bin": "A-01-1"}
        raw = {"id": number, "version": 1, "reference": made.number, "lines": [line]}
        raw["received_at"] = timezone.now().isoformat()
        with account_context(account_a):
            row = InboundMessage.objects.create(
                connection=connection,
                realm=tenant(connection),
                stream=Flow.RECEIPTS,
                external_id=number,
                digest=number,
                raw=raw,
            )
            return applying.apply_message(message_id=row.pk)

    assert tell("RC-1#1:X", "UNKNOWN") == InboundState.DISCREPANCY
    assert tell("RC-1", sku.code) == InboundState.APPLIED
    with account_context(account_a):
        first, second = Receipt.objects.order_by("pk")
        assert [case.subject_id for case in cases_of(first)] == [first.pk]
        assert not cases_of(second).exists()


def test_what_an_older_release_kept_as_one_case_is_accepted_once_its_message_is_replayed(
    account_a, ana, warehouse, connection, told, ask, seen
):
    """It kept what came after the end without its SKU and its serials."""
    with account_context(account_a):
        sku = make_serialized_sku()
    made = told((sku, 3), planned=False)
    unit = {"serial": "A-1", "bin": "A-01-1"}
    warehouse.receive(made.number, [{**warehouse.order(made.number)["lines"][0], "quantity": 1, "units": [unit]}])
    with account_context(account_a):
        submitting.cancel(replenishment_id=made.pk, reason="Bought elsewhere", actor=ana)
    ask()
    (case,) = seen(Discrepancy)
    with account_context(account_a):
        Discrepancy.objects.update(sku=None, serial="", summary=f"{made.number} is not open, but {sku.code} arrived.")
        ReceiptLine.objects.update(sku=None, line=None)
        ReceivedSerial.objects.update(outcome=Outcome.SAVED)
        with pytest.raises(DomainError, match="Replay its message"):
            accept_discrepancies(discrepancy_ids=[case.pk], reason="Keep it", actor=ana)
        applying.replay(message_id=seen()[0].pk, actor=ana)
        settle_many(replenishment_id=made.pk, reason="Keep it", actor=ana, is_accepted=True)
    assert [row.is_open for row in seen(Discrepancy)] == [False, False]
    assert {status for status, _bin in units(account_a).values()} == {"ready"}
