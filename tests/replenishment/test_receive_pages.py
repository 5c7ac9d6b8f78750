"""The pages on which the warehouse receives and the office settles. Roles, strangers: tests/meta/test_url_sweep.py."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oms.models import Discrepancy
from oms.tenancy import account_context
from replenishment import queries
from replenishment.entry_forms import known_bins
from replenishment.lifecycle import Status
from replenishment.models import MOST_LOTS, Fate, Receipt, ReceivedLot, Replenishment, ReplenishmentLot
from replenishment.services import by_hand
from replenishment.services.receiving import apply_receipt
from serials.models import Unit
from tests.factories import make_bin, make_serialized_sku, make_sku, make_warehouse_link
from tests.replenishment.browsing import sure_of, text_of
from tests.replenishment.factories import incoming, incoming_line, line_of, make_submitted

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(client_for, olga):
    return client_for(olga)


@pytest.fixture
def made(account_a):
    with account_context(account_a):
        found = make_submitted((make_serialized_sku(code="LAP"), 3))
        make_bin(link=found.link, name="A-01")
        return found


def line_data(found, position=1, key="k1", **fields):
    pk = line_of(found, position).pk
    return {f"line{pk}-{name}": value for name, value in fields.items()} | {"key": key}


def post(floor, found, *parts, **more):
    data = {name: value for part in parts for name, value in part.items()} | more
    return floor.post(f"/acme/replenishments/{found.pk}/receive/", data)


def test_what_is_as_expected_is_received_and_its_receipt_shown(floor, account_a, made):
    with account_context(account_a):
        data = line_data(made, serials="SN00000001\r\n sn00000002 \n\n", bin="a-01", lot0_number="L-1")
    answer = post(floor, made, data)
    assert answer.status_code == 302
    page = text_of(floor.get(answer.url))
    for words in ("2 units are received", "SN00000001", "A-01", "L-1", "As planned", "Wes", "Undo this receipt"):
        assert words in page
    with account_context(account_a):
        made.refresh_from_db()
        assert made.status == Status.PARTIAL
        assert (ReceivedLot.objects.get().quantity, Unit.objects.filter(lot__number="L-1").count()) == (2, 2)
    again = post(floor, made, data)
    assert again.url == answer.url
    changed = post(floor, made, data | {key: "SN00000003" for key in data if key.endswith("-serials")})
    assert changed.status_code == 422
    assert "was sent before" in text_of(changed)
    csv = text_of(floor.get(f"{answer.url}serials/"))
    assert csv.splitlines()[1] == "LAP,SN00000001,A-01,As planned"


def test_what_is_not_as_expected_is_asked_about_first(floor, account_a, made):
    with account_context(account_a):
        data = line_data(made, serials="SN00000001\nWRONG")
    answer = post(floor, made, data)
    page = text_of(answer)
    assert answer.status_code == 422
    assert "Nothing is received yet" in page
    assert "Not expected: 1" in page
    assert "Receive, and ask the office" in page
    with account_context(account_a):
        assert not Receipt.objects.exists()
    answer = post(floor, made, data, sure=sure_of(page))
    assert answer.status_code == 302
    assert "is not among the planned serials" in text_of(floor.get(answer.url))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"serials": "SN00000001", "bin": "NOWHERE"}, "There is no bin NOWHERE"),
        ({"quantity": "-1"}, "not negative"),
        ({"quantity": "many"}, "whole number"),
        ({"serials": ""}, "Enter what arrived"),
        ({"serials": "A\n" * 10_001}, "At most 10,000 serials"),
        ({"serials": "SN00000001", "lot0_expires": "2027-01-31"}, "Name the lot"),
        ({"serials": "SN00000001", "lot0_number": "L", "lot0_expires": "31.1.27"}, "yyyy-mm-dd"),
        ({"serials": "SN00000001", "lot0_number": "L", "lot0_quantity": "2"}, "add up to 2"),
        ({"serials": "SN00000001", "lots": "2", "lot0_number": "L", "lot1_number": "M"}, "How many are of this lot"),
        ({"serials": "SN00000001", "lots": "1", "lot0_number": "L", "lot1_number": "M"}, "How many are of this lot"),
        (
            {"quantity": "2", "lots": "2", "lot0_number": "A", "lot0_quantity": "2", "lot1_number": "B"},
            "How many are of",
        ),
        ({"lot0_number": "L"}, "How many are of this lot"),
        ({"serials": "SN0\0"}, "Null characters"),
    ],
)
def test_what_makes_no_sense_is_told_at_its_field(floor, account_a, made, fields, words):
    with account_context(account_a):
        data = line_data(made, **fields)
    answer = post(floor, made, data)
    assert answer.status_code == 422
    assert words in text_of(answer)
    with account_context(account_a):
        assert not Receipt.objects.exists()


def test_buttons_that_fill_receive_nothing(floor, account_a, made):
    with account_context(account_a):
        pk = line_of(made).pk
        data = line_data(made, serials="", quantity="")
    page = text_of(post(floor, made, data, fill=str(pk)))
    assert "SN00000001\nSN00000002\nSN00000003" in page
    assert 'value="3"' in page
    page = text_of(post(floor, made, data, more=str(pk)))
    assert f'name="line{pk}-lot3_number"' in page
    assert "Nothing is received yet" not in page
    assert post(floor, made, data, fill="0").status_code == 200  # Enter, as a scanner presses it
    with account_context(account_a):
        assert not Receipt.objects.exists()


def test_a_bin_is_found_as_it_is_written_and_in_other_case(in_a):
    link = make_warehouse_link()
    for name in ("Straße 1", "Gang 2"):
        make_bin(link=link, name=name)
    wanted = {"Straße 1": "Straße 1", "STRASSE 1": "Straße 1", "gang 2": "Gang 2", "Gang 2": "Gang 2"}
    assert known_bins(link.pk, {*wanted, "Gang 3"}) == wanted


def test_a_number_of_rows_that_is_none_is_answered(floor, account_a, made):
    with account_context(account_a):
        pk = line_of(made).pk
        data = line_data(made, serials="SN00000001", lots="9" * 5_000)
    assert post(floor, made, data).status_code == 422
    assert f'name="line{pk}-lot3_number"' in text_of(post(floor, made, data, more=str(pk)))
    assert floor.post(f"/acme/replenishments/lines/{pk}/check/", data).status_code == 200


def test_every_ordered_lot_is_shown(floor, account_a):
    with account_context(account_a):
        found = make_submitted((make_sku(), MOST_LOTS), planned=False)
        line = line_of(found)
        lots = [ReplenishmentLot(line=line, number=f"LOT-{number}", quantity=1) for number in range(MOST_LOTS)]
        ReplenishmentLot.objects.bulk_create(lots)
    page = text_of(floor.get(f"/acme/replenishments/{found.pk}/receive/"))
    assert f'value="LOT-{MOST_LOTS - 1}"' in page


@pytest.fixture
def two_lots(account_a):
    with account_context(account_a):
        found = make_submitted((make_sku(), 6), (make_sku(), 5), planned=False)
        line = line_of(found)
        lots = [ReplenishmentLot(line=line, number=number, quantity=3) for number in ("L1", "L2")]
        ReplenishmentLot.objects.bulk_create(lots)
        return found


def with_lots(found, *quantities, **fields):
    lots = {f"lot{place}_quantity": quantity for place, quantity in enumerate(quantities)}
    with account_context(found.account_id):
        return line_data(found, lots="2", lot0_number="L1", lot1_number="L2", **lots, **fields)


def test_too_many_of_one_line_hide_no_shortage_of_another(floor, account_a, two_lots):
    with account_context(account_a):
        data = line_data(two_lots, 2, quantity="8")
    page = text_of(post(floor, two_lots, data))
    assert "3 more than expected" in page
    assert "what is more than expected is put into stock and the office is asked about it" in page
    assert post(floor, two_lots, data, sure=sure_of(page)).status_code == 302
    for address in ("", "receive/"):
        page = text_of(floor.get(f"/acme/replenishments/{two_lots.pk}/{address}"))
        assert "5 of 11 received, 3 too many" in " ".join(page.split())
    page = text_of(floor.get(f"/acme/replenishments/{two_lots.pk}/"))
    assert 'shape-triangle">3 too many</span>' in page


@pytest.mark.parametrize("quantities", [("", ""), ("0", "0")])
def test_a_line_whose_lots_only_stand_there_as_ordered_is_left_out(floor, account_a, two_lots, quantities):
    with account_context(account_a):
        other = line_data(two_lots, 2, quantity="5")
    assert post(floor, two_lots, with_lots(two_lots, *quantities, quantity=""), other).status_code == 302
    with account_context(account_a):
        assert (Receipt.objects.get().quantity, line_of(two_lots).received_quantity) == (5, 0)


@pytest.mark.parametrize(
    ("quantity", "quantities", "received"),
    [
        ("4", ("4", "0"), {"L1": 4}),
        ("4", ("4", ""), {"L1": 4}),
        ("4", ("", "0"), {"L1": 4}),
        ("", ("1", "2"), {"L1": 1, "L2": 2}),
    ],
)
def test_lots_of_none_are_left_out(floor, account_a, two_lots, quantity, quantities, received):
    assert post(floor, two_lots, with_lots(two_lots, *quantities, quantity=quantity)).status_code == 302
    with account_context(account_a):
        assert dict(ReceivedLot.objects.values_list("number", "quantity")) == received


def test_errors_name_their_lots(floor, two_lots):
    page = text_of(post(floor, two_lots, with_lots(two_lots, "1", "", quantity="4")))
    assert "Quantity of lot L2 of line 1</a>: How many are of this lot?" in page
    assert "Quantity of lot L1" not in page
    page = text_of(post(floor, two_lots, with_lots(two_lots, "4", "", quantity="0")))
    assert "The lots add up to 4, but 0 arrived" in page


def test_all_as_expected_once(floor, account_a, made):
    url = f"/acme/replenishments/{made.pk}/receive/all/"
    assert "Receive all" in text_of(floor.get(url))
    first = floor.post(url, {"key": "abc", "bin": "A-01"})
    assert floor.post(url, {"key": "abc", "bin": "A-01"}).url == first.url
    late = floor.post(url, {"key": "other", "bin": ""})
    assert (late.status_code, "Nothing is missing" in text_of(late)) == (422, True)
    with account_context(account_a):
        assert (Receipt.objects.count(), Replenishment.objects.get().status) == (1, Status.COMPLETED)


def test_a_check_while_typing(floor, account_a, made):
    with account_context(account_a):
        pk = line_of(made).pk
    page = text_of(floor.post(f"/acme/replenishments/lines/{pk}/check/", {f"line{pk}-serials": "SN00000002\nX\nX"}))
    for words in ("1 matched", "2 missing", "Not expected: 1", "Named twice: 1", "SN00000001, SN00000003"):
        assert words in page


def test_what_looks_like_another_is_told_while_it_is_typed_and_before_it_waits(floor, account_a, made):
    with account_context(account_a):
        pk = line_of(made).pk
        data = line_data(made, serials="SN00000001\nSNO0000002\nX-1\nx-l")
    words = ('SNO0000002</span> looks like <span class="mono">SN00000002', "x-l</span> looks like")
    for page in (floor.post(f"/acme/replenishments/lines/{pk}/check/", data), post(floor, made, data)):
        assert "are they typed right?" in text_of(page)
        assert all(each in text_of(page) for each in words)
        assert "SN00000001</span> looks like" not in text_of(page)


def test_look_alikes_are_looked_for_at_once(in_a):
    sku = make_serialized_sku()
    found = make_submitted((sku, 1))
    said = [f"S{number:03}{tail}" for number in range(15) for tail in ("B", "8")]
    (check,) = by_hand.look_at(found, [incoming_line(sku, serials=["SN00000001", *said], position=1)])
    with CaptureQueriesContext(connection) as asked:
        assert (len(check.alike), check.alike_more) == (15, 0)
    assert len(asked) == 1
    (check,) = by_hand.look_at(found, [incoming_line(sku, serials=["SN00000001"], position=1)])
    with CaptureQueriesContext(connection) as asked:
        assert not check.alike
    assert not asked


def test_where_a_system_runs_the_warehouse_the_page_says_so(floor, office, account_a, made, settings):
    settings.WAREHOUSE_SYSTEMS = "tests.replenishment.test_by_hand.systems"
    page = text_of(floor.get(f"/acme/replenishments/{made.pk}/receive/"))
    assert "Robo WMS runs the warehouse" in page
    assert "<textarea" not in page
    page = text_of(floor.get(f"/acme/replenishments/{made.pk}/"))
    assert "Robo WMS runs this warehouse" in page
    assert f"/acme/replenishments/{made.pk}/receive/" not in page


def test_the_office_settles_one_or_all_of_it(floor, office, account_a, made):
    with account_context(account_a):
        sku = line_of(made).sku
        serials = ["SN00000001", "SN00000002", "W-1", "W-2", "W-2"]
        apply_receipt(incoming(made, incoming_line(sku, serials=serials)), source="wms:1")
        case = Discrepancy.objects.order_by("pk").first()
    page = text_of(office.get(f"/acme/replenishments/{made.pk}/"))
    for words in ("Accept all (2)", "Refuse all (3)", "3 wait", "3 serials not expected"):
        assert words in page
    page = text_of(office.get(f"/acme/discrepancies/{case.pk}/"))
    assert f"/acme/discrepancies/{case.pk}/accept/" in page
    assert "Refuse" in page
    page = text_of(office.get(f"/acme/discrepancies/{case.pk}/accept/"))
    assert "received as a new unit" in page
    assert office.post(f"/acme/discrepancies/{case.pk}/accept/", {"reason": ""}).status_code == 422
    assert office.post(f"/acme/discrepancies/{case.pk}/accept/", {"reason": "Fine"}).status_code == 302
    again = office.post(f"/acme/discrepancies/{case.pk}/accept/", {"reason": "Fine"})
    assert "settled this discrepancy already" in text_of(again)
    assert office.post(f"/acme/replenishments/{made.pk}/refuse/", {"reason": "Sent back"}).status_code == 302
    with account_context(account_a):
        assert Replenishment.objects.get().status == Status.PARTIAL
        assert Unit.objects.get(serial="W-1").status == "ready"
        assert not Discrepancy.objects.filter(is_open=True).exists()
    assert "Accept all" not in text_of(floor.get(f"/acme/replenishments/{made.pk}/"))


def test_accepting_all_says_what_stays(office, account_a, made):
    with account_context(account_a):
        sku = line_of(made).sku
        for source in ("wms:1", "wms:2"):
            apply_receipt(incoming(made, incoming_line(sku, serials=["W-1"])), source=source)
    assert "Accept all (1)" in text_of(office.get(f"/acme/replenishments/{made.pk}/"))
    page = text_of(office.get(f"/acme/replenishments/{made.pk}/accept/"))
    assert "came in several receipts is received once" in page
    done = office.post(f"/acme/replenishments/{made.pk}/accept/", {"reason": "Fine"}, follow=True)
    assert "1 discrepancy is settled. 1 stays open." in text_of(done)
    assert "Accept all" not in text_of(office.get(f"/acme/replenishments/{made.pk}/"))


def test_expected_against_received_by_serial(floor, office, account_a, made):
    with account_context(account_a):
        apply_receipt(incoming(made, incoming_line(line_of(made).sku, serials=["SN00000002"])), source="wms:1")
        other = make_submitted((make_serialized_sku(), 1))
    page = text_of(office.get(f"/acme/replenishments/serials/?number={made.number}&line=1"))
    assert page.count("SN0000000") >= 3
    csv = (
        text_of(office.get(f"/acme/replenishments/serials/?number={made.number}&format=csv"))
        .removeprefix("\ufeff")
        .splitlines()
    )
    assert csv[0] == "Replenishment,Line,SKU,Serial,State,Status now,Received at,Receipt"
    assert [row.split(",")[3:6] for row in csv[1:]] == [
        ["SN00000001", "Missing", "Incoming"],
        ["SN00000002", "Received", "Ready"],
        ["SN00000003", "Missing", "Incoming"],
    ]
    assert "GR-" in csv[2]
    missing = text_of(office.get("/acme/replenishments/serials/?state=missing&format=csv"))
    assert other.number in missing
    for odd in ("line=x", "line=99999999999", "number=%00", "state=no"):
        assert office.get(f"/acme/replenishments/serials/?{odd}").status_code == 200


def test_a_filter_by_state_looks_at_each_unit_once(in_a):
    rows = queries.expected_rows().filter(state_now=Fate.MISSING).order_by().values("pk")
    assert str(rows.query).count('FROM "serials_unit"') == 1


def test_the_popup_stays_without_what_is_void(floor, office, account_a, made):
    with account_context(account_a):
        apply_receipt(incoming(made, incoming_line(line_of(made).sku, serials=["SN00000002"])), source="wms:1")
    for web in (floor, office):
        file = text_of(web.get(f"/acme/replenishments/{made.pk}/serials/download/"))
        assert file.count("SN0000000") == 3
        assert "Download all serials" in text_of(web.get(f"/acme/replenishments/{made.pk}/serials/"))
    office.post(f"/acme/replenishments/{made.pk}/close/", {"reason": "No more"})
    assert "SN00000001" not in text_of(floor.get(f"/acme/replenishments/{made.pk}/serials/download/"))
    assert "SN00000002" in text_of(floor.get(f"/acme/replenishments/{made.pk}/serials/download/"))


def test_a_receipt_is_undone_from_its_page(floor, account_a, made):
    with account_context(account_a):
        data = line_data(made, serials="SN00000001")
    url = post(floor, made, data).url
    assert floor.post(f"{url}undo/", {"reason": ""}).status_code == 422
    assert floor.post(f"{url}undo/", {"reason": "Wrong pallet"}).url == url
    page = text_of(floor.get(url))
    for words in ("counts for nothing", "Wrong pallet", "Taken back"):
        assert words in page
    assert f"{url}undo/" not in page


def test_what_an_undone_receipt_brought_is_missing_until_another_brings_it(floor, account_a, made):
    def rows(query=""):
        answer = floor.get(f"/acme/replenishments/serials/?number={made.number}&format=csv{query}")
        return [row.split(",")[3:] for row in text_of(answer).splitlines()[1:]]

    today = "&received_from=2020-01-01"
    with account_context(account_a):
        data = line_data(made, serials="SN00000001\nSN00000002")
    url = post(floor, made, data).url
    assert len(rows(today)) == 2
    floor.post(f"{url}undo/", {"reason": "Wrong pallet"})
    assert rows() == [[f"SN0000000{n}", "Missing", "Incoming", "", ""] for n in (1, 2, 3)]
    assert rows(today) == []
    with account_context(account_a):
        data = line_data(made, serials="SN00000001", key="k2")
    post(floor, made, data)
    ((serial, state, status, when, receipt),) = rows(today)
    assert (serial, state, status, receipt) == ("SN00000001", "Received", "Ready", f"{made.number}-2")
    assert when


def test_many_lines_are_received_page_by_page(floor, account_a):
    with account_context(account_a):
        skus = [make_sku(code=f"MANY-{number:02}") for number in range(25)]
        found = make_submitted(*((sku, 1) for sku in skus), planned=False)
    page = text_of(floor.get(f"/acme/replenishments/{found.pk}/receive/"))
    assert "Lines 1 to 20 of 25" in page
    assert "MANY-20" not in page
    page = text_of(floor.get(f"/acme/replenishments/{found.pk}/receive/?sku=many-2"))
    assert "MANY-24" in page
    assert "MANY-01" not in page
