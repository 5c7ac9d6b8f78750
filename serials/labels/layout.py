"""Where everything lies on a label: one layout, which the PDF, the picture of the preview and ZPL all draw.

Lengths are points from the lower left corner of the label as it is read: one that is too narrow for its bars is turned
by 90 degrees. A module is a whole number of the printer's dots wide, so that the printer draws every bar exactly.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from django.utils.translation import gettext as _

from oms.errors import DomainError
from serials.labels import code128, content, datamatrix, gs1, qr
from serials.labels.content import Label, Symbology
from serials.labels.matrix import Matrix
from serials.labels.plan import Plan
from serials.labels.sheets import MM
from serials.labels.text import BOLD, ELLIPSIS, MONO, PLAIN, fit, glyphs, pieces, printable, width, wrapped

SKU_SMALLEST, SMALLEST = 12.0, 6.0
"""The smallest size of text, in points; what does not fit then goes on in the next line."""
LEAST_BARS = 4 * MM
"""Bars that are lower than that are missed by hand scanners."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text; `y` is its baseline."""

    text: str
    font: str
    size: float
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Bars:
    """A linear symbol; `data` is what it says, for printers that make it themselves."""

    symbol: code128.Bars
    data: str
    x: float
    y: float
    dots: int
    height: float


@dataclass(frozen=True, slots=True)
class Square:
    """A two-dimensional symbol, without its quiet zone; `data` as of Bars."""

    symbol: Matrix
    data: str
    is_qr: bool
    x: float
    y: float
    dots: int


@dataclass(frozen=True, slots=True)
class Head:
    """SKU and name, and where their last line ends: the same for many labels."""

    lines: tuple[Line, ...]
    bottom: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """All of one label; `is_turned` by 90 degrees against the clock, `has_logo` where LabelSheet.logo_box has it."""

    is_turned: bool
    head: Head
    lines: tuple[Line, ...]
    bars: tuple[Bars, ...] = ()
    squares: tuple[Square, ...] = ()
    has_logo: bool = False


Set = tuple[str, str, float]
"""A line before it has its place: text, font, size."""


_NO_HEAD = Head((), 0)


def _high(lines: Iterable[Set]) -> float:
    """How high lines are, one below the other."""
    return 1.2 * sum([size for _text, _font, size in lines])


