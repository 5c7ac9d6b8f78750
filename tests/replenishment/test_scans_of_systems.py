"""Of scans that a warehouse system tells the serial is taken, or what may be none waits: nobody is asked."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oms.models import Discrepancy
from oms.tenancy import account_context
from replenishment.services import planning, submitting
from replenishment.services.accepting import settle_many
from replenishment.services.matching import clean
from replenishment.services.receiving import apply_receipt
from tests.factories import make_sku
from tests.replenishment.entered import units
from tests.replenishment.factories import GTIN, incoming, incoming_line, line_of, make_replenishment, make_submitted
from tests.replenishment.test_received_scans import SCAN, SUBSTITUTES

pytestmark = pytest.mark.django_db
READ = {
    **{scan: f"ACME-00{number:02}" for number, scan in enumerate(SUBSTITUTES, 8)},
    "]C121ABC": "ABC",
    "]Q1ABC": "ABC",
    '="000123"': "000123",
    f"010{GTIN}21ABC": "ABC",
    "(21)ABC": "ABC",
    " ABC ": "ABC",
    "21ABC": "21ABC",
}


@pytest.mark.parametrize("sent", READ)
@pytest.mark.parametrize("is_planned", [False, True])
def test_of_what_a_systems_scanner_read_the_serial_is_taken(account_a, sku, sent, is_planned):
    with account_context(account_a):
        found = make_replenishment((sku, 1))
        if is_planned:
            planning.add_serials(line_id=line_of(found).pk, serials=[READ[sent]], actor=None)
        found = submitting.submit(replenishment_id=found.pk, actor=None)
        apply_receipt(incoming(found, incoming_line(sku, serials=[sent])), source="wms:1")
        assert units() == {READ[sent]: "ready"}
        assert not Discrepancy.objects.exists()


@pytest.mark.parametrize(
    ("sent", "serial", "what"),
    [
        (GTIN, GTIN, "the name of a SKU"),
        (f"010{GTIN}", f"010{GTIN}", "the name of a SKU"),
        ("l2201316", "l2201316", "the name of a SKU"),
        ("9506000134352", "9506000134352", "the name of a SKU"),
        ("OTHER-SKU", "OTHER-SKU", "the name of a SKU"),
        ("]E09521234543213", "]E09521234543213", "the barcode of a product"),
        ("(01)09506000134352(21)X-1", "X-1", "a scan of another GTIN"),
        ("(01)04012345678901(21)X-1", "X-1", "a scan of another GTIN"),
        ("(21)S-1(21)S-2", "(21)S-1(21)S-2", "several scans in one"),
        (f"010{GTIN}10LOT721X-1", "X-1", "a GS1 scan without the separator"),
        (f"010{GTIN}21ABCDEFGHIJ0123456789", "ABCDEFGHIJ0123456789", "an Amazon Transparency code"),
        (f"(01)0{GTIN}(21)ACME 0007", f"(01)0{GTIN}(21)ACME 0007", "a GS1 scan that cannot be read"),
        ("N/A", "N/A", "a word for “no serial”"),
    ],
)
def test_what_a_system_tells_and_a_person_would_be_asked_about_is_a_case(
    account_a, made, sku, olga, sent, serial, what
):
    with account_context(account_a):
        make_sku(code="OTHER-SKU", gtin="9506000134352")
        apply_receipt(incoming(made, incoming_line(sku, serials=[sent, "X-2"])), source="wms:1")
        assert units() == {"X-2": "ready"}
        case = Discrepancy.objects.get()
        assert (case.kind, case.serial) == ("unexpected_serial", clean(serial))
        assert f"looks like {what}" in case.summary
        assert (f"is really {serial}." in case.summary) is (sent != serial)
        settle_many(replenishment_id=made.pk, reason="It is printed on it.", actor=olga, is_accepted=True)
        assert sorted(units()) == sorted([serial, "X-2"])


def test_what_no_serial_can_be_is_a_case_that_says_what_it_is(account_a, made, sku):
    with account_context(account_a):
        apply_receipt(incoming(made, incoming_line(sku, serials=[f"010{GTIN}21S-1\x1d21S-2"])), source="wms:1")
        case = Discrepancy.objects.get()
        assert case.kind == "bad_serial"
        assert case.summary.endswith("It looks like several scans in one.")


def test_a_planned_serial_that_a_system_scanned_with_doubt_waits(account_a, sku, olga):
    with account_context(account_a):
        made = make_replenishment((sku, 4))
        planned = ["S-1", "001", "ABCDEFGHIJ0123456789", "ACME-7"]
        planning.add_serials(line_id=line_of(made).pk, serials=planned, actor=None)
        made = submitting.submit(replenishment_id=made.pk, actor=None)
        scans = ["(01)09506000134352(21)S-1", "21001", f"010{GTIN}21{planned[2]}", f"010{GTIN}10LOT721ACME-7"]
        apply_receipt(incoming(made, incoming_line(sku, serials=scans)), source="wms:1")
        assert units() == {"S-1": "incoming", "001": "incoming", planned[2]: "ready", "ACME-7": "ready"}
        cases = dict(Discrepancy.objects.values_list("serial", "summary"))
        assert "looks like a scan of another GTIN" in cases["S-1"]
        assert "looks like a serial behind the identifier 21" in cases["21001"]
        assert len(cases) == 2
        settle_many(replenishment_id=made.pk, reason="The label is old.", actor=olga, is_accepted=True)
        assert units() == dict.fromkeys([*planned[:1], *planned[2:], "21001"], "ready") | {"001": "incoming"}


def test_the_scans_of_a_system_cost_as_many_statements_for_many(account_a, sku):
    def statements(name, count):
        made = make_submitted((sku, 400), planned=False)
        line = incoming_line(sku, serials=[f"(01)0{GTIN}(21){name}-{number}" for number in range(count)])
        with CaptureQueriesContext(connection) as queries:
            apply_receipt(incoming(made, line), source=f"wms:{name}")
        return len(queries)

    with account_context(account_a):
        assert statements("A", 2) == statements("B", 300)


def test_a_system_is_not_asked_what_may_be_no_serial_waits_and_the_rest_is_applied(account_a, made, sku, olga):
    with account_context(account_a):
        serials = [f"{SCAN}ACME-1", "X-2", "10023.0", "A001-A005", "8.93901E+18"]
        apply_receipt(incoming(made, incoming_line(sku, serials=serials)), source="wms:1")
        assert units() == {"ACME-1": "ready", "X-2": "ready"}
        cases = {case.serial: (case.kind, case.summary) for case in Discrepancy.objects.all()}
        assert cases["10023.0"][0] == "unexpected_serial"
        assert "looks like a number that a spreadsheet wrote" in cases["10023.0"][1]
        assert cases["A001-A005"][0] == "unexpected_serial"
        assert cases["8.93901E+18"][0] == "bad_serial"
        assert len(cases) == 3
        settle_many(replenishment_id=made.pk, reason="It is printed on it.", actor=olga, is_accepted=True)
        assert sorted(units()) == ["10023.0", "A001-A005", "ACME-1", "X-2"]


def test_what_a_system_tells_is_matched_as_it_was_planned(account_a, sku):
    with account_context(account_a):
        made = make_replenishment((sku, 2))
        planning.add_serials(line_id=line_of(made).pk, serials=["1234-5678", "N/A"], actor=None)
        submitting.submit(replenishment_id=made.pk, actor=None)
        apply_receipt(incoming(made, incoming_line(sku, serials=["1234-5678", "N/A"])), source="wms:1")
        assert set(units().values()) == {"ready"}
        assert not Discrepancy.objects.exists()
