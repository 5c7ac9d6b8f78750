"""What is scanned on Receive: one unit for one scan, whatever the scanner sends, or a question what it is."""

from datetime import date

import pytest

from oms.tenancy import account_context
from replenishment.models import Receipt
from replenishment.services import planning, submitting, undoing
from serials.models import Lot, Unit
from tests.factories import make_sku
from tests.replenishment.browsing import answers, text_of
from tests.replenishment.entered import units
from tests.replenishment.factories import GTIN, line_of, make_replenishment, make_submitted
from tests.replenishment.test_receive_pages import line_data, post

pytestmark = pytest.mark.django_db
SCAN = f"010{GTIN}1726123110LOT7\x1d21"
SUBSTITUTES = [
    f"]d2010{GTIN}1726123110LOT7<GS>21ACME-0008",
    f"010{GTIN}1726123110LOT7|21ACME-0009",
    f"010{GTIN}1726123110LOT7{{GS}}21ACME-0010",
    f"010{GTIN}1726123110LOT7^]21ACME-0011",
    f"(01)0{GTIN}(17)261231(10)LOT7(21)ACME-0012",
    f"https://id.gs1.org/01/0{GTIN}/10/LOT7/21/ACME-0013?17=261231",
    "]C0ACME-0014",
]


@pytest.fixture
def enter(floor, account_a, made):
    """Enter serials and answer what is asked about them, once."""

    def send(serials, choices=None, **fields):
        with account_context(account_a):
            data = line_data(made, serials=serials, **fields)
        answer = post(floor, made, data)
        if choices is None:
            return answer
        return post(floor, made, data, **answers(answer.context["entries"].inquiry.questions, **choices))

    return send


def test_one_gs1_scan_is_one_unit_of_its_lot(enter, account_a):
    assert enter(f"{SCAN}ACME-0007").status_code == 302
    with account_context(account_a):
        assert units() == {"ACME-0007": "ready"}
        lot = Lot.objects.get()
        assert (lot.number, lot.expires_on) == ("LOT7", date(2026, 12, 31))
        assert Unit.objects.get().lot == lot
        assert Receipt.objects.get().quantity == 1


def test_whatever_scanners_send_for_the_separator(enter, account_a):
    assert enter("\r\n".join(SUBSTITUTES)).status_code == 302
    with account_context(account_a):
        assert units() == dict.fromkeys((f"ACME-00{number:02}" for number in range(8, 15)), "ready")
        assert list(Unit.objects.order_by("serial").values_list("lot__number", flat=True)) == ["LOT7"] * 6 + [None]


def test_planned_serials_are_matched_by_their_scans(floor, account_a, sku):
    with account_context(account_a):
        made = make_submitted((sku, 3))
        data = line_data(made, serials=f"{SCAN}SN00000001\n]C121SN00000002\n(21)sn00000003")
    assert post(floor, made, data).status_code == 302
    with account_context(account_a):
        assert units() == dict.fromkeys(("SN00000001", "SN00000002", "SN00000003"), "ready")


def test_a_known_serial_behind_21_is_asked_about(floor, account_a, sku):
    """The second symbol of a label, of which the scanner does not say that it is GS1; or a serial of its own."""
    with account_context(account_a):
        made = make_replenishment((sku, 3))
        planning.add_serials(line_id=line_of(made).pk, serials=["001", "002", "21002"], actor=None)
        data = line_data(submitting.submit(replenishment_id=made.pk, actor=None), serials="21001\n21002")
    answer = post(floor, made, data)
    (question,) = answer.context["entries"].inquiry.questions
    assert (question.code, question.words) == ("identifier", ["21001, or 001 behind its identifier 21?"])
    assert question.choices == ["proposed", "take", "leave"]
    assert post(floor, made, data, **answers([question], identifier="proposed")).status_code == 302
    with account_context(account_a):
        assert units() == {"001": "ready", "002": "incoming", "21002": "ready"}


def test_a_new_serial_may_begin_with_21(enter, account_a):
    assert enter("001\n21005").status_code == 302
    assert enter("21001", {"identifier": "take"}, key="k2").status_code == 302
    with account_context(account_a):
        assert sorted(units()) == ["001", "21001", "21005"]


def test_the_second_serial_of_a_scan_is_not_lost(enter, account_a):
    answer = enter(f"010{GTIN}21S-1\x1d21S-2")
    assert [question.code for question in answer.context["entries"].inquiry.questions] == ["scans"]
    assert enter(f"010{GTIN}21S-1\x1d21S-2", {"scans": "proposed"}).status_code == 302
    with account_context(account_a):
        assert units() == {"S-1": "ready", "S-2": "ready"}


