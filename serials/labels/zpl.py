"""Labels as ZPL II, the language of Zebra label printers and most others; the printer makes the symbols itself.

Source: Zebra, "ZPL II Programming Guide": ^FO, ^FD, ^FH, ^CI28, ^BC, ^BX, ^BQ, ^GF, ^A0, ^PW, ^LL.
"""

import re
from collections.abc import Iterable, Iterator
from io import BytesIO

from django.utils.translation import gettext as _
from PIL import Image

from oms.errors import DomainError
from serials.labels import code128
from serials.labels.content import Label
from serials.labels.gs1 import FNC1
from serials.labels.layout import Bars, Drawing, Layout, Line, Square
from serials.labels.pdf import first_ones
from serials.labels.plan import Plan
from serials.labels.sheets import LabelSheet
from serials.labels.text import BOLD

BATCH = 200
_HEX = {ord(character): f"\\{ord(character):02X}" for character in "^~\\"}
_SETS = {code128.TO_C: ">5", code128.TO_B: ">6", code128.FUNCTION_1: ">8"}
_STARTS = {code128.START_B: ">:", code128.START_C: ">;"}
_WORDS = {30: ">0", 62: "><", 94: ">="}
"""Values of code set B that ZPL writes otherwise: > begins codes like these, ^ and ~ begin commands."""
_RUN = re.compile(r"(.)\1*")
MOST_QR = 10
"""The most dots of a module that every printer knows for ^BQ."""


def render_zpl(labels: Iterable[Label], plan: Plan) -> Iterator[bytes]:
    """ZPL of the labels in their order, some hundred in a piece. Raises DomainError as render_pdf does, and for sheets
    that are not rolls.
    """
    sheet = plan.paper
    if not sheet.is_roll:
        raise DomainError(_("ZPL is for label printers: choose a roll, or print the sheet as PDF."))
    layout, logo, pieces, number = Layout(plan), _Logo(plan.logo, sheet), [], 0
    for number, label in enumerate(first_ones(labels), start=1):
        pieces.append(_label(layout.place(label), sheet, logo))
        if number % BATCH == 0:
            yield "".join(pieces).encode()
            pieces.clear()
    if number == 0:
        raise DomainError(_("There is nothing to print a label for."))
    yield "".join(pieces).encode()


class _Place:
    """Points of a label as it is read → dots of the printer from the top left corner of the paper."""

    def __init__(self, drawing: Drawing, sheet: LabelSheet) -> None:
        self.sheet, self.is_turned = sheet, drawing.is_turned
        self.letter = "B" if drawing.is_turned else "N"

    def dots(self, length: float) -> int:
        return round(length / self.sheet.dot)

    def origin(self, x: float, y: float, wide: float, high: float) -> str:
        """^FO of a field by its lower left corner and its size: its upper left corner on the paper."""
        sheet = self.sheet
        if self.is_turned:  # a quarter against the clock: to the right becomes upwards
            left, top = sheet.width - y - high, sheet.height - x - wide
        else:
            left, top = x, sheet.height - y - high
        return f"^FO{max(0, self.dots(left + sheet.left))},{max(0, self.dots(top + sheet.top))}"


class _Logo:
    """The picture as a field of dots, the same on every label that is turned alike."""

    def __init__(self, logo: bytes, sheet: LabelSheet) -> None:
        self.logo, self.sheet = logo, sheet
        self.fields: dict[bool, str] = {}

    def field(self, place: _Place) -> str:
        """^GF of it. Label printers know no grey: that becomes a pattern of black dots."""
        if place.is_turned not in self.fields:
            with Image.open(BytesIO(self.logo)) as picture:
                left, bottom, wide, high = self.sheet.logo_box(picture.size, is_turned=place.is_turned)
                size = max(1, place.dots(wide)), max(1, place.dots(high))
                dots = picture.convert("L").resize(size).convert("1")
            dots = dots.transpose(Image.Transpose.ROTATE_90) if place.is_turned else dots
            self.fields[place.is_turned] = f"{place.origin(left, bottom, wide, high)}{_graphic(dots)}^FS"
        return self.fields[place.is_turned]


