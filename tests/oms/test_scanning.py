"""What texts of scans, lines and cells are where a serial is asked: taken, asked about or refused. No database."""

import subprocess
import sys
from datetime import date

import pytest
from hypothesis import given, strategies as st

from oms.bootstrap import ROOT
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
    Taken,
    entries,
    gtin_of,
    lines,
    parse,
    plain,
    readings,
    scans,
    serials,
)

GTIN, OTHER, SSCC = "09521234543213", "09506000134352", "106141412345678908"
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
        (f"(00){SSCC}", "product"),
        (f"(01){GTIN}(21)ACME 0007", "unread"),
        (f"(01){GTIN}(21){'A' * 21}", "unread"),
        ("(21)ACME 0007", "unread"),
        (f"(01){GTIN[:-1]}", "unread"),
        (f"]Q1(01){GTIN}(21)ACME 0007", "unread"),
        (f"https://id.gs1.org/01/{GTIN}/21/ACME%200007", "unread"),
        (f"HTTPS://shop.example/GTIN/{GTIN}/21/{'A' * 21}", "unread"),
        (f"https://id.gs1.org/01/{GTIN}/21/S1https://example.com/a", "unread"),
        (f"(01){GTIN}(10)LOT721AB", "product"),  # its ends are known: the lot has a 21 in it
        (f"https://id.gs1.org/01/{GTIN}/10/LOT721AB", "product"),
        (f"01{GTIN}240X{GS}10LOT721AB", "product"),
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


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"01{GTIN}21S1{GS}21S2", [(GTIN, "S1", ""), (GTIN, "S2", "")]),
        (f"01{GTIN}21S1|21S2|21S3", [(GTIN, "S1", ""), (GTIN, "S2", ""), (GTIN, "S3", "")]),
        (f"]C101{GTIN}21S1{GS}01{OTHER}21S2", [(GTIN, "S1", ""), (OTHER, "S2", "")]),
        (f"01{GTIN}21S1{GS}01{GTIN}21S2", [(GTIN, "S1", ""), (GTIN, "S2", "")]),
        (f"01{GTIN}10L1{GS}21S1{GS}10L2{GS}21S2", [(GTIN, "S1", "L1"), (GTIN, "S2", "L2")]),
        (f"01{GTIN}10L1{GS}21S1{GS}21S2", [(GTIN, "S1", "L1"), (GTIN, "S2", "L1")]),
        (f"01{GTIN}21S1{GS}10L1{GS}21S2", [(GTIN, "S1", "L1"), (GTIN, "S2", "")]),
        (f"]C121S1{GS}21S2", [("", "S1", ""), ("", "S2", "")]),
        (f"01{GTIN}21SN000001]C101{OTHER}21SN000002", [(GTIN, "SN000001", ""), (OTHER, "SN000002", "")]),
        (f"01{GTIN}21S01{OTHER}211", [(GTIN, "S", ""), (OTHER, "1", "")]),  # nothing between, short enough for one
        (f"(01){GTIN}(21)S1(21)S2", [(GTIN, "S1", ""), (GTIN, "S2", "")]),
        (f"(01){GTIN}(21)S1(01){OTHER}(21)S2", [(GTIN, "S1", ""), (OTHER, "S2", "")]),
        ("(21)S1(21)S2", [("", "S1", ""), ("", "S2", "")]),
        (f"https://id.gs1.org/01/{GTIN}/21/S1?21=S2", [(GTIN, "S1", ""), (GTIN, "S2", "")]),
        (
            f"https://id.gs1.org/01/{GTIN}/21/S1https://id.gs1.org/01/{OTHER}/21/S2",
            [(GTIN, "S1", ""), (OTHER, "S2", "")],
        ),
    ],
)
def test_of_several_serials_in_one_text_none_is_lost(text, parts):
    found = parse(text)
    assert isinstance(found, Asked)
    assert (found.code, [option.choice for option in found.options]) == ("scans", [PROPOSED, LEAVE])
    each = [parse(part) for part in found.options[0].texts]
    assert [(one.gtin, one.text, one.lot) for one in each] == parts
    assert [parse(part) for part in scans(text)] == each


def test_scans_of_several_lots_and_products_are_taken_apart():
    days = parse(f"01{GTIN}1726123121S1{GS}1727123121S2").options[0].texts
    assert [(one.text, one.expires_on) for one in map(parse, days)] == [
        ("S1", date(2026, 12, 31)),
        ("S2", date(2027, 12, 31)),
    ]
    assert [parse(part).code for part in parse(f"01{GTIN}01{OTHER}").options[0].texts] == ["product", "product"]


@pytest.mark.parametrize("scan", [f"01{GTIN}21S1{GS}21S1", f"01{GTIN}10L1{GS}10L1{GS}21S1{GS}240X{GS}240Y"])
def test_what_is_only_said_twice_is_one_scan(scan):
    assert (parse(scan).text, parse(scan).gtin) == ("S1", GTIN)


def test_what_is_asked_says_which_serials_a_text_may_be():
    long = "ABCDEFGHIJ0123456789"
    assert [each.text for each in parse(f"01{GTIN}21{long}").maybe] == [long]
    (one,) = parse(f"01{GTIN}10LOT721ACME-0007").maybe
    assert (one.text, one.lot, one.gtin) == ("ACME-0007", "LOT7", GTIN)
    two = parse(f"01{GTIN}10L21A21B")
    assert (two.code, [(each.lot, each.text) for each in two.maybe]) == ("product", [("L", "A21B"), ("L21A", "B")])
    assert parse(f"(01){GTIN}(10)LOT721AB").maybe == ()


def test_another_release_of_the_gs1_library_may_keep_its_companies_elsewhere():
    code = "import biip.gs1_prefixes as own; del own._GS1_COMPANY_PREFIX_TRIE; import oms.scanning"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_what_an_answer_means():
    def means(text, choice):
        return next(option.texts for option in parse(text).options if option.choice == choice)

    assert means("10023.0", PROPOSED) == ("10023",)
    assert means("MM1;MM2", PROPOSED) == ("MM1", "MM2")
    assert means("MM1;MM2", TAKE) == ("MM1;MM2",)
    assert isinstance(means("A1-A5", PROPOSED), Range)
    (parted,) = means(f"01{GTIN}10LOT721ACME-0007", PROPOSED)
    assert (parse(parted).text, parse(parted).lot, parse(parted).gtin) == ("ACME-0007", "LOT7", GTIN)
    (parted,) = means(f"]d201{GTIN}~17261231~10LOT721AB".replace("~", ""), PROPOSED)
    assert (parse(parted).text, parse(parted).lot, parse(parted).expires_on) == ("AB", "LOT7", date(2026, 12, 31))
    assert [parse(each).text for each in means(f"01{GTIN}21SN000001" * 2, PROPOSED)] == ["SN000001"] * 2


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
    assert serials(GTIN) == (GTIN,), "zeros are part of a serial"
    assert serials(f"01{GTIN}") == (f"01{GTIN}",)
    assert serials(WHOLE) == (WHOLE, "ACME-0007")
    assert serials('=""') == ()
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
