"""Connections, and what goes over them: messages out (Delivery), messages in (InboundMessage), cursors and runs."""

from channels_sync.models.connections import Condition, Connection, Cursor, Health
from channels_sync.models.messages import (
    Action,
    Delivery,
    DeliveryState,
    Fault,
    InboundMessage,
    InboundState,
    Run,
    RunState,
)

__all__ = [
    "Action",
    "Condition",
    "Connection",
    "Cursor",
    "Delivery",
    "DeliveryState",
    "Fault",
    "Health",
    "InboundMessage",
    "InboundState",
    "Run",
    "RunState",
]
