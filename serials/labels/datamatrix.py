"""Data Matrix ECC 200 (ISO/IEC 16022), square symbols up to 48 × 48, ASCII encodation.

Built as integers: where each codeword's eight modules lie is worked out once for a size, and a symbol is then the OR of
one table entry for each codeword.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from django.utils.translation import gettext as _

from oms.errors import DomainError
from serials.labels.gs1 import FNC1
from serials.labels.matrix import Matrix, from_strip_bits, strip_bit
from serials.labels.reed_solomon import check_words

FIELD, FIRST_ROOT = 0x12D, 1
PAD, FUNCTION_1, DIGITS = 129, 232, 130
QUIET = 1
SIZES = (
    (10, 1, 3, 5), (12, 1, 5, 7), (14, 1, 8, 10), (16, 1, 12, 12), (18, 1, 18, 14), (20, 1, 22, 18), (22, 1, 30, 20),
    (24, 1, 36, 24), (26, 1, 44, 28), (32, 2, 62, 36), (36, 2, 86, 42), (40, 2, 114, 48), (44, 2, 144, 56),
    (48, 2, 174, 68),
)  # fmt: skip
"""Modules of a side, regions of a side, data and check codewords (table 7); larger ones have several blocks."""


def codewords(text: str, *, is_gs1: bool) -> bytes:
    """ASCII encodation: pairs of digits in one codeword, FNC1 first and as separator where it is a GS1 symbol."""
    found, at = bytearray([FUNCTION_1] if is_gs1 else []), 0
    while at < len(text):
        pair = text[at : at + 2]
        if len(pair) == 2 and pair.isdigit():
            found.append(DIGITS + int(pair))
            at += 2
            continue
        found.append(FUNCTION_1 if is_gs1 and text[at] == FNC1 else ord(text[at]) + 1)
        at += 1
    return bytes(found)


def encode(text: str, *, is_gs1: bool) -> Matrix:
    """The symbol of an ASCII text. Raises DomainError for one that is too long."""
    data = codewords(text, is_gs1=is_gs1)
    for size, regions, most, checks in SIZES:
        if len(data) <= most:
            words = _padded(data, most)
            table = _table(size, regions)
            bits = table.frame
            for entry, word in zip(table.words, words + check_words(words, checks, field=FIELD, first=FIRST_ROOT)):  # noqa: B905 - padding beyond the last
                bits |= entry[word]
            return from_strip_bits(size, QUIET, bits)
    raise DomainError(_("“%(text)s” is too long for a DataMatrix symbol.") % {"text": text})


def _padded(data: bytes, most: int) -> bytes:
    """Filled up: one pad, then pads that no scanner mistakes for a pattern (annex B.1, the 253-state algorithm)."""
    found = bytearray(data)
    if len(found) < most:
        found.append(PAD)
    for place in range(len(found) + 1, most + 1):
        pad = PAD + 149 * place % 253 + 1
        found.append(pad if pad <= 254 else pad - 254)
    return bytes(found)


@dataclass(frozen=True)
class _Table:
    """A size of symbol: what is dark in all of them, and for each codeword and value the modules that it makes dark."""

    frame: int
    words: tuple[tuple[int, ...], ...]


@cache
def _table(size: int, regions: int) -> _Table:
    inner = size // regions - 2  # of one region, without its finder pattern
    side = inner * regions

    def bit(row: int, column: int) -> int:
        """Of a module of the mapping matrix, which has no finder patterns between its regions."""
        return strip_bit(size, row + 1 + 2 * (row // inner), column + 1 + 2 * (column // inner))

    frame = sum(
        strip_bit(size, row, column)
        for row in range(size)
        for column in range(size)
        if column % (inner + 2) == 0
        or row % (inner + 2) == inner + 1
        or (row % (inner + 2) == 0 and column % 2 == 0)
        or (column % (inner + 2) == inner + 1 and row % 2 == 1)
    )
    places, corner = _placement(side)
    frame |= sum(bit(row, column) for row, column in corner)
    words = []
    for modules in places:
        bits = [bit(row, column) for row, column in modules]
        words.append(tuple(sum(bits[n] for n in range(8) if value >> (7 - n) & 1) for value in range(256)))
    return _Table(frame, tuple(words))


Place = tuple[int, int]
_UTAH = ((-2, -2), (-2, -1), (-1, -2), (-1, -1), (-1, 0), (0, -2), (0, -1), (0, 0))


def _corner_shapes(n: int) -> dict[str, tuple[Place, ...]]:
    """The four shapes of codewords at the corners (annex F), for a mapping matrix with n modules a side."""
    return {
        "1": ((n - 1, 0), (n - 1, 1), (n - 1, 2), (0, n - 2), (0, n - 1), (1, n - 1), (2, n - 1), (3, n - 1)),
        "2": ((n - 3, 0), (n - 2, 0), (n - 1, 0), (0, n - 4), (0, n - 3), (0, n - 2), (0, n - 1), (1, n - 1)),
        "3": ((n - 3, 0), (n - 2, 0), (n - 1, 0), (0, n - 2), (0, n - 1), (1, n - 1), (2, n - 1), (3, n - 1)),
        "4": ((n - 1, 0), (n - 1, n - 1), (0, n - 3), (0, n - 2), (0, n - 1), (1, n - 3), (1, n - 2), (1, n - 1)),
    }


def _walk(n: int) -> Iterator[tuple[int, int, bool]]:
    """The diagonal way through the mapping matrix: row, column, and whether a stroke upwards begins there."""
    row, column, step = 4, 0, -1
    while row < n or column < n:
        is_start = step < 0
        while True:
            yield row, column, is_start
            is_start = False
            row, column = row + 2 * step, column - 2 * step
            if (row < 0 or column >= n) if step < 0 else (row >= n or column < 0):
                break
        row, column, step = (row + 1, column + 3, 1) if step < 0 else (row + 3, column + 1, -1)


def _placement(n: int) -> tuple[list[tuple[Place, ...]], list[Place]]:
    """Where the modules of each codeword lie, the highest bit first, and the dark modules of an unused corner."""
    found: list[tuple[Place, ...]] = []
    taken: set[Place] = set()

    def put(places: tuple[Place, ...]) -> None:
        found.append(places)
        taken.update(places)

    shapes, corners = _corner_shapes(n), {(n, 0): "1"}
    if n % 8 == 0:
        corners[n + 4, 2] = "4"
    if n % 4:
        corners[n - 2, 0] = "2"
    elif n % 8 == 4:
        corners[n - 2, 0] = "3"
    for row, column, is_start in _walk(n):
        if is_start and (row, column) in corners:
            put(shapes[corners[row, column]])
        if 0 <= row < n and 0 <= column < n and (row, column) not in taken:
            put(tuple(_wrapped(row + down, column + right, n) for down, right in _UTAH))
    unused = [(n - 1, n - 1), (n - 2, n - 2)] if (n - 1, n - 1) not in taken else []
    return found, unused


def _wrapped(row: int, column: int, n: int) -> Place:
    """A place beyond the upper or left edge comes in at the other side."""
    if row < 0:
        row, column = row + n, column + 4 - (n + 4) % 8
    if column < 0:
        row, column = row + 4 - (n + 4) % 8, column + n
    return row, column
