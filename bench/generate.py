"""Planning serials and submitting them, against COPY of the very same rows and against Django's bulk_create.

The limit is what PostgreSQL needs to take the finished rows: one transaction of COPY by the owner of the tables,
without row-level security, into the same tables with the same indexes and references, which are checked before it
commits. bulk_create writes the same rows as the app, in batches of 1,000; making its instances is not counted.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import connections, models, transaction
from psycopg.sql import SQL

from bench.report import Measure, compare
from oms.models import Account, Sku, Warehouse, Workflow
from oms.services import catalogue, stock
from oms.tenancy import account_context
from replenishment.models import PlannedSerial, Replenishment, ReplenishmentLine
from replenishment.services.drafts import LineInput, create_replenishment
from replenishment.services.planning import generate_serials
from replenishment.services.submitting import submit
from serials.lifecycle import Actor, Event
from serials.models import Unit, UnitEvent
from serials.services import Fact, Staging, record_event

OWNER = "owner"
SKUS, BASE, BATCH = 20, 9, 1_000
COPY_BAR, BULK_BAR = 0.75, 3.0
PLAN: tuple[type[models.Model], ...] = (PlannedSerial,)
UNITS: tuple[type[models.Model], ...] = (Unit, UnitEvent)

BASE_PLANNED = """
INSERT INTO replenishment_plannedserial (account_id, line_id, sku_id, serial, serial_key, state, is_generated)
SELECT l.account_id, l.id, l.sku_id, s.serial, s.serial, 'planned', true
FROM replenishment_replenishmentline l, generate_series(1, %(each)s) AS n,
     LATERAL (SELECT 'B' || lpad(n::text, 9, '0') AS serial) AS s
WHERE l.account_id = %(account)s AND l.replenishment_id = %(replenishment)s
"""
BASE_UNITS = """
WITH made AS (
    INSERT INTO serials_unit (account_id, sku_id, serial, serial_key, status, is_void, is_planned, wms_notes, oms_notes,
                              process_type, process_id, order_no, last_event, last_source, updated_at, created_at)
    SELECT account_id, sku_id, serial, serial_key, 'incoming', false, true, '', '', 'replenishment', 'R-1', '',
           'expect', 'base', now() - id %% 100000 * interval '1 minute', now()
    FROM replenishment_plannedserial WHERE account_id = %(account)s
    RETURNING *
)
INSERT INTO serials_unitevent (account_id, unit_id, event, sku, prod_id, bin_name, serial, status, is_void, wms_notes,
                               oms_notes, process_type, process_id, order_no, lot_number, occurred_at, recorded_at,
                               source, reason)
SELECT account_id, id, 'expect', 'BENCH', '', '', serial, status, false, '', '', process_type, process_id, '', '',
       updated_at, updated_at, last_source, '' FROM made
"""
EXPECTED = """
SELECT k.id, s.serial, s.serial FROM oms_sku k, generate_series(1, %s) AS n,
     LATERAL (SELECT %s || lpad(n::text, 8, '0') AS serial) AS s
WHERE k.account_id = %s ORDER BY k.id, n
"""
MADE_UNITS = "SELECT *, id AS unit FROM serials_unit WHERE account_id = %s AND process_id = %s"
MADE_EVENTS = "SELECT *, unit_id AS unit FROM serials_unitevent WHERE account_id = %s AND process_id = %s"
MADE_PLANNED = """
SELECT p.*, 0 AS unit FROM replenishment_plannedserial p
JOIN replenishment_replenishmentline l ON l.account_id = p.account_id AND l.id = p.line_id
WHERE p.account_id = %s AND l.replenishment_id = %s
"""


@dataclass
class Rounds:
    """Seconds by name, a list of one figure for each round."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def time(self, name: str, call: Callable[[], Any]) -> Any:
        """Run `call`, which commits, and keep how long it took."""
        started = time.perf_counter()
        result = call()
        self.seconds[name].append(time.perf_counter() - started)
        return result


