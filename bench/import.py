# ruff: noqa: N999  (called as it is named on the command line: `manage.py bench import`)
"""Add Attributes By CSV with overwrite, against COPY of the same file and against the ORM's bulk upsert.

Ours is the product's own way: the file is uploaded to the page, its check is posted, and the job that this starts reads
every row, finds the units, writes the attributes and a history row for each unit. The limit is COPY of the file's text
into a table without an index. The ORM's way looks units up 5,000 at a time and upserts, and leaves the same: a history
row for each unit, made with bulk_create, and the unit's time of update. Without those it is only told, not a bar.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections, transaction
from django.utils import timezone

from bench.export import NAMES, Site
from bench.generate import OWNER, Rounds
from bench.report import Measure, compare
from oms import csvio, jobs
from oms.models import Job, JobState, Sku
from oms.tenancy import account_context
from serials.lifecycle import Event
from serials.models import Unit, UnitAttribute, UnitEvent

COPY_BAR, ORM_BAR, BATCH = 0.04, 3.0, 5_000
UNKNOWN = 100
"""One row of so many names a serial that is not there."""
HEADER = ("SKU", "Serial", "Attribute", "Value")
UPLOAD = "/bench/inventory/serials/attributes/csv/"
Cells = tuple[str, str, str, str]


class Files:
    """The rows of a round's file: every unit with every name, and a value that no round before had."""

    def __init__(self, site: Site, rows: int) -> None:
        self._round = count(1)
        with account_context(site.account):
            units = Unit.objects.order_by("pk").values_list("sku__code", "serial")
            self.units = list(units[: -(-rows // len(NAMES))])
        self.rows = rows

    def fresh(self) -> list[Cells]:
        """The cells of the next file."""
        return list(islice(self._cells(next(self._round)), self.rows))

    def _cells(self, number: int) -> Iterator[Cells]:
        for place, (sku, serial) in enumerate(self.units):
            for name in NAMES:
                yield sku, f"NO-{serial}" if place % UNKNOWN == 0 else serial, name, f"{name} {number} of {serial}"


def ours(site: Site, data: bytes) -> None:
    """Upload, apply, and do the work of the job that it starts."""
    file = SimpleUploadedFile("attributes.csv", data, "text/csv")
    check = site.client.post(UPLOAD, {"file": file, "overwrite": "on"}).headers["Location"]
    pk = int(site.client.post(check).headers["Location"].rstrip("/").rpartition("/")[2])
    if jobs.run(site.account.pk, pk) != JobState.DONE:
        with account_context(site.account):
            raise RuntimeError(Job.objects.get(pk=pk).message)


def copy(data: bytes) -> None:
    """The limit."""
    with transaction.atomic(OWNER), connections[OWNER].cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE IF NOT EXISTS plain (sku text, serial text, name text, value text)")
        cursor.execute("TRUNCATE plain")
        with cursor.copy("COPY plain FROM STDIN (FORMAT csv, HEADER)") as target:
            target.write(data)


def upsert(site: Site, rows: list[Cells], *, has_history: bool) -> None:
    """The ORM's way."""
    with account_context(site.account):
        skus = dict(Sku.objects.values_list("code", "pk"))
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            found = Unit.objects.filter(sku__in=skus.values(), serial_key__in={row[1] for row in part})
            units = {(sku, key): pk for sku, key, pk in found.values_list("sku_id", "serial_key", "pk")}
            known = [(units.get((skus[row[0]], row[1])), row) for row in part]
            if has_history:
                _write_history(set(units.values()))
            UnitAttribute.objects.bulk_create(
                [UnitAttribute(unit_id=unit, name=row[2], value=row[3]) for unit, row in known if unit],
                update_conflicts=True,
                unique_fields=["account", "unit", "name"],
                update_fields=["value"],
            )


def _write_history(ids: set[int]) -> None:
    now = timezone.now()
    copied = ("serial", "status", "is_void", "wms_notes", "oms_notes", "process_type", "process_id", "order_no")
    events = [
        UnitEvent(
            unit_id=unit.pk,
            event=Event.ANNOTATE,
            sku=unit.sku.code,
            prod_id=unit.sku.prod_id,
            occurred_at=now,
            recorded_at=now,
            reason=f"Attributes: {', '.join(NAMES)}",
            **{name: getattr(unit, name) for name in copied},
        )
        for unit in Unit.objects.filter(pk__in=ids).select_related("sku")
    ]
    UnitEvent.objects.bulk_create(events, batch_size=BATCH)
    Unit.objects.filter(pk__in=ids).update(updated_at=now)


def run(*, rows: int, runs: int) -> tuple[list[Measure], str]:
    """The measures of `runs` rounds after one to warm up, and what they were measured on."""
    site, rounds = Site(-(-rows // len(NAMES))), Rounds()
    files = Files(site, rows)
    ours(site, _text(files.fresh()))
    ways: dict[str, Callable[[list[Cells]], None]] = {
        "ours": lambda cells: ours(site, _text(cells)),
        "COPY": lambda cells: copy(_text(cells)),
        "ORM": lambda cells: upsert(site, cells, has_history=True),
        "ORM, no history": lambda cells: upsert(site, cells, has_history=False),
    }
    for _n in range(runs):
        for name, way in ways.items():
            rounds.time(name, partial(way, files.fresh()))
    seconds = rounds.seconds
    measures = [
        compare(
            f"import vs {name}", count=rows, ours=seconds["ours"], limits=seconds[name], bar=bar, sql=sql, unit="rows/s"
        )
        for name, bar, sql in (
            ("COPY", COPY_BAR, "COPY plain FROM STDIN (FORMAT csv): the file's text into a table without an index"),
            ("ORM", ORM_BAR, f"bulk_create(update_conflicts=True), {BATCH:,} at a time, and the same history"),
            ("ORM, no history", None, f"bulk_create(update_conflicts=True), {BATCH:,} at a time, nothing else"),
        )
    ]
    return measures, f"{rows:,} rows of {len(files.units):,} units that have every attribute already, overwritten"


def _text(cells: list[Cells]) -> bytes:
    return b"".join(csvio.write(cells, HEADER))
