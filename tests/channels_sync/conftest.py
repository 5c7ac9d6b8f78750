"""Fixtures of the sync's tests."""

from tests.channels_sync.warehouse import connection, warehouse, warehouse_process

__all__ = ["connection", "warehouse", "warehouse_process"]
