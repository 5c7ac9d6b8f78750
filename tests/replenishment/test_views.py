"""The pages of replenishments. Roles, strangers and methods: tests/meta/test_url_sweep.py with samples.py."""

import csv
import io
import re
from datetime import date

import pytest
from django.utils import timezone

from oms.models import Job, WarehouseLink
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import PlannedSerial, Replenishment, ReplenishmentLine
from replenishment.services import drafts, planning
from replenishment.services.lots import set_lots
from tests.factories import make_serialized_sku, make_sku, make_warehouse_link
from tests.replenishment.browsing import fields_of, text_of
from tests.replenishment.factories import (
    generate,
    line_of,
    make_replenishment,
    make_submitted,
)
from tests.replenishment.samples import row_data

pytestmark = pytest.mark.django_db


# --- adding and changing ----------------------------------------------------------------------------------------------
def test_rows_and_pasted_lines_become_one_replenishment(web, olga, account_a):
    with account_context(account_a):
        one, other = make_serialized_sku(code="AB-1"), make_sku(code="CD 2")
        link = make_warehouse_link()
    data = row_data(("ab-1 ", "3"), ("", ""), link=link.pk, supplier="Kim") | {"paste": "cd 2, 40\n\nAB-1\t5\r\n"}
    answer = web.post(
        "/acme/replenishments/new/", data | {"lines-0-lot_number": "L-9", "lines-0-lot_expires_on": "2027-01-31"}
    )
    with account_context(account_a):
        made = Replenishment.objects.get()
        assert answer.url == f"/acme/replenishments/{made.pk}/"
        assert (made.status, made.supplier, made.created_by) == (Status.INCOMPLETE, "Kim", olga)
        assert list(made.lines.order_by("position").values_list("sku", "quantity", "lots__number")) == [
            (one.pk, 3, "L-9"),
            (other.pk, 40, None),
            (one.pk, 5, None),
        ]


def test_who_sends_the_same_form_twice_adds_one(web, account_a):
    with account_context(account_a):
        sku, link = make_sku(), make_warehouse_link()
    key = fields_of(text_of(web.get("/acme/replenishments/new/")))["key"]
    data = row_data((sku.code, 2), link=link.pk, key=key)
    first, again = (web.post("/acme/replenishments/new/", data) for _turn in range(2))
    assert again.url == first.url
    refused = web.post("/acme/replenishments/new/", data | {"lines-0-quantity": "x"})
    assert fields_of(text_of(refused))["key"] == key
    changed = web.post("/acme/replenishments/new/", data | {"lines-0-quantity": "3"})
    assert changed.url != first.url, "who goes back and changes something means another one"
    page = text_of(web.get(first.url))
    url = re.search(r'action="([^"]*/duplicate/[^"]*)"', page)[1]
    copy, again = (web.post(url) for _turn in range(2))
    assert again.url == copy.url
    assert web.post(re.search(r'action="([^"]*/duplicate/[^"]*)"', text_of(web.get(first.url)))[1]).url != copy.url
    with account_context(account_a):
        assert Replenishment.objects.count() == 4
        assert not Job.objects.filter(seen_at=None).exists(), "nobody is told of these as of work that waits"


