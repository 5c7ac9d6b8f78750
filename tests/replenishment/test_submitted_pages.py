"""The page of a replenishment that was submitted, and what ends it."""

import pytest

from oms.tenancy import account_context
from replenishment.services import submitting
from replenishment.services.receiving import apply_receipt
from tests.factories import make_serialized_sku
from tests.replenishment.browsing import text_of
from tests.replenishment.factories import (
    generate,
    incoming,
    incoming_line,
    make_replenishment,
    make_submitted,
)

pytestmark = pytest.mark.django_db


def test_what_arrived_and_what_waits_is_on_the_page(web, account_a):
    with account_context(account_a):
        sku = make_serialized_sku()
        made = make_submitted((sku, 3))
        fact = incoming(made, incoming_line(sku, serials=["SN00000001", "<b>WRONG"]), external_id="GR-77")
        receipt = apply_receipt(fact, source="wms:1")
    page = text_of(web.get(f"/acme/replenishments/{made.pk}/"))
    for words in ("Ready for Review", "1 of 3 received", "GR-77", "&lt;b&gt;WRONG", "Close short"):
        assert words in page
    page = text_of(web.get(f"/acme/replenishments/receipts/{receipt.pk}/"))
    for words in ("Not expected", "As planned", "&lt;b&gt;WRONG", "1 not applied"):
        assert words in page


def test_the_ends_need_a_reason_and_archived_ones_leave_the_list(web, account_a):
    with account_context(account_a):
        made = make_submitted()
    base = f"/acme/replenishments/{made.pk}/"
    assert web.post(f"{base}cancel/", {"reason": " "}).status_code == 422
    assert "Cancelled" in text_of(web.post(f"{base}cancel/", {"reason": "No"}, follow=True))
    assert web.post(f"{base}cancel/", {"reason": "No"}).status_code == 422
    assert web.post(f"{base}close/", {"reason": "No"}).status_code == 422
    assert made.number in text_of(web.get("/acme/replenishments/"))
    assert "is archived" in text_of(web.post(f"{base}archive/", follow=True))
    assert made.number not in text_of(web.get("/acme/replenishments/"))
    assert made.number in text_of(web.get("/acme/replenishments/?status=archived"))
    assert made.number in text_of(web.get("/acme/replenishments/?archived=on"))


def test_a_number_leads_to_its_page(web, account_a):
    with account_context(account_a):
        made = make_submitted()
    assert web.get(f"/acme/replenishments/find/?number={made.number}").url == f"/acme/replenishments/{made.pk}/"
    for bad in ("R-9", "", "%00"):
        answer = web.get(f"/acme/replenishments/find/?number={bad}", follow=True)
        assert "There is no replenishment" in text_of(answer)


def test_a_viewer_sees_no_button_that_changes(client_for, ben, account_a):
    with account_context(account_a):
        made = make_replenishment()
    page = text_of(client_for(ben).get(f"/acme/replenishments/{made.pk}/"))
    for words in ("Submit Replenishment", "Generate Serials", "Cancel replenishment"):
        assert words not in page


@pytest.mark.parametrize("how_many", [1, 30])
def test_the_page_asks_as_often_for_thirty_lines_as_for_one(web, account_a, how_many, django_assert_num_queries):
    with account_context(account_a):
        made = make_replenishment(*[(make_serialized_sku(), 1) for _n in range(how_many)])
        generate(made)
        submitting.submit(replenishment_id=made.pk, actor=None)
    web.get(f"/acme/replenishments/{made.pk}/")
    with django_assert_num_queries(QUERIES):
        web.get(f"/acme/replenishments/{made.pk}/")


QUERIES = 22
