"""Printing: the dialog and its picture, the ledger and what a reprint says, settings, bins, jobs."""

import re
import struct
import zlib
from base64 import b64decode
from datetime import date
from decimal import Decimal
from io import BytesIO

import pypdfium2
import pytest
import zxingcpp
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError
from PIL import Image

from oms.errors import DomainError
from oms.models import AuditEntry
from oms.tenancy import account_context
from serials import labels_jobs
from serials.labels import Symbology
from serials.models import LabelPrint, LabelSetting, Lot, PrintedLabel, Unit
from serials.queries import prints as queries
from serials.queries.prints import Choice
from serials.services import prints
from tests.factories import make_bin, make_serialized_sku, make_stock
from tests.serials.factories import make_units
from tests.serials.samples import PRINT
from tests.serials.test_attribute_races import waiting_for
from tests.serials.test_labels import pages, read

GTIN = "9506000134352"


@pytest.fixture
def web(client_for, olga):
    return client_for(olga)


def picture(answer):
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', answer.content.decode())
    return Image.open(BytesIO(b64decode(data)))


def logo(size=(40, 20), kind="PNG"):
    out = BytesIO()
    Image.new("RGB", size, "black").save(out, kind)
    return SimpleUploadedFile("logo.png", out.getvalue(), "image/png")


