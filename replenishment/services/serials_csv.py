"""Serials from a CSV file with the supplier's own numbers: what it would plan, row by row, and planning them.

They are spread over the In/Out lines of their SKU in the order of the lines, as far as these have room. Each row is one
serial as it stands there: a range such as A001-A050 is not written out.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

from django.db import transaction
from django.utils.translation import gettext as _, gettext_lazy

from oms import csvio, identity
from oms.errors import Conflict
from oms.models import Person, Workflow
from oms.services import audit
from replenishment.lifecycle import Step
from replenishment.models import Replenishment, ReplenishmentLine
from replenishment.services.drafts import GONE, locked, touch
from replenishment.services.planning import BadSerials, check_serials, named, plan_typed, planned_counts
from serials import numbering

MOST_ROWS = 50_000
# A serial is cleaned with the others of its SKU, so that one rule holds for typed and uploaded ones.
_SERIAL = csvio.Column(
    "Serial",
    is_required=True,
    max_length=10 * numbering.LONGEST,
    aliases=("Serials", "Serial number"),
    example="SUP-000123",
    help=gettext_lazy("One a row, kept as it stands there. Ranges are not written out."),
)
SCHEMA = csvio.Schema(
    [
        csvio.Column(
            "SKU",
            is_required=True,
            max_length=80,
            example="L2201308",
            help=gettext_lazy("An In/Out SKU of this replenishment, whatever the case."),
        ),
        _SERIAL,
    ],
    max_rows=MOST_ROWS,
)
LINE_SCHEMA = csvio.Schema(
    [
        _SERIAL,
        csvio.Column(
            "SKU",
            max_length=80,
            help=gettext_lazy("May be left out. A row that names another SKU than the line's is not used."),
        ),
    ],
    max_rows=MOST_ROWS,
)
"""The file of one line: its SKU is known, but the file of a whole replenishment must not end up on one line."""


@dataclass(frozen=True)
class Serial:
    """One good row: the line that it is planned on."""

    line: ReplenishmentLine
    serial: str


@dataclass
class Plan:
    """What a whole file plans. `errors` holds every bad row; `serials` the good ones in the order of the file."""

    row_count: int = 0
    serials: list[Serial] = field(default_factory=list)
    errors: list[csvio.RowError] = field(default_factory=list)
    ignored_columns: tuple[str, ...] = ()

    @property
    def good_count(self) -> int:
        """How many rows would be used."""
        return len(self.serials)

    @property
    def by_line(self) -> list[tuple[ReplenishmentLine, int]]:
        """The lines that get serials, and how many."""
        counts = Counter(row.line.pk for row in self.serials)
        lines = {row.line.pk: row.line for row in self.serials}
        return [(lines[pk], counts[pk]) for pk in sorted(counts, key=lambda pk: lines[pk].position)]


def plan_serials(parsed: csvio.Parsed, *, replenishment_id: int, line_id: int | None = None) -> Plan:
    """Compare a file with the lines; writes nothing. The statements grow with the number of SKUs, not of rows.

    Args:
        parsed: the file as it was read by SCHEMA, or by LINE_SCHEMA for one line.
        replenishment_id: the replenishment.
        line_id: its line, where the file is of one line.

    Raises Conflict where somebody removed that line.
    """
    lines = list(
        ReplenishmentLine.objects.filter(replenishment=replenishment_id).select_related("sku").order_by("position")
    )
    if line_id is not None:
        lines = [line for line in lines if line.pk == line_id]
        if not lines:
            raise Conflict(GONE)
    plan = Plan(parsed.row_count, errors=list(parsed.errors), ignored_columns=parsed.ignored_columns)
    of_sku: dict[str, list[ReplenishmentLine]] = defaultdict(list)
    for line in lines:
        of_sku[line.sku.code].append(line)
    rows: dict[str, list[csvio.Row]] = defaultdict(list)
    own_code = lines[0].sku.code if line_id is not None else ""
    spellings = {line.sku.code_key: line.sku.code for line in lines}
    for row in parsed.rows:
        code = row.values["SKU"] or own_code
        rows[code if code in of_sku else spellings.get(identity.sought(code), code)].append(row)
    counts = planned_counts(lines)
    good: dict[int, Serial] = {}
    for code, own in rows.items():
        text = _why_not(of_sku.get(code, []), is_of_line=line_id is not None)
        if text:
            plan.errors += [csvio.RowError(row.line, "SKU", text, row.values["SKU"]) for row in own]
        else:
            good |= _spread(own, of_sku[code], counts, plan.errors)
    plan.serials = [good[line] for line in sorted(good)]
    plan.errors.sort(key=lambda error: error.line)
    return plan


@transaction.atomic
def apply_serials(
    *, replenishment_id: int, parsed: csvio.Parsed, actor: Person | None, line_id: int | None = None
) -> Plan:
    """Plan the good serials of a file, and say what is left out.

    Raises Conflict where the replenishment is not Incomplete any more, or somebody else planned one a moment ago.
    """
    found = locked(replenishment_id, Step.CHANGE)
    plan = plan_serials(parsed, replenishment_id=replenishment_id, line_id=line_id)
    if not plan.serials:
        return plan
    plan_typed([(row.line, row.serial) for row in plan.serials])
    touch(found)
    _record(found, actor, plan)
    return plan


def _why_not(lines: Sequence[ReplenishmentLine], *, is_of_line: bool) -> str:
    """Why a SKU with these lines takes no serials; empty where it does."""
    if not lines and is_of_line:
        return _("This is not the SKU of the line.")
    if not lines:
        return _("This SKU is not on the replenishment.")
    if lines[0].sku.workflow != Workflow.IN_OUT:
        return _("Serials are planned for In/Out SKUs only.")
    return ""


def _spread(
    rows: Sequence[csvio.Row],
    lines: Sequence[ReplenishmentLine],
    counts: Mapping[int, int],
    errors: list[csvio.RowError],
) -> dict[int, Serial]:
    """Line of the file → where its serial goes, for the good rows of one SKU; what is wrong is added to `errors`."""
    wrong = dict(_faults([row.values["Serial"] for row in rows], lines[0].sku_id)) | dict(_twice(rows))
    rooms = [max(0, line.quantity - counts.get(line.pk, 0)) for line in lines]
    places = chain.from_iterable(map(repeat, lines, rooms))
    total, good = sum(rooms), {}
    for place, row in enumerate(rows, 1):
        serial = row.values["Serial"]
        text = wrong.get(place)
        line = None if text else next(places, None)
        if line:
            good[row.line] = Serial(line, serial)
            continue
        full = _("There is room for %(room)s more serials of this SKU; this one is too many.") % {"room": f"{total:,}"}
        errors.append(csvio.RowError(row.line, "Serial", text or full, serial))
    return good


def _twice(rows: Sequence[csvio.Row]) -> Iterable[tuple[int, str]]:
    """(place from 1, why) of each serial that an earlier row has; the words name the line of the file."""
    first: dict[str, int] = {}
    for place, row in enumerate(rows, 1):
        line = first.setdefault(numbering.normalise(row.values["Serial"]), row.line)
        if line != row.line:
            yield place, _("The same serial as in line %(line)s.") % {"line": line}


def _faults(serials: Sequence[str], sku_id: int) -> Iterable[tuple[int, str]]:
    """(place from 1, why) of each serial of a SKU that cannot be planned."""
    try:
        check_serials(serials, sku_id)
    except BadSerials as error:
        return [(fault.place, fault.message) for fault in error.faults]
    return []


def _record(found: Replenishment, actor: Person | None, plan: Plan) -> None:
    lines = named(line for line, _count in plan.by_line)
    audit.record(
        actor=actor,
        action="Serials added",
        kind="replenishment",
        object_id=found.pk,
        label=found.number,
        changes={"serials": (None, len(plan.serials)), "lines": (None, lines)},
    )
