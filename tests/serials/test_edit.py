"""The dialogs of one unit, OMS Notes and attributes: as a browser posts them, and when somebody else was faster."""

import re
from html import unescape

import pytest

from oms.errors import DomainError
from oms.tenancy import account_context
from serials.models import NOTE_LENGTH, Unit, UnitAttribute, UnitEvent
from serials.services import attributes, notes
from serials.services.attributes import MOST_OF_ONE, VALUE_LENGTH
from tests.serials.factories import make_unit

pytestmark = pytest.mark.django_db
BY = attributes.by_person(None)
FIELD = re.compile(
    r'<input[^>]*? name="(?P<name>[^"]+)"(?:[^>]*? value="(?P<value>[^"]*)")?[^>]*>'
    r'|<textarea[^>]*? name="(?P<area>[^"]+)"[^>]*>\n?(?P<text>[^<]*)</textarea>'
)


class Dialog:
    """One dialog as the browser has it: its fields are what the last answer said, typed over by `send`."""

    def __init__(self, web, path):
        self.web, self.path = web, path
        self._read(web.get(path))

    def _read(self, answer):
        form = answer.content.decode().partition('<form class="form"')[2].partition("</form>")[0]
        self.page, self.status = unescape(answer.content.decode()), answer.status_code
        self.fields = {
            found["name"] or found["area"]: unescape(found["value"] or found["text"] or "")
            for found in FIELD.finditer(form)
            if "checkbox" not in found[0]
        }

    def send(self, **typed):
        """The status; `a_0_value` is the field a-0-value. Line ends are sent as two characters, as browsers do."""
        self.fields |= {re.sub(r"^a_(\d+)_", r"a-\1-", name): value for name, value in typed.items()}
        sent = {name: re.sub("\r\n|\r|\n", "\r\n", value) for name, value in self.fields.items()}
        self._read(self.web.post(self.path, sent))
        return self.status


@pytest.fixture
def web(client_for, ana):
    return client_for(ana)


@pytest.fixture
def unit(account_a):
    with account_context(account_a):
        return make_unit()


@pytest.fixture
def others(account_a, unit):
    """What others do meanwhile, in the account."""
    return Meanwhile(account_a, unit)


class Meanwhile:
    def __init__(self, account, unit):
        self.account, self.pk = account, unit.pk

    def has(self, **wanted):
        """Make these the unit's attributes, as somebody else; no limit by hand."""
        with account_context(self.account):
            known = attributes.attributes_of(self.pk)
            seen = attributes.fingerprint(known)
            attributes.save_attributes(unit_id=self.pk, attributes=wanted, seen=seen, by=BY)

    def has_by_file(self, wanted):
        with account_context(self.account):
            rows = [UnitAttribute(unit_id=self.pk, name=name, value=value) for name, value in wanted.items()]
            UnitAttribute.objects.bulk_create(rows)

    def writes(self, text):
        with account_context(self.account):
            seen = notes.fingerprint(Unit.objects.get(pk=self.pk).oms_notes)
            notes.set_oms_notes(unit_id=self.pk, notes=text, seen=seen, by=BY)

    @property
    def attributes(self):
        with account_context(self.account):
            return attributes.attributes_of(self.pk)

    @property
    def notes(self):
        with account_context(self.account):
            return Unit.objects.get(pk=self.pk).oms_notes

    @property
    def events(self):
        with account_context(self.account):
            return UnitEvent.objects.filter(unit_id=self.pk).count()


@pytest.fixture
def attributes_dialog(web, unit):
    """`attributes_dialog()` opens it."""
    return lambda: Dialog(web, f"/acme/inventory/serials/{unit.pk}/attributes/")


@pytest.fixture
def notes_dialog(web, unit):
    """`notes_dialog()` opens it."""
    return lambda: Dialog(web, f"/acme/inventory/serials/{unit.pk}/notes/")


# --- somebody else was faster -----------------------------------------------------------------------------------------
def test_a_mistake_does_not_make_one_see_what_others_changed_meanwhile(others, attributes_dialog):
    others.has(Colour="red", Size="9")
    dialog = attributes_dialog()
    others.has(Colour="blue", Size="9")
    assert dialog.send(a_1_value="") == 422
    assert "They are now:" not in dialog.page
    assert dialog.send(a_1_value="10") == 422
    assert others.attributes == {"Colour": "blue", "Size": "9"}


