"""Attributes by CSV: what a file would do, applying it, the failed rows; small ones at once, large ones by job."""

import csv
import io
import tracemalloc

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oms import jobs
from oms.models import Job, JobState
from oms.tenancy import account_context
from serials.models import UnitAttribute, UnitEvent
from serials.services import attributes
from serials.services.attributes_csv import SCHEMA, apply_import, plan_import
from serials.views import attributes_csv as views
from tests.factories import make_serialized_sku
from tests.serials.factories import make_unit, make_units

pytestmark = pytest.mark.django_db
BY = attributes.by_person(None)
URL = "/acme/inventory/serials/attributes/csv/"


@pytest.fixture
def web(client_for, ana):
    return client_for(ana)


def set_one(units, name, value):
    attributes.set_attribute(units=[unit.pk for unit in units], name=name, value=value, overwrite=True, by=BY)


def pairs(unit):
    return dict(UnitAttribute.objects.filter(unit=unit).values_list("name", "value"))


def history(unit):
    """The reasons of what was noted on a unit."""
    return list(UnitEvent.objects.filter(unit=unit, event="annotate").order_by("pk").values_list("reason", flat=True))


def upload(web, rows, **fields):
    """The address that an upload leads to."""
    return web.post(URL, {"file": SimpleUploadedFile("a.csv", text_of(rows)), **fields}).headers["Location"]


def text_of(rows):
    return "\r\n".join(["SKU,Serial,Attribute,Value", *rows]).encode()


def file_of(*rows):
    return io.BytesIO(text_of(rows))


# --- what it would do, and doing it -----------------------------------------------------------------------------------


def test_a_file_says_everything_that_is_wrong_and_changes_nothing(in_a):
    sku = make_serialized_sku(code="L-1")
    unit = make_unit(sku=sku)
    set_one([unit], "Colour", "red")
    set_one([unit], "Size", "9")
    s = unit.serial
    plan = plan_import(
        file_of(
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
    plan = plan_import(file_of(f"L-1,{unit.serial},Grade,A", f"L-1,{wide},Grade,B"), overwrite=True)
    assert [(error.line, "line 2" in error.message) for error in plan.errors] == [(3, True)]
    assert plan.written == 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_applying_does_what_the_check_said(in_a, overwrite):
    sku = make_serialized_sku(code="L-1")
    units = make_units(3, sku=sku)
    set_one(units[:1], "Grade", "A")
    rows = [f"L-1,{unit.serial},Grade,B" for unit in units] + [f"L-1,{units[0].serial},Size,9", "NO,X,Grade,B"]
    plan = plan_import(file_of(*rows), overwrite=overwrite)
    before = UnitEvent.objects.count()
    done, errors = apply_import(file_of(*rows), overwrite=overwrite, by=BY)
    assert (done.written, len(errors)) == (plan.written, 1)
    assert [pairs(unit)["Grade"] for unit in units] == ["B" if overwrite else "A", "B", "B"]
    assert UnitEvent.objects.count() - before == 3  # one row for each unit, not for each attribute


def test_names_are_the_same_whatever_their_spelling(in_a):
    unit = make_unit(sku=make_serialized_sku(code="L-1"))
    set_one([unit], "Colour", "red")
    s = unit.serial
    rows = [f"L-1,{s},COLOUR,red", f"L-1,{s},Größe,9", f"L-1,{s},GRÖSSE,x", f"L-1,{s},grÖße,10"]
    plan = plan_import(file_of(*rows), overwrite=True)
    assert (plan.unchanged, plan.written) == (1, 1)
    assert [(error.line, error.column, "line 3" in error.message) for error in plan.errors] == [
        (4, "SKU, Serial, Attribute", True),
        (5, "SKU, Serial, Attribute", True),
    ]
    apply_import(file_of(f"L-1,{s},COLOUR,blue"), overwrite=False, by=BY)
    assert pairs(unit) == {"Colour": "red"}
    apply_import(file_of(f"L-1,{s},COLOUR,blue"), overwrite=True, by=BY)
    assert pairs(unit) == {"Colour": "blue"}


def test_all_rows_of_a_unit_are_one_change_however_far_apart(in_a, monkeypatch):
    monkeypatch.setattr(attributes, "CHUNK", 2)
    units = make_units(5, sku=make_serialized_sku(code="L-1"))
    rows = [f"L-1,{unit.serial},{name},1" for name in ("A", "B", "C") for unit in reversed(units)]
    done, _errors = apply_import(file_of(*rows), overwrite=True, by=BY)
    assert (done.written, done.units) == (15, 5)
    assert [history(unit) for unit in units] == [["Attributes: A, B, C"]] * 5


def test_a_row_with_two_faults_is_one_row(in_a):
    make_serialized_sku(code="L-1")
    plan = plan_import(file_of("L-1,,,x", "L-1,NO,Grade,B"), overwrite=True)
    assert [(error.line, error.column) for error in plan.errors] == [(2, "Serial"), (2, "Attribute"), (3, "Serial")]
    assert plan.shown()["wrong"] == plan.shown()["failed_count"] == 2
    assert plan.counts["Wrong"] == 2


def test_a_file_takes_as_many_statements_whatever_its_rows(in_a):
    units = make_units(30, sku=make_serialized_sku(code="L-1"))
    rows = [f"L-1,{unit.serial},Grade,B" for unit in units]
    counts = []
    for few in ([*rows[:2], "NO,X,Grade,B"], rows[2:] + ["NO,X,Grade,B"] * 20):
        with CaptureQueriesContext(connection) as captured:
            apply_import(file_of(*few), overwrite=True, by=BY)
        counts.append(len(captured))
    assert counts[0] == counts[1] < 25


def test_memory_does_not_grow_with_the_rows(in_a):
    unit = make_unit(sku=make_serialized_sku(code="L-1"))

    def peak(count):
        file = file_of(*(f"L-1,{unit.serial},Name {n},{'x' * 40}" for n in range(count)))
        tracemalloc.start()
        try:
            plan = plan_import(file, overwrite=True)
            return plan.written, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    (few, less), (many, more) = peak(10_000), peak(40_000)
    assert (few, many) == (10_000, 40_000)
    assert more - less < 500_000


# --- the pages --------------------------------------------------------------------------------------------------------
def test_upload_check_apply_and_the_failed_rows_again(web, account_a):
    with account_context(account_a):
        unit = make_unit(sku=make_serialized_sku(code="L-1"))
        set_one([unit], "Size", "9")
    url = URL
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


def test_failed_rows_come_back_as_they_were(web, account_a):
    """A cell with an apostrophe against formulas keeps one, not two, so that it can be uploaded again."""
    with account_context(account_a):
        unit = make_unit(sku=make_serialized_sku(code="L-1"))
        set_one([unit], "Phone", "none")
    rows = [f"L-1,{unit.serial},Phone,'+49 30 123", f"L-1,{unit.serial},Phone,''-5", "NO,,,=1"]
    check = upload(web, rows)
    failed = web.get(f"{check}failed/").content.decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(failed)))[1:]
    assert [line[3] for line in lines] == ["'+49 30 123", "''-5", "'=1"]
    assert lines[2][5].startswith("Serial: This cell is empty, but Serial is needed. Attribute: This cell")
    kept = "\r\n".join(failed.split("\r\n")[:2])
    again = web.post(URL, {"file": SimpleUploadedFile("b.csv", kept.encode()), "overwrite": "on"})
    web.post(again.headers["Location"])
    with account_context(account_a):
        assert pairs(unit) == {"Phone": "+49 30 123"}


