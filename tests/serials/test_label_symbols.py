"""Every sheet with every symbol, rastered and read by a real decoder; GS1 symbols parsed back."""

from dataclasses import replace
from datetime import UTC, date, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pypdfium2
import pytest
import zxingcpp
from django.utils import timezone
from hypothesis import given, settings, strategies as st
from PIL import Image

from oms.errors import DomainError
from serials.labels import SHEETS, Label, Plan, Symbology, datamatrix, gs1, qr
from serials.labels.layout import Layout
from serials.labels.pdf import render_pdf
from serials.labels.picture import page_picture
from serials.labels.sheets import MM
from serials.labels.text import width
from tests.serials.labels import EXPIRY, GTIN, LOT, a_logo, expected, some

TOO_SMALL = {"2x1", "50x25", "a4-3x10", "a4-5x13"}
"""Where the bars of GS1-128 with GTIN, expiry, lot and serial have no room: refused with words."""
TOLERANCE = 0.2  # mm
SAFE = "".join(sorted(gs1.CHARACTERS))
CASES = [(sheet, symbology) for sheet in SHEETS for symbology in Symbology]
values = st.text(SAFE, min_size=1, max_size=20)
dates = st.dates(date(2000, 1, 1), date(2049, 12, 31))


def rastered(content, dpi, page=0):
    document = pypdfium2.PdfDocument(content)
    image = document[page].render(scale=dpi / 72, grayscale=True).to_pil()
    document.close()
    return image


def label_images(content, sheet, dpi):
    """Each label of the first page, cut out where the sheet says that it lies."""
    image = rastered(content, dpi)
    scale = dpi / 72
    for place in range(sheet.per_page):
        x, y = sheet.corner(place)
        top = sheet.page_height - y - sheet.height
        box = (x * scale, top * scale, (x + sheet.width) * scale, (top + sheet.height) * scale)
        yield image.crop(tuple(map(round, box)))


def said_by(image, symbology):
    """What the symbols on a label say: the serial, or the elements by their identifiers."""
    found = sorted(zxingcpp.read_barcodes(image), key=lambda one: one.position.top_left.y)
    if symbology == Symbology.GS1_QR:
        parts = urlsplit(found[0].text)
        steps = parts.path.strip("/").split("/")
        path = dict(zip(steps[::2], map(unquote, steps[1::2]), strict=True))
        return path | {ai: value for ai, (value,) in parse_qs(parts.query).items()}
    if symbology.is_gs1:
        assert all(one.symbology_identifier in {"]C1", "]d2"} for one in found)
        return {ai: value for one in found for ai, value in gs1.parse(one.bytes.decode()).items()}
    (only,) = found
    return only.text


@pytest.mark.parametrize(("key", "symbology"), CASES, ids=[f"{key}-{symbology}" for key, symbology in CASES])
def test_every_sheet_with_every_symbol_is_read(key, symbology):
    sheet = SHEETS[key]
    labels = some(sheet.per_page)
    plan = Plan(sheet=key, symbology=symbology)
    if symbology == Symbology.GS1_128 and key in TOO_SMALL:
        with pytest.raises(DomainError, match=r"too long for a barcode.*two-dimensional"):
            b"".join(render_pdf(labels, plan))
        return
    content = b"".join(render_pdf(labels, plan))
    # Bars on sheets are for laser printers of 600 dpi; at 203 the thinnest would be 1.7 dots wide.
    dpi = 203 if sheet.is_roll or not symbology.endswith("128") else 300
    images = label_images(content, sheet, dpi)
    assert [said_by(image, symbology) for image in images] == [expected(label, symbology) for label in labels]