class Site:
    """An account with SKUs and one warehouse, and BASE times as many units there already as one round makes."""

    def __init__(self, units: int) -> None:
        self.each = max(1, units // SKUS)
        self.units = self.each * SKUS
        self.account = Account.objects.create(name="Bench", slug="bench")
        with account_context(self.account):
            warehouse = Warehouse.objects.create(name="Bench")
            self.link = stock.link_warehouse(warehouse=warehouse)
            for n in range(SKUS):
                catalogue.create_sku(actor=None, code=f"BENCH-{n}", name=f"Bench {n}", workflow=Workflow.IN_OUT)
            self.skus = list(Sku.objects.order_by("pk").values_list("pk", flat=True))
        self._fill()

    def _fill(self) -> None:
        params = {"account": self.account.pk, "each": self.each * BASE, "replenishment": self.create()}
        with transaction.atomic(OWNER), connections[OWNER].cursor() as cursor:
            cursor.execute(BASE_PLANNED, params)
            cursor.execute(BASE_UNITS, params)
        with connections[OWNER].cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")

    def create(self) -> int:
        """A new replenishment with a line for each SKU."""
        with account_context(self.account):
            lines = [LineInput(sku_id=pk, quantity=self.each) for pk in self.skus]
            return create_replenishment(link_id=self.link.pk, lines=lines, actor=None).pk

    # --- ours ---
    def plan(self) -> int:
        """Create a replenishment and plan all its serials; its id."""
        pk = self.create()
        with account_context(self.account):
            line_ids = list(ReplenishmentLine.objects.filter(replenishment=pk).values_list("pk", flat=True))
            generate_serials(replenishment_id=pk, line_ids=line_ids, actor=None)
        return pk

    def submit(self, pk: int) -> None:
        """Submit it."""
        with account_context(self.account):
            submit(replenishment_id=pk, actor=None)

    def expect(self, mark: str) -> None:
        """The ledger alone: units from rows that are in the database."""
        fact = Fact(Event.EXPECT, Actor.OFFICE, process_id=mark, source=f"bench:{mark}")
        with account_context(self.account):
            record_event(fact, Staging(SQL(EXPECTED), [self.each, mark, self.account.pk]))


class Template:
    """The rows that one round of ours made, to be written again, under other serials and ids, in other ways."""

    def __init__(self, site: Site, replenishment: int) -> None:
        self.site, self.account = site, site.account.pk
        with account_context(site.account):
            number = Replenishment.objects.get(pk=replenishment).number
        made: dict[type[models.Model], tuple[str, str | int]] = {
            Unit: (MADE_UNITS, number),
            UnitEvent: (MADE_EVENTS, number),
            PlannedSerial: (MADE_PLANNED, replenishment),
        }
        with connections[OWNER].cursor() as cursor:
            for model, (select, key) in made.items():
                cursor.execute(f"CREATE TEMP TABLE {_template(model)} AS {select} ORDER BY id", [self.account, key])
                if cursor.rowcount != site.units:
                    raise RuntimeError(f"{cursor.rowcount} rows of {model.__name__} instead of {site.units}.")
            cursor.execute("SELECT min(id) FROM template_unit")
            self.first: int = cursor.fetchone()[0]

    def _selects(self, tables: tuple[type[models.Model], ...], mark: str) -> dict[type[models.Model], str]:
        """For each table a SELECT of its rows as they are to be written this time: fresh ids, serials with `mark`."""
        with connections[OWNER].cursor() as cursor:
            cursor.execute(
                "SELECT setval('serials_unit_id_seq', nextval('serials_unit_id_seq') + %s)", [self.site.units]
            )
            shift = cursor.fetchone()[0] - self.site.units - self.first
        fresh = {name: f"overlay({name} placing '{mark}' from 1 for 2)" for name in ("serial", "serial_key")}
        fresh |= {"id": f"unit + {shift}", "unit_id": f"unit + {shift}"}
        columns = {model: ", ".join(fresh.get(name, name) for name in _columns(model)) for model in tables}
        return {model: f"SELECT {listed} FROM {_template(model)}" for model, listed in columns.items()}

    def copy(self, rounds: Rounds, name: str, tables: tuple[type[models.Model], ...], mark: str) -> None:
        """The limit: COPY of finished bytes by the owner, references checked, committed."""
        data = []
        with connections[OWNER].cursor() as cursor:
            for model, select in self._selects(tables, mark).items():
                with cursor.copy(f"COPY ({select}) TO STDOUT") as rows:
                    data.append((_copy_sql(model), b"".join(rows)))

        def write() -> None:
            with transaction.atomic(OWNER), connections[OWNER].cursor() as cursor:
                for statement, rows in data:
                    with cursor.copy(statement) as copy:
                        copy.write(rows)
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

        rounds.time(name, write)

    def bulk(self, rounds: Rounds, name: str, tables: tuple[type[models.Model], ...], mark: str) -> None:
        """Django's way: bulk_create as the app, under row-level security, committed."""
        batches = []
        with connections[OWNER].cursor() as cursor:
            for model, select in self._selects(tables, mark).items():
                cursor.execute(select)
                names = _columns(model)
                batches.append((model, [_instance(model, names, row) for row in cursor]))

        def write() -> None:
            with account_context(self.account):
                for model, instances in batches:
                    model._default_manager.bulk_create(instances, batch_size=BATCH)

        rounds.time(name, write)


def _template(model: type[models.Model]) -> str:
    return f"template_{model._meta.model_name}"


def _columns(model: type[models.Model]) -> list[str]:
    """All columns, but for the id where nothing refers to it: that comes from the sequence, as it does for ours."""
    return [f.column for f in model._meta.local_concrete_fields if f.column and (f.column != "id" or model is Unit)]


def _instance(model: type[models.Model], names: list[str], row: tuple[Any, ...]) -> models.Model:
    attributes = {f.column: f.attname for f in model._meta.local_concrete_fields}
    return model(**{attributes[name]: value for name, value in zip(names, row, strict=True)})


def _copy_sql(model: type[models.Model]) -> str:
    return f"COPY {model._meta.db_table} ({', '.join(_columns(model))}) FROM STDIN"


def run(*, units: int, runs: int) -> tuple[list[Measure], str]:
    """The measures of `runs` rounds after one to warm up, and what they were measured on."""
    site = Site(units)
    warm = site.plan()
    site.submit(warm)
    template, rounds = Template(site, warm), Rounds()
    for n in range(runs):
        _round(site, template, rounds, n)
    return _measures(rounds, site.units), (
        f"{site.units:,} serials of {SKUS} SKUs a round, {runs} rounds after one to warm up, "
        f"{site.units * BASE:,} units with history and as many planned serials there before; each round commits"
    )


def _measures(rounds: Rounds, count: int) -> list[Measure]:
    """The COPY bar is for each step. The bulk_create bar is for what writes units with history: planning writes one
    narrow table, which COPY itself does not write three times as fast as bulk_create."""
    seconds = rounds.seconds
    for way in ("", " COPY", " bulk_create"):
        plan, units = seconds[f"plan{way}"], seconds[f"units{way}" if way else "submit"]
        seconds[f"all{way}"] = [one + other for one, other in zip(plan, units, strict=True)]
    steps = [
        ("generate", "all", PLAN + UNITS, "all"),
        ("plan", "plan", PLAN, "plan"),
        ("submit", "submit", UNITS, "units"),
        ("ledger alone", "expect", UNITS, "units"),
    ]
    measures = []
    for name, ours, tables, limit in steps:
        copies = " ".join(f"{_copy_sql(model)};" for model in tables)
        for way, bar, sql in (
            ("COPY", COPY_BAR, f"BEGIN; {copies} SET CONSTRAINTS ALL IMMEDIATE; COMMIT (as the owner)"),
            ("bulk_create", None if tables == PLAN else BULK_BAR, f"bulk_create, {BATCH:,} at a time (as the app)"),
        ):
            pair = {"ours": seconds[ours], "limits": seconds[f"{limit} {way}"]}
            measures.append(compare(f"{name} vs {way}", count=count, bar=bar, sql=sql, unit="serials/s", **pair))
    return measures


def _round(site: Site, template: Template, rounds: Rounds, n: int) -> None:
    """Every way once; who begins changes from round to round."""
    mark = chr(ord("A") + n % 26)

    def ours() -> None:
        planned = rounds.time("plan", site.plan)
        rounds.time("submit", lambda: site.submit(planned))
        rounds.time("expect", lambda: site.expect(f"{mark}E"))

    def copy() -> None:
        template.copy(rounds, "plan COPY", PLAN, f"{mark}C")
        template.copy(rounds, "units COPY", UNITS, f"{mark}C")

    def bulk() -> None:
        template.bulk(rounds, "plan bulk_create", PLAN, f"{mark}K")
        template.bulk(rounds, "units bulk_create", UNITS, f"{mark}K")

    ways = [ours, copy, bulk]
    for way in ways[n % 3 :] + ways[: n % 3]:
        way()