def test_after_a_conflict_the_attributes_are_shown_and_saving_again_is_a_decision(others, attributes_dialog):
    others.has(Colour="red", Size="9", Grade="A")
    dialog = attributes_dialog()
    others.has(Colour="deep\nblue", Origin="<b>PL</b>", Size="9")
    assert dialog.send(a_0_value="green") == 422
    shown = re.search("They are now:(.*?)</table>", dialog.page, re.DOTALL)[1]
    cells = re.findall(r"<td[^>]*>(?:<span[^>]*>)?(.*?)(?:</span>)?</td>", shown, re.DOTALL)
    assert list(zip(*[iter(cells)] * 3, strict=True)) == [
        ("Colour", "deep\nblue", "green"),
        ("Grade", "–", "A"),
        ("Origin", "<b>PL</b>", "the same"),
        ("Size", "9", "the same"),
    ]
    assert others.attributes["Colour"] == "deep\nblue"
    # What others added stands in a row of its own: it stays unless its box is checked.
    assert dialog.fields["a-1-name"] == "Origin"
    assert dialog.send() == 302
    assert others.attributes == {"Colour": "green", "Grade": "A", "Origin": "<b>PL</b>", "Size": "9"}


def test_after_a_conflict_what_others_added_is_removed_by_its_box(others, attributes_dialog):
    others.has(Colour="red", Size="9")
    dialog = attributes_dialog()
    others.has(Age="1", Colour="red", Origin="PL")
    assert dialog.send(**{"a-0-value": "green", "a-1-DELETE": "on"}) == 422
    assert [dialog.fields[f"a-{place}-name"] for place in range(5)] == ["Age", "Colour", "Origin", "", ""]
    assert dialog.send(**{"a-0-DELETE": "on"}) == 302
    assert others.attributes == {"Colour": "green", "Origin": "PL"}


# --- sent incompletely ------------------------------------------------------------------------------------------------
TORN = {
    "no counts": {"a-TOTAL_FORMS": None, "a-INITIAL_FORMS": None},
    "no total": {"a-TOTAL_FORMS": None},
    "total is no number": {"a-TOTAL_FORMS": "x"},
    "total is NUL": {"a-TOTAL_FORMS": "\0"},
    "total is nothing": {"a-TOTAL_FORMS": "0"},
    "total is negative": {"a-TOTAL_FORMS": "-1"},
    "total is one less": {"a-TOTAL_FORMS": "4"},
    "total is one more": {"a-TOTAL_FORMS": "6"},
    "total is huge": {"a-TOTAL_FORMS": "9" * 30},
    "initial is nothing": {"a-INITIAL_FORMS": "0"},
    "initial is negative": {"a-INITIAL_FORMS": "-1"},
    "initial is one less": {"a-INITIAL_FORMS": "2"},
    "initial is more than total": {"a-INITIAL_FORMS": "9"},
    "initial is huge": {"a-INITIAL_FORMS": "9" * 30},
    "nothing is there": {"a-TOTAL_FORMS": "0", "a-INITIAL_FORMS": "0"},
    "a row is missing": {"a-1-name": None, "a-1-value": None},
    "the last rows are missing": {f"a-{place}-{name}": None for place in (2, 3, 4) for name in ("name", "value")},
    "only the first rows": {
        "a-TOTAL_FORMS": "1",
        "a-INITIAL_FORMS": "1",
        **{f"a-{place}-{name}": None for place in range(1, 5) for name in ("name", "value")},
    },
    "no rows": {f"a-{place}-{name}": None for place in range(5) for name in ("name", "value")},
}


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_attributes_that_came_incompletely_remove_none(others, attributes_dialog, torn):
    kept = {"Colour": "red", "Grade": "A", "Size": "9"}
    others.has(**kept)
    dialog = attributes_dialog()
    dialog.fields["a-0-value"] = "blue"
    dialog.fields = {name: value for name, value in dialog.fields.items() if name not in torn}
    assert dialog.send(**{name: value for name, value in torn.items() if value is not None}) == 422
    assert "The page was sent incompletely, so nothing is changed." in dialog.page
    assert "ManagementForm" not in dialog.page
    assert "Hidden field" not in dialog.page
    assert others.attributes == kept


def test_an_attribute_that_was_emptied_is_asked_about_and_its_box_removes_it(others, attributes_dialog):
    others.has(Colour="red", Size="9")
    dialog = attributes_dialog()
    assert dialog.send(a_0_name="", a_0_value="") == 422
    assert "To remove it, check the box" in dialog.page
    assert others.attributes == {"Colour": "red", "Size": "9"}
    assert dialog.send(**{"a-0-DELETE": "on"}) == 302
    assert others.attributes == {"Size": "9"}


def test_a_row_keeps_its_name_when_another_attribute_took_its_place(others, attributes_dialog):
    others.has(Colour="red", Size="9")
    dialog = attributes_dialog()
    others.has(Age="1", Colour="red", Size="9")
    assert dialog.send(a_0_value="blue") == 422
    assert re.findall("Delete (\\w+)</label>", dialog.page) == ["Age", "Colour", "Size"]


