"""The first page of labels as a picture, for the preview: the layout that the PDF draws, with the same fonts."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from serials.labels.content import Label
from serials.labels.layout import Bars, Drawing, Layout, Line, Square
from serials.labels.plan import Plan
from serials.labels.sheets import LabelSheet
from serials.labels.text import FONTS

SCALE = 2.5
"""Pixels for a point: 180 dpi, so that a phone reads the symbols from the screen."""
LONGEST = 1_800
EDGE, USED, INK = 0xB0, 0xE4, 0x00


def page_picture(labels: Iterable[Label], plan: Plan) -> bytes:
    """A PNG of the first page; places before the start are grey. Raises DomainError as render_pdf does."""
    sheet, layout = plan.paper, Layout(plan)
    scale = min(SCALE, LONGEST / max(sheet.page_width, sheet.page_height))
    page = Image.new("L", (round(sheet.page_width * scale), round(sheet.page_height * scale)), 255)
    rest = iter(labels)
    for place in range(sheet.per_page):
        x, y = sheet.corner(place)
        box = (x * scale, (sheet.page_height - y - sheet.height) * scale)
        label = next(rest, None) if place >= plan.start - 1 else None
        if label:
            page.paste(_label(layout.place(label), sheet, scale, plan.logo), (round(box[0]), round(box[1])))
        if sheet.per_page > 1:
            _outline(page, sheet, box, scale, is_used=place < plan.start - 1)
    out = BytesIO()
    page.save(out, "PNG")
    return out.getvalue()


def _outline(page: Image.Image, sheet: LabelSheet, corner: tuple[float, float], scale: float, *, is_used: bool) -> None:
    """The edge of a label, which is not printed."""
    far = (corner[0] + sheet.width * scale, corner[1] + sheet.height * scale)
    fill = USED if is_used else None
    ImageDraw.Draw(page).rounded_rectangle((*corner, *far), radius=2 * scale, outline=EDGE, fill=fill)


def _label(drawing: Drawing, sheet: LabelSheet, scale: float, logo: bytes) -> Image.Image:
    """One label, as it lies on the page."""
    wide, high = (sheet.height, sheet.width) if drawing.is_turned else (sheet.width, sheet.height)
    image = Image.new("L", (round(wide * scale), round(high * scale)), 255)
    pen = ImageDraw.Draw(image)
    for line in (*drawing.head.lines, *drawing.lines):
        _text(pen, line, high, scale)
    for bars in drawing.bars:
        _bars(pen, bars, high, sheet.dot, scale)
    for square in drawing.squares:
        _square(pen, square, high, sheet.dot, scale)
    if drawing.has_logo:
        _logo(image, logo, sheet, scale, is_turned=drawing.is_turned)
    return image.transpose(Image.Transpose.ROTATE_90) if drawing.is_turned else image


@lru_cache(maxsize=64)
def _font(name: str, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS[name]), size)


def _text(pen: ImageDraw.ImageDraw, line: Line, high: float, scale: float) -> None:
    font = _font(line.font, round(line.size * scale, 1))
    pen.text((line.x * scale, (high - line.y) * scale), line.text, fill=INK, font=font, anchor="ls")


def _bars(pen: ImageDraw.ImageDraw, bars: Bars, high: float, dot: float, scale: float) -> None:
    module, top = bars.dots * dot * scale, (high - bars.y - bars.height) * scale
    _runs(pen, bars.symbol.modules, (bars.x * scale, top), module, bars.height * scale)


def _square(pen: ImageDraw.ImageDraw, square: Square, high: float, dot: float, scale: float) -> None:
    module = square.dots * dot * scale
    top = (high - square.y) * scale - square.symbol.size * module
    for number, row in enumerate(square.symbol.rows):
        _runs(pen, row, (square.x * scale, top + number * module), module, module)


def _runs(
    pen: ImageDraw.ImageDraw, modules: Sequence[str], corner: tuple[float, float], module: float, height: float
) -> None:
    """Dark modules that stand side by side as one rectangle, each edge on the nearest pixel."""
    left, top = corner
    for place, module_ in enumerate(modules):
        if module_ == "1":
            x, y = round(left + place * module), round(top)
            pen.rectangle((x, y, round(left + (place + 1) * module) - 1, round(top + height) - 1), fill=INK)


def _logo(image: Image.Image, logo: bytes, sheet: LabelSheet, scale: float, *, is_turned: bool) -> None:
    with Image.open(BytesIO(logo)) as picture:
        left, bottom, wide, high = (length * scale for length in sheet.logo_box(picture.size, is_turned=is_turned))
        size = max(1, round(wide)), max(1, round(high))
        image.paste(picture.convert("L").resize(size), (round(left), round(image.height - bottom - high)))
