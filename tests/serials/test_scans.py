"""Scans where nothing is asked: Find many, the searches and files of attributes. And: Lotline reads what it prints."""

import csv
import io
from urllib.parse import urlencode

import pytest
import zxingcpp
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oms.models import Workflow
from oms.queries.scans import resolve_skus
from oms.tenancy import account_context
from replenishment.services import planning, submitting
from serials.labels import Plan, Symbology
from serials.labels.pdf import render_pdf
from serials.lifecycle import Actor, Event
from serials.models import Unit, UnitAttribute
from serials.queries.units import labels_of
from serials.services import Fact, Row, record_event
from serials.services.find_many import find_many
from serials.services.number_lists import read_list
from tests.factories import make_bin, make_serialized_sku, make_sku
from tests.replenishment.factories import line_of, make_replenishment
from tests.replenishment.test_receive_pages import line_data, post
from tests.serials.test_label_symbols import rastered

pytestmark = pytest.mark.django_db
GTIN = "9521234543213"
SERIALS = ["ZX-0001", "zx-0002", "ZX/0003"]


@pytest.fixture
def web(client_for, olga):
    return client_for(olga)


@pytest.fixture
def sku(account_a):
    with account_context(account_a):
        return make_serialized_sku(code="L2201316", gtin=GTIN)


def receive(sku, *serials):
    place = make_bin()
    rows = [Row(sku_id=sku.pk, serial=serial, bin_id=place.pk, is_new_allowed=True) for serial in serials]
    record_event(Fact(Event.RECEIVE, Actor.WAREHOUSE, process_id="X", source=f"test:{sku.code}"), rows)
    return dict(Unit.objects.filter(sku=sku).values_list("serial", "pk"))


def decoded(symbology, rows):
    """What a reader says of the labels of units: their text as scanners send it, with the prefix where they send it."""
    content = b"".join(render_pdf(list(labels_of(rows).labels()), Plan(sheet="4x6", symbology=symbology)))
    found = []
    for page in range(rows.count()):
        image = rastered(content, 203, page)
        found += [(one.bytes.decode(), one.symbology_identifier) for one in zxingcpp.read_barcodes(image)]
    assert len(found) == rows.count()
    return found


@pytest.mark.parametrize("symbology", Symbology)
def test_lotline_understands_what_it_prints(web, client_for, wes, olga, account_a, sku, symbology):
    """On Receive, in Find many and in the search: with separators, with others for them, with and without prefix."""
    with account_context(account_a):
        made = make_replenishment((sku, 3))
        planning.add_serials(line_id=line_of(made).pk, serials=SERIALS, actor=None)
        made = submitting.submit(replenishment_id=made.pk, actor=None)
        units = dict(Unit.objects.values_list("pk", "serial"))
        read = decoded(symbology, Unit.objects.all())
        forms = {
            text: [text, f"{prefix}{text}", text.replace("\x1d", "<GS>"), text.replace("\x1d", "|")]
            for text, prefix in read
        }
        for texts in zip(*forms.values(), strict=True):
            assert find_many(asked=read_list("\n".join(texts).encode()), person=olga).unit_ids == sorted(units)
    for texts in forms.values():
        for text in texts:
            page = web.get(f"/acme/inventory/serials/?{urlencode({'q': text})}").content.decode()
            assert "1 unit" in page
    floor = client_for(wes)
    with account_context(account_a):
        data = line_data(made, serials="\r\n".join(texts[1] for texts in forms.values()))
    assert post(floor, made, data).status_code == 302
    with account_context(account_a):
        assert dict(Unit.objects.filter(status="ready").values_list("pk", "serial")) == units


def test_the_gtin_of_a_scan_tells_units_of_one_serial_apart(account_a, olga, sku):
    with account_context(account_a):
        mine = receive(sku, "SAME")["SAME"]
        other = receive(make_serialized_sku(code="OTHER", gtin="9506000134352"), "SAME", "LONE")
        found = find_many(asked=read_list(f"(01)0{GTIN}(21)SAME\nSAME".encode()), person=olga)
        assert found.unit_ids == [mine]
        assert len(found.rest["ambiguous"]) == 1
        # A SKU whose GTIN nobody entered is found by the serial.
        found = find_many(asked=read_list(b"(01)04012345678901(21)LONE"), person=olga)
        assert found.unit_ids == [other["LONE"]]


def test_every_reading_is_looked_up(account_a, olga, sku):
    with account_context(account_a):
        units = receive(sku, "000123", "21A-1", "B-2", "C,3")
        texts = ['="000123"', "21A-1", "21B-2", "]C0B-2", f"(01)0{GTIN}(21)C,3", "21NOBODY"]
        found = find_many(asked=read_list("\n".join(texts).encode()), person=olga)
        assert sorted(found.unit_ids) == sorted(units.values())
        assert [row[1] for row in found.rest["not_found"]] == ["21NOBODY"]
        assert [row[1] for row in found.rest["duplicate"]] == ["]C0B-2"]