@pytest.mark.parametrize("quantity", ["0", "-1", "1000000000", "many", "1.5", "", "10⁹", "٣٣x", "9" * 400])
def test_a_bad_quantity_is_told_at_its_field_and_what_was_typed_stays(web, account_a, quantity):
    with account_context(account_a):
        sku, link = make_sku(), make_warehouse_link()
    answer = web.post("/acme/replenishments/new/", row_data((sku.code, quantity), link=link.pk, supplier="Kim"))
    page = text_of(answer)
    assert answer.status_code == 422
    assert 'href="#id_lines-0-quantity"' in page
    assert f'value="{sku.code}"' in page
    assert 'value="Kim"' in page
    with account_context(account_a):
        assert not Replenishment.objects.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lines-0-sku": "NOBODY"}, "There is no SKU “NOBODY”"),
        ({"lines-0-sku": "x" * 300}, "at most 200"),
        ({"lines-0-sku": "", "lines-0-quantity": ""}, "Add at least one SKU"),
        ({"lines-0-lot_expires_on": "31.1.2027"}, "yyyy-mm-dd"),
        ({"lines-0-lot_expires_on": "2027-01-31"}, "Name the lot"),
        ({"link": "99999"}, "not one of the available"),
        ({"link": ""}, "Choose the warehouse"),
        ({"paste": "NOBODY 4"}, "Line 1: There is no SKU"),
        ({"paste": "NOBODY"}, "has no quantity"),
        ({"supplier": "a\tb"}, "Remove U+0009"),
        ({"supplier": "a\0b"}, "Null characters"),
        ({"lines-TOTAL_FORMS": "0"}, "sent incompletely"),
        ({"lines-TOTAL_FORMS": "-1"}, "sent incompletely"),
        ({"lines-INITIAL_FORMS": "-1"}, "sent incompletely"),
        ({"lines-INITIAL_FORMS": "1"}, "sent incompletely"),
        ({"lines-TOTAL_FORMS": "x"}, "sent incompletely"),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_is_made(web, account_a, change, words):
    with account_context(account_a):
        data = row_data((make_sku().code, 1), link=make_warehouse_link().pk)
    answer = web.post("/acme/replenishments/new/", data | change)
    assert answer.status_code == 422
    assert words.lower() in text_of(answer).lower()
    with account_context(account_a):
        assert not Replenishment.objects.exists()


def test_a_sku_and_a_warehouse_of_another_account_are_not_there(web, account_a, account_b):
    with account_context(account_b):
        foreign, foreign_link = make_sku(code="FOREIGN"), make_warehouse_link()
    with account_context(account_a):
        link = make_warehouse_link()
    for data in (row_data((foreign.code, 1), link=link.pk), row_data(("X", 1), link=foreign_link.pk)):
        assert web.post("/acme/replenishments/new/", data).status_code == 422
    assert "FOREIGN" not in text_of(web.get("/acme/replenishments/skus/?lines-0-sku=FOR"))
    with account_context(account_a):
        assert WarehouseLink.objects.count() == 1


@pytest.mark.parametrize("code", ["Größe-1", "GRößE-1", "GRÖSSE-1"])
def test_a_sku_is_found_whatever_its_letters_and_their_case(web, account_a, code):
    with account_context(account_a):
        link, own = make_warehouse_link(), make_sku(code="Größe-1")
    data = row_data((code, 2), link=link.pk) | {"paste": f"{code}, 3"}
    assert web.post("/acme/replenishments/new/", data).status_code == 302
    with account_context(account_a):
        assert list(ReplenishmentLine.objects.values_list("sku", "quantity")) == [(own.pk, 2), (own.pk, 3)]


def test_more_rows_keep_what_was_typed(web, account_a):
    page = text_of(web.post("/acme/replenishments/new/", row_data(("HALF", "")) | {"more": "1"}))
    assert 'value="HALF"' in page
    assert 'id="id_lines-4-sku"' in page
    assert "Nothing is saved yet" not in page


def test_suggestions_are_escaped_options(web, account_a):
    with account_context(account_a):
        make_sku(code="L<1>", name='Lap"top')
    page = text_of(web.get("/acme/replenishments/skus/?lines-3-sku=l<"))
    assert page.strip() == '<option value="L&lt;1&gt;">Lap&quot;top</option>'


def test_lines_are_changed_and_a_stale_form_is_told(web, account_a):
    with account_context(account_a):
        made = make_replenishment()
        line = line_of(made)
    url = f"/acme/replenishments/{made.pk}/lines/"
    data = row_data((line.sku.code, 8, line.pk), initial=1, version=made.version)
    assert web.post(url, data).status_code == 302
    stale = web.post(url, data | {"lines-0-quantity": "9"})
    assert stale.status_code == 422
    assert "Somebody changed this replenishment" in text_of(stale)
    assert 'value="9"' in text_of(stale)
    with account_context(account_a):
        assert line_of(made).quantity == 8


