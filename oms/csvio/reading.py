"""From the bytes of a file to its records, or to the reason why it is no CSV file."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from django.utils.translation import gettext as _

from oms.errors import DomainError

DELIMITERS = (",", ";", "\t", "|")
MAX_BROKEN = 1000
"""After so many lines with broken quotation marks the file is refused: it was written in some other way."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x19\x1b-\x1f]")
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

Record = tuple[int, list[str] | None]
"""The number of its first line, counted from 1, and its cells; None instead of cells where its quotes are broken."""


class FileRefused(DomainError):
    """The file as a whole cannot be used; the message says why and what to do. No row of it was looked at."""


class Readable(Protocol):
    """What is needed of a file: an upload, an open stored file, a BytesIO."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes."""
        ...


def not_csv(reason: str) -> FileRefused:
    """The refusal of something that is no CSV file; `reason` says what it is and what to do."""
    return FileRefused(_("This is not a CSV file: %(reason)s") % {"reason": reason})


def read_lines(file: Readable, *, max_bytes: int) -> tuple[list[str], str]:
    """The lines of a file with their line ends, and its encoding: utf-8, utf-16 (by its mark) or, as a guess, cp1252.

    Raises FileRefused for what is too large or no text.
    """
    text, encoding = _decode(_bytes(file, max_bytes))
    return list(io.StringIO(text, newline="")), encoding


def _bytes(file: Readable, most: int) -> bytes:
    data = file.read(most + 1)
    if len(data) > most:
        raise FileRefused(
            _("The file is larger than %(most)s MB. Split it into smaller files.") % {"most": round(most / 1024**2, 1)}
        )
    kind = next((name for start, name in _KINDS if data.startswith(start)), None)
    if kind:
        raise not_csv(
            _("its content is %(kind)s, whatever its name. Open it in its own program and save it as “CSV UTF-8”.")
            % {"kind": kind}
        )
    if data[:500].removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_MARKUP):
        raise not_csv(_("it is a web page or XML. Download or export the table itself as CSV."))
    return data


def _decode(data: bytes) -> tuple[str, str]:
    for encoding in ("utf-16",) if data.startswith(_UTF16) else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text and not (encoding == "cp1252" and _CONTROL.search(text)):
            return text, encoding.removesuffix("-sig")
    raise not_csv(_("it holds binary data. Save it as “CSV UTF-8” in your spreadsheet program."))


def named_delimiter(lines: Sequence[str]) -> str:
    """The delimiter that Excel's own first line, `sep=;`, names; empty where there is none."""
    match = re.fullmatch(r"sep=(.)\s*", lines[0], re.IGNORECASE) if lines else None
    return match[1] if match and match[1] in DELIMITERS else ""


def records(lines: Sequence[str], start: int, delimiter: str) -> Iterator[Record]:
    """Each record after the first `start` lines, but for blank ones and those whose cells are all empty.

    A quotation mark that is never closed swallows what follows; reading goes on with the next line, so that the rows
    behind it are checked too. Raises FileRefused after MAX_BROKEN such lines.
    """
    for _broken in range(MAX_BROKEN):
        rest = map(lines.__getitem__, range(start, len(lines)))
        reader = csv.reader(rest, delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t")
        line = start
        try:
            for cells in reader:
                if "".join(cells).strip():
                    yield line + 1, cells
                line = start + reader.line_num
        except csv.Error:
            yield line + 1, None
            start = line + 1
        else:
            return
    raise not_csv(_("its quotation marks are not in pairs. Save it as “CSV UTF-8” again."))
