"""What labels say, and as which symbol."""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext as _, gettext_lazy

from oms.errors import DomainError
from serials.labels import gs1


class Symbology(TextChoices):
    """The symbols that a label can carry."""

    CODE_128 = "code128", gettext_lazy("Code 128")
    QR = "qr", gettext_lazy("QR code")
    GS1_128 = "gs1-128", gettext_lazy("GS1-128")
    GS1_DATAMATRIX = "gs1-datamatrix", gettext_lazy("GS1 DataMatrix")
    GS1_QR = "gs1-qr", gettext_lazy("QR code with GS1 Digital Link")

    @property
    def is_gs1(self) -> bool:
        """It needs a GTIN."""
        return self.value.startswith("gs1")


@dataclass(frozen=True, slots=True)
class Label:
    """What one label says.

    Args:
        sku, name: of the unit's SKU; of a bin its location and warehouse.
        serial: of the unit, as typed; of a bin its name.
        gtin, lot, expires_on: of the unit, where it has them.
        sku_id, bin_id: what the ledger of prints knows it by; 0 for what it does not hold.
    """

    sku: str
    name: str
    serial: str
    gtin: str = ""
    lot: str = ""
    expires_on: date | None = None
    sku_id: int = 0
    bin_id: int = 0


@dataclass(frozen=True)
class LabelRun:
    """Labels to print, as a source gives them (see serials.labels_jobs): what the file is called, how many, and them.

    Args:
        title: of the job and in the ledger.
        file_name: of the PDF.
        count: how many.
        labels: called once, inside the account; may be a server-side cursor.
        items: the rows behind the labels, a queryset that has `sku_id` and `serial_key`, or is of bins; None where
            prints are not counted.
        symbologies: the symbols that they may have.
    """

    title: str
    file_name: str
    count: int
    labels: Callable[[], Iterable[Label]]
    items: Any = None
    symbologies: tuple[Symbology, ...] = tuple(Symbology)


def plain_ascii(serial: str) -> str:
    """The serial in ASCII. One in other forms of ASCII characters (full-width, say) becomes its normal form.

    Raises DomainError, naming the serial, where a barcode cannot say it.
    """
    text = serial if serial.isascii() else unicodedata.normalize("NFKC", serial).strip()
    if not (text and text.isascii() and text.isprintable()):
        raise DomainError(
            _(
                "“%(serial)s” cannot be printed as a Code 128 barcode: it has characters that are not ASCII. "
                "Choose QR code, which has room for all of them."
            )
            % {"serial": serial}
        )
    return text


def elements(label: Label) -> gs1.Elements:
    """The GS1 elements of a label. Raises DomainError where it cannot have any."""
    if label.bin_id:
        raise DomainError(_("A bin has no GTIN: print its label as Code 128 or as a QR code."))
    return gs1.elements_of(
        sku=label.sku,
        gtin=label.gtin,
        serial=plain_ascii(label.serial),
        lot=label.lot and plain_ascii(label.lot),
        expires_on=label.expires_on,
    )
