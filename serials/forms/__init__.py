"""Forms about units."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _, gettext_lazy

from oms import identity
from oms.errors import DomainError
from oms.formsets import KeptRows
from oms.lines import LinesField, plain_lines
from serials.models import NOTE_LENGTH
from serials.services.attributes import MOST_OF_ONE, NAME_LENGTH, VALUE_LENGTH, check_text
from serials.services.number_lists import Listed, read_list


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


def attribute_rows(known: Mapping[str, str]) -> list[dict[str, str]]:
    """The attributes of a unit as the first values of their rows."""
    return [{"name": name, "value": value} for name, value in known.items()]


class _AttributeFormSet(KeptRows):
    """All attributes of one unit; `known` are those that it has, `is_current` whether the page was made of them."""

    named_by = "name"

    def __init__(self, data: Mapping[str, str] | None, *, known: Mapping[str, str], is_current: bool = True) -> None:
        self.known, self.there, self.is_current = known, attribute_rows(known), is_current
        # What was posted stands for itself: by now another attribute may be in a row's place.
        super().__init__(data, initial=None if data else self.there, prefix="a")
        # A file gives a unit as many as it likes; all of them can be edited. No more rows than fields that were sent.
        self.absolute_max = max(len(known), len(data or ())) + self.extra

    def clean(self) -> None:
        """No name twice."""
        super().clean()
        names = [
            identity.key(form.cleaned_data["name"])
            for form in self.forms
            if form.is_valid() and form.cleaned_data.get("name") and not form.cleaned_data.get("DELETE")
        ]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise forms.ValidationError(_("An attribute is there twice: %(names)s") % {"names": ", ".join(twice)})

    def attributes(self) -> dict[str, str]:
        """Name → value of what is to stay; a value that the browser only gave other line ends, as it was."""
        kept = [form.cleaned_data for form in self.forms if not form.cleaned_data.get("DELETE")]
        given = {data["name"]: data.get("value", "") for data in kept if data.get("name")}
        untouched = {name: value for name, value in self.known.items() if given.get(name) == plain_lines(value)}
        return {**given, **untouched}

    def beside(self, now: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """(name, value now, value here) of every attribute that is there on either side."""
        self.full_clean()
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
        help_text=gettext_lazy("Scan them, or one per line, or separated by commas, semicolons or tabs; up to 10,000."),
        required=False,
        strip=False,
        widget=forms.Textarea(
            attrs={"rows": 10, "class": "mono", "autofocus": True, "spellcheck": "false", "data-scan": "lines"}
        ),
    )
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
        error_messages={"empty": gettext_lazy("This file is empty.")},
    )
    asked: list[Listed]

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
