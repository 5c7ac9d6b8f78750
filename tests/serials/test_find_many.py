"""Find many: a list of numbers becomes four groups, and the found ones a view of the grid."""

import csv
import io
import re
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oms.errors import DomainError
from oms.tenancy import account_context
from oms.ui.actions import selected
from serials.filters import SerialFilter
from serials.lifecycle import Actor, Event
from serials.models import FoundList, Unit
from serials.queries.units import unit_rows
from serials.services import Fact, Row, record_event
from serials.services.find_many import KEPT, find_many
from serials.services.number_lists import read_list
from tests.factories import make_bin, make_serialized_sku
from tests.serials.factories import make_unit, make_units
from tests.tables import column

GRID = "/acme/inventory/serials/"
URL = f"{GRID}find/"


@pytest.fixture
def web(client_for, olga):
    return client_for(olga)


def receive(sku, *serials):
    """Units with these serials; their ids."""
    place = make_bin()
    rows = [Row(sku_id=sku.pk, serial=serial, bin_id=place.pk, is_new_allowed=True) for serial in serials]
    record_event(Fact(Event.RECEIVE, Actor.WAREHOUSE, process_id="X", source=f"test:{uuid4()}"), rows)
    return list(Unit.objects.filter(sku=sku, serial__in=serials).order_by("pk").values_list("pk", flat=True))


def look_up(person, text):
    return find_many(asked=read_list(text.encode()), person=person)


def typed(found):
    """Group → numbers as they were typed."""
    return {group: [row[1] for row in rows] for group, rows in found.rest.items() if rows}


# --- reading ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        "A-1\nB 2\nC3",
        "A-1, B 2,C3",
        "A-1;B 2;C3\r\n\r\n",
        "A-1\tB 2\tC3",
        '\ufeff"A-1"\n"B 2"\n"C3"',
        " A-1 ,,\n\nB 2;C3",
    ],
)
def test_numbers_stand_between_line_breaks_commas_semicolons_and_tabs(text):
    assert [asked.typed for asked in read_list(text.encode())] == ["A-1", "B 2", "C3"]


