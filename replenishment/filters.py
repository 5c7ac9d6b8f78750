"""Filters of the list of replenishments."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from oms.ui.filters import ChoiceFilter, DayRangeFilter, FilterSet, SearchFilter, TextFilter
from replenishment.lifecycle import Status
from replenishment.models import Replenishment


class ReplenishmentFilter(FilterSet):
    """Filters of the list; the archived are out of it unless they are asked for."""

    q = SearchFilter("number", "supplier", "reference", placeholder=_("Search replenishments"))
    number = TextFilter("number", label=_("Replenishment"), placeholder=_("R-"))
    status = ChoiceFilter(label=_("Status"), choices=Status.choices)
    supplier = TextFilter("supplier", label=_("Supplier"), placeholder=_("Supplier"))
    reference = TextFilter("reference", label=_("Reference"), placeholder=_("Reference"))
    warehouse = TextFilter("link__warehouse__name", label=_("Warehouse"), placeholder=_("Warehouse"))
    created = DayRangeFilter(field_name="created_at", label=_("Created"))
    update = DayRangeFilter(field_name="updated_at", label=_("Update"))

    class Meta:
        model = Replenishment
        fields: tuple[str, ...] = ()

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that the filters leave."""
        rows: QuerySet[Any] = super().filter_queryset(queryset)
        return rows if self.form.cleaned_data.get("status") else rows.exclude(status=Status.ARCHIVED)