def test_what_is_left_out_is_counted_in_rows(web, account_a):
    with account_context(account_a):
        unit = make_unit(sku=make_serialized_sku(code="L-1"))
    page = web.post(upload(web, [f"L-1,{unit.serial},Grade,B", "L-1,,,x"]), follow=True).content.decode()
    assert "Set on 1 serial." in page
    assert "1 row was left out." in page
    page = web.post(upload(web, [f"L-1,{unit.serial},Size,9", "L-1,,,x", "NO,X,Y,Z"]), follow=True).content.decode()
    assert "2 rows were left out." in page


def test_a_small_file_that_is_sent_twice_is_applied_once(web, account_a):
    with account_context(account_a):
        unit = make_unit(sku=make_serialized_sku(code="L-1"))
        set_one([unit], "Grade", "A")
    check = upload(web, [f"L-1,{unit.serial},Grade,B", "NO,X,Grade,B"], overwrite="on")
    first = web.post(check, follow=True)
    with account_context(account_a):
        set_one([unit], "Grade", "C")  # somebody corrects it
        before = history(unit)
    second = web.post(check, follow=True)
    for answer in (first, second):
        assert answer.redirect_chain == [("/acme/inventory/serials/", 302)]
        assert "Set on 1 serial." in answer.content.decode()
        assert "1 row was left out." in answer.content.decode()
    with account_context(account_a):
        assert pairs(unit) == {"Grade": "C"}
        assert history(unit) == before
        job = Job.objects.get()
    assert (job.state, job.result["counts"]["Set"], job.person.name) == (JobState.DONE, 1, "Ana")
    assert "Attributes from a.csv" not in web.get("/acme/jobs/tray/").content.decode()


def test_a_file_that_cannot_be_read_after_all_is_refused_and_leaves_no_job(web, account_a, monkeypatch):
    monkeypatch.setattr(SCHEMA, "max_rows", 1)
    check = upload(web, ["A,B,C,D", "A,B,C,E"])
    for answer in (web.get(check, follow=True), web.post(check, follow=True), web.get(f"{check}failed/", follow=True)):
        assert "error processing csv file: The file has more than 1 rows." in answer.content.decode()
    with account_context(account_a):
        assert not Job.objects.exists()


