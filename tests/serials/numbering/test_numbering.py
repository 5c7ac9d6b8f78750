"""Numbers, check characters, rules and look-alikes: pure functions, no database."""

import time
from datetime import date

import pytest
from hypothesis import given, settings, strategies as st

from serials.numbering import BadSerial, check
from serials.numbering.check_characters import ALPHANUMERIC, DIGITS, Check
from serials.numbering.lookalikes import GROUPS, folded, variants
from serials.numbering.rules import GS1_82, LONGEST_PATTERN, BadRule, Characters, Rule
from serials.numbering.schemes import Alphabet, BadScheme, Scheme

DAY = date(2026, 11, 22)
PARTS = ["{YYYY}", "{YY}", "{MM}", "{DD}", "{WW}", "{DDD}"]


def numbers(scheme, first=1, count=3, on=DAY):
    return list(scheme.numbers(first, count, on))


# --- check characters -------------------------------------------------------------------------------------------------
# Published numbers. MOD 37,36: the example of a GRid (IFPI, "GRid Standard") and ISANs (ISO 15706; the second is that
# of RFC 4246). Luhn: the usual worked example, and an IMEI (3GPP TS 23.003, annex B, has the same algorithm).
@pytest.mark.parametrize(
    ("system", "whole"),
    [
        (Check.MOD37_36, "A1-2425G-ABC1234002-M"),
        (Check.MOD37_36, "0000-0001-8947-0000-8"),
        (Check.MOD37_36, "0000-0000-D07A-0090-Q"),
        (Check.LUHN, "79927398713"),
        (Check.LUHN, "490154203237518"),
    ],
)
def test_published_numbers_have_this_check_character(system, whole):
    assert system.of(whole[:-1]) == whole[-1]


def plain_mod37_36(text):
    """ISO/IEC 7064, 9: the hybrid system, as the standard words it."""
    product = 36
    for symbol in text:
        total = (product + ALPHANUMERIC.index(symbol)) % 36
        product = (total or 36) * 2 % 37
    return next(symbol for value, symbol in enumerate(ALPHANUMERIC) if (product + value) % 36 == 1)


def plain_luhn(text):
    """ISO/IEC 7812-1, annex B: from the right, every second digit twice, starting with the last."""
    total = 0
    for place, symbol in enumerate(reversed(text)):
        twice = int(symbol) * (2 if place % 2 == 0 else 1)
        total += twice // 10 + twice % 10
    return str(-total % 10)


@given(st.text(ALPHANUMERIC, min_size=1, max_size=30), st.text(DIGITS, min_size=1, max_size=30))
def test_both_systems_say_what_the_standards_say(text, digits):
    assert Check.MOD37_36.of(text) == plain_mod37_36(text)
    assert Check.LUHN.of(digits) == plain_luhn(digits)


@given(st.text(ALPHANUMERIC, min_size=2, max_size=20), st.data())
def test_one_wrong_character_or_two_that_changed_places_are_found(text, data):
    whole = text + Check.MOD37_36.of(text)
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.sampled_from(ALPHANUMERIC).filter(lambda symbol: symbol != whole[place]))
    wrong = whole[:place] + other + whole[place + 1 :]
    assert Check.MOD37_36.of(wrong[:-1]) != wrong[-1]


# --- schemes ----------------------------------------------------------------------------------------------------------
def test_a_plain_scheme_counts():
    assert numbers(Scheme()) == ["SN00000001", "SN00000002", "SN00000003"]
    assert numbers(Scheme("", 3), 998, 2) == ["998", "999"]


def test_the_day_stands_in_the_prefix():
    assert numbers(Scheme("SN{YY}{MM}{DD}-", 4), count=1) == ["SN261122-0001"]
    assert numbers(Scheme("{YYYY}.{DDD}/", 2), count=1) == ["2026.326/01"]
    assert numbers(Scheme("{YY}W{WW}-", 2), count=1) == ["26W47-01"]


def test_a_year_beside_a_week_is_the_years_of_that_week():
    assert numbers(Scheme("{YY}{WW}-", 2), count=1, on=date(2027, 1, 1)) == ["2653-01"]
    assert numbers(Scheme("{YY}{DDD}-", 2), count=1, on=date(2027, 1, 1)) == ["27001-01"]


def test_other_alphabets_count_on_in_their_own_order():
    assert numbers(Scheme("A", 2, Alphabet.ALPHANUMERIC), 35, 2) == ["A0Z", "A10"]
    assert numbers(Scheme("A", 3, Alphabet.NO_LOOKALIKES), 19, 2) == ["A33Y", "A343"]
    for alphabet in Alphabet:
        assert list(alphabet) == sorted(set(alphabet)), "texts sort as their counters"


def test_the_alphabet_without_look_alikes_has_none():
    assert set(Alphabet.NO_LOOKALIKES) == set(ALPHANUMERIC) - set("".join(GROUPS))


