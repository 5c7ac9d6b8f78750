"""A two-dimensional symbol."""

from collections.abc import Sequence
from dataclasses import dataclass

STRIP = 4


@dataclass(frozen=True, slots=True)
class Matrix:
    """A square of modules without its quiet zone.

    `strips` holds it as hexadecimal digits, one text for each four rows from the top: a digit is four modules of one
    column, the highest bit on top. That is how it is drawn (see pdf.py), and it costs half a byte for four modules.
    """

    size: int
    quiet: int
    strips: tuple[str, ...]

    def is_dark(self, row: int, column: int) -> bool:
        """Whether a module is dark."""
        return bool(int(self.strips[row // STRIP][column], 16) >> (STRIP - 1 - row % STRIP) & 1)

    @property
    def rows(self) -> list[str]:
        """Ones and zeros, row by row."""
        columns = [
            ["".join(bits) for bits in zip(*(f"{int(digit, 16):04b}" for digit in strip), strict=True)]
            for strip in self.strips
        ]
        return [row for strip in columns for row in strip][: self.size]


def from_strip_bits(size: int, quiet: int, bits: int) -> Matrix:
    """A matrix from one integer: strip by strip, in a strip column by column, in a column from the top."""
    digits = f"{bits:0{size * -(-size // STRIP)}x}"
    return Matrix(size, quiet, tuple(digits[at : at + size] for at in range(0, len(digits), size)))


def from_rows(rows: Sequence[Sequence[int]], quiet: int) -> Matrix:
    """A matrix from rows of modules, 1 for a dark one."""
    size = len(rows)
    blank = [0] * size
    fours = [[*rows[at : at + STRIP], blank, blank, blank][:STRIP] for at in range(0, size, STRIP)]
    columns = [[a << 3 | b << 2 | c << 1 | d for a, b, c, d in zip(*four, strict=True)] for four in fours]
    return Matrix(size, quiet, tuple("".join([f"{digit:x}" for digit in strip]) for strip in columns))


def strip_bit(size: int, row: int, column: int) -> int:
    """The bit of a module in such an integer."""
    strips = -(-size // STRIP)
    place = ((row // STRIP) * size + column) * STRIP + row % STRIP
    return 1 << (strips * size * STRIP - 1 - place)
