"""The list of discrepancies and the page of one."""

import re

import pytest

from channels_sync.models import Fault
from oms.models import Discrepancy, DiscrepancyKind
from oms.services.discrepancies import close_discrepancies
from oms.tenancy import account_context
from replenishment.services.receiving import apply_receipt
from tests.factories import make_discrepancy, make_serialized_sku
from tests.replenishment.factories import incoming, incoming_line, make_submitted
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


def test_how_a_case_ended_is_told_on_its_page_in_the_list_and_in_its_receipt(client_for, olga, account_a):
    with account_context(account_a):
        made = make_submitted((make_serialized_sku(code="LAP"), 3))
        receipt = apply_receipt(incoming(made, incoming_line("LAP", serials=["SPARE", "WRONG"])), source="wms:1")
        spare, wrong = Discrepancy.objects.order_by("pk")
        other, _waits = make_discrepancy(kind=DiscrepancyKind.WRONG_SKU), make_discrepancy()
        ended = make_discrepancy()
        close_discrepancies(discrepancy_ids=[ended.pk], reason="Undone", actor=olga)
    client = client_for(olga)
    ends = ((spare, "accept", "Accepted"), (wrong, "close", "Refused"), (other, "close", "Settled"))
    for case, act, state in ends:
        url = f"/acme/discrepancies/{case.pk}/"
        assert client.post(f"{url}{act}/", {"reason": "Looked at it"}).status_code == 302
        assert f">{state}</span>" in re.sub(r"\s+<", "<", client.get(url).content.decode())
    listed = client.get("/acme/discrepancies/").content.decode()
    assert sorted(column(listed, "State")) == ["Accepted", "Open", "Refused", "Settled", "Settled"]
    file = client.get("/acme/discrepancies/", {"format": "csv"}).getvalue().decode()
    assert sorted(line.split(",")[0] for line in file.splitlines()[1:]) == sorted(column(listed, "State"))
    page = client.get(f"/acme/replenishments/receipts/{receipt.pk}/").content.decode()
    assert re.findall(r'shape-(\w+)">(Accepted|Refused|Settled)<', page) == [
        ("check", "Accepted"),
        ("cross", "Refused"),
    ]


@pytest.mark.parametrize(
    ("kind", "act", "words", "hint"),
    [
        ("unexpected_serial", "close", "No unit is made of it and nothing comes into stock", "Why it is refused"),
        ("serial_void", "close", "Its unit stays void", "Why it is refused"),
        ("over_receipt", "close", "There is nothing to refuse", "What was done about it"),
        ("over_receipt", "accept", "All of it stays in stock", "Why it is accepted"),
        ("wrong_sku", "close", "", "What was done about it"),
    ],
)
def test_who_decides_is_told_what_becomes_of_it(client_for, olga, account_a, kind, act, words, hint):
    with account_context(account_a):
        case = make_discrepancy(kind=kind)
    page = client_for(olga).get(f"/acme/discrepancies/{case.pk}/{act}/").content.decode()
    assert words in page
    assert hint in page


def test_the_fact_as_it_came_is_folded_away_with_where_it_came_from(client_for, olga, account_a):
    with account_context(account_a):
        case = make_discrepancy(source="entered:9:64bd", raw={"quantity": 1})
    page = client_for(olga).get(f"/acme/discrepancies/{case.pk}/").content.decode()
    shown, _details, folded = page.partition('<details class="card fold">')
    assert "entered:9:64bd" not in shown
    assert "entered:9:64bd" in folded
    assert "&quot;quantity&quot;: 1" in folded


@pytest.mark.parametrize("fault", [Fault.REJECTED, Fault.MISCONFIGURED, Fault.BROKEN])
def test_whatever_stops_a_message_out_is_a_kind(fault):
    assert DiscrepancyKind(f"push_{fault}").label.startswith("Message out")
