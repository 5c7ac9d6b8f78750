"""What texts of scans, lines and cells are where a serial is asked: taken, asked about or refused. No database."""

from datetime import date

import pytest
from hypothesis import given, strategies as st

from oms.scanning import (
    LEAVE,
    PROPOSED,
    TAKE,
    Asked,
    Entry,
    Given,
    Inquiry,
    Option,
    Range,
    Refused,
    Settings,
    Taken,
    entries,
    gtin_of,
    lines,
    parse,
    plain,
    readings,
    scans,
)

GTIN = "09521234543213"
GS = "\x1d"
WHOLE = f"01{GTIN}1726123110LOT7{GS}21ACME-0007"
SIGNS = ["<GS>", "<gs>", "{GS}", "[GS]", "<FNC1>", r"\x1d", r"\F", "^]", "~", "|", "\u241d"]


@pytest.mark.parametrize(
    "scan",
    [
        WHOLE,
        *(WHOLE.replace(GS, sign) for sign in SIGNS),
        *(f"{aim}{WHOLE}" for aim in ("]C1", "]d2", "]Q3", "]e0", "]J1")),
        f"]d2{GS}{WHOLE}",
        f"{GS}{WHOLE}{GS}",
        f" {WHOLE}\r\n",
        f"]d2{WHOLE.replace(GS, '<GS>')}",
        f"(01){GTIN}(17)261231(10)LOT7(21)ACME-0007",
        f"(01) {GTIN} (17) 261231 (10) LOT7 (21) ACME-0007",
        f"https://id.gs1.org/01/{GTIN}/10/LOT7/21/ACME-0007?17=261231",
        "HTTP://SHOP.EXAMPLE/p/gtin/9521234543213/lot/LOT7/ser/ACME%2D0007?exp=261231&utm=1",
        f"]Q1https://id.gs1.org/01/{GTIN}/10/LOT7/21/ACME-0007?17=261231",
    ],
)
def test_a_gs1_scan_is_one_serial_with_what_else_it_says(scan):
    found = parse(scan)
    assert isinstance(found, Taken)
    assert (found.text, found.gtin, found.lot, found.expires_on) == ("ACME-0007", GTIN, "LOT7", date(2026, 12, 31))


@pytest.mark.parametrize(
    ("scan", "text", "gtin"),
    [
        (f"01{GTIN}21ZX/0001", "ZX/0001", GTIN),  # nothing follows: no separator is needed
        (f"01{GTIN}1726123121ZX-0001", "ZX-0001", GTIN),
        (f"01{GTIN}1700000021ZX-0001", "ZX-0001", GTIN),  # a date that is none
        (f"21ZX-0001{GS}10LOT7", "ZX-0001", ""),
        ("]C121ZX-0001", "ZX-0001", ""),
        ("(21)ZX(1)", "ZX(1)", ""),
        ("]C0ACME-0014", "ACME-0014", ""),
        ("]A0ACME-0014", "ACME-0014", ""),
        ("]Q1ACME-0014", "ACME-0014", ""),
    ],
)
def test_other_scans(scan, text, gtin):
    found = parse(scan)
    assert (found.text, found.gtin) == (text, gtin)


@pytest.mark.parametrize(
    "text",
    [
        "SN00000001",
        "ZX 0001",
        "SN 12345",
        "A~B",
        "12-345",
        "(12)ABC",
        "(A)1",
        "01-952",
        "0109521234543214ABC",  # no check digit
        "00:1A:2B:3C:4D:5E",
        "12E34",
        "1E5",
        "354188073862153",
        "10023.5",
        "]weird",
        "https://example.com/a",
        "AZ:SHORT",
        "8939010102358470010",
    ],
)
def test_any_other_text_is_a_serial_as_it_is(text):
    assert parse(text) == Taken(text, text)


def test_without_its_prefix_the_second_symbol_of_a_label_is_text_that_may_be_a_serial():
    assert parse("21ZX-0001") == Taken("21ZX-0001", "21ZX-0001", others=("ZX-0001",))


