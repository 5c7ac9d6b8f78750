"""Serials from a CSV file with the supplier's own numbers: what it would plan, row by row, and planning them.

They are spread over the In/Out lines of their SKU in the order of the lines, as far as these have room. Rows that look
like something else than one serial wait for an answer: see `oms.scanning`.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, repeat

from django.db import transaction
from django.utils.translation import gettext as _, gettext_lazy

from oms import csvio, identity
from oms.errors import Conflict
from oms.models import Person, Workflow
from oms.queries.catalogue import LONGEST_SCAN, SEVERAL_SKUS, skus_named
from oms.queries.scans import Expected, SerialJudge
from oms.scanning import Asked, Entry, Given, Inquiry, Question, Refused, Verdict, of_ends
from oms.services import audit
from replenishment.lifecycle import Step
from replenishment.models import Replenishment, ReplenishmentLine
from replenishment.services.blank_names import fill
from replenishment.services.drafts import GONE, locked, touch
from replenishment.services.planning import BadSerials, check_serials, named, plan_typed, planned_counts
from serials import numbering

MOST_ROWS = 50_000
# A serial is cleaned with the others of its SKU, so that one rule holds for typed and uploaded ones.
_SERIAL = csvio.Column(
    "Serial",
    is_required=True,
    unless=("From", "To"),
    max_length=10 * numbering.LONGEST,
    aliases=csvio.words.SERIAL,
    example="SUP-000123",
    help=gettext_lazy("One a row. What looks like a range, a list or a slip of a spreadsheet is asked about."),
)
_ENDS = [
    csvio.Column(
        "From",
        instead_of="Serial",
        max_length=numbering.LONGEST,
        aliases=csvio.words.FIRST,
        help=gettext_lazy("In a file without Serial: each row is a range, and this is its first serial."),
    ),
    csvio.Column(
        "To",
        instead_of="Serial",
        max_length=numbering.LONGEST,
        aliases=csvio.words.LAST,
        help=gettext_lazy("The last serial of the row."),
    ),
]
SCHEMA = csvio.Schema(
    [
        csvio.Column(
            "SKU",
            is_required=True,
            may_be_empty=True,
            aliases=csvio.words.SKU,
            max_length=LONGEST_SCAN,
            example="L2201308",
            help=gettext_lazy(
                "An In/Out SKU of this replenishment, whatever the case. Left empty under one, it is asked about."
            ),
        ),
        _SERIAL,
        *_ENDS,
    ],
    max_rows=MOST_ROWS,
    repeats=("SKU",),
)
LINE_SCHEMA = csvio.Schema(
    [
        _SERIAL,
        csvio.Column(
            "SKU",
            aliases=csvio.words.SKU,
            max_length=LONGEST_SCAN,
            help=gettext_lazy("May be left out. A row that names another SKU than the line's is not used."),
        ),
        *_ENDS,
    ],
    max_rows=MOST_ROWS,
    alone="Serial",
    repeats=("SKU",),
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
    lines = _lines_of(replenishment_id, line_id)
    own = lines[0].sku.code if line_id is not None else ""
    plan = Plan(parsed.row_count, errors=list(parsed.errors))
    of_sku: dict[str, list[ReplenishmentLine]] = defaultdict(list)
    for line in lines:
        of_sku[line.sku.code].append(line)
    given = Given(answers or {})
    names = _Names({name for row in parsed.rows for name in (row.values["SKU"], row.above) if name}, lines)
    rows = _by_sku(plan, parsed.rows, names, own, given)
    for code in list(rows):
        text = str(SEVERAL_SKUS) if code in names.several else _why_not(of_sku.get(code, []), is_of_line=bool(own))
        if text:
            plan.errors += [csvio.RowError(row.line, "SKU", text, row.values["SKU"]) for row in rows.pop(code)]
    counts = planned_counts(lines)
    for code, taken in _asked(plan, rows, of_sku, given).items():
        plan.serials += _spread(taken, of_sku[code], counts, plan.errors)
    plan.serials.sort(key=lambda serial: serial.row)
    plan.errors.sort(key=lambda error: error.line)
    return plan


def _lines_of(replenishment_id: int, line_id: int | None) -> list[ReplenishmentLine]:
    """The lines in their order, or the one; raises Conflict where that is gone."""
    rows = ReplenishmentLine.objects.filter(replenishment=replenishment_id).select_related("sku").order_by("position")
    lines = list(rows if line_id is None else rows.filter(pk=line_id))
    if line_id is not None and not lines:
        raise Conflict(GONE)
    return lines


class _Names:
    """What the names of SKUs in a file mean: a code, or another name such as a GTIN."""

    def __init__(self, names: Collection[str], lines: Sequence[ReplenishmentLine]) -> None:
        codes = {line.sku.code: line.sku.code for line in lines}
        keys = {line.sku.code_key: line.sku.code for line in lines}
        self.codes = {name: codes.get(name) or keys.get(identity.sought(name), "") for name in names}
        others = skus_named([name for name, code in self.codes.items() if not code])
        self.several = {name for name, sku in others.items() if sku is None}
        self.codes |= {name: sku.code for name, sku in others.items() if sku is not None}

    def code(self, name: str) -> str:
        """The code of the SKU; the name itself where it means none."""
        return self.codes[name] or name


def _by_sku(
    plan: Plan, rows: Sequence[csvio.Row], names: _Names, own_code: str, given: Given
) -> dict[str, list[csvio.Row]]:
    """Code of a SKU, or the name that means none → its rows. Rows without a name are asked about."""

    def is_blank(row: csvio.Row) -> bool:
        return bool(not row.values["SKU"] and row.above and names.code(row.above) != own_code)

    filled = fill(rows, given, is_blank=is_blank, has_own=bool(own_code))
    plan.questions += filled.questions
    plan.unanswered += [csvio.RowError(row.line, "SKU", _unanswered()) for row in filled.unanswered]
    found: dict[str, list[csvio.Row]] = defaultdict(list)
    for row in filled.rows:
        name = row.values["SKU"]
        if name or own_code:
            found[names.code(name) if name else own_code].append(row)
        else:
            plan.errors.append(csvio.RowError(row.line, "SKU", csvio.is_needed("SKU")))
    return found


class _RowJudge:
    """Says what the rows of a file are: the serials of their cells or, where they have none, of a range of two ends."""

    def __init__(self, rows: Mapping[int, csvio.Row], expected: Mapping[int, Expected]) -> None:
        self.ends: dict[int, Asked | Refused] = {
            line: of_ends(row.values["From"], row.values["To"])
            for line, row in rows.items()
            if not row.values["Serial"]
        }
        self.judge = SerialJudge(expected)

    def __call__(self, entries: Sequence[Entry]) -> list[Verdict]:
        """The verdicts in the order of the entries."""
        others = iter(self.judge([entry for entry in entries if entry.place not in self.ends]))
        return [self.ends[entry.place] if entry.place in self.ends else next(others) for entry in entries]


def _asked(
    plan: Plan, rows: Mapping[str, Sequence[csvio.Row]], of_sku: Mapping[str, Sequence[ReplenishmentLine]], given: Given
) -> dict[str, list[csvio.Row]]:
    """The rows by SKU with the serials that their cells are; a row may have several, and one in question has none.

    A row is used whole or not at all: one with anything refused or in question has none either.
    """
    found = {row.line: (code, row) for code, own in rows.items() for row in own}
    expected = {line: Expected(of_sku[code][0].sku) for line, (code, _row) in found.items()}
    judge = _RowJudge({line: row for line, (_code, row) in found.items()}, expected)
    entries = [Entry(found[line][1].values["Serial"], line) for line in sorted(found)]
    inquiry = Inquiry(entries, judge, given, most=MOST_ROWS)
    plan.questions += inquiry.questions
    for line, refused in inquiry.refused:
        column = "From, To" if line in judge.ends else "Serial"
        plan.errors.append(csvio.RowError(line, column, refused.words, refused.typed[:200]))
    for line, asked in inquiry.unanswered:
        plan.unanswered.append(csvio.RowError(line, "Serial", _unanswered(), asked.typed[:200]))
    out = {line for line, _verdict in (*inquiry.refused, *inquiry.unanswered)}
    after: dict[str, list[csvio.Row]] = defaultdict(list)
    for line, each in inquiry.taken:
        code, row = found[line]
        if line not in out:
            after[code].append(csvio.Row(line, row.values | {"Serial": each.text}))
    return after


def _unanswered() -> str:
    return _("Somebody has to say what this is: upload the file again.")


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
    """Where the serials of one SKU go, for the good rows; what is wrong is added to `errors`.

    A row of the file that is several serials is used whole or not at all.
    """
    wrong = dict(_faults([row.values["Serial"] for row in rows], lines[0].sku_id)) | dict(_twice(rows))
    rooms = [max(0, line.quantity - counts.get(line.pk, 0)) for line in lines]
    places = chain.from_iterable(map(repeat, lines, rooms))
    total, good = sum(rooms), list[Serial]()
    for number, group in groupby(enumerate(rows, 1), key=lambda each: each[1].line):
        own = [(place, row.values["Serial"]) for place, row in group]
        bad = [csvio.RowError(number, "Serial", wrong[place], serial) for place, serial in own if place in wrong]
        if not bad and len(own) > total - len(good):
            bad = [csvio.RowError(number, "Serial", _too_many(len(own), total, len(good)), own[0][1])]
        errors += bad
        good += [] if bad else [Serial(next(places), serial, number) for _place, serial in own]
    return good


def _too_many(count: int, total: int, used: int) -> str:
    """Why a row of so many serials does not fit any more."""
    if count == 1:
        words = _("There is room for %(room)s more serials of this SKU; this one is too many.")
        return words % {"room": f"{total:,}"}
    words = _("This row is %(count)s serials, and there is room for %(left)s more of this SKU: none of it is used.")
    return words % {"count": f"{count:,}", "left": f"{total - used:,}"}


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
