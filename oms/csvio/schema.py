"""What a kind of file holds, declared once, and reading a file by that declaration."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from oms import identity
from oms.csvio.cleaning import plain
from oms.csvio.reading import (
    DELIMITERS,
    MOST_OF_CELL,
    Broken,
    FileRefused,
    Readable,
    Record,
    named_delimiter,
    not_csv,
    read_lines,
    records,
)
from oms.csvio.writing import unescape, write
from oms.errors import DomainError, Text

MAX_BYTES = 25 * 1024 * 1024
MAX_ROWS = 200_000
SHOWN = 200
"""How many characters of a bad cell an error repeats."""
HEAD = 100
"""The delimiter is told from so many lines."""
PREAMBLE = 20
"""So many records may stand above the header: a title, an address, a date."""
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
        unless: of a required one, another column: a file that has that one may leave this out, or cells of it empty.
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
    unless: str = ""
    aliases: tuple[str, ...] = ()
    help: Text = ""
    example: str = ""
    max_length: int = 250
    empty: Any = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One good row: the number of its first line in the file, counted from 1, and a value per declared column."""

    line: int
    values: dict[str, Any]


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
    `row_count` counts good and bad rows. `encoding` is utf-8, utf-16 or cp1252, the last being a guess.
    """

    rows: list[Row] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    ignored_columns: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()
    row_count: int = 0
    encoding: str = "utf-8"
    delimiter: str = ","

    @property
    def is_ok(self) -> bool:
        """Every row is good."""
        return not self.errors


class Schema:
    """What a kind of file holds.

    Args:
        columns: in the order of the template.
        key: names of columns that identify a row; a second row with the same (upper and lower case are the same) is an
            error that names the line of the first.
        max_bytes, max_rows: a larger file is refused.
        alone: the column that a file of one column means which has no header.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        key: Sequence[str] = (),
        max_bytes: int = MAX_BYTES,
        max_rows: int = MAX_ROWS,
        alone: str = "",
    ) -> None:
        self.columns, self.key = tuple(columns), tuple(key)
        self.max_bytes, self.max_rows, self.alone = max_bytes, max_rows, alone
        self._names: dict[str, str] = {}
        for column in self.columns:
            for name in {plain(name) for name in (column.name, *column.aliases)}:
                if name in self._names:
                    raise ValueError(f"Two columns are called {name!r}.")
                self._names[name] = column.name
        if unknown := set(self.key) - set(self.header):
            raise ValueError(f"No such columns: {unknown}.")

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def help_text(self) -> str:
        """The columns in one sentence, for beside the upload field; for a table of them go through `columns`."""
        optional = _("%(column)s (may be left out)")
        named = [c.name if c.is_required else optional % {"column": c.name} for c in self.columns]
        return _("Columns: %(columns)s. Their order does not matter.") % {"columns": ", ".join(named)}

    def template(self, *, has_example: bool = False) -> bytes:
        """A file with the header line and, where asked for, one example row, that any spreadsheet opens."""
        example = [[column.example for column in self.columns]] if has_example else []
        return b"".join(write(example, self.header))

    def read(self, file: Readable) -> Parsed:
        """Read and check a whole file; every bad row is reported, none is applied.

        Raises FileRefused where it is no CSV file, too large, or has no rows.
        """
        parsed, found = self.stream(file)
        seen: dict[str, int] = {}
        count = 0
        for count, each in enumerate(found, start=1):  # noqa: B007  (the last one counts)
            errors = each if isinstance(each, list) else self._second(each, seen)
            if isinstance(each, Row) and not errors:
                parsed.rows.append(each)
            parsed.errors.extend(errors)
        return replace(parsed, row_count=count)

    def stream(self, file: Readable) -> tuple[Parsed, "Iterator[Row | list[RowError]]"]:
        """What the header says, and every row as it is read: a good one, or all that is wrong with it.

        For files of many rows: none is kept, so memory does not grow with the file, and a second row of the same key is
        the caller's to find. Raises FileRefused as `read` does; what only the rows show, while they are read.
        """
        line, cells, found, encoding, delimiter = self._begin(file)
        places = self._places(cells)
        parsed = Parsed(
            columns=tuple(name for name in self.header if name in places),
            ignored_columns=tuple(c.strip() for c in cells if c.strip() and plain(c) not in self._names),
            missing_columns=tuple(
                c.name for c in self.columns if c.is_required and not {c.name, c.unless} & places.keys()
            ),
            encoding=encoding,
            delimiter=delimiter,
        )
        if parsed.missing_columns:
            errors = [RowError(line, name, _missing(name, cells)) for name in parsed.missing_columns]
            return replace(parsed, errors=errors), iter(())
        return parsed, self._rows(len(cells), places, found)

    def check(self, file: Readable) -> None:
        """Raise FileRefused as `read` does, but for what only the rows show: cheap, for the moment of the upload."""
        _line, cells, found, _encoding, _delimiter = self._begin(file)
        places = self._places(cells)
        if next(found, None) is None and places:
            raise FileRefused(_("The file has a header, but no rows under it. Fill it and upload it again."))

    def raw_rows(self, file: Readable) -> Iterator[tuple[int, list[str]]]:
        """The number of each line and the declared columns' cells as they are there, empty where the row has none.

        For a file of bad rows that can be corrected. Raises FileRefused as `read` does.
        """
        _line, header, found, _encoding, _delimiter = self._begin(file)
        places = self._places(header)
        for line, cells in found:
            own = [] if isinstance(cells, Broken) else cells
            yield line, [own[place] if (place := places.get(name, len(own))) < len(own) else "" for name in self.header]

    def _begin(self, file: Readable) -> tuple[int, list[str], Iterator[Record], str, str]:
        """The header's line and cells, the records below it, the encoding and the delimiter.

        The header is the first record that has every column that is required; where none has, the first record.
        """
        found, encoding, delimiter = self._records(file)
        first = list(islice(found, PREAMBLE))
        line, cells = _first(first)
        if self._has_no_header(first):
            return line, [self.alone], chain(first, found), encoding, delimiter
        for place, (above, own) in enumerate(first):
            if not isinstance(own, Broken) and self._is_header(own):
                line, cells, first = above, own, first[place:]
                break
        return line, _without_empty_end(cells), chain(first[1:], found), encoding, delimiter

    def _is_header(self, cells: Sequence[str]) -> bool:
        names = {self._names.get(plain(cell)) for cell in cells}
        return not any(c.is_required and not {c.name, c.unless} & names for c in self.columns)

    def _has_no_header(self, first: Sequence[Record]) -> bool:
        """Whether a file that may be one column is that column from its first line on: it has a digit, as a serial."""
        cells = [_without_empty_end(cells) for _line, cells in first if not isinstance(cells, Broken)]
        is_one_column = bool(self.alone and cells) and all(len(own) == 1 for own in cells)
        return is_one_column and not self._is_header(cells[0]) and any(char.isdigit() for char in cells[0][0])

    def _records(self, file: Readable) -> tuple[Iterator[Record], str, str]:
        """The records of a file, its encoding and its delimiter."""
        lines, encoding = read_lines(file, max_bytes=self.max_bytes)
        head = list(islice(lines, HEAD))
        named = named_delimiter(head)
        delimiter = named or max(DELIMITERS, key=lambda candidate: self._fitness(head, candidate))
        before = 1 if named else 0
        return records(chain(head[before:], lines), delimiter, before=before), encoding, delimiter

    def _fitness(self, lines: Sequence[str], delimiter: str) -> tuple[int, int]:
        """How well a delimiter explains the first lines: declared columns found in one of them, then its cells."""
        first = islice(records(lines, delimiter), PREAMBLE)
        rows = [cells for _line, cells in first if not isinstance(cells, Broken)]
        return max(((sum(plain(cell) in self._names for cell in own), len(own)) for own in rows), default=(0, 0))

    def _places(self, cells: Sequence[str]) -> dict[str, int]:
        places: dict[str, int] = {}
        for place, cell in enumerate(cells):
            name = self._names.get(plain(cell))
            if name in places:
                raise FileRefused(_("The column %(column)s is there twice. Remove one.") % {"column": name})
            if name:
                places[name] = place
        return places

    def _rows(self, width: int, places: Mapping[str, int], found: Iterator[Record]) -> "Iterator[Row | list[RowError]]":
        plan = [
            (replace(column, is_required=False) if column.unless in places else column, places.get(column.name))
            for column in self.columns
        ]
        count = 0
        for count, (line, cells) in enumerate(found, start=1):
            if count > self.max_rows:
                most = f"{self.max_rows:,}"
                raise FileRefused(_("The file has more than %(most)s rows. Split it.") % {"most": most})
            if isinstance(cells, Broken) or len(cells) < width or any(map(str.strip, cells[width:])):
                yield [_ragged(line, cells, width)]
                continue
            values, errors = _values(line, cells, plan)
            yield errors or Row(line, values)
        if not count:
            raise FileRefused(_("The file has a header, but no rows under it. Fill it and upload it again."))

    def _second(self, row: Row, seen: dict[str, int]) -> list[RowError]:
        """An error for a row whose key an earlier row has."""
        if not self.key:
            return []
        # One string instead of a tuple of them: 200,000 tuples would keep the garbage collector busy.
        earlier = seen.setdefault("\0".join([identity.key(str(row.values[name])) for name in self.key]), row.line)
        if earlier == row.line:
            return []
        names = ", ".join(self.key)
        message = _("The same %(columns)s as in line %(line)s.") % {"columns": names, "line": earlier}
        return [RowError(row.line, names, message, ", ".join(str(row.values[name]) for name in self.key)[:SHOWN])]


