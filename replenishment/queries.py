"""Reads of replenishments."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from oms.errors import Blocker
from oms.models import AuditEntry, Bin, Discrepancy, WarehouseLink, Workflow
from oms.queries.discrepancies import with_state
from replenishment.lateness import late
from replenishment.lifecycle import OPEN, Status
from replenishment.models import (
    NOT_EXPECTED,
    OF_RECEIPT,
    Fate,
    Outcome,
    PlannedSerial,
    PlannedState,
    Receipt,
    ReceiptLine,
    ReceivedSerial,
    Replenishment,
    ReplenishmentLine,
    ReplenishmentLot,
)
from serials.lifecycle import ProcessType
from serials.models import Unit, UnitEvent

LIVE = (PlannedState.PLANNED, PlannedState.RELEASED)
BATCH = 2_000


def replenishment_rows() -> QuerySet[Replenishment]:
    """Every replenishment of the account with its warehouse and whether it `is_late`, read through the search view."""
    return Replenishment.objects.through_view().select_related("link__warehouse").annotate(is_late=late())


def documents() -> QuerySet[Replenishment]:
    """Replenishments for their own page."""
    return Replenishment.objects.select_related("link__warehouse", "created_by", "submitted_by")


@dataclass(frozen=True)
class LineView:
    """One line as its page shows it.

    `planned` counts its serials, `unexpected` those that arrived and were not applied, whether they were settled since
    or not; `waiting` is how many open discrepancies it has.
    """

    line: ReplenishmentLine
    planned: int
    is_draft: bool
    lots: list[ReplenishmentLot] = field(default_factory=list)
    unexpected: int = 0
    waiting: int = 0

    @property
    def is_in_out(self) -> bool:
        """Serials may be planned for it."""
        return bool(self.line.sku.workflow == Workflow.IN_OUT)

    @property
    def excess(self) -> int:
        """How many serials too many it has."""
        return max(0, self.planned - self.line.quantity)

    @property
    def lacking(self) -> int:
        """How many serials it lacks, where it has any: a line has none or exactly its quantity."""
        return max(0, self.line.quantity - self.planned) if self.planned else 0

    @property
    def unassigned(self) -> int:
        """How many units have no lot, where some have; negative where the lots have more than the line."""
        return self.line.quantity - sum(lot.quantity for lot in self.lots) if self.lots else 0

    @property
    def lot_excess(self) -> int:
        """How many units its lots have too many."""
        return max(0, -self.unassigned)

    @property
    def unit_cost(self) -> str:
        """What one unit costs, in words; empty where nobody said."""
        return "" if self.line.unit_cost is None else amount(self.line.unit_cost)

    @property
    def cost(self) -> Decimal | None:
        """What all its units cost."""
        return None if self.line.unit_cost is None else self.line.unit_cost * self.line.quantity

    @property
    def missing(self) -> int:
        """How many pieces have not been received."""
        return max(0, self.line.quantity - self.line.received_quantity)

    @property
    def too_many(self) -> int:
        """How many more pieces than expected have been received."""
        return max(0, self.line.received_quantity - self.line.quantity)


def decimals(value: Decimal) -> int:
    """How many decimals an amount is shown with: two, or as many more as it has."""
    exponent = value.normalize().as_tuple().exponent
    return max(2, -exponent) if isinstance(exponent, int) else 2


def amount(value: Decimal) -> str:
    """An amount in the person's format."""
    return str(number_format(value, decimals(value), use_l10n=True, force_grouping=True))


def lines_of(replenishment: Replenishment) -> list[LineView]:
    """The lines in order, each with its SKU and what there is to count of it; as many queries for all of them."""
    counts = dict(
        PlannedSerial.objects.filter(line__replenishment=replenishment, state__in=LIVE)
        .order_by()
        .values_list("line_id")
        .annotate(Count("pk"))
    )
    lines = ReplenishmentLine.objects.filter(replenishment=replenishment).select_related("sku").order_by("position")
    lots = lots_of(replenishment)
    if replenishment.status == Status.INCOMPLETE:
        return [LineView(line, counts.get(line.pk, 0), is_draft=True, lots=lots.get(line.pk, [])) for line in lines]
    unexpected = dict(
        ReceivedSerial.objects.filter(
            receipt_line__receipt__replenishment=replenishment,
            receipt_line__receipt__undone_at=None,
            outcome__in=NOT_EXPECTED,
        )
        .order_by()
        .values_list("receipt_line__line")
        .annotate(Count("pk"))
    )
    waiting = _waiting_by_line(replenishment, list(lines))
    return [
        LineView(
            line,
            counts.get(line.pk, 0),
            is_draft=False,
            lots=lots.get(line.pk, []),
            unexpected=unexpected.get(line.pk, 0),
            waiting=waiting[line.pk],
        )
        for line in lines
    ]