@pytest.mark.parametrize(
    ("scan", "serial"),
    [
        (f"010{GTIN}21ABCDEFGHIJ0123456789", "ABCDEFGHIJ0123456789"),  # as long as a Transparency code
        (f"010{GTIN}10LOT721ACME-7", "ACME-7"),  # without the separator
        (f"010{GTIN}10LOT2121ACME-7", "ACME-7"),  # which could stand in two places
    ],
)
def test_a_scan_of_a_known_unit_asks_nothing(floor, account_a, sku, scan, serial):
    with account_context(account_a):
        made = make_replenishment((sku, 2))
        planning.add_serials(line_id=line_of(made).pk, serials=[serial, "X"], actor=None)
        data = line_data(submitting.submit(replenishment_id=made.pk, actor=None), serials=scan)
    assert post(floor, made, data).status_code == 302
    with account_context(account_a):
        assert units() == {serial: "ready", "X": "incoming"}


def test_a_known_serial_under_another_gtin_is_asked_about(floor, account_a, sku):
    with account_context(account_a):
        made = make_replenishment((sku, 1))
        planning.add_serials(line_id=line_of(made).pk, serials=["ABCDEFGHIJ0123456789"], actor=None)
        made = submitting.submit(replenishment_id=made.pk, actor=None)
        data = line_data(made, serials="010950600013435221ABCDEFGHIJ0123456789")
    answer = post(floor, made, data)
    assert [question.code for question in answer.context["entries"].inquiry.questions] == ["other_gtin"]


def test_a_unit_that_was_a_mistake_answers_no_question(enter, floor, account_a, made, sku, wes):
    """It was received as it stands there, and undone: the same text is asked about again."""
    assert enter("A001-A005", {"range": "take"}).status_code == 302
    with account_context(account_a):
        undoing.undo(receipt_id=Receipt.objects.get().pk, reason="A range", actor=wes)
        assert Unit.objects.get().is_void
    answer = enter("A001-A005", key="k2")
    assert [question.code for question in answer.context["entries"].inquiry.questions] == ["range"]


def test_scans_of_several_lots_say_whose_each_unit_is(enter, account_a):
    assert enter(f"{SCAN}A-1\n{SCAN.replace('LOT7', 'LOT8')}B-1\n{SCAN}A-2").status_code == 302
    with account_context(account_a):
        assert dict(Unit.objects.values_list("serial", "lot__number")) == {"A-1": "LOT7", "A-2": "LOT7", "B-1": "LOT8"}


def test_serials_under_a_lot_are_read_in_the_same_way(enter, account_a):
    assert enter("", lot0_number="LOT7", lot0_serials=f"{SCAN}A-1\nB-2\tB-3").status_code == 302
    answer = enter("", lot0_number="LOT8", lot0_serials=f"{SCAN}C-1\nC-2, C-3", key="k2")
    assert {question.code for question in answer.context["entries"].inquiry.questions} == {"list", "lot"}
    choices = {"list": "proposed", "lot": "proposed"}
    done = enter("", choices, lot0_number="LOT8", lot0_serials=f"{SCAN}C-1\nC-2, C-3", key="k2")
    assert done.status_code == 302
    with account_context(account_a):
        found = dict(Unit.objects.values_list("serial", "lot__number"))
    assert found == {"A-1": "LOT7", "B-2": "LOT7", "B-3": "LOT7", "C-1": "LOT7", "C-2": "LOT8", "C-3": "LOT8"}


def test_a_scan_fills_in_what_was_left_empty_and_is_asked_about_where_it_contradicts(enter, account_a):
    assert enter(f"{SCAN}A-1", lot0_number="lot7").status_code == 302
    with account_context(account_a):
        assert Lot.objects.get().expires_on == date(2026, 12, 31)
    answer = enter(f"{SCAN}A-2", lot0_number="LOT9", key="k2")
    assert "1 scan says another lot or expiry than the line" in text_of(answer)
    assert enter(f"{SCAN}A-2", {"lot": "take"}, lot0_number="LOT9", key="k2").status_code == 302
    assert enter(f"{SCAN}A-3", {"lot": "proposed"}, lot0_number="LOT9", key="k3").status_code == 302
    again = enter(f"{SCAN}A-4", lot0_number="LOT7", lot0_expires="2027-01-31", key="k4")
    (question,) = again.context["entries"].inquiry.questions
    assert (question.code, question.words) == ("lot", ["A-4: lot LOT7 2026-12-31"])
    with account_context(account_a):
        found = dict(Unit.objects.values_list("serial", "lot__number"))
    assert [found["A-2"], found["A-3"].upper()] == ["LOT9", "LOT7"]


