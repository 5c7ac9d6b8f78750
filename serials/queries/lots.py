"""Reads of lots. Whatever looks for a lot by its number does it here."""

from collections.abc import Collection

from django.db.models import Exists, OuterRef, QuerySet

from serials.models import Lot, PrintedLabel, Unit

LotName = tuple[int, str]
"""A SKU's id, and the number of a lot as it was typed or sent."""


def lots_named(names: Collection[LotName]) -> QuerySet[Lot]:
    """Lots of these SKUs that have one of these numbers; `key_of` tells which name each answers to."""
    skus, numbers = {sku_id for sku_id, _number in names}, {number.strip() for _sku_id, number in names}
    return Lot.objects.filter(sku__in=skus, number__in=numbers).order_by("pk")


def find_lot(sku_id: int, number: str) -> Lot | None:
    """The lot of a SKU by its number, None where there is none."""
    found: Lot | None = lots_named([(sku_id, number)]).first()
    return found


def printed_count(lot: Lot) -> int:
    """How many labels of the units of a lot were printed."""
    units = Unit.objects.filter(lot=lot, sku=OuterRef("sku_id"), serial_key=OuterRef("serial_key"))
    return PrintedLabel.objects.filter(Exists(units), sku_id=lot.sku_id).count()
