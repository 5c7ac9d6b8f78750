"""Files of lines and of serials that are too large to be applied while a page waits, as jobs; and what a file did."""

from typing import Any

from django.utils.translation import gettext as _, ngettext

from oms import csvio, files
from oms.errors import DomainError
from oms.jobs import Progress
from replenishment.services import lines_csv, serials_csv

KEPT = 1_000
"""How many errors of a file its job keeps."""


def run_lines_job(progress: Progress) -> None:
    """The job "replenishment.lines_csv": an uploaded file of lines, applied as its page showed it."""
    with files.open_file(progress.input_file) as file:
        parsed = lines_csv.SCHEMA.read(file)
    progress.step(0, parsed.row_count)
    plan = lines_csv.apply_lines(
        replenishment_id=progress.params["replenishment_id"],
        parsed=parsed,
        actor=progress.person,
        answers=progress.params.get("answers"),
    )
    progress.step(parsed.row_count, parsed.row_count)
    progress.finish(lines_result(plan))


def run_serials_job(progress: Progress) -> None:
    """The job "replenishment.serials_csv": an uploaded file of serials, applied as its page showed it."""
    line_id = progress.params["line_id"]
    schema = serials_csv.SCHEMA if line_id is None else serials_csv.LINE_SCHEMA
    with files.open_file(progress.input_file) as file:
        parsed = schema.read(file)
    progress.step(0, parsed.row_count)
    plan = serials_csv.apply_serials(
        replenishment_id=progress.params["replenishment_id"],
        parsed=parsed,
        actor=progress.person,
        line_id=line_id,
        answers=progress.params.get("answers"),
    )
    progress.step(parsed.row_count, parsed.row_count)
    progress.finish(serials_result(plan))


def lines_result(plan: lines_csv.Plan) -> dict[str, Any]:
    """What the page of the job shows. Raises DomainError where nothing was good."""
    count = len(plan.lines)
    text = ngettext("%(count)s line is added.", "%(count)s lines are added.", count) % {"count": f"{count:,}"}
    return _result(text, {_("Lines"): count, _("Units"): plan.units}, plan.errors, has_any=bool(count))


def serials_result(plan: serials_csv.Plan) -> dict[str, Any]:
    """What the page of the job shows. Raises DomainError where nothing was good."""
    count = len(plan.serials)
    text = ngettext("%(count)s serial is added.", "%(count)s serials are added.", count) % {"count": f"{count:,}"}
    return _result(text, {_("Serials"): count, _("Lines"): len(plan.by_line)}, plan.errors, has_any=bool(count))


def _result(text: str, counts: dict[str, int], errors: list[csvio.RowError], *, has_any: bool) -> dict[str, Any]:
    if not has_any:
        raise DomainError(_("No row of this file can be used any more. Open its page to see why."))
    return {
        "summary": text,
        "counts": {**counts, _("Rows left out"): csvio.line_count(errors)},
        "errors": [error.as_dict() for error in errors[:KEPT]],
        "error_count": csvio.line_count(errors),
    }
