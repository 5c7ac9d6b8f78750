"""From the bytes of a file to its records, or to the reason why it is no CSV file."""

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Protocol

from django.utils.translation import gettext as _

from oms.csvio.writing import escape
from oms.errors import DomainError
from oms.scanning import plain

DELIMITERS = (",", ";", "\t", "|")
MAX_BROKEN = 1000
"""After so many lines with broken quotation marks the file is refused: it was written in some other way."""
CHUNK = 256 * 1024

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x19\x1b\x1c\x1e\x1f]")
"""What no text has; a group separator stands between the elements of a GS1 scan."""
_MARKUP = (b"<!doctype", b"<html", b"<?xml")
_KINDS = (
    (b"PK\x03\x04", "Excel (.xlsx) or ZIP"),
    (b"\xd0\xcf\x11\xe0", "Excel (.xls)"),
    (b"%PDF", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"\x1f\x8b", "gzip"),
)

MOST_OF_CELL = csv.field_size_limit()
"""The most characters of a cell: a quotation mark that is never closed must not swallow the whole file."""


class Broken(Enum):
    """Why a record has no cells."""

    QUOTES = 1
    LONG_CELL = 2


Record = tuple[int, list[str] | Broken]
"""The number of its first line, counted from 1, and its cells, or why there are none."""


class FileRefused(DomainError):
    """The file as a whole cannot be used; the message says why and what to do. No row of it was looked at."""


class Readable(Protocol):
    """What is needed of a file: an upload, an open stored file, a BytesIO."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place in it."""
        ...


def not_csv(reason: str) -> FileRefused:
    """The refusal of something that is no CSV file; `reason` says what it is and what to do."""
    return FileRefused(_("This is not a CSV file: %(reason)s") % {"reason": reason})


def read_lines(file: Readable, *, max_bytes: int) -> tuple[Iterator[str], str]:
    """The lines of a file with their line ends, and its encoding: utf-8, utf-16 (by its mark) or, as a guess, cp1252.

    The file is read twice: to its end first, which tells its encoding, then line by line as the lines are asked for.
    Little of it is in memory at any time. Raises FileRefused for what is too large or no text.
    """
    encoding = _encoding(file, _start(file, max_bytes))
    return _lines(file, encoding), encoding.removesuffix("-sig")


def _start(file: Readable, most: int) -> bytes:
    """The first bytes of a file that is not too large and that does not say that it is something else."""
    start, size = b"", 0
    file.seek(0)
    while data := file.read(min(CHUNK, most + 1)):
        start, size = start or data, size + len(data)
        if size > most:
            raise FileRefused(
                _("The file is larger than %(most)s MB. Split it into smaller files.")
                % {"most": round(most / 1024**2, 1)}
            )
    kind = next((name for mark, name in _KINDS if start.startswith(mark)), None)
    if kind:
        raise not_csv(
            _("its content is %(kind)s, whatever its name. Open it in its own program and save it as “CSV UTF-8”.")
            % {"kind": kind}
        )
    if start[:500].removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_MARKUP):
        raise not_csv(_("it is a web page or XML. Download or export the table itself as CSV."))
    return start


def _encoding(file: Readable, start: bytes) -> str:
    for encoding in ("utf-16",) if start.startswith(_UTF16) else ("utf-8-sig", "cp1252"):
        try:
            if not any(
                "\0" in text or (encoding == "cp1252" and _CONTROL.search(text)) for text in _texts(file, encoding)
            ):
                return encoding
        except UnicodeDecodeError:
            continue
    raise not_csv(_("it holds binary data. Save it as “CSV UTF-8” in your spreadsheet program."))


def _texts(file: Readable, encoding: str) -> Iterator[str]:
    """The whole text in pieces. Raises UnicodeDecodeError where it is in another encoding."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    while data := file.read(CHUNK):
        yield decoder.decode(data)
    yield decoder.decode(b"", final=True)


def _lines(file: Readable, encoding: str) -> Iterator[str]:
    held: list[str] = []
    for text in _texts(file, encoding):
        held.append(text)
        if "\n" not in text and "\r" not in text:
            continue
        line = ""
        for following in io.StringIO("".join(held), newline=""):
            if line:
                yield line
            line = following
        # The last one goes on in the next piece, or its line end of two characters does.
        held = [line]
    yield from io.StringIO("".join(held), newline="")


def named_delimiter(lines: Sequence[str]) -> str:
    """The delimiter that Excel's own first line, `sep=;`, names; empty where there is none."""
    match = re.fullmatch(r"sep=(.)\s*", lines[0], re.IGNORECASE) if lines else None
    return match[1] if match and match[1] in DELIMITERS else ""


def records(lines: Iterable[str], delimiter: str, *, before: int = 0) -> Iterator[Record]:
    """Each record of `lines`, but for blank ones and those whose cells are all empty; `before` lines precede them.

    A quotation mark that is never closed swallows what follows; reading goes on with the next line, so that the rows
    behind it are checked too. Raises FileRefused after MAX_BROKEN such lines.
    """
    source, again, taken = iter(lines), deque[str](), list[str]()

    def feed() -> Iterator[str]:
        """The lines, first those that are read again; `taken` are the ones of the current record."""
        while (line := again.popleft() if again else next(source, None)) is not None:
            taken.append(line)
            yield line

    line = before
    for _broken in range(MAX_BROKEN):
        reader = csv.reader(feed(), delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t")
        start = line
        try:
            for cells in reader:
                if any(map(str.strip, said := _plain(cells))):
                    yield line + 1, said
                line = start + reader.line_num
                taken.clear()
        except csv.Error as error:
            yield line + 1, Broken.LONG_CELL if "field limit" in str(error) else Broken.QUOTES
            line += 1
            again.extendleft(reversed(taken[1:]))
            taken.clear()
        else:
            return
    raise not_csv(_("its quotation marks are not in pairs. Save it as “CSV UTF-8” again."))


def _plain(cells: list[str]) -> list[str]:
    """The cells; of `="000123"`, with which exporters keep text as text, and `=""` for an empty one, what it says.

    One that was written with an apostrophe before it is such a text itself, and stays.
    """
    if not any(cell.startswith("=") for cell in cells):
        return cells
    said = [plain(cell) if cell.startswith("=") else cell for cell in cells]
    return [own if text == own.strip() else escape(text) for own, text in zip(cells, said, strict=True)]
