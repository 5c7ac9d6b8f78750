"""Code 128 (ISO/IEC 15417) and GS1-128: from text to modules."""

import re
from dataclasses import dataclass

from barcode.charsets.code128 import CODES, STOP

from serials.labels.gs1 import FNC1

START_B, START_C, TO_C, TO_B, FUNCTION_1 = 104, 105, 99, 100, 102
_DIGITS = re.compile(r"\d*", re.ASCII)
PATTERNS = (*CODES, STOP + "11")


@dataclass(frozen=True)
class Bars:
    """A symbol without quiet zones: `modules` as ones (bar) and zeros, `values` as the standard numbers them."""

    values: tuple[int, ...]
    modules: str


def encode(text: str, *, is_gs1: bool = False) -> Bars:
    """The symbol of printable ASCII, in as few characters as annex E finds; FNC1 is let through as separator."""
    values = _values(FNC1 + text if is_gs1 else text)
    values.append((values[0] + sum(place * value for place, value in enumerate(values))) % 103)
    return Bars(tuple(values), "".join([PATTERNS[value] for value in values]) + PATTERNS[-1])


def _values(text: str) -> list[int]:
    """Start character and data. Code set C, two digits a character, from four digits on at the ends, six between."""
    first = _run(text, 1 if text[0] == FNC1 else 0)
    is_c = first >= 4 or (first == 2 and len(text.strip(FNC1)) == 2)
    found, at = [START_C if is_c else START_B], 0
    while at < len(text):
        if text[at] == FNC1:
            found.append(FUNCTION_1)
            at += 1
        elif is_c and _run(text, at) >= 2:
            found.append(int(text[at : at + 2]))
            at += 2
        elif is_c:
            found.append(TO_B)
            is_c = False
        else:
            at, is_c = _in_b(text, at, found)
    return found


def _in_b(text: str, at: int, found: list[int]) -> tuple[int, bool]:
    """One character in code set B, or the way out of it: where to go on, and whether in C."""
    run = _run(text, at)
    if run % 2 == 0 and (run >= 6 or (run >= 4 and at + run == len(text))):
        found.append(TO_C)
        return at, True
    found.append(ord(text[at]) - 32)
    return at + 1, False


def _run(text: str, at: int) -> int:
    """How many digits stand there in a row."""
    return len(_DIGITS.match(text, at)[0])  # type: ignore[index]  # it always matches