def test_zeros_that_a_formula_keeps():
    assert parse('="000123"').text == "000123"
    assert plain(' ="000123" ') == "000123"


@pytest.mark.parametrize(
    "text",
    [
        "8.93901E+18",
        "8,93901E+18",
        "1e+15",
        "8.9E18",
        "#N/A",
        "#REF!",
        "#VALUE!",
        "#n/a",
        f"ZA:{'AB12' * 6}XY",
    ],
)
def test_what_is_no_serial_is_refused_with_what_to_do(text):
    found = parse(text)
    assert isinstance(found, Refused)
    assert text in found.words
    assert "export" in found.words or "Scan its serial" in found.words


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((text, "placeholder") for text in ("N/A", "n/a", "NA", "TBD", "None", "-", "--", ".", "0", "000", "—")),
        ("10023.0", "decimal"),
        ("10023,00", "decimal"),
        ("8939010102358470000", "rounded"),
        ("1234567890123450", "rounded"),
        ("A001-A005", "range"),
        ("RX1 - RX3", "range"),
        ("SN77, SN78, SN79", "list"),
        ("MM1;MM2", "list"),
        ("SN000001SN000002", "list"),
        ("H890129292H890129292", "list"),
        (f"01{GTIN}21SN000001" * 2, "scans"),
        (f"(01){GTIN}(21)SN1(01){GTIN}(21)SN2", "scans"),
        (f"(01){GTIN}(10)LOT7", "product"),
        (f"]C101{GTIN}10LOT7", "product"),
        ("]E09521234543213", "code"),
        ("]C1nothing", "unread"),
        (f"01{GTIN}10LOT7#21A-1", "unread"),
        (f"01{GTIN}10LOT721ACME-0007", "separator"),
        (f"01{GTIN}21" + "A" * 20, "transparency"),
    ],
)
def test_what_may_be_no_serial_is_asked_about(text, code):
    found = parse(text)
    assert isinstance(found, Asked)
    assert found.code == code
    assert LEAVE in {option.choice for option in found.options}


def test_what_an_answer_means():
    def means(text, choice):
        return next(option.texts for option in parse(text).options if option.choice == choice)

    assert means("10023.0", PROPOSED) == ("10023",)
    assert means("MM1;MM2", PROPOSED) == ("MM1", "MM2")
    assert means("MM1;MM2", TAKE) == ("MM1;MM2",)
    assert isinstance(means("A1-A5", PROPOSED), Range)
    (parted,) = means(f"01{GTIN}10LOT721ACME-0007", PROPOSED)
    assert (parse(parted).text, parse(parted).lot) == ("ACME-0007", "LOT7")
    assert [parse(each).text for each in means(f"01{GTIN}21SN000001" * 2, PROPOSED)] == ["SN000001"] * 2


def test_an_account_may_say_what_its_scanners_send():
    assert parse(f"01{GTIN}10LOT7#21A-1", Settings(separators=("#",))).text == "A-1"
    assert isinstance(parse(f"01{GTIN}10LOT7~21A-1", Settings(separators=("#",))), Asked)


def test_lines_end_at_cr_and_lf_only():
    text = f"A{GS}B\x0bC\x1cD\u2028E\u0085F\r\nG\rH\nI"
    assert lines(text) == [f"A{GS}B\x0bC\x1cD\u2028E\u0085F", "G", "H", "I"]
    assert entries(f" {WHOLE} \r\n\n\tX\tY ") == [WHOLE, "X", "Y"]


def test_all_that_a_search_looks_for():
    assert readings("SN-1") == ("SN-1",)
    assert readings(WHOLE) == (WHOLE, "ACME-0007")
    assert readings("]C0SN-1") == ("]C0SN-1", "SN-1")
    assert readings(f"01{GTIN}") == (f"01{GTIN}", "9521234543213")
    assert readings(GTIN) == (GTIN, "9521234543213")
    assert readings("00012348") == ("00012348",)
    assert (gtin_of(WHOLE), gtin_of("9521234543213"), gtin_of("9521234543214")) == (GTIN, "9521234543213", "")
    assert scans("A,B") == []
    assert scans(f"(01){GTIN}(21)A,B;C") == [f"(01){GTIN}(21)A,B;C"]


