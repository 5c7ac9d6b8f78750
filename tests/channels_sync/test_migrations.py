"""What the migrations make of rows that older releases wrote."""

import pytest

from channels_sync.models import Connection
from channels_sync.queries.tenants import tenant
from oms.tenancy import account_context
from tests.channels_sync.samples import make_connection
from tests.factories import make_discrepancy
from tests.old_schema import old_schema
from tests.replenishment.factories import make_replenishment

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
        for before, _after in rows:
            old.run(RECEIPT, account_a.pk, made.pk, before)
        old.migrate("channels_sync", "0002_sources_of_tenants")
        receipts = old.run("SELECT source FROM replenishment_receipt ORDER BY id")
        discrepancies = old.run("SELECT source FROM oms_discrepancy ORDER BY id")
    assert [source for (source,) in receipts] == [after for _before, after in rows]
    assert [source for (source,) in discrepancies] == [f"{acme}:receipts:RC-1#1:S1", cases[1]]
    assert acme == tenant(second) != third
