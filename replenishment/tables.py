"""The list of replenishments."""

from collections.abc import Callable
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from oms.ui.columns import BadgeColumn, Column, Frame, MonoLinkColumn, NumberColumn, Tone, WhenColumn, badge
from oms.ui.tables import Table
from replenishment.lifecycle import OPEN, Status
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


LATE = Tone("bad", "triangle")


class ExpectedColumn(Column):
    """A day, with a badge where it is over and the replenishment is still open."""

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """The day as yyyy-mm-dd. What day it is in the account's time zone is asked once."""
        today, mark = timezone.localdate(frame.now), f" {badge(_('Late'), LATE)}"

        def cell(record: Any) -> str:
            day: date | None = record.expected_on
            if day is None:
                return "<td></td>"
            is_late = day < today and record.status in OPEN
            return f"<td>{day.isoformat()}{mark if is_late else ''}</td>"

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