@pytest.mark.parametrize("key", sorted(TOO_SMALL - {"a4-5x13"}))
def test_small_labels_have_gs1_bars_of_gtin_and_serial(key):
    sheet = SHEETS[key]
    labels = some(sheet.per_page, lot="", expires_on=None)
    content = b"".join(render_pdf(labels, Plan(sheet=key, symbology=Symbology.GS1_128)))
    found = [said_by(image, Symbology.GS1_128) for image in label_images(content, sheet, 203 if sheet.is_roll else 300)]
    assert found == [{"01": GTIN.zfill(14), "21": label.serial} for label in labels]


@pytest.mark.parametrize("key", ["4x6", "a4-2x7", "letter-2x7"])
def test_long_elements_are_shared_among_symbols_of_at_most_48_characters(key):
    """As the standard has it; readers may refuse a longer one, though its bars would fit."""
    label = Label("S", "N", "1" * 20, gtin=GTIN, lot="2" * 20, expires_on=EXPIRY)
    plan = Plan(sheet=key, symbology=Symbology.GS1_128)
    drawing = Layout(plan).place(label)
    assert len(drawing.bars) > 1
    assert max(len(bars.data) for bars in drawing.bars) <= 48
    image = next(label_images(b"".join(render_pdf([label], plan)), SHEETS[key], 203 if SHEETS[key].is_roll else 300))
    assert said_by(image, Symbology.GS1_128) == {"01": GTIN.zfill(14), "17": "261231", "10": "2" * 20, "21": "1" * 20}


@pytest.mark.parametrize("key", SHEETS)
def test_the_paper_and_the_places_are_those_of_the_sheet(key):
    """The symbols of a page lie one pitch apart, and each inside its label, to 0.2 mm."""
    sheet, dpi = SHEETS[key], 300
    content = b"".join(render_pdf(some(sheet.per_page), Plan(sheet=key, symbology=Symbology.QR)))
    document = pypdfium2.PdfDocument(content)
    assert document[0].get_size() == pytest.approx((sheet.page_width, sheet.page_height), abs=TOLERANCE * MM)
    document.close()
    image = rastered(content, dpi).point(lambda shade: 255 if shade < 128 else 0)
    scale, mm = dpi / 72, 25.4 / dpi
    edges = []
    for place in range(sheet.per_page):
        x, y = sheet.corner(place)
        top = sheet.page_height - y - sheet.height
        # The symbol is all that is dark in the left part of a label, or in the middle of one that is higher than wide.
        wide, skipped = (0.46 * sheet.width, 0) if sheet.width > sheet.height else (sheet.width, 0.2 * sheet.height)
        left, upper = round(x * scale), round((top + skipped) * scale)
        found = image.crop((left, upper, round((x + wide) * scale), round((top + sheet.height) * scale))).getbbox()
        edges.append(((left + found[0]) * mm, (upper + found[1]) * mm))
    first = edges[0]
    for place, (x, y) in enumerate(edges):
        row, column = divmod(place, sheet.columns)
        assert x - first[0] == pytest.approx(column * sheet.pitch_x / MM, abs=TOLERANCE)
        assert y - first[1] == pytest.approx(row * sheet.pitch_y / MM, abs=TOLERANCE)
    assert sheet.left / MM <= first[0] <= (sheet.left + sheet.width) / MM
    assert sheet.top / MM <= first[1] <= (sheet.top + sheet.height) / MM


MEASURED = [case for case in CASES if case != ("a4-5x13", Symbology.GS1_128)]


