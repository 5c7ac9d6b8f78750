"""What has happened in the demo accounts: a few weeks of a small merchant, told through the services of the product.

Acme keeps its goods in two warehouses. Harbour Depot, run by warehouse members, holds what the story tells. Westport
DC, shared with Birch, is run by the sandbox and is where a new replenishment goes.
"""

import csv
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.utils import timezone

from oms import demo
from oms.models import Account, Bin, BinKind, OrderLine, Person, Sku, Warehouse, WarehouseLink, Workflow
from oms.services import catalogue, orders, stock
from replenishment.models import PlannedSerial, Replenishment
from replenishment.receiving import IncomingLine, IncomingReceipt, IncomingUnit
from replenishment.services import drafts, planning, receiving, submitting
from serials.lifecycle import Actor, Status
from serials.models import Unit
from serials.services import Row, attributes, units
from serials.services.units import By

SERIALS = (
    ("Laptop", Workflow.IN_OUT),
    ("Tablet", Workflow.IN_OUT),
    ("Camera", Workflow.OUT),
    ("Gaming PC", Workflow.OUT),
    ("Hard Drive", Workflow.OUT_BULK),
)
BINS = (
    ("Zone A", "A-01-1", BinKind.PICK),
    ("Zone A", "A-01-2", BinKind.PICK),
    ("Zone A", "A-01-3", BinKind.PICK),
    ("Zone B", "B-02-1", BinKind.PICK),
    ("Zone B", "B-02-2", BinKind.PICK),
    ("Quarantine", "Q-01", BinKind.RESERVED),
    ("Quarantine", "D-01", BinKind.DAMAGED),
)
ON_THE_WAY = 4
"""So many days pass between submitting a replenishment and its goods."""
BIRCH_SKUS = (
    ("BIR-LAMP-OAK", "Desk lamp, oak", Workflow.NO),
    ("BIR-LAMP-ASH", "Desk lamp, ash", Workflow.NO),
    ("BIR-CLOCK-01", "Wall clock with radio", Workflow.IN_OUT),
    ("BIR-SPEAKER-2", "Bookshelf speaker, pair", Workflow.OUT),
)


def tell(account: Account, shared: Warehouse, cast: dict[str, Person]) -> None:
    """Tell the story of one account; it is the current one and empty."""
    if account.slug == "acme":
        _acme(shared, cast)
    else:
        _birch(shared, cast)


def _acme(shared: Warehouse, cast: dict[str, Person]) -> None:
    _place(shared)
    harbour, bins = _place(Warehouse.objects.create(name="Harbour Depot"))
    skus = {sku.code: sku for sku in _skus(_catalogue(), cast["ana"])}
    story = _Story(harbour, bins, cast["olga"], cast["wes"])
    others = [sku for sku in skus.values() if sku.workflow != Workflow.IN_OUT]
    story.receive_all("Opening stock", [(sku, 12 + number * 7 % 40) for number, sku in enumerate(others)], days=40)
    laptops = [skus[code] for code in ("L2201308", "L2201508", "L2201316")]
    story.receive_all("Nordlicht GmbH", [(sku, 60) for sku in laptops], days=30)
    story.receive_part("Tablet Works", skus["TBL200032"], 40, missing=12, days=6)
    story.receive_a_wrong_one("Tablet Works", skus["TBL200128"], 15, days=3)
    story.submit("Nordlicht GmbH", [(skus["L2201516"], 45)], days=1)
    story.plan("Cam & Co", [(skus["L2201308"], 20), (skus["IC22MWDD"], 10)], days=0)
    _sell(story, laptops[0], skus["IC22MWDD"])
    _handle(story, laptops[1])


def _birch(shared: Warehouse, cast: dict[str, Person]) -> None:
    link, bins = _place(shared)
    skus = _skus(BIRCH_SKUS, cast["cid"])
    story = _Story(link, bins, cast["cid"], cast["wes"])
    story.receive_all("Lampenladen", [(skus[0], 40), (skus[1], 25), (skus[3], 16)], days=20)
    story.receive_all("Tick Tock Ltd", [(skus[2], 30)], days=8)


