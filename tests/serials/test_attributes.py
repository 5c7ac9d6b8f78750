"""OMS Notes and attributes of units: services, dialogs and the CSV upload, on a real PostgreSQL."""

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oms import jobs
from oms.errors import Conflict, DomainError
from oms.models import Job, JobState
from oms.tenancy import account_context
from serials.models import Unit, UnitAttribute, UnitEvent
from serials.services import attributes, notes
from serials.services.attributes_csv import SCHEMA, apply_import, plan_import
from serials.views import attributes_csv as views
from tests.factories import make_serialized_sku
from tests.serials.factories import make_unit, make_units

pytestmark = pytest.mark.django_db
BY = attributes.by_person(None)


@pytest.fixture
def web(client_for, ana):
    return client_for(ana)


def set_one(units, name, value, *, overwrite=True):
    return attributes.set_attribute(
        units=[unit.pk for unit in units], name=name, value=value, overwrite=overwrite, by=BY
    )


def pairs(unit):
    return dict(UnitAttribute.objects.filter(unit=unit).values_list("name", "value"))


# --- OMS Notes --------------------------------------------------------------------------------------------------------
def test_notes_are_saved_with_a_row_in_the_history_and_everything_else_stays(in_a, olga):
    unit = make_unit()
    assert notes.set_oms_notes(
        unit_id=unit.pk, notes=" Call first\r\nthen ship ", seen=notes.fingerprint(""), by=attributes.by_person(olga.pk)
    )
    after = Unit.objects.get(pk=unit.pk)
    last = UnitEvent.objects.filter(unit=unit).latest("pk")
    assert (after.oms_notes, after.status, after.bin_id, after.process_id) == (
        "Call first\nthen ship",
        unit.status,
        unit.bin_id,
        unit.process_id,
    )
    assert (last.event, last.oms_notes, last.actor_id) == ("annotate", after.oms_notes, olga.pk)
    assert after.updated_at > unit.updated_at


def test_the_same_notes_again_leave_no_row(in_a):
    unit = make_unit()
    before = UnitEvent.objects.count()
    assert not notes.set_oms_notes(unit_id=unit.pk, notes="  ", seen="whatever", by=BY)
    assert UnitEvent.objects.count() == before


def test_who_saw_older_notes_overwrites_nothing(in_a):
    unit = make_unit()
    seen = notes.fingerprint("")
    notes.set_oms_notes(unit_id=unit.pk, notes="mine", seen=seen, by=BY)
    with pytest.raises(Conflict):
        notes.set_oms_notes(unit_id=unit.pk, notes="yours", seen=seen, by=BY)
    assert Unit.objects.get(pk=unit.pk).oms_notes == "mine"


def test_the_dialog_keeps_the_text_when_somebody_was_faster_and_then_saves_it(web, account_a):
    with account_context(account_a):
        unit = make_unit()
    url = f"/acme/inventory/serials/{unit.pk}/notes/"
    page = web.get(url).content.decode()
    assert "OMS Notes:" in page
    assert ">Update</button>" in page
    with account_context(account_a):
        notes.set_oms_notes(unit_id=unit.pk, notes="theirs", seen=notes.fingerprint(""), by=BY)
    refused = web.post(url, {"oms_notes": "ours", "seen": notes.fingerprint("")})
    text = refused.content.decode()
    assert refused.status_code == 422
    for words in ("Please try again..", "theirs", ">ours</textarea>"):
        assert words in text.replace("\nours", "ours"), words
    seen = text.split('name="seen" value="')[1].split('"')[0]
    assert web.post(url, {"oms_notes": "ours", "seen": seen}).status_code == 302
    with account_context(account_a):
        assert Unit.objects.get(pk=unit.pk).oms_notes == "ours"