def _first(found: Sequence[Record]) -> tuple[int, list[str]]:
    """The first record's line and cells. Raises FileRefused where it has none."""
    if not found:
        raise FileRefused(_("The file is empty. Download the template and fill it."))
    line, cells = found[0]
    if isinstance(cells, Broken):
        raise not_csv(
            _long_cell() if cells is Broken.LONG_CELL else _("a quotation mark in its first line is not closed.")
        )
    return line, cells


def _without_empty_end(cells: Sequence[str]) -> list[str]:
    """The cells without empty ones behind the last that is not: many a spreadsheet writes them."""
    end = max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0)
    return list(cells[:end])


def _long_cell() -> str:
    return _("A cell has more than %(most)s characters.") % {"most": f"{MOST_OF_CELL:,}"}


def _values(
    line: int, cells: Sequence[str], plan: Iterable[tuple[Column, int | None]]
) -> tuple[dict[str, Any], list[RowError]]:
    values: dict[str, Any] = {}
    errors: list[RowError] = []
    for column, place in plan:
        if place is None:
            values[column.name] = column.empty
            continue
        raw = cells[place]
        try:
            values[column.name] = _value(column, raw)
        except ValidationError as error:
            errors.append(RowError(line, column.name, " ".join(error.messages), raw[:SHOWN]))
        except DomainError as error:
            errors.append(RowError(line, column.name, str(error), raw[:SHOWN]))
        except ValueError:
            errors.append(RowError(line, column.name, _invalid(column, raw), raw[:SHOWN]))
    return values, errors


