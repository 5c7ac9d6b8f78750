"""What a replenishment says about itself beside its lines, and making another one like it."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from oms.errors import Conflict
from oms.models import Person, WarehouseLink
from oms.services import audit
from replenishment.lifecycle import Step
from replenishment.models import Replenishment, ReplenishmentLine
from replenishment.services.drafts import CHANGED, LineInput, check_link, create_replenishment, locked, touch

ORDERED = ("link", "supplier", "reference")
"""Who is asked, and for where: settled by Submit."""
TRANSPORT = ("expected_on", "carrier", "tracking", "notes")
"""When and how the goods come: may change until they are there."""


@transaction.atomic
def change_head(
    *, replenishment_id: int, version: int, values: Mapping[str, Any], actor: Person | None
) -> Replenishment:
    """Set these of ORDERED and TRANSPORT on a replenishment that the person saw at `version`.

    Raises Conflict where it was changed since, or its status does not allow these fields to change; DomainError for a
    warehouse of another account. Nothing is recorded where nothing is different.
    """
    found = locked(replenishment_id, Step.DESCRIBE if values.keys() <= set(TRANSPORT) else Step.CHANGE)
    if found.version != version:
        raise Conflict(CHANGED)
    if "link" in values:
        check_link(values["link"].pk)
    changes = {name: (getattr(found, name), value) for name, value in values.items() if getattr(found, name) != value}
    if not changes:
        return found
    for name, value in values.items():
        setattr(found, name, value)
    touch(found, *changes)
    audit.record(
        actor=actor,
        action="change",
        kind="replenishment",
        object_id=found.pk,
        label=found.number,
        changes={name: (_said(before), _said(after)) for name, (before, after) in changes.items()},
    )
    return found


@transaction.atomic
def duplicate(*, replenishment_id: int, actor: Person | None) -> Replenishment:
    """A new Incomplete replenishment of the same goods from the same supplier.

    What belongs to one delivery is not taken over: expected date, carrier, tracking, lots and serials.
    """
    found = Replenishment.objects.get(pk=replenishment_id)
    rows = ReplenishmentLine.objects.filter(replenishment=found).order_by("position")
    return create_replenishment(
        link_id=found.link_id,
        lines=[LineInput(row.sku_id, row.quantity, unit_cost=row.unit_cost) for row in rows],
        actor=actor,
        is_empty_ok=True,
        copied_from=found.number,
        supplier=found.supplier,
        reference=found.reference,
        notes=found.notes,
    )


def audit_fields() -> dict[str, Any]:
    """What the fields of a replenishment are called in the audit log."""
    fields: dict[str, Any] = {name: Replenishment._meta.get_field(name) for name in (*ORDERED[1:], *TRANSPORT)}
    words = {name: field.verbose_name for name, field in fields.items()}
    more = {"lots": _("lots"), "copied from": _("copied from"), "changed lines": _("changed lines")}
    return {**words, **more, "link": _("Warehouse")}


def _said(value: Any) -> str | None:
    if isinstance(value, WarehouseLink):
        return str(value.warehouse.name)
    return str(value) if value else None