def test_a_stale_form_of_several_lots_does_not_empty_the_one_lot_that_is_there_now(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(), 10))
        line = line_of(made)
        drafts.write_lots({line.pk: [drafts.LotInput("A", 5), drafts.LotInput("B", 5)]}, [line])
    url = f"/acme/replenishments/{made.pk}/lines/"
    sent = fields_of(text_of(web.get(url)))
    assert "lines-0-lot_number" not in sent
    with account_context(account_a):
        one = [drafts.LotInput("A", 10, date(2030, 1, 1))]
        set_lots(line_id=line.pk, version=made.version, lots=one, actor=None)
    stale = web.post(url, sent)
    assert stale.status_code == 422
    again = fields_of(text_of(stale))
    assert (again["lines-0-lot_number"], again["lines-0-lot_expires_on"]) == ("A", "2030-01-01")
    assert web.post(url, again).status_code == 302
    with account_context(account_a):
        assert list(line.lots.values_list("number", "quantity", "expires_on")) == [("A", 10, date(2030, 1, 1))]


# --- the seed's steps -------------------------------------------------------------------------------------------------
def test_generate_leads_to_the_popup_and_its_downloads(web, client_for, wes, account_a):
    with account_context(account_a):
        one, other = make_serialized_sku(code="=ONE"), make_serialized_sku(code="TWO")
        made = make_replenishment((one, 2), (other, 1))
        # Which unit of the first line is of its lot is not known; on the other all are of one.
        lots = {line.pk: [drafts.LotInput(f"L-{line.position}", 1)] for line in made.lines.all()}
        drafts.write_lots(lots, list(made.lines.all()))
        ids = list(made.lines.values_list("pk", flat=True))
    base = f"/acme/replenishments/{made.pk}/"
    answer = web.post(f"{base}generate/", {"line": ids}, follow=True)
    page = text_of(answer)
    for words in (
        "Download all serials",
        "Labels for all SKUs",
        f"download/?sku={other.pk}",
        f"labels/?sku={other.pk}",
    ):
        assert words in page
    rows = list(csv.reader(io.StringIO(text_of(web.get(f"{base}serials/download/")).removeprefix("\ufeff"))))
    one_rows = [["'=ONE", f"SN0000000{number}", ""] for number in (1, 2)]
    assert rows == [["SKU", "Serial", "Lot"], *one_rows, ["TWO", "SN00000003", "L-2"]]
    warehouse = client_for(wes)
    assert text_of(warehouse.get(f"{base}serials/download/?sku={other.pk}")).split() == [
        "\ufeffSKU,Serial,Lot",
        "TWO,SN00000003,L-2",
    ]
    answers = [
        ask(f"{base}serials/{kind}/{query}")
        for kind, ask in (("download", web.get), ("labels", web.post))
        for query in ("", f"?sku={other.pk}")
    ]
    names = [re.search('filename="lotline-(.*)"', answer["Content-Disposition"])[1] for answer in answers]
    ends = ["serials.csv", "two-serials.csv", "labels.pdf", "two-labels-reprint.pdf"]
    assert names == [f"{made.number}-{end}" for end in ends]
    labels = warehouse.post(f"{base}serials/labels/?sku={one.pk}")
    assert (labels["Content-Type"], labels.content[:5]) == ("application/pdf", b"%PDF-")
    for bad in ("99999", "x", "-1", "9" * 40, "9" * 5_000):
        assert web.get(f"{base}serials/download/?sku={bad}").status_code == 404
        assert web.post(f"{base}serials/labels/?sku={bad}").status_code == 404


def test_labels_of_a_job_that_is_over_are_made_anew(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(), 201))
        generate(made)
    url = f"/acme/replenishments/{made.pk}/serials/labels/"
    first = web.post(url)
    assert "/jobs/" in first.url
    assert web.post(url).url == first.url, "a double click makes one file"
    with account_context(account_a):
        Job.objects.update(state="done", finished_at=timezone.now())
    assert web.post(url).url != first.url
    assert web.get(url).status_code == 405, "a link that is followed prints nothing"


def test_more_labels_than_a_file_holds_are_refused_before_anybody_waits(web, account_a, monkeypatch):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(), 3))
        generate(made, 1)
    monkeypatch.setattr("serials.labels_jobs.MOST", 2)
    answer = web.post(f"/acme/replenishments/{made.pk}/serials/labels/", follow=True)
    assert "These are 3 labels, and one file holds 2" in text_of(answer)
    with account_context(account_a):
        assert not Job.objects.filter(kind="serials.labels").exists()


