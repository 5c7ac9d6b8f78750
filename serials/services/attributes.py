"""Writes of units' attributes, their METADATA."""

from collections.abc import Collection

from django.db import transaction
from django.utils.translation import gettext as _

from oms.errors import DomainError
from serials.models import Unit, UnitAttribute


@transaction.atomic
def set_attribute(*, unit_ids: Collection[int], name: str, value: str) -> int:
    """Give units one attribute, over the value that they have; how many units.

    Raises DomainError for an empty or too long name or value; ids of another account are not found.
    """
    name, value = name.strip(), value.strip()
    if not name or not value or len(name) > 100 or len(value) > 1000:
        raise DomainError(_("An attribute has a name of up to 100 characters and a value of up to 1,000."))
    found = Unit.objects.filter(pk__in=unit_ids).order_by("pk").values_list("pk", flat=True)
    rows = [UnitAttribute(unit_id=pk, name=name, value=value) for pk in found]
    UnitAttribute.objects.bulk_create(
        rows,
        batch_size=2000,
        update_conflicts=True,
        unique_fields=["account", "unit", "name"],
        update_fields=["value"],
    )
    return len(rows)
