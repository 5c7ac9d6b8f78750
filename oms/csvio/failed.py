"""The rows of a file that cannot be used: how many, and as a file that can be corrected and uploaded again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from oms.csvio.columns import RowError
from oms.csvio.reading import Readable
from oms.csvio.schema import Schema
from oms.csvio.writing import unescape, write

REASONS = ("Line", "Reason")
"""The last columns of the file; they are not used when it is uploaded again."""


def line_count(errors: Iterable[RowError]) -> int:
    """How many rows they are about: one row may have several."""
    return len({error.line for error in errors})


def failed_file(schema: Schema, file: Readable, errors: Iterable[RowError]) -> Iterator[bytes]:
    """The bad rows of a file: the cells of the columns that it has as they are there, the line and why.

    Raises FileRefused as `Schema.read` does.
    """
    reasons = defaultdict[int, list[str]](list)
    for error in errors:
        reasons[error.line].append(f"{error.column}: {error.message}" if error.column else error.message)
    names, found = schema.as_written(file)
    # The file is written with apostrophes again, where cells need them: those that they have already come off.
    rows = ((*map(unescape, cells), line, " ".join(reasons[line])) for line, cells in found if line in reasons)
    return write(rows, (*names, *REASONS))
