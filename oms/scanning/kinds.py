"""The kinds of questions about texts: what each is called, and its answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy, ngettext_lazy

from oms.errors import Text
from oms.scanning.reading import PROPOSED, TAKE


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: what a text looks like, the title by the number of texts, and answer → what it is called."""

    what: Text
    title: Any
    labels: Mapping[str, Text]


KINDS = {
    "list": Kind(
        gettext_lazy("a list of serials"),
        ngettext_lazy("%(n)s entry looks like a list of serials", "%(n)s entries look like lists of serials", "n"),
        {
            PROPOSED: gettext_lazy("Lists: take them apart"),
            TAKE: gettext_lazy("Each is one serial; what stands between is part of it"),
        },
    ),
    "scans": Kind(
        gettext_lazy("several scans in one"),
        ngettext_lazy("%(n)s entry is several scans in one", "%(n)s entries are several scans in one", "n"),
        {PROPOSED: gettext_lazy("Take them apart")},
    ),
    "range": Kind(
        gettext_lazy("a range of serials"),
        ngettext_lazy("%(n)s entry looks like a range", "%(n)s entries look like ranges", "n"),
        {
            PROPOSED: gettext_lazy("Ranges: take every serial from the first to the last"),
            TAKE: gettext_lazy("Each is one serial, just as it stands there"),
        },
    ),
    "ends": Kind(
        gettext_lazy("a range of serials"),
        ngettext_lazy("%(n)s row is a range: From and To", "%(n)s rows are ranges: From and To", "n"),
        {PROPOSED: gettext_lazy("Take every serial from the first to the last")},
    ),
    "blank": Kind(
        gettext_lazy("a row without a SKU"),
        ngettext_lazy("SKU is empty in %(n)s row", "SKU is empty in %(n)s rows", "n"),
        {
            PROPOSED: gettext_lazy("Take it from the row above"),
            TAKE: gettext_lazy("They are of the SKU of this line"),
        },
    ),
    "placeholder": Kind(
        gettext_lazy("a word for “no serial”"),
        ngettext_lazy(
            "%(n)s entry looks like the word for “no serial”", "%(n)s entries look like words for “no serial”", "n"
        ),
        {TAKE: gettext_lazy("They are serials")},
    ),
    "decimal": Kind(
        gettext_lazy("a number that a spreadsheet wrote"),
        ngettext_lazy(
            "%(n)s entry looks like a number that a spreadsheet wrote",
            "%(n)s entries look like numbers that a spreadsheet wrote",
            "n",
        ),
        {PROPOSED: gettext_lazy("Take them without the decimals"), TAKE: gettext_lazy("Take them as they are")},
    ),
    "rounded": Kind(
        gettext_lazy("a long number that a spreadsheet rounded"),
        ngettext_lazy(
            "%(n)s entry is a long number that ends in zeros, as a spreadsheet rounds it",
            "%(n)s entries are long numbers that end in zeros, as a spreadsheet rounds them",
            "n",
        ),
        {TAKE: gettext_lazy("The zeros are right: take them as they are")},
    ),
    "separator": Kind(
        gettext_lazy("a GS1 scan without the separator between lot and serial"),
        ngettext_lazy(
            "%(n)s GS1 scan came without the separator between lot and serial",
            "%(n)s GS1 scans came without the separator between lot and serial",
            "n",
        ),
        {PROPOSED: gettext_lazy("Take lot and serial as they are told apart here")},
    ),
    "transparency": Kind(
        gettext_lazy("an Amazon Transparency code"),
        ngettext_lazy(
            "%(n)s scan looks like an Amazon Transparency code",
            "%(n)s scans look like Amazon Transparency codes",
            "n",
        ),
        {TAKE: gettext_lazy("It is the serial: take what stands behind the GTIN")},
    ),
    "product": Kind(
        gettext_lazy("a GS1 scan without a serial"),
        ngettext_lazy("%(n)s GS1 scan has no serial in it", "%(n)s GS1 scans have no serial in them", "n"),
        {},
    ),
    "identifier": Kind(
        gettext_lazy("a serial behind the identifier 21 of a GS1 code"),
        ngettext_lazy(
            "%(n)s entry may be a known serial with the identifier 21 before it",
            "%(n)s entries may be known serials with the identifier 21 before them",
            "n",
        ),
        {
            PROPOSED: gettext_lazy("Take what stands behind the 21"),
            TAKE: gettext_lazy("The 21 is part of the serial: take them as they are"),
        },
    ),
    "code": Kind(
        gettext_lazy("the barcode of a product"),
        ngettext_lazy(
            "%(n)s scan is the barcode of a product, not of a unit",
            "%(n)s scans are barcodes of a product, not of a unit",
            "n",
        ),
        {TAKE: gettext_lazy("They are serials")},
    ),
    "unread": Kind(
        gettext_lazy("a GS1 scan that cannot be read"),
        ngettext_lazy(
            "%(n)s GS1 scan cannot be read: see what its scanner sends between the elements",
            "%(n)s GS1 scans cannot be read: see what their scanner sends between the elements",
            "n",
        ),
        {TAKE: gettext_lazy("They are serials")},
    ),
    "sku": Kind(
        gettext_lazy("the name of a SKU"),
        ngettext_lazy("%(n)s entry names a SKU, not a unit", "%(n)s entries name a SKU, not a unit", "n"),
        {TAKE: gettext_lazy("They are serials")},
    ),
    "other_gtin": Kind(
        gettext_lazy("a scan of another GTIN"),
        ngettext_lazy("%(n)s scan is of another GTIN", "%(n)s scans are of another GTIN", "n"),
        {TAKE: gettext_lazy("They are of this SKU: take their serials")},
    ),
    "lot": Kind(
        gettext_lazy("a scan of another lot"),
        ngettext_lazy(
            "%(n)s scan says another lot or expiry than the line",
            "%(n)s scans say another lot or expiry than the line",
            "n",
        ),
        {
            PROPOSED: gettext_lazy("Take the lot and expiry of the scans"),
            TAKE: gettext_lazy("Keep the lot and expiry of the line"),
        },
    ),
    "days": Kind(
        gettext_lazy("one of two days"),
        ngettext_lazy("%(n)s date may be two days", "%(n)s dates may be two days", "n"),
        {PROPOSED: gettext_lazy("The day comes first"), TAKE: gettext_lazy("The month comes first")},
    ),
}
"""Kind of question → its title, and what its answers are called; LEAVE is called the same everywhere."""