# --- large files ------------------------------------------------------------------------------------------------------
@pytest.fixture
def large(monkeypatch):
    """Every file is a large one."""
    monkeypatch.setattr(views, "AT_ONCE", 2)


def job_of(account, page):
    with account_context(account):
        return Job.objects.select_related("result_file").get(pk=page.rstrip("/").rpartition("/")[2])


@pytest.mark.usefixtures("large")
@pytest.mark.commits("a job commits step by step")
def test_a_large_file_is_checked_by_a_job_and_its_page_shows_what_that_found(web, account_a, monkeypatch):
    with account_context(account_a):
        units = make_units(5, sku=make_serialized_sku(code="L-1"))
        set_one(units[:1], "Grade", "A")
    rows = [f"L-1,{unit.serial},Grade,B" for unit in units] + ["NO,X,Grade,'+B"]
    page = upload(web, rows)
    job = job_of(account_a, page)
    assert "/jobs/" in page
    assert job.kind == "serials.attributes_check"
    check = job.params["page"]
    assert web.get(check).headers["Location"] == page, "while it waits"
    assert web.get(f"{check}failed/").headers["Location"] == check
    assert jobs.run(account_a.pk, job.pk) == JobState.DONE
    assert f'href="{check}"' in web.get(page).content.decode()
    monkeypatch.setattr(SCHEMA, "stream", None)  # the pages read no file
    shown = web.get(check).content.decode()
    for words in (
        "error processing csv file",
        "2 rows are left out",
        "There is no SKU",
        "keeps it",
        "Apply the 4 good",
    ):
        assert words in shown, words
    failed = web.get(f"{check}failed/", follow=True)
    lines = list(csv.reader(io.StringIO(failed.getvalue().decode("utf-8-sig"))))
    assert [line[:5] for line in lines[1:]] == [
        ["L-1", units[0].serial, "Grade", "B", "2"],
        ["NO", "X", "Grade", "'+B", "7"],
    ]
    with account_context(account_a):
        assert Job.objects.count() == 1
        assert UnitAttribute.objects.filter(value="B").count() == 0


@pytest.mark.usefixtures("large")
@pytest.mark.commits("a job commits step by step")
def test_a_large_file_without_faults_has_no_file_of_them(web, account_a):
    with account_context(account_a):
        unit = make_unit(sku=make_serialized_sku(code="L-1"))
    page = upload(web, [f"L-1,{unit.serial},Grade,B"], overwrite="on")
    job = job_of(account_a, page)
    assert jobs.run(account_a.pk, job.pk) == JobState.DONE
    check = job.params["page"]
    assert check.endswith("?overwrite=1")
    assert "Apply 1 row<" in web.get(check).content.decode().replace("\n", "").replace("  ", "")
    assert web.get(check.replace("?", "failed/?")).headers["Location"] == check


@pytest.mark.usefixtures("large")
@pytest.mark.commits("a job commits step by step")
def test_a_large_file_that_cannot_be_read_fails_its_check_in_words(web, account_a, monkeypatch):
    monkeypatch.setattr(SCHEMA, "max_rows", 1)
    page = upload(web, ["A,B,C,D", "A,B,C,E"])
    assert jobs.run(account_a.pk, job_of(account_a, page).pk) == JobState.FAILED
    assert "error processing csv file: The file has more than 1 rows." in web.get(page).content.decode()


@pytest.mark.usefixtures("large")
@pytest.mark.commits("a job commits step by step")
def test_a_large_file_is_applied_by_a_job_and_twice_is_once(web, account_a):
    with account_context(account_a):
        units = make_units(5, sku=make_serialized_sku(code="L-1"))
    rows = [f"L-1,{unit.serial},Grade,B" for unit in units] + ["NO,X,Grade,B", "L-1,,,x"]
    check = job_of(account_a, upload(web, rows)).params["page"]
    first, second = (web.post(check).headers["Location"] for _turn in range(2))
    assert first == second
    assert jobs.run(account_a.pk, job_of(account_a, first).pk) == JobState.DONE
    job = job_of(account_a, first)
    with account_context(account_a):
        assert UnitAttribute.objects.filter(value="B").count() == 5
    assert job.result["summary"] == "Set on 5 serials."
    assert (job.result["counts"]["Set"], job.result["counts"]["Refused"], job.result["error_count"]) == (5, 2, 2)
    assert [error["line"] for error in job.result["errors"]] == [7, 8, 8]
    assert (job.done, job.total) == (5, 5)
    assert "2 rows were not used" in web.get(first).content.decode()


@pytest.mark.usefixtures("large")
def test_a_large_file_of_another_account_is_not_found(web, client_for, nia, account_a, account_b):
    with account_context(account_a):
        make_unit(sku=make_serialized_sku(code="L-1"))
    job = job_of(account_a, upload(web, ["L-1,X,Grade,B"]))
    assert client_for(nia).get(job.params["page"].replace("/acme/", "/bolt/")).status_code == 404