def test_what_cannot_be_printed_keeps_the_popup_and_says_what_to_do(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(), 1))
        line = made.lines.get()
        planning.add_serials(line_id=line.pk, serials=["żółć-1"], actor=None)
    assert "1 serial for 1 unit." in text_of(web.get(f"/acme/replenishments/lines/{line.pk}/serials/"))
    base = f"/acme/replenishments/{made.pk}/"
    answer = web.post(f"{base}serials/labels/?sku={line.sku_id}")
    assert answer.status_code == 422
    page = text_of(answer)
    for words in ("Choose QR code", "Download all serials", f"{base}serials/labels/options/?sku="):
        assert words in page


def test_its_pages_stay_within_replenishment(web, account_a):
    with account_context(account_a):
        made = make_replenishment()
    for name in ("lines/csv/", "submit/", "edit/"):
        page = text_of(web.get(f"/acme/replenishments/{made.pk}/{name}"))
        assert re.search(r'href="/acme/replenishments/"\s+aria-current="page"', page), name


def test_cancelling_says_who_is_told(web, account_a):
    with account_context(account_a):
        draft, sent = make_replenishment((make_sku(), 1)), make_submitted((make_sku(), 1), planned=False)
    assert "Nobody was told of it yet." in text_of(web.get(f"/acme/replenishments/{draft.pk}/cancel/"))
    assert "the warehouse is told" in text_of(web.get(f"/acme/replenishments/{sent.pk}/cancel/"))


def test_nothing_checked_and_other_workflows_are_an_alert(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(code="PLAIN"), 2))
        line = line_of(made)
    url = f"/acme/replenishments/{made.pk}/generate/"
    for data, words in (
        ({}, "You must check at least one"),
        ({"line": line.pk}, "line 1 (PLAIN)"),
        ({"line": "x"}, "check"),
    ):
        answer = web.post(url, data)
        assert answer.status_code == 422
        assert 'data-title="Alert"' in text_of(answer)
        assert words in text_of(answer)


def test_many_are_generated_by_one_job_however_often_it_is_asked(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_serialized_sku(), 5_001))
        line = line_of(made)
    for _turn in range(2):
        answer = web.post(f"/acme/replenishments/{made.pk}/generate/", {"line": line.pk})
        assert "/jobs/" in answer.url
    with account_context(account_a):
        assert Job.objects.filter(kind="replenishment.generate").count() == 1
        assert not PlannedSerial.objects.exists()


def test_a_hostile_paste_is_answered_at_once(web, account_a):
    with account_context(account_a):
        link = make_warehouse_link()
    data = row_data(("", ""), link=link.pk) | {"paste": "," * 10_000 + "\u00a0x\n" + "x" * 10_000}
    answer = web.post("/acme/replenishments/new/", data)
    assert "Line 1:" in text_of(answer)
    assert "Line 2:" in text_of(answer)


def test_serials_are_typed_and_taken_away(web, client_for, ben, account_a):
    with account_context(account_a):
        line = line_of(make_replenishment())
    url = f"/acme/replenishments/lines/{line.pk}/serials/"
    bad = web.post(url, {"serials": f"GOOD\n{'x' * 300}\ngood"})
    assert bad.status_code == 422
    for words in ("2:", "at most", "number 1 of this list", "GOOD\n"):
        assert words in text_of(bad)
    assert web.post(url, {"serials": "one\r\n\r\ntwo\n"}).status_code == 302
    with account_context(account_a):
        one = PlannedSerial.objects.get(serial="one")
    assert web.post(url, {"remove": "1", "serial": [one.pk, "x", "9" * 30, "9" * 5_000]}).status_code == 302
    assert "You must check at least one" in text_of(web.post(url, {"remove": "1"}, follow=True))
    viewer = text_of(client_for(ben).get(url))
    assert "two" in viewer
    assert "Add serials" not in viewer
    with account_context(account_a):
        assert [str(row) for row in line.planned.filter(state="planned")] == ["two"]
