"""The list and the pages of a replenishment's head and lots."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest

from oms.models import Discrepancy
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import MOST_LOTS, Replenishment, ReplenishmentLine, ReplenishmentLot
from replenishment.services import submitting
from replenishment.services.accepting import accept_discrepancies
from replenishment.services.receiving import apply_receipt
from tests.factories import acme_day, make_serialized_sku, make_sku, make_warehouse_link
from tests.replenishment.factories import incoming, incoming_line, line_of, make_replenishment, make_submitted
from tests.replenishment.samples import row_data

pytestmark = pytest.mark.django_db


def text_of(answer):
    return (answer.getvalue() if answer.streaming else answer.content).decode()


def numbers(web, query=""):
    text = text_of(web.get(f"/acme/replenishments/?format=csv&{query}")).removeprefix("\ufeff")
    return {row["Replenishment"] for row in csv.DictReader(io.StringIO(text))}


# --- the list ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def three(account_a):
    """(late, due today, draft past its day)"""
    today = acme_day()
    with account_context(account_a):
        late = make_submitted(planned=False, expected_on=today - timedelta(days=1), supplier="Late Ltd")
        due = make_submitted(planned=False, expected_on=today)
        draft = make_replenishment(expected_on=today - timedelta(days=9), tracking="1Z-TRACK")
    return late, due, draft


def test_late_is_what_is_open_past_its_day(web, account_a, three):
    late, due, draft = three
    page = text_of(web.get("/acme/replenishments/"))
    assert page.count(">Late<") == 1
    assert numbers(web) == {late.number, due.number, draft.number}
    assert numbers(web, "late=on") == {late.number}
    assert "late" in text_of(web.get(f"/acme/replenishments/{late.pk}/"))
    with account_context(account_a):
        Replenishment.objects.filter(pk=late.pk).update(status=Status.COMPLETED)
    assert numbers(web, "late=on") == set()


def test_the_switch_is_named_without_a_value_and_the_hint_says_when_it_begins(web):
    page = " ".join(text_of(web.get("/acme/replenishments/?late=on")).split())
    assert "<strong>Late only</strong>" in page
    assert "Late only:" not in page
    assert "Once it is submitted, the replenishment is marked late" in text_of(web.get("/acme/replenishments/new/"))


def test_one_that_only_waits_for_a_review_is_not_late(web, account_a):
    yesterday = acme_day() - timedelta(days=1)
    with account_context(account_a):
        sku = make_serialized_sku()
        there, short, closed, swapped = (make_submitted((sku, 2), expected_on=yesterday) for _n in range(4))

        def receive(made, *serials):
            apply_receipt(incoming(made, incoming_line(sku, serials=serials, position=1)), source=f"wms:{made.pk}")
            made.refresh_from_db()
            assert made.status == Status.REVIEW

        receive(there, "SN00000001", "SN00000002", "EXTRA-1")
        receive(short, "SN00000003", "EXTRA-2")
        receive(closed, "SN00000005", "EXTRA-3")
        submitting.close_short(replenishment_id=closed.pk, reason="No more", actor=None)
        receive(swapped, "SN00000007", "EXTRA-4", "EXTRA-5")
        case = Discrepancy.objects.get(process_id=swapped.number, serial="EXTRA-4")
        accept_discrepancies(discrepancy_ids=[case.pk], reason="Take it", actor=None)
    assert numbers(web, "late=on") == {short.number, swapped.number}
    assert text_of(web.get("/acme/replenishments/")).count(">Late<") == 2
    for made, words in ((there, False), (short, True), (closed, False), (swapped, True)):
        assert (f"{yesterday}, late" in text_of(web.get(f"/acme/replenishments/{made.pk}/"))) is words


def test_expected_is_filtered_by_day_and_tracking_is_searched(web, three):
    late, due, draft = three
    today = acme_day()
    assert numbers(web, f"expected_from={today}") == {due.number}
    assert numbers(web, f"expected_to={today - timedelta(days=1)}") == {late.number, draft.number}
    assert numbers(web, f"expected_from={today:%Y-%m-%d}&expected_to=") == {due.number}
    assert web.get("/acme/replenishments/?format=csv&expected_from=nonsense").status_code == 422
    assert numbers(web, "q=1z-track") == {draft.number}
    assert numbers(web, "sort=expected") == {late.number, due.number, draft.number}


def test_archived_ones_are_shown_by_a_switch(web, account_a, three):
    with account_context(account_a):
        Replenishment.objects.filter(pk=three[0].pk).update(status=Status.ARCHIVED)
    assert three[0].number not in numbers(web)
    assert three[0].number in numbers(web, "archived=on")
    assert numbers(web, "status=archived") == {three[0].number}


# --- the head ---------------------------------------------------------------------------------------------------------
def test_the_head_is_edited_and_a_stale_form_keeps_what_was_typed(web, account_a):
    with account_context(account_a):
        made, other = make_replenishment(), make_warehouse_link()
    url = f"/acme/replenishments/{made.pk}/edit/"
    data = {"version": made.version, "link": other.pk, "supplier": "Kim", "expected_on": "2027-01-31", "notes": "a\nb"}
    assert web.post(url, data).status_code == 302
    stale = web.post(url, data | {"supplier": "Lee", "notes": "mine"})
    page = text_of(stale)
    assert stale.status_code == 422
    for words in ("Somebody changed this replenishment", "It is now", 'value="Lee"', "mine", "Kim"):
        assert words in page
    with account_context(account_a):
        found = Replenishment.objects.get(pk=made.pk)
    assert (found.supplier, str(found.expected_on), found.link_id) == ("Kim", "2027-01-31", other.pk)
    # Who was told saves again.
    assert web.post(url, data | {"supplier": "Lee", "version": stale.context["version"]}).status_code == 302


def test_a_form_that_was_open_when_somebody_submitted_is_told(web, account_a):
    with account_context(account_a):
        made = make_submitted(planned=False)
    data = {"version": 1, "link": made.link_id, "supplier": "Kim", "notes": "typed"}
    answer = web.post(f"/acme/replenishments/{made.pk}/edit/", data)
    assert answer.status_code == 422
    assert "typed" in text_of(answer)


def test_after_submit_only_transport_is_on_the_form(web, account_a):
    with account_context(account_a):
        made = make_submitted(planned=False)
    url = f"/acme/replenishments/{made.pk}/edit/"
    page = text_of(web.get(url))
    assert 'name="tracking"' in page
    assert 'name="supplier"' not in page
    assert web.post(url, {"version": made.version, "tracking": "1Z", "supplier": "X"}).status_code == 302
    with account_context(account_a):
        found = Replenishment.objects.get(pk=made.pk)
        assert (found.tracking, found.supplier) == ("1Z", "")
        Replenishment.objects.update(status=Status.COMPLETED)
    assert "does not change any more" in text_of(web.get(url, follow=True))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"expected_on": "31.1.2027"}, "yyyy-mm-dd"),
        ({"notes": "x" * 2001}, "at most 2000"),
        ({"tracking": "a\tb"}, "U+0009"),
        ({"version": "9" * 40}, "Somebody changed"),
        ({"version": "x"}, "Somebody changed"),
    ],
)
def test_what_makes_no_sense_is_told(web, account_a, change, words):
    with account_context(account_a):
        made = make_replenishment()
    data = {"version": made.version, "link": made.link_id, **change}
    answer = web.post(f"/acme/replenishments/{made.pk}/edit/", data)
    assert answer.status_code == 422
    assert words in text_of(answer)


def test_notes_are_as_long_as_the_browser_counts(web, account_a):
    with account_context(account_a):
        made = make_replenishment()
    notes = "\r\n".join(["x" * 49] * 40)
    data = {"version": made.version, "link": made.link_id, "notes": notes}
    assert web.post(f"/acme/replenishments/{made.pk}/edit/", data).status_code == 302
    with account_context(account_a):
        assert len(Replenishment.objects.get().notes) == 1_999


def test_duplicate_leads_to_the_new_one(web, account_a):
    with account_context(account_a):
        made = make_submitted(supplier="Kim")
    page = text_of(web.post(f"/acme/replenishments/{made.pk}/duplicate/", follow=True))
    assert f"has the lines of {made.number}" in page
    assert "Kim" in page


# --- lines with costs and lots ----------------------------------------------------------------------------------------
def test_costs_are_shown_but_not_to_the_warehouse(web, client_for, wes, account_a):
    with account_context(account_a):
        sku, link = make_sku(), make_warehouse_link()
    data = row_data((sku.code, 4), link=link.pk) | {"lines-0-unit_cost": "2.5075"}
    url = web.post("/acme/replenishments/new/", data).url
    with account_context(account_a):
        assert ReplenishmentLine.objects.get().unit_cost == Decimal("2.5075")
    page = text_of(web.get(url))
    assert "2.5075" in page
    assert "10.03" in page
    assert "2.5075" not in text_of(client_for(wes).get(url))


def test_an_empty_one_leads_to_the_upload(web, account_a):
    with account_context(account_a):
        link = make_warehouse_link()
    answer = web.post("/acme/replenishments/new/", row_data(("", ""), link=link.pk) | {"file": "1"})
    with account_context(account_a):
        made = Replenishment.objects.get()
    assert answer.url == f"/acme/replenishments/{made.pk}/lines/csv/"
    assert "No lines yet" in text_of(web.get(f"/acme/replenishments/{made.pk}/"))
    assert "Add at least one SKU" in text_of(
        web.post(f"/acme/replenishments/{made.pk}/submit/", {"version": made.version})
    )


def test_all_thousand_lines_are_changed_on_one_page(web, account_a):
    with account_context(account_a):
        sku = make_sku()
        made = make_replenishment(*[(sku, 1)] * 1_000)
        ids = list(made.lines.order_by("position").values_list("pk", flat=True))
    data = row_data(*[(sku.code, 2, pk) for pk in ids], initial=1_000, version=made.version)
    for place in range(1_000):
        names = ("unit_cost", "lot_number", "lot_expires_on", "DELETE")
        data |= {f"lines-{place}-{name}": "" for name in names}
    assert web.post(f"/acme/replenishments/{made.pk}/lines/", data).status_code == 302
    with account_context(account_a):
        assert Replenishment.objects.get().quantity == 2_000


def lot_data(*rows, version, initial=0, removed=(), **more):
    data = {"lots-TOTAL_FORMS": len(rows), "lots-INITIAL_FORMS": initial, "version": version, **more}
    for place, (lot, expiry, quantity) in enumerate(rows):
        data |= {f"lots-{place}-lot": lot, f"lots-{place}-expires_on": expiry, f"lots-{place}-quantity": quantity}
    data |= {f"lots-{place}-DELETE": "on" for place in removed}
    return data


def test_lots_of_a_line_and_the_rest(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(), 10))
        line = line_of(made)
    url = f"/acme/replenishments/lines/{line.pk}/lots/"
    rows = [("L-1", "2027-01-31", "4"), ("", "", ""), ("L-2", "", "")]
    assert web.post(url, lot_data(*rows, version=made.version)).status_code == 302
    with account_context(account_a):
        assert sorted(line.lots.values_list("number", "quantity")) == [("L-1", 4), ("L-2", 6)]
    page = text_of(web.get(f"/acme/replenishments/{made.pk}/"))
    assert "L-2" in page
    # Several lots are not on the row of the line, and its form leaves them.
    page = text_of(web.get(f"/acme/replenishments/{made.pk}/lines/"))
    assert "2 lots" in page
    assert 'name="lines-0-lot_number"' not in page
    with account_context(account_a):
        version = Replenishment.objects.get().version
    data = row_data((line.sku.code, 5, line.pk), initial=1, version=version)
    assert web.post(f"/acme/replenishments/{made.pk}/lines/", data).status_code == 302
    assert "5 too many" in text_of(web.get(f"/acme/replenishments/{made.pk}/"))
    stale = web.post(url, lot_data(("L-9", "", "1"), version=version))
    assert stale.status_code == 422
    for words in ("Somebody changed", "Saved now", "L-9", "L-2"):
        assert words in text_of(stale)


def test_a_lot_that_has_expired_is_warned_of_on_its_page_and_at_submit(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(code="MILK"), 10))
        line = line_of(made)
    yesterday, today = (acme_day() - timedelta(days=days) for days in (1, 0))
    rows = [("OLD", yesterday.isoformat(), "4"), ("NEW", today.isoformat(), "6")]
    url, words = f"/acme/replenishments/lines/{line.pk}/lots/", f"Line 1 (MILK): lot OLD expired on {yesterday}."
    page = text_of(web.post(url, lot_data(*rows, version=made.version), follow=True))
    assert words in page
    assert "lot NEW" not in page
    page = text_of(web.get(f"/acme/replenishments/{made.pk}/submit/"))
    assert words in page
    assert "10 by quantity" in page


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("L", "", "1"), ("L", "", "2")], "named twice"),
        ([("", "2027-01-31", "")], "Name the lot"),
        ([("", "", "3")], "Name the lot"),
        ([("L", "31.1.27", "1")], "yyyy-mm-dd"),
        ([("L", "", "0")], "at least 1"),
        ([("L", "", "x")], "whole number"),
        ([("A", "", ""), ("B", "", "")], "one lot only"),
        ([("A", "", "3"), ("B", "", "")], "all units"),
        ([("x" * 101, "", "1")], "at most 100"),
    ],
)
def test_lots_that_make_no_sense_are_told_at_their_field(web, account_a, rows, words):
    with account_context(account_a):
        made = make_replenishment((make_sku(), 3))
        line = line_of(made)
    answer = web.post(f"/acme/replenishments/lines/{line.pk}/lots/", lot_data(*rows, version=made.version))
    assert answer.status_code == 422
    assert words in text_of(answer)
    with account_context(account_a):
        assert not line.lots.exists()


def test_a_line_that_has_more_lots_than_allowed_is_shown_and_mended(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(), 150))
        line = line_of(made)
        own = [ReplenishmentLot(line=line, number=f"L-{n}", quantity=1) for n in range(150)]
        ReplenishmentLot.objects.bulk_create(own)
    url = f"/acme/replenishments/lines/{line.pk}/lots/"
    assert "L-149" in text_of(web.get(url))
    rows = [(f"L-{n}", "", "1") for n in range(150)]
    assert "100 lots at most" in text_of(web.post(url, lot_data(*rows, version=made.version, initial=150)))
    emptied = [*rows[:MOST_LOTS], *[("", "", "")] * 50]
    page = text_of(web.post(url, lot_data(*emptied, version=made.version, initial=150)))
    assert page.count("To remove it, check the box at the end of its row.") >= 50
    removed = range(MOST_LOTS, 150)
    assert web.post(url, lot_data(*rows, version=made.version, initial=150, removed=removed)).status_code == 302
    with account_context(account_a):
        assert line.lots.count() == MOST_LOTS


def test_a_lot_that_somebody_else_just_named_too_stays(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(), 10))
        line = line_of(made)
    url = f"/acme/replenishments/lines/{line.pk}/lots/"
    for added in (0, 1):
        sent = lot_data(("L-1", "", "4"), version=made.version + added, initial=added)
        assert web.post(url, sent).status_code == 302
    with account_context(account_a):
        assert line.lots.get().quantity == 4


def test_more_rows_keep_what_was_typed(web, account_a):
    with account_context(account_a):
        made = make_replenishment()
        line = line_of(made)
    data = lot_data(("HALF", "", "x"), version=made.version, more="1")
    page = text_of(web.post(f"/acme/replenishments/lines/{line.pk}/lots/", data))
    assert 'value="HALF"' in page
    assert 'id="id_lots-4-lot"' in page
