"""Filters: django-filter declarations that the kit draws under the headers and sums up as chips."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any, ClassVar

import django_filters
from django import forms
from django.db.models import F, Model, Q, QuerySet
from django.db.models.functions import Upper
from django.http import QueryDict
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import get_language, gettext_lazy as _

from oms.errors import DomainError
from oms.scanning import readings
from oms.search import PAIRS, AnyOf, HasPair, Pairs, Within, begins_with, behind_first
from oms.ui.filter_fields import (
    SUFFIXES,
    TOO_SHORT,
    ChoiceField,
    DayRangeField,
    DayRangeWidget,
    SwitchField,
    TextField,
)
from oms.ui.tables import Declared, with_query

SEARCH = "q"
PLACING = frozenset({"sort", "page", "per_page", "after", "before", "format", "view", "columns"})
"""What else may be in the address of a list. What makes no sense there is as if it were not there: it shows the same
rows in another order or place."""


@dataclass(frozen=True)
class Chip:
    """One active filter in words, and the address without it."""

    label: str
    value: str
    remove_url: str


@dataclass(frozen=True)
class Fault:
    """What is wrong with one filter: its parameter, its label, and which form it takes."""

    name: str
    label: str
    text: str
    is_short: bool = False
    """Nothing is wrong yet: more is being typed."""

    def __str__(self) -> str:
        return f"{self.label}: {self.text}" if self.label else self.text


class FaultyFilter(DomainError):
    """Rows were asked for by a filter that cannot be used: nobody knows which, so nothing is done with any."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        words = _("Nothing is done, because the filter does not say which rows. %(faults)s")
        super().__init__(words % {"faults": " ".join(map(str, faults))})


class TextFilter(django_filters.CharFilter):
    """Partial match, whatever the case, on one or more fields. `placeholder` stands in the empty field.

    `has_pairs`: the one field has an index of its `Pairs`, so two characters are found fast too. `by_beginning`: the
    field that is mostly asked for by its beginning, like a number that rises with time; it has one index of `ordered`
    and one of what is `behind_first`. `is_scanned`: a scan may be entered, and all that it says is looked for.
    """

    field_class = TextField

    def __init__(
        self,
        *fields: str,
        placeholder: Any,
        label: Any,
        has_pairs: bool = False,
        by_beginning: str = "",
        is_scanned: bool = False,
        **kwargs: Any,
    ) -> None:
        attrs = {"placeholder": placeholder, "autocomplete": "off", "spellcheck": "false"}
        attrs |= {"data-scan": "one"} if is_scanned else {}
        super().__init__(field_name=fields[0], label=label, widget=forms.TextInput(attrs=attrs), **kwargs)
        self.fields, self.has_pairs, self.by_beginning, self.is_scanned = fields, has_pairs, by_beginning, is_scanned

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """The rows in which one of the fields contains the text, or what it says as a scan."""
        if not value:
            return qs
        found = Q()
        for name in self._names(value):
            found |= self._condition(qs.model, self.fields, name)
        return qs.filter(found)

    def _names(self, value: str) -> tuple[str, ...]:
        return readings(value) if self.is_scanned else (value,)

    def find(self, qs: QuerySet[Any], value: str) -> list[QuerySet[Any]]:
        """The same rows by conditions that have an index, in parts that have no row in common.

        Not by two conditions for the same: the planner would multiply what it guesses for each, and for LIKE it guesses
        without an index. What begins with the text is a part of its own: there may be a hundred thousand of them, all
        far from the end that is looked at, and only an index that holds the sort's keys too sorts so many at once.
        """
        if self.has_pairs and len(value) == PAIRS:
            return [qs.filter(HasPair(Pairs(Upper(self.fields[0])), value))]
        if not self.by_beginning or len(self._names(value)) > 1:
            return [self.filter(qs, value)]
        begins = begins_with(self.by_beginning, value)
        others = [path for path in self.fields if path != self.by_beginning]
        rest = self._condition(qs.model, others, value) | Q(Within(behind_first(self.by_beginning), value))
        return [qs.filter(begins), qs.filter(rest & ~begins)]

    def _condition(self, model: type[Model], fields: Iterable[str], value: str) -> Q:
        found, first = Q(), defaultdict(list)
        for path in fields:
            relation, _sep, rest = path.partition("__")
            if rest and relation in self.parent.matched_first:
                first[relation].append(rest)
            else:
                found |= Q(**{f"{path}__icontains": value})
        for relation, rests in first.items():
            target: Any = model._meta.get_field(relation).related_model
            matching = Q.create([(f"{rest}__icontains", value) for rest in rests], connector=Q.OR)
            found |= Q(AnyOf(F(relation), target.objects.through_view().filter(matching).values_list("pk", flat=True)))
        return found