def _graphic(dots: Image.Image) -> str:
    """A picture of black and white as ^GF has it: a bit is a dot, 1 is black; each row has whole bytes."""
    length = -(-dots.width // 8)
    white = Image.new("1", (length * 8, dots.height), 1)
    white.paste(dots)
    data = bytes(byte ^ 0xFF for byte in white.tobytes()).hex().upper()
    rows = [data[at : at + 2 * length] for at in range(0, len(data), 2 * length)]
    count = length * len(rows)
    said = "".join(":" if number and row == rows[number - 1] else _shortened(row) for number, row in enumerate(rows))
    return f"^GFA,{count},{count},{length},{said}"


def _shortened(row: str) -> str:
    """Hexadecimal digits as the printer's own compression has them: a comma for the zeros at the end, and a letter for
    how often the digit after it comes, G to Y for 1 to 19 and g to z for 20 to 400.
    """
    kept = row.rstrip("0")
    runs = [(match[1], len(match[0])) for match in _RUN.finditer(kept)]
    said = [digit if count == 1 else f"{_times(count)}{digit}" for digit, count in runs]
    return "".join(said) + ("," if len(kept) < len(row) else "")


def _times(count: int) -> str:
    twenties, ones = divmod(count, 20)
    return (chr(ord("f") + twenties) if twenties else "") + (chr(ord("F") + ones) if ones else "")


def _label(drawing: Drawing, sheet: LabelSheet, logo: _Logo) -> str:
    place = _Place(drawing, sheet)
    fields = [_text(line, place) for line in (*drawing.head.lines, *drawing.lines)]
    fields += [_bars(bars, place) for bars in drawing.bars]
    fields += [_square(square, place) for square in drawing.squares]
    if drawing.has_logo:
        fields.append(logo.field(place))
    size = f"^PW{place.dots(sheet.page_width)}^LL{place.dots(sheet.page_height)}"
    return f"^XA^CI28{size}^LH0,0{''.join(fields)}^XZ\n"


def _data(text: str) -> str:
    return f"^FH\\^FD{text.translate(_HEX)}^FS"


def _text(line: Line, place: _Place) -> str:
    """Text in the printer's own scalable font; its letters are narrower than ours, so it never runs over."""
    high = place.dots(line.size)
    wide = round(high * 0.9) if line.font == BOLD else round(high * 0.8)
    length = len(line.text) * 0.6 * line.size
    origin = place.origin(line.x, line.y - line.size * 0.2, length, line.size)
    return f"{origin}^A0{place.letter},{high},{wide}{_data(line.text)}"


def _bars(bars: Bars, place: _Place) -> str:
    wide = len(bars.symbol.modules) * bars.dots * place.sheet.dot
    origin = place.origin(bars.x, bars.y, wide, bars.height)
    height = place.dots(bars.height)
    return f"{origin}^BY{bars.dots}^BC{place.letter},{height},N,N,N,N^FD{_code128(bars.symbol)}^FS"


def _code128(symbol: code128.Bars) -> str:
    """The characters of a symbol as the printer is told them, so that it draws the very same bars."""
    start, *values = symbol.values[:-1]
    found, is_c = [_STARTS[start]], start == code128.START_C
    for value in values:
        if value in _SETS and not (is_c and value == code128.TO_C):
            found.append(_SETS[value])
            is_c = {code128.TO_C: True, code128.TO_B: False}.get(value, is_c)
        elif is_c:
            found.append(f"{value:02}")
        else:
            found.append(_WORDS.get(value) or chr(value + 32))
    return "".join(found)


def _square(square: Square, place: _Place) -> str:
    most = min(square.dots, MOST_QR) if square.is_qr else square.dots
    side = square.symbol.size * most * place.sheet.dot
    spare = square.symbol.size * (square.dots - most) * place.sheet.dot / 2
    origin = place.origin(square.x + spare, square.y + spare, side, side)
    if square.is_qr:
        return f"{origin}^BQN,2,{most}{_data('MA,' + square.data)}"
    data = square.data.replace("_", "__").replace(FNC1, "_1")
    return f"{origin}^BX{place.letter},{most},200,,,,_{_data('_1' + data)}"
