"""Lines of a replenishment from a CSV file: what it would add, row by row, and adding it.

A row with a quantity begins a line. Rows of the same SKU right under it that have no quantity are further lots of that
line. What is wrong with one row leaves out its whole line, so that no line comes without a lot that was meant for it.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _, gettext_lazy

from oms import csvio, identity
from oms.errors import Conflict, DomainError
from oms.models import Person, Sku
from oms.models.keys import validate_identity
from oms.queries.catalogue import LONGEST_SCAN, NO_SKU, SEVERAL_SKUS, skus_named
from oms.scanning import LEAVE, PROPOSED, TAKE, Given, Question, question
from oms.services import audit
from replenishment.lifecycle import Step
from replenishment.models import MOST_LOTS, MOST_UNITS, Replenishment, ReplenishmentLine
from replenishment.services.blank_names import fill
from replenishment.services.drafts import MOST_LINES, LineInput, LotInput, add_lines, locked, touch

MOST_ROWS = 10_000
LOT_LENGTH = 100


def money(text: str) -> Decimal:
    """An amount with a point and four decimals at most, or with a comma and two: 1,234 may mean a thousand."""
    if not re.fullmatch(r"\d{1,8}(\.\d{1,4}|,\d{1,2})?", text, re.ASCII):
        raise DomainError(
            _("Use digits with a point, such as 12.50; four decimals at most. After a comma two at most.")
        )
    return Decimal(text.replace(",", "."))


def _lot(text: str) -> str:
    validate_identity(text)
    if len(text) > LOT_LENGTH:
        raise DomainError(_("%(most)s characters at most.") % {"most": LOT_LENGTH})
    return text


SCHEMA = csvio.Schema(
    [
        csvio.Column(
            "SKU",
            is_required=True,
            may_be_empty=True,
            unless=("GTIN",),
            aliases=csvio.words.SKU,
            max_length=LONGEST_SCAN,
            example="L2201308",
            help=gettext_lazy(
                "A SKU of this account, whatever the case; its GTIN, ProductID or ProductIDWH name it, too."
            ),
        ),
        csvio.Column(
            "Quantity",
            is_required=True,
            may_be_empty=True,
            aliases=csvio.words.QUANTITY,
            example="40",
            help=gettext_lazy(
                "Begins a line. Left empty, the row is another lot of the line above it, which has the same SKU."
            ),
        ),
        csvio.Column(
            "Unit cost",
            aliases=("Cost",),
            example="12.50",
            help=gettext_lazy("In the row that begins the line. May be left out."),
        ),
        csvio.Column("Lot", aliases=csvio.words.LOT, example="LOT-24", help=gettext_lazy("May be left out.")),
        csvio.Column(
            "Expiry",
            aliases=csvio.words.EXPIRY,
            example="2027-01-31",
            help=gettext_lazy("Of the lot: yyyy-mm-dd, or as your spreadsheet writes it; 1/2/2027 is asked about."),
        ),
        csvio.Column(
            "Lot quantity",
            aliases=csvio.words.LOT_QUANTITY,
            example="40",
            help=gettext_lazy("How much of the line is of this lot. Needed where a line has several lots."),
        ),
        csvio.Column(
            "GTIN",
            aliases=csvio.words.GTIN,
            max_length=LONGEST_SCAN,
            help=gettext_lazy("Names the SKU where the column SKU is left out or empty. Leading zeros do not matter."),
        ),
    ],
    max_rows=MOST_ROWS,
    repeats=("SKU", "GTIN"),
)
CLEAN: dict[str, Callable[[str], Any]] = {
    "Quantity": csvio.whole_number(1, MOST_UNITS),
    "Unit cost": money,
    "Lot": _lot,
    "Expiry": csvio.parse_day,
    "Lot quantity": csvio.whole_number(1, MOST_UNITS),
}
"""Cells are cleaned when it is known which line they belong to: a bad one leaves out that whole line."""


@dataclass
class NewLine:
    """A line of the file: its SKU, the rows that it is made of, and what is wrong with any of them."""

    code: str
    sku: Sku | None
    rows: list[csvio.Row]
    errors: list[csvio.RowError] = field(default_factory=list)

    @property
    def quantity(self) -> int:
        """Its pieces."""
        return self.rows[0].values["Quantity"] or 0

    @property
    def lots(self) -> tuple[LotInput, ...]:
        """Its lots; a lot without a quantity is all of the line."""
        return tuple(
            LotInput(row.values["Lot"], row.values["Lot quantity"], row.values["Expiry"])
            for row in self.rows
            if row.values["Lot"]
        )

    def as_input(self) -> LineInput:
        """What the drafts' service takes; for a good line."""
        cost = self.rows[0].values["Unit cost"]
        return LineInput(self.sku.pk if self.sku else 0, self.quantity, unit_cost=cost, lots=self.lots)


