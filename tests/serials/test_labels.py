"""Labels, read back from the printed page by a real decoder: pdfium rasters it at 203 dpi, zxing-cpp reads the bars."""

import string
from dataclasses import replace

import pypdfium2
import pytest
import zxingcpp
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given, settings, strategies as st

from oms import files, jobs
from oms.errors import DomainError
from oms.models import Job, JobState
from oms.tenancy import account_context
from serials import labels_jobs
from serials.labels import SHEETS, Label, LabelRun, LabelSheet, Plan, code128
from serials.labels.pdf import MOST, render_pdf
from serials.labels.sheets import QUIET
from serials.labels.text import printable
from tests.serials.factories import make_units

DPI = 203
INCH = 72
SHEET_2X2 = LabelSheet(  # four small labels on a page, to see that a page is read in order
    name="2 × 2",
    page_width=8 * INCH,
    page_height=4 * INCH,
    columns=2,
    rows=2,
    left=0,
    top=0,
    pitch_x=4 * INCH,
    pitch_y=2 * INCH,
    width=4 * INCH,
    height=2 * INCH,
    padding=12,
    sku_size=12,
    name_size=9,
    serial_size=12,
    name_lines=1,
    bar_height=0.6 * INCH,
)


def pdf(labels, **plan):
    return b"".join(render_pdf(labels, Plan(**plan)))


def modules_of(serial):
    return code128.encode(serial).modules


def pages(content, dpi=DPI):
    """Each page as a printer of `dpi` dots for an inch would put it on paper."""
    return [page.render(scale=dpi / 72, grayscale=True).to_pil() for page in pypdfium2.PdfDocument(content)]


