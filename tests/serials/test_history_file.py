"""Download Serial History: what the file holds, for whom, and by a job when it is large."""

import csv
import io
import random
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.utils import timezone
from psycopg.sql import SQL, Identifier

from oms import files, jobs
from oms.csvio import escape
from oms.models import Job, JobState
from oms.tenancy import account_context
from serials.models import Unit, UnitEvent
from serials.queries import history_file
from serials.queries.history_file import GUARD, MOMENT, HistoryFile
from serials.services import attributes
from serials.views import actions
from tests.factories import make_bin, make_serialized_sku
from tests.serials.factories import make_unit, make_units
from tests.serials.samples import PRINT

pytestmark = pytest.mark.django_db
URL = "/acme/inventory/serials/history/"
ELEVEN = [
    *("SKU", "ProdID", "BIN", "Serial", "Status", "WMS Notes", "OMS Notes", "ProcessType", "ProcessID", "Order#"),
    "Update",
]
BY = attributes.by_person(None)


@pytest.fixture
def web(client_for, ben):
    return client_for(ben)


def rows_of(answer):
    data = b"".join(answer.streaming_content if answer.streaming else [answer.content])
    assert data.startswith("\ufeff".encode())
    assert data.endswith(b"\r\n")
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_nothing_checked_is_an_alert(web, account_a):
    answer = web.post(URL, {})
    assert answer.status_code == 422
    assert "You must check at least one" in answer.content.decode()


def test_the_file_has_the_eleven_columns_and_one_for_each_attribute(web, account_a):
    with account_context(account_a):
        first, second, third = make_units(3, sku=make_serialized_sku(code="L-1"), bin=make_bin(name="A-01"))
        attributes.set_attribute(units=[first.pk], name="Colour", value='re"d, dark', overwrite=True, by=BY)
        attributes.set_attribute(units=[second.pk], name="SKU", value="mine", overwrite=True, by=BY)
        attributes.set_attribute(units=[third.pk], name="Unseen", value="x", overwrite=True, by=BY)
        events = UnitEvent.objects.filter(unit__in=[first.pk, second.pk]).count()
    header, *rows = rows_of(web.post(URL, {"pk": [first.pk, second.pk]}))
    assert header == [*ELEVEN, "Colour", "SKU (attribute)"]
    assert len(rows) == events == 4
    newest = rows[0]
    assert newest[:5] == ["L-1", "", "A-01", first.serial, "Ready"]
    assert newest[7:9] == ["Replenishment", "RECEIPT"]
    assert newest[11:] == ['re"d, dark', ""]
    with account_context(account_a), timezone.override("Europe/Berlin"):
        moment = UnitEvent.objects.filter(unit=first.pk).latest("pk").occurred_at
        assert newest[10] == timezone.localtime(moment).isoformat(timespec="seconds")
    assert rows[2][11:] == ["", "mine"]


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("Asia/Kolkata", "2026-07-01T17:30:00+05:30"),
        ("America/St_Johns", "2026-07-01T09:30:00-02:30"),
        ("UTC", "2026-07-01T12:00:00+00:00"),
    ],
)
def test_its_times_say_their_zone(in_a, zone, written):
    moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
    with timezone.override(zone):
        unit = make_unit()
        file = HistoryFile(Unit.objects.filter(pk=unit.pk))
        with connection.cursor() as cursor:
            select = f"SELECT {MOMENT} FROM (SELECT %(at)s::timestamptz AS occurred_at) e"
            cursor.execute(select, {"zone": zone, "at": moment})
            assert cursor.fetchone()[0] == written
        _header, row = csv.reader(io.StringIO(b"".join(file.lines()).decode("utf-8-sig"), newline=""))
        assert datetime.fromisoformat(row[10]).tzinfo is not None


def test_a_name_in_several_spellings_is_one_column(in_a):
    first, second, third = make_units(3, bin=make_bin())
    for unit, name in ((first, "colour"), (second, "Colour"), (third, "alpha"), (third, "COLOUR")):
        attributes.set_attribute(units=[unit.pk], name=name, value=f"{name} {unit.pk}", overwrite=True, by=BY)
    made = HistoryFile(Unit.objects.filter(pk__in=[first.pk, second.pk, third.pk]))
    _bom, *rows = csv.reader(io.StringIO(b"".join(made.lines()).decode("utf-8-sig"), newline=""))
    assert made.names == ["alpha", "COLOUR"]
    assert {tuple(row[11:]) for row in rows} == {
        ("", f"colour {first.pk}"),
        ("", f"Colour {second.pk}"),
        (f"alpha {third.pk}", f"COLOUR {third.pk}"),
    }


