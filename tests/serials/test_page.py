"""Inventory → Serials as people see it: columns, filters, sort, void units, the child row and a unit's own page."""

import re
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oms.models import BinKind, OrderLine
from oms.tenancy import account_context
from serials.lifecycle import Actor, Event
from serials.models import Lot, Unit, UnitAttribute
from serials.queries import units as queries
from serials.services import Fact, Row, record_event
from serials.services.units import By, annotate_units, move_units, reserve_units, ship_units
from tests.factories import make_bin, make_order, make_serialized_sku, make_warehouse_link
from tests.serials.factories import make_units
from tests.tables import column, rows

COLUMNS = [
    "SKU",
    "ProdID",
    "BIN",
    "Location",
    "Serial",
    "Status",
    "WMS Notes",
    "OMS Notes",
    "ProcessType",
    "ProcessID",
    "Order#",
    "Update",
]
WAREHOUSE = By(Actor.WAREHOUSE, reason="because")


@pytest.fixture
def grid(account_a):
    """Units in every status; `grid["ready"]` and so on is one of each."""
    with account_context(account_a):
        sku = make_serialized_sku(code="L2201308", product_id="88310")
        own = make_serialized_sku(code="T-9", product_id="1", product_id_wh="WH-77")
        link = make_warehouse_link()
        place = {kind: make_bin(link=link, location="Zone A", name=f"A-{kind}", kind=kind) for kind in BinKind.values}
        line = OrderLine.objects.get(order=make_order(sku, quantity=3, number="SO-5001"))
        serials = ["INC-1", "VOID-1", "READY-1", "RES-1", "HOLD-1", "IMP-1", "OUT-1"]
        at = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)  # 00:30 on 2 March in Berlin
        planned = [Row(sku_id=sku.pk, serial=serial) for serial in serials]
        record_event(Fact(Event.EXPECT, Actor.OFFICE, process_id="R-1001", occurred_at=at), planned)
        pk = dict(Unit.objects.values_list("serial", "pk"))
        received = [Row(unit_id=pk[serial], bin_id=place["pick"].pk) for serial in serials[2:]]
        record_event(Fact(Event.RECEIVE, Actor.WAREHOUSE, process_id="R-1001"), received)
        record_event(Fact(Event.VOID, Actor.OFFICE, process_id="R-1001"), [Row(unit_id=pk["VOID-1"])])
        reserve_units(unit_ids=[pk["RES-1"]], line=line, by=By(Actor.OFFICE))
        move_units(unit_ids=[pk["HOLD-1"]], to=place["reserved"], by=WAREHOUSE, process_id="M-1")
        move_units(unit_ids=[pk["IMP-1"]], to=place["damaged"], by=WAREHOUSE)
        ship_units(rows=[Row(unit_id=pk["OUT-1"])], line=line, by=WAREHOUSE)
        notes = Row(unit_id=pk["READY-1"], oms_notes="Call <Ann> first", wms_notes="Seal broken")
        annotate_units(rows=[notes], by=By(Actor.OFFICE))
        other = make_units(1, sku=own, bin=place["pick"])[0]
    return {**{serial: pk[serial] for serial in serials}, "other": other}


@pytest.fixture
def see(client_for, ben):
    """`see(**query)`: the page as a viewer gets it."""
    client = client_for(ben)

    def get(**query):
        answer = client.get(reverse("serials", kwargs={"account_slug": "acme"}), query)
        assert answer.status_code == 200
        return answer.content.decode()

    return get


def serials(page):
    """The serials of the rows, in order."""
    return column(page, "Serial")


def cells(page, serial):
    """Header → text of the row of one serial."""
    row = next(row for row in rows(page) if row["Serial"] == serial)
    return {name: text for name, text in row.items() if name}


# --- columns ----------------------------------------------------------------------------------------------------------
def test_the_title_and_the_columns_are_the_products(grid, see):
    page = see()
    assert re.search(r"<h1>(.*?)</h1>", page)[1] == "Serials"
    assert "#barcode" in page
    assert list(cells(page, "READY-1")) == COLUMNS
    head = re.search(r'<tr class="head-row">(.*?)</tr>', page, re.DOTALL)[1]
    assert re.findall(r'id="sort-(\w+)"', head) == [
        "sku",
        "prod_id",
        "bin",
        "location",
        "serial",
        "status",
        "wms_notes",
        "oms_notes",
        "process_type",
        "process_id",
        "order",
        "update",
    ]


