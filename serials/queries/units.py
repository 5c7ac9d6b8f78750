"""Reads of units."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, F, QuerySet, Window
from django.db.models.expressions import Value
from django.db.models.functions import Coalesce, NullIf, RowNumber
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _, ngettext

from oms import identity
from oms.errors import Blocker, DomainError
from oms.queries.orders import LineUnit, LineUnits
from oms.queries.scans import Candidate, Kind
from oms.tenancy import current_account_id
from serials.labels import Label, LabelRun
from serials.lifecycle import IN_WAREHOUSE, LOOKS, Status
from serials.models import Unit, UnitAttribute, UnitEvent

SHOWN = (
    "pk", "sku_id", "sku__code", "sku__product_id", "sku__product_id_wh", "bin__name", "bin__location__name",
    "serial", "serial_key", "status", "is_void", "wms_notes", "oms_notes", "process_type", "process_id", "order_no",
    "updated_at",
)  # fmt: skip
"""What a row of the grid shows or is sorted by, of the unit and of its SKU, bin and location."""
HISTORY_PAGE = 50
PER_LINE = 20
"""How many units of an order line are named; the others are counted."""
BATCH = 2_000
# OFFSET 0 is a fence, as in `find_many.FIND`.
SCANNED = """
SELECT k.key, u.id, u.sku_id, u.serial, u.is_void FROM unnest(%(keys)s::text[]) AS k (key)
CROSS JOIN LATERAL (
    SELECT id, sku_id, serial, is_void FROM serials_unit WHERE account_id = %(account)s AND serial_key = k.key OFFSET 0
) AS u
"""


def unit_rows() -> QuerySet[Unit]:
    """Every unit of the account, read through the search view. Act on rows by their ids."""
    return Unit.objects.through_view()


def with_prod_id(rows: QuerySet[Unit]) -> QuerySet[Unit]:
    """The rows with `prod_id`, what ProdID shows, to sort by; it joins the SKUs, which no other sort or count needs."""
    return rows.annotate(prod_id=Coalesce(NullIf(F("sku__product_id_wh"), Value("")), F("sku__product_id")))


def units_with_places() -> QuerySet[Unit]:
    """Units for their own pages, with all that they refer to."""
    return Unit.objects.select_related("sku", "lot", "bin__location", "bin__link__warehouse")


@dataclass(frozen=True)
class HistoryPage:
    """Some rows of a unit's history, newest first; `number` counts pages from 1."""

    rows: list[UnitEvent]
    number: int
    total: int

    @property
    def first(self) -> int:
        """The place of the first row among all."""
        return (self.number - 1) * HISTORY_PAGE + 1

    @property
    def last(self) -> int:
        """The place of the last row."""
        return self.first + len(self.rows) - 1

    @property
    def newer(self) -> int:
        """The number of the page before, 0 if none."""
        return self.number - 1

    @property
    def older(self) -> int:
        """The number of the page after, 0 if none."""
        return self.number + 1 if self.last < self.total else 0


