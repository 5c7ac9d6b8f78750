"""Labels as a PDF: bars and modules as vectors, text in fonts that every machine has, embedded.

The same labels give the same bytes.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from io import BytesIO
from itertools import chain, islice
from tempfile import SpooledTemporaryFile
from typing import Any

from django.utils.translation import gettext as _
from reportlab import rl_config
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFStream
from reportlab.pdfgen.canvas import Canvas

from oms.errors import DomainError
from serials.labels.content import Label
from serials.labels.layout import Bars, Drawing, Layout, Line, Square
from serials.labels.matrix import STRIP
from serials.labels.plan import Plan

MOST = 50_000
"""The most labels of one file: ReportLab keeps about 10 kB for each of its pages until the file is written."""
CHUNK = 256 * 1024
IN_MEMORY = 4 * 1024 * 1024
MODULES = "M"
rl_config.useA85 = 0  # binary streams: text ones are a quarter longer, and slower
_ESCAPES = str.maketrans({"(": r"\(", ")": r"\)", "\\": r"\\"})


# --- symbols ----------------------------------------------------------------------------------------------------------
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


class _ModuleFont:
    """Squares of a matrix as characters of a Type 3 font, one for each hexadecimal digit of `Matrix.strips`.

    A character is one module wide and four high: rectangles, as sharp at every size as any other path, at half a byte
    for four modules. As separate rectangles a symbol would take three times the bytes.
    """

    def __init__(self, canvas: Any) -> None:
        document = canvas._doc
        shapes = {f"{digit:x}": PDFStream(content=self._shape(digit)) for digit in range(16)}
        names = [PDFName(f"m{digit}") for digit in shapes]
        codes = [ord(digit) for digit in shapes]
        differences = chain(*zip(codes, names, strict=True))
        font = {
            "Type": PDFName("Font"),
            "Subtype": PDFName("Type3"),
            "FontBBox": PDFArray([0, 0, 1, STRIP]),
            "FontMatrix": PDFArray([1, 0, 0, 1, 0, 0]),
            "FirstChar": min(codes),
            "LastChar": max(codes),
            "Widths": PDFArray([1 if code in codes else 0 for code in range(min(codes), max(codes) + 1)]),
            "Encoding": PDFDictionary({"Type": PDFName("Encoding"), "Differences": PDFArray(list(differences))}),
            "CharProcs": PDFDictionary(
                {f"m{digit}": document.Reference(shape, f"modules.{digit}") for digit, shape in shapes.items()}
            ),
            "Resources": PDFDictionary({}),
            "ToUnicode": document.Reference(PDFStream(content=self._blanks(codes)), "modules.text"),
        }
        document.idToObject["BasicFonts"].dict[MODULES] = PDFDictionary(font)

    @staticmethod
    def _blanks(codes: list[int]) -> str:
        """Who copies text, or has it read aloud, finds spaces where modules are."""
        blanks = "".join(f"<{code:02x}><0020>" for code in codes)
        return (
            "begincmap 1 begincodespacerange<00><ff>endcodespacerange "
            f"{len(codes)} beginbfchar{blanks}endbfchar endcmap"
        )

    @staticmethod
    def _shape(digit: int) -> str:
        dark = [n for n in range(STRIP) if digit >> n & 1]  # the lowest bit is the lowest module
        squares = " ".join(f"0 {n} 1 1 re" for n in dark)
        return f"1 0 0 0 1 {STRIP} d1 {squares} {'f' if dark else ''}"


# --- the page ---------------------------------------------------------------------------------------------------------
class _Drawer:
    """Draws labels of one plan into one canvas."""

    def __init__(self, canvas: Any, plan: Plan) -> None:
        self.canvas, self.sheet, self.layout = canvas, plan.paper, Layout(plan)
        self.fonts: dict[str, str] = {}
        self.heads: dict[Any, str] = {}
        self.logo: Any = ImageReader(BytesIO(plan.logo)) if plan.logo else None
        self.has_font = False

    def draw(self, label: Label, x: float, y: float) -> None:
        """One label, its lower left corner at (x, y)."""
        drawing = self.layout.place(label)
        place = f"0 1 -1 0 {x + self.sheet.width:.2f} {y:.2f}" if drawing.is_turned else f"1 0 0 1 {x:.2f} {y:.2f}"
        self.canvas.addLiteral(
            f"q {place} cm BT {self._head(drawing)}{''.join(map(self._line, drawing.lines))}"
            f"{''.join(map(self._square, drawing.squares))}ET{''.join(map(self._bars, drawing.bars))} Q"
        )
        if drawing.has_logo:
            self._picture(drawing, x, y)

    def _head(self, drawing: Drawing) -> str:
        """The lines of a head, which many labels share: put into PDF once."""
        head = drawing.head
        code = self.heads.get(head)
        if code is None:
            if len(self.heads) > 4_096:
                self.heads.clear()
            code = self.heads[head] = "".join(map(self._line, head.lines))
        return code

    def _line(self, line: Line) -> str:
        if line.text.isascii():
            said = line.text.translate(_ESCAPES)
            return f"{self._font(line.font)} {line.size:.4g} Tf 1 0 0 1 {line.x:.2f} {line.y:.2f} Tm({said})Tj "
        font, parts = pdfmetrics.getFont(line.font), []
        for subset, text in font.splitString(line.text, self.canvas._doc):
            name = font.getSubsetInternalName(subset, self.canvas._doc)
            parts.append(f"{name} {line.size:.4g} Tf({self.canvas._escape(text)})Tj ")
        return f"1 0 0 1 {line.x:.2f} {line.y:.2f} Tm {''.join(parts)}"

    def _font(self, name: str) -> str:
        """The name in the file of a font's ASCII characters, which ReportLab leaves as they are."""
        if name not in self.fonts:
            font = pdfmetrics.getFont(name)
            font.splitString("".join(map(chr, range(32, 127))), self.canvas._doc)
            self.fonts[name] = font.getSubsetInternalName(0, self.canvas._doc)
        return self.fonts[name]

    def _square(self, square: Square) -> str:
        if not self.has_font:
            _ModuleFont(self.canvas)
            self.has_font = True
        matrix, module = square.symbol, square.dots * self.sheet.dot
        # Four rows a line; the last strip may reach below the symbol, where it is white.
        top = square.y + matrix.size * module
        strips = ")'(".join(matrix.strips)
        return f"/{MODULES} 1 Tf {STRIP} TL {module:.6g} 0 0 {module:.6g} {square.x:.4f} {top:.4f} Tm({strips})' "

    def _bars(self, bars: Bars) -> str:
        module = bars.dots * self.sheet.dot
        return f" q {module:.5f} 0 0 {bars.height:.2f} {bars.x:.4f} {bars.y:.2f} cm {_bar_path(bars.symbol.modules)} Q"

    def _picture(self, drawing: Drawing, x: float, y: float) -> None:
        """The logo at the top right of a label as it is read."""
        canvas, is_turned = self.canvas, drawing.is_turned
        canvas.saveState()
        canvas.transform(0, 1, -1, 0, x + self.sheet.width, y) if is_turned else canvas.translate(x, y)
        canvas.drawImage(self.logo, *self.sheet.logo_box(self.logo.getSize(), is_turned=is_turned), mask="auto")
        canvas.restoreState()


