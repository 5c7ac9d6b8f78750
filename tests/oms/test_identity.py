"""When two texts are the same, over all of Unicode, and which texts are refused."""

import unicodedata

import pytest
from hypothesis import example, given, strategies as st

from oms import identity

EVERY_CHARACTER = [chr(code) for code in range(0x110000)]
# What no text may hold by its general category alone; nothing maps to it or from it.
UNSEEN = [
    letter for letter in EVERY_CHARACTER if unicodedata.category(letter) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
]
SEEN = sorted(set(EVERY_CHARACTER) - set(UNSEEN))


@pytest.mark.parametrize("around", ["{}", "A{}1", "i{}", "{}\u0307"])
def test_the_key_of_a_key_is_the_key_for_every_character(around):
    unstable = [
        letter
        for letter in SEEN
        if identity.key(key := identity.key(around.format(letter))) != key or key != key.strip()
    ]
    assert unstable == []


@given(st.text(max_size=12))
@example("i\u03071")
@example("\u1e9e\u017f\ufb03")
@example("\u00a8x")
def test_the_key_of_a_key_is_the_key(text):
    key = identity.key(text)
    assert identity.key(key) == key == key.strip()


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        (" sn-1 a ", "SN-1 A"),
        ("ＳＮ１", "SN1"),
        ("i\u03071", "\u01301"),
        ("\u01301", "\u01301"),
        ("straße", "STRASSE"),
        ("STRA\u1e9eE", "STRA\u1e9eE"),
        ("ﬁx", "FIX"),
        ("SN\u00a01", "SN 1"),
        ("´a", "\u0301A"),
    ],
)
def test_what_is_the_same(typed, key):
    assert identity.key(typed) == key


SEEN_NOT = "it cannot be seen"
NO_CHARACTER = "it is no character that can be kept"


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("SN\u034f1", "U+034F (COMBINING GRAPHEME JOINER), character 3", SEEN_NOT),
        ("SN\u28001", "U+2800 (BRAILLE PATTERN BLANK), character 3", SEEN_NOT),
        ("SN\u202e1", "U+202E (RIGHT-TO-LEFT OVERRIDE), character 3", "it turns the direction of the text"),
        ("S\tN", "U+0009 (TAB), character 2", SEEN_NOT),
        ("S\0N", "U+0000 (NULL), character 2", SEEN_NOT),
        ("S\x01N", "U+0001 (CONTROL), character 2", SEEN_NOT),
        ("S\ud800", "U+D800 (HALF A CHARACTER), character 2", NO_CHARACTER),
        ("S\u0378", "U+0378 (UNASSIGNED), character 2", NO_CHARACTER),
    ],
)
def test_a_refusal_names_the_character_and_says_what_to_do(text, name, why):
    assert identity.refusal(text) == f"Remove {name} of this text: {why}."
    with pytest.raises(identity.BadText, match=r"^Remove U\+"):
        identity.check(text, most=100)


@pytest.mark.parametrize(
    "letter",
    # The fifteen that Python calls printable, and those that hide in a run of others.
    [*"\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\ufe00\ufe0f\uffa0", "\U000e0100", "\U000e01ef"],
)
def test_what_is_printable_and_yet_cannot_be_seen_is_refused(letter):
    assert letter.isprintable()
    assert identity.refusal(f"SN{letter}1")
    assert identity.refusal_of_words(f"SN{letter}1")


def test_every_character_of_an_unseen_category_is_refused_and_no_key_of_the_others_holds_one():
    assert [letter for letter in UNSEEN if not identity.is_hidden(letter)] == []
    taken = [letter for letter in SEEN if not identity.is_hidden(letter)]
    assert len(SEEN) - len(taken) < 300
    assert [letter for letter in taken if any(map(identity.is_hidden, identity.key(letter)))] == []


@given(st.text(max_size=12).filter(lambda text: not identity.refusal(text)))
def test_a_key_of_a_good_text_is_a_good_text(text):
    assert identity.refusal(identity.key(text)) == ""


@pytest.mark.parametrize("text", ["SN-1 a", "Größe", "Ⅷ", "١٢", "漢字", "ก้", "e\u0301", "SN\u00a01", " SN1 \t"])
def test_what_can_be_seen_is_taken(text):
    assert identity.refusal(text) == ""
    assert identity.check(text, most=100) == identity.key(text)


def test_length_counts_as_typed_and_as_a_key():
    assert identity.check("ß" * 50, most=100) == "SS" * 50
    with pytest.raises(identity.BadText, match="100 characters at most; this text has 102"):
        identity.check("ß" * 51, most=100)
    with pytest.raises(identity.BadText, match="4 characters at most; this text has 5"):
        identity.check("e\u0301" * 2 + "e", most=4)
    with pytest.raises(identity.BadText, match="cannot be empty"):
        identity.check(" \u3000", most=100)


def test_words_may_hold_what_shapes_their_letters_and_notes_line_breaks():
    assert identity.refusal_of_words("می\u200cخواهم ❤\ufe0f 👨\u200d👩") == ""
    assert "U+200C" in identity.refusal_of_words("Ann\u200ca")
    assert "U+202E" in identity.refusal_of_words("می\u202e")
    assert "U+000A" in identity.refusal_of_words("a\nb")
    assert identity.refusal_of_words("a\r\n\tb", may_break=True) == ""
    assert "U+000B" in identity.refusal_of_words("a\x0bb", may_break=True)
    assert "U+200C" in identity.refusal("می\u200cخواهم")


def test_a_second_row_of_a_key_gets_its_id_behind_it_within_the_length():
    assert identity.apart("SN1", 7) == "SN1~7"
    assert identity.apart("S" * 100, 1234) == "S" * 95 + "~1234"
