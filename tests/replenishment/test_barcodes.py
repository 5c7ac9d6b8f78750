"""SKUs named by their barcodes, wherever one is typed, pasted, scanned or uploaded."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from oms.tenancy import account_context
from replenishment.models import Replenishment, ReplenishmentLine
from tests.factories import make_serialized_sku, make_sku
from tests.replenishment.browsing import text_of
from tests.replenishment.factories import GTIN, make_replenishment, make_submitted
from tests.replenishment.samples import row_data

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(account_a, sku):
    with account_context(account_a):
        make_sku(code="CABLE", product_id="88302")
        make_sku(code="ONE", product_id="TWICE")
        make_sku(code="TWO", product_id_wh="TWICE")
        return make_replenishment((sku, 1))


def quantities(made):
    rows = ReplenishmentLine.objects.filter(replenishment=made).order_by("position")
    return list(rows.values_list("sku__code", "quantity"))[1:]


def test_a_file_of_lines_names_skus_by_gtin_or_upc_or_ean(web, account_a, draft):
    for header in ("GTIN", "upc", "EAN", "SKU"):
        plan = upload_lines(web, draft, f"{header},Quantity\n{GTIN},4\n0{GTIN},1\n").context["plan"]
        assert (plan.good_count, plan.errors) == (2, [])
    text = (
        f"SKU,GTIN,Quantity\n,,5\nL2201316,{GTIN},1\n,{GTIN},2\n88302,,3\nCABLE,{GTIN},4\nTWICE,,6\n,4012345678901,7\n"
    )
    page = upload_lines(web, draft, text)
    assert [(error.line, error.column) for error in page.context["plan"].errors] == [
        (2, "SKU"), (6, "GTIN"), (7, "SKU"), (8, "GTIN"),
    ]  # fmt: skip
    assert "This is the GTIN of L2201316, but the row names CABLE." in text_of(page)
    assert "Several SKUs have this name" in text_of(page)
    web.post(page.request["PATH_INFO"])
    with account_context(account_a):
        assert quantities(draft) == [("L2201316", 1), ("L2201316", 2), ("CABLE", 3)]


def test_a_file_of_lines_without_a_name_of_skus_says_what_is_missing(web, draft):
    page = upload_lines(web, draft, "Quantity,Lot\n4,L\n")
    assert "The column SKU is missing" in text_of(page)


def upload_lines(web, made, text):
    file = SimpleUploadedFile("lines.csv", text.encode())
    return web.get(web.post(f"/acme/replenishments/{made.pk}/lines/csv/", {"file": file}).url)


def test_pasted_and_typed_skus_are_named_by_their_barcodes(web, account_a, draft):
    data = row_data((GTIN, 3), (f"(01)0{GTIN}(21)X", 1), link=draft.link_id)
    answer = web.post("/acme/replenishments/new/", data | {"paste": f"0{GTIN}, 4\r\n88302, 2"})
    with account_context(account_a):
        made = Replenishment.objects.latest("pk")
        assert answer.url == f"/acme/replenishments/{made.pk}/"
        rows = ReplenishmentLine.objects.filter(replenishment=made).order_by("position")
        assert list(rows.values_list("sku__code", "quantity")) == [
            ("L2201316", 3), ("L2201316", 1), ("L2201316", 4), ("CABLE", 2),
        ]  # fmt: skip
    bad = web.post("/acme/replenishments/new/", data | {"paste": "TWICE, 4\nNOBODY, 2", "lines-0-sku": "twice"})
    page = text_of(bad)
    assert "Several SKUs are called “TWICE”" in page
    assert "Several SKUs are called “twice”" in page
    assert "There is no SKU “NOBODY”" in page


def test_receive_finds_the_line_of_a_scanned_product(client_for, wes, account_a, sku):
    with account_context(account_a):
        made = make_submitted((make_serialized_sku(code="OTHER"), 1), (sku, 1), planned=False)
    page = text_of(client_for(wes).get(f"/acme/replenishments/{made.pk}/receive/", {"sku": f"(01)0{GTIN}(21)X"}))
    assert '<span class="mono">L2201316</span>' in page
    assert '<span class="mono">OTHER</span>' not in page


def test_a_barcode_suggests_its_sku(web, draft):
    for text in (GTIN, f"0{GTIN}", f"(01)0{GTIN}(21)X", "88302"):
        page = text_of(web.get("/acme/replenishments/skus/", {"lines-0-sku": text}))
        assert page.count("<option") == 1
