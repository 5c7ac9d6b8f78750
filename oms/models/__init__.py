"""The models of the platform and of what an order management system is: one module per concept.

Import models from here. Modules of this package know each other in the order people ← catalogue ← stock; nothing here
imports services, queries or views.
"""

from oms.models.audit import AuditEntry
from oms.models.catalogue import Sku, Workflow
from oms.models.discrepancies import CaseState, Discrepancy, DiscrepancyKind
from oms.models.installation import Installation
from oms.models.layouts import ColumnChoice, SavedView
from oms.models.orders import Order, OrderLine, OrderStatus
from oms.models.people import (
    ADMINS,
    EVERYONE,
    OFFICE,
    WAREHOUSE,
    Account,
    Density,
    Membership,
    MemberState,
    Person,
    Role,
    Theme,
    Warehouse,
)
from oms.models.plumbing import Due, Job, JobState, OutboxMessage, Round, StoredFile
from oms.models.stock import NO_LOT, Bin, BinKind, Location, Stock, StockMove, WarehouseLink

__all__ = [
    "ADMINS",
    "EVERYONE",
    "NO_LOT",
    "OFFICE",
    "WAREHOUSE",
    "Account",
    "AuditEntry",
    "Bin",
    "BinKind",
    "CaseState",
    "ColumnChoice",
    "Density",
    "Discrepancy",
    "DiscrepancyKind",
    "Due",
    "Installation",
    "Job",
    "JobState",
    "Location",
    "MemberState",
    "Membership",
    "Order",
    "OrderLine",
    "OrderStatus",
    "OutboxMessage",
    "Person",
    "Role",
    "Round",
    "SavedView",
    "Sku",
    "Stock",
    "StockMove",
    "StoredFile",
    "Theme",
    "Warehouse",
    "WarehouseLink",
    "Workflow",
]
