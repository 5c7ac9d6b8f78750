"""Forms about units."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _, gettext_lazy

from oms.errors import DomainError
from serials.labels import SHEETS, Format, LabelRun, LabelSheet, Symbology
from serials.models import NOTE_LENGTH, LabelSetting, LabelShift
from serials.queries.prints import Choice, usual_choice
from serials.services.attributes import MOST_OF_ONE, NAME_LENGTH, VALUE_LENGTH, check_text
from serials.services.number_lists import Asked, read_list
from serials.services.prints import checked_logo


def plain_lines(text: str) -> str:
    """The text with one kind of line ends. A browser sends each as two characters, and counts one."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


class LinesField(forms.CharField):
    """Text of several lines, as long as the browser says it is."""

    def to_python(self, value: object) -> str:
        """Before anything counts its characters."""
        return plain_lines(super().to_python(value) or "")


class NotesForm(forms.Form):
    """The OMS Notes of one unit."""

    oms_notes = LinesField(
        label=gettext_lazy("OMS Notes:"),
        required=False,
        max_length=NOTE_LENGTH,
        widget=forms.Textarea(attrs={"rows": 5, "autofocus": True}),
    )


class AttributeForm(forms.Form):
    """One attribute: a name and a value; both empty is nothing."""

    name = forms.CharField(
        label=gettext_lazy("Attribute"),
        required=False,
        max_length=NAME_LENGTH,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    # A one-line field would drop the line breaks of a value that came from a file.
    value = LinesField(
        label=gettext_lazy("Value"),
        required=False,
        max_length=VALUE_LENGTH,
        widget=forms.Textarea(attrs={"class": "input", "rows": 1, "autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        """Both, or neither."""
        data: dict[str, Any] = super().clean() or {}
        name, value = data.get("name") or "", data.get("value") or ""
        if (name or value) and not self.errors:
            try:
                check_text(name, value)
            except DomainError as error:
                self.add_error("value" if name and not value else "name", str(error))
        return data


class _AttributeFormSet(forms.BaseFormSet):  # type: ignore[type-arg]
    """All attributes of one unit; `known` are those that it has."""

    def __init__(self, data: Mapping[str, str] | None, *, known: Mapping[str, str]) -> None:
        self.known = known
        # What was posted stands for itself: by now another attribute may be in a row's place.
        initial = None if data else [{"name": name, "value": value} for name, value in known.items()]
        super().__init__(data, initial=initial, prefix="a")
        # A file gives a unit as many as it likes; all of them can be edited. No more rows than fields that were sent.
        self.absolute_max = max(len(known), len(data or ())) + self.extra

    def clean(self) -> None:
        """No name twice."""
        names = [
            form.cleaned_data["name"].casefold()
            for form in self.forms
            if form.is_valid() and form.cleaned_data.get("name") and not form.cleaned_data.get("DELETE")
        ]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise forms.ValidationError(_("An attribute is there twice: %(names)s") % {"names": ", ".join(twice)})

    def attributes(self) -> dict[str, str]:
        """Name → value of what is to stay; a value that the browser only gave other line ends, as it was."""
        kept = [form.cleaned_data for form in self.forms if not form.cleaned_data.get("DELETE")]
        given = {data["name"]: data["value"] for data in kept if data.get("name")}
        untouched = {name: value for name, value in self.known.items() if given.get(name) == plain_lines(value)}
        return {**given, **untouched}

    def beside(self, now: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """(name, value now, value here) of every attribute that is there on either side."""
        ours = self.attributes()
        return [(name, now.get(name, ""), ours.get(name, "")) for name in sorted({*now, *ours})]


AttributeFormSet = cast(
    "type[_AttributeFormSet]",
    forms.formset_factory(
        AttributeForm, formset=_AttributeFormSet, extra=2, can_delete=True, can_delete_extra=False, max_num=MOST_OF_ONE
    ),
)


class AddAttributesForm(forms.Form):
    """One name and value for all selected units."""

    name = forms.CharField(
        label=gettext_lazy("Attribute"),
        max_length=NAME_LENGTH,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}),
    )
    value = forms.CharField(label=gettext_lazy("Value"), max_length=VALUE_LENGTH)
    overwrite = forms.BooleanField(
        label=gettext_lazy("Overwrite existing values"),
        help_text=gettext_lazy("Otherwise a serial that has this attribute already keeps its value."),
        required=False,
    )

    def clean(self) -> dict[str, Any]:
        """What the database takes."""
        data: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                check_text(data["name"], data["value"])
            except DomainError as error:
                raise forms.ValidationError(str(error)) from error
        return data


class AttributesUploadForm(forms.Form):
    """A file of attributes."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"), widget=forms.FileInput(attrs={"accept": ".csv,text/csv,text/plain"})
    )
    overwrite = forms.BooleanField(
        label=gettext_lazy("Overwrite existing values"),
        help_text=gettext_lazy("Otherwise a row whose attribute has a value already is skipped, and listed."),
        required=False,
    )


class FindManyForm(forms.Form):
    """A list of serial numbers, pasted or as a file; `asked` are the numbers of a good one."""

    numbers = forms.CharField(
        label=gettext_lazy("Serials"),
        help_text=gettext_lazy("One per line, or separated by commas, semicolons or tabs; up to 10,000."),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 10, "class": "mono", "autofocus": True, "spellcheck": "false"}),
    )
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
        error_messages={"empty": gettext_lazy("This file is empty.")},
    )
    asked: list[Asked]

    def clean(self) -> dict[str, Any]:
        """Either of the two, with numbers in it that can be serials."""
        data: dict[str, Any] = super().clean() or {}
        numbers, file = data.get("numbers") or "", data.get("file")
        if self.errors:
            return data
        if bool(numbers.strip()) == bool(file):
            words = _("Paste numbers or choose a file, not both.") if file else _("Paste numbers, or choose a file.")
            raise forms.ValidationError(words)
        try:
            # With its mark at the start, pasted text is never taken for another kind of file.
            self.asked = read_list(file.read() if file else f"\ufeff{numbers}".encode())
        except DomainError as error:
            self.add_error("file" if file else "numbers", str(error))
        return data


def sheet_choices() -> list[tuple[str, str]]:
    """The sheets by their keys."""
    return [(key, sheet.name) for key, sheet in SHEETS.items()]


class PrintLabelsForm(forms.Form):
    """How labels are printed this time; begins with the account's usual choice."""

    sheet = forms.ChoiceField(label=gettext_lazy("Sheet"), choices=sheet_choices)
    symbology = forms.ChoiceField(label=gettext_lazy("Symbol"))
    start = forms.IntegerField(
        label=gettext_lazy("Begin at label"),
        help_text=gettext_lazy("Of a sheet that is part-used: counted by rows, from the top left."),
        min_value=1,
        required=False,
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
        help_text=gettext_lazy("A PNG or JPEG picture of up to 1 MB, for labels that have room. It is printed on PDF."),
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
                self.fields[f"{name}-{key}"] = forms.DecimalField(
                    label=label % {"sheet": sheet.name},
                    initial=getattr(shift, name) if shift else Decimal("0.0"),
                    min_value=-20,
                    max_value=20,
                    decimal_places=1,
                    required=False,
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