class Layout:
    """Lays out labels of one plan."""

    def __init__(self, plan: Plan) -> None:
        glyphs()
        self.plan, self.sheet = plan, plan.paper
        self.has_logo = bool(plan.logo and self.sheet.logo_width)
        # Labels of a run share few SKUs: their text is laid out once.
        self.head: Callable[..., Head] = lru_cache(maxsize=4_096)(self._head)
        self.sku, self.name = lru_cache(maxsize=4_096)(self._sku), lru_cache(maxsize=4_096)(self._name)
        self.details = lru_cache(maxsize=4_096)(self._details)
        self.lines_of = lru_cache(maxsize=64)(self._lines_of)
        place = {Symbology.CODE_128: self._code128, Symbology.GS1_128: self._gs1_128}
        self.place: Callable[[Label], Drawing] = place.get(plan.symbology, self._square)
        """The layout of one label. Raises DomainError, naming its serial, where it has no room for the symbol."""

    # --- bars ---
    def _code128(self, label: Label) -> Drawing:
        text = content.plain_ascii(label.serial)
        symbol = code128.encode(text)
        for wide, high, is_turned in self._sides():
            dots = self.sheet.dots_per_module(len(symbol.modules), wide)
            if dots >= self.sheet.least_dots:
                return self._with_bars(label, [(symbol, text, dots)], [label.serial], (wide, high, is_turned))
        raise self._too_long(label)

    def _gs1_128(self, label: Label) -> Drawing:
        """One symbol, or as many as it takes, each with whole elements (GS1 General Specifications, 5.4)."""
        found = content.elements(label)
        for wide, high, is_turned in self._sides():
            parts = self._parts(found, wide)
            if parts:
                words = [part.words for part in parts]
                symbols = [(symbol, part.data, dots) for part, (symbol, dots) in parts.items()]
                try:
                    return self._with_bars(label, symbols, words, (wide, high, is_turned))
                except _NoRoomError:
                    continue
        raise self._too_long(label)

    def _parts(self, found: gs1.Elements, wide: float) -> dict[gs1.Elements, tuple[code128.Bars, int]]:
        """The elements in as few symbols as width and standard allow; none where one is too long by itself."""
        parts: dict[gs1.Elements, tuple[code128.Bars, int]] = {}
        rest = found.pairs
        while rest:
            for count in range(len(rest), 0, -1):
                part = gs1.Elements(rest[:count])
                if len(part.data) > gs1.MOST_IN_BARS:
                    continue
                symbol = code128.encode(part.data, is_gs1=True)
                dots = self.sheet.dots_per_module(len(symbol.modules), wide)
                if dots >= self.sheet.least_dots:
                    parts[part], rest = (symbol, dots), rest[count:]
                    break
            else:
                return {}
        return parts

    def _with_bars(
        self,
        label: Label,
        symbols: list[tuple[code128.Bars, str, int]],
        words: list[str],
        side: tuple[float, float, bool],
    ) -> Drawing:
        """Head, bars with their words below, and lot and expiry where the bars do not say them."""
        sheet, (wide, high, is_turned) = self.sheet, side
        under = [self._lines_of(text, MONO, sheet.serial_size, wide - 2 * sheet.padding) for text in words]
        below = self._below(label, wide) if self.plan.symbology == Symbology.CODE_128 else []
        taken = _high([*below, *(line for lines in under for line in lines)])
        taken += sheet.padding + sheet.padding / 2 * len(symbols)
        for name in dict.fromkeys((label.name, "")):  # the name goes first where there is little room
            head = self.head(label.sku, name, wide, high)
            height = min(sheet.bar_height, (head.bottom - taken) / len(symbols))
            if height >= LEAST_BARS:
                break
        else:
            raise _NoRoomError(self._words(label))
        at = head.bottom
        bars: list[Bars] = []
        lines: list[Line] = []
        for (symbol, data, dots), texts in zip(symbols, under, strict=True):
            at -= sheet.padding / 2 + height
            left = self._whole((wide - len(symbol.modules) * dots * sheet.dot) / 2)
            bars.append(Bars(symbol, data, left, at, dots, height))
            at = self._put(lines, texts, at, wide)
        self._put(lines, below, at, wide)
        return Drawing(is_turned, head, tuple(lines), bars=tuple(bars), has_logo=self.has_logo)

    def _sides(self) -> tuple[tuple[float, float, bool], ...]:
        """Width and height of the label as it is read: across, or along it where that is too narrow."""
        sheet = self.sheet
        return (sheet.width, sheet.height, False), (sheet.height, sheet.width, True)

    # --- two dimensions ---
    def _square(self, label: Label) -> Drawing:
        """The symbol beside the text, or below the head on a label that is higher than wide."""
        sheet = self.sheet
        symbol, data = self._matrix(label)
        modules = symbol.size + 2 * symbol.quiet
        if sheet.height > sheet.width:
            return self._below_head(label, symbol, data, modules)
        room = min(sheet.height, 0.48 * sheet.width) - sheet.padding
        dots = self._matrix_dots(label, modules, room)
        side = modules * dots * sheet.dot
        x = self._whole(sheet.padding / 2) + symbol.quiet * dots * sheet.dot
        y = self._whole((sheet.height - symbol.size * dots * sheet.dot) / 2)
        left = sheet.padding / 2 + side + sheet.padding / 2
        squares = (Square(symbol, data, symbol.quiet == qr.QUIET, x, y, dots),)
        return self._beside(label, left, sheet.width - left - sheet.padding, squares)

    def _below_head(self, label: Label, symbol: Matrix, data: str, modules: int) -> Drawing:
        sheet = self.sheet
        wide = sheet.width
        head = self.head(label.sku, label.name, wide, sheet.height)
        below = self._lines_of(label.serial, MONO, sheet.serial_size, wide - 2 * sheet.padding)
        below += self._below(label, wide)
        room = min(wide, head.bottom - _high(below) - sheet.padding) - sheet.padding
        dots = self._matrix_dots(label, modules, room)
        side, quiet = symbol.size * dots * sheet.dot, symbol.quiet * dots * sheet.dot
        y = self._whole(head.bottom - quiet - side)
        lines: list[Line] = []
        self._put(lines, below, y - quiet / 2, wide)
        x = self._whole((wide - side) / 2)
        squares = (Square(symbol, data, symbol.quiet == qr.QUIET, x, y, dots),)
        return Drawing(is_turned=False, head=head, lines=tuple(lines), squares=squares, has_logo=self.has_logo)

    def _whole(self, length: float) -> float:
        """A length of whole dots, so that edges of modules are edges of dots."""
        return round(length / self.sheet.dot) * self.sheet.dot

    def _matrix(self, label: Label) -> tuple[Matrix, str]:
        """The symbol and what it says."""
        if self.plan.symbology == Symbology.QR:
            return qr.encode(label.serial), label.serial
        found = content.elements(label)
        if self.plan.symbology == Symbology.GS1_DATAMATRIX:
            return datamatrix.encode(found.data, is_gs1=True), found.data
        link = gs1.digital_link(found, self.plan.resolver)
        return qr.encode(link), link

    def _matrix_dots(self, label: Label, modules: int, room: float) -> int:
        dots = min(self.sheet.most_matrix, int(room / self.sheet.dot + 1e-6) // modules)
        if dots < self.sheet.least_matrix:
            raise self._too_long(label)
        return dots

    def _beside(self, label: Label, left: float, room: float, squares: tuple[Square, ...]) -> Drawing:
        """All text beside a symbol, the serial before the name where there is little room."""
        sheet = self.sheet
        serial, mono = printable(label.serial, MONO)
        size = fit(serial, mono, sheet.serial_size, room, SMALLEST)
        rest = [(line, mono, size) for line in pieces(serial, mono, size, room)]
        for text in self.details(label.lot, label.expires_on, label.gtin):
            rest += self.lines_of(text, PLAIN, sheet.name_size, room)[:1]
        free = sheet.height - sheet.padding - _high(rest)
        if self.has_logo:
            top = self._left_of_logo(label, room, free - sheet.padding / 2)
            if top:
                at = sheet.height - sheet.padding
                lines = self._stack(top, left, at)
                lines += self._stack(rest, left, at - max(_high(top), sheet.logo_height))
                return Drawing(is_turned=False, head=_NO_HEAD, lines=tuple(lines), squares=squares, has_logo=True)
        top = self.sku(label.sku, room)
        everything = [*top, *self._middle(label, room, free - _high(top)), *rest]
        lines = self._stack(everything, left, (sheet.height + _high(everything)) / 2)
        return Drawing(is_turned=False, head=_NO_HEAD, lines=tuple(lines), squares=squares)

    def _left_of_logo(self, label: Label, room: float, free: float) -> list[Set]:
        """SKU and name beside the logo; none where that would cut the SKU, or is higher than what is free."""
        sheet = self.sheet
        room -= sheet.logo_width + sheet.padding / 2
        top = self.sku(label.sku, room)
        if top[-1][0].endswith(ELLIPSIS) or max(_high(top), sheet.logo_height) > free:
            return []
        return [*top, *self._middle(label, room, free - _high(top))]

    def _middle(self, label: Label, room: float, free: float) -> list[Set]:
        """As much of the name as there is room for."""
        count = min(self.sheet.name_lines + 1, int(free / (1.2 * self.sheet.name_size)))
        return self.name(label.name, room, count) if count > 0 else []

    # --- text ---
    def _head(self, sku: str, name: str, wide: float, high: float) -> Head:
        """SKU and name at the top, left of the logo."""
        sheet = self.sheet
        room = wide - 2 * sheet.padding
        if self.has_logo:
            room -= sheet.logo_width + sheet.padding / 2
        said, bold = printable(sku, BOLD)
        size = fit(said, bold, sheet.sku_size, room, min(SKU_SMALLEST, sheet.sku_size))
        head = [(line, bold, size) for line in wrapped(said, bold, size, room, 5)]
        words, plain = printable(name, PLAIN)
        head += [
            (line, plain, sheet.name_size) for line in wrapped(words, plain, sheet.name_size, room, sheet.name_lines)
        ]
        top = high - sheet.padding
        taken = max(_high(head), sheet.logo_height if self.has_logo else 0)
        return Head(tuple(self._stack(head, sheet.padding, top)), top - taken)

    def _sku(self, sku: str, room: float) -> list[Set]:
        """The SKU beside a symbol."""
        said, bold = printable(sku, BOLD)
        size = fit(said, bold, self.sheet.sku_size, room, self.sheet.serial_size)
        return [(line, bold, size) for line in wrapped(said, bold, size, room, 2)]

    def _name(self, name: str, room: float, most: int) -> list[Set]:
        """The name beside a symbol."""
        said, plain = printable(name, PLAIN)
        size = self.sheet.name_size
        return [(line, plain, size) for line in wrapped(said, plain, size, room, most)]

    def _below(self, label: Label, wide: float) -> list[Set]:
        """Lot, expiry and GTIN below a symbol."""
        room, size = wide - 2 * self.sheet.padding, self.sheet.name_size
        details = self.details(label.lot, label.expires_on, label.gtin)
        return [line for text in details for line in self.lines_of(text, PLAIN, size, room)]

    @staticmethod
    def _lines_of(text: str, font: str, size: float, room: float) -> list[Set]:
        """A text as lines."""
        said, font = printable(text, font)
        size = fit(said, font, size, room, SMALLEST)
        return [(line, font, size) for line in pieces(said, font, size, room)]

    @staticmethod
    def _stack(texts: list[Set], left: float, at: float) -> list[Line]:
        """Lines below `at`, all from the left."""
        lines = []
        for text, font, size in texts:
            at -= size * 1.2
            lines.append(Line(text, font, size, left, at + size * 0.25))
        return lines

    @staticmethod
    def _put(lines: list[Line], texts: list[Set], at: float, wide: float) -> float:
        """Set lines in the middle below `at`; where they end."""
        for text, font, size in texts:
            at -= size * 1.2
            lines.append(Line(text, font, size, (wide - width(text, font, size)) / 2, at + size * 0.2))
        return at

    def _details(self, lot: str, expires_on: date | None, gtin: str) -> list[str]:
        """Lot and expiry, and the GTIN where the symbol says it."""
        found = [_("Lot %(lot)s") % {"lot": lot}] if lot else []
        if expires_on:
            found.append(_("Expiry %(date)s") % {"date": expires_on.isoformat()})
        if self.plan.symbology.is_gs1:
            found.append(_("GTIN %(gtin)s") % {"gtin": gtin})
        return found

    def _words(self, label: Label) -> str:
        return _(
            "“%(serial)s” is too long for a barcode that a scanner can read on a label of %(sheet)s. Choose a larger "
            "label, or a two-dimensional symbol."
        ) % {"serial": label.serial, "sheet": self.sheet.name}

    def _too_long(self, label: Label) -> DomainError:
        return DomainError(self._words(label))


class _NoRoomError(DomainError):
    """The bars would be too low."""
