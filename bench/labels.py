"""Labels as files, against PDFs that are written by hand and against ReportLab's own barcodes.

    python3 manage.py bench labels --count 10000 --json

The limit "by hand" writes the bytes of a PDF itself: its own Code 128 encoder, one rectangle for each bar, Helvetica,
which need not be embedded, and no layout: every label has its text at the same place. "ReportLab" is Code128 drawn on a
canvas with the same texts. Both print Code 128, on the same paper as ours. By hand in ZPL is one f-string.

A sample of our own files is rastered at 203 dpi and read by a decoder; what it cannot read is missed.
"""

import time
import zlib
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from io import BytesIO

import pypdfium2
import zxingcpp
from barcode.charsets.code128 import CODES, STOP
from reportlab.graphics.barcode.code128 import Code128
from reportlab.pdfgen.canvas import Canvas

from bench.report import Measure, compare
from serials.labels import Label, LabelSheet, Plan, Symbology
from serials.labels.pdf import render_pdf
from serials.labels.zpl import render_zpl

HAND_BAR, REPORTLAB_BAR = 0.5, 1.7
ROLL_BYTES, SHEET_BYTES = 800, 150
DPI = 203
SAMPLE = 300
WARM = 200
ROLL = Plan(sheet="4x6", symbology=Symbology.CODE_128)
SHEET = Plan(sheet="a4-3x10", symbology=Symbology.GS1_DATAMATRIX)
PATTERNS = (*CODES, STOP + "11")


def some_labels(count: int) -> list[Label]:
    """Labels of laptops in ten lots; serials of 18 characters."""
    return [
        Label(
            "L2201308",
            "Laptop 14",
            f"LAPTOPX{number:011}",
            gtin="9506000134352",
            lot=f"LOT{number % 10}",
            expires_on=date(2028, 12, 31),
        )
        for number in range(count)
    ]


# --- by hand ----------------------------------------------------------------------------------------------------------
def hand_code128(text: str) -> str:
    """The modules of letters followed by digits: code set B, then C."""
    letters = len(text.rstrip("0123456789"))
    letters += (len(text) - letters) % 2
    values = [104, *(ord(character) - 32 for character in text[:letters]), 99]
    values += [int(text[at : at + 2]) for at in range(letters, len(text), 2)]
    values.append((values[0] + sum(place * value for place, value in enumerate(values))) % 103)
    return "".join([str(PATTERNS[value]) for value in values]) + str(PATTERNS[-1])


@lru_cache(maxsize=32_768)
def hand_bars(piece: str, start: int) -> str:
    """The bars of one character as rectangles."""
    found, at = [], 0
    while (at := piece.find("1", at)) >= 0:
        end = piece.find("0", at) if "0" in piece[at:] else len(piece)
        found.append(f"{start + at} 0 {end - at} 1 re")
        at = end
    return " ".join(found)


def hand_label(label: Label, x: float, y: float, sheet: LabelSheet) -> str:
    """One label: three texts at fixed places and the bars."""
    modules = hand_code128(label.serial)
    last = len(modules) - 13
    bars = " ".join(hand_bars(modules[at : at + 11], at) for at in range(0, last, 11))
    module = 2 * 72 / 203
    return (
        f"BT /F1 {sheet.sku_size} Tf 1 0 0 1 {x + 6:.2f} {y + sheet.height * 0.8:.2f} Tm ({label.sku}) Tj "
        f"/F1 {sheet.name_size} Tf 1 0 0 1 {x + 6:.2f} {y + sheet.height * 0.7:.2f} Tm ({label.name}) Tj "
        f"/F1 {sheet.serial_size} Tf 1 0 0 1 {x + 6:.2f} {y + 4:.2f} Tm ({label.serial}) Tj ET "
        f"q {module:.4f} 0 0 {sheet.bar_height:.2f} {x + 6:.2f} {y + 16:.2f} cm {bars} "
        f"{hand_bars(modules[last:], last)} f Q\n"
    )


def hand_pdf(labels: list[Label], sheet: LabelSheet) -> bytes:
    """A whole PDF: catalogue, pages, Helvetica, contents, cross-reference table."""
    out, offsets = BytesIO(), [0, 0, 0]
    out.write(b"%PDF-1.4\n")

    def write(number: int, body: bytes) -> None:
        while len(offsets) <= number:
            offsets.append(0)
        offsets[number] = out.tell()
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))

    kids, number = [], 4
    for first in range(0, len(labels), sheet.per_page):
        page = enumerate(labels[first : first + sheet.per_page])
        content = zlib.compress("".join(hand_label(one, *sheet.corner(n), sheet) for n, one in page).encode(), 1)
        write(number, b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(content), content))
        write(
            number + 1,
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents %d 0 R/Resources<</Font<</F1 3 0 R>>>>>>"
            % (sheet.page_width, sheet.page_height, number),
        )
        kids.append(b"%d 0 R" % (number + 1))
        number += 2
    write(1, b"<</Type/Catalog/Pages 2 0 R>>")
    write(2, b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(kids), b" ".join(kids)))
    write(3, b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    start = out.tell()
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets[1:])
    out.write(b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(offsets), table))
    out.write(b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(offsets), start))
    return out.getvalue()