class SearchFilter(TextFilter):
    """The global search of a page: partial match over all its text columns, from `shortest` characters on."""

    def __init__(self, *fields: str, placeholder: Any, shortest: int = 1, **kwargs: Any) -> None:
        super().__init__(*fields, placeholder=placeholder, label=_("Search"), **kwargs)
        self.extra["shortest"] = shortest
        self.extra["widget"].input_type = "search"


class ChoiceFilter(django_filters.ChoiceFilter):
    """A dropdown, "Select…" while nothing is chosen."""

    field_class = ChoiceField

    def __init__(self, *, label: Any, **kwargs: Any) -> None:
        super().__init__(label=label, empty_label=_("Select…"), **kwargs)


class SwitchFilter(django_filters.Filter):
    """A checkbox over the table. Off, it leaves out the rows whose field is true; on, they are among the others."""

    field_class = SwitchField

    def __init__(self, *, label: Any, **kwargs: Any) -> None:
        super().__init__(label=label, **kwargs)

    def filter(self, qs: QuerySet[Any], value: bool | None) -> QuerySet[Any]:  # noqa: FBT001
        """All rows, or those whose field is false."""
        return qs if value else qs.filter(**{self.field_name: False})


class DayRangeFilter(django_filters.Filter):
    """From one day to another, both included, as days of the account's time zone; yyyy-mm-dd."""

    field_class = DayRangeField

    def __init__(self, *, label: Any, **kwargs: Any) -> None:
        super().__init__(label=label, widget=DayRangeWidget(label), **kwargs)

    def filter(self, qs: QuerySet[Any], value: slice | None) -> QuerySet[Any]:
        """The rows whose moment lies in the days."""
        if value and value.start:
            qs = qs.filter(**{f"{self.field_name}__gte": _midnight(value.start)})
        if value and value.stop:
            qs = qs.filter(**{f"{self.field_name}__lt": _midnight(value.stop + timedelta(days=1))})
        return qs


class DateRangeFilter(DayRangeFilter):
    """The same for a field that is a day itself and has no time zone."""

    def filter(self, qs: QuerySet[Any], value: slice | None) -> QuerySet[Any]:
        """The rows whose day lies in the days; rows without a day are in none."""
        if value and value.start:
            qs = qs.filter(**{f"{self.field_name}__gte": value.start})
        if value and value.stop:
            qs = qs.filter(**{f"{self.field_name}__lte": value.stop})
        return qs


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


class _Shared(dict[str, forms.Field]):
    """The fields of every form of a class: nothing about them changes from one to the next."""

    def __deepcopy__(self, memo: Any) -> dict[str, forms.Field]:
        return dict(self)


class _FilterForm(forms.Form):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Not id_…: a dialog over the list may have a field of the same name, whose label would then name the filter.
        super().__init__(*args, **kwargs)
        self.auto_id = "filter_%s"


