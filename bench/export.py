"""Download Serial History of every unit of an account, against COPY of the finished table and against the ORM.

Ours is the product's own way: the form is posted to the page, and the job that it starts writes the file. The limit is
COPY of a flat table that holds the very same cells, made beforehand. The ORM's way reads with server-side cursors, told
that all rows will be read, and writes with the csv module.
"""

import resource
from collections import defaultdict
from typing import Any

from django.db import connection, connections
from django.test import Client

from bench.generate import OWNER, Rounds
from bench.report import Measure, compare
from bench.units import collect_static
from oms import csvio, jobs
from oms.models import Job, JobState, Person, Sku, Workflow
from oms.services import catalogue, people
from oms.tenancy import account_context
from serials.models import Unit, UnitAttribute, UnitEvent
from serials.queries.history_file import HistoryFile

SKUS, EVENTS, NAMES = 20, 3, ("Firmware", "Grade", "Warranty until")
COPY_BAR, ORM_BAR, MOST_GROWTH = 0.10, 2.5, 20.0
COLUMNS = (
    *("sku", "prod_id", "bin_name", "serial", "status", "wms_notes", "oms_notes", "process_type", "process_id"),
    *("order_no", "occurred_at"),
)

UNITS = """
INSERT INTO serials_unit (account_id, sku_id, serial, serial_key, status, is_void, is_planned, wms_notes, oms_notes,
                          process_type, process_id, order_no, last_event, last_source, updated_at, created_at)
SELECT %(account)s, (%(skus)s::bigint[])[1 + n %% %(sku_count)s], 'X' || lpad(n::text, 9, '0'),
       'X' || lpad(n::text, 9, '0'), 'out', false, false,
       CASE WHEN n %% 4 = 0 THEN 'Dented corner, see photo' ELSE '' END,
       CASE WHEN n %% 12 = 0 THEN '=SUM(A1) "call first", then ship' ELSE '' END, 'order', 'S-' || n / 5, 'O-' || n / 7,
       'ship', '', now() - n * interval '1 second', now()
FROM generate_series(1, %(units)s) AS n
"""
HISTORY = """
INSERT INTO serials_unitevent (account_id, unit_id, event, sku, prod_id, bin_name, serial, status, is_void, wms_notes,
                               oms_notes, process_type, process_id, order_no, lot_number, occurred_at, recorded_at,
                               source, reason)
SELECT %(account)s, u.id, 'ship', 'BENCH-1', 'W-4711', CASE WHEN n = 2 THEN 'A-01-2' ELSE '' END, u.serial, u.status,
       false, u.wms_notes, u.oms_notes, u.process_type, u.process_id, u.order_no, '',
       u.updated_at + n * interval '1 hour', now(), 'bench:' || n, ''
FROM serials_unit u, generate_series(1, %(events)s) AS n WHERE u.account_id = %(account)s ORDER BY n, u.id
"""
ATTRIBUTES = """
INSERT INTO serials_unitattribute (account_id, unit_id, name, name_key, value)
SELECT %(account)s, u.id, name, upper(name), name || ' of ' || u.serial
FROM serials_unit u, unnest(%(names)s::text[]) AS name
WHERE u.account_id = %(account)s
"""
FLAT = """
CREATE TEMP TABLE flat AS
SELECT e.sku, e.prod_id, e.bin_name, e.serial, e.status, e.wms_notes, e.oms_notes, e.process_type, e.process_id,
       e.order_no, to_char(e.occurred_at, 'YYYY-MM-DD HH24:MI:SS') AS occurred_at, a.*
FROM serials_unitevent e JOIN (
    SELECT unit_id AS id, max(value) FILTER (WHERE name = 'Firmware') AS a1,
           max(value) FILTER (WHERE name = 'Grade') AS a2,
           max(value) FILTER (WHERE name = 'Warranty until') AS a3
    FROM serials_unitattribute WHERE account_id = %(account)s GROUP BY unit_id
) AS a ON a.id = e.unit_id WHERE e.account_id = %(account)s ORDER BY e.unit_id, e.id DESC
"""


