"""Receiving, and taking back, in an account that is new: what a unit costs in a small receipt and in a large one.

Every receipt is applied in an account of its own whose tables nobody has analysed since they were empty, as in the
first hour of a merchant. The write floor is the very same rows written by SQL as the app, under row-level security, in
one transaction: units updated by their ids (or inserted), history, serials of the receipt, one movement and the stock.
All that says which rows these are is left out: nothing is matched, checked, locked in order, numbered or told.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count
from statistics import median
from typing import Any

from django.db import connection, connections
from django.utils import timezone

from bench.report import Measure, compare, percentile
from oms.memory import settle
from oms.models import Account, Bin, Location, Person, Sku, Warehouse, Workflow
from oms.services import catalogue, stock
from oms.tenancy import account_context
from replenishment.models import PlannedSerial, Receipt, ReceiptLine, ReplenishmentLine
from replenishment.receiving import ENTERED, IncomingLine, IncomingReceipt, IncomingUnit, Origin
from replenishment.services.drafts import LineInput, create_replenishment
from replenishment.services.planning import generate_serials
from replenishment.services.receiving import apply_receipt
from replenishment.services.submitting import submit
from replenishment.services.undoing import undo

OWNER = "owner"
SMALL = 10
"""The small receipt has so many times fewer units."""
FLAT_BAR, FLOOR_BAR = round(1 / 1.3, 3), 0.6
_number = count(1)

# Statistics of before: the tables were empty then, and nobody looks again.
STALE = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = current_schema()
"""
TARGET = """
CREATE TEMP TABLE target ON COMMIT DROP AS
SELECT u.id, row_number() OVER (ORDER BY u.id) AS n, u.sku_id, u.serial, u.serial_key FROM serials_unit u
WHERE u.account_id = %(account)s
"""
NEW_TARGET = """
CREATE TEMP TABLE target ON COMMIT DROP AS
SELECT nextval('serials_unit_id_seq') AS id, n, %(sku)s::bigint AS sku_id, s.serial, s.serial AS serial_key
FROM generate_series(1, %(units)s) AS n, LATERAL (SELECT 'NEW' || lpad(n::text, 8, '0') AS serial) AS s
"""
UPDATE_UNITS = """
UPDATE serials_unit u SET status = 'ready', bin_id = %(bin)s, process_type = 'replenishment', process_id = %(number)s,
    last_event = 'receive', last_source = %(source)s, updated_at = %(now)s
FROM target t WHERE u.account_id = %(account)s AND u.id = t.id
"""
INSERT_UNITS = """
INSERT INTO serials_unit (account_id, id, sku_id, serial, serial_key, status, is_void, is_planned, bin_id, wms_notes,
    oms_notes, process_type, process_id, order_no, last_event, last_source, updated_at, created_at)
SELECT %(account)s, id, sku_id, serial, serial_key, 'ready', false, false, %(bin)s, '', '', 'replenishment', %(number)s,
    '', 'receive', %(source)s, %(now)s, %(now)s FROM target ORDER BY n
"""
REST = (
    """
INSERT INTO serials_unitevent (account_id, unit_id, event, sku, prod_id, bin_name, serial, status, is_void, wms_notes,
    oms_notes, process_type, process_id, order_no, lot_number, bin_id, occurred_at, recorded_at, source, reason)
SELECT %(account)s, id, 'receive', 'BENCH', '', 'A-01-1', serial, 'ready', false, '', '', 'replenishment', %(number)s,
    '', '', %(bin)s, %(now)s, %(now)s, %(source)s, '' FROM target ORDER BY n
""",
    """
INSERT INTO replenishment_receivedserial (account_id, receipt_line_id, serial, bin_id, outcome)
SELECT %(account)s, %(line)s, serial, %(bin)s, 'matched' FROM target ORDER BY n
""",
    """
INSERT INTO oms_stockmove (account_id, sku_id, bin_id, lot_key, delta, event, process_type, process_id, reason, source,
    occurred_at, recorded_at)
SELECT %(account)s, %(sku)s, %(bin)s, 0, %(units)s, 'receive', 'replenishment', %(number)s, '', %(source)s, %(now)s,
    %(now)s
""",
    """
INSERT INTO oms_stock (account_id, sku_id, bin_id, lot_key, quantity, updated_at)
SELECT %(account)s, %(sku)s, %(bin)s, 0, %(units)s, %(now)s
""",
)