def test_the_placeholders_are_the_products(see, grid):
    head = re.search(r'<tr class="filter-row">(.*?)</tr>', see(), re.DOTALL)[1]
    found = re.findall(r'placeholder="([^"]+)"|<option value="" selected>([^<]+)', head)
    assert [text or empty for text, empty in found] == [
        "Sku",
        "ProdID",
        "Bin",
        "Location",
        "Serial",
        "Select…",
        "Note",
        "Note",
        "Select…",
        "ProcessID",
        "Order#",
        "yyyy-mm-dd",
        "yyyy-mm-dd",
    ]
    assert re.findall(r'<option value="\w+">([^<]+)', head) == [
        *["Out", "Hold", "Imperfect", "Ready", "Reserved", "Incoming"],
        *["Order", "Replenishment", "Return", "Re-count", "Move"],
    ]


def test_a_row_says_what_the_unit_is(grid, see):
    row = cells(see(), "READY-1")
    assert row | {"Update": ""} == {
        "SKU": "L2201308",
        "ProdID": "88310",
        "BIN": "A-pick",
        "Location": "Zone A",
        "Serial": "READY-1",
        "Status": "Ready",
        "WMS Notes": "Seal broken",
        "OMS Notes": "Call <Ann> first",
        "ProcessType": "Replenishment",
        "ProcessID": "R-1001",
        "Order#": "",
        "Update": "",
    }
    assert cells(see(), grid["other"].serial)["ProdID"] == "WH-77"


@pytest.mark.parametrize(
    ("serial", "look", "word"),
    [
        ("INC-1", "badge-info shape-ring", "Incoming"),
        ("READY-1", "badge-good shape-dot", "Ready"),
        ("RES-1", "badge-info shape-half", "Reserved"),
        ("HOLD-1", "badge-warn shape-bars", "Hold"),
        ("IMP-1", "badge-bad shape-triangle", "Imperfect"),
        ("OUT-1", "shape-arrow", "Out"),
    ],
)
def test_each_status_has_its_badge(grid, see, serial, look, word):
    page = see(serial=serial)
    assert serials(page) == [serial]
    assert f'<span class="badge {look}">{word}</span>' in page


def test_who_may_not_write_sees_no_control_that_would(grid, see):
    page = see()
    for action in ("Download Serial History", "Labels", 'type="checkbox" name="pk"', "i-menu"):
        assert action in page
    for action in ("Add Attributes", "i-pencil", "/notes/"):
        assert action not in page


# --- filters ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"sku": "l220", "status": "ready"}, {"READY-1"}),
        ({"prod_id": "883", "bin": "a-res"}, {"HOLD-1"}),
        ({"prod_id": "wh-7"}, {"other"}),
        ({"bin": "A-DAM"}, {"IMP-1"}),
        ({"location": "zone", "serial": "es-1"}, {"RES-1"}),
        ({"status": "out"}, {"OUT-1"}),
        ({"wms_notes": "seal"}, {"READY-1"}),
        ({"oms_notes": "<ann>"}, {"READY-1"}),
        ({"process_type": "move"}, {"HOLD-1", "IMP-1"}),
        ({"process_id": "m-1"}, {"HOLD-1"}),
        ({"order": "5001"}, {"RES-1", "OUT-1"}),
        ({"update_from": "2026-03-02", "update_to": "2026-03-02"}, {"INC-1"}),
        ({"update_from": "2026-03-01", "update_to": "2026-03-01"}, set()),
        ({"q": "so-5001"}, {"RES-1", "OUT-1"}),
        ({"q": "WH-77"}, {"other"}),
        ({"q": "broken"}, {"READY-1"}),
        ({"q": "zone a", "status": "hold"}, {"HOLD-1"}),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_a_filter_finds(grid, see, query, found):
    names = {grid["other"].serial if name == "other" else name for name in found}
    assert set(serials(see(**query))) == names