def test_notes_that_are_too_long_are_refused_with_the_text(web, account_a):
    with account_context(account_a):
        unit = make_unit()
    answer = web.post(f"/acme/inventory/serials/{unit.pk}/notes/", {"oms_notes": "x" * 10_000, "seen": ""})
    assert answer.status_code == 422
    assert "x" * 10_000 in answer.content.decode()


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ("/acme/inventory/serials/?status=ready&sort=-serial", "/acme/inventory/serials/?status=ready&sort=-serial"),
        ("https://evil.example/acme/inventory/serials/", "/acme/inventory/serials/"),
        ("//evil.example/acme/inventory/serials/", "/acme/inventory/serials/"),
        ("/bolt/inventory/serials/", "/acme/inventory/serials/"),
        ("", "/acme/inventory/serials/"),
    ],
)
def test_after_saving_one_is_back_in_the_same_view_and_nowhere_else(web, account_a, asked, where):
    with account_context(account_a):
        unit = make_unit()
    data = {"oms_notes": "a", "seen": notes.fingerprint(""), "next": asked}
    answer = web.post(f"/acme/inventory/serials/{unit.pk}/notes/", data)
    assert answer.headers["Location"] == where


# --- attributes of one unit -------------------------------------------------------------------------------------------
def save(unit, wanted, seen=None):
    known = attributes.attributes_of(unit.pk) if seen is None else seen
    return attributes.save_attributes(unit_id=unit.pk, attributes=wanted, seen=attributes.fingerprint(known), by=BY)


def test_attributes_of_one_unit_are_set_changed_and_deleted_in_one_go(in_a):
    unit = make_unit()
    save(unit, {"Colour": "red", "Size": "9"})
    assert save(unit, {"Colour": "blue", "Grade": "B"})
    assert pairs(unit) == {"Colour": "blue", "Grade": "B"}
    reason = UnitEvent.objects.filter(unit=unit).latest("pk").reason
    assert reason == "Attributes: Colour, Grade. Attributes removed: Size"
    count = UnitEvent.objects.count()
    assert not save(unit, {"Colour": "blue", "Grade": "B"})
    assert UnitEvent.objects.count() == count


def test_who_saw_older_attributes_overwrites_nothing(in_a):
    unit = make_unit()
    save(unit, {"Colour": "red"})
    with pytest.raises(Conflict):
        save(unit, {"Colour": "green"}, seen={})
    assert pairs(unit) == {"Colour": "red"}


@pytest.mark.parametrize(("name", "value"), [("", "x"), ("x", " "), ("n" * 101, "x"), ("x", "v" * 1001), ("a\nb", "x")])
def test_what_cannot_be_an_attribute_is_refused(in_a, name, value):
    unit = make_unit()
    with pytest.raises(DomainError):
        save(unit, {name: value})
    assert not UnitAttribute.objects.exists()


def test_the_dialog_of_one_unit(web, client_for, ben, account_a):
    with account_context(account_a):
        unit = make_unit()
        save(unit, {"Colour": "red", "Size": "9"})
        seen = attributes.fingerprint({"Colour": "red", "Size": "9"})
    url = f"/acme/inventory/serials/{unit.pk}/attributes/"
    form = {
        "a-TOTAL_FORMS": 4,
        "a-INITIAL_FORMS": 2,
        "seen": seen,
        "a-0-name": "Colour",
        "a-0-value": "blue",
        "a-1-name": "Size",
        "a-1-value": "9",
        "a-1-DELETE": "on",
        "a-2-name": "Grade",
        "a-2-value": "B",
        "a-3-name": "",
        "a-3-value": "",
    }
    twice = web.post(url, {**form, "a-2-name": "colour"})
    assert twice.status_code == 422
    assert "there twice" in twice.content.decode()
    half = web.post(url, {**form, "a-2-value": ""})
    assert half.status_code == 422
    assert web.post(url, form).status_code == 302
    assert web.post(url, form).status_code == 302  # sent twice: the answer of the first was lost
    assert web.post(url, {**form, "a-0-value": "green"}).status_code == 422  # another tab, which saw the old ones
    with account_context(account_a):
        assert pairs(unit) == {"Colour": "blue", "Grade": "B"}
    viewer = client_for(ben).get(url).content.decode()
    assert "blue" in viewer
    assert ">Save<" not in viewer


# --- one attribute for many -------------------------------------------------------------------------------------------
def test_one_attribute_for_many_keeps_or_overwrites(in_a):
    first, second, third = make_units(3)
    set_one([first], "Batch", "old")
    set_one([second], "Batch", "new")
    kept = set_one([first, second, third], "Batch", "new", overwrite=False)
    assert (kept.written, kept.units, kept.kept, kept.unchanged) == (1, 1, 1, 1)
    assert [pairs(unit)["Batch"] for unit in (first, second, third)] == ["old", "new", "new"]
    done = set_one([first, second, third], "Batch", "new")
    assert (done.written, done.kept, done.unchanged) == (1, 0, 2)
    assert UnitEvent.objects.filter(event="annotate").count() == 4