def test_zeros_are_part_of_a_serial(web, account_a, olga, sku):
    """What a GTIN's zeros are not: neither a list nor a file means the unit without them."""
    with account_context(account_a):
        receive(sku, "1234567895")
        asked = read_list(f"001234567895\n0109521234543213\n01{'1234567895':0>14}".encode())
        assert find_many(asked=asked, person=olga).unit_ids == []
    content = 'SKU,Serial,Attribute,Value\nL2201316,001234567895,Color,Blue\nL2201316,"=""""",Color,Red\n'
    file = SimpleUploadedFile("a.csv", content.encode())
    page = web.get(web.post("/acme/inventory/serials/attributes/csv/", {"file": file}).url).content.decode()
    assert "L2201316 has no such serial." in page
    with account_context(account_a):
        assert not UnitAttribute.objects.exists()


def test_find_many_makes_as_many_statements_for_many_scans(account_a, olga, sku):
    def statements(count):
        asked = read_list("\n".join(f"(01)0{GTIN}(21)S-{number}" for number in range(count)).encode())
        with CaptureQueriesContext(
            connection,
        ) as queries:
            find_many(asked=asked, person=olga)
        return len(queries)

    with account_context(account_a):
        receive(sku, "S-1")
        assert statements(1) == statements(300)


def test_a_scan_in_the_filter_of_serials_and_the_search_of_skus(web, account_a, sku):
    with account_context(account_a):
        receive(sku, "ACME-0007", "ACME-0008")
        make_sku(code="ELSE")
    scan = f"010{GTIN}1726123110LOT7\x1d21ACME-0007"
    page = web.get(f"/acme/inventory/serials/?{urlencode({'serial': scan})}").content.decode()
    assert "ACME-0007" in page
    assert "ACME-0008" not in page
    for text in (f"0{GTIN}", f"010{GTIN}", f"(01)0{GTIN}(10)LOT7", GTIN):
        for name in ("q", "gtin"):
            page = web.get(f"/acme/inventory/skus/?{urlencode({name: text})}").content.decode()
            assert "L2201316" in page
            assert ">ELSE<" not in page


def test_a_file_of_attributes_names_units_by_their_scans(web, account_a, sku):
    with account_context(account_a):
        receive(sku, "ACME-0007", "(21)ODD")
    scan = f"010{GTIN}1726123110LOT7\x1d21ACME-0007"
    out = io.StringIO()
    rows = [
        ("L2201316", scan, "Color", "Blue"),
        ("L2201316", "(21)ODD", "Color", "Red"),
        ("L2201316", "N/A", "Color", "x"),
    ]
    csv.writer(out).writerows([("SKU", "Serial", "Attribute", "Value"), *rows])
    file = SimpleUploadedFile("a.csv", out.getvalue().encode())
    url = web.post("/acme/inventory/serials/attributes/csv/", {"file": file}).url
    web.post(url)
    with account_context(account_a):
        found = dict(UnitAttribute.objects.values_list("unit__serial", "value"))
    assert found == {"ACME-0007": "Blue", "(21)ODD": "Red"}


# --- SKUs -------------------------------------------------------------------------------------------------------------
def test_what_names_a_sku(account_a, sku):
    with account_context(account_a):
        other = make_sku(code="OTHER", product_id="88302", product_id_wh="WH-9", workflow=Workflow.NO)
        make_sku(code="88303", product_id="TWICE")
        make_sku(code="THIRD", product_id="88303", product_id_wh="twice")
        names = {
            "l2201316": sku.pk,
            GTIN: sku.pk,
            f"0{GTIN}": sku.pk,
            f"(01)0{GTIN}(21)X": sku.pk,
            f"https://x.example/01/0{GTIN}": sku.pk,
            "]E0" + GTIN: sku.pk,
            "88302": other.pk,
            "wh-9": other.pk,
        }
        found = resolve_skus(list(names))
        assert {each.scan: each.found and each.found.pk for each in found} == names
        code, twice, nobody = resolve_skus(["88303", "Twice", "NOBODY"])
        assert code.found.label == "88303", "a code comes before other names"
        assert (twice.found, twice.is_ambiguous) == (None, True)
        assert (nobody.found, nobody.is_ambiguous) == (None, False)
        with CaptureQueriesContext(connection) as queries:
            resolve_skus([f"N-{number}" for number in range(500)])
        assert len(queries) == 1
