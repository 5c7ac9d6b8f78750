"""The history of many units as a CSV file, made by PostgreSQL row by row, in constant memory."""

from collections.abc import Iterator

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg.sql import SQL, Composed, Identifier, Placeholder

from oms.csvio import escape
from oms.errors import DomainError
from oms.selects import select_of
from oms.tenancy import current_account_id
from serials.lifecycle import ProcessType, Status
from serials.models import Unit

MOST_NAMES = 500
"""So many attributes at most become columns; a spreadsheet ends at 16,384."""

MAKE_STAGE = """
CREATE TEMP TABLE IF NOT EXISTS stage_history (unit_id bigint) ON COMMIT DELETE ROWS;
TRUNCATE stage_history;
"""
# A name is the same whatever its spelling: of several the first in order heads the column.
NAMES = """
SELECT DISTINCT ON (a.name_key) a.name_key, a.name FROM stage_history s
JOIN serials_unitattribute a ON a.account_id = %(account)s AND a.unit_id = s.unit_id
ORDER BY a.name_key, a.name LIMIT %(most)s
"""
COUNT = """
SELECT count(*) FROM stage_history s JOIN serials_unitevent e ON e.account_id = %(account)s AND e.unit_id = s.unit_id
"""
# What a spreadsheet would run as a formula gets an apostrophe, as csvio.escape does it; the same cells, the same words.
BEHIND = r"""(^|[;\t|\r\n][" \t]*)(''*[=+\-@＝＋－＠])"""
START = r"""^(''*[\t\r\n])"""
GUARD = rf"""
CASE WHEN {{0}} ~ '{BEHIND}|{START}' AND {{0}} !~ '^-\d+(\.\d+)?$'
THEN regexp_replace(regexp_replace({{0}}, '{BEHIND}', '\1''\2', 'g'), '{START}', '''\1') ELSE {{0}} END
"""
# ISO 8601 with the offset that the zone had then, as every other file has it.
MOMENT = """
to_char(e.occurred_at AT TIME ZONE %(zone)s, 'YYYY-MM-DD"T"HH24:MI:SS')
|| CASE WHEN e.occurred_at AT TIME ZONE %(zone)s < e.occurred_at AT TIME ZONE 'UTC' THEN '-' ELSE '+' END
|| to_char(
    greatest(
        (e.occurred_at AT TIME ZONE %(zone)s) - (e.occurred_at AT TIME ZONE 'UTC'),
        (e.occurred_at AT TIME ZONE 'UTC') - (e.occurred_at AT TIME ZONE %(zone)s)
    ), 'HH24:MI'
)
"""
LABEL = "COALESCE(({}::text[])[array_position({}::text[], {}::text)], '')"
VALUE = "max(a.value) FILTER (WHERE a.name = {})"
TEXTS = ("sku", "prod_id", "bin_name", "serial", "wms_notes", "oms_notes", "process_id", "order_no")
# Newest first within a unit, as on the page. OFFSET 0 keeps the pivot apart, so that it is made once, and so are the
# capitals of each name in it.
FILE = """
COPY (
    SELECT {columns}
    FROM serials_unitevent e
    JOIN stage_history s ON s.unit_id = e.unit_id
    {pivot}
    WHERE e.account_id = %(account)s
    ORDER BY e.unit_id, e.id DESC
) TO STDOUT (FORMAT csv)
"""
PIVOT = """
LEFT JOIN (
    SELECT a.unit_id, {values}
    FROM (
        SELECT unit_id, name_key AS name, value
        FROM serials_unitattribute JOIN stage_history USING (unit_id) WHERE account_id = %(account)s OFFSET 0
    ) AS a GROUP BY a.unit_id OFFSET 0
) AS p ON p.unit_id = e.unit_id
"""


