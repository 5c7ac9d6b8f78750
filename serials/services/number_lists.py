"""Lists of serial numbers as people paste and upload them."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from django.utils.translation import gettext as _, gettext_lazy, ngettext

from oms import csvio, identity, scanning
from oms.csvio.reading import read_lines
from oms.errors import DomainError
from oms.queries.catalogue import LONGEST_SCAN
from serials import numbering

MOST = 10_000
"""So many numbers are looked for at once."""
MOST_BYTES = 5 * 1024 * 1024
SHOWN = 5
LONGEST_SAID = 200
SCHEMA = csvio.Schema(
    [
        csvio.Column(
            "SKU",
            aliases=csvio.words.SKU,
            max_length=LONGEST_SCAN,
            example="L2201308",
            help=gettext_lazy("Needed where several SKUs have it."),
        ),
        csvio.Column(
            "Serial",
            is_required=True,
            aliases=(*csvio.words.SERIAL, "Number"),
            max_length=10_000,  # what is too long is not found, with and without a header
            example="SN00000001",
        ),
    ],
    max_bytes=MOST_BYTES,
    max_rows=MOST,
    names_below=2,  # a line of a list may well be "SN"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """One number of a list: its line, what was typed, its normalised form, and the SKU where one is named.

    `others` are the normalised forms of what else it says, being a scan, and `gtin` the one that it says, without
    leading zeros; `last` what it may mean where all of that is no serial.
    """

    line: int
    typed: str
    key: str
    sku: str = ""
    others: tuple[str, ...] = ()
    gtin: str = ""
    last: str = ""


def read_list(data: bytes) -> list[Listed]:
    """The numbers of a text or a CSV file; one with a header that names Serial may name the SKU as well.

    Without it the numbers stand between line breaks, commas, semicolons or tabs; a GS1 scan is one, whatever is in it.
    What stands above such a header are numbers, too. One that cannot be a serial is among them with a key that no unit
    has. Nothing is asked: all that a scan says is looked up. Raises DomainError where there are none or too many.
    """
    if not data.strip(b'\xef\xbb\xbf \t\r\n,;"'):
        raise DomainError(_("There is no number in it."))
    parsed = SCHEMA.read(io.BytesIO(data))
    lines, _encoding = read_lines(io.BytesIO(data), max_bytes=MOST_BYTES)
    bare = lines if parsed.missing_columns else islice(lines, parsed.header_line - 1 if parsed.above else 0)
    texts = [(line, typed, "") for line, typed in _cells(bare)]
    texts += [(row.line, row.values["Serial"], row.values["SKU"]) for row in parsed.rows]
    faults = [] if parsed.missing_columns else [(error.line, error.message) for error in parsed.errors]
    if len(texts) > MOST:
        raise DomainError(
            _("These are %(count)s numbers, and %(most)s at most are found at once. Split the list.")
            % {"count": f"{len(texts):,}", "most": f"{MOST:,}"}
        )
    listed = [_listed(line, typed, sku) for line, typed, sku in texts]
    if faults:
        raise DomainError(_said(sorted(faults)))
    if not listed:
        raise DomainError(_("There is no number in it."))
    return listed


def _listed(line: int, typed: str, sku: str) -> Listed:
    names = scanning.serials(typed)
    others = [_key(name) for name in names if name != typed]
    body = names[-1] if names else typed
    last = _key(body[2:]) if body.startswith("21") and len(body) > 2 else ""
    return Listed(line, _shown(typed), _key(typed), sku, tuple(others), scanning.gtin_of(typed).lstrip("0"), last)


def _key(typed: str) -> str:
    """What is longer than any serial stays so: no unit has it."""
    return identity.sought(typed)[: numbering.LONGEST + 1]


def _shown(typed: str) -> str:
    return "".join(letter for letter in typed if not identity.is_hidden(letter))[:LONGEST_SAID]


def _cells(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for line, text in enumerate(lines, start=1):
        for cell in scanning.scans(text) or re.split("[,;\t]", text.strip()):
            typed = csvio.unescape(scanning.plain(cell).strip('"').strip())
            if typed:
                yield line, typed


def _said(faults: Sequence[tuple[int, str]]) -> str:
    shown = [_("Line %(line)s: %(fault)s") % {"line": line, "fault": fault} for line, fault in faults[:SHOWN]]
    more = len(faults) - SHOWN
    if more > 0:
        shown.append(ngettext("%(count)s more is wrong.", "%(count)s more are wrong.", more) % {"count": f"{more:,}"})
    return " ".join(shown)
