"""The one writer of audit rows."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils import timezone

from oms.models import AuditEntry, Person
from oms.tenancy import current_account_id

Changes = Mapping[str, tuple[Any, Any]]


def entry(
    *, actor: Person | None, action: str, kind: str, object_id: int | None, label: str, changes: Changes
) -> AuditEntry:
    """An unsaved audit row; `changes` is field → (before, after) of JSON-ready values."""
    return AuditEntry(
        account_id=current_account_id(),
        at=timezone.now(),
        actor=actor,
        action=action,
        kind=kind,
        object_id=object_id,
        label=label[:300],
        changes={field: list(pair) for field, pair in changes.items()},
    )


def record(
    *, actor: Person | None, action: str, kind: str, object_id: int | None, label: str, changes: Changes | None = None
) -> None:
    """Write one audit row in the caller's transaction: who did what to which thing."""
    entry(actor=actor, action=action, kind=kind, object_id=object_id, label=label, changes=changes or {}).save()


def record_many(entries: Iterable[AuditEntry]) -> None:
    """Write many audit rows, made with `entry`, in one statement per thousand."""
    AuditEntry.objects.bulk_create(entries, batch_size=1000)
