"""Attributes from a CSV file, one row for each unit and name: what it would do, row by row, and doing it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _, gettext_lazy

from oms import csvio, files
from oms.errors import DomainError
from oms.jobs import Progress
from oms.models.catalogue import validate_printable
from oms.tenancy import current_account_id
from serials import numbering
from serials.services.attributes import NAME_LENGTH, VALUE_LENGTH, Applied, by_person, write_staged
from serials.services.units import By

BATCH = 20_000
"""So many rows are written between two steps of the progress bar."""


def _serial(text: str) -> str:
    try:
        numbering.check(text)
    except numbering.BadSerial as error:
        raise DomainError(str(error)) from error
    return text


SCHEMA = csvio.Schema(
    [
        csvio.Column(
            "SKU",
            is_required=True,
            max_length=80,
            example="L2201308",
            help=gettext_lazy("The SKU of the serial, whatever the case."),
        ),
        csvio.Column("Serial", _serial, is_required=True, max_length=numbering.LONGEST, example="SN00000001"),
        csvio.Column(
            "Attribute",
            csvio.checked(validate_printable),
            is_required=True,
            aliases=("Attribute name", "Name"),
            max_length=NAME_LENGTH,
            example="Firmware",
            help=gettext_lazy("The name. A serial may have several rows, one for each name."),
        ),
        csvio.Column("Value", is_required=True, aliases=("Attribute value",), max_length=VALUE_LENGTH, example="4.2.1"),
    ],
    key=("SKU", "Serial", "Attribute"),
    max_rows=200_000,
)
FAILED_HEADER = (*SCHEMA.header, "Line", "Reason")
"""A file of failed rows can be corrected and uploaded again: the last two columns are not used then."""

MAKE_STAGE = """
CREATE TEMP TABLE IF NOT EXISTS stage_attribute (unit_id bigint, name text, value text) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS stage_file (
    line int, sku text, serial_key text, name text, value text, sku_id bigint, unit_id bigint
) ON COMMIT DELETE ROWS;
TRUNCATE stage_file;
"""
FIND_SKUS = """
UPDATE stage_file f SET sku_id = k.id FROM oms_sku k WHERE k.account_id = %(account)s AND upper(k.code) = f.sku
"""
FIND_UNITS = """
UPDATE stage_file f SET unit_id = u.id FROM serials_unit u
WHERE u.account_id = %(account)s AND u.sku_id = f.sku_id AND u.serial_key = f.serial_key
"""
# Two spellings of one serial are one unit: the second of its rows is a fault, as it is where the spelling is the same.
FAULTS = """
SELECT line, CASE WHEN sku_id IS NULL THEN 'sku' WHEN unit_id IS NULL THEN 'serial' ELSE 'twice' END, first
FROM (
    SELECT line, sku_id, unit_id, min(line) OVER (PARTITION BY COALESCE(unit_id, -line), name) AS first FROM stage_file
) AS f WHERE unit_id IS NULL OR line > first ORDER BY line
"""
KNOWN = """
SELECT f.line, a.value = f.value, a.value FROM stage_file f
JOIN serials_unitattribute a ON a.account_id = %(account)s AND a.unit_id = f.unit_id AND a.name = f.name ORDER BY f.line
"""
STAGE_BATCH = """
TRUNCATE stage_attribute;
INSERT INTO stage_attribute SELECT unit_id, name, value FROM stage_file
WHERE unit_id IS NOT NULL AND line BETWEEN %(first)s AND %(last)s AND line <> ALL(%(left_out)s::int[])
"""


@dataclass
class Plan:
    """What a whole file does. `errors` holds every bad row, `skipped` those whose attribute has another value already
    and keeps it; `written` counts the rows that set or change something.
    """

    row_count: int = 0
    written: int = 0
    unchanged: int = 0
    errors: list[csvio.RowError] = field(default_factory=list)
    skipped: list[csvio.RowError] = field(default_factory=list)
    ignored_columns: tuple[str, ...] = ()

    @property
    def failed(self) -> list[csvio.RowError]:
        """Bad and skipped rows by line, one for each line."""
        first: dict[int, csvio.RowError] = {}
        for error in sorted([*self.errors, *self.skipped], key=lambda error: error.line):
            first.setdefault(error.line, error)
        return list(first.values())


@transaction.atomic
def plan_import(parsed: csvio.Parsed, *, overwrite: bool) -> Plan:
    """Compare a file with the units; writes nothing that lasts. The statements do not grow with the rows."""
    plan = Plan(parsed.row_count, errors=list(parsed.errors), ignored_columns=parsed.ignored_columns)
    faults = _stage(parsed.rows)
    plan.errors = sorted([*plan.errors, *faults], key=lambda error: error.line)
    bad = {error.line for error in faults}
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, {"account": current_account_id()})
        known = [row for row in cursor.fetchall() if row[0] not in bad]
    plan.unchanged = sum(is_same for _line, is_same, _value in known)
    if not overwrite:
        plan.skipped = [
            csvio.RowError(
                line, "Attribute", _("It has a value already, “%(value)s”, and keeps it.") % {"value": value}
            )
            for line, is_same, value in known
            if not is_same
        ]
    plan.written = len(parsed.rows) - len(faults) - plan.unchanged - len(plan.skipped)
    return plan


@transaction.atomic
def apply_import(
    parsed: csvio.Parsed, *, overwrite: bool, by: By, progress: Progress | None = None
) -> tuple[Applied, list[csvio.RowError]]:
    """Apply the good rows of a file, and say what was wrong with the others."""
    faults = _stage(parsed.rows)
    left_out = [error.line for error in faults if error.line]
    lines, done = [row.line for row in parsed.rows], Applied()
    for start in range(0, len(lines), BATCH):
        part = lines[start : start + BATCH]
        if progress:
            progress.step(start, len(lines))
        with connection.cursor() as cursor:
            cursor.execute(STAGE_BATCH, {"first": part[0], "last": part[-1], "left_out": left_out})
        done += write_staged(overwrite=overwrite, by=by)
    return done, sorted([*parsed.errors, *faults], key=lambda error: error.line)


def run_import_job(progress: Progress) -> None:
    """The job "serials.attributes": an uploaded file, applied as its page showed it."""
    with files.open_file(progress.input_file) as file:
        parsed = SCHEMA.read(file)
    by = by_person(progress.person.pk if progress.person else None)
    done, errors = apply_import(parsed, overwrite=bool(progress.params["overwrite"]), by=by, progress=progress)
    counts = {
        _("Set"): done.written,
        _("Serials"): done.units,
        _("Same before"): done.unchanged,
        _("Kept"): done.kept,
        _("Refused"): len(errors),
    }
    shown = [error.as_dict() for error in errors[:1000]]
    progress.finish({"counts": counts, "errors": shown, "error_count": len(errors)})


def failed_rows(file: Any, failed: Iterable[csvio.RowError]) -> Iterator[tuple[str | int, ...]]:
    """The failed rows of a file as they are there, under FAILED_HEADER."""
    reasons = {error.line: f"{error.column}: {error.message}" if error.column else error.message for error in failed}
    for line, cells in SCHEMA.raw_rows(file):
        if line in reasons:
            yield (*cells, line, reasons[line])


def _stage(rows: list[csvio.Row]) -> list[csvio.RowError]:
    """Put the good rows of a file into stage_file, find their units; what is wrong with those that have none."""
    params = {"account": current_account_id()}
    with connection.cursor() as cursor:
        cursor.execute(MAKE_STAGE)
        with cursor.copy("COPY stage_file (line, sku, serial_key, name, value) FROM STDIN") as copy:
            for row in rows:
                sku, serial, name, value = row.values.values()
                copy.write_row((row.line, sku.upper(), numbering.normalise(serial), name, value))
        cursor.execute("ANALYZE stage_file")
        cursor.execute(FIND_SKUS, params)
        cursor.execute("ANALYZE stage_file")
        cursor.execute(FIND_UNITS, params)
        cursor.execute(FAULTS)
        found = cursor.fetchall()
    if not found:
        return []
    by_line = {line: (why, first) for line, why, first in found}
    return [_fault(row, *by_line[row.line]) for row in rows if row.line in by_line]


def _fault(row: csvio.Row, why: str, first: int) -> csvio.RowError:
    sku, serial = row.values["SKU"], row.values["Serial"]
    if why == "sku":
        return csvio.RowError(row.line, "SKU", _("There is no SKU of this name."), sku)
    if why == "serial":
        return csvio.RowError(row.line, "Serial", _("%(sku)s has no such serial.") % {"sku": sku}, serial)
    return csvio.RowError(
        row.line, "Serial", _("The same serial and attribute as in line %(line)s.") % {"line": first}, serial
    )
