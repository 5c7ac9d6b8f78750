"""Labels of units: Code 128 bars, drawn as vectors, on sheets that are plain numbers.

    pieces = render_pdf([Label("L2201308", "Laptop 14", "LAP00000412")])    # the bytes of a PDF, label after label

A bar is a whole number of printer dots wide and the symbol has ten modules of white on both sides (ISO/IEC 15417,
4.3.2), so a label printer of the sheet's resolution draws every bar exactly. A serial that is too long across the label
turns the whole label by 90 degrees. The same labels give the same bytes.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import barcode
import reportlab
from barcode.codex import Code128
from barcode.writer import BaseWriter
from django.utils.translation import gettext as _
from reportlab import rl_config
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from oms.errors import DomainError

MOST = 50_000
"""The most labels of one file: ReportLab keeps about 10 kB for each of its pages until the file is written."""
INCH = 72.0
QUIET = 10
"""Modules of white before and after a symbol."""
CHUNK = 256 * 1024
IN_MEMORY = 4 * 1024 * 1024
PLAIN, BOLD, MONO = "Vera", "VeraBd", "DejaVuSansMono"
FONTS = {
    PLAIN: Path(reportlab.__file__).parent / "fonts" / "Vera.ttf",
    BOLD: Path(reportlab.__file__).parent / "fonts" / "VeraBd.ttf",
    MONO: Path(barcode.__file__).parent / "fonts" / "DejaVuSansMono.ttf",
}
"""The libraries bring them along, so every machine has them. MONO knows Greek and Cyrillic too; its zero is no O."""
MISSING = "□"
ELLIPSIS = "…"
SKU_SMALLEST, SMALLEST = 12.0, 6.0
"""The smallest size of text, in points; what does not fit then goes on in the next line."""
rl_config.useA85 = 0  # binary streams: text ones are a quarter longer, and slower
_WRITER = BaseWriter(
    None, None, None, None
)  # draws nothing here; python-barcode would make an SVG writer for each symbol


@dataclass(frozen=True)
class Label:
    """What one label says. `name` is that of the SKU."""

    sku: str
    name: str
    serial: str


@dataclass(frozen=True)
class LabelRun:
    """Labels to print, as a source gives them (see serials.labels_jobs): what the file is called, how many, and them.

    `labels` is called once, inside the account, and may be a server-side cursor.
    """

    title: str
    file_name: str
    count: int
    labels: Callable[[], Iterable[Label]]


@dataclass(frozen=True)
class LabelSheet:
    """A page of labels, in points (1/72 inch), from the top left corner; `dpi` is the printer's.

    Args:
        name: what people call it.
        page_width, page_height: the paper.
        columns, rows: labels across and down.
        left, top: where the first label begins.
        pitch_x, pitch_y: from the start of one label to the start of the next.
        width, height: of one label.
        padding: white around the text of a label; bars with their quiet zone keep half of it.
        sku_size, name_size, serial_size: of the text.
        name_lines: the most lines that a name takes; the rest is an ellipsis.
        bar_height: of the bars, at least 15 % of their length (GS1 General Specifications, 5.2.6.6).
        dpi: dots of the printer for an inch.
        least_dots, most_dots: how wide one module may be; 2 dots at 203 dpi are 0.25 mm.
    """

    name: str
    page_width: float
    page_height: float
    columns: int
    rows: int
    left: float
    top: float
    pitch_x: float
    pitch_y: float
    width: float
    height: float
    padding: float
    sku_size: float
    name_size: float
    serial_size: float
    name_lines: int
    bar_height: float
    dpi: int = 203
    least_dots: int = 2
    most_dots: int = 4

    @property
    def dot(self) -> float:
        """One dot of the printer, in points."""
        return INCH / self.dpi

    def dots_per_module(self, modules: int, length: float) -> int:
        """How many dots wide a module of a symbol may be in `length` points; below least_dots it does not fit."""
        room = int((length - self.padding) / self.dot + 1e-6)
        return min(self.most_dots, room // (modules + 2 * QUIET))


ROLL_4X6 = LabelSheet(
    name="4 × 6 in",
    page_width=4 * INCH,
    page_height=6 * INCH,
    columns=1,
    rows=1,
    left=0,
    top=0,
    pitch_x=4 * INCH,
    pitch_y=6 * INCH,
    width=4 * INCH,
    height=6 * INCH,
    padding=18,
    sku_size=26,
    name_size=15,
    serial_size=20,
    name_lines=4,
    bar_height=1.5 * INCH,
)
SHEETS = {"4x6": ROLL_4X6}
"""The sheets that people can choose, by the name in addresses and jobs."""


# --- Code 128 ---------------------------------------------------------------------------------------------------------
class _Symbol(Code128):  # type: ignore[misc]  # untyped
    """Code 128 whose first two digits may be 99."""

    def _try_to_optimize(self, encoded: list[int]) -> list[int]:
        """Python-barcode takes the pair 99 at the start for "change to code set C", whose value it is, and drops it."""
        return encoded if self.code.startswith("99") else super()._try_to_optimize(encoded)


def modules_of(serial: str) -> str:
    """The symbol of a serial as ones (bar) and zeros, without quiet zones.

    Raises DomainError, naming the serial, where Code 128 cannot say it: it knows ASCII only. A serial in other forms of
    ASCII characters (full-width, say) is encoded as its normal form, which is the same serial for Lotline.
    """
    text = serial if serial.isascii() else unicodedata.normalize("NFKC", serial).strip()
    if not (text and text.isascii() and text.isprintable()):
        raise DomainError(
            _("“%(serial)s” cannot be printed as a Code 128 barcode: it has characters that are not ASCII.")
            % {"serial": serial}
        )
    return _Symbol(text, writer=_WRITER).build()[0]  # type: ignore[no-any-return]


@lru_cache(maxsize=32_768)
def _bars(piece: str, start: int) -> str:
    """The bars of one character of a symbol, which starts at a module: PDF rectangles of height 1."""
    found, at = [], 0
    while (at := piece.find("1", at)) >= 0:
        end = piece.find("0", at)
        end = len(piece) if end < 0 else end
        found.append(f"{start + at} 0 {end - at} 1 re")
        at = end
    return " ".join(found)


def _bar_path(modules: str) -> str:
    """All bars as one path. Each character has eleven modules, begins with a bar and ends with a space; the last has
    thirteen.
    """
    last = len(modules) - 13
    return " ".join(
        [_bars(modules[at : at + 11], at) for at in range(0, last, 11)] + [_bars(modules[last:], last), "f"]
    )


# --- text -------------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=1)
def _glyphs() -> dict[str, frozenset[int]]:
    """Font → the characters that it has; registers the fonts on the way."""
    for name, path in FONTS.items():
        pdfmetrics.registerFont(TTFont(name, path))
    return {name: frozenset(pdfmetrics.getFont(name).face.charToGlyph) for name in FONTS}


def printable(text: str, font: str) -> tuple[str, str]:
    """The text and the font to print it in: `font`, or MONO where that has more of it.

    A character that neither has loses its accent; one without a plain form becomes a box, so that its loss is seen.
    """
    plain, glyphs = unicodedata.normalize("NFC", text), _glyphs()
    if glyphs[font].issuperset(map(ord, plain)):
        return plain, font
    return "".join(
        character if ord(character) in glyphs[MONO] else _stand_in(character, glyphs[MONO]) for character in plain
    ), MONO


def _stand_in(character: str, glyphs: frozenset[int]) -> str:
    base = unicodedata.normalize("NFKD", character)[:1]
    return base if ord(base) in glyphs and base.isprintable() else MISSING


def _width(text: str, font: str, size: float) -> float:
    return float(pdfmetrics.stringWidth(text, font, size))


def _fit(text: str, font: str, size: float, room: float, smallest: float) -> float:
    """The size at which a text fits on one line, not below `smallest`."""
    wide = _width(text, font, size)
    return size if wide <= room else max(smallest, size * room / wide - 0.01)  # rounding must not break the line


def _pieces(text: str, font: str, size: float, room: float) -> list[str]:
    """The text cut, anywhere, into lines."""
    if _width(text, font, size) <= room:
        return [text]
    lines, line = [], ""
    for character in text:
        if line and _width(line + character, font, size) > room:
            lines.append(line)
            line = ""
        line += character
    return [*lines, line]


def _wrapped(text: str, font: str, size: float, room: float, most: int) -> list[str]:
    """The text wrapped at spaces, words that are too long cut, on `most` lines; an ellipsis says that there is more."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and _width(joined, font, size) <= room:
            lines[-1] = joined
        else:
            lines += _pieces(word, font, size, room)
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while last and _width(last + ELLIPSIS, font, size) > room:
        last = last[:-1]
    return [*lines[: most - 1], last.rstrip() + ELLIPSIS]