@pytest.mark.parametrize(("key", "symbology"), MEASURED, ids=[f"{key}-{symbology}" for key, symbology in MEASURED])
def test_a_symbol_is_as_large_as_the_layout_says_and_lies_there(key, symbology):
    """Every edge to 0.2 mm; damaged by a change of any number of the drawing."""
    sheet = SHEETS[key]
    is_short = symbology == Symbology.GS1_128 and key in TOO_SMALL
    (label,) = some(1, **({"lot": "", "expires_on": None} if is_short else {}))
    plan = Plan(sheet=key, symbology=symbology)
    drawing = Layout(plan).place(label)
    image = next(label_images(b"".join(render_pdf([label], plan)), sheet, 600))
    image = image.transpose(Image.Transpose.ROTATE_270) if drawing.is_turned else image
    boxes = [(bars, len(bars.symbol.modules) * bars.dots, bars.height / sheet.dot, 10) for bars in drawing.bars]
    boxes += [
        (one, one.symbol.size * one.dots, one.symbol.size * one.dots, one.symbol.quiet) for one in drawing.squares
    ]
    assert boxes
    for symbol, wide, high, quiet in boxes:
        left, top = symbol.x, (sheet.width if drawing.is_turned else sheet.height) - symbol.y - high * sheet.dot
        box = (left, top, left + wide * sheet.dot, top + high * sheet.dot)
        found = ink_around(image, box, quiet * symbol.dots * sheet.dot / 2, is_bars=symbol in drawing.bars)
        assert found == pytest.approx([edge / MM for edge in box], abs=TOLERANCE)


def ink_around(image, box, edge, *, is_bars, dpi=600):
    """What is dark in a box of points, and `edge` around it: left, top, right and bottom in mm.

    Above and below bars there is text: their height is that of the first one, from its middle up and down.
    """
    scale, dark = dpi / 72, image.point(lambda shade: 255 if shade < 128 else 0)
    left, top, right, bottom = (round(length * scale) for length in box)
    edge, middle = round(edge * scale), (top + bottom) // 2
    start = (left - edge, middle if is_bars else top - edge)
    found = dark.crop((*start, right + edge, middle + 1 if is_bars else bottom + edge)).getbbox()
    sides = [place + start[number % 2] for number, place in enumerate(found)]
    if is_bars:
        column = [dark.getpixel((sides[0] + 2, y)) for y in range(dark.height)] + [0]
        sides[1] = middle - [*column[middle::-1], 0].index(0) + 1
        sides[3] = column.index(0, middle)
    return [side / dpi * 25.4 for side in sides]


def test_the_margins_move_every_label():
    def corner(**shift):
        image = rastered(b"".join(render_pdf(some(1), Plan(sheet="a4-3x10", symbology=Symbology.QR, **shift))), 300)
        (found,) = zxingcpp.read_barcodes(image)
        return found.position.top_left.x * 25.4 / 300, found.position.top_left.y * 25.4 / 300

    (x, y), (right, down) = corner(), corner(shift_x=1.5, shift_y=-2.0)
    assert (right - x, down - y) == pytest.approx((1.5, -2.0), abs=TOLERANCE)


def test_a_part_used_sheet_begins_where_it_is_told():
    sheet = SHEETS["a4-3x10"]
    content = b"".join(render_pdf(some(25), Plan(sheet="a4-3x10", start=9)))
    read = [zxingcpp.read_barcodes(image) for image in label_images(content, sheet, 203)]
    assert [len(one) for one in read] == [0] * 8 + [1] * 22
    assert read[8][0].text == "LAP00000000"
    assert len(zxingcpp.read_barcodes(rastered(content, 203, page=1))) == 3


@pytest.mark.parametrize("key", ["4x6", "a4-3x10"])
def test_the_preview_is_the_page(key, tmp_path):
    """A decoder reads the picture, too."""
    path = tmp_path / "page.png"
    path.write_bytes(page_picture(some(3), Plan(sheet=key, symbology=Symbology.GS1_DATAMATRIX, start=2)))
    with Image.open(path) as image:
        found = zxingcpp.read_barcodes(image)
    serials = sorted(gs1.parse(one.bytes.decode())["21"] for one in found)
    assert serials == (["LAP00000000", "LAP00000001", "LAP00000002"] if key == "a4-3x10" else [])


def test_a_sheet_label_is_small():
    """Bar 12 of the limits: 150 bytes for a label on a sheet."""
    content = b"".join(render_pdf(some(3_000), Plan(sheet="a4-3x10", symbology=Symbology.GS1_DATAMATRIX)))
    assert len(content) / 3_000 <= 150


