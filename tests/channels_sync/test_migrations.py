"""What the migrations make of rows that older releases wrote."""

import pytest
from django.utils import timezone

from channels_sync.contract import Flow
from channels_sync.models import Connection, InboundMessage, InboundState
from channels_sync.queries.tenants import tenant
from channels_sync.services import applying
from oms.models import Discrepancy
from oms.tenancy import account_context
from replenishment.models import Receipt
from replenishment.services import by_hand, submitting
from tests.channels_sync.samples import make_connection
from tests.channels_sync.warehouse import state_of
from tests.factories import make_bin, make_discrepancy, make_serialized_sku, make_sku
from tests.old_schema import old_schema
from tests.replenishment.factories import generate, incoming_line, make_replenishment, make_submitted

pytestmark = pytest.mark.commits("migrations change the schema as the owner")

RECEIPT = """
INSERT INTO replenishment_receipt
    (account_id, replenishment_id, source, external_id, occurred_at, quantity, raw, undo_reason)
VALUES (%s, %s, %s, '', now(), 0, '{}', '')
"""


def test_sources_of_before_begin_with_the_tenant(account_a, account_b):
    """Two connections of one client: where both have applied a receipt, what the first one applied counts."""
    with account_context(account_a):
        made = make_replenishment()
        first, second, other = (make_connection() for _ in range(3))
        Connection.objects.filter(pk=other.pk).update(config={"client": " Größe "})
        other.refresh_from_db()
        cases = [f"{first.pk}:receipts:RC-1#1:S1", f"delivery:{first.pk}:1"]
        for source in cases:
            make_discrepancy(source=source)
    acme, third = tenant(first), tenant(other)
    rows = [
        (f"{first.pk}:receipts:RC-1", f"{acme}:receipts:RC-1"),
        (f"{second.pk}:receipts:RC-1", f"{second.pk}:receipts:RC-1"),
        (f"{second.pk}:receipts:RC-1@1", f"{second.pk}:receipts:RC-1@1"),
        (f"{second.pk}:receipts:RC-2:x", f"{acme}:receipts:RC-2:x"),
        (f"{other.pk}:receipts:RC-1", f"{third}:receipts:RC-1"),
        ("browser:1", "browser:1"),
        ("999999:receipts:RC-1", "999999:receipts:RC-1"),
    ]
    with old_schema("channels_sync", "0001_initial") as old:
        old.migrate("replenishment", "0007_keys")
        for before, _after in rows:
            old.run(RECEIPT, account_a.pk, made.pk, before)
        old.migrate("channels_sync", "0002_sources_of_tenants")
        receipts = old.run("SELECT source FROM replenishment_receipt ORDER BY id")
        discrepancies = old.run("SELECT source FROM oms_discrepancy ORDER BY id")
    assert [source for (source,) in receipts] == [after for _before, after in rows]
    assert [source for (source,) in discrepancies] == [f"{acme}:receipts:RC-1#1:S1", cases[1]]
    assert acme == tenant(second) != third


def message(connection, number, reference, *lines, version=1):
    """A receipt as the sandbox sends it; a line is (SKU, quantity, serials)."""
    told = [
        {
            "line": None,
            "sku": sku,
            "quantity": quantity,
            "lots": [],
            "units": [{"serial": serial, "bin": "A-01-1"} for serial in serials],
            "bin": "A-01-1",
        }
        for sku, quantity, serials in lines
    ]
    raw = {"id": number, "version": version, "reference": reference, "lines": told}
    raw["received_at"] = timezone.now().isoformat()
    return InboundMessage.objects.create(
        connection=connection,
        realm=tenant(connection),
        stream=Flow.RECEIPTS,
        external_id=number,
        version=version,
        digest=f"{number}:{version}",
        raw=raw,
    )


def columns():
    """What the columns say of receipts and discrepancies."""
    receipts = Receipt.objects.order_by("pk").values_list("source", "stream", "realm", "document", "part")
    cases = Discrepancy.objects.order_by("pk").values_list("source", "subject_kind", "subject_id", "subject_line")
    return list(receipts), list(cases)