def _value(column: Column, raw: str) -> Any:
    text = unescape(raw).strip()
    if not text:
        if column.is_required and not column.may_be_empty:
            raise DomainError(_("This cell is empty, but %(column)s is needed.") % {"column": column.name})
        return column.empty
    if len(text) > column.max_length:
        lengths = {"length": f"{len(text):,}", "most": f"{column.max_length:,}"}
        raise DomainError(_("%(length)s characters are too many: %(most)s at most.") % lengths)
    return column.clean(text)


def _invalid(column: Column, raw: str) -> str:
    message = _("“%(cell)s” is not valid here.") % {"cell": raw.strip()[:60]}
    return f"{message} {_('Example: %(example)s') % {'example': column.example}}" if column.example else message


def _ragged(line: int, cells: Sequence[str] | Broken, width: int) -> RowError:
    if cells is Broken.LONG_CELL:
        return RowError(line, "", _long_cell())
    if isinstance(cells, Broken):
        return RowError(line, "", _("A quotation mark in this row is not closed, or text follows a closing one."))
    message = _("This row has %(cells)s cells, the header has %(header)s. Put a cell that holds a delimiter in quotes.")
    return RowError(line, "", message % {"cells": len(cells), "header": width}, ", ".join(cells)[:SHOWN])


def _missing(name: str, cells: Sequence[str]) -> str:
    found = ", ".join(cell.strip() for cell in cells if cell.strip())[:SHOWN]
    return _("The column %(column)s is missing. The file has: %(found)s.") % {"column": name, "found": found}