# --- the page ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Fit:
    """How a symbol lies on a label: dots of a module, and whether the label is turned."""

    dots: int
    is_turned: bool


class _Drawer:
    """Draws labels of one sheet into one canvas."""

    def __init__(self, canvas: Any, sheet: LabelSheet) -> None:
        _glyphs()
        self.canvas, self.sheet = canvas, sheet
        # Labels of a run share few SKUs: their text is laid out once. Per document: it holds the font's subset.
        self.head = lru_cache(maxsize=4_096)(self._head)

    def draw(self, label: Label, x: float, y: float) -> None:
        """One label, its lower left corner at (x, y)."""
        sheet, modules = self.sheet, modules_of(label.serial)
        fit = self._placed(label.serial, len(modules))
        wide, high = (sheet.height, sheet.width) if fit.is_turned else (sheet.width, sheet.height)
        place = f"0 1 -1 0 {x + sheet.width:.2f} {y:.2f} cm" if fit.is_turned else f"1 0 0 1 {x:.2f} {y:.2f} cm"
        code, bottom = self.head(label.sku, label.name, wide, high)
        module = fit.dots * sheet.dot
        bars = min(sheet.bar_height, bottom - 3 * sheet.padding)
        base = bottom - sheet.padding / 2 - bars
        left = round((wide - len(modules) * module) / 2 / sheet.dot) * sheet.dot
        self.canvas.addLiteral(
            f"q {place} {code} q {module:.5f} 0 0 {bars:.2f} {left:.4f} {base:.2f} cm {_bar_path(modules)} Q "
            f"{self._serial(label.serial, wide, base)} Q"
        )

    def _placed(self, serial: str, modules: int) -> _Fit:
        """Across the label, or along it where that is too narrow. Raises DomainError where neither is wide enough."""
        sheet = self.sheet
        for length, is_turned in ((sheet.width, False), (sheet.height, True)):
            dots = sheet.dots_per_module(modules, length)
            if dots >= sheet.least_dots:
                return _Fit(dots, is_turned)
        raise DomainError(
            _("“%(serial)s” is too long for a barcode on a %(sheet)s label that a scanner can read.")
            % {"serial": serial, "sheet": sheet.name}
        )

    def _head(self, sku: str, name: str, wide: float, high: float) -> tuple[str, float]:
        """SKU and name as PDF text, and where their last line ends."""
        sheet = self.sheet
        room, text, at = wide - 2 * sheet.padding, self.canvas.beginText(), high - sheet.padding
        said, bold = printable(sku, BOLD)
        size = _fit(said, bold, sheet.sku_size, room, SKU_SMALLEST)
        head = [(line, bold, size) for line in _wrapped(said, bold, size, room, 5)]
        words, plain = printable(name, PLAIN)
        head += [
            (line, plain, sheet.name_size) for line in _wrapped(words, plain, sheet.name_size, room, sheet.name_lines)
        ]
        for line, font, points in head:
            at -= points * 1.2
            self._line(text, line, font, points, sheet.padding, at + points * 0.25)
        return text.getCode(), at

    def _serial(self, serial: str, wide: float, base: float) -> str:
        """The serial in words under its bars, in the middle."""
        sheet, text = self.sheet, self.canvas.beginText()
        room, (said, font) = wide - 2 * sheet.padding, printable(serial, MONO)
        size = _fit(said, font, sheet.serial_size, room, SMALLEST)
        for line in _pieces(said, font, size, room):
            base -= size * 1.2
            self._line(text, line, font, size, (wide - _width(line, font, size)) / 2, base)
        code: str = text.getCode()
        return code

    @staticmethod
    def _line(text: Any, line: str, font: str, size: float, x: float, y: float) -> None:
        text.setFont(font, size)
        text.setTextOrigin(x, y)
        text.textOut(line)