def test_every_fact_of_before_is_known_again(account_a, wes, capsys):
    """Receipts in parts, entered ones, cases of lines and of messages: found by their sources once, then replayed."""
    with account_context(account_a):
        plain, serialized = make_sku(code="PLAIN"), make_serialized_sku(code="UNIT")
        made = make_replenishment((plain, 50), (serialized, 3))
        generate(made, 2)
        made = submitting.submit(replenishment_id=made.pk, actor=None)
        make_bin(link=made.link)
        by_hand.receive(replenishment_id=made.pk, lines=[incoming_line(plain, 1, position=1)], key="k1", actor=wes)
        connection = make_connection(link=made.link)
        number = made.number
        facts = [
            message(connection, "RC-1", number, ("PLAIN", 2, ())),
            message(connection, "RC-1", number, ("PLAIN", 3, ()), version=2),
            message(connection, "RC-1@B", number, ("PLAIN", 4, ())),
            message(connection, "RC-1#1:X", number, ("PLAIN", 5, ())),
            message(connection, "RC-4", number, ("PLAIN", 6, ()), ("GHOST", 1, ())),
            message(connection, "RC-2", number, ("UNIT", 2, ("SN00000001", "WRONG"))),
            message(connection, "RC-3", "R-0", ("PLAIN", 1, ())),
        ]
        for fact in facts:
            applying.apply_message(message_id=fact.pk)
        before = columns()
    assert [kind for _source, kind, _pk, _line in before[1]] == ["receipt", "receipt", "message in"]
    with old_schema("oms", "0006_keys") as old:
        old.migrate("channels_sync", "0005_told_older")  # which the models need
        with account_context(account_a):
            assert columns() == before
        rows = state_of(account_a)
        with account_context(account_a):
            whole = InboundMessage.objects.filter(state__in=[InboundState.APPLIED, InboundState.SUPERSEDED])
            assert whole.update(state=InboundState.NEW) >= 4
            for fact in facts:
                applying.apply_message(message_id=fact.pk)
        after = state_of(account_a)
    assert after == rows
    assert "stay without" not in capsys.readouterr().out


def test_documents_that_share_a_receipt_get_none_and_are_counted(account_a, capsys):
    """Nobody can say whether T:receipts:RC-1@1 continues RC-1 or is RC-1@1: a later version waits for a person."""
    with account_context(account_a):
        made = make_submitted((make_sku(code="PLAIN"), 50), planned=False)
        connection = make_connection(link=made.link)
        for number in ("RC-1", "RC-1@1", "RC-2"):
            message(connection, number, made.number, ("PLAIN", 2, ()))
        InboundMessage.objects.update(state=InboundState.APPLIED, applied_at=timezone.now())
        realm = tenant(connection)
    with old_schema("oms", "0006_keys") as old:
        for source in ("RC-1", "RC-1@1", "RC-2", "RC-2@1"):
            old.run(RECEIPT, account_a.pk, made.pk, f"{realm}:receipts:{source}")
        old.migrate("channels_sync", "0005_told_older")  # which the models need
        with account_context(account_a):
            found = Receipt.objects.order_by("pk").values_list("document", "part")
            assert list(found) == [("", 0), ("", 0), ("RC-2", 0), ("RC-2", 1)]
            later = message(connection, "RC-1", made.number, ("PLAIN", 3, ()), version=2)
            assert applying.apply_message(message_id=later.pk) == InboundState.DISCREPANCY
            later.refresh_from_db()
            assert "not known for sure" in later.error
    assert "2 documents share receipts" in capsys.readouterr().out


def test_who_was_told_before_that_a_receipt_is_older_is_not_told_again(account_a):
    words = "It was received on 2026-11-01 08:00, before R-1 was submitted on 2026-11-02 09:00: it may be of an "
    words += "earlier replenishment with this number. If it is of this one, replay it."
    with account_context(account_a):
        connection = make_connection()
        for number, error in (("RC-1", words), ("RC-2", "There is no R-1.")):
            message(connection, number, "R-1")
            InboundMessage.objects.filter(external_id=number).update(state=InboundState.DISCREPANCY, error=error)
    with old_schema("channels_sync", "0004_delivery_look_first") as old:
        old.migrate("channels_sync", "0005_told_older")
        with account_context(account_a):
            found = InboundMessage.objects.order_by("external_id").values_list("external_id", "told_older")
            assert list(found) == [("RC-1", True), ("RC-2", False)]