def header_of(wide, high):
    """A PNG of some hundred bytes that says it is as large as that, and has no pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0))
    content += chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return SimpleUploadedFile("logo.png", content, "image/png")


def label_url(unit):
    return f"/acme/inventory/serials/{unit.pk}/label/"


def test_the_dialog_shows_the_label_and_prints_it(web, account_a):
    with account_context(account_a):
        (unit,) = make_units(1)
    dialog = web.get(label_url(unit))
    with picture(dialog) as image:
        assert [one.text for one in zxingcpp.read_barcodes(image)] == [unit.serial]
    answer = web.post(label_url(unit), {**PRINT, "symbology": "qr", "do": "print"})
    assert answer["Content-Disposition"] == 'attachment; filename="lotline-labels.pdf"'
    (page,) = pages(answer.content)
    assert [one.text for one in zxingcpp.read_barcodes(page)] == [unit.serial]


def test_the_preview_follows_the_choice(web, account_a):
    with account_context(account_a):
        sku = make_serialized_sku(gtin=GTIN)
        (unit,) = make_units(1, sku=sku)
        lot = Lot.objects.create(sku=sku, number="LOT-7", expires_on=date(2027, 1, 31))
        Unit.objects.filter(pk=unit.pk).update(lot=lot)
    sent = {**PRINT, "sheet": "a4-3x10", "symbology": "gs1-datamatrix", "start": 5, "do": "preview"}
    answer = web.post(label_url(unit), sent, headers={"HX-Request": "true"})
    assert "<html" not in answer.content.decode()
    with picture(answer) as image:
        (found,) = zxingcpp.read_barcodes(image)
        assert found.position.top_left.x > image.width / 3  # the fifth of three columns: the second of the second row
        assert found.text == f"(01){GTIN.zfill(14)}(17)270131(10)LOT-7(21){unit.serial}"
    assert "1 label on 1 sheet" in answer.content.decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"symbology": "gs1-128"}, "has no GTIN"),
        ({"sheet": "a4-3x10", "start": 31}, "This sheet has 30 labels."),
        ({"sheet": "a4-3x10", "format": "zpl"}, "choose a roll"),
        ({"sheet": "a4-3x10", "start": 0}, "Begin at label: Use at least 1."),
        ({"sheet": "9x9"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_printed_is_said_in_the_dialog_and_changes_nothing(web, account_a, change, words):
    with account_context(account_a):
        (unit,) = make_units(1)
    for do, status in (("preview", 200), ("print", 422)):
        headers = {"HX-Request": "true"} if do == "preview" else {}
        answer = web.post(label_url(unit), {**PRINT, **change, "do": do}, headers=headers)
        assert answer.status_code == status
        assert words in re.sub("<[^>]*>", "", answer.content.decode())
        assert "Nothing is saved" not in answer.content.decode()
    with account_context(account_a):
        assert not LabelPrint.objects.exists()


def test_a_reprint_says_so_before_and_in_the_name(web, account_a, olga):
    with account_context(account_a):
        units = make_units(3)
    first = web.post(label_url(units[0]), {**PRINT, "do": "print"})
    chosen = {"pk": [unit.pk for unit in units]}
    assert "Reprint" not in web.get(label_url(units[1])).content.decode()
    dialog = web.post("/acme/inventory/serials/labels/", chosen).content.decode()
    assert "1 of these 3 was printed before, last by Olga on" in dialog
    again = web.post("/acme/inventory/serials/labels/", {**chosen, **PRINT, "do": "print"})
    names = [answer["Content-Disposition"].partition("=")[2] for answer in (first, again)]
    assert names == ['"lotline-labels.pdf"', '"lotline-labels-reprint.pdf"']
    assert pypdfium2.PdfDocument(again.content).get_metadata_value("Title") == "Labels, reprint"
    with account_context(account_a):
        ledger = list(LabelPrint.objects.order_by("pk").values_list("count", "reprints", "person_id"))
        assert ledger == [(1, 0, olga.pk), (3, 1, olga.pk)]
        assert queries.prints_of(units[0].sku_id, units[0].serial_key).count == 2
    page = web.get(f"/acme/inventory/serials/{units[0].pk}/").content.decode()
    assert "Printed 2 times, last by Olga on" in page
    assert "Printed before" in web.get("/acme/settings/labels/prints/").content.decode()


def test_the_ledger_is_append_only(web, account_a):
    with account_context(account_a):
        (unit,) = make_units(1)
    web.post(label_url(unit), {**PRINT, "do": "print"})
    for model in (LabelPrint, PrintedLabel):
        with pytest.raises(DatabaseError), account_context(account_a):
            model.objects.all().delete()


def test_fifty_thousand_are_written_in_two_statements(account_a, django_assert_num_queries):
    with account_context(account_a):
        run = labels_jobs.LabelRun("Many", "labels.pdf", 50_000, list, items=Unit.objects.none())
        printed = [(1, f"LAP{number:08}", 0) for number in range(50_000)]
        with django_assert_num_queries(2):
            prints.record_print(run=run, choice=Choice("4x6", Symbology.QR), printed=printed, reprints=0, person=None)
        assert PrintedLabel.objects.count() == 50_000


def test_another_accounts_prints_are_not_seen(web, account_a, account_b):
    with account_context(account_b):
        theirs = make_units(1)[0]
        run = labels_jobs.label_run("units", {"pks": [theirs.pk]})
        prints.record_print(
            run=run,
            choice=Choice("4x6", Symbology.QR),
            printed=[(theirs.sku_id, theirs.serial, 0)],
            reprints=0,
            person=None,
        )
    with account_context(account_a):
        assert queries.prints_of(theirs.sku_id, theirs.serial_key).count == 0
        with pytest.raises(DomainError, match="nothing"):
            labels_jobs.label_run("units", {"pks": [theirs.pk]})
    assert web.post(label_url(theirs), {**PRINT, "do": "print"}).status_code == 404


def test_labels_of_bins(web, account_a):
    with account_context(account_a):
        place = make_bin(name="A-01-3")
        stock = [make_stock(bin=place), make_stock(bin=place), make_stock(bin=make_bin(name="B-02"))]
    chosen = {"pk": [row.pk for row in stock]}
    dialog = web.post("/acme/inventory/stock/labels/", chosen).content.decode()
    assert "GS1" not in re.sub(r"base64,[^\"]*", "", dialog)  # the picture may hold any letters
    answer = web.post("/acme/inventory/stock/labels/", {**chosen, **PRINT, "do": "print"})
    assert [read(page) for page in pages(answer.content)] == [["A-01-3"], ["B-02"]]
    again = web.post("/acme/inventory/stock/labels/", chosen).content.decode()
    assert "2 of these 2 were printed before, last by Olga" in again
    assert web.post("/acme/inventory/stock/labels/", {}).status_code == 422


def test_a_bin_whose_name_grows_when_it_is_normalised_goes_into_the_ledger(web, account_a):
    with account_context(account_a):
        stock = make_stock(bin=make_bin(name="\ufdfa" * 4))  # 18 letters each
    answer = web.post("/acme/inventory/stock/labels/", {"pk": [stock.pk], **PRINT, "symbology": "qr", "do": "print"})
    assert answer["Content-Type"] == "application/pdf"
    with account_context(account_a):
        assert list(PrintedLabel.objects.values_list("bin_id", "serial_key")) == [(stock.bin_id, "")]


def test_zpl_is_a_file_of_its_own(web, account_a):
    with account_context(account_a):
        (unit,) = make_units(1)
    answer = web.post(label_url(unit), {**PRINT, "format": "zpl", "do": "print"})
    assert answer["Content-Disposition"] == 'attachment; filename="lotline-labels.zpl"'
    assert answer.content.startswith(b"^XA")


# --- settings ---------------------------------------------------------------------------------------------------------
def settings_of(**change):
    return {"sheet": "a4-2x7", "symbology": "qr", "resolver": "https://id.acme.example", **change}


def test_an_admin_sets_how_labels_are(client_for, ana, web, account_a):
    admin = client_for(ana)
    sent = settings_of(**{"logo": logo(), "right-a4-2x7": "1.5", "down-a4-2x7": "-0.5"})
    assert admin.post("/acme/settings/labels/", sent).status_code == 302
    with account_context(account_a):
        (unit,) = make_units(1)
        plan = queries.plan_of(queries.usual_choice())
        assert (plan.sheet, plan.symbology, plan.shift_x, plan.shift_y) == ("a4-2x7", Symbology.QR, 1.5, -0.5)
        assert plan.resolver == "https://id.acme.example"
        assert plan.logo.startswith(b"\x89PNG")
        assert AuditEntry.objects.filter(kind="labels").count() == 1
    assert 'src="data:image/png;base64,' in admin.get("/acme/settings/labels/").content.decode()
    refused = admin.post("/acme/settings/labels/", settings_of(**{"right-a4-2x7": "21"})).content.decode()
    assert "Use -20 to 20 mm." in refused
    chosen = {"symbology": "code128", "sheet": "a4-2x7", "format": "pdf"}
    answer = web.post(label_url(unit), {**chosen, "do": "print"})
    assert b"/Subtype /Image" in answer.content
    assert admin.post("/acme/settings/labels/", settings_of(remove_logo="on")).status_code == 302
    assert b"/Subtype /Image" not in web.post(label_url(unit), {**chosen, "do": "print"}).content


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (SimpleUploadedFile("logo.png", b"<svg onload=alert(1)>"), "not a PNG or JPEG"),
        (SimpleUploadedFile("logo.png", b"x" * (1024 * 1024 + 1)), "more than 1 MB"),
        (logo((4_001, 1)), "more than 4000 pixels"),
        (header_of(30_000, 30_000), "more than 4000 pixels"),
        (header_of(12_000, 9_000), "more than 4000 pixels"),
        (header_of(100, 100), "not a PNG or JPEG"),
    ],
    ids=["no picture", "large", "wide", "bomb", "nearly a bomb", "no pixels"],
)
def test_a_logo_that_is_none_is_refused(client_for, ana, account_a, file, words):
    file.seek(0)
    answer = client_for(ana).post("/acme/settings/labels/", settings_of(logo=file))
    assert (answer.status_code, words in answer.content.decode()) == (422, True)
    with account_context(account_a):
        assert not LabelSetting.objects.exists()


def test_a_stored_logo_is_drawn_anew(client_for, ana, account_a):
    """Nothing that the file held beside its pixels is kept."""
    out = BytesIO()
    Image.new("RGB", (1_200, 30), "red").save(out, "JPEG", comment=b"secret")
    made = prints.checked_logo(SimpleUploadedFile("logo.jpg", out.getvalue()))
    assert b"secret" not in made
    with Image.open(BytesIO(made)) as image:
        assert (image.format, image.size) == ("PNG", (600, 15))


@pytest.mark.commits("threads, each with a connection of its own")
def test_two_first_saves_at_once_are_one_row(account_a, ana):
    def save(**how):
        shift = {"a4-2x7": (Decimal("0.5"), Decimal(0))}
        prints.save_label_setting(resolver="https://id.acme.example", offsets=shift, actor=ana, **how)

    def first():
        save(sheet="2x1", symbology=Symbology.CODE_128)

    with waiting_for(account_a, first, lambda: save(sheet="4x6", symbology=Symbology.QR)):
        pass
    with account_context(account_a):
        assert LabelSetting.objects.get().sheet == "4x6"