def test_many_units_take_as_many_statements_as_one(in_a):
    few, many = make_units(1), make_units(60)
    counts = []
    for units in (few, many):
        with CaptureQueriesContext(connection) as captured:
            set_one(units, "Batch", "1")
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_ids_of_another_account_are_not_found(account_a, account_b):
    with account_context(account_b):
        foreign = make_unit()
    with account_context(account_a):
        own = make_unit()
        assert set_one([own, foreign], "Batch", "1").units == 1
    with account_context(account_b):
        assert not UnitAttribute.objects.exists()


def test_the_popup_for_selected_serials(web, account_a):
    with account_context(account_a):
        units = make_units(3)
    url, chosen = "/acme/inventory/serials/attributes/", [unit.pk for unit in units[:2]]
    alert = web.post(url, {})
    assert "You must check at least one" in alert.content.decode()
    assert ">Alert<" in alert.content.decode().replace("\n", "").replace("  ", "")
    form = web.post(url, {"pk": chosen}).content.decode()
    assert "For 2 selected serials." in form
    assert web.post(url, {"pk": chosen, "name": "", "value": "x"}).status_code == 422
    done = web.post(url, {"pk": chosen, "name": "Batch", "value": "B-7"}, follow=True).content.decode()
    assert "Set on 2 serials." in done
    assert 'id="success"' in done
    with account_context(account_a):
        assert UnitAttribute.objects.filter(name="Batch", value="B-7").count() == 2
    everything = {"all": "1", "filter": "status=ready", "name": "Batch", "value": "B-8", "overwrite": "on"}
    assert web.post(url, everything).status_code == 302
    with account_context(account_a):
        assert UnitAttribute.objects.filter(value="B-8").count() == 3


# --- by CSV -----------------------------------------------------------------------------------------------------------
def text_of(rows):
    return "\r\n".join(["SKU,Serial,Attribute,Value", *rows]).encode()


def parsed(*rows):
    return SCHEMA.read(io.BytesIO(text_of(rows)))


def test_a_file_says_everything_that_is_wrong_and_changes_nothing(in_a):
    sku = make_serialized_sku(code="L-1")
    unit = make_unit(sku=sku)
    set_one([unit], "Colour", "red")
    set_one([unit], "Size", "9")
    s = unit.serial
    plan = plan_import(
        parsed(
            f"l-1,{s.lower()},Grade,B",  # line 2, any case
            f"L-1,{s},Colour,blue",  # 3: has another value
            f"L-1,{s},Size,9",  # 4: has it already
            "NO,X,Grade,B",  # 5
            "L-1,NOT-THERE,Grade,B",  # 6
            f"L-1,{s},Grade,C",  # 7: named twice
            f"L-1,{s},,x",  # 8: empty name
            "L-1,ＳＥＲＩＡＬ",  # 9: ragged
        ),
        overwrite=False,
    )
    assert (plan.written, plan.unchanged, plan.row_count) == (1, 1, 8)
    assert [(error.line, error.column) for error in plan.errors] == [
        (5, "SKU"),
        (6, "Serial"),
        (7, "SKU, Serial, Attribute"),
        (8, "Attribute"),
        (9, ""),
    ]
    assert [(error.line, "red" in error.message) for error in plan.skipped] == [(3, True)]
    assert pairs(unit) == {"Colour": "red", "Size": "9"}


