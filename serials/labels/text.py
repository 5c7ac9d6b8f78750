"""Text on labels: which characters the fonts have, how wide it is, how it is cut into lines."""

import unicodedata
from functools import lru_cache
from pathlib import Path

import barcode
import reportlab
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

PLAIN, BOLD, MONO = "Vera", "VeraBd", "DejaVuSansMono"
FONTS = {
    PLAIN: Path(reportlab.__file__).parent / "fonts" / "Vera.ttf",
    BOLD: Path(reportlab.__file__).parent / "fonts" / "VeraBd.ttf",
    MONO: Path(barcode.__file__).parent / "fonts" / "DejaVuSansMono.ttf",
}
"""The libraries bring them along, so every machine has them. MONO knows Greek and Cyrillic too; its zero is no O."""
MISSING = "□"
ELLIPSIS = "…"


@lru_cache(maxsize=1)
def glyphs() -> dict[str, frozenset[int]]:
    """Font → the characters that it has; registers the fonts on the way."""
    for name, path in FONTS.items():
        pdfmetrics.registerFont(TTFont(name, path))
    return {name: frozenset(pdfmetrics.getFont(name).face.charToGlyph) for name in FONTS}


def printable(text: str, font: str) -> tuple[str, str]:
    """The text and the font to print it in: `font`, or MONO where that has more of it.

    A character that neither has loses its accent; one without a plain form becomes a box, so that its loss is seen.
    """
    if text.isascii() and text.isprintable():
        return text, font
    plain, known = unicodedata.normalize("NFC", text), glyphs()
    if known[font].issuperset(map(ord, plain)):
        return plain, font
    return "".join(
        character if ord(character) in known[MONO] else _stand_in(character, known[MONO]) for character in plain
    ), MONO


def _stand_in(character: str, known: frozenset[int]) -> str:
    base = unicodedata.normalize("NFKD", character)[:1]
    return base if ord(base) in known and base.isprintable() else MISSING


@lru_cache(maxsize=1)
def _letter() -> float:
    """The width of every letter of MONO at size 1."""
    return float(pdfmetrics.stringWidth("0", MONO, 1))


def width(text: str, font: str, size: float) -> float:
    """The width of a text in points."""
    if font == MONO and text.isascii():
        return len(text) * _letter() * size
    return float(pdfmetrics.stringWidth(text, font, size))


def fit(text: str, font: str, size: float, room: float, smallest: float) -> float:
    """The size at which a text fits on one line, not below `smallest`."""
    wide = width(text, font, size)
    return size if wide <= room else max(smallest, size * room / wide - 0.01)  # rounding must not break the line


def pieces(text: str, font: str, size: float, room: float) -> list[str]:
    """The text cut, anywhere, into lines."""
    if width(text, font, size) <= room:
        return [text]
    lines, line = [], ""
    for character in text:
        if line and width(line + character, font, size) > room:
            lines.append(line)
            line = ""
        line += character
    return [*lines, line]


def wrapped(text: str, font: str, size: float, room: float, most: int) -> list[str]:
    """The text wrapped at spaces, words that are too long cut, on `most` lines; an ellipsis says that there is more."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and width(joined, font, size) <= room:
            lines[-1] = joined
        else:
            lines += pieces(word, font, size, room)
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while last and width(last + ELLIPSIS, font, size) > room:
        last = last[:-1]
    return [*lines[: most - 1], last.rstrip() + ELLIPSIS]