def test_a_used_up_scheme_says_so():
    for first, count in ((9, 2), (10, 1), (0, 1)):
        with pytest.raises(BadSerial):
            numbers(Scheme("A", 1), first, count)
    assert numbers(Scheme("A", 1), 9, 1) == ["A9"]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("prefix", {"prefix": "sn"}),
        ("prefix", {"prefix": "-A"}),
        ("prefix", {"prefix": "A B"}),
        ("prefix", {"prefix": "É"}),
        ("prefix", {"prefix": "{HH}"}),
        ("prefix", {"prefix": "A{YY"}),
        ("prefix", {"prefix": "A" * 41}),
        ("width", {"width": 0}),
        ("width", {"width": 19}),
        ("width", {"width": 12, "alphabet": Alphabet.ALPHANUMERIC}),
        ("width", {"prefix": "A" * 35}),
        ("width", {"prefix": "A" * 13, "is_gs1_safe": True}),
        ("width", {"prefix": "A" * 12, "is_gs1_safe": True, "check": Check.MOD37_36}),
        ("check_kind", {"prefix": "SN", "check": Check.LUHN}),
        ("check_kind", {"prefix": "1", "alphabet": Alphabet.ALPHANUMERIC, "check": Check.LUHN}),
    ],
)
def test_what_cannot_be_a_scheme_names_its_field(field, values):
    with pytest.raises(BadScheme) as refused:
        Scheme(**values)
    assert refused.value.field == field


def test_a_scheme_knows_when_it_runs_out():
    small, large = Scheme("A", 3), Scheme("A", 8)
    assert (small.left(1), small.left(999), small.left(1000)) == (999, 1, 0)
    assert [small.is_low(n) for n in (1, 901, 902, 1000)] == [False, False, True, True]
    assert [large.is_low(n) for n in (1, 10**8 - 100_000, 10**8 - 99_999)] == [False, False, True]


def test_schemes_whose_numbers_may_be_the_same():
    assert Scheme("SN", 8).may_equal(Scheme("SN0", 7))
    assert Scheme("SN{YY}", 6).may_equal(Scheme("SN", 8))
    assert Scheme("SN", 7, check=Check.MOD37_36).may_equal(Scheme("SN", 8))
    assert not Scheme("SN", 8).may_equal(Scheme("SN", 9))
    assert not Scheme("SN", 8).may_equal(Scheme("SNA", 7))
    assert not Scheme("SN", 8).may_equal(Scheme("SM", 8))


prefixes = st.lists(st.one_of(st.sampled_from([*ALPHANUMERIC, *PARTS]), st.sampled_from("./-")), max_size=6).map(
    "".join
)


@st.composite
def random_schemes(draw):
    """Any scheme that can be."""
    values = draw(prefixes), draw(st.integers(1, 18)), draw(st.sampled_from(Alphabet)), draw(st.sampled_from(Check))
    try:
        return Scheme(*values, draw(st.booleans()))
    except BadScheme:
        return Scheme(values[0].lstrip("./-"), 3, Alphabet.DIGITS, Check.NONE)


days = st.dates(date(1990, 1, 1), date(2150, 12, 31))


