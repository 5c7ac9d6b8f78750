"""The sync's tables."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from channels_sync.contract import Flow
from channels_sync.models import Action, Condition, Connection, Delivery, DeliveryState, InboundMessage, Run, RunState
from channels_sync.models.messages import InboundState
from channels_sync.registry import all_adapters
from oms.ui.columns import (
    BadgeColumn,
    ChoiceColumn,
    Column,
    Frame,
    LinkColumn,
    MonoColumn,
    MonoLinkColumn,
    NoteColumn,
    NumberColumn,
    Tone,
    WhenColumn,
    escape,
)
from oms.ui.tables import Table

CONDITION_TONES = {
    Condition.OK: Tone("good", "dot"),
    Condition.PARTLY: Tone("warn", "half"),
    Condition.FAILING: Tone("warn", "half"),
    Condition.UNTRIED: Tone("neutral", "dot"),
    Condition.RESTING: Tone("warn", "half"),
    Condition.SUSPECT: Tone("warn", "triangle"),
    Condition.STOPPED: Tone("bad", "cross"),
    Condition.OFF: Tone("neutral", "ring"),
}
DELIVERY_TONES = {
    DeliveryState.WAITING: Tone("info", "ring"),
    DeliveryState.SENDING: Tone("info", "half"),
    DeliveryState.SENT: Tone("good", "check"),
    DeliveryState.FAILED: Tone("bad", "cross"),
    DeliveryState.PARKED: Tone("warn", "bars"),
    DeliveryState.CLOSED: Tone("neutral", "square"),
}
INBOUND_TONES = {
    InboundState.NEW: Tone("info", "ring"),
    InboundState.APPLIED: Tone("good", "check"),
    InboundState.SUPERSEDED: Tone("neutral", "arrow"),
    InboundState.DISCREPANCY: Tone("bad", "triangle"),
    InboundState.CLOSED: Tone("neutral", "square"),
}
RUN_TONES = {
    RunState.RUNNING: Tone("info", "half"),
    RunState.DONE: Tone("good", "check"),
    RunState.FAILED: Tone("bad", "cross"),
}


def system_name(kind: str) -> str:
    """What a kind of system is called; the kind itself where this installation has no such adapter."""
    cls = all_adapters().get(kind)
    return str(cls.label) if cls else kind


class SystemColumn(Column):
    """The name of a kind of system."""

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The name."""
        return escape(system_name(value))

    def text(self, value: Any, record: Any) -> str:
        """The same for a CSV file."""
        return system_name(value)


class ConnectionTable(Table):
    """The connections of the account."""

    name = LinkColumn(label=_("Name"), route="connection")
    kind = SystemColumn(label=_("System"))
    warehouse = Column(label=_("Warehouse"), accessor="link__warehouse__name", order_by="link__warehouse__name")
    condition = BadgeColumn(
        label=_("State"), accessor="condition", order_by="health", choices=Condition, tones=CONDITION_TONES
    )
    ok_at = WhenColumn(label=_("Last answer"))
    error = NoteColumn(label=_("Error"))

    class Meta:
        model = Connection
        fields = ("name", "kind", "warehouse", "condition", "ok_at", "error")
        order_by = "name"


class RunTable(Table):
    """What the syncs did."""

    started = WhenColumn(label=_("Started"), accessor="started_at", order_by="started_at")
    connection = LinkColumn(
        label=_("Connection"),
        accessor="connection__name",
        order_by="connection__name",
        route="connection",
        target="connection_id",
    )
    flow = ChoiceColumn(label=_("Flow"), choices=Flow)
    state = BadgeColumn(label=_("State"), choices=RunState, tones=RUN_TONES)
    seen = NumberColumn(label=_("Seen"))
    stored = NumberColumn(label=_("New"))
    done = NumberColumn(label=_("Done"))
    discrepancies = NumberColumn(label=_("Discrepancies"))
    took = Column(label=_("Took"), accessor="took", orderable=False, css="num")
    cursor = WhenColumn(label=_("Read up to"))
    error = NoteColumn(label=_("Error"))

    class Meta:
        model = Run
        fields = (
            *("started", "connection", "flow", "state", "seen", "stored", "done", "discrepancies"),
            *("took", "cursor", "error"),
        )
        order_by = "-started"


class DeliveryTable(Table):
    """Messages to other systems."""

    document = MonoLinkColumn(label=_("Document"), accessor="label", order_by="label", route="message_out")
    action = ChoiceColumn(label=_("Message"), choices=Action)
    connection = Column(label=_("Connection"), accessor="connection__name", order_by="connection__name")
    state = BadgeColumn(label=_("State"), choices=DeliveryState, tones=DELIVERY_TONES)
    attempts = NumberColumn(label=_("Tries"))
    remote_id = MonoColumn(label=_("Their number"))
    created = WhenColumn(label=_("Created"), accessor="created_at", order_by="created_at")
    sent_at = WhenColumn(label=_("Sent"))
    error = NoteColumn(label=_("Error"))

    class Meta:
        model = Delivery
        fields = ("document", "action", "connection", "state", "attempts", "remote_id", "created", "sent_at", "error")
        order_by = "-created"


class InboundTable(Table):
    """Messages of other systems."""

    document = MonoLinkColumn(
        label=_("Their number"), accessor="external_id", order_by="external_id", route="message_in"
    )
    stream = ChoiceColumn(label=_("Message"), choices=Flow)
    connection = Column(label=_("Connection"), accessor="connection__name", order_by="connection__name")
    state = BadgeColumn(label=_("State"), choices=InboundState, tones=INBOUND_TONES)
    version = NumberColumn(label=_("Version"))
    received = WhenColumn(label=_("Received"), accessor="received_at", order_by="received_at")
    applied_at = WhenColumn(label=_("Applied"))
    error = NoteColumn(label=_("Error"))

    class Meta:
        model = InboundMessage
        fields = ("document", "stream", "connection", "state", "version", "received", "applied_at", "error")
        order_by = "-received"