class HistoryFile:
    """The history of `units`, staged in the current transaction: eleven columns, and one for each attribute there is.

    Raises DomainError where there is nothing to write, or more attributes than columns.
    """

    def __init__(self, units: "QuerySet[Unit]") -> None:
        found, params = select_of(units.order_by().values("pk"))
        with connection.cursor() as cursor:
            cursor.execute(MAKE_STAGE)
            cursor.execute(SQL("INSERT INTO stage_history {}").format(found), params)
            self.units: int = cursor.rowcount
            if not self.units:
                raise DomainError(_("You must check at least one"))
            cursor.execute("ANALYZE stage_history")
            cursor.execute(NAMES, {"account": current_account_id(), "most": MOST_NAMES + 1})
            found = cursor.fetchall()
        self.keys: list[str] = [key for key, _name in found]
        self.names: list[str] = [name for _key, name in found]
        if len(self.names) > MOST_NAMES:
            raise DomainError(
                _("These serials have more than %(most)s different attributes. Select fewer.") % {"most": MOST_NAMES}
            )

    def count(self) -> int:
        """How many rows the file has."""
        with connection.cursor() as cursor:
            cursor.execute(COUNT, {"account": current_account_id()})
            found: int = cursor.fetchone()[0]
        return found

    @property
    def header(self) -> list[str]:
        """The names of the columns; an attribute that is called like one of the eleven says that it is one."""
        own = [
            _("SKU"),
            _("ProdID"),
            _("BIN"),
            _("Serial"),
            _("Status"),
            _("WMS Notes"),
            _("OMS Notes"),
            _("ProcessType"),
            _("ProcessID"),
            _("Order#"),
            _("Update"),
        ]
        return own + [_("%(name)s (attribute)") % {"name": name} if name in own else name for name in self.names]

    def lines(self) -> Iterator[bytes]:
        """The lines of the file (RFC 4180, UTF-8 with BOM, times with their zone), the header first."""
        yield "\ufeff".encode() + ",".join(_quoted(escape(name)) for name in self.header).encode() + b"\r\n"
        statement, params = self._statement()
        with connection.cursor() as cursor, cursor.copy(statement, params) as copy:
            for row in copy:  # one message, and one line feed at its end, for each row
                yield bytes(row)[:-1] + b"\r\n"

    def _statement(self) -> tuple[Composed, dict[str, object]]:
        texts = {name: SQL(GUARD).format(Identifier("e", name)) for name in TEXTS}
        columns = [
            *(texts[name] for name in ("sku", "prod_id", "bin_name", "serial")),
            _labels("status", "statuses"),
            *(texts[name] for name in ("wms_notes", "oms_notes")),
            _labels("process_type", "processes"),
            *(texts[name] for name in ("process_id", "order_no")),
            SQL(MOMENT),
            *(Identifier("p", f"v{place}") for place in range(len(self.names))),
        ]
        values = [
            SQL("{} AS {}").format(
                SQL(GUARD).format(SQL(VALUE).format(Placeholder(f"name{place}"))), Identifier(f"v{place}")
            )
            for place in range(len(self.names))
        ]
        params: dict[str, object] = {
            "account": current_account_id(),
            "zone": str(timezone.get_current_timezone()),
            **_label_params("statuses", Status),
            **_label_params("processes", ProcessType),
            **{f"name{place}": name for place, name in enumerate(self.keys)},
        }
        pivot = SQL(PIVOT).format(values=SQL(", ").join(values)) if values else SQL("")
        return SQL(FILE).format(columns=SQL(", ").join(columns), pivot=pivot), params


def _labels(column: str, name: str) -> Composed:
    """The label of a choice, by a look into two short arrays."""
    return SQL(LABEL).format(Placeholder(f"{name}_labels"), Placeholder(name), Identifier("e", column))


def _label_params(name: str, choices: type[Status] | type[ProcessType]) -> dict[str, object]:
    return {name: list(choices.values), f"{name}_labels": [str(label) for label in choices.labels]}


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text


def chunks(lines: Iterator[bytes], size: int = 64 * 1024) -> Iterator[bytes]:
    """The same bytes in pieces of about `size`."""
    held: list[bytes] = []
    length = 0
    for line in lines:
        held.append(line)
        length += len(line)
        if length >= size:
            yield b"".join(held)
            held.clear()
            length = 0
    if held:
        yield b"".join(held)