@given(st.text(max_size=80))
def test_no_text_breaks_it(text):
    parse(text)
    readings(text)
    entries(text)


# --- questions and answers --------------------------------------------------------------------------------------------
def judge(found):
    return [parse(entry.text, settled=entry.settled) for entry in found]


def asked(*texts, most=100, answers=None):
    return Inquiry([Entry(text, place) for place, text in enumerate(texts)], judge, Given(answers or {}), most=most)


def answered(*texts, most=100, rounds=3, **choices):
    """With one answer for each kind, as often as something is asked."""
    answers = {}
    for _round in range(rounds):
        found = asked(*texts, most=most, answers=answers)
        answers |= {each.token: choices[each.code] for each in found.questions if each.code in choices}
    return asked(*texts, most=most, answers=answers)


def test_one_question_for_each_kind():
    found = asked("A1-A3", "TBD", "B1-B2", "X", "-")
    assert [(each.code, len(each.words)) for each in found.questions] == [("range", 2), ("placeholder", 2)]
    assert found.is_open
    assert [(place, taken.text) for place, taken in found.taken] == [(3, "X")]
    assert [place for place, _asked in found.unanswered] == [0, 1, 2, 4]


def test_answers_are_taken_in_the_order_of_the_texts():
    found = answered("A1-A3", "TBD", "X;Y", range=PROPOSED, placeholder=LEAVE, list=PROPOSED)
    assert not found.is_open
    assert [(place, taken.text) for place, taken in found.taken] == [
        (0, "A1"), (0, "A2"), (0, "A3"), (2, "X"), (2, "Y"),
    ]  # fmt: skip
    kept = answered("A1-A3", "TBD", "X;Y", range=TAKE, placeholder=TAKE, list=TAKE)
    assert [taken.text for _place, taken in kept.taken] == ["A1-A3", "TBD", "X;Y"]


def test_what_a_list_holds_is_asked_about_in_its_turn_and_all_answers_stay():
    found = answered("A1-A3; TBD", "B1-B2", list=PROPOSED, range=PROPOSED, placeholder=LEAVE)
    assert not found.is_open
    assert [taken.text for _place, taken in found.taken] == ["A1", "A2", "A3", "B1", "B2"]


def test_an_answer_about_other_texts_is_none():
    (question,) = asked("A1-A3").questions
    assert not asked("A1-A3", answers={question.token: PROPOSED}).is_open
    assert asked("A1-A4", answers={question.token: PROPOSED}).is_open
    assert asked("A1-A3", "B1-B3", answers={question.token: PROPOSED}).is_open
    assert asked("A1-A3", answers={question.token: "anything"}).is_open


def test_ranges_are_never_written_out_beyond_what_fits():
    found = answered("A1-A9", "B1-B9", most=10, range=PROPOSED)
    assert "18 serials, but 10 fit" in found.refused[0][1].words
    huge = answered(f"A{'0' * 90}-A{'9' * 90}", range=PROPOSED)
    assert huge.refused
    assert not huge.taken


def test_nothing_is_left_out_in_silence():
    """Whatever a judge keeps asking, a text that nobody answered to its end is refused by name."""

    def curious(found):
        return [
            Asked("list", f"{entry.text}x", entry.text, (Option(PROPOSED, (f"{entry.text}x",)),)) for entry in found
        ]

    answers = {}
    for _round in range(20):
        found = Inquiry([Entry("A")], curious, Given(answers), most=10)
        answers |= {each.token: PROPOSED for each in found.questions}
    assert not found.is_open
    assert "put each serial in a line of its own" in found.refused[0][1].words
