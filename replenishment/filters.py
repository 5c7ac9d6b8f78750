"""Filters of the list of replenishments."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from oms.ui.filters import (
    ChoiceFilter,
    DateRangeFilter,
    DayRangeFilter,
    FilterSet,
    SearchFilter,
    SwitchFilter,
    TextFilter,
)
from replenishment.lifecycle import OPEN, Status
from replenishment.models import Replenishment


class ArchivedFilter(SwitchFilter):
    """A switch that lets the archived in; asking for a status lets in whatever has it, archived ones too."""

    def filter(self, qs: QuerySet[Any], value: bool | None) -> QuerySet[Any]:  # noqa: FBT001
        """All rows, or those that are not archived."""
        if value or self.parent.form.cleaned_data.get("status"):
            return qs
        return qs.exclude(status=Status.ARCHIVED)


class LateFilter(SwitchFilter):
    """A switch that leaves only the late: past the expected date and still open."""

    def filter(self, qs: QuerySet[Any], value: bool | None) -> QuerySet[Any]:  # noqa: FBT001
        """All rows, or the late ones."""
        return qs.filter(status__in=OPEN, expected_on__lt=timezone.localdate()) if value else qs


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
