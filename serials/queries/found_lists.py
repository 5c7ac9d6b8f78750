"""Reads of what "Find many" found."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, F, Func, QuerySet
from django.utils.translation import gettext as _

from serials.models import FoundList, Unit

FOUND = "found"
REST = ("not_found", "ambiguous", "duplicate")


class _Unnest(Func):
    function = "unnest"
    output_field = BigIntegerField()
    set_returning = True


def unit_ids(key: UUID) -> QuerySet[Any]:
    """The units of a list, as a subquery for a query through the search views; empty for a list that is not there."""
    return FoundList.objects.through_view().filter(key=key).annotate(unit=_Unnest(F("unit_ids"))).values("unit")


def size(key: UUID) -> int | None:
    """How many units a list holds; None where there is no such list."""
    count = Func(F("unit_ids"), function="cardinality", output_field=BigIntegerField())
    found: int | None = FoundList.objects.filter(key=key).annotate(count=count).values_list("count", flat=True).first()
    return found


def group_file(found: FoundList, group: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """One group as a file: the header and the rows, in the order of the list."""
    if group == FOUND:
        return [_("SKU"), _("Serial"), _("Status"), _("BIN"), _("Location")], _found_rows(found)
    last = _("Line before") if group == "duplicate" else _("SKUs that have it")
    return [_("Line"), _("Serial"), _("SKU"), last], (tuple(row) for row in found.rest[group])


def _found_rows(found: FoundList) -> Iterator[tuple[Any, ...]]:
    rows = Unit.objects.filter(pk__in=found.unit_ids).select_related("sku", "bin__location")
    by_id = rows.in_bulk()
    for unit in (by_id[pk] for pk in found.unit_ids if pk in by_id):
        place = unit.bin
        yield (
            unit.sku.code,
            unit.serial,
            unit.get_status_display(),
            place.name if place else "",
            place.location.name if place else "",
        )