def reportlab_pdf(labels: list[Label], sheet: LabelSheet) -> bytes:
    """ReportLab's own Code 128 on its canvas, with the same texts."""
    out = BytesIO()
    canvas = Canvas(out, pagesize=(sheet.page_width, sheet.page_height), pageCompression=1)
    for number, label in enumerate(labels):
        place = number % sheet.per_page
        if number and place == 0:
            canvas.showPage()
        x, y = sheet.corner(place)
        for text, size, high in (
            (label.sku, sheet.sku_size, sheet.height * 0.8),
            (label.name, sheet.name_size, sheet.height * 0.7),
            (label.serial, sheet.serial_size, 4),
        ):
            canvas.setFont("Helvetica", size)
            canvas.drawString(x + 6, y + high, text)
        Code128(label.serial, barWidth=2 * 72 / 203, barHeight=sheet.bar_height).drawOn(canvas, x + 6, y + 16)
    canvas.save()
    return out.getvalue()


def hand_zpl(labels: list[Label]) -> bytes:
    """The same texts and Code 128, whose bars the printer works out."""
    return "".join(
        f"^XA^CI28^PW812^LL1218^FO50,60^A0N,73,60^FD{one.sku}^FS^FO50,150^A0N,42,36^FD{one.name}^FS"
        f"^FO50,260^BY4^BCN,304,N,N,N,A^FD{one.serial}^FS^FO50,600^A0N,56,48^FD{one.serial}^FS^XZ\n"
        for one in labels
    ).encode()


# --- the run ----------------------------------------------------------------------------------------------------------
def run(*, count: int, runs: int) -> tuple[Iterator[Measure], str]:
    """The measures of `runs` rounds after one to warm up, and what was printed."""
    conditions = (
        f"{count:,} labels a round, {runs} rounds after one of {WARM} to warm up; ours embed their fonts; "
        f"{min(SAMPLE, count)} labels of each file are decoded at {DPI} dpi; no ZPL renderer is at hand, so that what "
        "the printer draws from ZPL is not seen here, only that its commands and data are right (tests)"
    )
    return _measures(some_labels(count), runs), conditions


def _measures(labels: list[Label], runs: int) -> Iterator[Measure]:
    for name, plan, most in (("4x6 Code 128", ROLL, ROLL_BYTES), ("A4 3x10 GS1 DataMatrix", SHEET, SHEET_BYTES)):
        ways: dict[str, Callable[[list[Label]], bytes]] = {
            "ours": lambda some, plan=plan: b"".join(render_pdf(some, plan)),  # type: ignore[misc]
            "hand": lambda some, plan=plan: hand_pdf(some, plan.paper),  # type: ignore[misc]
            "reportlab": lambda some, plan=plan: reportlab_pdf(some, plan.paper),  # type: ignore[misc]
        }
        seconds, file = _timed(ways, labels, runs)
        for way, bar, said in (
            ("reportlab", REPORTLAB_BAR, "reportlab code128.Code128.drawOn, texts in Helvetica"),
            ("hand", None, "bytes of a PDF by hand, Code 128, zlib 1, texts in Helvetica at fixed places"),
        ):
            yield compare(
                f"{name} vs {way}",
                count=len(labels),
                ours=seconds["ours"],
                limits=seconds[way],
                bar=bar,
                sql=said,
                unit="labels/s",
            )
        yield _limit(f"{name}, size", len(file) / len(labels), most, "bytes/label", seconds["ours"])
        yield _decoded(f"{name}, decoded", file, plan, labels, seconds["ours"])
    ways = {"ours": lambda some: b"".join(render_zpl(some, ROLL)), "hand": hand_zpl}
    seconds, _file = _timed(ways, labels, runs)
    yield compare(
        "4x6 ZPL vs hand",
        count=len(labels),
        ours=seconds["ours"],
        limits=seconds["hand"],
        bar=None,
        sql="one f-string of ZPL, positions fixed, code sets left to the printer",
        unit="labels/s",
    )


def _timed(
    ways: dict[str, Callable[[list[Label]], bytes]], labels: list[Label], runs: int
) -> tuple[dict[str, list[float]], bytes]:
    """Seconds of each way, in turns; and our file."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    made = {name: way(labels[:WARM]) for name, way in ways.items()}
    for n in range(runs):
        names = list(ways)
        for name in names[n % len(names) :] + names[: n % len(names)]:
            start = time.perf_counter()
            made[name] = ways[name](labels)
            seconds[name].append(time.perf_counter() - start)
    return seconds, made["ours"]


def _limit(name: str, value: float, most: float, unit: str, seconds: list[float]) -> Measure:
    """A figure that may not be above a limit."""
    return Measure(
        measure=name,
        value=round(value, 1),
        unit=unit,
        limit=most,
        ratio=round(most / value, 3),
        bar=1.0,
        p50=round(min(seconds), 4),
        p95=round(max(seconds), 4),
        runs=len(seconds),
        sql="the most of bar 12",
    )


def _decoded(name: str, file: bytes, plan: Plan, labels: list[Label], seconds: list[float]) -> Measure:
    """How many labels of a sample a decoder reads, in their order."""
    per_page = plan.paper.per_page
    pages = -(-len(labels) // per_page)
    document = pypdfium2.PdfDocument(file)
    step = max(1, pages * per_page // SAMPLE)
    right = asked = 0
    for page in range(0, pages, step):
        wanted = {label.serial for label in labels[page * per_page : (page + 1) * per_page]}
        image = document[page].render(scale=DPI / 72, grayscale=True).to_pil()
        read = {one.text.rpartition("(21)")[2] for one in zxingcpp.read_barcodes(image)}
        asked, right = asked + len(wanted), right + len(wanted & read)
    document.close()
    return Measure(
        measure=name,
        value=right,
        unit="labels",
        limit=asked,
        ratio=round(right / asked, 4),
        bar=1.0,
        p50=round(min(seconds), 4),
        p95=round(max(seconds), 4),
        runs=1,
        sql=f"every label of the sample, at {DPI} dpi",
    )
