"""Forms about units."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _, gettext_lazy

from oms.errors import DomainError
from oms.models.catalogue import validate_printable
from serials.models import NOTE_LENGTH, NumberScheme, SkuNumbering
from serials.numbering import LONGEST, normalise, schemes
from serials.numbering.check_characters import Check
from serials.numbering.rules import LONGEST_PATTERN, BadRule, Characters, Rule
from serials.queries.schemes import live_schemes
from serials.services.attributes import MOST_OF_ONE, NAME_LENGTH, VALUE_LENGTH, check_text
from serials.services.number_lists import Asked, read_list
from serials.services.schemes import SchemeInput


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


_MONO = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}


def _count(label: Any, most: int, **more: Any) -> forms.IntegerField:
    attrs = {"class": "mono", "inputmode": "numeric", "autocomplete": "off"}
    return forms.IntegerField(label=label, min_value=1, max_value=most, widget=forms.TextInput(attrs=attrs), **more)


class LooksForm(forms.Form):
    """What the numbers of a scheme look like; `scheme` is that of a good one. The preview asks for no more."""

    prefix = forms.CharField(  # type: ignore[assignment]  # the metaclass takes fields off the class
        label=gettext_lazy("Prefix"),
        max_length=schemes.LONGEST_PREFIX,
        required=False,
        initial="SN",
        widget=forms.TextInput(attrs=_MONO),
        help_text=gettext_lazy(
            "Capital letters, digits, dots, slashes and dashes. The day on which a number is made: {YYYY} or {YY}, "
            "{MM}, {DD}, {WW} for the ISO week, {DDD} for the day of the year."
        ),
    )
    width = _count(
        gettext_lazy("Counter width"),
        18,
        initial=8,
        help_text=gettext_lazy("How many characters the counter has. It never starts again, on no day and in no year."),
    )
    alphabet = forms.ChoiceField(
        label=gettext_lazy("Characters of the counter"),
        choices=schemes.Alphabet.choices,
        initial=schemes.Alphabet.DIGITS,
        widget=forms.RadioSelect,
    )
    check_kind = forms.ChoiceField(
        label=gettext_lazy("Check character"),
        choices=Check.choices,
        initial=Check.NONE,
        widget=forms.RadioSelect,
        help_text=gettext_lazy(
            "A last character that shows a mistyped number. MOD 37,36 takes letters and digits, Luhn digits only."
        ),
    )
    first_counter = _count(
        gettext_lazy("First number"),
        schemes.MOST_COUNTER,
        initial=1,
        help_text=gettext_lazy("Where the counter starts: after the last number of the system that you used before."),
    )
    is_gs1_safe = forms.BooleanField(
        label=gettext_lazy("GS1-safe: 20 characters at most, so that it fits AI (21) of a GS1 label"), required=False
    )
    scheme: schemes.Scheme

    def clean_prefix(self) -> str:
        """In capitals, as numbers are compared."""
        return normalise(self.cleaned_data["prefix"])

    def clean(self) -> dict[str, Any]:
        """A scheme that can be."""
        data: dict[str, Any] = super().clean() or {}
        names = ("prefix", "width", "alphabet", "check_kind", "is_gs1_safe")
        if any(name in self.errors for name in names):
            return data
        alphabet, check = schemes.Alphabet(data["alphabet"]), Check(data["check_kind"])
        try:
            self.scheme = schemes.Scheme(data["prefix"], data["width"], alphabet, check, data["is_gs1_safe"])
        except schemes.BadScheme as error:
            self.add_error(error.field, str(error))
        return data


class SchemeForm(LooksForm):
    """A number scheme. What the numbers of one that was used look like is shown, and stays."""

    field_order = ("name",)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=80, validators=[validate_printable])
    is_default = forms.BooleanField(
        label=gettext_lazy("Default: SKUs that name no scheme have their numbers from this one"), required=False
    )

    def __init__(self, data: Any, *, row: NumberScheme | None = None) -> None:
        names = [name for name in self.base_fields if row is not None]
        super().__init__(data, initial={name: getattr(row, name) for name in names})
        if row is not None and row.is_used:
            for name in ("prefix", "width", "alphabet", "check_kind", "first_counter"):
                self.fields[name].disabled = True

    def given(self) -> SchemeInput:
        """What a good form says."""
        data = self.cleaned_data
        return SchemeInput(data["name"], self.scheme, data["first_counter"], data["is_default"])


class NumberingForm(forms.Form):
    """Which scheme a SKU's numbers come from, and the rule for those from outside; `rule` is that of a good form."""

    scheme = forms.ModelChoiceField(
        label=gettext_lazy("Number scheme"),
        queryset=NumberScheme.objects.none(),
        required=False,
        empty_label=gettext_lazy("The account's default"),
        help_text=gettext_lazy("Generate Serials takes its numbers from it."),
    )
    min_length = _count(gettext_lazy("Shortest"), LONGEST, initial=1)
    max_length = _count(gettext_lazy("Longest"), LONGEST, initial=LONGEST)
    characters = forms.ChoiceField(
        label=gettext_lazy("Characters"), choices=Characters.choices, initial=Characters.ANY, widget=forms.RadioSelect
    )
    pattern = forms.CharField(
        label=gettext_lazy("Regular expression"),
        max_length=LONGEST_PATTERN,
        required=False,
        widget=forms.TextInput(attrs=_MONO),
        help_text=gettext_lazy("For the whole number; upper and lower case are the same. Example: [A-Z]{2}[0-9]{8}"),
    )
    rule: Rule

    def __init__(self, data: Any, *, row: SkuNumbering | None) -> None:
        names = [name for name in self.base_fields if row is not None]
        super().__init__(data, initial={name: getattr(row, name) for name in names})
        self.fields["scheme"].queryset = live_schemes()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """A rule that can be."""
        data: dict[str, Any] = super().clean() or {}
        if {"min_length", "max_length", "characters", "pattern"} & set(self.errors):
            return data
        try:
            self.rule = Rule(data["min_length"], data["max_length"], Characters(data["characters"]), data["pattern"])
        except BadRule as error:
            self.add_error(error.field, str(error))
        return data