class Site:
    """An account with `units` shipped units, EVENTS history rows and one attribute of each name for each."""

    def __init__(self, units: int) -> None:
        collect_static()
        person = Person.objects.create_user(email="bench@lotline.example", password=None, name="Bench")
        self.account = people.create_account(name="Bench", slug="bench", admin=person).account
        with account_context(self.account):
            for n in range(SKUS):
                catalogue.create_sku(actor=None, code=f"BENCH-{n}", name=f"Bench {n}", workflow=Workflow.OUT)
            skus = list(Sku.objects.order_by("pk").values_list("pk", flat=True))
        self.params: dict[str, Any] = {
            "account": self.account.pk,
            "skus": skus,
            "sku_count": len(skus),
            "units": units,
            "events": EVENTS,
            "names": list(NAMES),
        }
        with connections[OWNER].cursor() as cursor:
            for statement in (UNITS, HISTORY, ATTRIBUTES):
                cursor.execute(statement, self.params)
            cursor.execute("VACUUM (ANALYZE)")
            cursor.execute(FLAT, self.params)
        self.client = Client(SERVER_NAME="localhost")
        self.client.force_login(person)

    def export(self, chosen: str) -> None:
        """Post the form, and do the work of the job that it starts; few units are answered at once."""
        answer = self.client.post("/bench/inventory/serials/history/", {"all": "1", "filter": chosen})
        if answer.status_code == 200:
            sum(map(len, answer))
            return
        pk = int(answer.headers["Location"].rstrip("/").rpartition("/")[2])
        if jobs.run(self.account.pk, pk) != JobState.DONE:
            with account_context(self.account):
                raise RuntimeError(Job.objects.get(pk=pk).message)

    def copy(self) -> int:
        """The limit; how many bytes."""
        with connections[OWNER].cursor() as cursor, cursor.copy("COPY flat TO STDOUT (FORMAT csv)") as copy:
            return sum(len(row) for row in copy)

    def orm(self) -> int:
        """The ORM's way; how many bytes."""
        with account_context(self.account), connection.cursor() as cursor:
            cursor.execute("SET LOCAL cursor_tuple_fraction = 1")
            names: dict[int, dict[str, str]] = defaultdict(dict)
            for unit, name, value in UnitAttribute.objects.values_list("unit_id", "name", "value").iterator(5_000):
                names[unit][name] = value
            found = UnitEvent.objects.filter(unit__in=Unit.objects.all()).order_by("unit_id", "-pk")
            rows = found.values_list("unit_id", *COLUMNS).iterator(chunk_size=5_000)
            cells = ((*row[1:], *(names[row[0]].get(name, "") for name in NAMES)) for row in rows)
            return sum(map(len, csvio.write(cells, [*COLUMNS, *NAMES])))


def run(*, units: int, runs: int) -> tuple[list[Measure], str]:
    """The measures of `runs` rounds after one to warm up, and what they were measured on."""
    site, rounds = Site(units), Rounds()
    with account_context(site.account):
        total = HistoryFile(Unit.objects.all()).count()
    site.export("serial=7")  # a part of them, so that what is loaded once is loaded
    before = _peak()
    site.export("")
    growth = max(_peak() - before, 0.1)
    for _n in range(runs):
        rounds.time("ours", lambda: site.export(""))
        rounds.time("COPY", site.copy)
        rounds.time("ORM", site.orm)
    words = "growth of the process's peak from the first, smaller file to the whole one"
    return [*_measures(rounds, total), memory(growth, words)], (
        f"{units:,} units, {total:,} history rows, {len(NAMES)} attributes as columns; each file is written by the job"
    )


def _measures(rounds: Rounds, total: int) -> list[Measure]:
    limits = (
        ("COPY", COPY_BAR, "COPY flat TO STDOUT (FORMAT csv): the same cells, joined and pivoted beforehand"),
        ("ORM", ORM_BAR, "UnitEvent.objects…values_list().iterator(5000) with csv.writer, attributes from a dict"),
    )
    ours = rounds.seconds["ours"]
    return [
        compare(
            f"export vs {name}",
            count=total,
            ours=ours,
            limits=rounds.seconds[name],
            bar=bar,
            sql=sql,
            unit="rows/s",
        )
        for name, bar, sql in limits
    ]


def memory(growth: float, how: str) -> Measure:
    """That memory does not grow with what is done: at most MOST_GROWTH."""
    return Measure(
        measure="memory vs 20 MB",
        value=round(growth, 1),
        unit="MB",
        limit=MOST_GROWTH,
        ratio=round(MOST_GROWTH / growth, 2),
        bar=1.0,
        p50=0.0,
        p95=0.0,
        runs=1,
        sql=how,
    )


def _peak() -> float:
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
