"""Samples of the addresses of units; see tests/samples.py."""

from itertools import count

from django.core.files.uploadedfile import SimpleUploadedFile

from oms import files
from oms.models import ADMINS, EVERYONE, OFFICE, Person
from serials.labels import LabelRun, Symbology
from serials.numbering.schemes import Alphabet
from serials.queries.prints import Choice
from serials.services import attributes
from serials.services.find_many import find_many
from serials.services.notes import fingerprint
from serials.services.number_lists import read_list
from serials.services.prints import record_print
from tests.factories import make_sku, make_stock
from tests.samples import Case, Sample, times
from tests.serials.factories import make_scheme, make_unit, make_units


def unit(_person: Person) -> Case:
    """A unit in a bin."""
    return Case({"pk": make_unit().pk})


def unit_notes(_person: Person) -> Case:
    """New notes for a unit."""
    return Case({"pk": make_unit().pk}, data={"oms_notes": "Call first", "seen": fingerprint("")})


def unit_attributes(_person: Person) -> Case:
    """No attributes for a unit that has none."""
    return Case(
        {"pk": make_unit().pk}, data={"a-TOTAL_FORMS": 0, "a-INITIAL_FORMS": 0, "seen": attributes.fingerprint({})}
    )


def selected(_person: Person) -> Case:
    """Two checked units."""
    return Case(data={"pk": [made.pk for made in make_units(2)]})


def attributes_file() -> bytes:
    """A file with one attribute for a new unit."""
    made = make_unit()
    return f"SKU,Serial,Attribute,Value\r\n{made.sku.code},{made.serial},Firmware,4.2.1\r\n".encode()


def upload(_person: Person) -> Case:
    """A file of attributes to upload."""
    return Case(data={"file": SimpleUploadedFile("attributes.csv", attributes_file(), "text/csv")})


def uploaded(_person: Person) -> Case:
    """A file of attributes that was uploaded."""
    return Case({"key": files.store("attributes.csv", "text/csv", [attributes_file()]).key})


def found(person: Person) -> Case:
    """A list with a found and a missing number."""
    asked = read_list(f"{make_unit().serial}\nNOT-THERE".encode())
    return Case({"key": find_many(asked=asked, person=person).key})


def found_file(person: Person) -> Case:
    """The found ones of such a list."""
    return Case({**found(person).kwargs, "group": "found"})


def printing(person: Person) -> Case:
    """How a unit's label is to be printed."""
    return Case(unit(person).kwargs, data={**PRINT, "do": "print"})


def printing_selected(person: Person) -> Case:
    """How labels of two units are to be printed."""
    return Case(data={**selected(person).data, **PRINT, "do": "preview"})


def printing_bins(_person: Person) -> Case:
    """How the label of the bin of a checked place is to be printed."""
    return Case(data={"pk": make_stock().pk, **PRINT, "do": "print"})


def label_sheets(_person: Person) -> Case:
    """Other settings of labels."""
    return Case(data={"sheet": "a4-3x10", "symbology": "qr", "resolver": "https://id.gs1.org", "right-4x6": "1.5"})


def make_prints(how_many: int) -> None:
    """Files of labels in the ledger."""
    for _turn in range(how_many):
        run = LabelRun(f"Label of SERIAL-{next(_runs):05}", "labels.pdf", 1, list)
        record_print(run=run, choice=Choice("4x6", Symbology.QR), printed=[(1, "A", 0)], reprints=0, person=None)


_runs = count(1)
PRINT = {"sheet": "4x6", "symbology": "code128", "start": 1, "format": "pdf"}
LOOKS = {"prefix": "T{YY}-", "width": 6, "alphabet": Alphabet.DIGITS.value, "check_kind": "none", "first_counter": 1}


def scheme(_person: Person) -> Case:
    """A scheme that is not the default."""
    made = make_scheme()
    return Case({"pk": made.pk}, data={**LOOKS, "name": made.name, "prefix": f"{made.prefix}X"})


def sku_numbers(_person: Person) -> Case:
    """A SKU that gets a scheme and a rule."""
    rule = {"min_length": 4, "max_length": 20, "characters": "alphanumeric", "pattern": "[A-Z]{2}[0-9]+"}
    return Case({"pk": make_sku().pk}, data={"scheme": make_scheme().pk, **rule})


SAMPLES = {
    "serials": Sample(get=EVERYONE, rows=make_units),
    "serials_find": Sample(lambda _person: Case(data={"numbers": make_unit().serial}), get=EVERYONE, post=EVERYONE),
    "serials_found": Sample(found, get=EVERYONE),
    "serials_found_file": Sample(found_file, get=EVERYONE),
    "serials_history": Sample(selected, post=EVERYONE),
    "serials_labels": Sample(printing_selected, post=EVERYONE),
    "stock_labels": Sample(printing_bins, post=EVERYONE),
    "label_sheets": Sample(label_sheets, get=ADMINS, post=ADMINS),
    "label_prints": Sample(get=EVERYONE, rows=make_prints),
    "serials_attributes": Sample(selected, post=OFFICE),
    "serials_attributes_csv": Sample(upload, get=OFFICE, post=OFFICE),
    "serials_attributes_template": Sample(get=OFFICE),
    "serials_attributes_check": Sample(uploaded, get=OFFICE, post=OFFICE),
    "serials_attributes_failed": Sample(uploaded, get=OFFICE),
    "serial": Sample(unit, get=EVERYONE),
    "serial_history": Sample(unit, get=EVERYONE),
    "serial_label": Sample(printing, get=EVERYONE, post=EVERYONE),
    "sku_numbers": Sample(sku_numbers, get=ADMINS, post=ADMINS),
    "sku_try": Sample(lambda _person: Case({"pk": make_sku().pk}, query={"number": "AB-1"}), get=EVERYONE),
    "schemes": Sample(get=EVERYONE, rows=times(make_scheme)),
    "scheme_new": Sample(lambda _person: Case(data={**LOOKS, "name": "Tags"}), get=ADMINS, post=ADMINS),
    "scheme_preview": Sample(lambda _person: Case(query=LOOKS), get=ADMINS),
    "scheme": Sample(scheme, get=ADMINS, post=ADMINS),
    "scheme_archive": Sample(scheme, post=ADMINS),
    "serial_notes": Sample(unit_notes, get=OFFICE, post=OFFICE),
    "serial_attributes": Sample(unit_attributes, get=EVERYONE, post=OFFICE),
}