def test_text_is_copied_without_the_modules():
    content = b"".join(render_pdf(some(1), Plan(sheet="4x6", symbology=Symbology.GS1_DATAMATRIX)))
    (page,) = pypdfium2.PdfDocument(content)
    words = page.get_textpage().get_text_bounded().split()
    assert words == ["L2201308", "Laptop", "14", "LAP00000000", "Lot", LOT, "Expiry", "2026-12-31", "GTIN", GTIN]


# --- the logo ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("key", "symbology"), MEASURED, ids=[f"{key}-{symbology}" for key, symbology in MEASURED])
def test_labels_with_a_logo_are_read_and_have_it_where_there_is_room(key, symbology):
    sheet = SHEETS[key]
    is_short = symbology == Symbology.GS1_128 and key in TOO_SMALL
    labels = some(sheet.per_page, **({"lot": "", "expires_on": None} if is_short else {}))
    plan = Plan(sheet=key, symbology=symbology, logo=a_logo())
    content = b"".join(render_pdf(labels, plan))
    assert (b"/Subtype /Image" in content) is bool(sheet.logo_width)
    images = list(label_images(content, sheet, 203 if sheet.is_roll or not symbology.endswith("128") else 300))
    wanted = [expected(label, symbology) for label in labels]
    if is_short:
        wanted = [{ai: said[ai] for ai in ("01", "21")} for said in wanted]
    assert [said_by(image, symbology) for image in images] == wanted
    if not sheet.logo_width:
        return
    drawing = Layout(plan).place(labels[0])
    assert drawing.has_logo
    left, bottom, wide, high = sheet.logo_box((300, 150), is_turned=drawing.is_turned)
    assert (wide / high, left + wide, wide <= sheet.logo_width + 1e-6, high <= sheet.logo_height + 1e-6) == (
        pytest.approx(2),
        pytest.approx((sheet.height if drawing.is_turned else sheet.width) - sheet.padding),
        True,
        True,
    )
    (image,) = label_images(b"".join(render_pdf(labels[:1], plan)), replace(sheet, columns=1, rows=1), 600)
    image = image.transpose(Image.Transpose.ROTATE_270) if drawing.is_turned else image
    top = (sheet.width if drawing.is_turned else sheet.height) - bottom - high
    found = ink_around(image, (left, top, left + wide, top + high), sheet.padding / 4, is_bars=False)
    assert found == pytest.approx([edge / MM for edge in (left, top, left + wide, top + high)], abs=TOLERANCE)
    for line in (*drawing.head.lines, *drawing.lines):
        assert line.x + width(line.text, line.font, line.size) <= left or line.y + line.size <= bottom + 1


def test_the_logo_gives_way_to_what_the_label_has_to_say():
    plan = Plan(sheet="letter-2x7", symbology=Symbology.GS1_DATAMATRIX, logo=a_logo())
    (label,) = some(1)
    assert Layout(plan).place(label).has_logo
    long = replace(label, sku="LONG-SKU-" * 5)
    drawing = Layout(plan).place(long)
    assert not drawing.has_logo
    assert "".join(line.text for line in drawing.lines).startswith(long.sku)
    assert b"/Subtype /Image" not in b"".join(render_pdf([long], plan))


# --- GS1 --------------------------------------------------------------------------------------------------------------
@settings(max_examples=100, deadline=None)
@given(serial=values, lot=st.just("") | values, expires_on=st.none() | dates)
def test_elements_come_back_as_they_went(serial, lot, expires_on):
    found = gs1.elements_of(sku="S", gtin=GTIN, serial=serial, lot=lot, expires_on=expires_on)
    wanted = {"01": GTIN.zfill(14), "21": serial} | ({"10": lot} if lot else {})
    wanted |= {"17": f"{expires_on:%y%m%d}"} if expires_on else {}
    assert gs1.parse(found.data) == wanted
    parts = urlsplit(gs1.digital_link(found))
    steps = parts.path.strip("/").split("/")
    link = dict(zip(steps[::2], map(unquote, steps[1::2]), strict=True))
    assert link | {ai: value for ai, (value,) in parse_qs(parts.query).items()} == wanted
    assert steps[::2] == [ai for ai in ("01", "10", "21") if ai in wanted]


