"""What people fill in about number schemes and the rules of SKUs."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from oms.models.keys import validate_identity
from oms.numbers import WholeNumberField
from serials.models import NumberScheme, SkuNumbering
from serials.numbering import LONGEST, normalise, schemes
from serials.numbering.check_characters import Check
from serials.numbering.rules import LONGEST_PATTERN, BadRule, Characters, Rule
from serials.queries.schemes import live_schemes
from serials.services.schemes import SchemeInput

_MONO = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}


def _count(label: Any, most: int, **more: Any) -> WholeNumberField:
    attrs = {"class": "mono", "inputmode": "numeric", "autocomplete": "off"}
    words = {
        "required": gettext_lazy("Type a whole number."),
        "invalid": gettext_lazy("Type a whole number."),
        "min_value": gettext_lazy("Use at least 1."),
        "max_value": gettext_lazy("Use at most %(limit_value)s."),
    }
    widget = forms.TextInput(attrs=attrs)
    return WholeNumberField(label=label, min_value=1, max_value=most, widget=widget, error_messages=words, **more)


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
        """In capitals, as numbers are compared; said at once where it cannot be, whatever else is wrong."""
        prefix = normalise(self.cleaned_data["prefix"])
        try:
            schemes.check_prefix(prefix)
        except schemes.BadScheme as error:
            raise forms.ValidationError(str(error)) from error
        return prefix

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
    name = forms.CharField(label=gettext_lazy("Name"), max_length=80, validators=[validate_identity])
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