@pytest.mark.parametrize(
    "text", ["SKU,Serial\nL-1,A\n,B", "serial number;Sku\nA;L-1\nB;", "Name\tSKU\tSerial\nx\tL-1\tA\n\t\tB"]
)
def test_a_header_may_name_the_sku(text):
    assert [(asked.sku, asked.key, asked.line) for asked in read_list(text.encode())] == [("L-1", "A", 2), ("", "B", 3)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\n".join(b"N%d" % n for n in range(10_001)), "10,001 numbers"),
        (b"Serial\n" + b"\n".join(b"N%d" % n for n in range(10_001)), "more than 10,000 rows"),
        (b"Serial,SKU\n" + b"\n".join([b"A," + b"y" * 201] * 9), "4 more are wrong."),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "its content is PNG"),
        (bytes(range(256)), "binary data"),
        (b" , ;\n\t", "There is no number in it."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_a_list_says_why(data, words):
    with pytest.raises(DomainError, match=re.escape(words)):
        read_list(data)


@pytest.mark.parametrize("word", ["SN", "Serial", "Number", "s/n", "Serials"])
def test_a_word_in_a_list_is_one_of_its_lines(word):
    assert [listed.typed for listed in read_list(f"A1\nA2\n{word}\nA3".encode())] == ["A1", "A2", word, "A3"]


def test_what_stands_above_a_header_of_two_columns_is_looked_for_too():
    text = "Packing list PL-88;\n\nA1;A2\nSKU;Serial\nL;X1\n"
    found = [(listed.line, listed.typed, listed.sku) for listed in read_list(text.encode())]
    assert found == [(1, "Packing list PL-88", ""), (3, "A1", ""), (3, "A2", ""), (5, "X1", "L")]


# --- finding ----------------------------------------------------------------------------------------------------------
def test_every_number_is_in_one_of_four_groups(in_a, olga):
    one, two = make_serialized_sku(code="ONE"), make_serialized_sku(code="TWO")
    (a,) = receive(one, "A-1")
    receive(one, "BOTH"), receive(two, "BOTH")
    found = look_up(olga, "a-1\nA-1\nＡ-1\nnope\nBOTH\nnope")
    assert found.unit_ids == [a]
    assert typed(found) == {"not_found": ["nope"], "ambiguous": ["BOTH"], "duplicate": ["A-1", "Ａ-1", "nope"]}
    assert found.rest["ambiguous"][0] == (5, "BOTH", "", "ONE, TWO")
    assert [row[3] for row in found.rest["duplicate"]] == ["1", "1", "4"]


@pytest.mark.parametrize("header", ["", "Serial\n"])
def test_what_cannot_be_a_serial_is_not_found_and_stops_nothing(in_a, olga, header):
    """One wrong scan among ten thousand."""
    (a,) = receive(make_serialized_sku(), "A-1")
    found = look_up(olga, f"{header}{'x' * 300}\nA-1\nA\x01B\n{'y' * 101}\n{'x' * 300}")
    assert found.unit_ids == [a]
    assert typed(found) == {"not_found": ["x" * 200, "AB", "y" * 101], "duplicate": ["x" * 200]}


def test_the_sku_says_which_and_which_not(in_a, olga):
    one, two = make_serialized_sku(code="ONE"), make_serialized_sku(code="Maß")
    receive(one, "BOTH")
    (second,) = receive(two, "BOTH")
    (only,) = receive(two, "ONLY")
    found = look_up(olga, "SKU,Serial\nmaß,BOTH\nONE,ONLY\nNO,BOTH\n,ONLY\nMaß,ONLY")
    assert found.unit_ids == [second, only]
    assert found.rest["not_found"] == [(3, "ONLY", "ONE", "Maß"), (4, "BOTH", "NO", "Maß, ONE")]
    assert found.rest["duplicate"] == [(6, "ONLY", "Maß", "5")]


def test_any_name_of_a_sku_names_it(in_a, olga):
    one, two = (
        make_serialized_sku(code="ONE", gtin="9521234543213", product_id="88302"),
        make_serialized_sku(code="TWO"),
    )
    (own,) = receive(one, "BOTH")
    receive(two, "BOTH")
    for name in ("9521234543213", "09521234543213", "88302", "(01)09521234543213", "one"):
        found = look_up(olga, f"SKU,Serial\n{name},BOTH")
        assert (found.unit_ids, typed(found)) == ([own], {}), name


def test_a_name_of_several_skus_names_none(in_a, olga):
    for code in ("ONE", "TWO"):
        receive(make_serialized_sku(code=code, product_id="88302"), "BOTH")
    assert typed(look_up(olga, "SKU,Serial\n88302,BOTH")) == {"not_found": ["BOTH"]}


def test_units_of_another_account_are_not_found(account_a, account_b, olga):
    with account_context(account_b):
        foreign = make_unit()
    with account_context(account_a):
        own = make_unit()
        found = look_up(olga, f"{foreign.serial}\n{own.serial}")
        assert (found.unit_ids, typed(found)) == ([own.pk], {"not_found": [foreign.serial]})


def test_many_numbers_take_as_many_statements_as_one_and_little_time(in_a, olga):
    units = make_units(50)
    short = [units[0].serial]
    long = [unit.serial for unit in units] + [f"NOT-{number}" for number in range(9_950)]
    counts = []
    for numbers in (short, long):
        began = time.perf_counter()
        with CaptureQueriesContext(connection) as captured:
            found = look_up(olga, "\n".join(numbers))
        counts.append(len(captured))
    assert counts[0] == counts[1]
    assert (len(found.unit_ids), len(found.rest["not_found"])) == (50, 9_950)
    assert time.perf_counter() - began < 5


def test_old_lists_go_with_the_next_one(in_a, olga):
    old, young = look_up(olga, "A"), look_up(olga, "B")
    FoundList.objects.filter(pk=old.pk).update(created_at=timezone.now() - KEPT - timedelta(days=1))
    fresh = look_up(olga, "C")
    assert set(FoundList.objects.values_list("pk", flat=True)) == {young.pk, fresh.pk}


# --- the pages --------------------------------------------------------------------------------------------------------
def test_the_page_finds_shows_and_hands_out_files(web, account_a):
    with account_context(account_a):
        sku = make_serialized_sku(code="L-1")
        receive(sku, "S-1", "S-2", "=1+1")
    answer = web.post(URL, {"numbers": "s-2\nS-1\n=1+1\n=NO\nS-1"})
    assert answer.status_code == 302
    page = web.get(answer["Location"]).content.decode()
    numbers = re.findall(r'stat-label">(.*?)</span>\s*<span class="stat-value">(.*?)<', page)
    assert numbers == [("Found", "3"), ("Not found", "1"), ("Ambiguous", "0"), ("Duplicate", "1")]
    for words in ("Download Serial History", "Add Attributes", "Labels", "Show in the grid"):
        assert words in page
    assert "By CSV" not in page

    def file(group):
        body = web.get(f"{answer['Location']}{group}/").getvalue().decode("utf-8-sig")
        return list(csv.reader(io.StringIO(body)))

    assert [row[1] for row in file("found")] == ["Serial", "S-2", "S-1", "'=1+1"]
    assert file("not_found") == [["Line", "Serial", "SKU", "SKUs that have it"], ["4", "'=NO", "", ""]]
    assert file("duplicate")[1:] == [["5", "S-1", "", "2"]]
    assert len(file("ambiguous")) == 1
    assert web.get(f"{answer['Location']}other/").status_code == 404


def test_a_file_is_taken_as_well(web, account_a):
    with account_context(account_a):
        sku = make_serialized_sku(code="L-1")
        receive(sku, "S-1")
    file = SimpleUploadedFile("a.csv", b"SKU;Serial\nL-1;S-1\n")
    assert ">1<" in web.post(URL, {"numbers": "", "file": file}, follow=True).content.decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"numbers": ""}, "Paste numbers, or choose a file."),
        ({"numbers": "KEPT-TEXT\n" + "\n".join(map(str, range(10_000)))}, "These are 10,001 numbers"),
        ({"numbers": "KEPT-TEXT", "file": SimpleUploadedFile("a.csv", b"A")}, "not both"),
        ({"numbers": "KEPT-TEXT\0"}, "Null characters"),
        ({"numbers": "", "file": SimpleUploadedFile("a.csv", b"\x89PNG\0\0")}, "its content is PNG"),
        ({"numbers": "", "file": SimpleUploadedFile("a.csv", b"")}, "This file is empty."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_says_why_and_keeps_what_was_typed(web, data, words):
    answer = web.post(URL, data)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert words in page
    assert ("KEPT-TEXT" in page) == ("KEPT-TEXT" in data["numbers"])


def test_pasted_numbers_are_never_taken_for_another_kind_of_file(web, account_a):
    assert web.post(URL, {"numbers": "GIF87\n%PDF-1"}).status_code == 302


# --- as a view of the grid --------------------------------------------------------------------------------------------
def serials(page):
    return column(page, "Serial")


def test_the_grid_shows_just_these_with_filters_sort_and_pages(web, account_a):
    with account_context(account_a):
        sku = make_serialized_sku(code="L-1")
        receive(sku, *[f"S-{number:02}" for number in range(60)])
    numbers = "\n".join(f"S-{number:02}" for number in range(0, 60, 2))
    key = web.post(URL, {"numbers": numbers})["Location"].split("/")[-2]
    page = web.get(GRID, {"list": key, "sort": "-serial", "per_page": 25, "page": 2}).content.decode()
    assert serials(page) == ["S-08", "S-06", "S-04", "S-02", "S-00"]
    assert "Find many: <strong>30 serials</strong>" in page
    assert re.search(rf'form="filters"\s+name="list"\s+value="{key}"', page)
    assert serials(web.get(GRID, {"list": key, "serial": "s-5", "sort": "serial"}).content.decode()) == [
        *["S-50", "S-52", "S-54", "S-56", "S-58"]
    ]
    export = web.get(GRID, {"list": key, "format": "csv"}).getvalue().decode()
    assert export.count("\n") == 31


@pytest.mark.parametrize("text", ["00000000-0000-4000-8000-000000000000", "nonsense", "\0", "x" * 5000])
def test_a_list_that_is_not_there_has_no_rows(web, account_a, text):
    with account_context(account_a):
        make_units(3)
        assert list(SerialFilter(QueryDict(mutable=True) | {"list": text}, queryset=unit_rows()).qs) == []
    page = web.get(GRID, {"list": text}).content.decode()
    assert serials(page) == []
    assert "a list that is not there any more" in page


def test_another_accounts_list_is_unknown(client_for, web, wes, olga, account_a, account_b):
    with account_context(account_a):
        unit = make_unit()
        found = look_up(olga, unit.serial)
    with account_context(account_b):
        own = make_unit()
        # Even if somebody forged a list of foreign ids, nothing of them would show.
        forged = FoundList.objects.create(person=wes, unit_ids=[unit.pk, own.pk])
    both = client_for(wes)
    assert both.get(f"/acme/inventory/serials/find/{found.key}/").status_code == 200
    assert both.get(f"/bolt/inventory/serials/find/{found.key}/").status_code == 404
    assert both.get(f"/bolt/inventory/serials/find/{found.key}/found/").status_code == 404
    page = both.get("/bolt/inventory/serials/", {"list": found.key}).content.decode()
    assert serials(page) == []
    assert "a list that is not there any more" in page
    assert serials(both.get("/bolt/inventory/serials/", {"list": forged.key}).content.decode()) == [own.serial]
    with account_context(account_b):
        params = {"path": "/bolt/inventory/serials/", "filter": f"list={found.key}"}
        assert not selected(params).exists()


def test_all_that_match_are_just_these_also_in_a_job(web, account_a):
    with account_context(account_a):
        units = make_units(4)
    numbers = "\n".join(unit.serial for unit in units[:3])
    key = web.post(URL, {"numbers": numbers})["Location"].split("/")[-2]
    with account_context(account_a):
        chosen = selected({"path": GRID, "filter": f"list={key}"})
        assert set(chosen) == set(units[:3])
    data = {"all": "1", "filter": f"list={key}", "name": "Batch", "value": "7"}
    assert "Set on 3 serials." in web.post(f"{GRID}attributes/", data, follow=True).content.decode()
    file = web.post(f"{GRID}history/", {"all": "1", "filter": f"list={key}"}).getvalue().decode()
    assert [unit.serial in file for unit in units] == [True, True, True, False]


def test_void_units_are_found_and_shown(web, account_a):
    with account_context(account_a):
        sku = make_serialized_sku()
        record_event(Fact(Event.EXPECT, Actor.OFFICE, process_id="R"), [Row(sku_id=sku.pk, serial="VOID-1")])
        pk = Unit.objects.get().pk
        record_event(Fact(Event.VOID, Actor.OFFICE, process_id="R"), [Row(unit_id=pk)])
    page = web.post(URL, {"numbers": "VOID-1"}, follow=True).content.decode()
    assert "Void ones are among them." in page
    grid = re.search(r'href="([^"]+list=[^"]+)"', page)[1].replace("&amp;", "&")
    assert serials(web.get(grid).content.decode()) == ["VOID-1"]