NASTY = [
    "=1+1", "+1", "-1", "-1.5", "-x", "@a", "'=1", "''x", "'x", "＝1", "plain", 'a"b', "a,b", "a\nb", "a\r\nb", "é ß 日本",  # noqa: E501
    "\\.", "\\N", " =1", "-1 ", "- 5", "%s %(x)s {0}", "x;=1+1", 'x; "=1', "a|'@b", "a;b; c", "=1;=2;-3", "5;-x\n=1",
    "x\n=1+1\ny", "x\r\n+1", "a\r@b", "x\n \t-1", "x\n'=1", 'x\n"＝1', "-1\n-1", "'\n=1", "a\n\n=",
    "\tx", "\t=1", "'\t=1", "'\tx", "x;\t=1", "x\t", ";;\t+", "\t\t=",
]  # fmt: skip


def test_cells_are_escaped_exactly_as_in_every_other_file(in_a):
    unit = make_unit()
    for text in NASTY:
        attributes.set_attribute(units=[unit.pk], name=f"n {NASTY.index(text):02}", value=text, overwrite=True, by=BY)
    data = b"".join(HistoryFile(Unit.objects.filter(pk=unit.pk)).lines()).decode("utf-8-sig")
    header, first, *_others = csv.reader(io.StringIO(data, newline=""))
    assert first[11:] == [escape(text.strip()) for text in NASTY]
    assert len(header) == 11 + len(NASTY)


def test_postgresql_escapes_any_text_as_every_other_file_does(in_a):
    dice = random.Random(18)  # noqa: S311
    texts = ["".join(dice.choices("=+-@＝＋－＠'';\t|\r\n\" x1.", k=dice.randrange(12))) for _text in range(20_000)]
    select = SQL("SELECT {} FROM unnest(%(texts)s::text[]) WITH ORDINALITY AS a (t, place) ORDER BY place")
    with connection.cursor() as cursor:
        cursor.execute(select.format(SQL(GUARD).format(Identifier("t"))), {"texts": texts})
        found = [text for (text,) in cursor.fetchall()]
    assert found == [escape(text) for text in texts]


def test_everything_that_matches_posts_the_filter(web, account_a):
    with account_context(account_a):
        make_units(3, sku=make_serialized_sku(code="AAA"))
        make_units(2, sku=make_serialized_sku(code="BBB"))
    _header, *rows = rows_of(web.post(URL, {"all": "1", "filter": "sku=bbb"}))
    assert {row[0] for row in rows} == {"BBB"}
    assert len(rows) == 2


def test_units_of_another_account_are_not_in_it(web, account_a, account_b):
    with account_context(account_b):
        foreign = make_unit()
    with account_context(account_a):
        own = make_unit()
    _header, *rows = rows_of(web.post(URL, {"pk": [own.pk, foreign.pk]}))
    assert {row[3] for row in rows} == {own.serial}


@pytest.mark.commits("a job commits step by step")
def test_many_are_a_job_whose_file_is_the_same(web, client_for, nia, account_a, account_b, monkeypatch):
    with account_context(account_a):
        units = make_units(6)
    at_once = rows_of(web.post(URL, {"pk": [unit.pk for unit in units]}))
    monkeypatch.setattr(actions, "AT_ONCE", 2)
    page = web.post(URL, {"all": "1", "filter": ""}).headers["Location"]
    with account_context(account_a):
        job = Job.objects.get()
    assert jobs.run(account_a.pk, job.pk) == JobState.DONE
    with account_context(account_a):
        job = Job.objects.select_related("result_file").get()
        with files.open_file(job.result_file) as file:
            assert list(csv.reader(io.StringIO(file.read().decode("utf-8-sig"), newline=""))) == at_once
    assert job.result["counts"] == {"Serials": 6, "Rows": 6}
    link = f"/files/{job.result_file.key}/"
    assert link in web.get(page).content.decode()
    assert client_for(nia).get(f"/bolt{link}").status_code == 404


def test_too_many_attributes_are_said_before_the_file_begins(web, account_a, monkeypatch):
    monkeypatch.setattr(history_file, "MOST_NAMES", 2)
    with account_context(account_a):
        unit = make_unit()
        for name in "abc":
            attributes.set_attribute(units=[unit.pk], name=name, value="x", overwrite=True, by=BY)
    answer = web.post(URL, {"pk": [unit.pk]})
    assert answer.status_code == 422
    assert "more than 2 different attributes" in answer.content.decode()


def test_a_second_click_makes_no_second_file(web, account_a, monkeypatch):
    monkeypatch.setattr(actions, "AT_ONCE", 2)
    with account_context(account_a):
        make_units(3)
    asked = [web.post(URL, {"all": "1", "filter": ""}).headers["Location"] for _click in range(2)]
    assert asked[0] == asked[1]
    with account_context(account_a):
        assert Job.objects.count() == 1


def test_labels_of_what_is_checked(web, account_a):
    with account_context(account_a):
        units = make_units(2)
    chosen = {"pk": [unit.pk for unit in units]}
    dialog = web.post("/acme/inventory/serials/labels/", chosen).content.decode()
    assert all(f'name="pk" value="{unit.pk}"' in dialog for unit in units)
    answer = web.post("/acme/inventory/serials/labels/", {**chosen, **PRINT, "do": "print"})
    assert answer.headers["Content-Type"] == "application/pdf"
    assert web.post("/acme/inventory/serials/labels/", {}).status_code == 422