class FilterSet(django_filters.FilterSet):
    """Base of every page's filters. A filter named like a column stands under its header; `q` is the page's search.

    `matched_first` names references to small tables: a text is looked for there first, and then for the ids found,
    which has an index. One query over both tables has none.
    """

    matched_first: ClassVar[tuple[str, ...]] = ()
    _forms: ClassVar[dict[tuple[type, str], type[forms.Form]]] = {}
    _empty_fields: ClassVar[dict[tuple[type, str, str], str]] = {}

    @classmethod
    def get_filters(cls) -> dict[str, Any]:
        """The declared filters by name. Every request has its own, which django-filter binds to what it is asked."""
        return Declared(super().get_filters())

    def get_form_class(self) -> type[forms.Form]:
        """The form whose fields stand in the page's head and headers but belong to its one filter form.

        Made once for each language: all that a field is, is declared.
        """
        key = type(self), get_language() or ""
        if key not in self._forms:
            self._forms[key] = self._make_form_class()
        return self._forms[key]

    def _make_form_class(self) -> type[forms.Form]:
        form_class: type[forms.Form] = type("FilterForm", (_FilterForm, super().get_form_class()), {})
        form_class.base_fields = _Shared(form_class.base_fields)
        for name, field in form_class.base_fields.items():
            field.widget.attrs["form"] = "filters"
            if not isinstance(field.widget, forms.MultiWidget | forms.CheckboxInput) and name != SEARCH:
                field.widget.attrs["aria-label"] = _("Filter: %(label)s") % {"label": field.label}
        return form_class

    @classmethod
    def parameters(cls, name: str) -> tuple[str, ...]:
        """What a filter is called in the address: a range of days is two."""
        is_range = isinstance(cls.base_filters[name], DayRangeFilter)
        return tuple(f"{name}_{end}" for end in SUFFIXES) if is_range else (name,)

    # --- what is wrong ------------------------------------------------------------------------------------------------
    @cached_property
    def faults(self) -> list[Fault]:
        """What is wrong with each filter that cannot be used. While there is any, no row matches."""
        if not self.is_bound:
            return []
        errors = self.form.errors.as_data()
        found = [
            Fault(name, str(self.form[name].label), str(error.messages[0]), error.code == TOO_SHORT)
            for name in self.filters
            for error in [*errors.get(name, ())][:1]
        ]
        twice = [name for name in self.filters if name not in errors and self._is_there_twice(name)]
        words = str(_("It is there twice with different values: leave one."))
        return found + [Fault(name, str(self.form[name].label), words) for name in twice]

    def _is_there_twice(self, name: str) -> bool:
        """An empty value is one, too: only the last is looked at, and it would mean all rows."""
        return any(len({*self._texts(parameter)}) > 1 for parameter in self.parameters(name))

    def _texts(self, parameter: str) -> list[str]:
        return self.data.getlist(parameter) if isinstance(self.data, QueryDict) else [self.data.get(parameter, "")]

    @cached_property
    def unknown(self) -> list[Fault]:
        """The parameters that are neither filters nor say how the list is shown."""
        known = PLACING.union(*map(self.parameters, self.filters))
        words = _("“%(name)s” is no filter of this list.")
        return [Fault(name, "", str(words % {"name": name[:40]})) for name in self.data if name not in known]

    @property
    def qs(self) -> QuerySet[Any]:
        """The rows that the filters leave; none while one of them cannot be used, lest it be taken for all."""
        rows: QuerySet[Any] = self.queryset.none() if self.faults else super().qs
        return rows

    def sure(self) -> QuerySet[Any]:
        """The same, to do something with. Raises FaultyFilter where the address does not say just which rows."""
        if wrong := [*self.faults, *self.unknown]:
            raise FaultyFilter(wrong)
        return self.qs

    # --- what is drawn ------------------------------------------------------------------------------------------------
    def header_fields(self) -> dict[str, str]:
        """Column name → the field of its filter, drawn, with what is wrong under it."""
        wrong = {fault.name: fault.text for fault in self.faults}
        return {name: self._drawn(name, wrong.get(name, "")) for name in self.filters if name != SEARCH}

    def _drawn(self, name: str, fault: str = "") -> str:
        """The field with what was typed; an empty one looks the same for everybody, and is drawn once."""
        if fault or any(self.data.get(each) for each in self.parameters(name)):
            said = format_html('<p class="errorlist" id="filter_{}_error">{}</p>', name, fault) if fault else ""
            return f"{self.form[name]}{said}"
        key = type(self), get_language() or "", name
        if key not in self._empty_fields:
            self._empty_fields[key] = str(self.form[name])
        return self._empty_fields[key]

    def undrawn(self, columns: Collection[str]) -> Iterator[str]:
        """The parameters of the filters that have no field of their own on a page with these columns."""
        for name, declared in self.filters.items():
            if name not in {SEARCH, *columns} and not isinstance(declared, SwitchFilter):
                yield from self.parameters(name)

    def switches(self) -> list[dict[str, str]]:
        """The checkboxes that stand over the table: drawn, with id and label."""
        names = [name for name, declared in self.filters.items() if isinstance(declared, SwitchFilter)]
        fields = [(self.form[name], self._drawn(name)) for name in names]
        return [{"drawn": drawn, "id": field.id_for_label, "label": field.label} for field, drawn in fields]

    @property
    def search_field(self) -> Any:
        """The field of the global search, or None. It stands outside of what is drawn anew when it is typed into, so
        it says nothing of what is wrong.
        """
        if SEARCH not in self.filters:
            return None
        return self.get_form_class()(initial={SEARCH: self.data.get(SEARCH, "")})[SEARCH]

    def chips(self, query: QueryDict) -> Iterator[Chip]:
        """The active filters in words, in the order of the declaration; what cannot be used as it was sent."""
        values = getattr(self.form, "cleaned_data", {}) if self.is_bound else {}
        wrong = {fault.name: self._sent(fault.name) for fault in self.faults if not fault.is_short}
        for name, declared in self.filters.items():
            value = wrong.get(name) or values.get(name)
            if value in (None, "", [], False):
                continue
            gone = dict.fromkeys(self.parameters(name), "")
            yield Chip(str(declared.label), _said(declared, value), with_query(query, **gone))

    def _sent(self, name: str) -> str:
        """What was sent for a filter, as far as it fits."""
        texts = [text for each in self.parameters(name) for text in self._texts(each) if text]
        return " – ".join(text.replace("\0", "\ufffd")[:40] for text in texts[:2])

    def clear_url(self, query: QueryDict) -> str:
        """The address without any filter, with its sort and page size."""
        filters = [each for name in self.filters for each in self.parameters(name)]
        return with_query(query, **dict.fromkeys([*filters, *self._strange], ""))

    def known_url(self, query: QueryDict) -> str:
        """The address without what is no filter of the list."""
        return with_query(query, **dict.fromkeys(self._strange, ""))

    @property
    def _strange(self) -> list[str]:
        return [fault.name for fault in self.unknown]

    # --- how rows are found -------------------------------------------------------------------------------------------
    def matches(self) -> list[QuerySet[Any]]:
        """The rows of `qs` in parts, found by indexes on what they hold, see `TextFilter.find`; none without a text."""
        values = self.form.cleaned_data if self.is_bound and not self.faults else {}
        texts = {
            name for name, declared in self.filters.items() if isinstance(declared, TextFilter) and values.get(name)
        }
        if not texts:
            return []
        parts: list[QuerySet[Any]] = [self.queryset.all()]
        for name, declared in self.filters.items():
            if name in texts:
                parts = [found for rows in parts for found in declared.find(rows, values[name])]
            elif name in values:
                parts = [declared.filter(rows, values[name]) for rows in parts]
        return parts

    @property
    def has_pair(self) -> bool:
        """Whether two characters are looked for: see `TextFilter.has_pairs`."""
        values = getattr(self.form, "cleaned_data", {}) if self.is_bound else {}
        return any(
            isinstance(declared, TextFilter) and declared.has_pairs and len(values.get(name) or "") == PAIRS
            for name, declared in self.filters.items()
        )


def _said(declared: django_filters.Filter, value: Any) -> str:
    if hasattr(declared, "said"):
        return str(declared.said(value))
    if isinstance(value, slice):
        return " – ".join(f"{day:%Y-%m-%d}" if day else "" for day in (value.start, value.stop)).strip()
    if value is True:
        return ""  # the label of a switch says all
    choices = dict(declared.extra.get("choices", ()))
    return str(choices.get(value, value))