def test_a_search_of_two_characters_is_not_made_and_says_so(grid, see):
    page = see(q="IN")
    assert serials(page) == []
    assert "One more character" in page


def test_void_units_are_hidden_until_asked_for(grid, see):
    assert "VOID-1" not in serials(see())
    page = see(void="on")
    assert "VOID-1" in serials(page)
    assert len(serials(page)) == 8
    assert re.search(r'<tr class="is-void" id="row-unit-\d+">', page)
    assert "<strong>Show void</strong>" in page


def test_chips_say_the_filters_and_lead_without_them(grid, see):
    page = see(status="ready", sku="L22", sort="serial", page="1")
    assert "Status: <strong>Ready</strong>" in page
    assert 'href="?status=ready&amp;sort=serial"' in page  # the SKU's chip
    assert 'href="?sort=serial"' in page  # clear all


@pytest.mark.parametrize("column", [name.lower() for name in ("sku", "prod_id", "bin", "location", "serial", "status")])
def test_sorting_is_both_ways_and_complete(grid, see, column):
    up, down = serials(see(sort=column)), serials(see(sort=f"-{column}"))
    assert sorted(up) == sorted(down)
    if column == "serial":
        assert up == sorted(up)
        assert down == up[::-1]


@pytest.mark.parametrize("column", ["wms_notes", "oms_notes", "process_type", "process_id", "order", "update"])
def test_the_other_columns_sort_too(grid, see, column):
    page = see(sort=column)
    assert len(serials(page)) == 7
    assert 'aria-sort="ascending"' in page


def test_pages_show_every_unit_once(client_for, ben, account_a):
    with account_context(account_a):
        made = {unit.serial for unit in make_units(60)}
    client, url = client_for(ben), reverse("serials", kwargs={"account_slug": "acme"})
    found = [serials(client.get(url, {"per_page": 25, "page": n}).content.decode()) for n in (1, 2, 3)]
    assert [len(page) for page in found] == [25, 25, 10]
    assert set().union(*found) == made


# --- links ------------------------------------------------------------------------------------------------------------
def test_documents_are_linked_where_a_page_shows_them(grid, see, client_for, ben, account_a):
    page = see(serial="OUT-1")
    assert 'href="/acme/orders/find/?number=SO-5001"' in page
    answer = client_for(ben).get("/acme/orders/find/?number=SO-5001", follow=True)
    assert "Order SO-5001" in answer.content.decode()
    assert "OUT-1" in answer.content.decode()
    assert client_for(ben).get("/acme/orders/find/?number=NO").url == "/acme/orders/?q=NO"
    assert "M-1</td>" in see(serial="HOLD-1")


# --- the child row ----------------------------------------------------------------------------------------------------
@pytest.fixture
def child(client_for, ben):
    def get(pk, **query):
        url = reverse("serial_history", kwargs={"account_slug": "acme", "pk": pk})
        answer = client_for(ben).get(url, query, headers={"HX-Request": "true"})
        assert answer.status_code == 200
        return answer.content.decode()

    return get


def test_the_child_row_has_the_eleven_columns(grid, child):
    part = child(grid["HOLD-1"])
    assert part.lstrip().startswith('<div class="pinned">')
    assert re.findall(r"<h2>(.*?)</h2>", part) == ["SERIAL HISTORY"]
    assert re.findall(r'<th scope="col">(.*?)</th>', part) == [name for name in COLUMNS if name != "Location"]
    bins = re.findall(r'data-label="BIN">(.*?)</td>', part)
    words = [
        re.sub(r"<[^>]+>", "", cell).split() for cell in re.findall(r'data-label="Status">(.*?)</td>', part, re.DOTALL)
    ]
    assert bins == ["A-reserved", "A-pick", "–"]
    assert words == [["Hold"], ["Ready"], ["Incoming"]]


def test_metadata_is_there_only_when_there_is_any(grid, child, account_a):
    assert "METADATA" not in child(grid["READY-1"])
    with account_context(account_a):
        UnitAttribute.objects.create(unit_id=grid["READY-1"], name="Colour", value="<grey>")
    part = child(grid["READY-1"])
    assert re.findall(r"<h2>(.*?)</h2>", part) == ["SERIAL HISTORY", "METADATA"]
    assert re.findall(r'<th scope="col">(.*?)</th>', part)[-2:] == ["Attribute", "Value"]
    assert "&lt;grey&gt;" in part


