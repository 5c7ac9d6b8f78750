"""How a run of labels is to be printed: what people choose before they print."""

from dataclasses import dataclass, replace

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy

from serials.labels import gs1
from serials.labels.content import Symbology
from serials.labels.sheets import MM, SHEETS, LabelSheet


class Format(TextChoices):
    """Kinds of file."""

    PDF = "pdf", gettext_lazy("PDF")
    ZPL = "zpl", gettext_lazy("ZPL, for label printers")


@dataclass(frozen=True)
class Plan:
    """What is printed how.

    Args:
        sheet: a key of SHEETS.
        symbology: which symbol.
        start: the place of the first label on its page, counted by rows from 1: a part-used sheet.
        shift_x, shift_y: in mm, to the right and down: what this printer is off by.
        resolver: the beginning of Digital Link addresses.
        logo: the bytes of a PNG or JPEG picture, empty for none.
        is_reprint: some of the labels were printed before.
    """

    sheet: str = "4x6"
    symbology: Symbology = Symbology.CODE_128
    start: int = 1
    shift_x: float = 0.0
    shift_y: float = 0.0
    resolver: str = gs1.RESOLVER
    logo: bytes = b""
    is_reprint: bool = False

    @property
    def paper(self) -> LabelSheet:
        """The sheet, moved by the shift."""
        sheet = SHEETS[self.sheet]
        if not (self.shift_x or self.shift_y):
            return sheet
        return replace(sheet, left=sheet.left + self.shift_x * MM, top=sheet.top + self.shift_y * MM)
