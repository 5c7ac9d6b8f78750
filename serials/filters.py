"""Filters of units, with the placeholders that the product gives."""

from django.utils.translation import gettext_lazy as _

from oms.ui.filters import ChoiceFilter, DayRangeFilter, FilterSet, SearchFilter, SwitchFilter, TextFilter
from serials.lifecycle import ProcessType, Status
from serials.models import Unit

STATUSES = [
    (status.value, status.label)
    for status in (Status.OUT, Status.HOLD, Status.IMPERFECT, Status.READY, Status.RESERVED, Status.INCOMING)
]
SHORTEST = 3
"""A global search of fewer characters would read every row: there is no index for it."""


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
    )
    sku = TextFilter("sku__code", label=_("SKU"), placeholder=_("Sku"))
    prod_id = TextFilter("sku__product_id_wh", "sku__product_id", label=_("ProdID"), placeholder=_("ProdID"))
    bin = TextFilter("bin__name", label=_("BIN"), placeholder=_("Bin"))
    location = TextFilter("bin__location__name", label=_("Location"), placeholder=_("Location"))
    serial = TextFilter("serial", label=_("Serial"), placeholder=_("Serial"), has_pairs=True)
    status = ChoiceFilter(label=_("Status"), choices=STATUSES)
    wms_notes = TextFilter("wms_notes", label=_("WMS Notes"), placeholder=_("Note"))
    oms_notes = TextFilter("oms_notes", label=_("OMS Notes"), placeholder=_("Note"))
    process_type = ChoiceFilter(label=_("ProcessType"), choices=ProcessType.choices)
    process_id = TextFilter("process_id", label=_("ProcessID"), placeholder=_("ProcessID"))
    order = TextFilter("order_no", label=_("Order#"), placeholder=_("Order#"))
    update = DayRangeFilter(field_name="updated_at", label=_("Update"))
    void = SwitchFilter(field_name="is_void", label=_("Show void"))

    class Meta:
        model = Unit
        fields: tuple[str, ...] = ()
