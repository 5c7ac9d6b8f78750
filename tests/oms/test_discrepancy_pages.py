"""The list of discrepancies and the page of one."""

import pytest

from channels_sync.models import Fault
from channels_sync.services.push import FAULTS
from oms.models import DiscrepancyKind
from oms.tenancy import account_context
from tests.factories import make_discrepancy
from tests.tables import column

pytestmark = pytest.mark.django_db


def test_kinds_are_told_and_chosen_in_words(client_for, olga, account_a):
    with account_context(account_a):
        case = make_discrepancy(kind=DiscrepancyKind.OVER_RECEIPT)
        make_discrepancy(kind="of an older release")
    client = client_for(olga)
    page = client.get("/acme/discrepancies/").content.decode()
    assert sorted(column(page, "Kind")) == ["More than ordered", "of an older release"]
    assert '<option value="over_receipt">More than ordered</option>' in page
    page = client.get("/acme/discrepancies/", {"kind": "over_receipt"}).content.decode()
    assert column(page, "Kind") == ["More than ordered"]
    assert "More than ordered" in client.get(f"/acme/discrepancies/{case.pk}/").content.decode()


@pytest.mark.parametrize("fault", [*FAULTS.values(), Fault.BROKEN])
def test_whatever_stops_a_message_out_is_a_kind(fault):
    assert DiscrepancyKind(f"push_{fault}").label.startswith("Message out")
