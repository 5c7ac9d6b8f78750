"""What a later version of a receipt adds to the earlier ones: line by line, with its lots (a pure function)."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from channels_sync.contract import LotPart, Rejected, RemoteLine, RemoteReceipt, RemoteUnit
from channels_sync.queries.receipts import Applied, applied_lots, rest_of


def receipt(*lines):
    return RemoteReceipt("RC-1", "R-1001", datetime(2026, 11, 22, tzinfo=UTC), lines)


def line(quantity, lots=(), serials=(), position=1, sku="X"):
    """`lots` are (number, quantity), `serials` names or (name, lot)."""
    units = tuple(
        RemoteUnit(serial) if isinstance(serial, str) else RemoteUnit(serial[0], lot_number=serial[1])
        for serial in serials
    )
    parts = tuple(LotPart(number, quantity) for number, quantity in lots)
    return RemoteLine(sku, quantity, position, units, parts)


def applied(pieces, lots=(), serials=()):
    """By (position, SKU); `lots` by position, SKU and number."""
    lots = {((position, sku), number): quantity for (position, sku, number), quantity in dict(lots).items()}
    return Applied(Counter(pieces), Counter(lots), frozenset((sku, serial) for sku, serial in serials))


def rest(before, *lines):
    """(position, quantity, lots, serials) of the lines that are left."""
    return [
        (
            one.position,
            one.quantity,
            [(lot.number, lot.quantity) for lot in one.lots],
            [unit.serial for unit in one.units],
        )
        for one in rest_of(receipt(*lines), before).lines
    ]


def test_the_rest_of_a_line_of_one_lot_is_of_that_lot():
    before = applied({(1, "X"): 2}, {(1, "X", "A"): 2}, [("X", "S1"), ("X", "S2")])
    assert rest(before, line(3, [("A", 3)], ["S1", "s2", "S3"])) == [(1, 1, [("A", 1)], ["S3"])]


def test_lots_go_on_with_what_is_left_of_them():
    before = applied({(1, "X"): 5}, {(1, "X", "A"): 3, (1, "X", "B"): 2})
    lots = [("A", 3), ("B", 4), ("C", 1), ("D", None)]
    assert rest(before, line(9, lots)) == [(1, 4, [("B", 2), ("C", 1), ("D", None)], [])]


def test_a_lot_stays_while_a_unit_names_it():
    before = applied({(1, "X"): 2}, {(1, "X", "A"): 2, (1, "X", "B"): 1}, [("X", "S1"), ("X", "S3")])
    units = [("S1", "A"), ("S2", "A"), ("S3", "B")]
    assert rest(before, line(3, [("A", 2), ("B", 1)], units)) == [(1, 1, [("A", 0)], ["S2"])]


def test_two_lines_of_one_sku_count_for_themselves():
    before = applied({(1, "X"): 1, (2, "X"): 2}, serials=[("X", "S1"), ("X", "S3"), ("X", "S4")])
    lines = line(2, serials=["S1", "S2"]), line(2, serials=["S3", "S4"], position=2)
    assert rest(before, *lines) == rest(before, *reversed(lines)) == [(1, 1, [], ["S2"])]


def test_lines_without_positions_are_told_apart_by_what_is_known_of_them():
    before = applied({(None, "X"): 3}, serials=[("X", "S1"), ("X", "S2"), ("X", "S3")])
    lines = line(2, serials=["S4", "S5"], position=None), line(3, serials=["S1", "S2", "S3"], position=None)
    assert rest(before, *lines) == [(None, 2, [], ["S4", "S5"])]
    before = applied({(None, "X"): 5}, {(None, "X", "A"): 5})
    lines = line(1, [("B", 1)], position=None), line(5, [("A", 5)], position=None)
    assert rest(before, *lines) == [(None, 1, [("B", 1)], [])]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (line(5, [("B", 5)]), "A"),
        (line(5, [("A", 4), ("B", 1)]), "A"),
        (line(6, [("A", 4), ("B", 2)]), "A"),
        (line(5), "A"),
        (line(4, [("A", 4)]), "A, X"),
        (line(5, [("A", 5)], position=2), "A, X"),
        (line(5, [("A", 5)], sku="Y"), "A, X"),
    ],
)
def test_what_takes_back_needs_a_person(changed, named):
    before = applied({(1, "X"): 5}, {(1, "X", "A"): 5})
    with pytest.raises(Rejected, match=rf"takes back what it received \({named}\)"):
        rest_of(receipt(changed), before)


def test_a_lot_whose_quantity_is_not_said_any_more_takes_nothing_back():
    before = applied({(1, "X"): 5}, {(1, "X", "A"): 5})
    assert rest(before, line(5, [("A", None)])) == []


def test_lots_of_which_nobody_knows_how_much_was_applied_take_nothing_back():
    assert applied_lots([("A", 2), ("B", 1)], quantity=3, applied=1) == {}
    assert applied_lots([("A", 3)], quantity=3, applied=1) == {"A": 1}
    assert applied_lots([("A", 2), ("A", 1)], quantity=3, applied=3) == {"A": 3}
    assert applied_lots([("A", 2), ("B", 2)], quantity=3, applied=3) == {}
    before = Applied(
        Counter({(1, "X"): 1}), Counter(), frozenset({("X", "S1")}), frozenset({((1, "X"), "A"), ((1, "X"), "B")})
    )
    units = [("S1", "A"), ("S2", "A"), ("S3", "B")]
    assert rest(before, line(3, [("A", 1), ("B", 2)], units)) == [(1, 2, [("A", 1), ("B", 2)], ["S2", "S3"])]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (line(5, [("L1", 5)]), "L1"),
        (line(5, [("L1", None)]), "L1"),
        (line(8, [("L1", 8)]), "L1"),
        (line(8, [("L1", 2), ("L2", 2)]), "L1, L2"),
    ],
)
def test_lots_that_are_named_later_need_a_person(changed, named):
    before = applied({(1, "X"): 5})
    with pytest.raises(Rejected, match=rf"names lots of what was received without them \({named}\)"):
        rest_of(receipt(changed), before)
    assert rest_of(receipt(changed), before, has_lots=False), "where lots are not passed through, nothing is missed"


def test_more_of_a_lot_than_came_needs_a_person():
    before = applied({(1, "X"): 5}, {(1, "X", "A"): 3})
    with pytest.raises(Rejected, match=r"without them \(A\)"):
        rest_of(receipt(line(6, [("A", 5)])), before)
    assert rest(before, line(7, [("A", 5)])) == [(1, 2, [("A", 2)], [])]


# --- any receipt and any addition -------------------------------------------------------------------------------------
LOTS = st.dictionaries(st.sampled_from("ABCD"), st.integers(1, 4), max_size=3)
LINES = st.dictionaries(
    st.tuples(st.integers(1, 3), st.sampled_from(["X", "y"])), st.tuples(LOTS, st.integers(0, 3)), max_size=4
)


def totals(lines):
    """Pieces by line, and by line and lot."""
    pieces, lots = Counter(), Counter()
    for one in lines:
        key = one.position, one.sku_code.upper()
        pieces[key] += one.quantity
        for lot in one.lots:
            lots[key, lot.number] += lot.quantity
    return pieces, lots


def made(lines):
    """(position, SKU) → (lots, pieces without a lot), as lines with a serial for each piece."""
    return [
        line(
            sum(lots.values()) + plain,
            sorted(lots.items()),
            [f"{sku}-{position}-{lot}-{n}" for lot, count in [*lots.items(), ("", plain)] for n in range(count)],
            position,
            sku,
        )
        for (position, sku), (lots, plain) in lines.items()
    ]


def added(first, more):
    """Both together."""
    none: tuple = ({}, 0)
    return {
        key: (
            dict(Counter(first.get(key, none)[0]) + Counter(more.get(key, none)[0])),
            first.get(key, none)[1] + more.get(key, none)[1],
        )
        for key in {**first, **more}
    }


@given(LINES, LINES, st.randoms(use_true_random=False))
def test_what_was_applied_and_the_rest_are_the_later_version(first, more, random):
    before, after = made(first), made(added(first, more))
    random.shuffle(after)
    pieces, lots = totals(before)
    serials = {(one.sku_code.upper(), unit.serial.upper()) for one in before for unit in one.units}
    left = rest_of(receipt(*after), Applied(pieces, lots, frozenset(serials)))
    rest_pieces, rest_lots = totals(left.lines)
    assert (pieces + rest_pieces, lots + rest_lots) == tuple(+total for total in totals(after))
    assert all(one.quantity == len(one.units) for one in left.lines)
    found = {(one.sku_code.upper(), unit.serial.upper()) for one in left.lines for unit in one.units}
    assert serials | found == {(one.sku_code.upper(), unit.serial.upper()) for one in after for unit in one.units}
    assert not serials & found
    again = rest_of(receipt(*after), Applied(*totals(after), frozenset(serials | found)))
    assert again.lines == (), "and then nothing is left"


def partly(lines, is_applied):
    """What was applied of lines of which each unit either was or waits, as the database keeps it."""
    pieces, lots, serials, vague = Counter(), Counter(), set(), set()
    for one in lines:
        key = one.position, one.sku_code.upper()
        units = [unit.serial.upper() for unit in one.units if is_applied()]
        sent = [(lot.number, lot.quantity) for lot in one.lots]
        if not units:
            continue
        counted = applied_lots(sent, quantity=one.quantity, applied=len(units))
        pieces[key] += len(units)
        lots.update({(key, number): count for number, count in counted.items()})
        serials |= {(key[1], unit) for unit in units}
        if len(units) < one.quantity:
            vague |= {(key, number) for number, _count in sent if number not in counted}
    return Applied(pieces, lots, frozenset(serials), frozenset(vague))


@given(LINES, LINES, st.randoms(use_true_random=False))
def test_what_waits_of_partly_applied_lines_is_never_refused(first, more, random):
    """The warehouse corrects what was wrong with the others, and may add to it: no unit is lost, none comes twice."""
    before = partly(made(first), lambda: random.random() < 0.6)
    after = made(added(first, more))
    left = rest_of(receipt(*after), before)
    rest_pieces, _lots = totals(left.lines)
    assert before.pieces + rest_pieces == +totals(after)[0]
    found = [(one.sku_code.upper(), unit.serial.upper()) for one in left.lines for unit in one.units]
    assert sorted([*found, *before.serials]) == sorted(
        (one.sku_code.upper(), unit.serial.upper()) for one in after for unit in one.units
    )
