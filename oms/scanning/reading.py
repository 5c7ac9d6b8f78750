"""What one scanned, typed or pasted text says, and what has to be asked about it before it is taken for a serial."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date

from django.utils.translation import gettext as _, ngettext

from oms.scanning import gs1
from oms.scanning.ranges import Range, as_range, between, split

SHOWN = 80
_LINES = re.compile(r"[\r\n]+")
_ENTRIES = re.compile(r"[\t\r\n]+")
_BLANKS = " \t\r\n\v\f\u00a0\ufeff"
"""What is around a text without being part of it; a group separator may be part of it."""
_FORMULA = re.compile(r'=\s*"(?P<text>[^"]*)"')
_RUINED = re.compile(r"[+-]?\d+(?:[.,]\d+)?E\+\d+|[+-]?\d[.,]\d+E-?\d+", re.IGNORECASE | re.ASCII)
# fmt: off
_FAULTS = frozenset([
    "#N/A", "#NA", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#DIV/0!", "#SPILL!", "#CALC!", "#FIELD!",
])
"""What spreadsheets write where a formula has no result."""
_PLACEHOLDERS = frozenset([
    "NA", "N.A.", "N/A", "NONE", "NULL", "NIL", "NAN", "TBD", "TBA", "TBC", "TODO", "UNKNOWN", "MISSING", "PENDING",
    "EMPTY", "VOID", "NO", "SERIAL", "SN", "S/N", "XXX", "NO SERIAL", "NO SN", "NOT AVAILABLE", "NOT APPLICABLE",
])
# fmt: on
_NOTHING = re.compile(r"[\W_0]*")
"""Neither a letter nor a digit but zero."""
_DECIMAL = re.compile(r"(?P<whole>\d+)[.,]0+", re.ASCII)
_ROUNDED = re.compile(r"\d{15}0+|\d{14,}00", re.ASCII)
"""A spreadsheet keeps 15 digits of a number and writes zeros for the others; programs, 17."""
_TRANSPARENCY = re.compile(r"[AZ][ZA]:[A-Z0-9]{26}", re.IGNORECASE | re.ASCII)
_SGTIN_LENGTH = 38
_EAN_LENGTH = 12
"""Shorter digits with a right check digit are mostly no product's."""
_TWICE = re.compile(r"(?P<one>.{6,})(?P=one)", re.DOTALL)
_RUN_TOGETHER = re.compile(r"(?P<prefix>[A-Z]{2,}[-_]?)(?P<first>\d{4,})(?P=prefix)(?P<second>\d{4,})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Taken:
    """A text that is one serial, and what else its scan said. `typed` is what came; `others` what it may mean, too."""

    text: str
    typed: str
    gtin: str = ""
    lot: str = ""
    expires_on: date | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A text that is nothing; `words` say why, and what to do."""

    typed: str
    words: str


@dataclass(frozen=True, slots=True)
class Option:
    """What somebody may answer: TAKE the text as it is, take what is PROPOSED, LEAVE it out.

    `texts` are what an answer means, each looked at again, or the range of serials; of TAKE the text itself.
    """

    choice: str
    texts: tuple[str, ...] | Range = ()


TAKE, PROPOSED, LEAVE = "take", "proposed", "leave"


@dataclass(frozen=True, slots=True)
class Asked:
    """A text that somebody has to say something about; `words` are the text and what it would be.

    Raises nothing and decides nothing: `code` is the kind of question, answered once for all texts of the kind. `maybe`
    are the scans that it may be: one whose serial is known needs no answer.
    """

    code: str
    typed: str
    words: str
    options: tuple[Option, ...]
    maybe: tuple[Taken, ...] = ()


Verdict = Taken | Asked | Refused


def lines(text: str) -> list[str]:
    """The lines of a text: CR and LF end one and nothing else does, for a scan may hold a group separator."""
    return _LINES.split(text)


def entries(text: str) -> list[str]:
    """The serials of a field, one a line; a tab, as from a spreadsheet, begins another: no serial has one."""
    return [found for each in _ENTRIES.split(text) if (found := each.strip(_BLANKS))]


def plain(text: str) -> str:
    """The text without blanks around it; of `="000123"`, which keeps zeros in a CSV file, what it says."""
    text = text.strip(_BLANKS)
    formula = _FORMULA.fullmatch(text)
    return formula["text"].strip(_BLANKS) if formula else text


def scans(text: str) -> list[str]:
    """The GS1 scans that a line is: one, or several that ran together; none where it is no such scan."""
    found = gs1.read(plain(text))
    return [] if found is None else list(found.repeats) or [plain(text)]


def _read(text: str) -> tuple[str, str, gs1.Elements | None]:
    """A text, itself without the prefix of its scanner, and what it says as GS1."""
    typed = plain(text)
    return typed, gs1.without_prefix(typed)[0], gs1.read(typed)


def serials(text: str) -> tuple[str, ...]:
    """All serials that a text may be, for a look that asks nothing: itself first, then what its scan says."""
    typed, body, found = _read(text)
    said = found.serial if found else ""
    return tuple(dict.fromkeys(each for each in (typed, body, said) if each))


def readings(text: str) -> tuple[str, ...]:
    """All that a text may name, for a search of units and SKUs: the serials, else the GTIN without leading zeros.

    Those are part of a serial: where just one unit is meant, look for the `serials`.
    """
    _typed, body, found = _read(text)
    gtin = body if len(body) >= _EAN_LENGTH and gs1.is_gtin(body) else ""
    if found:
        gtin = "" if found.serial else found.gtin
    return tuple(dict.fromkeys(each for each in (*serials(text), gtin.lstrip("0")) if each))


def gtin_of(text: str) -> str:
    """The GTIN that a scan says, or that the text is itself; empty where it is none."""
    _typed, body, found = _read(text)
    return found.gtin if found else body if gs1.is_gtin(body) else ""


def parse(text: str, *, settled: Collection[str] = ()) -> Verdict:
    """What a text is where a serial is asked. Knows no account: what a SKU is called is looked up elsewhere.

    Args:
        text: one scan, line or cell.
        settled: the questions that somebody answered with "take it as it is".
    """
    typed = plain(text)
    if refused := _refused(typed):
        return refused
    body, says = gs1.without_prefix(typed)
    found = gs1.read(typed)
    verdict = _of_elements(typed, found) if found else _of_text(body, says, settled)
    if isinstance(verdict, Asked) and verdict.code in settled:
        if found:
            return Taken(found.serial or typed, typed, found.gtin, found.lot, found.expires_on)
        return Taken(body, typed)
    return verdict


def of_ends(first: str, last: str) -> Asked | Refused:
    """What two cells are that say the first and the last serial of a row: a range to be asked about, or why not."""
    ends = []
    for end in (first, last):
        if not plain(end):
            return Refused(first or last, _("Fill From and To. For a single serial put it into both."))
        verdict = parse(end)
        if isinstance(verdict, Refused):
            return verdict
        ends.append(verdict.text if isinstance(verdict, Taken) else plain(end))
    found = between(*ends)
    if found is None:
        words = _(
            "From “%(first)s” to “%(last)s” is no range: both need the same beginning and a number that counts up. "
            "List the serials in a column Serial instead, one a row."
        )
        return Refused(first, words % {"first": ends[0][:SHOWN], "last": ends[1][:SHOWN]})
    if found.fault:
        return Refused(first, found.fault)
    return Asked("ends", found.text, _said(found), (Option(PROPOSED, found), Option(LEAVE)))


def _refused(typed: str) -> Refused | None:
    if typed.upper() in _FAULTS:
        words = _(
            "“%(text)s” is a spreadsheet's error, not a serial. Correct the cell, format the column as text and "
            "export the file again."
        )
    elif _RUINED.fullmatch(typed):
        words = _(
            "“%(text)s” is a number that a spreadsheet shortened: its last digits are lost. Format the column as text "
            "before the numbers come into it, and export the file again."
        )
    elif _TRANSPARENCY.fullmatch(typed):
        words = _("“%(text)s” is an Amazon Transparency code, not the serial of the unit. Scan its serial instead.")
    else:
        return None
    return Refused(typed, words % {"text": typed[:SHOWN]})


def _of_elements(typed: str, found: gs1.Elements) -> Verdict:
    """What a GS1 scan is where a serial is asked."""
    taken = Taken(found.serial, typed, found.gtin, found.lot, found.expires_on)
    maybe: tuple[Taken, ...] = (taken,) if found.serial else ()
    if found.repeats:
        return Asked("scans", typed, typed[:SHOWN], (Option(PROPOSED, found.repeats), Option(LEAVE)), maybe)
    if found.serial:
        if len(found.whole) == _SGTIN_LENGTH and len(found.serial) == 20:
            options = (Option(TAKE, (typed,)), Option(LEAVE))
            return Asked("transparency", typed, f"{typed[:SHOWN]}: {found.serial}", options, maybe)
        return taken
    maybe = tuple(replace(taken, text=serial, lot=lot) for lot, serial, _scan in found.unparted)
    if len(maybe) == 1:
        ((lot, serial, scan),) = found.unparted
        words = _("%(text)s: lot %(lot)s, serial %(serial)s") % {"text": typed[:SHOWN], "lot": lot, "serial": serial}
        return Asked("separator", typed, words, (Option(PROPOSED, (scan,)), Option(LEAVE)), maybe)
    if not found.is_declared and len(typed) == 16:  # digits that may be a serial; a SKU with this GTIN is looked up
        return Taken(typed, typed, found.gtin)
    return Asked("product", typed, typed[:SHOWN], (Option(LEAVE),), maybe)


def _of_text(body: str, says: str, settled: Collection[str]) -> Verdict:
    """What other text is where a serial is asked: the first question that it raises and nobody answered."""
    if says == "product" and "code" not in settled:
        return Asked("code", body, body[:SHOWN], (Option(TAKE, (body,)), Option(LEAVE)))
    if (says == "gs1" or gs1.looks_like(body)) and "unread" not in settled:
        return Asked("unread", body, body[:SHOWN], (Option(TAKE, (body,)), Option(LEAVE)))
    if body.upper() in _PLACEHOLDERS or _NOTHING.fullmatch(body):
        return Asked("placeholder", body, body[:SHOWN], (Option(TAKE, (body,)), Option(LEAVE)))
    if match := _DECIMAL.fullmatch(body):
        whole = match["whole"]
        words = f"{body[:SHOWN]}: {whole[:SHOWN]}"
        return Asked("decimal", body, words, (Option(PROPOSED, (whole,)), Option(TAKE, (body,)), Option(LEAVE)))
    if _ROUNDED.fullmatch(body):
        return Asked("rounded", body, body[:SHOWN], (Option(TAKE, (body,)), Option(LEAVE)))
    if "list" not in settled and len(parts := _parts(body)) > 1 and not _is_spaced_range(body):
        words = f"{body[:SHOWN]}: {' · '.join(parts)[:SHOWN]}"
        return Asked("list", body, words, (Option(PROPOSED, tuple(parts)), Option(TAKE, (body,)), Option(LEAVE)))
    if "range" not in settled and (found := as_range(body)):
        return Asked("range", body, _said(found), (Option(PROPOSED, found), Option(TAKE, (body,)), Option(LEAVE)))
    return Taken(body, body, others=(body[2:],) if body.startswith("21") and len(body) > 4 else ())


def _is_spaced_range(body: str) -> bool:
    """A range with blanks in it has words of serial shape, too; one of two ends alone is no list."""
    return len(body.split()) <= 4 and as_range(body) is not None


def _parts(body: str) -> list[str]:
    """The serials in a text, between what people write or with nothing between them."""
    parts = split(body)
    if len(parts) > 1:
        return parts
    if match := _RUN_TOGETHER.fullmatch(body):
        if len(match["first"]) == len(match["second"]):
            half = len(body) // 2
            return [body[:half], body[half:]]
    elif match := _TWICE.fullmatch(body):
        return [match["one"], match["one"]] if re.search(r"\d", match["one"]) else [body]
    return parts


def _said(found: Range) -> str:
    if found.fault:
        return found.fault
    first, last = found.ends
    words = {"text": found.text, "n": f"{found.count:,}", "first": first, "last": last}
    return (
        ngettext("%(text)s: %(n)s serial, %(first)s", "%(text)s: %(n)s serials, %(first)s to %(last)s", found.count)
        % words
    )
