"""OMS Notes of a unit: what the office says of it. WMS Notes are the warehouse's."""

import hashlib

from django.db import transaction
from django.utils.translation import gettext as _

from oms.errors import Conflict
from serials.models import Unit
from serials.services.ledger import Row
from serials.services.units import By, annotate_units


def fingerprint(notes: str) -> str:
    """A short text that changes with the notes: what somebody saw when they began to edit."""
    return hashlib.sha256(notes.encode()).hexdigest()[:16]


@transaction.atomic
def set_oms_notes(*, unit_id: int, notes: str, seen: str, by: By) -> bool:
    """Change the OMS Notes of a unit, with a row in its history; whether they changed.

    `seen` is the fingerprint of the notes that the person saw. Raises Conflict where somebody changed them since,
    DomainError for a text that is too long.
    """
    unit = Unit.objects.select_for_update(of=("self",)).get(pk=unit_id)
    notes = notes.replace("\r\n", "\n").strip()
    if notes == unit.oms_notes:
        return False
    if fingerprint(unit.oms_notes) != seen:
        raise Conflict(_("Somebody changed this note meanwhile."))
    annotate_units(rows=[Row(unit_id=unit_id, oms_notes=notes)], by=by)
    return True
