"""Serials from a CSV file with the supplier's own numbers: what it would plan, row by row, and planning them.

They are spread over the In/Out lines of their SKU in the order of the lines, as far as these have room. Rows that look
like something else than one serial wait for an answer: see `oms.scanning`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, repeat

from django.db import transaction
from django.utils.translation import gettext as _, gettext_lazy

from oms import csvio, identity
from oms.errors import Conflict
from oms.models import Person, Workflow
from oms.queries.catalogue import skus_named
from oms.queries.scans import Expected, SerialJudge
from oms.scanning import Entry, Given, Inquiry, Question
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
    aliases=csvio.words.SERIAL,
    example="SUP-000123",
    help=gettext_lazy("One a row. What looks like a range, a list or a slip of a spreadsheet is asked about."),
)
SCHEMA = csvio.Schema(
    [
        csvio.Column(
            "SKU",
            is_required=True,
            aliases=csvio.words.SKU,
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
            aliases=csvio.words.SKU,
            max_length=80,
            help=gettext_lazy("May be left out. A row that names another SKU than the line's is not used."),
        ),
    ],
    max_rows=MOST_ROWS,
    alone="Serial",
)
"""The file of one line: its SKU is known, but the file of a whole replenishment must not end up on one line."""


class Unanswered(Conflict):
    """Somebody has to say what some rows are."""


@dataclass(frozen=True)
class Serial:
    """One serial of a good row: the line that it is planned on."""

    line: ReplenishmentLine
    serial: str
    row: int


@dataclass
class Plan:
    """What a whole file plans. `errors` holds every bad row; `serials` the good ones in the order of the file;
    `questions` what is asked about others, and `unanswered` those of them that no answer is for.
    """

    row_count: int = 0
    serials: list[Serial] = field(default_factory=list)
    errors: list[csvio.RowError] = field(default_factory=list)
    ignored_columns: tuple[str, ...] = ()
    questions: list[Question] = field(default_factory=list)
    unanswered: list[csvio.RowError] = field(default_factory=list)

    @property
    def good_count(self) -> int:
        """How many rows would be used."""
        return len({serial.row for serial in self.serials})

    @property
    def by_line(self) -> list[tuple[ReplenishmentLine, int]]:
        """The lines that get serials, and how many."""
        counts = Counter(row.line.pk for row in self.serials)
        lines = {row.line.pk: row.line for row in self.serials}
        return [(lines[pk], counts[pk]) for pk in sorted(counts, key=lambda pk: lines[pk].position)]


def plan_serials(
    parsed: csvio.Parsed, *, replenishment_id: int, line_id: int | None = None, answers: Mapping[str, str] | None = None
) -> Plan:
    """Compare a file with the lines; writes nothing. The statements grow with the number of SKUs, not of rows.

    Args:
        parsed: the file as it was read by SCHEMA, or by LINE_SCHEMA for one line.
        replenishment_id: the replenishment.
        line_id: its line, where the file is of one line.
        answers: to questions about its rows.

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
    rows = _by_sku(parsed.rows, lines, lines[0].sku.code if line_id is not None else "")
    for code in list(rows):
        if text := _why_not(of_sku.get(code, []), is_of_line=line_id is not None):
            plan.errors += [csvio.RowError(row.line, "SKU", text, row.values["SKU"]) for row in rows.pop(code)]
    counts = planned_counts(lines)
    for code, own in _asked(plan, rows, of_sku, Given(answers or {})).items():
        plan.serials += _spread(own, of_sku[code], counts, plan.errors)
    plan.serials.sort(key=lambda serial: serial.row)
    plan.errors.sort(key=lambda error: error.line)
    return plan