def test_a_long_history_has_pages(grid, child, account_a):
    with account_context(account_a):
        for number in range(60):
            annotate_units(rows=[Row(unit_id=grid["READY-1"], oms_notes=f"note {number}")], by=By(Actor.OFFICE))
    first, second = child(grid["READY-1"]), child(grid["READY-1"], page=2)
    assert (first.count("<tr>"), second.count("<tr>")) == (51, 14)
    assert "1–50 of 63" in first
    assert "51–63 of 63" in second
    assert child(grid["READY-1"], page=99) == second
    assert child(grid["READY-1"], page="x") == first


def test_a_long_history_costs_as_many_queries(grid, child, account_a):
    def asked():
        with CaptureQueriesContext(connection) as found:
            child(grid["READY-1"])
        return len(found)

    few = asked()
    with account_context(account_a):
        for number in range(30):
            annotate_units(rows=[Row(unit_id=grid["READY-1"], oms_notes=f"note {number}")], by=By(Actor.OFFICE))
    assert asked() == few


def test_without_htmx_the_child_row_is_the_units_page(grid, client_for, ben):
    pk = grid["READY-1"]
    url = reverse("serial_history", kwargs={"account_slug": "acme", "pk": pk})
    assert client_for(ben).get(url).url == reverse("serial", kwargs={"account_slug": "acme", "pk": pk})


# --- a unit's page ----------------------------------------------------------------------------------------------------
def test_the_units_page_says_who_why_and_which_lot(grid, client_for, ben, wes, account_a):
    pk = grid["IMP-1"]
    with account_context(account_a):
        unit = Unit.objects.get(pk=pk)
        lot = Lot.objects.create(sku_id=unit.sku_id, number="LOT-9")
        by = By(Actor.WAREHOUSE, wes.pk, reason="Lot read from the box")
        annotate_units(rows=[Row(unit_id=pk, lot_id=lot.pk)], by=by)
    page = client_for(ben).get(reverse("serial", kwargs={"account_slug": "acme", "pk": pk})).content.decode()
    assert re.search(r"<h1>(.*?)</h1>", page)[1] == "IMP-1"
    for text in ("LOT-9", "Lot read from the box", "Wes", "Annotated", "Moved", "Expected", "badge-bad"):
        assert text in page, text


# --- for other apps ---------------------------------------------------------------------------------------------------
def test_units_block_another_serial_attribute(grid, account_a):
    with account_context(account_a):
        unit = Unit.objects.get(pk=grid["READY-1"])
        found = queries.workflow_blockers([unit.sku_id])[unit.sku_id]
    assert [(blocker.text, blocker.query["status"]) for blocker in found] == [
        ("1 unit is Hold", "hold"),
        ("1 unit is Imperfect", "imperfect"),
        ("1 unit is Incoming", "incoming"),
        ("1 unit is Ready", "ready"),
        ("1 unit is Reserved", "reserved"),
    ]
    assert {blocker.route for blocker in found} == {"serials"}


def test_units_that_are_out_or_void_block_nothing(grid, account_a):
    with account_context(account_a):
        sku = make_serialized_sku()
        record_event(Fact(Event.EXPECT, Actor.OFFICE), [Row(sku_id=sku.pk, serial="ONLY")])
        unit = Unit.objects.get(sku=sku)
        record_event(Fact(Event.VOID, Actor.OFFICE), [Row(unit_id=unit.pk)])
        assert queries.workflow_blockers([sku.pk]) == {}


def test_a_line_names_its_first_units_and_counts_all(account_a):
    with account_context(account_a):
        sku = make_serialized_sku()
        line = OrderLine.objects.get(order=make_order(sku, quantity=30))
        units = make_units(25, sku=sku)
        reserve_units(unit_ids=[unit.pk for unit in units], line=line, by=By(Actor.OFFICE))
        found = queries.units_of_lines([line.pk])[line.pk]
    assert (len(found.shown), found.total) == (queries.PER_LINE, 25)
    assert (found.shown[0].serial, found.shown[0].status) == (units[0].serial, "Reserved")
