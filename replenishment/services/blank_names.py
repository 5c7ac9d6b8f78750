"""Rows of a file that name no SKU, under one that does: so merged cells are saved. They are asked about once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from django.utils.translation import gettext as _

from oms.csvio import Row
from oms.scanning import LEAVE, PROPOSED, TAKE, Given, Question, question


@dataclass(frozen=True)
class Filled:
    """The rows that can be used, those that wait for an answer, and the question about them if there is one."""

    rows: list[Row]
    unanswered: list[Row] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)


def fill(rows: Sequence[Row], given: Given, *, is_blank: Callable[[Row], bool], has_own: bool = False) -> Filled:
    """The rows, with the SKU of the row above in those that are blank, if that is the answer.

    Args:
        rows: of a file, with the column SKU.
        given: the answers.
        is_blank: whether a row needs the SKU of the one above.
        has_own: whether all of the file may be about one SKU, which goes without saying.
    """
    blank = [row for row in rows if is_blank(row)]
    if not blank:
        return Filled(list(rows))
    texts = {f"{row.line}\0{_said(row)}\0{row.above}": _words(row) for row in blank}
    asked = question("blank", texts, (PROPOSED, TAKE, LEAVE) if has_own else (PROPOSED, LEAVE), given)
    lines = {row.line for row in blank}
    if asked.chosen == PROPOSED:
        filled = [replace(r, values=r.values | {"SKU": r.above}) if r.line in lines else r for r in rows]
        return Filled(filled, questions=[asked])
    if asked.chosen == TAKE:
        return Filled(list(rows), questions=[asked])
    left = [row for row in rows if row.line not in lines]
    return Filled(left, [] if asked.chosen else blank, [asked])


def _said(row: Row) -> str:
    return ", ".join(str(value) for name, value in row.values.items() if value and name != "SKU")


def _words(row: Row) -> str:
    return _("line %(line)s, %(text)s: %(sku)s") % {"line": row.line, "text": _said(row), "sku": row.above}