@dataclass
class Plan:
    """What a whole file adds. `errors` holds every bad row; `lines` the good lines in the order of the file."""

    row_count: int = 0
    lines: list[NewLine] = field(default_factory=list)
    errors: list[csvio.RowError] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    """What is asked about dates and empty cells before the file can be applied."""

    @property
    def units(self) -> int:
        """How many pieces the good lines have."""
        return sum(line.quantity for line in self.lines)

    @property
    def good_count(self) -> int:
        """How many rows would be used."""
        return sum(len(line.rows) for line in self.lines)


def plan_lines(parsed: csvio.Parsed, *, line_count: int, answers: Mapping[str, str] | None = None) -> Plan:
    """Compare a file with the catalogue; writes nothing. Three queries at most, whatever the number of rows.

    Args:
        parsed: the file as it was read by SCHEMA.
        line_count: how many lines the replenishment has already.
        answers: to the questions which number of its dates is the day, and what SKU rows under another are of.
    """
    given = Given(answers or {})
    filled = fill(parsed.rows, given, is_blank=lambda row: bool(row.above))
    known = skus_named([name for row in filled.rows for name in (row.values["SKU"], row.values["GTIN"]) if name])
    plan = Plan(parsed.row_count, errors=list(parsed.errors))
    unread = {error.line for error in parsed.errors}
    days = _asked_days(filled.rows, given)
    plan.questions = filled.questions + days
    for line in _lines(filled.rows, unread, known, _order(days)):
        _check(line)
        if not line.errors and line_count + len(plan.lines) >= MOST_LINES:
            text = _("A replenishment has %(most)s lines at most.") % {"most": f"{MOST_LINES:,}"}
            line.errors.append(csvio.RowError(line.rows[0].line, "", text, line.rows[0].values["SKU"]))
        if line.errors:
            plan.errors.extend(_with_rest(line))
        else:
            plan.lines.append(line)
    plan.errors.sort(key=lambda error: error.line)
    return plan


@transaction.atomic
def apply_lines(
    *, replenishment_id: int, parsed: csvio.Parsed, actor: Person | None, answers: Mapping[str, str] | None = None
) -> Plan:
    """Add the good lines of a file under those that are there, and say what is left out.

    Raises Conflict where the replenishment is not Incomplete any more, or where nobody has said what a date is.
    """
    found = locked(replenishment_id, Step.CHANGE)
    old = ReplenishmentLine.objects.filter(replenishment=found)
    plan = plan_lines(parsed, line_count=old.count(), answers=answers)
    if any(not each.chosen for each in plan.questions):
        raise Conflict(_("Nothing is added yet: answer first what is asked about its rows."))
    if not plan.lines:
        return plan
    last = old.aggregate(last=Max("position", default=0))["last"]
    add_lines(found, [line.as_input() for line in plan.lines], last=last)
    before = found.quantity
    found.quantity += plan.units
    touch(found, "quantity")
    _record(found, actor, {"quantity": (before, found.quantity), "lines": (None, len(plan.lines))})
    return plan


def _asked_days(rows: Iterable[csvio.Row], given: Given) -> list[Question]:
    """The question which number of a date is the day, where the file has dates that may be two."""
    texts: dict[str, str] = {}
    for row in rows:
        try:
            csvio.parse_day(row.values["Expiry"])
        except csvio.TwoDays:
            texts.setdefault(row.values["Expiry"], f"{row.values['Expiry']} ({_('line %(n)s') % {'n': row.line}})")
        except DomainError:
            continue  # told with the other errors
    return [question("days", texts, (PROPOSED, TAKE, LEAVE), given)] if texts else []


def _order(questions: Sequence[Question]) -> csvio.Order | None:
    chosen = {PROPOSED: "day", TAKE: "month"}
    return chosen.get(questions[0].chosen) if questions else None  # type: ignore[return-value]


def _lines(
    rows: Sequence[csvio.Row], unread: Collection[int], known: Mapping[str, Sku | None], order: csvio.Order | None
) -> Iterable[NewLine]:
    """The rows put together to lines; `unread` are the lines of the file that could not be read."""
    found: list[NewLine] = []
    clean = CLEAN | {"Expiry": csvio.day_in(order)}
    for row in rows:
        values, errors = _values(row, clean)
        sku, fault = _sku(row, known)
        code = sku.code_key if sku else identity.key(row.values["SKU"] or row.values["GTIN"])
        above = found[-1] if found else None
        if not row.values["Quantity"] and above and above.code == code:
            between = sorted(number for number in unread if above.rows[-1].line < number < row.line)
            if between:
                text = _("It may belong to the same line as line %(line)s, which cannot be read.")
                errors.append(csvio.RowError(row.line, "", text % {"line": between[0]}, row.values["SKU"]))
            above.rows.append(csvio.Row(row.line, values))
            above.errors.extend(errors)
            continue
        if not row.values["Quantity"]:
            text = _("No quantity, and it does not follow a row of the same SKU that begins a line.")
            errors.append(csvio.RowError(row.line, "Quantity", text))
        if fault:
            errors.append(fault)
        found.append(NewLine(code, sku, [csvio.Row(row.line, values)], errors))
    return found