def test_what_another_added_to_the_same_place_is_not_taken_for_unchanged(others, attributes_dialog):
    others.has(Colour="red")
    dialog = attributes_dialog()
    others.has(Colour="red", Size="9")
    assert dialog.send(a_0_value="blue", a_1_name="Size", a_1_value="9") == 422
    assert dialog.send() == 302
    assert others.attributes == {"Colour": "blue", "Size": "9"}


def test_what_is_there_already_is_no_conflict(others, attributes_dialog):
    """The answer to the first try was lost on its way."""
    dialog = attributes_dialog()
    others.has(Grade="B")
    events = others.events
    assert dialog.send(a_0_name="Grade", a_0_value="B") == 302
    assert others.events == events


def test_a_note_that_is_too_long_does_not_make_one_see_another_note(others, notes_dialog):
    dialog = notes_dialog()
    others.writes("theirs")
    assert dialog.send(oms_notes="x" * (NOTE_LENGTH + 1)) == 422
    assert "It says now:" not in dialog.page
    assert dialog.send(oms_notes="ours") == 422
    assert others.notes == "theirs"


def test_after_a_conflict_the_whole_note_is_shown(others, notes_dialog):
    dialog = notes_dialog()
    theirs = "<i>line</i>\n" * 99 + "the end"
    others.writes(theirs)
    assert dialog.send(oms_notes="ours") == 422
    assert "It says now:" in dialog.page
    assert f">{theirs}</p>" in dialog.page
    assert dialog.send() == 302
    assert others.notes == "ours"


def test_after_a_conflict_one_is_told_that_the_note_is_empty_now(others, notes_dialog):
    others.writes("old")
    dialog = notes_dialog()
    others.writes("")
    assert dialog.send(oms_notes="ours") == 422
    assert "It is empty now." in dialog.page


def test_a_post_that_saw_nothing_overwrites_nothing(others, web, notes_dialog):
    others.writes("theirs")
    dialog = notes_dialog()
    del dialog.fields["seen"]
    assert dialog.send(oms_notes="ours") == 422
    assert others.notes == "theirs"


# --- line ends --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_value_of_several_lines_stays_untouched(others, attributes_dialog, ends):
    others.has_by_file({"Text": f"line1{ends}line2"})
    assert attributes_dialog().send(a_1_name="Grade", a_1_value="B") == 302
    assert others.attributes == {"Text": f"line1{ends}line2", "Grade": "B"}
    assert attributes_dialog().send(a_1_value="line1\nline3") == 302
    assert others.attributes == {"Text": "line1\nline3", "Grade": "B"}


def test_line_ends_count_as_one_character(others, attributes_dialog, notes_dialog):
    value, note = ("x" * (most // 2) + "\n" + "y" * (most // 2 - 1) for most in (VALUE_LENGTH, NOTE_LENGTH))
    assert attributes_dialog().send(a_0_name="Text", a_0_value=value) == 302
    assert notes_dialog().send(oms_notes=note) == 302
    assert (others.attributes, others.notes) == ({"Text": value}, note)
    assert notes_dialog().send(oms_notes=note + "z") == 422


# --- more than one gives by hand --------------------------------------------------------------------------------------
def test_a_unit_with_more_attributes_than_by_hand_can_be_edited(others, attributes_dialog):
    many = {f"N{number:03}": "1" for number in range(MOST_OF_ONE + 50)}
    others.has_by_file(many)
    dialog = attributes_dialog()
    assert dialog.fields["a-TOTAL_FORMS"] == "250"  # no empty rows: no more are given by hand
    assert dialog.send(**{"a-249-value": "2", "a-248-name": "New", "a-0-DELETE": "on"}) == 302
    after = others.attributes
    assert (len(after), after["N249"], "N248" in after, after["New"], "N000" in after) == (249, "2", False, "1", False)


def test_a_conflict_over_very_many_rows_keeps_them_all(others, attributes_dialog):
    others.has_by_file({f"N{number:03}": "1" for number in range(MOST_OF_ONE + 50)})
    dialog = attributes_dialog()
    others.has(N000="1")
    assert dialog.send(**{"a-249-value": "2"}) == 422
    assert "They are now:" in dialog.page
    assert dialog.fields["a-249-value"] == "2"


def test_by_hand_one_adds_up_to_the_limit(others, in_a, unit):
    others.has_by_file({f"N{number:03}": "1" for number in range(MOST_OF_ONE)})
    known = attributes.attributes_of(unit.pk)
    with pytest.raises(DomainError, match="200"):
        attributes.save_attributes(
            unit_id=unit.pk, attributes={**known, "More": "1"}, seen=attributes.fingerprint(known), by=BY
        )


def test_rows_that_were_never_sent_are_not_made(web, unit, attributes_dialog):
    """Whoever asks for a million rows gets an answer, not a million forms."""
    dialog = attributes_dialog()
    assert dialog.send(**{"a-TOTAL_FORMS": "1000000"}) == 422
    assert dialog.page.count("<textarea") < 20