@dataclass(frozen=True)
class Arrived:
    """How many pieces were received, and how many of them are more than their line expects, whatever others lack."""

    all: int
    surplus: int

    @property
    def expected(self) -> int:
        """Those that were expected."""
        return self.all - self.surplus


def arrived(replenishment: Replenishment) -> Arrived:
    """What came of a replenishment; one query."""
    over = ReplenishmentLine.objects.filter(replenishment=replenishment, received_quantity__gt=F("quantity"))
    surplus = over.aggregate(over=Sum(F("received_quantity") - F("quantity"), default=0))["over"]
    return Arrived(replenishment.received_quantity, surplus)


def _waiting_by_line(replenishment: Replenishment, lines: list[ReplenishmentLine]) -> Counter[int]:
    """Line → its open discrepancies; one that names only the SKU counts for that SKU's first line."""
    by_place = {(line.sku_id, line.position): line.pk for line in lines}
    first = {line.sku_id: line.pk for line in reversed(lines)}
    found: Counter[int] = Counter()
    rows = (
        open_discrepancies(replenishment)
        .exclude(sku=None)
        .order_by()
        .values_list("sku_id", "raw__position")
        .annotate(Count("pk"))
    )
    for sku_id, position, count in rows:
        pk = by_place.get((sku_id, position), first.get(sku_id))
        if pk is not None:
            found[pk] += count
    return found


def lots_of(replenishment: Replenishment) -> dict[int, list[ReplenishmentLot]]:
    """Line id → its lots in order, for the lines that have any; one query."""
    found = defaultdict[int, list[ReplenishmentLot]](list)
    for lot in ReplenishmentLot.objects.filter(line__replenishment=replenishment).order_by("pk"):
        found[lot.line_id].append(lot)
    return found


def planned_of(replenishment: Replenishment, sku_id: int | None = None) -> QuerySet[PlannedSerial]:
    """The serials of a replenishment, or of one of its SKUs, in the order of lines and planning: for files and labels.

    Not those whose units are void: nobody expects them any more, and a label would put one of them on goods again.
    """
    rows = PlannedSerial.objects.filter(line__replenishment=replenishment, state=PlannedState.PLANNED)
    rows = rows.select_related("sku")
    if sku_id is not None:
        rows = rows.filter(sku=sku_id)
    return rows.order_by("line__position", "pk")


@dataclass(frozen=True)
class PlannedSku:
    """One SKU of a replenishment that has serials, and how many."""

    pk: int
    code: str
    name: str
    count: int


def planned_skus(replenishment: Replenishment) -> list[PlannedSku]:
    """The SKUs of a replenishment that have serials, in the order of its lines; one query for the counts."""
    rows = (
        PlannedSerial.objects.filter(line__replenishment=replenishment, state=PlannedState.PLANNED)
        .order_by("sku__code")
        .values_list("sku_id", "sku__code", "sku__name")
        .annotate(Count("pk"))
    )
    return [PlannedSku(*row) for row in rows]


def planned_count(replenishment: Replenishment) -> int:
    """How many serials are planned on a replenishment."""
    return PlannedSerial.objects.filter(line__replenishment=replenishment, state__in=LIVE).count()


def receipts_of(replenishment: Replenishment) -> QuerySet[Receipt]:
    """The receipts of a replenishment, newest first."""
    rows = Receipt.objects.filter(replenishment=replenishment).select_related("actor").defer("raw")
    return rows.order_by("-pk")


def receipt_lines(receipt: Receipt) -> QuerySet[ReceiptLine]:
    """The lines of a receipt with their lots and the number of their serials, by what they meant."""
    waiting = Q(serials__outcome__in=NOT_EXPECTED)
    return (
        ReceiptLine.objects.filter(receipt=receipt)
        .select_related("sku", "line", "bin")
        .prefetch_related("lots")
        .annotate(serial_count=Count("serials"), waiting_count=Count("serials", filter=waiting))
        .order_by("position")
    )


def received_serials(receipt: Receipt) -> QuerySet[ReceivedSerial]:
    """The serials of a receipt, those that wait for somebody first."""
    return (
        ReceivedSerial.objects.filter(receipt_line__receipt=receipt)
        .select_related("receipt_line__bin", "bin", "lot")
        .order_by("receipt_line__position", "pk")
    )


