"""The list of replenishments."""

from collections.abc import Callable
from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from oms.ui.columns import (
    BadgeColumn,
    ChoiceColumn,
    Column,
    Frame,
    MonoLinkColumn,
    NumberColumn,
    Tone,
    WhenColumn,
    badge,
    escape,
)
from oms.ui.tables import Table
from replenishment.lifecycle import Status
from replenishment.models import Fate, PlannedSerial, Replenishment
from serials.lifecycle import Status as UnitStatus

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


LATE = Tone("bad", "triangle")


class ExpectedColumn(Column):
    """A day, with a badge where the replenishment is late."""

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """The day as yyyy-mm-dd."""
        mark = f" {badge(_('Late'), LATE)}"

        def cell(record: Any) -> str:
            day: date | None = record.expected_on
            if day is None:
                return "<td></td>"
            # One element, so that a card keeps the badge beside its day
            return f"<td><span>{day.isoformat()}{mark if record.is_late else ''}</span></td>"

        return cell

    def text(self, value: Any, record: Any) -> str:
        """Year, month and day (ISO 8601)."""
        return value.isoformat() if value else ""


class ReplenishmentTable(Table):
    """Goods expected from suppliers."""

    number = MonoLinkColumn(label=_("Replenishment"), route="replenishment", order_by="pk")
    status = BadgeColumn(label=_("Status"), choices=Status, tones=STATUS_TONES)
    warehouse = Column(label=_("Warehouse"), accessor="link__warehouse__name", order_by="link__warehouse__name")
    supplier = Column(label=_("Supplier"))
    reference = Column(label=_("Reference"))
    expected = ExpectedColumn(label=_("Expected"), accessor="expected_on", order_by="expected_on")
    quantity = NumberColumn(label=_("Units"))
    received = NumberColumn(label=_("Received"), accessor="received_quantity", order_by="received_quantity")
    update = WhenColumn(label=_("Update"), accessor="updated_at", order_by="updated_at")
    created = WhenColumn(label=_("Created"), accessor="created_at", order_by="created_at")

    class Meta:
        model = Replenishment
        fields = (
            "number",
            "status",
            "warehouse",
            "supplier",
            "reference",
            "expected",
            "quantity",
            "received",
            "update",
            "created",
        )
        order_by = "-number"


FATE_TONES = {
    Fate.MISSING: Tone("info", "ring"),
    Fate.RECEIVED: Tone("good", "check"),
    Fate.VOID: Tone("neutral", "cross"),
}


class ExpectedLinkColumn(MonoLinkColumn):
    """A link to something that not every row has."""

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The link, or the words alone."""
        return super().html(value, record, frame) if self.target(record) else str(escape(value))


class ExpectedTable(Table):
    """Expected against received, serial by serial."""

    number = MonoLinkColumn(label=_("Replenishment"), route="replenishment", target="line__replenishment_id")
    line = NumberColumn(label=_("Line"), accessor="line__position", order_by="line__position")
    sku = MonoLinkColumn(label=_("SKU"), accessor="sku__code", order_by="sku__code", route="sku", target="sku_id")
    serial = ExpectedLinkColumn(label=_("Serial"), route="serial", target="unit_id")
    state = BadgeColumn(label=_("State"), accessor="state_now", order_by="state_now", choices=Fate, tones=FATE_TONES)
    status = ChoiceColumn(label=_("Status now"), accessor="unit_status", order_by="unit_status", choices=UnitStatus)
    received = WhenColumn(label=_("Received at"), accessor="received_at", order_by="received_at")
    receipt = ExpectedLinkColumn(
        label=_("Receipt"),
        accessor="receipt_name",
        order_by="receipt_name",
        route="replenishment_receipt",
        target="receipt_id",
    )

    class Meta:
        model = PlannedSerial
        fields = ("number", "line", "sku", "serial", "state", "status", "received", "receipt")
        order_by = ("number", "line", "serial")
