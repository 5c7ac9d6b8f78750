"""What people fill in: a replenishment's head, its SKUs and quantities, typed serials, a reason."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _, gettext_lazy, ngettext

from oms.models import Sku, WarehouseLink
from oms.models.catalogue import validate_printable
from replenishment.models import MOST_UNITS, ReplenishmentLine
from replenishment.queries import skus_by_code, warehouse_links

BLANK_ROWS = 4
MOST_ROWS = 1_000
MOST_TYPED = 10_000
"""Serials that one page takes at once."""
LONGEST_LINE = 200
# The three parts share no character where they meet, so that no text makes it try again and again.
_PASTED = re.compile(r"(?P<code>.*[^\t,; ])[\t,; ]+(?P<quantity>[^\s,;]+)")
_CODE = {"class": "input mono", "autocomplete": "off", "spellcheck": "false"}


class HeadForm(forms.Form):
    """Where the goods go, from whom, and lines pasted as text."""

    link = forms.ModelChoiceField(
        label=gettext_lazy("Warehouse"),
        queryset=WarehouseLink.objects.none(),
        empty_label=gettext_lazy("Select…"),
        error_messages={"required": gettext_lazy("Choose the warehouse that receives it.")},
    )
    supplier = forms.CharField(
        label=gettext_lazy("Supplier"), max_length=120, required=False, validators=[validate_printable]
    )
    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        max_length=120,
        required=False,
        validators=[validate_printable],
        help_text=gettext_lazy("Your own number for it, such as that of the purchase order."),
    )

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
    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1)

    def clean_paste(self) -> list[tuple[Sku, int]]:
        """The pasted lines. Each that cannot be read, or whose SKU is not known, is an error of its own."""
        texts = [(place, text.strip()) for place, text in enumerate(self.cleaned_data["paste"].splitlines(), 1)]
        rows = [
            (place, _PASTED.fullmatch(text) if len(text) <= LONGEST_LINE else None, text)
            for place, text in texts
            if text
        ]
        known = skus_by_code([match["code"] for _place, match, _text in rows if match])
        found, errors = [], []
        for place, match, text in rows:
            sku = known.get(match["code"].strip().upper()) if match else None
            quantity = match["quantity"] if match else ""
            if match is None:
                message = _("“%(text)s” has no quantity.")
            elif sku is None:
                message = _("There is no SKU “%(text)s”.")
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


class LineForm(forms.Form):
    """One SKU with its quantity, and the lot that is ordered, if one is."""

    line_id = forms.IntegerField(widget=forms.HiddenInput, required=False)
    sku = forms.CharField(
        label=gettext_lazy("SKU"),
        max_length=80,
        widget=forms.TextInput(attrs=_CODE),
        error_messages={"required": gettext_lazy("Which SKU?")},
    )
    quantity = forms.IntegerField(
        label=gettext_lazy("Quantity"),
        min_value=1,
        max_value=MOST_UNITS,
        widget=forms.TextInput(
            attrs={"class": "input num", "inputmode": "numeric", "autocomplete": "off", "size": "8"}
        ),
        error_messages={
            "required": gettext_lazy("How many?"),
            "invalid": gettext_lazy("Use a whole number, digits only."),
            "min_value": gettext_lazy("Use at least 1."),
            "max_value": gettext_lazy("Use 1,000,000 at most; split larger ones into lines."),
        },
    )
    lot_number = forms.CharField(
        label=gettext_lazy("Lot"),
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs=_CODE),
        validators=[validate_printable],
    )
    lot_expires_on = forms.DateField(
        label=gettext_lazy("Expiry"),
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(
            attrs={"class": "input", "placeholder": gettext_lazy("yyyy-mm-dd"), "autocomplete": "off", "size": "10"}
        ),
        error_messages={"invalid": gettext_lazy("Use the form yyyy-mm-dd.")},
    )

    def __init__(self, *args: Any, suggest_url: str = "", place: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("sku", "quantity", "lot_number", "lot_expires_on"):
            words = {"field": self.fields[name].label, "place": place}
            self.fields[name].widget.attrs["aria-label"] = _("%(field)s of line %(place)s") % words
        widget = self.fields["sku"].widget
        if self.initial.get("line_id"):
            widget.attrs["readonly"] = True
        elif suggest_url:
            widget.attrs |= {
                "list": "sku-options",
                "hx-get": suggest_url,
                "hx-trigger": "input changed delay:250ms",
                "hx-target": "#sku-options",
                "hx-sync": "this:replace",
            }

    def clean_lot_expires_on(self) -> Any:
        """An expiry date belongs to a lot."""
        value = self.cleaned_data["lot_expires_on"]
        if value and not self.cleaned_data.get("lot_number"):
            raise forms.ValidationError(_("Name the lot that expires then."))
        return value


class BaseLines(forms.BaseFormSet):  # type: ignore[type-arg]  # generic in stubs only
    """The rows of SKUs and quantities; blank ones are left out."""

    suggest_url = ""
    default_error_messages: ClassVar = {
        **forms.BaseFormSet.default_error_messages,
        "missing_management_form": gettext_lazy("The page was sent incompletely. Please send it again."),
    }

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        """The place of the row, for its labels."""
        return {**super().get_form_kwargs(index), "place": (index or 0) + 1, "suggest_url": self.suggest_url}

    def clean(self) -> None:
        """Find every SKU in one query; an unknown one is an error at its field."""
        rows = [form for form in self.used() if form.cleaned_data.get("sku")]
        self.skus = skus_by_code([form.cleaned_data["sku"] for form in rows])
        for form in rows:
            code = form.cleaned_data["sku"]
            if code.strip().upper() not in self.skus:
                form.add_error("sku", _("There is no SKU “%(sku)s” in this account.") % {"sku": code})

    def used(self) -> Iterator[LineForm]:
        """The rows that somebody filled and did not remove."""
        for form in self.forms:
            is_removed = form.cleaned_data.get("DELETE") if hasattr(form, "cleaned_data") else False
            if hasattr(form, "cleaned_data") and form.has_changed() | bool(form.initial) and not is_removed:
                yield form

    def values(self) -> Iterator[tuple[int | None, Sku, dict[str, Any]]]:
        """(line, SKU, the other fields) of each used row of a valid set."""
        for form in self.used():
            data = form.cleaned_data
            rest = {name: data[name] for name in ("quantity", "lot_number", "lot_expires_on")}
            yield data["line_id"], self.skus[data["sku"].strip().upper()], rest


def lines_formset(data: Any, *, prefix: str, initial: list[dict[str, Any]], suggest_url: str) -> BaseLines:
    """The rows, BLANK_ROWS of them blank; each SKU field asks `suggest_url` for suggestions."""
    made: Any = forms.formset_factory(
        LineForm, formset=BaseLines, extra=BLANK_ROWS, max_num=MOST_ROWS, absolute_max=MOST_ROWS, can_delete=True
    )
    rows: BaseLines = made(data, prefix=prefix, initial=initial)
    rows.suggest_url = suggest_url
    return rows


def line_initial(line: ReplenishmentLine) -> dict[str, Any]:
    """A line as the first values of its row."""
    return {
        "line_id": line.pk,
        "sku": line.sku.code,
        "quantity": line.quantity,
        "lot_number": line.lot_number,
        "lot_expires_on": line.lot_expires_on,
    }


class SerialsForm(forms.Form):
    """Typed, scanned or pasted serials of one line."""

    serials = forms.CharField(
        label=gettext_lazy("Serials"),
        max_length=2_000_000,
        strip=False,
        widget=forms.Textarea(attrs={"class": "mono", "rows": 6, "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy("One a line, as many as the line has units. They are kept as you type them."),
        error_messages={"required": gettext_lazy("Type or paste at least one serial.")},
    )

    def clean_serials(self) -> list[str]:
        """The serials, blank lines left out."""
        found = [text for text in self.cleaned_data["serials"].splitlines() if text.strip()]
        if not found:
            raise forms.ValidationError(_("Type or paste at least one serial."))
        if len(found) > MOST_TYPED:
            text = ngettext("Paste %(most)s serial at most.", "Paste %(most)s serials at most at a time.", MOST_TYPED)
            raise forms.ValidationError(text % {"most": f"{MOST_TYPED:,}"})
        return found


class ReasonForm(forms.Form):
    """Why something ends."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": gettext_lazy("Say why, in a few words.")},
    )
