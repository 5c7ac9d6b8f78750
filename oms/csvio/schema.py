"""What a kind of file holds, declared once, and reading a file by that declaration."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from oms import identity
from oms.csvio.cleaning import plain
from oms.csvio.columns import Column, Parsed, Row, RowError
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
from oms.errors import DomainError

MAX_BYTES = 25 * 1024 * 1024
MAX_ROWS = 200_000
SHOWN = 200
"""How many characters of a bad cell an error repeats."""
HEAD = 100
"""The delimiter is told from so many lines."""
PREAMBLE = 20
"""So many records may stand above the header: a title, an address, a date."""


@dataclass(frozen=True)
class _Head:
    """The line and the cells of a header, the lines above it with their texts, and the records below it."""

    line: int
    cells: list[str]
    above: tuple[tuple[int, str], ...]
    rows: Iterator[Record]
    encoding: str
    delimiter: str


class Schema:
    """What a kind of file holds.

    Args:
        columns: in the order of the template.
        key: names of columns that identify a row; a second row with the same (upper and lower case are the same) is an
            error that names the line of the first.
        max_bytes, max_rows: a larger file is refused.
        alone: the column that a file of one column means which has no header.
        repeats: columns of which any names what a row is about; cells left empty under a name may mean the same
            (`Row.above`).
        names_below: so many of its columns a header names that is not the first line.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        key: Sequence[str] = (),
        max_bytes: int = MAX_BYTES,
        max_rows: int = MAX_ROWS,
        alone: str = "",
        repeats: Sequence[str] = (),
        names_below: int = 1,
    ) -> None:
        self.columns, self.key = tuple(columns), tuple(key)
        self.max_bytes, self.max_rows, self.alone = max_bytes, max_rows, alone
        self.repeats, self.names_below = tuple(repeats), names_below
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
        columns = [column for column in self.columns if not column.instead_of]
        example = [[column.example for column in columns]] if has_example else []
        return b"".join(write(example, [column.name for column in columns]))

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
        head = self._begin(file)
        places = self._places(head.cells)
        parsed = Parsed(
            columns=tuple(name for name in self.header if name in places),
            ignored_columns=tuple(c.strip() for c in head.cells if c.strip() and self._name(c) not in places),
            missing_columns=tuple(column.name for column in self._lacking(places)),
            header_line=head.line,
            above=head.above,
            encoding=head.encoding,
            delimiter=head.delimiter,
        )
        if parsed.missing_columns:
            errors = [RowError(head.line, name, _missing(name, head.cells)) for name in parsed.missing_columns]
            return replace(parsed, errors=errors), iter(())
        return parsed, self._rows(len(head.cells), places, head.rows)

    def check(self, file: Readable) -> None:
        """Raise FileRefused as `read` does, but for what only the rows show: cheap, for the moment of the upload."""
        head = self._begin(file)
        if self._places(head.cells) and next(head.rows, None) is None:
            raise FileRefused(_no_rows())

    def as_written(self, file: Readable) -> tuple[tuple[str, ...], Iterator[tuple[int, list[str]]]]:
        """The declared columns that a file has, and of each record its line and those cells as they are there.

        For a file of bad rows that can be corrected. Raises FileRefused as `read` does.
        """
        head = self._begin(file)
        places = self._places(head.cells)
        names = tuple(name for name in self.header if name in places)
        wanted = [places[name] for name in names]

        def cells_of(own: list[str] | Broken) -> list[str]:
            return ["" if isinstance(own, Broken) or place >= len(own) else own[place] for place in wanted]

        return names, ((line, cells_of(own)) for line, own in head.rows)

    def _begin(self, file: Readable) -> _Head:
        """The header is the first record that has every column that is required; where none has, the first record."""
        found, encoding, delimiter = self._records(file)
        first = list(islice(found, PREAMBLE))
        line, cells = _first(first)
        place = next((place for place, (_line, own) in enumerate(first) if self._is_header(own, place)), None)
        if place is None and self._has_no_header(first):
            return _Head(line, [self.alone], (), chain(first, found), encoding, delimiter)
        above = tuple((number, _said(own)) for number, own in first[:place]) if place else ()
        line, cells = _first(first[place or 0 :])
        rows = chain(first[(place or 0) + 1 :], found)
        return _Head(line, _without_empty_end(cells), above, rows, encoding, delimiter)

    def _name(self, cell: str) -> str:
        """The column that a cell of a header names; empty where it names none."""
        return self._names.get(plain(cell), "")

    def _lacking(self, names: Collection[str]) -> list[Column]:
        """The columns that are missing where these are there."""
        return [c for c in self.columns if c.is_required and c.name not in names and not _may_lack(c, names)]

    def _is_header(self, cells: Sequence[str] | Broken, place: int) -> bool:
        names = set() if isinstance(cells, Broken) else {name for cell in cells if (name := self._name(cell))}
        return bool(names) and (place == 0 or len(names) >= self.names_below) and not self._lacking(names)

    def _has_no_header(self, first: Sequence[Record]) -> bool:
        """Whether a file without a header may be one column from its first line on: it has a digit, as a serial."""
        cells = [_without_empty_end(cells) for _line, cells in first if not isinstance(cells, Broken)]
        is_one_column = bool(self.alone and cells) and all(len(own) == 1 for own in cells)
        return is_one_column and any(char.isdigit() for char in cells[0][0])

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
        """Declared column → its place in the file."""
        found = [self._name(cell) for cell in cells]
        unused = {column.name for column in self.columns if column.instead_of and column.instead_of in found}
        places: dict[str, int] = {}
        for place, name in enumerate(found):
            if not name or name in unused:
                continue
            if name in places:
                raise FileRefused(_("The column %(column)s is there twice. Remove one.") % {"column": name})
            places[name] = place
        return places

    def _rows(self, width: int, places: Mapping[str, int], found: Iterator[Record]) -> "Iterator[Row | list[RowError]]":
        plan = [
            (replace(column, is_required=False) if _may_lack(column, places) else column, places.get(column.name))
            for column in self.columns
        ]
        naming = [places[name] for name in self.repeats if name in places]
        count, above = 0, ""
        for count, (line, cells) in enumerate(found, start=1):
            if count > self.max_rows:
                most = f"{self.max_rows:,}"
                raise FileRefused(_("The file has more than %(most)s rows. Split it.") % {"most": most})
            if isinstance(cells, Broken) or len(cells) < width or any(map(str.strip, cells[width:])):
                above = ""
                yield [_ragged(line, cells, width)]
                continue
            values, errors = _values(line, cells, plan)
            name = next((text for place in naming if (text := _text(cells[place]))), "")
            yield errors or Row(line, values, "" if name else above)
            above = name or above
        if not count:
            raise FileRefused(_no_rows())

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


def _may_lack(column: Column, names: Collection[str]) -> bool:
    """Whether a file with these columns may do without this one."""
    return bool(column.unless) and all(name in names for name in column.unless)


def _no_rows() -> str:
    return _("The file has a header, but no rows under it. Fill it and upload it again.")


def _said(cells: Sequence[str] | Broken) -> str:
    """What a line holds, for people."""
    return "" if isinstance(cells, Broken) else ", ".join(filter(None, map(_text, cells)))[:SHOWN]


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
    text = _text(raw)
    if not text:
        if column.is_required and not column.may_be_empty:
            raise DomainError(is_needed(column.name))
        return column.empty
    if len(text) > column.max_length:
        lengths = {"length": f"{len(text):,}", "most": f"{column.max_length:,}"}
        raise DomainError(_("%(length)s characters are too many: %(most)s at most.") % lengths)
    return column.clean(text)


def _text(raw: str) -> str:
    """What a cell says."""
    return unescape(raw).strip().strip("\ufeff").strip()


def is_needed(column: str) -> str:
    """What is told where a cell is empty that may not be."""
    return _("This cell is empty, but %(column)s is needed.") % {"column": column}


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
