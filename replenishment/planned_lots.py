"""Which lot a planned serial is of: for its files and labels, wherever they are asked for."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from django.db.models import F, OuterRef, Subquery

from replenishment.models import PlannedSerial, PlannedState, Replenishment, ReplenishmentLot
from replenishment.queries import BATCH, planned_of
from serials.lifecycle import Status
from serials.models import Unit

Dated = tuple[str, date | None]
"""Number and expiry of a lot."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A planned serial with what its file and its label say of it; the lot is empty where it is not known."""

    sku: str
    sku_name: str
    serial: str
    gtin: str
    lot: str
    expires_on: date | None
    sku_id: int


def planned_serials(replenishment: Replenishment, sku_id: int | None = None) -> Iterator[Planned]:
    """The serials of a replenishment, or of one of its SKUs, read in batches.

    A unit that arrived is of the lot that it came with, or of none; one that is expected of the lot that is ordered for
    its whole line: which unit of a line has another is not known.
    """
    ordered = lots_of_lines(replenishment)
    unit = Unit.objects.filter(sku=OuterRef("sku"), serial_key=OuterRef("serial_key"))
    rows = planned_of(replenishment, sku_id).annotate(
        status=Subquery(unit.values("status")),
        lot=Subquery(unit.values("lot__number")),
        expires_on=Subquery(unit.values("lot__expires_on")),
    )
    facts = rows.values_list(
        "sku__code", "sku__name", "serial", "sku__gtin", "sku_id", "line_id", "status", "lot", "expires_on"
    )
    for code, name, serial, gtin, own_sku_id, line_id, status, lot, day in facts.iterator(chunk_size=BATCH):
        is_expected = not lot and status in {None, Status.INCOMING}
        number, expires_on = ordered.get(line_id, ("", None)) if is_expected else (lot or "", day)
        yield Planned(code, name, serial, gtin, number, expires_on, own_sku_id)


def serial_rows(replenishment: Replenishment, sku_id: int | None = None) -> Iterator[tuple[str, str, str]]:
    """(SKU, serial, lot) of each planned serial."""
    for row in planned_serials(replenishment, sku_id):
        yield row.sku, row.serial, row.lot


def lots_of_lines(replenishment: Replenishment) -> dict[int, Dated]:
    """Line id → the lot that is ordered for all its units."""
    lots = ReplenishmentLot.objects.filter(line__replenishment=replenishment, quantity=F("line__quantity"))
    return {line_id: (number, day) for line_id, number, day in lots.values_list("line_id", "number", "expires_on")}


def expected_lots(units: Collection[tuple[int, str]]) -> dict[tuple[int, str], Dated]:
    """(SKU id, normalised serial) of expected units → the lot that is ordered for their whole line; one query."""
    rows = PlannedSerial.objects.filter(
        state=PlannedState.PLANNED,
        sku__in={sku_id for sku_id, _key in units},
        serial_key__in={key for _sku_id, key in units},
        line__lots__quantity=F("line__quantity"),
    )
    named = rows.values_list("sku_id", "serial_key", "line__lots__number", "line__lots__expires_on")
    return {(sku_id, key): (number, day) for sku_id, key, number, day in named}