def render_pdf(labels: Iterable[Label], sheet: LabelSheet = ROLL_4X6) -> Iterator[bytes]:
    """A PDF of the labels in their order, in pieces of CHUNK bytes; `labels` is read once and never held as a whole.

    Raises DomainError, before the first piece, where there is none or more than MOST, and where a serial cannot be
    encoded or is too long for the sheet, naming it.
    """
    with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        _draw(labels, sheet, file)
        file.seek(0)
        while chunk := file.read(CHUNK):
            yield chunk


def _draw(labels: Iterable[Label], sheet: LabelSheet, file: Any) -> None:
    canvas = Canvas(file, pagesize=(sheet.page_width, sheet.page_height), pageCompression=1, invariant=1)
    canvas.setTitle(str(_("Labels")))
    canvas.setCreator("Lotline")
    drawer, per_page, number = _Drawer(canvas, sheet), sheet.columns * sheet.rows, 0
    for number, label in enumerate(_first(labels), start=1):
        row, column = divmod((number - 1) % per_page, sheet.columns)
        if number > 1 and row == column == 0:
            canvas.showPage()
        top = sheet.page_height - sheet.top - row * sheet.pitch_y
        drawer.draw(label, sheet.left + column * sheet.pitch_x, top - sheet.height)
    if number == 0:
        raise DomainError(_("There is nothing to print a label for."))
    canvas.save()


def _first(labels: Iterable[Label]) -> Iterator[Label]:
    """The labels, MOST of them at most."""
    rest = iter(labels)
    yield from islice(rest, MOST)
    if next(rest, None) is not None:
        raise DomainError(_("One file holds %(most)s labels at most: print them in parts.") % {"most": f"{MOST:,}"})
