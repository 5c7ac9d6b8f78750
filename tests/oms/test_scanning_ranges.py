"""Ranges of typed serials: what looks like one, what it means, and what it never is."""

import pytest
from hypothesis import given, strategies as st

from replenishment.ranges import BadRange, as_range, expand, find_lists, find_ranges, fingerprint, split_all

PREFIX = st.text(alphabet="ABCxyz-./ 19", max_size=8).filter(
    lambda text: text == text.strip() and not text[-1:].isdigit()
)


@given(PREFIX, st.integers(1, 12), st.integers(0, 10**6), st.integers(0, 40), st.sampled_from(["-", " - ", "–", "— "]))
def test_a_range_means_every_serial_from_its_first_to_its_last(prefix, width, first, more, dash):
    first %= 10**width
    last = min(first + more, 10**width - 1)
    ends = [f"{prefix}{number:0{width}d}" for number in (first, last)]
    found = expand([dash.join(ends)], most=100)
    assert found == [f"{prefix}{number:0{width}d}" for number in range(first, last + 1)]
    assert (found[0], found[-1], len(set(found))) == (*ends, last - first + 1)


@given(st.text(max_size=60))
def test_no_text_breaks_it_and_what_is_no_range_stays_as_it_is(text):
    found = as_range(text)
    if found is None:
        assert expand([text], most=5) == [text]
    elif found.fault:
        with pytest.raises(BadRange):
            expand([text], most=5)
    else:
        assert found.ends[0] <= found.ends[1]


@pytest.mark.parametrize(
    "text",
    [
        "A001",
        "",
        "-",
        "A001-",
        "-A001",
        "A001-B050",  # another beginning
        "12-345",  # digits alone of another length: how serials with a dash look
        "2024-A7",
        "A001-050",
        "A001X-A050X",
        "A001-A050-",
        "A٠٠١-A٠٥٠",
        "1" * 200 + "-" + "1" * 200,
    ],
)
def test_what_is_no_range(text):
    assert as_range(text) is None


@pytest.mark.parametrize(
    ("text", "first", "last", "count"),
    [
        ("A001-A050", "A001", "A050", 50),
        ("a001-A003", "a001", "a003", 3),
        ("SN-001-SN-003", "SN-001", "SN-003", 3),
        ("LOT24-A1-LOT24-A9", "LOT24-A1", "LOT24-A9", 9),
        ("001-050", "001", "050", 50),
        ("A007-A007", "A007", "A007", 1),
        ("  A1 - A2\t", "A1", "A2", 2),
    ],
)
def test_what_is_a_range(text, first, last, count):
    found = as_range(text)
    assert (found.ends, found.count, found.fault) == ((first, last), count, "")


@pytest.mark.parametrize(
    ("text", "words"), [("A1-A50", "such as A01-A50"), ("A050-A001", "the first serial comes after the last")]
)
def test_what_looks_like_a_range_but_has_a_fault_says_it(text, words):
    assert words in as_range(text).fault
    assert as_range(text).count == 0
    with pytest.raises(BadRange, match=words):
        expand(["B1", text], most=100)


def test_too_many_are_never_written_out():
    with pytest.raises(BadRange, match="101 serials, but 100 fit"):
        expand(["A001-A100", "B"], most=100)
    huge = f"A{'0' * 90}-A{'9' * 90}"
    with pytest.raises(BadRange):
        expand([huge], most=50_000)


def test_a_hostile_text_is_answered_at_once():
    for text in ("1-" * 125, "A" * 250, "-" * 250 + "1", "1-" * 124 + "1"):
        find_ranges([text] * 2_000)


def test_an_answer_is_about_the_ranges_that_were_shown():
    def token(*texts):
        return fingerprint(each.text for each in find_ranges(texts))

    assert token("A1-A2", "X") == token("Y", "A1-A2")
    assert token("A1-A2", "X") != token("A1-A3")


def test_what_looks_like_a_list():
    texts = ["Y1, Y2, Y3", "A;B", "ONE", "X,", ",;", "a b"]
    assert find_lists(texts) == ["Y1, Y2, Y3", "A;B"]
    assert split_all(texts) == ["Y1", "Y2", "Y3", "A", "B", "ONE", "X,", ",;", "a b"]
