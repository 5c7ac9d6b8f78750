"""Rows of what is there already, with blank ones for more, as one form."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.forms.formsets import INITIAL_FORM_COUNT, TOTAL_FORM_COUNT, ManagementForm
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _, ngettext_lazy

INCOMPLETE = _("The page was sent incompletely, so nothing is changed. Open it again and send it once more.")


class KeptRows(forms.BaseFormSet):  # type: ignore[type-arg]  # generic in stubs only
    """Rows that are taken whole or not at all, and of which only a row's own box removes one.

    A browser sends every row that the page had. Where one of them is missing, or there are others than those that were
    counted, the rest of the form must not be taken for all that is to stay.

    `named_by` is the field that names a row among those that are there; where it is hidden, it cannot be another.
    """

    named_by: ClassVar[str]
    there: Sequence[Mapping[str, Any]] = ()
    """What is there now, as the first values of its rows."""
    is_current = True
    """Whether the page was made of just that. Where somebody changed it since, the service tells so."""
    is_whole = True
    default_error_messages: ClassVar = {
        **forms.BaseFormSet.default_error_messages,
        "missing_management_form": INCOMPLETE,
        "too_many_forms": ngettext_lazy("At most %(num)d row fits.", "At most %(num)d rows fit.", "num"),
    }

    @cached_property
    def management_form(self) -> ManagementForm:
        """How many rows there are; none where that makes no sense."""
        form: ManagementForm = super().management_form
        if not self.is_bound:
            return form
        total, initial = (form.cleaned_data[name] or 0 for name in (TOTAL_FORM_COUNT, INITIAL_FORM_COUNT))
        is_count = form.is_valid() and 0 <= initial <= total
        self.is_whole = is_count and self._fits(total, initial)
        if not is_count:
            none = {f"{self.prefix}-{name}": "0" for name in (TOTAL_FORM_COUNT, INITIAL_FORM_COUNT)}
            form = ManagementForm(none, auto_id=self.auto_id, prefix=self.prefix)
            form.full_clean()
        return form

    def _fits(self, total: int, initial: int) -> bool:
        """Whether just the rows came that were counted, and the first of them are those that are there."""
        places = self._sent()
        if len(places) != total or any(place >= total for place in places):
            return False
        if not self.is_current:
            return True
        is_hidden = self.form.base_fields[self.named_by].widget.is_hidden
        names = [str(row[self.named_by]) for row in self.there] if is_hidden else []
        return initial == len(self.there) and all(
            places[place].get(self.named_by) == name for place, name in enumerate(names)
        )

    def _sent(self) -> dict[int, dict[str, str]]:
        """Place → name → value of what was sent of each row."""
        found = dict[int, dict[str, str]]()
        for key in self.data:
            if parts := re.fullmatch(rf"{re.escape(str(self.prefix))}-([0-9]{{1,9}})-(\w+)", key, re.ASCII):
                found.setdefault(int(parts[1]), {})[parts[2]] = str(self.data[key])
        return found

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)  # type: ignore[misc]  # not in stubs
        form.empty_permitted = form.empty_permitted and not form.initial  # what is there is no blank row
        return form

    def full_clean(self) -> None:
        """As ever, and in words where it is not whole."""
        super().full_clean()
        if self.is_bound and not self.is_whole:
            self._non_form_errors = self.error_class([str(INCOMPLETE)], error_class="nonform")

    def clean(self) -> None:
        """A row of what is there that was emptied is a question, not an answer."""
        for form in self.initial_forms:
            data = getattr(form, "cleaned_data", {})
            if not (data.get(self.named_by) or data.get("DELETE") or self.named_by in form.errors):
                form.add_error(self.named_by, _("To remove it, check the box at the end of its row."))

    def told(self, there: Sequence[Mapping[str, Any]]) -> QueryDict:
        """What was sent, for a form of what is there by now: that first, each row as it was sent if it was, then what
        was sent beside it, so that whoever was told of it leaves or removes what others added.
        """
        sent = [row for _place, row in sorted(self._sent().items())]
        by_name = {self._name(row): row for row in sent}
        rows = [by_name.get(self._name(row)) or _as_sent(row) for row in there]
        known = set(map(self._name, there))
        rows += [row for row in sent if self._name(row) not in known and any(row.values()) and not row.get("DELETE")]
        rows += [dict.fromkeys(self.form.base_fields, "")] * self.extra
        data = {key: self.data[key] for key in self.data if not key.startswith(f"{self.prefix}-")}
        data |= {f"{self.prefix}-{place}-{name}": text for place, row in enumerate(rows) for name, text in row.items()}
        data |= {f"{self.prefix}-{TOTAL_FORM_COUNT}": str(len(rows))}
        data |= {f"{self.prefix}-{INITIAL_FORM_COUNT}": str(len(there))}
        told = QueryDict(mutable=True)
        told.update(data)
        return told

    def _name(self, row: Mapping[str, Any]) -> str:
        return str(row.get(self.named_by) or "").strip().upper()


def _as_sent(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in row.items()}
