"""Attributes from a CSV file, one row for each unit and name: what it would do, row by row, and doing it.

The rows are read one by one and staged in the database, so memory does not grow with the file: only what is wrong with
it is held.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, BinaryIO

from django.db import connection, transaction
from django.utils.translation import gettext as _, gettext_lazy

from oms import csvio, files, identity, scanning
from oms.errors import DomainError
from oms.jobs import Progress
from oms.models.keys import validate_identity
from oms.queries.catalogue import LONGEST_SCAN, NO_SKU, SEVERAL_SKUS, skus_named
from oms.tenancy import current_account_id
from serials.services import attributes
from serials.services.attributes import (
    NAME_LENGTH,
    VALUE_LENGTH,
    Applied,
    by_person,
    compare_staged,
    known,
    said,
    write_staged,
)
from serials.services.units import By

STEP = 2_000
"""So many rows are read between two steps of the progress bar."""
SHOWN = 50
"""How many errors of a file its page lists; all bad rows are in the file of failed rows."""
KEPT = 1_000
"""How many errors of a file its job keeps."""
AT_A_TIME = 5_000
"""So many other names of SKUs are looked up at once."""


def _serial(text: str) -> tuple[str, str, str]:
    """The cell, its key, and the key of what it says as a scan: nothing is asked, the unit that is there is meant."""
    said = [text, *scanning.serials(text)][-1]
    return text, identity.sought(text), identity.sought(said)


SCHEMA = csvio.Schema(
    [
        csvio.Column(
            "SKU",
            is_required=True,
            aliases=csvio.words.SKU,
            max_length=LONGEST_SCAN,
            example="L2201308",
            help=gettext_lazy("The SKU of the serial, whatever the case; its GTIN or ProductID names it, too."),
        ),
        csvio.Column("Serial", _serial, is_required=True, aliases=csvio.words.SERIAL, example="SN00000001"),
        csvio.Column(
            "Attribute",
            csvio.checked(validate_identity),
            is_required=True,
            aliases=("Attribute name", "Name"),
            max_length=NAME_LENGTH,
            example="Firmware",
            help=gettext_lazy("The name. A serial may have several rows, one for each name."),
        ),
        csvio.Column("Value", is_required=True, aliases=("Attribute value",), max_length=VALUE_LENGTH, example="4.2.1"),
    ],
    max_rows=200_000,
)
FAILED_NAME = "lotline-attributes-failed.csv"

MAKE_STAGES = """
CREATE TEMP TABLE IF NOT EXISTS stage_file (
    line int, sku text, sku_key text, serial text, serial_key text, scan_key text, name text, name_key text, value text
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS stage_sku (sku text, sku_id bigint) ON COMMIT DELETE ROWS;
TRUNCATE stage_file, stage_sku;
"""
COPY_ROWS = "COPY stage_file (line, sku, sku_key, serial, serial_key, scan_key, name, name_key, value) FROM STDIN"
FIND_SKUS = """
ANALYZE stage_file;
INSERT INTO stage_sku
SELECT DISTINCT ON (f.sku) f.sku, k.id FROM (SELECT DISTINCT sku, sku_key FROM stage_file) AS f
JOIN oms_sku k ON k.account_id = %(account)s AND (k.code_key = f.sku_key OR k.code = f.sku)
ORDER BY f.sku, k.code = f.sku DESC
"""
OTHER_NAMES = "SELECT DISTINCT sku FROM stage_file f WHERE NOT EXISTS (SELECT FROM stage_sku k WHERE k.sku = f.sku)"
# One that several SKUs have is there without an id.
ADD_SKUS = "INSERT INTO stage_sku (sku, sku_id) SELECT * FROM unnest(%(names)s::text[], %(ids)s::bigint[])"
FIND_UNITS = """
INSERT INTO stage_attribute (unit_id, key, name, value, line)
SELECT u.id, f.name_key, f.name, f.value, f.line FROM stage_file f
JOIN stage_sku k ON k.sku = f.sku
JOIN serials_unit u ON u.account_id = %(account)s AND u.sku_id = k.sku_id AND u.serial_key = f.serial_key
ORDER BY u.id
"""
FIND_SCANNED = """
INSERT INTO stage_attribute (unit_id, key, name, value, line)
SELECT u.id, f.name_key, f.name, f.value, f.line FROM stage_file f
JOIN stage_sku k ON k.sku = f.sku
JOIN serials_unit u ON u.account_id = %(account)s AND u.sku_id = k.sku_id AND u.serial_key = f.scan_key
WHERE f.scan_key <> f.serial_key AND NOT EXISTS (SELECT FROM stage_attribute a WHERE a.line = f.line)
ORDER BY u.id
"""
UNKNOWN = """
SELECT f.line, f.sku, f.serial, k.sku_id IS NOT NULL, k.sku IS NOT NULL
FROM stage_file f LEFT JOIN stage_sku k ON k.sku = f.sku
WHERE NOT EXISTS (SELECT FROM stage_attribute a WHERE a.line = f.line)
"""
# Two spellings of one serial or of one name are one: the second of its rows is a fault.
TWICE = """
DELETE FROM stage_attribute a USING stage_file f, (
    SELECT unit_id, key, min(line) AS line FROM stage_attribute GROUP BY 1, 2 HAVING count(*) > 1
) AS first
WHERE a.unit_id = first.unit_id AND a.key = first.key AND a.line > first.line AND f.line = a.line
RETURNING f.line, f.sku, f.serial, f.name, first.line
"""
SKIPPED = "SELECT line, old FROM stage_change WHERE old <> value AND NOT %(overwrite)s ORDER BY line"


@dataclass(frozen=True)
class Plan:
    """What a whole file does: how many rows set or change something, or nothing; `errors` says all that is wrong with
    it, and `skipped` which rows name an attribute that has another value already and keeps it.
    """

    row_count: int = 0
    written: int = 0
    unchanged: int = 0
    errors: list[csvio.RowError] = field(default_factory=list)
    skipped: list[csvio.RowError] = field(default_factory=list)
    ignored_columns: tuple[str, ...] = ()
    above: tuple[tuple[int, str], ...] = ()
    """The lines above the header, which are not read."""
    known: str = ""
    """What the units have now, of what it sets: see `attributes.known`."""

    @property
    def failed(self) -> list[csvio.RowError]:
        """What is wrong and what is skipped, by line."""
        return sorted([*self.errors, *self.skipped], key=lambda error: error.line)

    @property
    def counts(self) -> dict[str, int]:
        """In words → how many rows."""
        return {
            _("Set"): self.written,
            _("As they are"): self.unchanged,
            _("Skipped"): len(self.skipped),
            _("Wrong"): csvio.line_count(self.errors),
        }

    def shown(self) -> dict[str, Any]:
        """What its page shows, JSON-ready."""
        return {
            "row_count": self.row_count,
            "written": self.written,
            "unchanged": self.unchanged,
            "skipped": len(self.skipped),
            "wrong": csvio.line_count(self.errors),
            "ignored_columns": list(self.ignored_columns),
            "above": [list(line) for line in self.above],
            "errors": [error.as_dict() for error in self.failed[:SHOWN]],
            "failed_count": csvio.line_count(self.failed),
            "known": self.known,
        }


@transaction.atomic
def plan_import(file: BinaryIO, *, overwrite: bool, progress: Progress | None = None) -> Plan:
    """Compare a file with the units; writes nothing that lasts. The statements do not grow with the rows.

    Raises FileRefused for a file that cannot be read.
    """
    parsed = _stage(file, progress)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE stage_attribute")
        new, other, same = compare_staged(cursor)
        digest = known(cursor)
        cursor.execute(SKIPPED, {"overwrite": overwrite})
        kept = cursor.fetchall()
    said = _("It has a value already, “%(value)s”, and keeps it.")
    return Plan(
        row_count=parsed.row_count,
        written=new + other if overwrite else new,
        unchanged=same,
        errors=parsed.errors,
        skipped=[csvio.RowError(line, "Attribute", said % {"value": value}) for line, value in kept],
        ignored_columns=parsed.ignored_columns,
        above=parsed.above,
        known=digest,
    )


@transaction.atomic
def apply_import(
    file: BinaryIO, *, overwrite: bool, by: By, seen: str = "", progress: Progress | None = None
) -> tuple[Applied, list[csvio.RowError]]:
    """Apply the good rows of a file, and say what is wrong with the others.

    `seen` is the plan's `known` that somebody saw. Raises FileRefused, and Conflict where it would overwrite others.
    """
    errors = _stage(file, progress).errors
    return write_staged(overwrite=overwrite, by=by, seen=seen, progress=progress), errors


def run_check_job(progress: Progress) -> None:
    """The job "serials.attributes_check": what a large file would do, for its page, and its failed rows as a file."""
    with files.open_file(progress.input_file) as file:
        try:
            plan = plan_import(file, overwrite=bool(progress.params["overwrite"]), progress=progress)
        except csvio.FileRefused as error:
            raise DomainError(f"{_('error processing csv file')}: {error}") from error
        stored = files.store(FAILED_NAME, csvio.CONTENT_TYPE, failed_file(file, plan)) if plan.failed else None
    progress.finish(
        {
            "summary": _("Nothing is changed yet. See what this file does, and apply it then."),
            "link": {"label": _("See what it does"), "url": progress.params["page"]},
            "counts": plan.counts,
            "plan": plan.shown(),
        },
        stored,
    )


def run_import_job(progress: Progress) -> None:
    """The job "serials.attributes": an uploaded file, applied as its page showed it."""
    by = by_person(progress.person.pk if progress.person else None)
    with files.open_file(progress.input_file) as file:
        done, errors = apply_import(
            file,
            overwrite=bool(progress.params["overwrite"]),
            by=by,
            seen=str(progress.params.get("seen", "")),
            progress=progress,
        )
    progress.finish(import_result(done, errors))


def import_result(done: Applied, errors: list[csvio.RowError]) -> dict[str, Any]:
    """What the page of the job shows."""
    counts = {
        _("Set"): done.written,
        _("Serials"): done.units,
        _("Same before"): done.unchanged,
        _("Kept"): done.kept,
        _("Refused"): csvio.line_count(errors),
    }
    shown = [error.as_dict() for error in errors[:KEPT]]
    return {"summary": said(done), "counts": counts, "errors": shown, "error_count": csvio.line_count(errors)}


def failed_file(file: BinaryIO, plan: Plan) -> Iterator[bytes]:
    """The failed rows of a file as a file that can be corrected and uploaded again."""
    return csvio.failed_file(SCHEMA, file, plan.failed)


def _stage(file: BinaryIO, progress: Progress | None) -> csvio.Parsed:
    """Stage the good rows of a file for `write_staged`; what the file is, and all that is wrong with it by line."""
    total = _end_count(file) if progress else 0
    parsed, found = SCHEMA.stream(file)
    errors, count = list(parsed.errors), 0
    with connection.cursor() as cursor:
        cursor.execute(attributes.MAKE_STAGES + MAKE_STAGES)
        with cursor.copy(COPY_ROWS) as copy:
            for count, each in enumerate(found, start=1):
                if isinstance(each, list):
                    errors.extend(each)
                    continue
                sku, serial, name, value = each.values.values()
                copy.write_row((each.line, sku, identity.sought(sku), *serial, name, identity.sought(name), value))
                if progress and count % STEP == 0:
                    progress.step(min(each.line, total), total, _("Reading"))
        errors.extend(_faults(cursor))
    errors.sort(key=lambda error: error.line)
    return replace(parsed, row_count=count, errors=errors)


def _end_count(file: BinaryIO) -> int:
    """How many line ends a file has."""
    file.seek(0)
    return sum(piece.count(b"\n") for piece in iter(partial(file.read, 2**16), b""))


def _faults(cursor: Any) -> Iterator[csvio.RowError]:
    """Find the units of what lies in stage_file, and say what has none, or is there twice."""
    params = {"account": current_account_id()}
    cursor.execute(FIND_SKUS, params)
    _find_other_skus(cursor)
    cursor.execute("ANALYZE stage_sku")
    cursor.execute(FIND_UNITS, params)
    cursor.execute(FIND_SCANNED, params)
    cursor.execute(UNKNOWN)
    for line, sku, serial, is_sku_known, is_name_known in cursor.fetchall():
        if is_sku_known:
            said = identity.refusal(serial) or _("%(sku)s has no such serial.") % {"sku": sku}
            yield csvio.RowError(line, "Serial", said, serial)
        else:
            yield csvio.RowError(line, "SKU", str(SEVERAL_SKUS if is_name_known else NO_SKU), sku)
    cursor.execute(TWICE)
    for line, sku, serial, name, first in cursor.fetchall():
        said = _("The same serial and attribute as in line %(line)s.") % {"line": first}
        yield csvio.RowError(line, "SKU, Serial, Attribute", said, f"{sku}, {serial}, {name}")


def _find_other_skus(cursor: Any) -> None:
    """Add what is no code of a SKU but another of its names, such as its GTIN."""
    cursor.execute(OTHER_NAMES)
    names = [name for (name,) in cursor.fetchall()]
    for begin in range(0, len(names), AT_A_TIME):
        found = skus_named(names[begin : begin + AT_A_TIME])
        params = {"names": list(found), "ids": [sku.pk if sku else None for sku in found.values()]}
        cursor.execute(ADD_SKUS, params)
