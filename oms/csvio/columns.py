"""What is declared of a file, and what is read from it: its columns, its rows, what is wrong with them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from oms.errors import Text

ERROR_HEADER = ("Line", "Column", "Reason", "Cell")


@dataclass(frozen=True)
class Column:
    """One column of a file.

    Args:
        name: the header as the template and exports write it; it is also the key in `Row.values`.
        clean: makes the value from the cell's text, which is trimmed and not empty. A ValidationError or DomainError
            that it raises is shown as it is; a ValueError becomes "… is not valid here".
        is_required: the column must be there, and no cell of it may be empty.
        may_be_empty: of a required one, its cells may be empty all the same.
        unless: of a required one, other columns: a file that has all of them may leave this out, or cells of it empty.
        instead_of: another column; this one is read only in files that lack that one.
        aliases: other headers that mean this column. Case, spaces, dashes and underscores never matter.
        help: one sentence for the page.
        example: a cell's text as a person would type it.
        max_length: the most characters of a cell.
        empty: the value of an empty cell, and of a column that the file has not got.
    """

    name: str
    clean: Callable[[str], Any] = str
    is_required: bool = False
    may_be_empty: bool = False
    unless: tuple[str, ...] = ()
    instead_of: str = ""
    aliases: tuple[str, ...] = ()
    help: Text = ""
    example: str = ""
    max_length: int = 250
    empty: Any = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One good row: the number of its first line in the file, counted from 1, and a value per declared column.

    `above` is what the last row above names, where this one names nothing (`Schema.repeats`); empty where no row does,
    or where one between them cannot be read.
    """

    line: int
    values: dict[str, Any]
    above: str = ""


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong in one line. `column` is empty where the whole row is meant; `raw` is the cell as it is there."""

    line: int
    column: str
    message: str
    raw: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For a job's result, which is JSON."""
        return {"line": self.line, "column": self.column, "message": self.message, "raw": self.raw}


def error_rows(errors: Iterable[RowError]) -> Iterator[tuple[int, str, str, str]]:
    """The errors as rows under ERROR_HEADER, for a file of them: `write(error_rows(errors), ERROR_HEADER)`."""
    return ((error.line, error.column, error.message, error.raw) for error in errors)


@dataclass(frozen=True)
class Parsed:
    """A file that was read to its end.

    `columns` are the declared ones that it has; `ignored_columns` its headers that mean nothing here;
    `missing_columns` the required ones it has not: then there are no rows, and one error per missing column.
    `header_line` is the line of its header, and `above` are the lines above it with their texts: none of them is read.
    `row_count` counts good and bad rows. `encoding` is utf-8, utf-16 or cp1252, the last being a guess.
    """

    rows: list[Row] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    ignored_columns: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()
    header_line: int = 1
    above: tuple[tuple[int, str], ...] = ()
    row_count: int = 0
    encoding: str = "utf-8"
    delimiter: str = ","

    @property
    def is_ok(self) -> bool:
        """Every row is good."""
        return not self.errors
