"""OMS Notes and attributes of units: services and dialogs, on a real PostgreSQL."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from oms import jobs
from oms.errors import Conflict, DomainError
from oms.jobs import Cancelled
from oms.models import Job, JobState
from oms.tenancy import account_context
from serials.models import Unit, UnitAttribute, UnitEvent
from serials.services import attributes, notes
from serials.views import actions
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


def test_a_name_can_be_spelt_otherwise_by_hand(in_a):
    unit = make_unit()
    save(unit, {"colour": "red", "Size": "9"})
    pk = UnitAttribute.objects.get(name="colour").pk
    assert save(unit, {"Colour": "red", "Size": "9"})
    assert pairs(unit) == {"Colour": "red", "Size": "9"}
    assert UnitAttribute.objects.get(name="Colour").pk == pk
    assert UnitEvent.objects.filter(unit=unit).latest("pk").reason == "Attributes: Colour"


def test_one_name_in_two_spellings_is_refused(in_a):
    unit = make_unit()
    with pytest.raises(DomainError, match="there twice: Colour, colour"):
        save(unit, {"Colour": "red", "colour": "blue"})
    UnitAttribute.objects.create(unit=unit, name="Colour", value="red")
    with pytest.raises(IntegrityError), transaction.atomic():
        UnitAttribute.objects.create(unit=unit, name="cOLOUR", value="red")


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


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_name_is_the_same_whatever_its_case(in_a, overwrite):
    first, second, third = make_units(3)
    set_one([first], "Colour", "red")
    set_one([second], "COLOUR", "blue")
    done = set_one([first, second, third], "colour", "blue", overwrite=overwrite)
    assert (done.units, done.kept, done.unchanged) == ((2, 0, 1) if overwrite else (1, 1, 1))
    assert [pairs(unit) for unit in (first, second, third)] == [
        {"Colour": "blue" if overwrite else "red"},
        {"COLOUR": "blue"},
        {"colour": "blue"},
    ]


def test_a_reason_is_never_too_long(in_a):
    unit = make_unit()
    set_one([unit], "n" * 100, "x")
    assert UnitEvent.objects.filter(unit=unit).latest("pk").reason == f"Attributes: {'n' * 100}"
    save(unit, {"n" * 100: "x", **{f"{n}" * 100: "y" for n in range(5)}})
    by_hand = UnitEvent.objects.filter(unit=unit).latest("pk").reason
    with connection.cursor() as cursor:
        cursor.execute(attributes.MAKE_STAGES)
        rows = [(unit.pk, f"{n}" * 100, f"{n}" * 100, "z") for n in range(5)]
        cursor.executemany("INSERT INTO stage_attribute (unit_id, key, name, value) VALUES (%s, %s, %s, %s)", rows)
    attributes.write_staged(overwrite=True, by=BY)
    assert UnitEvent.objects.filter(unit=unit).latest("pk").reason == by_hand
    assert len(by_hand) == 400
    assert by_hand.endswith("…")


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_many_units_are_written_in_chunks_with_progress(in_a, monkeypatch, chunk):
    monkeypatch.setattr(attributes, "CHUNK", chunk)
    units, told = make_units(5), Told()
    set_one(units[:1], "Batch", "1")
    done = attributes.set_attribute(
        units=[unit.pk for unit in units], name="Batch", value="1", overwrite=True, by=BY, progress=told
    )
    assert (done.written, done.units, done.unchanged) == (4, 4, 1)
    assert told.steps == [(0, 5), *((min(n, 5), 5) for n in range(chunk, 5 + chunk, chunk))]


def test_cancel_between_two_chunks_leaves_nothing(in_a, monkeypatch):
    monkeypatch.setattr(attributes, "CHUNK", 2)
    units, told = make_units(5), Told(most=2)
    with pytest.raises(Cancelled), transaction.atomic():
        attributes.set_attribute(
            units=[unit.pk for unit in units], name="Batch", value="1", overwrite=True, by=BY, progress=told
        )
    assert told.steps[-1] == (4, 5)
    assert not UnitAttribute.objects.exists()
    assert not UnitEvent.objects.filter(event="annotate").exists()


class Told:
    """A job's progress; cancelled at the step after `most`."""

    def __init__(self, most=100):
        self.steps, self.most, self.total = [], most, 0

    def step(self, done, total=None, message=None):
        self.total = self.total if total is None else total
        self.steps.append((done, self.total))
        if len(self.steps) > self.most:
            raise Cancelled


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


def test_the_popup_sent_twice_sets_once_and_says_the_same(web, account_a):
    with account_context(account_a):
        units = make_units(2)
    url = "/acme/inventory/serials/attributes/"
    sent = {"pk": [unit.pk for unit in units], "name": "Batch", "value": "B-7", "overwrite": "on", "key": "k" * 32}
    first = web.post(url, sent, follow=True)
    with account_context(account_a):
        set_one(units[:1], "Batch", "B-9")  # somebody corrects it
    second = web.post(url, sent, follow=True)
    assert all("Set on 2 serials." in answer.content.decode() for answer in (first, second))
    with account_context(account_a):
        assert [pairs(unit) for unit in units] == [{"Batch": "B-9"}, {"Batch": "B-7"}]
    other = web.post(url, {**sent, "value": "B-8"}, follow=True).content.decode()  # back in the browser, and changed
    assert "Set on 2 serials." in other
    with account_context(account_a):
        assert {pairs(unit)["Batch"] for unit in units} == {"B-8"}


@pytest.mark.commits("a job commits step by step")
def test_the_popup_for_many_serials_is_a_job(web, account_a, monkeypatch):
    monkeypatch.setattr(actions, "SET_AT_ONCE", 2)
    monkeypatch.setattr(attributes, "CHUNK", 2)
    with account_context(account_a):
        units = make_units(5)
        set_one(units[:1], "Batch", "old")
    sent = {"all": "1", "filter": "", "name": "batch", "value": "B-7", "key": "k"}
    page = web.post("/acme/inventory/serials/attributes/", sent).headers["Location"]
    with account_context(account_a):
        job = Job.objects.get()
    assert jobs.run(account_a.pk, job.pk) == JobState.DONE
    with account_context(account_a):
        job.refresh_from_db()
        assert [pairs(unit) for unit in units] == [{"Batch": "old"}, *[{"batch": "B-7"}] * 4]
    assert (job.done, job.total) == (5, 5)
    assert job.result["counts"] == {"Serials": 4, "Same before": 0, "Kept": 1}
    assert "Set on 4 serials. 1 has another value already and kept it." in web.get(page).content.decode()


def test_the_popup_sent_again_when_fewer_match_is_still_the_same_job(web, account_a, monkeypatch):
    with account_context(account_a):
        make_units(3)
    sent = {"all": "1", "filter": "", "name": "Batch", "value": "B-7", "key": "k"}
    pages = []
    for most in (2, 5):
        monkeypatch.setattr(actions, "SET_AT_ONCE", most)
        pages.append(web.post("/acme/inventory/serials/attributes/", sent).headers["Location"])
    assert pages[0] == pages[1]
    assert "/jobs/" in pages[0]
    with account_context(account_a):
        assert not UnitAttribute.objects.exists()
