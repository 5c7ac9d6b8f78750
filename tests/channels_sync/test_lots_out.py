"""The lots of a replenishment's lines in the purchase order."""

from datetime import date

import pytest

from channels_sync.adapters.sandbox_wms import SandboxWms
from channels_sync.contract import Capability, LotPart
from channels_sync.queries.purchase_orders import purchase_order
from oms.tenancy import account_context
from replenishment.models import Replenishment
from replenishment.services import lots
from replenishment.services.drafts import LotInput
from tests.factories import make_serialized_sku, make_sku
from tests.replenishment.factories import generate, line_of, make_replenishment

pytestmark = pytest.mark.django_db
BOTH = [Capability.PO_LOTS_OUT, Capability.PO_SERIALS_OUT]
DAY = date(2027, 1, 31)


@pytest.fixture
def made(account_a):
    """Two lots on a line, the one lot of a whole line, and a line without any."""
    with account_context(account_a):
        made = make_replenishment(
            (make_serialized_sku(), 3), (make_serialized_sku(), 2), (make_sku(), 9), expected_on=DAY
        )
        generate(made, 1, 2)
        for position, rows in ((1, [LotInput("L-1", 1, DAY), LotInput("L-2", 1)]), (2, [LotInput("L-3")])):
            made.refresh_from_db()
            lots.set_lots(line_id=line_of(made, position).pk, version=made.version, lots=rows, actor=None)
        yield Replenishment.objects.get(pk=made.pk)


def sent(made, options):
    return purchase_order(made, key="k", adapter=SandboxWms, options=options)


def test_each_lot_goes_out_with_its_quantity_and_serials_only_where_their_lot_is_known(made):
    first, second, third = sent(made, BOTH).po.lines
    assert first.lots == (LotPart("L-1", 1, DAY), LotPart("L-2", 1))
    assert len(first.serials) == 3
    assert second.lots == (LotPart("L-3", 2, serials=second.serials),)
    assert len(second.serials) == 2
    assert third.lots == ()
    assert sent(made, BOTH).po.expected_on == DAY


def test_what_is_not_told_is_counted_by_lot(made):
    found = sent(made, [Capability.PO_SERIALS_OUT])
    assert all(line.lots == () for line in found.po.lines)
    assert "3 lots" in found.notes[0]


def test_many_lines_are_read_by_as_many_statements_as_one(made, django_assert_num_queries):
    with django_assert_num_queries(3):
        sent(made, BOTH)
