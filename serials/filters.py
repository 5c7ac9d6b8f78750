"""Filters of units, with the placeholders that the product gives."""

from typing import Any
from uuid import UUID

import django_filters
from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext, gettext_lazy as _, ngettext

from oms.models import BinKind, Stock
from oms.ui.filters import (
    ChoiceFilter,
    DateRangeFilter,
    DayRangeFilter,
    FilterSet,
    SearchFilter,
    SwitchFilter,
    TextFilter,
)
from serials.labels import SHEETS, Symbology
from serials.lifecycle import ProcessType, Status
from serials.models import LabelPrint, NumberScheme, Unit
from serials.queries import found_lists

STATUSES = [
    (status.value, status.label)
    for status in (Status.OUT, Status.HOLD, Status.IMPERFECT, Status.READY, Status.RESERVED, Status.INCOMING)
]
SHORTEST = 3
"""A global search of fewer characters would read every row: there is no index for it."""


class _ListField(forms.CharField):
    def validate(self, value: str) -> None:
        super().validate(value)
        if value and _uuid(value) is None:
            raise forms.ValidationError(gettext("This is no list that Find many made: find the serials again."))


class FoundListFilter(django_filters.Filter):
    """The units of a list that "Find many" made. A list that is not there (any more) has none: never all of them."""

    field_class = _ListField

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """The rows of the list."""
        if not value:
            return qs
        key = _uuid(value)
        return qs.filter(pk__in=found_lists.unit_ids(key)) if key else qs.none()

    def said(self, value: Any) -> str:
        """The chip."""
        key = _uuid(value)
        count = found_lists.size(key) if key else None
        if count is None:
            return gettext("a list that is not there any more")
        return ngettext("%(count)s serial", "%(count)s serials", count) % {"count": f"{count:,}"}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


class SerialFilter(FilterSet):
    """Filters of the Serials grid."""

    matched_first = ("sku", "bin")

    q = SearchFilter(
        "serial",
        "sku__code",
        "sku__product_id_wh",
        "sku__product_id",
        "bin__name",
        "bin__location__name",
        "wms_notes",
        "oms_notes",
        "process_id",
        "order_no",
        placeholder=_("Search serials, SKUs, orders"),
        shortest=SHORTEST,
        by_beginning="order_no",
        is_scanned=True,
    )
    list = FoundListFilter(label=_("Find many"))
    sku = TextFilter("sku__code", label=_("SKU"), placeholder=_("Sku"))
    prod_id = TextFilter("sku__product_id_wh", "sku__product_id", label=_("ProdID"), placeholder=_("ProdID"))
    bin = TextFilter("bin__name", label=_("BIN"), placeholder=_("Bin"))
    location = TextFilter("bin__location__name", label=_("Location"), placeholder=_("Location"))
    serial = TextFilter("serial", label=_("Serial"), placeholder=_("Serial"), has_pairs=True, is_scanned=True)
    status = ChoiceFilter(label=_("Status"), choices=STATUSES)
    wms_notes = TextFilter("wms_notes", label=_("WMS Notes"), placeholder=_("Note"))
    oms_notes = TextFilter("oms_notes", label=_("OMS Notes"), placeholder=_("Note"))
    process_type = ChoiceFilter(label=_("ProcessType"), choices=ProcessType.choices)
    process_id = TextFilter("process_id", label=_("ProcessID"), placeholder=_("ProcessID"))
    order = TextFilter("order_no", label=_("Order#"), placeholder=_("Order#"), by_beginning="order_no")
    update = DayRangeFilter(field_name="updated_at", label=_("Update"))
    void = SwitchFilter(field_name="is_void", label=_("Show void"))

    class Meta:
        model = Unit
        fields: tuple[str, ...] = ()


class StockFilter(FilterSet):
    """Filters of the stock list."""

    q = SearchFilter(
        "sku__code", "sku__name", "bin__name", "bin__location__name", "lot_number", placeholder=_("Search stock")
    )
    sku = TextFilter("sku__code", label=_("SKU"), placeholder=_("Sku"))
    name = TextFilter("sku__name", label=_("Name"), placeholder=_("Name"))
    warehouse = TextFilter("bin__link__warehouse__name", label=_("Warehouse"), placeholder=_("Warehouse"))
    location = TextFilter("bin__location__name", label=_("Location"), placeholder=_("Location"))
    bin = TextFilter("bin__name", label=_("BIN"), placeholder=_("Bin"))
    kind = ChoiceFilter(field_name="bin__kind", label=_("Kind"), choices=BinKind.choices)
    lot = TextFilter("lot_number", label=_("Lot"), placeholder=_("Lot"))
    expiry = DateRangeFilter(field_name="expires_on", label=_("Expiry"))
    update = DayRangeFilter(field_name="updated_at", label=_("Update"))

    class Meta:
        model = Stock
        fields: tuple[str, ...] = ()


class LabelPrintFilter(FilterSet):
    """Filters of the ledger of prints."""

    q = SearchFilter("title", "person__name", placeholder=_("Search prints"))
    at = DayRangeFilter(field_name="printed_at", label=_("When"))
    person = TextFilter("person__name", label=_("Who"), placeholder=_("Who"))
    title = TextFilter("title", label=_("What"), placeholder=_("What"))
    sheet = ChoiceFilter(label=_("Sheet"), choices=[(key, sheet.name) for key, sheet in SHEETS.items()])
    symbology = ChoiceFilter(label=_("Symbol"), choices=Symbology.choices)

    class Meta:
        model = LabelPrint
        fields: tuple[str, ...] = ()


class SchemeFilter(FilterSet):
    """Filters of the number schemes."""

    q = SearchFilter("name", "prefix", placeholder=_("Search number schemes"))
    name = TextFilter("name", label=_("Name"), placeholder=_("Name"))
    state = ChoiceFilter(field_name="is_archived", label=_("State"), choices=[("0", _("In use")), ("1", _("Archived"))])

    class Meta:
        model = NumberScheme
        fields: tuple[str, ...] = ()