def cases_of(receipt: Receipt) -> QuerySet[Discrepancy]:
    """The discrepancies that a receipt left, open ones first."""
    own = Discrepancy.objects.filter(subject_kind=OF_RECEIPT, subject_id=receipt.pk)
    return with_state(own).order_by("-is_open", "pk")


def received_file(receipt: Receipt) -> Iterator[tuple[str, str, str, str]]:
    """(SKU, serial, bin, what it meant) of each serial of a receipt, read in batches."""
    rows = received_serials(receipt).values_list(
        "receipt_line__sku_code", "serial", Coalesce("bin__name", "receipt_line__bin__name"), "outcome"
    )
    for sku, serial, name, outcome in rows.iterator(chunk_size=BATCH):
        yield sku, serial, name or "", str(Outcome(outcome).label)


def bin_names(link_id: int, limit: int = 300) -> list[str]:
    """The names of a warehouse's bins, for suggestions."""
    return list(Bin.objects.filter(link=link_id).order_by("name").values_list("name", flat=True)[:limit])


# One look at the unit tells it: a filter by it is asked for every planned serial.
_FATE = Case(
    When(is_void=True, then=Value(Fate.VOID)),
    When(status="incoming", then=Value(Fate.MISSING)),
    default=Value(Fate.RECEIVED),
)


def expected_rows() -> QuerySet[PlannedSerial]:
    """Every planned serial of what was submitted, with what became of it; read through the search view.

    `unit_id`, `unit_status` and `state_now` are those of its unit; `event_source` is the fact that received it, if one
    did and was not undone, and `receipt_id` its receipt.
    """
    unit = Unit.objects.filter(sku=OuterRef("sku"), serial_key=OuterRef("serial_key"))
    undone = Receipt.objects.filter(source=OuterRef("source"), undone_at__isnull=False)
    event = UnitEvent.objects.filter(
        ~Exists(undone), unit=OuterRef("unit_id"), event="receive", process_id=OuterRef("number")
    )
    receipt = Receipt.objects.filter(source=OuterRef("event_source"))
    return (
        PlannedSerial.objects.through_view()
        .filter(state__in=LIVE)
        .exclude(line__replenishment__status__in=[Status.INCOMPLETE])
        .select_related("sku", "line__replenishment")
        .annotate(
            number=F("line__replenishment__number"),
            unit_id=Subquery(unit.values("pk")[:1]),
            unit_status=Subquery(unit.values("status")[:1]),
            is_void=Subquery(unit.values("is_void")[:1]),
        )
        .annotate(
            event_source=Subquery(event.order_by("-pk").values("source")[:1]),
            received_at=Subquery(event.order_by("-pk").values("occurred_at")[:1]),
            state_now=Coalesce(Subquery(unit.values(fate=_FATE)[:1]), Value(Fate.VOID)),
        )
        .annotate(
            receipt_id=Subquery(receipt.values("pk")[:1]), receipt_name=Subquery(receipt.values("external_id")[:1])
        )
    )


def open_discrepancies(replenishment: Replenishment) -> QuerySet[Discrepancy]:
    """What waits for somebody on this replenishment, oldest first."""
    return Discrepancy.objects.filter(
        process_type=ProcessType.REPLENISHMENT, process_id=replenishment.number, is_open=True
    ).order_by("pk")


def history(replenishment: Replenishment, limit: int = 20) -> QuerySet[AuditEntry]:
    """The last changes of a replenishment, newest first."""
    rows = AuditEntry.objects.filter(kind="replenishment", object_id=replenishment.pk).select_related("actor")
    return rows.order_by("-pk")[:limit]


def warehouse_links() -> QuerySet[WarehouseLink]:
    """The account's warehouses, by name."""
    return WarehouseLink.objects.select_related("warehouse").order_by("warehouse__name")


def workflow_blockers(sku_ids: Collection[int]) -> dict[int, list[Blocker]]:
    """SKU id → replenishments under way that stand in the way of another Serial attribute; one query."""
    found: dict[int, list[Blocker]] = defaultdict(list)
    rows = (
        ReplenishmentLine.objects.filter(sku__in=sku_ids, replenishment__status__in=OPEN)
        .values("sku_id", "replenishment_id", number=F("replenishment__number"), status=F("replenishment__status"))
        .distinct()
        .order_by("sku_id", "replenishment_id")
    )
    for row in rows:
        found[row["sku_id"]].append(
            Blocker(
                text=_("Replenishment %(number)s is %(status)s")
                % {"number": row["number"], "status": Status(row["status"]).label},
                how=_("Have the warehouse receive all of it, close it short, or cancel it."),
                link_label=_("Open it"),
                route="replenishment",
                kwargs={"pk": row["replenishment_id"]},
            )
        )
    return dict(found)
