"""Filters of the list of replenishments."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from oms.numbers import whole_number
from oms.ui.filter_fields import NumberField
from oms.ui.filters import (
    ChoiceFilter,
    DateRangeFilter,
    DayRangeFilter,
    FilterSet,
    SearchFilter,
    SwitchFilter,
    TextFilter,
)
from replenishment.lateness import late
from replenishment.lifecycle import Status
from replenishment.models import Fate, PlannedSerial, Replenishment


class ArchivedFilter(SwitchFilter):
    """A switch that lets the archived in; asking for a status lets in whatever has it, archived ones too."""

    def filter(self, qs: QuerySet[Any], value: bool | None) -> QuerySet[Any]:  # noqa: FBT001
        """All rows, or those that are not archived."""
        if value or self.parent.form.cleaned_data.get("status"):
            return qs
        return qs.exclude(status=Status.ARCHIVED)


class LateFilter(SwitchFilter):
    """A switch that leaves only the late: past the expected date, and something is still to come."""

    def filter(self, qs: QuerySet[Any], value: bool | None) -> QuerySet[Any]:  # noqa: FBT001
        """All rows, or the late ones."""
        return qs.filter(late()) if value else qs


class ReplenishmentFilter(FilterSet):
    """Filters of the list."""

    q = SearchFilter("number", "supplier", "reference", "tracking", placeholder=_("Search replenishments"))
    number = TextFilter("number", label=_("Replenishment"), placeholder=_("R-"))
    status = ChoiceFilter(label=_("Status"), choices=Status.choices)
    supplier = TextFilter("supplier", label=_("Supplier"), placeholder=_("Supplier"))
    reference = TextFilter("reference", label=_("Reference"), placeholder=_("Reference"))
    expected = DateRangeFilter(field_name="expected_on", label=_("Expected"))
    late = LateFilter(label=_("Late only"))
    archived = ArchivedFilter(label=_("Show archived"))
    warehouse = TextFilter("link__warehouse__name", label=_("Warehouse"), placeholder=_("Warehouse"))
    created = DayRangeFilter(field_name="created_at", label=_("Created"))
    update = DayRangeFilter(field_name="updated_at", label=_("Update"))

    class Meta:
        model = Replenishment
        fields: tuple[str, ...] = ()


class ExactFilter(TextFilter):
    """The whole text, whatever the case: R-100 is not R-1001."""

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """The rows whose field is the text."""
        return qs.filter(**{f"{self.field_name}__iexact": value}) if value else qs


class LineFilter(ExactFilter):
    """A line's number."""

    field_class = NumberField

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """The rows of that line."""
        return qs.filter(**{self.field_name: whole_number(value)}) if value else qs


class ExpectedFilter(FilterSet):
    """Filters of expected against received."""

    q = SearchFilter("serial", "sku__code", placeholder=_("Search expected serials"), is_scanned=True)
    number = ExactFilter("line__replenishment__number", label=_("Replenishment"), placeholder=_("R-1001"))
    line = LineFilter("line__position", label=_("Line"), placeholder=_("Line"))
    sku = TextFilter("sku__code", label=_("SKU"), placeholder=_("Sku"))
    serial = TextFilter("serial", label=_("Serial"), placeholder=_("Serial"), is_scanned=True)
    state = ChoiceFilter(field_name="state_now", label=_("State"), choices=Fate.choices)
    received = DayRangeFilter(field_name="received_at", label=_("Received at"))

    class Meta:
        model = PlannedSerial
        fields: tuple[str, ...] = ()