@pytest.mark.parametrize(
    ("now", "first", "last"), [(2026, 1977, 2076), (2049, 2000, 2099), (2050, 2001, 2100), (2099, 2050, 2149)]
)
def test_an_expiry_that_readers_would_take_for_another_century_is_refused(monkeypatch, now, first, last):
    """Years 51 to 99 ahead of the current one are read as of the century before, those 50 to 99 back as of the next."""
    monkeypatch.setattr(timezone, "now", lambda: datetime(now, 6, 30, tzinfo=UTC))
    for year in (first, now, last):
        found = gs1.elements_of(sku="S", gtin=GTIN, serial="A1", expires_on=date(year, 12, 31))
        assert dict(found.pairs)["17"] == f"{year % 100:02}1231"
    for year, taken in ((first - 1, last), (last + 1, first)):
        label = Label("S", "N", "A1", gtin=GTIN, expires_on=date(year, 12, 31))
        for symbology in Symbology:
            if symbology.is_gs1:
                with pytest.raises(DomainError, match=f"Expiry “{year}-12-31” .* read as {taken}"):
                    b"".join(render_pdf([label], Plan(symbology=symbology)))


@settings(max_examples=15, deadline=None)
@given(serial=values, lot=st.just("") | values)
def test_any_serial_and_lot_is_read_from_a_datamatrix(serial, lot):
    label = Label("S", "N", serial, gtin=GTIN, lot=lot)
    content = b"".join(render_pdf([label], Plan(symbology=Symbology.GS1_DATAMATRIX)))
    found = said_by(rastered(content, 203), Symbology.GS1_DATAMATRIX)
    assert found == {"01": GTIN.zfill(14), "21": serial} | ({"10": lot} if lot else {})


@pytest.mark.parametrize("size", [9, 18, 40, 70, 112, 160])
def test_longer_symbols_are_read_too(size):
    text = ("AbC-12/x" * 30)[:size]
    for matrix in (datamatrix.encode(text, is_gs1=False), qr.encode(text)):
        image = picture_of(matrix)
        assert [one.text for one in zxingcpp.read_barcodes(image)] == [text]


def picture_of(matrix):
    image = Image.new("L", (matrix.size + 2 * matrix.quiet,) * 2, 255)
    for row in range(matrix.size):
        for column in range(matrix.size):
            image.putpixel((column + matrix.quiet, row + matrix.quiet), 0 if matrix.is_dark(row, column) else 255)
    return image.resize((image.width * 4,) * 2, Image.Resampling.NEAREST)


def test_what_gs1_cannot_say_is_named_with_what_to_do():
    cases = [
        (Label("KEY-1", "N", "A1"), "SKU “KEY-1” has no GTIN.*enter it on the SKU"),
        (Label("S", "N", "X" * 21, gtin=GTIN), "Serial “X+” cannot stand.*20 characters"),
        (Label("S", "N", "A B", gtin=GTIN), "Serial “A B” cannot stand"),
        (Label("S", "N", "A1", gtin=GTIN, lot="#1"), "Lot “#1” cannot stand"),
        (Label("Zone", "W", "A-01", bin_id=4), "A bin has no GTIN"),
    ]
    for label, words in cases:
        for symbology in (Symbology.GS1_128, Symbology.GS1_DATAMATRIX, Symbology.GS1_QR):
            with pytest.raises(DomainError, match=words):
                b"".join(render_pdf([label], Plan(symbology=symbology)))
