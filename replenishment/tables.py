"""The list of replenishments."""

from django.utils.translation import gettext_lazy as _

from oms.ui.columns import BadgeColumn, Column, MonoLinkColumn, NumberColumn, Tone, WhenColumn
from oms.ui.tables import Table
from replenishment.lifecycle import Status
from replenishment.models import Replenishment

STATUS_TONES = {
    Status.INCOMPLETE: Tone("neutral", "ring"),
    Status.IN_TRANSIT: Tone("info", "arrow"),
    Status.PROCESSING: Tone("info", "half"),
    Status.PARTIAL: Tone("warn", "half"),
    Status.COMPLETED: Tone("good", "check"),
    Status.REVIEW: Tone("warn", "triangle"),
    Status.CANCELLED: Tone("bad", "cross"),
    Status.ARCHIVED: Tone("neutral", "square"),
}


class ReplenishmentTable(Table):
    """Goods expected from suppliers."""

    number = MonoLinkColumn(label=_("Replenishment"), route="replenishment", order_by="pk")
    status = BadgeColumn(label=_("Status"), choices=Status, tones=STATUS_TONES)
    supplier = Column(label=_("Supplier"))
    reference = Column(label=_("Reference"))
    warehouse = Column(label=_("Warehouse"), accessor="link__warehouse__name", order_by="link__warehouse__name")
    quantity = NumberColumn(label=_("Units"))
    received = NumberColumn(label=_("Received"), accessor="received_quantity", order_by="received_quantity")
    created = WhenColumn(label=_("Created"), accessor="created_at", order_by="created_at")
    update = WhenColumn(label=_("Update"), accessor="updated_at", order_by="updated_at")

    class Meta:
        model = Replenishment
        fields = (
            "number",
            "status",
            "supplier",
            "reference",
            "warehouse",
            "quantity",
            "received",
            "created",
            "update",
        )
        order_by = "-number"