def unit_history(unit_id: int, page: int = 1) -> HistoryPage:
    """One page of a unit's history; a page beyond the end is the last one. Two queries."""
    rows = UnitEvent.objects.filter(unit_id=unit_id)
    total = rows.count()
    number = min(max(1, page), max(1, -(-total // HISTORY_PAGE)))
    start = (number - 1) * HISTORY_PAGE
    found = rows.select_related("actor").order_by("-pk")[start : start + HISTORY_PAGE]
    return HistoryPage(list(found), number, total)


def unit_metadata(unit_id: int) -> list[UnitAttribute]:
    """A unit's attributes by name."""
    return list(UnitAttribute.objects.filter(unit_id=unit_id).order_by("name"))


# --- for other apps ---------------------------------------------------------------------------------------------------
def units_scanned(names: Collection[str]) -> dict[str, list[Candidate]]:
    """The resolver of serials: name → the units that have it, void ones too, the first of them; one query."""
    keys: dict[str, list[str]] = defaultdict(list)
    for name in names:
        keys[identity.sought(name)].append(name)
    found: dict[str, list[Candidate]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(SCANNED, {"account": current_account_id(), "keys": list(keys)})
        for key, pk, sku_id, serial, is_void in cursor.fetchall():
            for name in keys[key]:
                found[name].append(Candidate(Kind.SERIAL, pk, sku_id, serial, "serial", is_void))
    return found


def workflow_blockers(sku_ids: Collection[int]) -> dict[int, list[Blocker]]:
    """SKU id → units that stand in the way of another Serial attribute: Incoming, not void, or in the warehouse."""
    found: dict[int, list[Blocker]] = defaultdict(list)
    blocking = [Status.INCOMING, *IN_WAREHOUSE]
    counts = (
        Unit.objects.filter(sku__in=sku_ids, is_void=False, status__in=blocking)
        .order_by("sku_id", "status")
        .values_list("sku_id", "sku__code", "status")
        .annotate(Count("pk"))
    )
    for sku_id, code, status, count in counts:
        found[sku_id].append(
            Blocker(
                text=ngettext("%(count)s unit is %(status)s", "%(count)s units are %(status)s", count)
                % {"count": count, "status": Status(status).label},
                how=_("Receive it, or cancel or close short its replenishment.")
                if status == Status.INCOMING
                else _("Ship it, or have the warehouse count it as missing."),
                link_label=_("Show the units"),
                route="serials",
                query={"sku": code, "status": status},
            )
        )
    return dict(found)


def units_of_lines(line_ids: Collection[int]) -> dict[int, LineUnits]:
    """Order line id → the units that are reserved for it or were shipped on it; one query."""
    own = Unit.objects.filter(order_line__in=line_ids)
    of_line = [F("order_line_id")]
    ranked = own.annotate(
        place=Window(RowNumber(), partition_by=of_line, order_by=[F("serial_key"), F("pk")]),
        total=Window(Count("pk"), partition_by=of_line),
    ).filter(place__lte=PER_LINE)
    found: dict[int, list[LineUnit]] = defaultdict(list)
    totals: dict[int, int] = {}
    for unit in ranked.order_by("order_line_id", "place"):
        line_id = unit.order_line_id or 0
        status = Status(unit.status)
        found[line_id].append(LineUnit(unit.pk, unit.serial, str(status.label), *LOOKS[status]))
        totals[line_id] = unit.total
    return {line_id: LineUnits(units, totals[line_id]) for line_id, units in found.items()}


def unit_labels(args: Mapping[str, Any]) -> LabelRun:
    """The label source "units": `args["pks"]` are the ids of units."""
    return labels_of(Unit.objects.filter(pk__in=args["pks"]))


def _labels(batch: Sequence[Unit]) -> Iterator[Label]:
    """What the labels of some units say; an expected one is of the lot that is ordered, until it comes with its own."""
    awaited = {(unit.sku_id, unit.serial_key) for unit in batch if unit.lot is None and unit.status == Status.INCOMING}
    lots = import_string(settings.EXPECTED_LOTS)(awaited) if awaited else {}
    for unit in batch:
        expected = lots.get((unit.sku_id, unit.serial_key), ("", None))
        number, expires_on = (unit.lot.number, unit.lot.expires_on) if unit.lot else expected
        yield Label(unit.sku.code, unit.sku.name, unit.serial, unit.sku.gtin, number, expires_on, unit.sku_id)


def labels_of(rows: QuerySet[Unit]) -> LabelRun:
    """The labels of units, by SKU and serial. Raises DomainError where there are none."""
    count = rows.order_by().count()
    if not count:
        raise DomainError(_("There is nothing to print a label for."))

    def labels() -> Iterator[Label]:
        own = rows.order_by("sku__code", "serial_key", "pk").select_related("sku", "lot").iterator(chunk_size=BATCH)
        while batch := list(islice(own, BATCH)):
            yield from _labels(batch)

    title = ngettext("%(count)s label", "%(count)s labels", count) % {"count": f"{count:,}"}
    return LabelRun(title=title, file_name="lotline-labels.pdf", count=count, labels=labels, items=rows)