def render_pdf(labels: Iterable[Label], plan: Plan | None = None) -> Iterator[bytes]:
    """A PDF of the labels in their order, in pieces of CHUNK bytes; `labels` is read once and never held as a whole.

    Raises DomainError, before the first piece, where there is none or more than MOST, and where a serial cannot be
    encoded or is too long for the sheet, naming it.
    """
    with SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        _draw(labels, plan or Plan(), file)
        file.seek(0)
        while chunk := file.read(CHUNK):
            yield chunk


def _draw(labels: Iterable[Label], plan: Plan, file: Any) -> None:
    sheet = plan.paper
    canvas = Canvas(file, pagesize=(sheet.page_width, sheet.page_height), pageCompression=1, invariant=1)
    canvas.setTitle(str(_("Labels, reprint")) if plan.is_reprint else str(_("Labels")))
    canvas.setCreator("Lotline")
    drawer, first = _Drawer(canvas, plan), min(max(plan.start, 1), sheet.per_page) - 1
    number = -1
    for number, label in enumerate(first_ones(labels)):
        place = (number + first) % sheet.per_page
        if number and place == 0:
            canvas.showPage()
        drawer.draw(label, *sheet.corner(place))
    if number < 0:
        raise DomainError(_("There is nothing to print a label for."))
    canvas.save()


def first_ones(labels: Iterable[Label]) -> Iterator[Label]:
    """The labels, MOST of them at most. Raises DomainError where there are more."""
    rest = iter(labels)
    yield from islice(rest, MOST)
    if next(rest, None) is not None:
        raise DomainError(_("One file holds %(most)s labels at most: print them in parts.") % {"most": f"{MOST:,}"})