def read(image):
    """The Code 128 symbols of a page, from the top left to the bottom right."""
    found = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.Code128)
    tall = image.height // 8
    return [
        one.text for one in sorted(found, key=lambda one: (one.position.top_left.y // tall, one.position.top_left.x))
    ]


def labels(*serials, sku="L2201308", name="Laptop 14"):
    return [Label(sku, name, serial) for serial in serials]


# --- what a scanner reads ---------------------------------------------------------------------------------------------
def test_every_label_is_read_in_order():
    serials = [f"LAP{number:08}" for number in range(40)]
    assert [read(page) for page in pages(pdf(labels(*serials)))] == [[serial] for serial in serials]


def test_a_sheet_with_many_labels_is_read_in_order(monkeypatch):
    serials = [f"LAP{number:08}" for number in range(6)]
    monkeypatch.setitem(SHEETS, "2x2", SHEET_2X2)
    first, second = pages(pdf(labels(*serials), sheet="2x2"))
    assert (read(first), read(second)) == (serials[:4], serials[4:])


def test_a_damaged_label_is_not_read():
    (page,) = pages(pdf(labels("LAP00000412")))
    wide, tall = page.size
    assert read(page) == ["LAP00000412"]
    page.paste(255, (wide // 2 - 12, 0, wide // 2 + 12, tall))  # a white scratch from top to bottom
    assert read(page) == []


def test_a_label_with_a_wrong_bar_is_not_read(monkeypatch):
    """What the decoder answers is checked by the symbol's own check character, not guessed."""
    right = code128.encode("LAP00000412")
    wrong = replace(right, modules=right.modules[:33] + right.modules[44:55] + right.modules[44:])
    monkeypatch.setattr(code128, "encode", lambda _serial: wrong)
    assert read(pages(pdf(labels("LAP00000412")))[0]) == []


@pytest.mark.parametrize(
    "serial",
    [
        "1",
        "A",
        "12",
        "123",
        "1A",
        "A1",
        "12345678901234567890",
        "A1234B12345C123456",
        "a-b_c/d.e f",
        "~!@#$%^&*()",
        "123e4567-e89b-12d3-a456-426614174000",
        "X" * 28,
        "9" * 44,
        "99",
        "9912A",
    ],
)
def test_serials_of_every_form_are_read(serial):
    assert read(pages(pdf(labels(serial)))[0]) == [serial]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.text(string.printable[:95], min_size=1, max_size=30).map(str.strip).filter(bool), min_size=8, max_size=8
    )
)
def test_any_ascii_serial_is_read(serials):
    assert [read(page) for page in pages(pdf(labels(*serials)))] == [[serial] for serial in serials]


def test_it_is_read_at_300_dpi_too():
    assert read(pages(pdf(labels("LAP00000412")), dpi=300)[0]) == ["LAP00000412"]


# --- the paper --------------------------------------------------------------------------------------------------------
def test_it_is_as_large_as_the_paper():
    document = pypdfium2.PdfDocument(pdf(labels("A1", "B2")))
    assert [page.get_size() for page in document] == [(4 * INCH, 6 * INCH)] * 2


def test_bars_are_whole_dots_with_a_quiet_zone():
    serial = "LAP00000412"
    (page,) = pages(pdf(labels(serial)))
    modules = modules_of(serial)
    (found,) = zxingcpp.read_barcodes(page)
    row = (found.position.top_left.y + found.position.bottom_left.y) // 2
    dots = "".join("1" if page.getpixel((x, row)) < 128 else "0" for x in range(page.width))
    first, last = dots.index("1"), dots.rindex("1") + 1
    module = (last - first) // len(modules)
    assert dots[first:last] == "".join(bit * module for bit in modules)
    assert min(first, len(dots) - last) >= QUIET * module
    assert 2 <= module <= 4


def test_a_long_serial_turns_the_label():
    serial = "123e4567-e89b-12d3-a456-426614174000"
    (page,) = pages(pdf(labels(serial)))
    (found,) = zxingcpp.read_barcodes(page)
    assert (found.text, abs(found.orientation)) == (serial, 90)


def test_the_words_are_on_the_label():
    (page,) = pypdfium2.PdfDocument(pdf(labels("LAP00000412", name="Laptop 14")))
    assert page.get_textpage().get_text_bounded().split() == ["L2201308", "Laptop", "14", "LAP00000412"]


def test_a_long_name_is_wrapped_and_ends_with_an_ellipsis():
    (page,) = pypdfium2.PdfDocument(pdf(labels("S1", name="Laptop with a long name " * 12)))
    text = page.get_textpage().get_text_bounded()
    assert text.count("Laptop") > 2
    assert "…" in text
    assert read(pages(pdf(labels("S1", name="N" * 250, sku="K" * 80)))[0]) == ["S1"]


# --- characters -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "said"), [("Łódź", "Łódź"), ("Привет Ω", "Привет Ω"), ("ノート", "□□□"), ("Tablet 🚀", "Tablet □")]
)
def test_a_name_that_the_font_lacks_is_seen_to_be_lost(text, said):
    assert printable(text, "Vera")[0] == said
    assert read(pages(pdf(labels("S1", name=text, sku=text)))[0]) == ["S1"]


@pytest.mark.parametrize("serial", ["Ω-1", "SÉRIE", "a\tb", ""])
def test_a_serial_that_code_128_cannot_say_is_named(serial):
    with pytest.raises(DomainError, match=f"“{serial}” cannot be printed"):
        pdf(labels("GOOD-1", serial))


def test_full_width_characters_are_their_ascii_form():
    assert read(pages(pdf(labels("ＡＢ１２")))[0]) == ["AB12"]


def test_a_serial_that_is_too_long_for_the_sheet_is_named():
    with pytest.raises(DomainError, match=r"“XXXX.* is too long"):
        pdf(labels("X" * 90))


def test_nothing_and_too_many_are_refused():
    with pytest.raises(DomainError, match="nothing"):
        pdf([])
    with pytest.raises(DomainError, match=f"{MOST:,}"):
        pdf(Label("S", "N", "1") for _number in range(MOST + 1))


def test_the_same_labels_give_the_same_bytes_and_read_the_source_once():
    some = labels(*(f"LAP{number:08}" for number in range(20)))
    assert pdf(iter(some)) == pdf(iter(some))


def test_a_label_is_small():
    """Bar 12 of the limits: 800 bytes for a label on a roll."""
    size = len(pdf(labels(*(f"LAPTOPX{number:011}" for number in range(1_000)))))
    assert size / 1_000 <= 800


# --- at once, or by a job ---------------------------------------------------------------------------------------------
def many(args):
    """A label source of the tests."""
    return LabelRun(
        title=f"{args['count']} labels",
        file_name="labels.pdf",
        count=args["count"],
        labels=lambda: (Label("SKU-1", "Thing", f"LAP{number:08}") for number in range(args["count"])),
    )


@pytest.fixture
def source(settings):
    settings.LABEL_SOURCES = {"test": f"{__name__}.many"}
    return "test"


def request_of(rf, person, account):
    request = rf.get("/")
    request.user, request.account = person, account
    return request


@pytest.mark.commits("a job commits step by step")
def test_three_thousand_labels_are_a_job(rf, ana, account_a, source):
    request = request_of(rf, ana, account_a)
    with account_context(account_a):
        few = labels_jobs.respond_or_start(request, source, {"count": labels_jobs.AT_ONCE})
        answer = labels_jobs.respond_or_start(request, source, {"count": 3_000})
        again = labels_jobs.respond_or_start(request, source, {"count": 3_000})
        job = Job.objects.get(kind="serials.labels")
    assert few["Content-Type"] == "application/pdf"
    assert (answer.status_code, answer.url, again.url) == (302, f"/acme/jobs/{job.pk}/", answer.url)
    assert jobs.run(account_a.pk, job.pk) == JobState.DONE
    with account_context(account_a):
        job = Job.objects.select_related("result_file").get(pk=job.pk)
        with files.open_file(job.result_file) as file:
            document = pypdfium2.PdfDocument(file.read())
    assert (len(document), job.result["counts"]) == (3_000, {"Labels": 3_000})
    for number in [0, 1, *range(199, 3_000, 400), 2_999]:
        image = document[number].render(scale=DPI / 72, grayscale=True).to_pil()
        assert read(image) == [f"LAP{number:08}"]


def test_a_source_that_nobody_declared_is_a_mistake_of_ours(in_a):
    with pytest.raises(ImproperlyConfigured):
        labels_jobs.label_run("nothing", {})


def test_units_of_another_account_are_not_printed(account_a, account_b):
    with account_context(account_b):
        theirs = make_units(1)[0].pk
    with account_context(account_a), pytest.raises(DomainError, match="nothing"):
        labels_jobs.label_run("units", {"pks": [theirs]})