def test_a_lot_of_which_no_scan_is_left_is_asked_about(enter, account_a):
    lots = {"lots": "2", "lot0_number": "LOT7", "lot1_number": "LOT8"}
    answer = enter(f"{SCAN}A-1\n{SCAN}A-2", **lots)
    assert (answer.status_code, text_of(answer).count("How many are of this lot?")) == (422, 2), (
        "there, and in the list"
    )
    assert enter(f"{SCAN}A-1\n{SCAN}A-2", **lots, lot1_quantity="0").status_code == 302
    with account_context(account_a):
        assert Lot.objects.get().number == "LOT7"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("A001-A005", "range"),
        ("SN77, SN78, SN79", "list"),
        ("MM1;MM2", "list"),
        ("RX1 - RX3", "range"),
        (GTIN, "sku"),
        (f"0{GTIN}", "sku"),
        (f"010{GTIN}", "sku"),
        ("l2201316", "sku"),
        ("OTHER-SKU", "sku"),
        ("N/A", "placeholder"),
        ("-", "placeholder"),
        (".", "placeholder"),
        ("0", "placeholder"),
        ("10023.0", "decimal"),
        ("(01)04012345678901(21)X-1", "other_gtin"),
        (f"(01)0{GTIN}(10)LOT7", "product"),
    ],
)
def test_nothing_is_received_before_it_is_said_what_a_text_is(enter, account_a, text, code):
    with account_context(account_a):
        make_sku(code="OTHER-SKU")
    answer = enter(text)
    assert answer.status_code == 422
    assert [question.code for question in answer.context["entries"].inquiry.questions] == [code]
    assert "Nothing is received yet" in text_of(answer)
    with account_context(account_a):
        assert not Receipt.objects.exists()
    left = enter(f"{text}\nX-9", {code: "leave"})
    assert left.status_code == 302
    with account_context(account_a):
        assert units() == {"X-9": "ready"}


def test_parts_of_a_range_and_a_list_are_received(enter, account_a):
    assert enter("A001-A003\nB1, B2\nC-1\tC-2", {"range": "proposed", "list": "proposed"}).status_code == 302
    with account_context(account_a):
        assert sorted(units()) == ["A001", "A002", "A003", "B1", "B2", "C-1", "C-2"]


def test_parts_are_matched_with_what_is_planned(floor, account_a, sku):
    with account_context(account_a):
        made = make_submitted((sku, 3))
        data = line_data(made, serials="SN00000001-SN00000003")
    answer = post(floor, made, data)
    done = post(floor, made, data, **answers(answer.context["entries"].inquiry.questions, range="proposed"))
    assert done.status_code == 302
    with account_context(account_a):
        assert set(units().values()) == {"ready"}


def test_a_serial_that_was_planned_as_it_is_asks_nothing(floor, account_a, sku):
    """Somebody said before that it is one: a dash number, a word, even the code of the SKU."""
    with account_context(account_a):
        made = make_replenishment((sku, 3))
        from_office = ["1234-5678", "N/A", "L2201316"]
        planning.add_serials(line_id=line_of(made).pk, serials=from_office, actor=None)
        data = line_data(submitting.submit(replenishment_id=made.pk, actor=None), serials="1234-5678\nn/a\nL2201316")
    assert post(floor, made, data).status_code == 302
    with account_context(account_a):
        assert units() == dict.fromkeys(from_office, "ready")


def test_what_is_no_serial_is_an_error_at_its_field(enter, account_a):
    answer = enter("A-1\n8.93901E+18")
    assert answer.status_code == 422
    assert "“8.93901E+18” is a number that a spreadsheet shortened" in text_of(answer)
    with account_context(account_a):
        assert not Receipt.objects.exists()


def test_an_answer_is_for_the_texts_that_it_was_about(floor, account_a, made, enter):
    asked = enter("A1-A3").context["entries"].inquiry.questions
    with account_context(account_a):
        data = line_data(made, serials="A1-A4")
    again = post(floor, made, data, **answers(asked, range="proposed"))
    assert again.status_code == 422
    assert "A1-A4: 4 serials, A1 to A4" in text_of(again)


def test_the_live_check_says_what_will_be_asked_and_what_the_scans_say(floor, account_a, made):
    with account_context(account_a):
        pk = line_of(made).pk
    page = text_of(floor.post(f"/acme/replenishments/lines/{pk}/check/", {f"line{pk}-serials": f"{SCAN}ACME-1\nA1-A3"}))
    for words in ("1 matched", "1 entry looks like a range", "1 scan says lot LOT7", "expiry 2026-12-31"):
        assert words in page
