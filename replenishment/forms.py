"""What people fill in: a replenishment's head, pasted lines, typed serials, a file, a reason; rows: line_forms.py."""

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _, gettext_lazy, ngettext

from oms.lines import LinesField
from oms.models import Sku, WarehouseLink
from oms.models.keys import validate_lines, validate_words
from oms.numbers import WholeNumberField
from oms.queries.catalogue import skus_named
from oms.scanning import entries, lines
from replenishment.models import MOST_UNITS
from replenishment.queries import warehouse_links

MOST_TYPED = 10_000
"""Serials that one page takes at once."""
LONGEST_LINE = 200
# The three parts share no character where they meet, so that no text makes it try again and again.
_PASTED = re.compile(r"(?P<code>.*[^\t,; ])[\t,; ]+(?P<quantity>[^\s,;]+)")
DAY = {"class": "input", "placeholder": gettext_lazy("yyyy-mm-dd"), "autocomplete": "off", "size": "10"}
CODE = {"class": "input mono", "autocomplete": "off", "spellcheck": "false"}


class TransportForm(forms.Form):
    """When and how the goods come, and notes: what may change after Submit too."""

    expected_on = forms.DateField(
        label=gettext_lazy("Expected date"),
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs=DAY),
        error_messages={"invalid": gettext_lazy("Use the form yyyy-mm-dd.")},
        help_text=gettext_lazy(
            "When the goods should be there. Once it is submitted, the replenishment is marked late after this day."
        ),
    )
    carrier = forms.CharField(label=gettext_lazy("Carrier"), max_length=80, required=False, validators=[validate_words])
    tracking = forms.CharField(
        label=gettext_lazy("Tracking number"),
        max_length=120,
        required=False,
        validators=[validate_words],
        widget=forms.TextInput(attrs=CODE),
    )
    notes = LinesField(
        label=gettext_lazy("Notes"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("For the people of this account and its warehouse; not sent to other systems."),
    )


class HeadForm(TransportForm):
    """Where the goods go and from whom, too."""

    link = forms.ModelChoiceField(
        label=gettext_lazy("Warehouse"),
        queryset=WarehouseLink.objects.none(),
        empty_label=gettext_lazy("Select…"),
        error_messages={"required": gettext_lazy("Choose the warehouse that receives it.")},
    )
    supplier = forms.CharField(
        label=gettext_lazy("Supplier"), max_length=120, required=False, validators=[validate_words]
    )
    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        max_length=120,
        required=False,
        validators=[validate_words],
        help_text=gettext_lazy("Your own number for it, such as that of the purchase order."),
    )
    field_order = ("link", "supplier", "reference", "expected_on", "carrier", "tracking", "notes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["link"]
        field.queryset = warehouse_links()  # type: ignore[attr-defined]
        only = list(field.queryset[:2])  # type: ignore[attr-defined]
        if len(only) == 1:
            field.initial = only[0].pk


class PasteForm(forms.Form):
    """Many lines at once, from a spreadsheet or a mail."""

    paste = forms.CharField(
        label=gettext_lazy("Paste SKUs and quantities"),
        required=False,
        max_length=200_000,
        strip=False,
        widget=forms.Textarea(attrs={"class": "mono", "rows": 3, "spellcheck": "false", "placeholder": "L2201308, 40"}),
        help_text=gettext_lazy("One SKU a line with its quantity, between them a comma, a tab or a space."),
    )
    version = WholeNumberField(widget=forms.HiddenInput, required=False, min_value=1)

    def clean_paste(self) -> list[tuple[Sku, int]]:
        """The pasted lines. Each that cannot be read, or whose SKU is not known, is an error of its own."""
        texts = [(place, text.strip()) for place, text in enumerate(lines(self.cleaned_data["paste"]), 1)]
        rows = [
            (place, _PASTED.fullmatch(text) if len(text) <= LONGEST_LINE else None, text)
            for place, text in texts
            if text
        ]
        known = skus_named([match["code"] for _place, match, _text in rows if match])
        found, errors = [], []
        for place, match, text in rows:
            sku = known.get(match["code"]) if match else None
            quantity = match["quantity"] if match else ""
            if match is None:
                message = _("“%(text)s” has no quantity.")
            elif sku is None:
                message = no_sku(match["code"], known)
                text = match["code"]  # noqa: PLW2901
            elif not re.fullmatch(r"\d{1,9}", quantity, re.ASCII) or not 1 <= int(quantity) <= MOST_UNITS:
                message = _("“%(text)s”: use a quantity from 1 to %(most)s.")
            else:
                found.append((sku, int(quantity)))
                continue
            words = {"place": place, "problem": message % {"text": text[:80], "most": f"{MOST_UNITS:,}"}}
            errors.append(_("Line %(place)s: %(problem)s") % words)
        if errors:
            raise forms.ValidationError(errors[:50])
        return found


def no_sku(name: str, known: Mapping[str, Sku | None]) -> str:
    """Why a name is no SKU, with its place for `text`; `known` are those that were looked up."""
    if name in known:
        return _("Several SKUs are called “%(text)s”: use the SKU itself.")
    return _("There is no SKU “%(text)s”.")


class SerialsForm(forms.Form):
    """Typed, scanned or pasted serials of one line."""

    serials = forms.CharField(
        label=gettext_lazy("Serials"),
        max_length=2_000_000,
        strip=False,
        widget=forms.Textarea(
            attrs={
                "class": "mono",
                "rows": 6,
                "spellcheck": "false",
                "autocomplete": "off",
                "autocapitalize": "off",
                "data-scan": "lines",
            }
        ),
        help_text=gettext_lazy(
            "One a line, as many as the line has units. They are kept as you type them. A range such as A001-A050 is "
            "written out, and a line such as A1, A2, A3 taken apart, if you say so. Of a GS1 code the serial is taken."
        ),
        error_messages={"required": gettext_lazy("Type or paste at least one serial.")},
    )

    def clean_serials(self) -> list[str]:
        """The lines, blank ones left out; a tab, as from a spreadsheet, begins another: no serial has one."""
        found = entries(self.cleaned_data["serials"])
        if not found:
            raise forms.ValidationError(_("Type or paste at least one serial."))
        if len(found) > MOST_TYPED:
            text = ngettext("Paste %(most)s serial at most.", "Paste %(most)s serials at most at a time.", MOST_TYPED)
            raise forms.ValidationError(text % {"most": f"{MOST_TYPED:,}"})
        return found


class UploadForm(forms.Form):
    """A file of lines or serials."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
        error_messages={"empty": gettext_lazy("This file is empty. Choose the file with your rows.")},
    )


class ReasonForm(forms.Form):
    """Why something ends."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=400,
        validators=[validate_lines],
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": gettext_lazy("Say why, in a few words.")},
    )
