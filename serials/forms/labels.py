"""What people fill in to print labels."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _, gettext_lazy

from oms.errors import DomainError
from oms.numbers import AmountField, WholeNumberField
from serials.labels import SHEETS, Format, LabelRun, LabelSheet, Symbology
from serials.models import LabelSetting, LabelShift
from serials.queries.prints import Choice, usual_choice
from serials.services.prints import checked_logo

_FAR = gettext_lazy("Use -20 to 20 mm.")
_SHIFT_ERRORS = {
    "invalid": gettext_lazy("Type a number of mm, such as 1.5."),
    "min_value": _FAR,
    "max_value": _FAR,
    "max_decimal_places": gettext_lazy("Use one digit after the point."),
}


def sheet_choices() -> list[tuple[str, str]]:
    """The sheets by their keys."""
    return [(key, sheet.name) for key, sheet in SHEETS.items()]


class PrintLabelsForm(forms.Form):
    """How labels are printed this time; begins with the account's usual choice."""

    sheet = forms.ChoiceField(label=gettext_lazy("Sheet"), choices=sheet_choices)
    symbology = forms.ChoiceField(label=gettext_lazy("Symbol"))
    start = WholeNumberField(
        label=gettext_lazy("Begin at label"),
        help_text=gettext_lazy("Of a sheet that is part-used: counted by rows, from the top left."),
        min_value=1,
        required=False,
        error_messages={"invalid": gettext_lazy("Type a whole number."), "min_value": gettext_lazy("Use at least 1.")},
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    format = forms.ChoiceField(label=gettext_lazy("File"), choices=Format.choices)

    def __init__(self, data: Mapping[str, str] | None, *, run: LabelRun) -> None:
        usual = usual_choice(run)
        super().__init__(data, initial=usual.params)
        choices = [(symbology.value, symbology.label) for symbology in run.symbologies]
        cast("forms.ChoiceField", self.fields["symbology"]).choices = choices

    def clean(self) -> dict[str, Any]:
        """A place that the sheet has, and a roll for ZPL."""
        data: dict[str, Any] = super().clean() or {}
        sheet = SHEETS.get(data.get("sheet", ""))
        if sheet is None:
            return data
        if sheet.is_roll:
            data["start"] = 1
        elif (data.get("start") or 1) > sheet.per_page:
            words = _("This sheet has %(count)s labels.") % {"count": sheet.per_page}
            self.add_error("start", words)
        if data.get("format") == Format.ZPL and not sheet.is_roll:
            self.add_error("format", _("ZPL is for rolls in a label printer: choose a roll, or PDF."))
        return data

    @property
    def choice(self) -> Choice:
        """What was chosen, of a valid form; the usual of one that nobody has filled in."""
        data = self.cleaned_data if self.is_bound else self.initial
        return Choice(
            data["sheet"], Symbology(data["symbology"]), data.get("start") or 1, Format(data.get("format", Format.PDF))
        )


class LabelSettingForm(forms.Form):
    """How an account prints labels: its usual sheet and symbol, its logo, and what its printers are off by."""

    sheet = forms.ChoiceField(label=gettext_lazy("Usual sheet"), choices=sheet_choices)
    symbology = forms.ChoiceField(
        label=gettext_lazy("Usual symbol"),
        choices=Symbology.choices,
        help_text=gettext_lazy("GS1 symbols need a GTIN on every SKU that is printed."),
    )
    resolver = forms.URLField(
        label=gettext_lazy("GS1 Digital Link begins with"),
        help_text=gettext_lazy("Your own domain, or https://id.gs1.org, which knows every GTIN."),
        max_length=100,
        assume_scheme="https",
    )
    logo = forms.FileField(
        label=gettext_lazy("Logo"),
        help_text=gettext_lazy(
            "A PNG or JPEG picture of up to 1 MB, for labels that have room. It is printed in black and grey."
        ),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".png,.jpg,.jpeg,image/png,image/jpeg"}),
    )
    remove_logo = forms.BooleanField(label=gettext_lazy("Print no logo"), required=False)
    new_logo: bytes = b""

    def __init__(
        self, data: Mapping[str, str] | None, files: Any, *, setting: LabelSetting, shifts: Mapping[str, LabelShift]
    ) -> None:
        initial = {"sheet": setting.sheet, "symbology": setting.symbology, "resolver": setting.resolver}
        super().__init__(data, files, initial=initial)
        if not setting.logo_id:
            del self.fields["remove_logo"]
        for key, sheet in SHEETS.items():
            shift = shifts.get(key)
            for name, label in (("right", _("%(sheet)s: mm to the right")), ("down", _("%(sheet)s: mm down"))):
                self.fields[f"{name}-{key}"] = AmountField(
                    label=label % {"sheet": sheet.name},
                    initial=getattr(shift, name) if shift else Decimal("0.0"),
                    min_value=-20,
                    max_value=20,
                    decimal_places=1,
                    required=False,
                    error_messages=_SHIFT_ERRORS,
                    widget=forms.NumberInput(attrs={"class": "input", "step": "0.1"}),
                )

    def clean_logo(self) -> Any:
        """A picture, made small."""
        upload = self.cleaned_data["logo"]
        if upload:
            try:
                self.new_logo = checked_logo(upload)
            except DomainError as error:
                raise forms.ValidationError(str(error)) from error
        return upload

    def plain_fields(self) -> Iterator[Any]:
        """The fields above the table of sheets."""
        return (self[name] for name in self.fields if "-" not in name)

    def rows(self) -> Iterator[tuple[LabelSheet, Any, Any]]:
        """Each sheet with its two fields."""
        return ((sheet, self[f"right-{key}"], self[f"down-{key}"]) for key, sheet in SHEETS.items())

    @property
    def offsets(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Sheet → mm to the right and down, of a valid form."""
        data = self.cleaned_data
        return {key: (data[f"right-{key}"] or Decimal(0), data[f"down-{key}"] or Decimal(0)) for key in SHEETS}