# --- places and goods -------------------------------------------------------------------------------------------------
def _place(warehouse: Warehouse) -> tuple[WarehouseLink, list[Bin]]:
    link = stock.link_warehouse(warehouse=warehouse)
    return link, [stock.add_bin(link=link, location=zone, name=name, kind=kind) for zone, name, kind in BINS]


def _skus(rows: Sequence[tuple[str, str, Workflow]], actor: Person) -> list[Sku]:
    return [
        catalogue.create_sku(
            actor=actor,
            code=code,
            name=name,
            workflow=workflow.value,
            product_id=str(88_300 + number),
            product_id_wh=f"W-{40_000 + number * 3}" if number % 3 == 0 else "",
        )
        for number, (code, name, workflow) in enumerate(rows)
    ]


def _catalogue() -> list[tuple[str, str, Workflow]]:
    """The sample shop's SKUs; the file repeats one, as real files do, and the first wins."""
    found: dict[str, tuple[str, str, Workflow]] = {}
    with demo.CATALOGUE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            workflow = next((workflow for word, workflow in SERIALS if word in row["name"]), Workflow.NO)
            found.setdefault(row["sku"].upper(), (row["sku"], row["name"], workflow))
    return list(found.values())


# --- what happens -----------------------------------------------------------------------------------------------------
class _Story:
    """One warehouse of one account, who plans and who works there."""

    def __init__(self, link: WarehouseLink, bins: list[Bin], planner: Person, worker: Person) -> None:
        self.link, self.planner, self.worker = link, planner, worker
        self.picks = [place for place in bins if place.kind == BinKind.PICK]
        self.held = next(place for place in bins if place.kind == BinKind.RESERVED)
        self.damaged = next(place for place in bins if place.kind == BinKind.DAMAGED)

    def by(self, reason: str = "", days: float = 0) -> By:
        """The warehouse member, some days ago."""
        return By(Actor.WAREHOUSE, self.worker.pk, occurred_at=_ago(days), reason=reason)

    def plan(self, supplier: str, goods: Sequence[tuple[Sku, int]], days: float) -> Replenishment:
        """An Incomplete replenishment with generated serials on its In/Out lines."""
        made = drafts.create_replenishment(
            link_id=self.link.pk,
            lines=[drafts.LineInput(sku.pk, quantity) for sku, quantity in goods],
            supplier=supplier,
            reference=f"PO-{_ago(days):%m%d}",
            actor=self.planner,
        )
        lines = made.lines.filter(sku__workflow=Workflow.IN_OUT).values_list("pk", flat=True)
        if lines:
            planning.generate_serials(replenishment_id=made.pk, line_ids=list(lines), actor=self.planner)
        return made

    def submit(self, supplier: str, goods: Sequence[tuple[Sku, int]], days: float) -> Replenishment:
        """The same, submitted so many days ago: its units are Incoming."""
        made = self.plan(supplier, goods, days)
        return submitting.submit(replenishment_id=made.pk, actor=self.planner, occurred_at=_ago(days))

    def receive_all(self, supplier: str, goods: Sequence[tuple[Sku, int]], days: float) -> None:
        """The same, received to the last piece."""
        made = self.submit(supplier, goods, days + ON_THE_WAY)
        self._receive(made, [self._line(made, sku, quantity) for sku, quantity in goods], days)

    def receive_part(self, supplier: str, sku: Sku, quantity: int, missing: int, days: float) -> None:
        """Some pieces have not come yet."""
        made = self.submit(supplier, [(sku, quantity)], days + ON_THE_WAY)
        line = self._line(made, sku, quantity)
        self._receive(made, [replace(line, quantity=quantity - missing, units=line.units[missing:])], days)

    def receive_a_wrong_one(self, supplier: str, sku: Sku, quantity: int, days: float) -> None:
        """The supplier packed a unit that was not planned."""
        made = self.submit(supplier, [(sku, quantity)], days + ON_THE_WAY)
        line = self._line(made, sku, quantity)
        stranger = IncomingUnit("TBX-9904417", self.picks[0].name)
        self._receive(made, [replace(line, units=(*line.units[:-1], stranger))], days)

    def _line(self, made: Replenishment, sku: Sku, quantity: int) -> IncomingLine:
        planned = PlannedSerial.objects.filter(line__replenishment=made, sku=sku).order_by("pk")
        serials = planned.values_list("serial", flat=True)
        places = [self.picks[number * len(self.picks) // max(quantity, 1)].name for number in range(quantity)]
        return IncomingLine(
            position=None,
            sku_code=sku.code,
            quantity=quantity,
            units=tuple(IncomingUnit(serial, name) for serial, name in zip(serials, places, strict=False)),
            bin_name=self.picks[sku.pk % len(self.picks)].name,
        )

    def _receive(self, made: Replenishment, lines: Sequence[IncomingLine], days: float) -> None:
        receipt = IncomingReceipt(
            external_id=f"{made.number}-1", replenishment_number=made.number, occurred_at=_ago(days), lines=tuple(lines)
        )
        receiving.apply_receipt(receipt, source=f"demo:{made.number}", actor=self.worker)


def _ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def _ready(sku: Sku, count: int) -> list[int]:
    rows = Unit.objects.filter(sku=sku, status=Status.READY).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:count])