class Merchant:
    """A new account that expects `units` of one SKU, planned by number or not."""

    def __init__(self, units: int, *, is_planned: bool) -> None:
        self.units, self.is_planned, n = units, is_planned, next(_number)
        self.account = Account.objects.create(name=f"Bench {n}", slug=f"bench-{n}")
        self.person, _is_new = Person.objects.get_or_create(email="bench@example.com", defaults={"name": "Bench"})
        with account_context(self.account):
            link = stock.link_warehouse(warehouse=Warehouse.objects.create(name=f"Bench {n}"))
            place = Location.objects.get(link=link)
            self.bin = Bin.objects.create(link=link, location=place, name="A-01-1", kind="pick")
            catalogue.create_sku(actor=None, code="BENCH", name="Bench", workflow=Workflow.IN_OUT)
            self.sku = Sku.objects.get()
            lines = [LineInput(sku_id=self.sku.pk, quantity=units)]
            self.made = create_replenishment(link_id=link.pk, lines=lines, actor=None)
            line_ids = list(ReplenishmentLine.objects.values_list("pk", flat=True))
            if is_planned:
                generate_serials(replenishment_id=self.made.pk, line_ids=line_ids, actor=None)
            submit(replenishment_id=self.made.pk, actor=None)
            self.serials = list(PlannedSerial.objects.order_by("pk").values_list("serial", flat=True))
            self.serials = self.serials or [f"NEW{number:08}" for number in range(1, units + 1)]

    def receive(self) -> None:
        """All of it, as the warehouse confirms it."""
        arrived = tuple(IncomingUnit(serial, "A-01-1") for serial in self.serials)
        line = IncomingLine(1, "BENCH", self.units, arrived, bin_name="A-01-1")
        fact = IncomingReceipt("GR-1", self.made.number, timezone.now(), (line,), origin=Origin(ENTERED))
        with account_context(self.account):
            apply_receipt(fact, source="entered:bench", actor=self.person)

    def undo(self) -> None:
        """And all of it back."""
        with account_context(self.account):
            undo(receipt_id=Receipt.objects.get().pk, reason="A mistake", actor=self.person)

    def prepare_floor(self) -> dict[str, Any]:
        """The few rows that the floor writes onto: a receipt and its line; and the parameters of its statements."""
        with account_context(self.account):
            receipt = Receipt.objects.create(replenishment=self.made, source="floor", occurred_at=timezone.now())
            line = ReceiptLine.objects.create(receipt=receipt, position=1, sku_code="BENCH", quantity=self.units)
        return {
            "account": self.account.pk,
            "bin": self.bin.pk,
            "line": line.pk,
            "now": timezone.now(),
            "number": self.made.number,
            "sku": self.sku.pk,
            "source": "floor",
            "units": self.units,
        }

    def write_floor(self, params: dict[str, Any]) -> float:
        """Write the rows; the seconds without finding out which units they are."""
        with account_context(self.account), connection.cursor() as cursor:
            cursor.execute(TARGET if self.is_planned else NEW_TARGET, params)
            cursor.execute("ANALYZE target")
            started = time.perf_counter()
            for statement in (UPDATE_UNITS if self.is_planned else INSERT_UNITS, *REST):
                cursor.execute(statement, params)
        return time.perf_counter() - started


def timed(call: Callable[[], Any]) -> float:
    """How long a call took that commits."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def forget_statistics() -> None:
    """Analyse the tables while they are empty, and never again."""
    with connections[OWNER].cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute(STALE)
        for (table,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")


def run(*, units: int, runs: int) -> tuple[Iterator[Measure], str]:
    """The measures of `runs` rounds after one to warm up, and what they were measured on."""
    forget_statistics()
    settle()  # as web and the workers do, whose collector does not go through all that was loaded
    return _measures(units, runs), (
        f"{units:,} units of one SKU a receipt, against {units // SMALL:,}; {runs} rounds after one to warm up; each "
        "receipt in an account of its own, in tables that were analysed while they were empty"
    )


def _measures(units: int, runs: int) -> Iterator[Measure]:
    for name, is_planned in (("planned", True), ("new", False)):
        seconds: dict[str, list[float]] = defaultdict(list)
        for turn in range(runs + 1):
            for size, figure in ((max(1, units // SMALL), "small"), (units, "large")):
                _round(size, seconds, figure, is_planned=is_planned)
            if turn == 0:
                seconds.clear()
        for what in ("receive", "undo"):
            yield _flat(f"{what} {name}, {units:,} vs fewer", units, seconds[f"{what} large"], seconds[f"{what} small"])
        yield compare(
            f"receive {name} vs floor",
            count=units,
            ours=seconds["receive large"],
            limits=seconds["floor large"],
            bar=FLOOR_BAR,
            sql="the same rows written by SQL as the app, ids known, in one transaction",
            unit="units/s",
        )


def _round(size: int, seconds: dict[str, list[float]], figure: str, *, is_planned: bool) -> None:
    ours, floor = Merchant(size, is_planned=is_planned), Merchant(size, is_planned=is_planned)
    params = floor.prepare_floor()
    seconds[f"receive {figure}"].append(timed(ours.receive))
    seconds[f"floor {figure}"].append(floor.write_floor(params))
    seconds[f"undo {figure}"].append(timed(ours.undo))


def _flat(name: str, units: int, large: list[float], small: list[float]) -> Measure:
    """What a unit costs in a large receipt, against a small one in the same round: at most 1.3 times as much."""
    fewer = max(1, units // SMALL)
    return Measure(
        measure=name,
        value=round(units / median(large)),
        unit="units/s",
        limit=round(fewer / median(small)),
        ratio=round(median((one / fewer) / (many / units) for one, many in zip(small, large, strict=True)), 3),
        bar=FLAT_BAR,
        p50=round(median(large), 4),
        p95=round(percentile(large, 95), 4),
        runs=len(large),
        sql="the same with fewer units, in the same round",
    )