def assert_good(scheme, first, found, on):
    """Numbers are different, have the scheme's shape, can be serials, and lead back to their counters."""
    assert len(set(found)) == len(found)
    for counter in (first, first + len(found) // 2, first + len(found) - 1):
        text = found[counter - first]
        assert scheme.number(counter, on) == text
        assert scheme.counter_of(text) == counter
    for text in found:
        assert check(text) == text
        assert len(text) == len(scheme.places)
        if scheme.check.symbols:
            assert scheme.check.of(text[:-1]) == text[-1]
        if scheme.is_gs1_safe:
            assert len(text) <= 20
            assert set(text) <= set(GS1_82)


@given(random_schemes(), st.data(), days)
def test_any_scheme_gives_good_numbers(scheme, data, on):
    count = data.draw(st.integers(1, min(50, scheme.last)))
    first = data.draw(st.integers(1, scheme.last - count + 1))
    found = numbers(scheme, first, count, on)
    assert len(found) == count
    assert_good(scheme, first, found, on)


@given(random_schemes(), random_schemes(), st.data(), days)
def test_schemes_that_give_the_same_number_are_said_to(one, other, data, on):
    text = one.number(data.draw(st.integers(1, one.last)), on)
    if other.verify(text):
        assert one.may_equal(other)
        assert other.may_equal(one)


@given(random_schemes(), st.data(), days)
def test_a_number_with_one_wrong_character_fails_its_check(scheme, data, on):
    if scheme.check.symbols:
        text = scheme.number(data.draw(st.integers(1, scheme.last)), on)
        place = data.draw(st.integers(0, len(text) - 1).filter(lambda n: text[n] not in "./-"))
        other = data.draw(st.sampled_from(ALPHANUMERIC).filter(lambda symbol: symbol != text[place]))
        assert not scheme.verify(text[:place] + other + text[place + 1 :])


@pytest.mark.slow
def test_a_million_numbers_of_random_schemes():
    """Unique within their scheme whatever the day, valid, and their check characters verify."""
    seen, total = {}, 0

    @settings(max_examples=400, deadline=None, database=None)
    @given(random_schemes(), st.randoms(use_true_random=False), days)
    def run(scheme, chance, on):
        nonlocal total
        count = min(5_000, scheme.last)
        first = chance.randint(1, scheme.last - count + 1)
        found = numbers(scheme, first, count, on)
        assert_good(scheme, first, found, on)
        known = seen.setdefault(scheme, {})
        for counter, text in enumerate(found, first):
            assert known.setdefault(text, counter) == counter
        total += count

    while total < 1_000_000:
        run()
    assert total >= 1_000_000


@pytest.mark.parametrize(
    ("scheme", "least"),
    [(Scheme(), 500_000), (Scheme("SN{YY}-", 8, Alphabet.ALPHANUMERIC, Check.MOD37_36), 150_000)],
)
def test_numbers_are_made_fast(scheme, least):
    def seconds():
        started = time.perf_counter()
        numbers(scheme, 12_345, 100_000)
        return time.perf_counter() - started

    assert 100_000 / min(seconds() for _turn in range(3)) >= least


# --- rules ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (Rule(4, 6), ["AB12", "ab-123"], ["ABC", "ABCDEFG"]),
        (Rule(characters=Characters.DIGITS), ["0123"], ["12A", "1-2", "١٢"]),
        (Rule(characters=Characters.ALPHANUMERIC), ["ab12"], ["A-1", "É"]),
        (Rule(characters=Characters.GS1), ["A-1/b", "A_1?"], ["A#1", "A 1", "É"]),
        (Rule(pattern="[a-z]{2}[0-9]+"), ["ab1", "AB12", " AB12 "], ["A1", "AB", "XAB1", "AB1X"]),
        (Rule(), ["anything é", "#"], ["", "a\tb", "x" * 101]),
    ],
)
def test_a_rule_takes_what_fits_and_says_why_not(rule, good, bad):
    for serial in good:
        rule.check(serial)
    for serial in bad:
        with pytest.raises(BadSerial) as refused:
            rule.check(serial)
        assert str(refused.value).endswith(".") or rule.pattern


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("max_length", {"min_length": 0}),
        ("max_length", {"min_length": 9, "max_length": 8}),
        ("max_length", {"max_length": 101}),
        ("pattern", {"pattern": "("}),
        ("pattern", {"pattern": "(?=A)A"}),
        ("pattern", {"pattern": r"(A)\1"}),
        ("pattern", {"pattern": "A" * (LONGEST_PATTERN + 1)}),
        ("pattern", {"pattern": "(((A{1000}){1000}){1000}){1000}"}),
    ],
)
def test_what_cannot_be_a_rule_names_its_field(field, values):
    with pytest.raises(BadRule) as refused:
        Rule(**values)
    assert refused.value.field == field


EVIL = ["(A+)+B", "(A|AA)+B", "(A|A?)+B", "(.*A){25}B", "(A*)*(A*)*B", "^(([A-Z])+.)+[A-Z]([A-Z])+$9"]


@pytest.mark.parametrize("pattern", EVIL)
def test_no_expression_takes_long(pattern):
    """Each keeps Python's re busy for longer than a person lives."""
    rule, started = Rule(pattern=pattern), time.perf_counter()
    for _turn in range(100):
        assert rule.fault("A" * 100)
    assert time.perf_counter() - started < 1


# --- look-alikes ------------------------------------------------------------------------------------------------------
def test_look_alikes_fold_to_the_same():
    assert folded("O0Q-1IL-Z-S5-8B") == folded("000-111-2-55-88")
    assert folded("ACDEF") == "ACDEF"


def test_variants_are_all_where_they_are_few():
    assert set(variants("AO", 64)) == {"A0", "AQ"}
    assert variants("ACE", 64) == []
    assert set(variants("1Z", 64)) == {a + b for a in "1IL" for b in "2Z"} - {"1Z"}


@given(st.text(ALPHANUMERIC + "-", min_size=1, max_size=25), st.integers(1, 64))
def test_variants_look_like_their_origin(key, most):
    found = variants(key, most)
    assert len(found) == len(set(found)) <= most
    assert key not in found
    assert {folded(other) for other in found} <= {folded(key)}


@given(st.text(ALPHANUMERIC, min_size=1, max_size=12), st.sampled_from(GROUPS), st.data())
def test_a_character_that_is_written_otherwise_all_through_is_found(key, group, data):
    one, other = data.draw(st.sampled_from(group)), data.draw(st.sampled_from(group))
    key = "".join(one if symbol in group else symbol for symbol in key)
    typed = key.replace(one, other)
    assert typed == key or key in variants(typed, 20)


def test_the_closest_variants_come_first():
    key = "0" * 20
    found = variants(key, 40)
    assert len(found) == 40
    assert {sum(a != b for a, b in zip(key, other, strict=True)) for other in found} == {1, 20}
