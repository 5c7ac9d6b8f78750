# ruff: noqa: N999  (called as it is named on the command line: `manage.py bench import`)
"""Add Attributes By CSV with overwrite, against COPY of the same file and against the ORM's bulk upsert.

Ours is the product's own way: the file is uploaded to the page, its check is posted, and the job that this starts reads
every row, finds the units, writes the attributes and a history row for each unit. The limit is COPY of the file's text
into a table without an index. For the bar both begin with rows and write the file first; what it is with the file ready
is told, too. The ORM's way has no file to write or to read: it looks units up 5,000 at a time, upserts, and leaves the
same as ours, a history row for each unit, made with bulk_create, and the unit's time of update. Without those it is
only told, like the job that checks the file before. The ORM has an index of its own for its upsert meanwhile.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from typing import Any
from urllib.parse import urlsplit

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections, transaction
from django.utils import timezone

from bench.export import NAMES, Site, memory
from bench.generate import OWNER, Rounds
from bench.report import Measure, compare
from oms import csvio, jobs
from oms.bootstrap import ROOT
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
UPSERT_INDEX = "CREATE UNIQUE INDEX bench_upsert ON serials_unitattribute (account_id, unit_id, name)"


class Files:
    """The rows of a round's file: every unit with every name, and a value that no round before had."""

    def __init__(self, site: Site, rows: int) -> None:
        self._round = count(1)
        with account_context(site.account):
            units = Unit.objects.order_by("pk").values_list("sku__code", "serial")
            self.units = list(units[: -(-rows // len(NAMES))])
        self.rows = rows

    def fresh(self, rows: int = 0) -> list[Cells]:
        """The cells of the next file."""
        return list(islice(self._cells(next(self._round)), rows or self.rows))

    def _cells(self, number: int) -> Iterator[Cells]:
        for place, (sku, serial) in enumerate(self.units):
            for name in NAMES:
                yield sku, f"NO-{serial}" if place % UNKNOWN == 0 else serial, name, f"{name} {number} of {serial}"


def upload(site: Site, data: bytes) -> tuple[int, str]:
    """Upload a file: the job that checks it, and the page where it is applied."""
    file = SimpleUploadedFile("attributes.csv", data, "text/csv")
    answer = site.client.post(UPLOAD, {"file": file, "overwrite": "on"})
    if "/jobs/" not in answer.headers["Location"]:
        raise RuntimeError("So small a file is no job: take more rows.")
    pk = _job(answer.headers["Location"])
    with account_context(site.account):
        return pk, Job.objects.get(pk=pk).params["page"]


def check(site: Site, data: bytes) -> None:
    """Upload, and find out what the file would do."""
    _run(site, upload(site, data)[0])


def ours(site: Site, data: bytes) -> None:
    """Upload, apply, and do the work of the job that it starts."""
    _run(site, begin(site, data))


def begin(site: Site, data: bytes) -> int:
    """Upload and apply; the job that does it."""
    _check, page = upload(site, data)
    return _job(site.client.post(page).headers["Location"])


def _job(address: str) -> int:
    return int(address.rstrip("/").rpartition("/")[2])


def _run(site: Site, pk: int) -> None:
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


@contextmanager
def upsert_index() -> Iterator[None]:
    """What the ORM's upsert needs: it cannot name the product's own index, which is on the capitals of the name."""
    with connections[OWNER].cursor() as cursor:
        cursor.execute(UPSERT_INDEX)
        yield
        cursor.execute("DROP INDEX bench_upsert")


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
                unique_fields=["account", "unit", "name_key"],
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


def peak(site: Site, job: int) -> float:
    """The most memory, in MB, of a worker of its own that does one job."""
    env = {**os.environ, "LOTLINE_VENV": "off"}
    for variable, alias in (("DATABASE_URL", "default"), ("DATABASE_OWNER_URL", OWNER)):
        url = urlsplit(os.environ[variable])
        env[variable] = url._replace(path=f"/{connections[alias].settings_dict['NAME']}").geturl()
    argv = [sys.executable, "-m", "bench.one_job", str(site.account.pk), str(job)]
    done = subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def growth(site: Site, files: Files) -> Measure:
    """How much more memory a worker needs for the whole file than for a quarter of it: to check it, or to apply it."""
    quarter, whole = (
        [peak(site, upload(site, _text(files.fresh(rows)))[0]), peak(site, begin(site, _text(files.fresh(rows))))]
        for rows in (files.rows // 4, files.rows)
    )
    grown = max(more - less for less, more in zip(quarter, whole, strict=True))
    words = f"growth of the peak of a worker from {files.rows // 4:,} rows ({max(quarter):.0f} MB) to {files.rows:,}"
    return memory(max(grown, 0.1), words)


def run(*, rows: int, runs: int) -> tuple[list[Measure], str]:
    """The measures of `runs` rounds after one to warm up, and what they were measured on."""
    site, rounds = Site(-(-rows // len(NAMES))), Rounds()
    files = Files(site, rows)
    ours(site, _text(files.fresh()))
    ways: dict[str, Callable[[Any], None]] = {
        "ours": partial(ours, site),
        "COPY": copy,
        "ORM": partial(upsert, site, has_history=True),
        "ORM, no history": partial(upsert, site, has_history=False),
        "check": partial(check, site),
    }
    for _n in range(runs):
        for name, way in ways.items():
            cells = files.fresh()
            if name.startswith("ORM"):
                with upsert_index():
                    rounds.time(name, partial(way, cells))
            else:
                rounds.time(name, partial(way, rounds.time(f"text of {name}", partial(_text, cells))))
    return [*_measures(rounds, rows), growth(site, files)], (
        f"{rows:,} rows of {len(files.units):,} units that have every attribute already, overwritten"
    )


def _measures(rounds: Rounds, rows: int) -> list[Measure]:
    seconds = rounds.seconds
    for name in ("ours", "COPY"):
        both = zip(seconds[name], seconds[f"text of {name}"], strict=True)
        seconds[f"{name} from rows"] = [one + other for one, other in both]
    upserts = f"bulk_create(update_conflicts=True), {BATCH:,} at a time"
    text = "COPY plain FROM STDIN (FORMAT csv): the file's text into a table without an index"
    limits = (
        (
            "import vs COPY",
            "ours from rows",
            "COPY from rows",
            COPY_BAR,
            f"{text}, with the writing of it on both sides",
        ),
        ("import vs COPY, file ready", "ours", "COPY", None, text),
        ("import vs ORM", "ours", "ORM", ORM_BAR, f"{upserts}, and the same history"),
        ("import vs ORM, no history", "ours", "ORM, no history", None, f"{upserts}, nothing else"),
        ("check vs COPY, file ready", "check", "COPY", None, text),
    )
    return [
        compare(name, count=rows, ours=seconds[own], limits=seconds[limit], bar=bar, sql=sql, unit="rows/s")
        for name, own, limit, bar, sql in limits
    ]


def _text(cells: list[Cells]) -> bytes:
    return b"".join(csvio.write(cells, HEADER))
