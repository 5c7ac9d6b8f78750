"""ZPL taken apart: no renderer is at hand, so the commands and the data are checked."""

import re
from io import BytesIO

import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from oms.errors import DomainError
from serials.labels import Label, Plan, Symbology, gs1
from serials.labels.layout import Layout
from serials.labels.zpl import render_zpl
from tests.serials.labels import GTIN, LOT, a_logo, expected, some


def fields_of(zpl):
    """(command, its data) of every field of a label."""
    label = zpl.decode()
    assert label.startswith("^XA^CI28")
    assert label.endswith("^XZ\n")
    found = []
    for field in re.findall(r"\^FO(\d+,\d+.*?)\^FS", label):
        command, _sep, data = field.partition("^FD")
        hexed = command.endswith("^FH\\")
        found.append((re.sub(r"^\d+,\d+", "", command.removesuffix("^FH\\")), unhex(data) if hexed else data))
    return found


def unhex(data):
    return re.sub(r"\\([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), data)


def zpl_of(label, symbology, sheet="4x6"):
    return fields_of(b"".join(render_zpl([label], Plan(sheet=sheet, symbology=symbology))))


def plain_code128(data):
    """What a printer makes of ^BC data with code sets: FNC1 as the separator."""
    mode, at, found = data[:2], 2, []
    is_c = mode == ">;"
    while at < len(data):
        code = data[at : at + 2]
        if code in {">5", ">6"}:
            is_c, at = code == ">5", at + 2
        elif code in {">8", ">0", "><", ">="}:
            found.append({">8": gs1.FNC1, ">0": ">", "><": "^", ">=": "~"}[code])
            at += 2
        else:
            found.append(code if is_c else data[at])
            at += 2 if is_c else 1
    return "".join(found)


@settings(max_examples=50, deadline=None)
@given(st.text("ABCxyz0123456789^~\\_>- ", min_size=1, max_size=12).map(str.strip).filter(bool))
def test_zpl_bars_say_the_serial(serial):
    bars = [data for command, data in zpl_of(Label("S", "N", serial), Symbology.CODE_128) if "^BC" in command]
    assert [plain_code128(data) for data in bars] == [serial]
    assert "^" not in bars[0].replace("><", "")
    assert "~" not in bars[0]


def test_zpl_of_every_symbol():
    (label,) = some(1)
    texts = [data for command, data in zpl_of(label, Symbology.CODE_128) if "^A0" in command]
    assert texts == ["L2201308", "Laptop 14", "LAP00000000", f"Lot {LOT}", "Expiry 2026-12-31"]
    bars = [plain_code128(data) for command, data in zpl_of(label, Symbology.GS1_128) if "^BC" in command]
    assert all(data.startswith(gs1.FNC1) for data in bars)
    parsed = {ai: value for data in bars for ai, value in gs1.parse(data).items()}
    assert parsed == expected(label, Symbology.GS1_128)
    (square,) = [field for field in zpl_of(label, Symbology.GS1_DATAMATRIX) if "^BX" in field[0]]
    assert re.fullmatch(r"\^BXN,\d+,200,,,,_", square[0])
    assert gs1.parse(square[1].replace("_1", gs1.FNC1)) == expected(label, Symbology.GS1_DATAMATRIX)
    (square,) = [field for field in zpl_of(label, Symbology.GS1_QR) if "^BQ" in field[0]]
    assert square == ("^BQN,2,10", f"MA,https://id.gs1.org/01/{GTIN.zfill(14)}/10/{LOT}/21/LAP00000000?17=261231")


def test_zpl_lies_on_the_paper_and_moves_with_the_margins():
    def origin(**shift):
        zpl = b"".join(render_zpl(some(1), Plan(**shift))).decode()
        return tuple(map(int, re.search(r"\^FO(\d+),(\d+)\^BY", zpl).groups()))

    (x, y), (right, down) = origin(), origin(shift_x=2.0, shift_y=1.0)
    assert 0 < x < 812
    assert 0 < y < 1218
    assert (right - x, down - y) == (16, 8)  # 2 mm and 1 mm at 203 dpi


def test_a_long_serial_is_turned_in_zpl():
    (bars,) = [field for field in zpl_of(Label("S", "N", "x-" * 18), Symbology.CODE_128) if "^BC" in field[0]]
    assert "^BCB," in bars[0]


def graphic_of(zpl):
    """The picture of ^GF with its place, read as the programming guide says: repeats, commas and colons."""
    x, y, total, again, length, data = re.search(r"\^FO(\d+),(\d+)\^GFA,(\d+),(\d+),(\d+),(.*?)\^FS", zpl).groups()
    assert total == again
    digits, row, rows, times = int(length) * 2, "", [], 0
    for letter in data:
        if letter == ":":
            rows.append(rows[-1])
        elif letter == ",":
            row = row.ljust(digits, "0")
        elif letter in "0123456789ABCDEF":
            row, times = row + letter * (times or 1), 0
        else:
            times += ord(letter) - ord("F") if letter.isupper() else 20 * (ord(letter) - ord("f"))
        if len(row) == digits:
            rows.append(row)
            row = ""
    assert (row, len(rows) * int(length)) == ("", int(total))
    image = Image.new("1", (int(length) * 8, len(rows)))
    image.putdata([int(bit) for row in rows for bit in f"{int(row, 16):0{digits * 4}b}"])
    return (int(x), int(y)), image


@pytest.mark.parametrize("symbology", Symbology)
def test_zpl_has_the_logo_at_the_top_right(symbology):
    """1.25 in wide at 203 dpi, 0.25 in from the edges."""
    zpl = b"".join(render_zpl(some(2), Plan(symbology=symbology, logo=a_logo()))).decode()
    assert zpl.count("^GFA") == 2
    (x, y), image = graphic_of(zpl)
    is_turned = Layout(Plan(symbology=symbology)).place(some(1)[0]).is_turned
    wide, high = (127, 254) if is_turned else (254, 127)
    assert image.getbbox() == (0, 0, wide, high)
    assert image.crop(image.getbbox()).getextrema() == (1, 1)
    right = 812 - 254 - 51
    assert (x, y) == ((51, 51) if is_turned else (pytest.approx(right, abs=1), 51))
    assert "^GFA" not in b"".join(render_zpl(some(1), Plan(symbology=symbology))).decode()


def test_zpl_logos_are_the_dots_of_the_picture():
    """Half white and half black, and grey as a pattern; turned with the label."""
    picture = Image.new("L", (254, 152), 255)
    picture.paste(0, (0, 0, 100, 152))
    picture.paste(128, (154, 0, 254, 76))
    out = BytesIO()
    picture.save(out, "PNG")
    _place, image = graphic_of(b"".join(render_zpl(some(1), Plan(logo=out.getvalue()))).decode())
    assert image.crop((0, 0, 98, 152)).getextrema() == (1, 1)
    assert image.crop((102, 0, 152, 152)).getextrema() == (0, 0)
    grey = image.crop((158, 4, 254, 72)).convert("L").tobytes()
    assert 0.4 < grey.count(255) / len(grey) < 0.6
    assert image.crop((154, 80, 256, 152)).getbbox() is None
    long = Label("S", "N", "x-" * 18)
    _place, turned = graphic_of(b"".join(render_zpl([long], Plan(logo=out.getvalue()))).decode())
    assert turned.crop((0, 156, 152, 254)).getextrema() == (1, 1), "what was left is below"


def test_zpl_is_for_rolls():
    with pytest.raises(DomainError, match="choose a roll"):
        b"".join(render_zpl(some(1), Plan(sheet="a4-3x10")))
    with pytest.raises(DomainError, match="nothing"):
        b"".join(render_zpl([], Plan()))