def _by_sku(rows: Iterable[csvio.Row], lines: Sequence[ReplenishmentLine], own_code: str) -> dict[str, list[csvio.Row]]:
    """Code of a SKU, or the name that no line has → its rows. What is no code may be another name, such as a GTIN."""
    codes = {line.sku.code: line.sku.code for line in lines}
    keys = {line.sku.code_key: line.sku.code for line in lines}
    found: dict[str, list[csvio.Row]] = defaultdict(list)
    for row in rows:
        name = row.values["SKU"] or own_code
        found[codes.get(name) or keys.get(identity.sought(name), name)].append(row)
    others = skus_named([name for name in found if name not in codes])
    for name, sku in others.items():
        if sku is not None and sku.code != name:
            found[sku.code] += found.pop(name)
    return found


def _asked(
    plan: Plan, rows: Mapping[str, Sequence[csvio.Row]], of_sku: Mapping[str, Sequence[ReplenishmentLine]], given: Given
) -> dict[str, list[csvio.Row]]:
    """The rows by SKU with the serials that their cells are; a row may have several, and one in question has none."""
    found = {row.line: (code, row) for code, own in rows.items() for row in own}
    expected = {line: Expected(of_sku[code][0].sku) for line, (code, _row) in found.items()}
    entries = [Entry(found[line][1].values["Serial"], line) for line in sorted(found)]
    inquiry = Inquiry(entries, SerialJudge(expected), given, most=MOST_ROWS)
    plan.questions = inquiry.questions
    for line, refused in inquiry.refused:
        plan.errors.append(csvio.RowError(line, "Serial", refused.words, refused.typed[:200]))
    text = _("Somebody has to say what this is: upload the file again.")
    plan.unanswered = [csvio.RowError(line, "Serial", text, asked.typed[:200]) for line, asked in inquiry.unanswered]
    after: dict[str, list[csvio.Row]] = defaultdict(list)
    for line, taken in groupby(inquiry.taken, key=lambda each: each[0]):
        code, row = found[line]
        after[code] += [csvio.Row(line, row.values | {"Serial": each.text}) for _line, each in taken]
    return after


@transaction.atomic
def apply_serials(
    *,
    replenishment_id: int,
    parsed: csvio.Parsed,
    actor: Person | None,
    line_id: int | None = None,
    answers: Mapping[str, str] | None = None,
    may_ask: bool = False,
) -> Plan:
    """Plan the good serials of a file, and say what is left out.

    What nobody answered is left out, too, or raises Unanswered where somebody `may_ask`.

    Raises Conflict where the replenishment is not Incomplete any more, or somebody else planned one a moment ago.
    """
    found = locked(replenishment_id, Step.CHANGE)
    plan = plan_serials(parsed, replenishment_id=replenishment_id, line_id=line_id, answers=answers)
    if plan.unanswered and may_ask:
        raise Unanswered(_("Nothing is added yet: say first what the rows in question are."))
    plan.errors = sorted([*plan.errors, *plan.unanswered], key=lambda error: error.line)
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
) -> list[Serial]:
    """Where the serials of one SKU go, for the good rows; what is wrong is added to `errors`."""
    wrong = dict(_faults([row.values["Serial"] for row in rows], lines[0].sku_id)) | dict(_twice(rows))
    rooms = [max(0, line.quantity - counts.get(line.pk, 0)) for line in lines]
    places = chain.from_iterable(map(repeat, lines, rooms))
    total, good = sum(rooms), []
    for place, row in enumerate(rows, 1):
        serial = row.values["Serial"]
        text = wrong.get(place)
        line = None if text else next(places, None)
        if line:
            good.append(Serial(line, serial, row.line))
            continue
        full = _("There is room for %(room)s more serials of this SKU; this one is too many.") % {"room": f"{total:,}"}
        errors.append(csvio.RowError(row.line, "Serial", text or full, serial))
    return good


def _twice(rows: Sequence[csvio.Row]) -> Iterable[tuple[int, str]]:
    """(place from 1, why) of each serial that came before; the words name the line of the file."""
    first: dict[str, tuple[int, int]] = {}
    for place, row in enumerate(rows, 1):
        before, line = first.setdefault(numbering.normalise(row.values["Serial"]), (place, row.line))
        if before != place:
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
