"""Expiries that people type: one that is hardly meant is asked about before anything is written."""

from datetime import date
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _

from serials.lot_dates import doubt

MEANT = "meant"
"""The hidden fields of a page that name the days which it asked about: who sends them again means them."""


class AsksDays(forms.Form):
    """A form with an expiry. `doubted` are the days of a bound form that are hardly meant, as yyyy-mm-dd."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.doubted: set[str] = set()

    def ask(self, name: str, lot: str) -> None:
        """Let a field have an error that asks, unless its day was asked about before and sent again."""
        day: date | None = self.cleaned_data.get(name)
        said = doubt(lot, day, timezone.localdate())
        if day is None or not said or name not in self.changed_data:
            return
        self.doubted.add(day.isoformat())
        if day.isoformat() not in self.data.getlist(MEANT):  # type: ignore[attr-defined]  # pages send a QueryDict
            self.add_error(name, _("%(said)s Correct it, or save again if it is meant.") % {"said": said})


def doubted_days(rows: Any) -> list[str]:
    """The days that the forms of a set ask about, or asked about before."""
    return sorted({day for form in rows.forms for day in getattr(form, "doubted", ())})
