"""Ranges of typed serials: what looks like one, what it means, and what it never is."""

import pytest
from hypothesis import given, strategies as st

from oms.scanning.ranges import as_range, split

PREFIX = st.text(alphabet="ABCxyz-./ 19", max_size=8).filter(
    lambda text: text == text.strip() and not text[-1:].isdigit()
)


@given(PREFIX, st.integers(1, 12), st.integers(0, 10**6), st.integers(0, 40), st.sampled_from(["-", " - ", "–", "— "]))
def test_a_range_means_every_serial_from_its_first_to_its_last(prefix, width, first, more, dash):
    first %= 10**width
    last = min(first + more, 10**width - 1)
    ends = [f"{prefix}{number:0{width}d}" for number in (first, last)]
    found = list(as_range(dash.join(ends)).serials())
    assert found == [f"{prefix}{number:0{width}d}" for number in range(first, last + 1)]
    assert (found[0], found[-1], len(set(found))) == (*ends, last - first + 1)


@given(st.text(max_size=60))
def test_no_text_breaks_it(text):
    found = as_range(text)
    if found is not None and not found.fault:
        assert found.first <= found.last
    assert split(text)


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


def test_a_hostile_text_is_answered_at_once():
    for text in ("1-" * 125, "A" * 250, "-" * 250 + "1", "1-" * 124 + "1"):
        for _time in range(2_000):
            as_range(text)
            split(text)


@pytest.mark.parametrize(
    ("text", "first", "last", "count"),
    [
        ("FU12 - 15", "FU12", "FU15", 4),
        ("98 - 103", "98", "103", 6),
        ("V5678X - V5680X", "V5678X", "V5680X", 3),
        ("A100 to A105", "A100", "A105", 6),
        ("A100..A105", "A100", "A105", 6),
        ("A100 .. A105", "A100", "A105", 6),
        ("A100:A105", "A100", "A105", 6),
        ("A100 : A105", "A100", "A105", 6),
        ("Z150-0009 - Z150-0013", "Z150-0009", "Z150-0013", 5),
        ("A1005 – 09", "A1005", "A1009", 5),
        ("100+5", "100", "105", 6),
        ("A100 + 5", "A100", "A105", 6),
    ],
)
def test_other_ways_to_write_a_range(text, first, last, count):
    found = as_range(text)
    assert (found.ends, found.count, found.fault) == ((first, last), count, "")


@pytest.mark.parametrize(
    "text", ["00:1A:2B:3C:4D:5E", "12:34", "192.168.1.1", "A1 B2", "A to B", "100+", "+5", "C+1+0"]
)
def test_what_only_has_their_signs_is_none(text):
    assert as_range(text) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Y1, Y2, Y3", ["Y1", "Y2", "Y3"]),
        ("A;B", ["A", "B"]),
        ("A1|B2", ["A1", "B2"]),
        ("A1 / A2 & A3", ["A1", "A2", "A3"]),
        ("H890129292 K87827327", ["H890129292", "K87827327"]),
        ("ONE", ["ONE"]),
        ("X,", ["X,"]),
        (",;", [",;"]),
        ("a b", ["a b"]),
        ("SN 12345", ["SN 12345"]),
        ("A/1", ["A/1"]),
    ],
)
def test_what_looks_like_a_list(text, parts):
    assert split(text) == parts