def _order(number: str, sku: Sku, quantity: int) -> OrderLine:
    order = orders.add_order(number=number, lines=[orders.LineInput(sku.pk, quantity)], reference=f"WEB-{number}")
    return order.lines.select_related("order").get()


def _sell(story: _Story, laptop: Sku, camera: Sku) -> None:
    """An order that shipped, one that is reserved, two units that came back, cameras with serials on the way out."""
    shipped = _order("100231", laptop, 14)
    sold = _ready(laptop, 14)
    units.ship_units(rows=[Row(unit_id=pk) for pk in sold], line=shipped, by=story.by(days=12), process_id="S-5001")
    back = story.by("Box unopened", days=4)
    units.return_units(
        rows=[Row(unit_id=sold[0], bin_id=story.picks[0].pk)], by=back, process_id="RMA-31", order_no="100231"
    )
    held = story.by("Seal broken, to be checked", days=4)
    units.return_units(
        rows=[Row(unit_id=sold[1], bin_id=story.held.pk)], by=held, process_id="RMA-32", order_no="100231"
    )
    waiting = _order("100260", laptop, 6)
    promised = _ready(laptop, 6)
    units.reserve_units(unit_ids=promised, line=waiting, by=By(Actor.OFFICE, story.planner.pk))
    cameras = _order("100262", camera, 3)
    own = [
        Row(sku_id=camera.pk, serial=f"IC22-{7100 + number}", bin_id=_bin_of(camera), is_new_allowed=True)
        for number in range(3)
    ]
    units.ship_units(rows=own, line=cameras, by=story.by(days=2), process_id="S-5002")


def _bin_of(sku: Sku) -> int:
    return sku.stock.filter(quantity__gt=0).values_list("bin_id", flat=True)[0]


def _handle(story: _Story, laptop: Sku) -> None:
    """What a warehouse does all day: hold, find damage, move, count, write notes."""
    ids = _ready(laptop, 40)
    units.move_units(unit_ids=ids[:5], to=story.held, by=story.by("Recall check 11-B", days=9), process_id="M-210")
    units.move_units(unit_ids=ids[5:9], to=story.damaged, by=story.by("Forklift", days=7), process_id="M-214")
    units.move_units(unit_ids=ids[9:20], to=story.picks[3], by=story.by(days=5), process_id="M-219")
    units.count_missing(unit_ids=ids[20:22], by=story.by("Not on the shelf", days=3), process_id="RC-12")
    units.count_found(
        unit_ids=ids[21:22], at=story.picks[1], by=story.by("Behind the rack", days=2), process_id="RC-13"
    )
    units.annotate_units(
        rows=[Row(unit_id=pk, wms_notes="Dented corner, photo in the WMS") for pk in ids[5:9]], by=story.by(days=7)
    )
    units.annotate_units(
        rows=[Row(unit_id=pk, oms_notes="Keep for the Nordlicht claim") for pk in ids[:3]],
        by=By(Actor.OFFICE, story.planner.pk, occurred_at=_ago(6)),
    )
    by = attributes.by_person(None)
    attributes.set_attribute(units=ids[:9], name="Firmware", value="4.2.1", overwrite=True, by=by)
    attributes.set_attribute(units=ids[:5], name="Warranty until", value="2028-11-30", overwrite=True, by=by)
