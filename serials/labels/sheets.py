"""The paper that labels are printed on, as plain numbers.

The numbers of A4 and Letter sheets are those that makers print on the box of sheets of this kind; the codes of some
makers are in the comments, for people who look for them.
"""

from dataclasses import dataclass
from typing import Any

INCH = 72.0
MM = INCH / 25.4
QUIET = 10
"""Modules of white before and after bars (ISO/IEC 15417, 4.3.2)."""


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
        bar_height: of the bars, at most; a symbol that a scanner shall read at an angle wants 15 % of its length.
        logo_width, logo_height: the room for an account's logo at the top right; 0 where there is none.
        dpi: dots of the printer for an inch.
        least_dots, most_dots: how wide one module of bars may be; 2 dots at 203 dpi are 0.25 mm.
        least_matrix, most_matrix: the same for the square modules of a two-dimensional symbol.
        is_roll: one label after the other, as label printers take them: what ZPL can be printed on.
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
    logo_width: float = 0
    logo_height: float = 0
    dpi: int = 203
    least_dots: int = 2
    most_dots: int = 4
    least_matrix: int = 3
    most_matrix: int = 16
    is_roll: bool = True

    @property
    def dot(self) -> float:
        """One dot of the printer, in points."""
        return INCH / self.dpi

    @property
    def per_page(self) -> int:
        """How many labels a page has."""
        return self.columns * self.rows

    @property
    def size_in_mm(self) -> tuple[float, float]:
        """Width and height of one label, for people."""
        return round(self.width / MM, 1), round(self.height / MM, 1)

    def dots_per_module(self, modules: int, length: float) -> int:
        """How many dots wide a module of bars may be in `length` points; below least_dots they do not fit."""
        room = int((length - self.padding) / self.dot + 1e-6)
        return min(self.most_dots, room // (modules + 2 * QUIET))

    def logo_box(self, size: tuple[int, int], *, is_turned: bool) -> tuple[float, float, float, float]:
        """Where a picture of that size lies at the top right of a label as it is read: left, bottom, width, height."""
        wide, high = (self.height, self.width) if is_turned else (self.width, self.height)
        factor = min(self.logo_width / size[0], self.logo_height / size[1])
        logo_wide, logo_high = size[0] * factor, size[1] * factor
        return wide - self.padding - logo_wide, high - self.padding - logo_high, logo_wide, logo_high

    def corner(self, place: int) -> tuple[float, float]:
        """The lower left corner of the label at a place of its page, counted by rows from 0, from the page's."""
        row, column = divmod(place, self.columns)
        return self.left + column * self.pitch_x, self.page_height - self.top - row * self.pitch_y - self.height


def _roll(name: str, width: float, height: float, **more: Any) -> LabelSheet:
    """A roll: one label as large as its page."""
    return LabelSheet(
        name=name,
        page_width=width,
        page_height=height,
        columns=1,
        rows=1,
        left=0,
        top=0,
        pitch_x=width,
        pitch_y=height,
        width=width,
        height=height,
        **more,
    )


SMALL: dict[str, Any] = {
    "padding": 6,
    "sku_size": 9,
    "name_size": 6.5,
    "serial_size": 7.5,
    "name_lines": 1,
    "bar_height": 0.42 * INCH,
}
"""Text and bars of labels of about 2 × 1 in."""
OFFICE: dict[str, Any] = {
    "dpi": 600,
    "least_dots": 5,
    "most_dots": 12,
    "least_matrix": 9,
    "most_matrix": 28,
    "is_roll": False,
}
"""Laser and inkjet printers; 5 dots at 600 dpi are 0.21 mm, 9 are 0.38 mm."""
A4: dict[str, Any] = {"page_width": 210 * MM, "page_height": 297 * MM}
LETTER: dict[str, Any] = {"page_width": 8.5 * INCH, "page_height": 11 * INCH}

ROLL_4X6 = _roll(
    "4 × 6 in",
    4 * INCH,
    6 * INCH,
    padding=18,
    sku_size=26,
    name_size=15,
    serial_size=20,
    name_lines=4,
    bar_height=1.5 * INCH,
    logo_width=1.25 * INCH,
    logo_height=0.75 * INCH,
    most_matrix=20,
)
SHEETS: dict[str, LabelSheet] = {
    "4x6": ROLL_4X6,
    "2x1": _roll("2 × 1 in", 2 * INCH, 1 * INCH, **SMALL),
    "50x25": _roll("50 × 25 mm", 50 * MM, 25 * MM, **SMALL),
    "a4-3x10": LabelSheet(  # 70 × 29.7 mm: Avery 3489
        name="A4, 3 × 10",
        **A4,
        columns=3,
        rows=10,
        left=0,
        top=0,
        pitch_x=70 * MM,
        pitch_y=29.7 * MM,
        width=70 * MM,
        height=29.7 * MM,
        **{**SMALL, "padding": 12},  # printers leave about 4 mm of a page's edge white
        **OFFICE,
    ),
    "a4-2x7": LabelSheet(  # 99.1 × 38.1 mm: Avery L7163
        name="A4, 2 × 7",
        **A4,
        columns=2,
        rows=7,
        left=4.65 * MM,
        top=15.15 * MM,
        pitch_x=101.6 * MM,
        pitch_y=38.1 * MM,
        width=99.1 * MM,
        height=38.1 * MM,
        padding=9,
        sku_size=13,
        name_size=8.5,
        serial_size=9.5,
        name_lines=1,
        bar_height=0.5 * INCH,
        logo_width=0.9 * INCH,
        logo_height=0.36 * INCH,
        **OFFICE,
    ),
    "a4-5x13": LabelSheet(  # 38.1 × 21.2 mm: Avery L7651
        name="A4, 5 × 13",
        **A4,
        columns=5,
        rows=13,
        left=4.75 * MM,
        top=10.7 * MM,
        pitch_x=40.6 * MM,
        pitch_y=21.2 * MM,
        width=38.1 * MM,
        height=21.2 * MM,
        **{**SMALL, "padding": 5, "sku_size": 8, "name_size": 5.5, "serial_size": 6.5, "bar_height": 0.34 * INCH},
        **{**OFFICE, "least_matrix": 8},
    ),
    "letter-3x10": LabelSheet(  # 2 5/8 × 1 in: Avery 5160
        name="Letter, 3 × 10",
        **LETTER,
        columns=3,
        rows=10,
        left=0.1875 * INCH,
        top=0.5 * INCH,
        pitch_x=2.75 * INCH,
        pitch_y=1 * INCH,
        width=2.625 * INCH,
        height=1 * INCH,
        **SMALL,
        **OFFICE,
    ),
    "letter-2x7": LabelSheet(  # 4 × 1 1/3 in: Avery 5162
        name="Letter, 2 × 7",
        **LETTER,
        columns=2,
        rows=7,
        left=0.15625 * INCH,
        top=5 / 6 * INCH,
        pitch_x=4.1875 * INCH,
        pitch_y=4 / 3 * INCH,
        width=4 * INCH,
        height=4 / 3 * INCH,
        padding=9,
        sku_size=13,
        name_size=8.5,
        serial_size=9.5,
        name_lines=1,
        bar_height=0.45 * INCH,
        logo_width=0.9 * INCH,
        logo_height=0.36 * INCH,
        **OFFICE,
    ),
}
"""The sheets that people can choose, by the name in addresses and jobs."""
