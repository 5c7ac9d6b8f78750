"""What the pages list."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from channels_sync.contract import Adapter, Capability, Support, Text
from channels_sync.models import Connection, Cursor, Delivery, Fault, InboundMessage, Run
from channels_sync.registry import all_adapters
from oms.models import AuditEntry

SHOWN = 20


@dataclass(frozen=True)
class Option:
    """One pass-through option as a page shows it: what it is, how the system carries it, and why not."""

    name: str
    label: Text
    support: Text
    reason: Text
    is_possible: bool
    is_on: bool = False


def connections() -> "QuerySet[Connection]":
    """All connections with their warehouses, and whether one of their streams fails."""
    failing = Cursor.objects.filter(connection=OuterRef("pk"), failures__gt=0)
    rows: QuerySet[Connection] = Connection.objects.select_related("link__warehouse", "default_bin")
    return rows.annotate(is_stream_failing=Exists(failing))


def systems_of(link_ids: Collection[int]) -> dict[int, str]:
    """Warehouse link → the name of the active connection that runs it; see settings.WAREHOUSE_SYSTEMS."""
    rows = Connection.objects.filter(link__in=link_ids, is_active=True)
    return dict(rows.values_list("link_id", "name"))


def runs() -> "QuerySet[Run]":
    """All runs with their connections."""
    rows: QuerySet[Run] = Run.objects.select_related("connection")
    return rows


def deliveries() -> "QuerySet[Delivery]":
    """All messages out with their connections, without what they carry."""
    rows: QuerySet[Delivery] = Delivery.objects.select_related("connection").defer("payload", "answer")
    return rows


def inbound() -> "QuerySet[InboundMessage]":
    """All messages in with their connections, without what they carry."""
    rows: QuerySet[InboundMessage] = InboundMessage.objects.select_related("connection").defer("raw")
    return rows


def last_runs(connection: Connection) -> list[Run]:
    """The newest runs of a connection."""
    return list(Run.objects.filter(connection=connection).order_by("-pk")[:SHOWN])


def cursors(connection: Connection) -> list[Cursor]:
    """The streams of a connection."""
    return list(Cursor.objects.filter(connection=connection).order_by("pk"))


def has_exchanged(connection: Connection) -> bool:
    """Whether a document was stored from a connection, or sent over it (also one whose answer was lost)."""
    untried = Q(attempts=0, remote_id="", fault=Fault.NONE)
    sent = Delivery.objects.filter(connection=connection).exclude(untried)
    return bool(sent.exists() or InboundMessage.objects.filter(connection=connection).exists())


def history(connection: Connection) -> list[AuditEntry]:
    """Who changed a connection, newest first."""
    rows = AuditEntry.objects.filter(kind="connection", object_id=connection.pk).select_related("actor")
    return list(rows.order_by("-pk")[:SHOWN])


def message_history(kind: str, pk: int) -> list[AuditEntry]:
    """Who replayed or closed a message, newest first."""
    rows = AuditEntry.objects.filter(kind=kind, object_id=pk).select_related("actor")
    return list(rows.order_by("-pk")[:SHOWN])


def options(adapter: type[Adapter], on: list[str]) -> list[Option]:
    """The pass-through options of a system."""
    return [
        Option(
            name=capability.value,
            label=Capability(capability).label,
            support=adapter.support(capability).label,
            reason=adapter.reason(capability),
            is_possible=adapter.support(capability) != Support.NONE,
            is_on=capability.value in on,
        )
        for capability in adapter.options
    ]


@dataclass(frozen=True)
class System:
    """A system that can be connected, as the choice shows it."""

    kind: str
    label: Text
    limits: tuple[Text, ...]
    options: list[Option]


def systems() -> list[System]:
    """Every system that this installation knows."""
    return [System(kind, cls.label, cls.limits, options(cls, [])) for kind, cls in all_adapters().items()]