def test_two_spellings_of_one_serial_are_one(in_a):
    unit = make_unit(sku=make_serialized_sku(code="L-1"))
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in unit.serial)
    plan = plan_import(parsed(f"L-1,{unit.serial},Grade,A", f"L-1,{wide},Grade,B"), overwrite=True)
    assert [(error.line, "line 2" in error.message) for error in plan.errors] == [(3, True)]
    assert plan.written == 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_applying_does_what_the_check_said(in_a, overwrite):
    sku = make_serialized_sku(code="L-1")
    units = make_units(3, sku=sku)
    set_one(units[:1], "Grade", "A")
    rows = [f"L-1,{unit.serial},Grade,B" for unit in units] + [f"L-1,{units[0].serial},Size,9", "NO,X,Grade,B"]
    plan = plan_import(parsed(*rows), overwrite=overwrite)
    before = UnitEvent.objects.count()
    done, errors = apply_import(parsed(*rows), overwrite=overwrite, by=BY)
    assert (done.written, len(errors)) == (plan.written, 1)
    assert [pairs(unit)["Grade"] for unit in units] == ["B" if overwrite else "A", "B", "B"]
    assert UnitEvent.objects.count() - before == 3  # one row for each unit, not for each attribute


def test_upload_check_apply_and_the_failed_rows_again(web, account_a):
    with account_context(account_a):
        unit = make_unit(sku=make_serialized_sku(code="L-1"))
        set_one([unit], "Size", "9")
    url = "/acme/inventory/serials/attributes/csv/"
    assert web.get(f"{url}template/").content.decode("utf-8-sig").splitlines()[0] == "SKU,Serial,Attribute,Value"
    refused = web.post(url, {"file": SimpleUploadedFile("a.csv", b"%PDF-1.4 nothing")})
    assert "error processing csv file" in refused.content.decode()
    rows = [f"L-1,{unit.serial},Grade,=B", f"L-1,{unit.serial},Size,10", "NO,X,Grade,B"]
    answer = web.post(url, {"file": SimpleUploadedFile("a.csv", text_of(rows))})
    check = answer.headers["Location"]
    page = web.get(check).content.decode()
    for words in ("error processing csv file", "2 rows are left out", "There is no SKU of this name.", "keeps it"):
        assert words in page, words
    failed = web.get(f"{check}failed/").content.decode("utf-8-sig")
    header, *lines = csv.reader(io.StringIO(failed))
    assert header == ["SKU", "Serial", "Attribute", "Value", "Line", "Reason"]
    assert [line[:5] for line in lines] == [["L-1", unit.serial, "Size", "10", "3"], ["NO", "X", "Grade", "B", "4"]]
    done = web.post(check, follow=True).content.decode()
    assert "Set on 1 serial." in done
    with account_context(account_a):
        assert pairs(unit) == {"Size": "9", "Grade": "=B"}
    # Just the failed rows, uploaded again with overwrite.
    again = web.post(url, {"file": SimpleUploadedFile("b.csv", failed.encode()), "overwrite": "on"})
    assert again.headers["Location"].endswith("?overwrite=1")
    web.post(again.headers["Location"])
    with account_context(account_a):
        assert pairs(unit) == {"Size": "10", "Grade": "=B"}


def test_another_accounts_upload_is_not_found(client_for, olga, nia, account_a, account_b):
    with account_context(account_a):
        make_unit(sku=make_serialized_sku(code="L-1"))
    web = client_for(olga)
    answer = web.post(
        "/acme/inventory/serials/attributes/csv/", {"file": SimpleUploadedFile("a.csv", text_of(["L-1,X,Grade,B"]))}
    )
    foreign = answer.headers["Location"].replace("/acme/", "/bolt/")
    assert client_for(nia).get(foreign).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_large_file_is_a_job_and_twice_is_once(web, account_a, monkeypatch):
    monkeypatch.setattr(views, "AT_ONCE", 2)
    with account_context(account_a):
        units = make_units(5, sku=make_serialized_sku(code="L-1"))
    rows = [f"L-1,{unit.serial},Grade,B" for unit in units] + ["NO,X,Grade,B"]
    url = "/acme/inventory/serials/attributes/csv/"
    check = web.post(url, {"file": SimpleUploadedFile("a.csv", text_of(rows))}).headers["Location"]
    first, second = (web.post(check).headers["Location"] for _turn in range(2))
    assert first == second
    with account_context(account_a):
        job = Job.objects.get()
    assert jobs.run(account_a.pk, job.pk) == JobState.DONE
    with account_context(account_a):
        job.refresh_from_db()
        assert UnitAttribute.objects.filter(value="B").count() == 5
    assert job.result["counts"]["Set"] == 5
    assert [error["line"] for error in job.result["errors"]] == [7]
