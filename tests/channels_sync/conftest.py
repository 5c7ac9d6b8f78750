"""Fixtures of the sync's tests."""

from tests.channels_sync.warehouse import (
    ask,
    connection,
    deliveries,
    seen,
    sent,
    told,
    warehouse,
    warehouse_process,
)

__all__ = ["ask", "connection", "deliveries", "seen", "sent", "told", "warehouse", "warehouse_process"]
