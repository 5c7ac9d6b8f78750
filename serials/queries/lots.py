"""Reads of lots. Whatever looks for a lot by its number does it here."""

from collections.abc import Collection, Iterable

from django.db.models import Exists, OuterRef, Q, QuerySet

from oms import identity
from serials.models import Lot, PrintedLabel, Unit

LotName = tuple[int, str]
"""A SKU's id, and the number of a lot as it was typed or sent."""


class NamedLots:
    """Lots by the names that they answer to: the lot of just this number, else the one in another spelling."""

    def __init__(self, rows: Iterable[Lot] = ()) -> None:
        found = list(rows)
        self._by_text = {(lot.sku_id, lot.number): lot for lot in found}
        self._by_key = {(lot.sku_id, lot.number_key): lot for lot in found}

    def find(self, sku_id: int, number: str) -> Lot | None:
        """The lot of a SKU that answers to this number, None where there is none."""
        plain = identity.storable(number.strip())
        return self._by_text.get((sku_id, plain)) or self._by_key.get((sku_id, identity.key(plain)))


def lots_named(names: Collection[LotName]) -> QuerySet[Lot]:
    """Lots of these SKUs that have one of these numbers, in any spelling; NamedLots tells which answers to which."""
    skus, texts = {sku_id for sku_id, _number in names}, {identity.storable(number.strip()) for _sku, number in names}
    is_named = Q(number_key__in={identity.key(text) for text in texts}) | Q(number__in=texts)
    return Lot.objects.filter(is_named, sku__in=skus).order_by("pk")


def find_lot(sku_id: int, number: str) -> Lot | None:
    """The lot of a SKU by its number, None where there is none."""
    return NamedLots(lots_named([(sku_id, number)])).find(sku_id, number)


def printed_count(lot: Lot) -> int:
    """How many labels of the units of a lot were printed."""
    units = Unit.objects.filter(lot=lot, sku=OuterRef("sku_id"), serial_key=OuterRef("serial_key"))
    return PrintedLabel.objects.filter(Exists(units), sku_id=lot.sku_id).count()
