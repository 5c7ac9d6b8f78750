"""The fields of filters: each says which form it takes, and shows what was asked for even where it is wrong."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _, ngettext
from django_filters.fields import ChoiceField as BaseChoiceField, RangeField
from django_filters.widgets import SuffixedMultiWidget

from oms.numbers import whole_number

LONGEST = 120
YEARS = range(1900, 2200)
SUFFIXES = ("from", "to")
TOO_SHORT = "too_short"
"""The code of the one fault that is none yet: more is being typed."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ON, _OFF = {"on", "true", "1"}, {"", "off", "false", "0"}


class TextField(forms.CharField):
    """A text to look for, from `shortest` characters on."""

    def __init__(self, *, shortest: int = 1, **kwargs: Any) -> None:
        words = {
            "max_length": _("Use at most %(limit_value)d characters; these are %(show_value)d."),
            "null_characters_not_allowed": _("Remove the character that cannot be seen (NUL)."),
        }
        super().__init__(max_length=LONGEST, error_messages=words, **kwargs)
        self.shortest = shortest

    def validate(self, value: str) -> None:
        """As every field; and long enough, where anything was typed."""
        super().validate(value)
        if value and (missing := self.shortest - len(value)) > 0:
            words = ngettext("One more character …", "%(count)s more characters …", missing)
            raise ValidationError(words, code=TOO_SHORT, params={"count": missing})


class NumberField(TextField):
    """A whole number."""

    def validate(self, value: str) -> None:
        """Digits only."""
        super().validate(value)
        if value and whole_number(value, most_digits=8) is None:
            raise ValidationError(_("Use a whole number, digits only."), code="invalid")


class DayField(forms.DateField):
    """A day as yyyy-mm-dd and in no other form: 03/04 is another day to the next reader."""

    def to_python(self, value: Any) -> date | None:
        """The day; None for an empty text."""
        text = str(value or "").strip()
        if not text:
            return None
        if not _DAY.fullmatch(text):
            raise ValidationError(_("Use the form yyyy-mm-dd, such as 2027-01-31."), code="invalid")
        try:
            day = date.fromisoformat(text)
        except ValueError as error:
            raise ValidationError(
                _("There is no day %(day)s: use the form yyyy-mm-dd, such as 2027-01-31."),
                code="invalid",
                params={"day": text},
            ) from error
        if day.year not in YEARS:
            words = {"first": YEARS[0], "last": YEARS[-1]}
            raise ValidationError(_("Use a year from %(first)s to %(last)s, as yyyy-mm-dd."), "invalid", words)
        return day


class DayRangeField(RangeField):
    """Two days, the earlier first; either may be left out. Its value is a slice of them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__((DayField(), DayField()), *args, **kwargs)

    def compress(self, data_list: list[date | None]) -> slice | None:
        """The slice; None where both are empty."""
        start, stop = data_list or (None, None)
        if start and stop and start > stop:
            words = {"start": start, "stop": stop}
            raise ValidationError(_("%(start)s is after %(stop)s: give the earlier day first."), "reversed", words)
        return slice(start, stop) if start or stop else None


class DayRangeWidget(SuffixedMultiWidget):
    """Two fields side by side."""

    suffixes = SUFFIXES
    use_fieldset = False  # each of the two refers to what is wrong with them

    def __init__(self, label: Any) -> None:
        def day(words: Any) -> forms.DateInput:
            # Not type="date": browsers show that in their own order of day and month, and a scanner cannot type
            # into it.
            attrs = {
                "placeholder": _("yyyy-mm-dd"),
                "aria-label": words,
                "class": "date",
                "autocomplete": "off",
                "size": "10",
            }
            return forms.DateInput(attrs=attrs, format="%Y-%m-%d")

        super().__init__([day(_("%s from") % label), day(_("%s to") % label)])

    def decompress(self, value: Any) -> list[Any]:
        """The two days of a slice."""
        return [value.start, value.stop] if value else [None, None]


class ChoiceField(BaseChoiceField):
    """One of a few."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        words = {"invalid_choice": _("There is no such choice: choose one from the list.")}
        super().__init__(*args, widget=ChoiceSelect, error_messages=words, **kwargs)


class ChoiceSelect(forms.Select):
    """A dropdown that also holds what was asked for and is no choice: the next filter must not drop it unseen."""

    def optgroups(self, name: str, value: list[str], attrs: dict[str, Any] | None = None) -> list[Any]:
        """The choices, and what is none of them last."""
        groups: list[Any] = super().optgroups(name, value, attrs)
        known = {str(option["value"]) for _label, options, _index in groups for option in options}
        for text in {str(each) for each in value} - known - {""}:
            option = self.create_option(name, text, text[:40], selected=True, index=len(groups), attrs=attrs)
            groups.append((None, [option], len(groups)))
        return groups


class SwitchBox(forms.CheckboxInput):
    """A checkbox that hands on what was sent, not just whether anything was."""

    def __init__(self) -> None:
        super().__init__(check_test=lambda value: str(value or "").strip().lower() not in _OFF)

    def value_from_datadict(self, data: Mapping[str, Any], files: MultiValueDict[str, Any], name: str) -> Any:
        """The text of the address."""
        return data.get(name, "")


class SwitchField(forms.BooleanField):
    """On or off."""

    widget = SwitchBox

    def to_python(self, value: Any) -> bool:
        """Whether it is on; empty is off."""
        text = str(value or "").strip().lower()
        if text not in _ON | _OFF:
            raise ValidationError(_("Use on, or leave it out."), code="invalid")
        return text in _ON
