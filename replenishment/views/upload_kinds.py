"""The kinds of files that an Incomplete replenishment takes: what is in each, what it would do, and doing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _

from oms import csvio
from oms.access import AccountRequest
from oms.models import Job, JobState, StoredFile
from oms.numbers import whole_number
from oms.scanning import Question, answers_of
from replenishment.models import Replenishment, ReplenishmentLine
from replenishment.services import lines_csv, serials_csv, upload_jobs
from replenishment.services.lookalikes import LookAlike, look_alikes_of
from replenishment.views.documents import address
from serials.lot_dates import doubt

SHOWN = 50
"""How many lines the page lists."""


@dataclass(frozen=True)
class Seen:
    """What a file would do, for its page: numbers with their labels, and a table of the first things that it adds."""

    errors: list[csvio.RowError]
    good_count: int
    row_count: int
    stats: list[tuple[str, int]]
    header: tuple[str, ...] = ()
    rows: list[Sequence[Any]] = field(default_factory=list)
    has_more: bool = False
    alike: list[LookAlike] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    """Sentences about expiries that are hardly meant: who applies the file means them."""
    questions: list[Question] = field(default_factory=list)
    """What is asked about rows before the file can be applied."""

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to say something."""
        return any(not question.chosen for question in self.questions)

    @property
    def lacks_columns(self) -> bool:
        """No row was read, because required columns are not there."""
        return not self.row_count

    @property
    def cells(self) -> list[list[tuple[str, Any]]]:
        """The rows, each cell with its label."""
        return [list(zip(self.header, row, strict=True)) for row in self.rows]


class Upload:
    """One kind of file for one replenishment. Subclasses say what is in it and what it does."""

    job = ""
    name = ""
    schema: csvio.Schema
    routes = ("", "")

    def __init__(self, request: AccountRequest, pk: int) -> None:
        self.request = request
        self.found = get_object_or_404(Replenishment, pk=pk)
        self.params: dict[str, Any] = {"replenishment_id": pk, "answers": dict(answers_of(request.GET).answers)}

    @property
    def title(self) -> str:
        """Words for the page."""
        raise NotImplementedError

    @property
    def done_url(self) -> str:
        """Where the person goes on."""
        return address(self.request, "replenishment", pk=self.found.pk)

    @property
    def query(self) -> str:
        """What the addresses of these pages end with."""
        return ""

    def plan(self, parsed: csvio.Parsed) -> Seen:
        """What the file would do."""
        raise NotImplementedError

    def apply(self, parsed: csvio.Parsed) -> Mapping[str, Any]:
        """Do it; the result of its job."""
        raise NotImplementedError

    def read(self, file: BinaryIO) -> csvio.Parsed:
        """The file by its schema. Raises FileRefused."""
        return self.schema.read(file)

    def key(self, stored: StoredFile) -> str:
        """What tells the job that applies this file here from others: it is done once."""
        return f"{self.job}:{self.found.pk}:{self.params.get('line_id', '')}:{stored.key}"

    def done_by(self, stored: StoredFile) -> Job | None:
        """The job that applied this file here already."""
        return Job.objects.filter(idempotency_key=self.key(stored), state=JobState.DONE).first()

    def url(self, **kwargs: Any) -> str:
        """The page that takes a file, or with `key` the one that says what that file would do."""
        return address(self.request, self.routes[bool(kwargs)], pk=self.found.pk, **kwargs) + self.query


class LinesUpload(Upload):
    """SKUs and quantities with costs and lots."""

    job, name, schema = "replenishment.lines_csv", "lotline-lines", lines_csv.SCHEMA
    routes = ("replenishment_lines_csv", "replenishment_lines_check")

    @property
    def title(self) -> str:
        """Words for the page."""
        return _("Upload lines")

    def plan(self, parsed: csvio.Parsed) -> Seen:
        """The lines that would be added."""
        count = ReplenishmentLine.objects.filter(replenishment=self.found).count()
        plan = lines_csv.plan_lines(parsed, line_count=count, answers=self.params["answers"])
        return Seen(
            plan.errors,
            plan.good_count,
            plan.row_count,
            [(_("New lines"), len(plan.lines)), (_("Units"), plan.units)],
            (_("SKU"), _("Quantity"), _("Unit cost"), _("Lots")),
            [_line_cells(line) for line in plan.lines[:SHOWN]],
            has_more=len(plan.lines) > SHOWN,
            doubts=[
                said
                for line in plan.lines
                for lot in line.lots
                if (said := doubt(lot.number, lot.expires_on, timezone.localdate()))
            ],
            questions=plan.questions,
        )

    def apply(self, parsed: csvio.Parsed) -> Mapping[str, Any]:
        """Add the good lines."""
        plan = lines_csv.apply_lines(parsed=parsed, actor=self.request.user, **self.params)
        return upload_jobs.lines_result(plan)


class SerialsUpload(Upload):
    """The supplier's own numbers, of the whole replenishment or (?line=) of one line."""

    job, name = "replenishment.serials_csv", "lotline-serials"
    routes = ("replenishment_serials_csv", "replenishment_serials_check")

    def __init__(self, request: AccountRequest, pk: int) -> None:
        super().__init__(request, pk)
        self.line: ReplenishmentLine | None = None
        if text := request.GET.get("line", ""):
            rows = ReplenishmentLine.objects.select_related("sku")
            self.line = get_object_or_404(rows, pk=whole_number(text), replenishment=self.found)
        self.params["line_id"] = self.line.pk if self.line else None
        self.schema = serials_csv.LINE_SCHEMA if self.line else serials_csv.SCHEMA

    @property
    def title(self) -> str:
        """Words for the page."""
        if self.line is None:
            return _("Upload serials")
        return _("Upload serials of line %(line)s, %(sku)s") % {"line": self.line.position, "sku": self.line.sku.code}

    @property
    def query(self) -> str:
        """The line, if it is of one."""
        return f"?line={self.line.pk}" if self.line else ""

    @property
    def done_url(self) -> str:
        """The line's page, if it is of one."""
        if self.line is None:
            return super().done_url
        return address(self.request, "replenishment_line_serials", pk=self.line.pk)

    def plan(self, parsed: csvio.Parsed) -> Seen:
        """The serials that would be planned, by line."""
        plan = serials_csv.plan_serials(parsed, **self.params)
        return Seen(
            plan.errors,
            plan.good_count,
            plan.row_count,
            [(_("New serials"), len(plan.serials)), (_("Lines"), len(plan.by_line))],
            (_("Line"), _("SKU"), _("New serials"), _("Units")),
            [(line.position, line.sku.code, count, line.quantity) for line, count in plan.by_line[:SHOWN]],
            has_more=len(plan.by_line) > SHOWN,
            alike=look_alikes_of((row.line.sku_id, row.serial) for row in plan.serials),
            questions=plan.questions,
        )

    def apply(self, parsed: csvio.Parsed) -> Mapping[str, Any]:
        """Plan the good serials."""
        plan = serials_csv.apply_serials(parsed=parsed, actor=self.request.user, may_ask=True, **self.params)
        return upload_jobs.serials_result(plan)


def _line_cells(line: lines_csv.NewLine) -> tuple[str, int, str, str]:
    cost = line.rows[0].values["Unit cost"]
    words = _("%(quantity)s of %(lot)s")
    lots = [
        words % {"quantity": lot.quantity or line.quantity, "lot": lot.number}
        + (f" ({lot.expires_on.isoformat()})" if lot.expires_on else "")
        for lot in line.lots
    ]
    return line.sku.code if line.sku else "", line.quantity, "" if cost is None else str(cost), ", ".join(lots)