def _sku(row: csvio.Row, known: Mapping[str, Sku | None]) -> tuple[Sku | None, csvio.RowError | None]:
    """The SKU that a row names, and what is wrong with the name."""
    column = "SKU" if row.values["SKU"] else "GTIN"
    name = row.values[column]
    sku = known.get(name)
    other = known.get(row.values["GTIN"])
    if sku is not None and other is not None and other.pk != sku.pk:
        text = _("This is the GTIN of %(other)s, but the row names %(sku)s.") % {"other": other.code, "sku": sku.code}
        return None, csvio.RowError(row.line, "GTIN", text, row.values["GTIN"])
    if sku is not None:
        return sku, None
    if not name:
        return None, csvio.RowError(row.line, "SKU", _("Name the SKU or its GTIN."))
    return None, csvio.RowError(row.line, column, str(SEVERAL_SKUS if name in known else NO_SKU), name)


def _values(row: csvio.Row, clean: Mapping[str, Callable[[str], Any]]) -> tuple[dict[str, Any], list[csvio.RowError]]:
    """The cells of a row as values, None where they are empty or wrong, and what is wrong with them."""
    values: dict[str, Any] = {"SKU": row.values["SKU"] or row.values["GTIN"]}
    errors = []
    for name, make in clean.items():
        text, values[name] = row.values[name], None
        try:
            values[name] = make(text) if text else None
        except ValidationError as error:
            errors.append(csvio.RowError(row.line, name, " ".join(error.messages), text))
        except DomainError as error:
            errors.append(csvio.RowError(row.line, name, str(error), text))
    return values, errors


def _check(line: NewLine) -> None:
    """Find what is wrong with the rows of a line together."""
    for row in line.rows[1:]:
        if not row.values["Lot"]:
            text = _("No quantity. Without one the row is another lot of the line above it, but it names no lot.")
            line.errors.append(_error(row, "Quantity", text))
        if row.values["Unit cost"] is not None:
            text = _("The unit cost belongs into the row that begins the line.")
            line.errors.append(_error(row, "Unit cost", text))
    lots = [row for row in line.rows if row.values["Lot"]]
    if len(lots) > MOST_LOTS:
        text = _("A line has %(most)s lots at most.") % {"most": MOST_LOTS}
        line.errors.append(_error(lots[MOST_LOTS], "Lot", text))
    _check_lots(line)


def _check_lots(line: NewLine) -> None:
    seen: dict[str, int] = {}
    total = 0
    has_several = sum(1 for row in line.rows if row.values["Lot"]) > 1
    for row in line.rows:
        lot, quantity = row.values["Lot"], row.values["Lot quantity"]
        for name in ("Expiry", "Lot quantity"):
            if not lot and row.values[name] is not None:
                line.errors.append(_error(row, name, _("Name the lot that this is about.")))
        if not lot:
            continue
        first = seen.setdefault(identity.key(lot), row.line)
        if first != row.line:
            line.errors.append(_error(row, "Lot", _("The same lot as in line %(line)s.") % {"line": first}))
        if has_several and quantity is None:
            line.errors.append(_error(row, "Lot quantity", _("Needed, because the line has several lots.")))
        total += quantity or 0
        if total > line.quantity > 0:
            words = {"lots": total, "units": line.quantity}
            text = _("The lots add up to %(lots)s so far, but the line has %(units)s units.") % words
            line.errors.append(_error(row, "Lot quantity", text))


def _with_rest(line: NewLine) -> Iterable[csvio.RowError]:
    """The errors of a line, and one for each of its good rows, which are left out with it."""
    wrong = [error.line for error in line.errors]
    yield from line.errors
    text = _("Left out with line %(line)s, which belongs to it.")
    for row in line.rows:
        if row.line not in wrong:
            yield csvio.RowError(row.line, "", text % {"line": wrong[0]}, row.values["SKU"])


def _error(row: csvio.Row, column: str, text: str) -> csvio.RowError:
    raw = row.values.get(column)
    return csvio.RowError(row.line, column, text, "" if raw is None else str(raw))


def _record(found: Replenishment, actor: Person | None, changes: audit.Changes) -> None:
    audit.record(
        actor=actor,
        action="Lines uploaded",
        kind="replenishment",
        object_id=found.pk,
        label=found.number,
        changes=changes,
    )
