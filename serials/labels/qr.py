"""QR code (ISO/IEC 18004), versions 1 to 13, error correction level M, one segment.

A symbol is one integer of its modules, row by row, so that masks, and the penalties that choose among them, are a few
operations on big integers instead of loops over modules.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, reduce
from itertools import chain, product, zip_longest
from operator import itemgetter

from django.utils.translation import gettext as _

from oms.errors import DomainError
from serials.labels.matrix import STRIP, Matrix, from_strip_bits
from serials.labels.reed_solomon import check_words

FIELD, FIRST_ROOT = 0x11D, 0
QUIET = 4
ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
BLOCKS = {
    1: (10, ((1, 16),)), 2: (16, ((1, 28),)), 3: (26, ((1, 44),)), 4: (18, ((2, 32),)), 5: (24, ((2, 43),)),
    6: (16, ((4, 27),)), 7: (18, ((4, 31),)), 8: (22, ((2, 38), (2, 39))), 9: (22, ((3, 36), (2, 37))),
    10: (26, ((4, 43), (1, 44))), 11: (30, ((1, 50), (4, 51))), 12: (22, ((6, 36), (2, 37))),
    13: (22, ((8, 37), (1, 38))),
}  # fmt: skip
"""Version → check words of a block, (how many blocks, data words of each) (table 9)."""
MASKS: tuple[Callable[[int, int], int], ...] = (
    lambda row, column: (row + column) % 2,
    lambda row, _column: row % 2,
    lambda _row, column: column % 3,
    lambda row, column: (row + column) % 3,
    lambda row, column: (row // 2 + column // 3) % 2,
    lambda row, column: row * column % 2 + row * column % 3,
    lambda row, column: (row * column % 2 + row * column % 3) % 2,
    lambda row, column: ((row + column) % 2 + row * column % 3) % 2,
)
FINDER_LIKE = ("10111010000", "00001011101")


def encode(text: str) -> Matrix:
    """The symbol of a text, capital letters and digits compactly, else as UTF-8. Raises DomainError if too long."""
    for version, (checks, groups) in BLOCKS.items():
        room = 8 * sum(count * words for count, words in groups)
        bits = _segment(text, version)
        if len(bits) > room:
            continue
        bits += "0" * min(4, room - len(bits))
        bits += "0" * (-len(bits) % 8)
        words = int(bits, 2).to_bytes(len(bits) // 8)
        words += (b"\xec\x11" * room)[: room // 8 - len(words)]
        return _drawn(version, _interleaved(words, checks, groups))
    raise DomainError(_("“%(text)s” is too long for a QR code.") % {"text": text})


def _segment(text: str, version: int) -> str:
    """Mode, count and data as bits."""
    is_long = version > 9
    if all(character in ALPHANUMERIC for character in text):
        values = [ALPHANUMERIC.index(character) for character in text]
        pairs = [f"{45 * one + two:011b}" for one, two in zip(values[::2], values[1::2], strict=False)]
        last = [f"{values[-1]:06b}"] if len(values) % 2 else []
        return "".join([f"0010{len(values):0{11 if is_long else 9}b}", *pairs, *last])
    data = text.encode()
    return "".join([f"0100{len(data):0{16 if is_long else 8}b}", *(f"{byte:08b}" for byte in data)])


def _interleaved(words: bytes, checks: int, groups: tuple[tuple[int, int], ...]) -> str:
    """Data and check words of all blocks, in turns, as bits."""
    blocks, at = [], 0
    for count, size in groups:
        for _block in range(count):
            blocks.append(words[at : at + size])
            at += size
    corrections = [check_words(block, checks, field=FIELD, first=FIRST_ROOT) for block in blocks]
    turns = chain(chain(*zip_longest(*blocks)), chain(*zip(*corrections, strict=True)))
    return "".join(f"{word:08b}" for word in turns if word is not None)


@dataclass(frozen=True)
class _Frame:
    """A version: where bits of data go, the masks with their format bits, and what the penalties need."""

    size: int
    place: Callable[[str], tuple[str, ...]]
    strips: Callable[[str], tuple[str, ...]]
    masks: tuple[tuple[int, int], ...]
    whole: int
    within: dict[int, int]


def _drawn(version: int, bits: str) -> Matrix:
    """The symbol with the mask that has the fewest penalties."""
    frame = _frame(version)
    # 0 and 1 stand at the end for what is light and dark in every symbol.
    data = int("".join(frame.place(bits + "0" * 7 + "1")), 2)
    best = min((data ^ mask | formats for mask, formats in frame.masks), key=lambda modules: _penalty(modules, frame))
    drawn = f"{best:0{frame.size**2}b}0"
    return from_strip_bits(frame.size, QUIET, int("".join(frame.strips(drawn)), 2))


def _penalty(dark: int, frame: _Frame) -> int:
    """The four penalties of 7.8.3.1; lower reads better."""
    size, light, score = frame.size, frame.whole ^ dark, 0
    for colour in (dark, light):
        for step in (1, size):
            within = frame.within[5] if step == 1 else frame.whole
            long = reduce(lambda found, n: found & colour << n * step, range(1, 5), colour & within)
            score += long.bit_count() + 2 * (long & ~(long >> step)).bit_count()
        twos = colour & colour << 1 & frame.within[2]
        score += 3 * (twos & twos << size).bit_count()
    for step, like in product((1, size), FINDER_LIKE):
        within = frame.within[11] if step == 1 else frame.whole
        score += 40 * _found(dark, light, like, step, within).bit_count()
    return score + 10 * (abs(20 * dark.bit_count() - 10 * size * size) // (size * size))


def _found(dark: int, light: int, like: str, step: int, within: int) -> int:
    """Where a pattern of modules begins."""
    for place, module in enumerate(like):
        within &= (dark if module == "1" else light) << place * step
    return within


@cache
def _frame(version: int) -> _Frame:
    size = 17 + 4 * version
    fixed = _fixed(version, size)
    total = 8 * sum(count * (words + BLOCKS[version][0]) for count, words in BLOCKS[version][1])
    index = {place: total + 7 * is_dark for place, is_dark in fixed.items()}
    free = [place for place in _zigzag(size) if place not in fixed]
    index |= {place: n for n, place in enumerate(free)}  # up to seven places remain for no bit: light, then masked
    everywhere = list(product(range(size), range(size)))
    area = set(free)
    masks = tuple(
        (
            _bits(everywhere, {at for at in area if not rule(*at)}),
            _bits(everywhere, _format(number, size)),
        )
        for number, rule in enumerate(MASKS)
    )
    strips = -(-size // STRIP)
    order = [(strip * STRIP + n, column) for strip in range(strips) for column in range(size) for n in range(STRIP)]
    return _Frame(
        size=size,
        place=itemgetter(*(index[place] for place in everywhere)),
        strips=itemgetter(*(row * size + column if row < size else size**2 for row, column in order)),
        masks=masks,
        whole=(1 << size**2) - 1,
        within={n: _bits(everywhere, {at for at in everywhere if at[1] <= size - n}) for n in (2, 5, 11)},
    )


Place = tuple[int, int]


def _bits(everywhere: list[Place], dark: set[Place]) -> int:
    return int("".join("1" if place in dark else "0" for place in everywhere), 2)


def _zigzag(size: int) -> list[Place]:
    """All places in the order in which bits are put: pairs of columns from the right, up and down in turns."""
    found: list[Place] = []
    rows = range(size)
    for turn, right in enumerate([*range(size - 1, 6, -2), *range(5, 0, -2)]):
        found += [(row, right - n) for row in (reversed(rows) if turn % 2 == 0 else rows) for n in (0, 1)]
    return found


def _fixed(version: int, size: int) -> dict[Place, bool]:
    """What every symbol of a version has: finder, timing and alignment patterns, version and room for the format."""
    found = dict.fromkeys(_format_room(size), False)
    found |= {(6, n): n % 2 == 0 for n in range(size)} | {(n, 6): n % 2 == 0 for n in range(size)}
    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
        for row, column in product(range(-1, 8), range(-1, 8)):
            if 0 <= top + row < size and 0 <= left + column < size:
                ring = max(abs(row - 3), abs(column - 3))
                found[top + row, left + column] = ring in {0, 1, 3}
    found |= _alignment(version, size)
    if version >= 7:
        word = version << 12 | _remainder(version << 12, 0x1F25)
        for n in range(18):
            is_dark = bool(word >> n & 1)
            found[n // 3, size - 11 + n % 3] = found[size - 11 + n % 3, n // 3] = is_dark
    return found


def _alignment(version: int, size: int) -> dict[Place, bool]:
    """The alignment patterns: at all crossings but those with a finder pattern."""
    found: dict[Place, bool] = {}
    centres = _centres(version, size)
    last = centres[-1] if centres else 0
    for row, column in product(centres, centres):
        if (row, column) not in {(6, 6), (6, last), (last, 6)}:
            for down, right in product(range(-2, 3), range(-2, 3)):
                found[row + down, column + right] = max(abs(down), abs(right)) != 1
    return found


def _centres(version: int, size: int) -> list[int]:
    """Rows and columns of alignment patterns (annex E)."""
    if version == 1:
        return []
    return [6, size - 7] if version < 7 else [6, (size - 1) // 2 // 2 * 2, size - 7]


def _format_places(size: int) -> list[tuple[Place, Place]]:
    """The two places of each of the fifteen bits of the format, the lowest bit first."""
    one = [(n, 8) for n in (0, 1, 2, 3, 4, 5, 7, 8)] + [(8, n) for n in (7, 5, 4, 3, 2, 1, 0)]
    two = [(8, size - 1 - n) for n in range(8)] + [(size - 7 + n, 8) for n in range(7)]
    return list(zip(one, two, strict=True))


def _format_room(size: int) -> set[Place]:
    return {place for pair in _format_places(size) for place in pair} | {(size - 8, 8)}


def _format(mask: int, size: int) -> set[Place]:
    """The dark modules of the format (level M has the bits 00), and the one that is always dark."""
    word = (mask << 10 | _remainder(mask << 10, 0x537)) ^ 0x5412
    places = enumerate(_format_places(size))
    return {place for n, pair in places if word >> n & 1 for place in pair} | {(size - 8, 8)}


def _remainder(word: int, generator: int) -> int:
    """Of a division of polynomials over GF(2)."""
    while word.bit_length() >= generator.bit_length():
        word ^= generator << word.bit_length() - generator.bit_length()
    return word
