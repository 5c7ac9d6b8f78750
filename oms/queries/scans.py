"""What scans name in this account. Apps say what they know of by resolvers, named in settings.SCAN_RESOLVERS.

A resolver is called with names, all at once, and returns name → candidates; it makes a constant number of statements,
whether there is one name or ten thousand. Exactly one candidate of the kind that is expected is what a scan names;
several, or only one of another kind, are asked about.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from oms import identity
from oms.models import Sku
from oms.scanning import (
    ANY_SCANNER,
    LEAVE,
    PROPOSED,
    TAKE,
    Asked,
    Entry,
    Option,
    Settings,
    Taken,
    Verdict,
    gtin_of,
    parse,
    plain,
    readings,
)


class Kind(StrEnum):
    """What can be named."""

    SKU = "sku"
    SERIAL = "serial"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that a name may mean: the SKU or the SKU of the unit, and `by` which of its names."""

    kind: Kind
    pk: int
    sku_id: int
    label: str
    by: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one scan names: `found` if it is just one thing of the kind that was expected, and all that it may mean."""

    scan: str
    found: Candidate | None
    candidates: tuple[Candidate, ...] = ()

    @property
    def is_ambiguous(self) -> bool:
        """Several things of the expected kind have this name."""
        return self.found is None and len(self.candidates) > 1


Resolver = Callable[[Collection[str]], Mapping[str, Sequence[Candidate]]]


def resolve(
    scans: Sequence[str], expecting: Kind, reader: Settings = ANY_SCANNER, *, sku_id: int | None = None
) -> list[Resolved]:
    """What each scan names, in their order; `sku_id` is of the SKU that serials are looked for."""
    meant = {scan: readings(scan, reader) for scan in set(scans)}
    if expecting == Kind.SKU:
        meant = {scan: tuple(filter(None, (*names, gtin_of(scan, reader)))) for scan, names in meant.items()}
    known = _ask(expecting, {name for names in meant.values() for name in names})
    return [_resolved(scan, meant[scan], known, sku_id) for scan in scans]


def _resolved(
    scan: str, names: Sequence[str], known: Mapping[str, Sequence[Candidate]], sku_id: int | None
) -> Resolved:
    """The first reading that names something decides; of a SKU its code before its other names."""
    for name in names:
        found = [each for each in known.get(name, ()) if sku_id is None or each.sku_id == sku_id]
        found = [each for each in found if each.by == "code"] or found
        if found:
            one = found[0] if len({each.pk for each in found}) == 1 else None
            return Resolved(scan, one, tuple(found))
    return Resolved(scan, None)


def _ask(kind: Kind, names: Collection[str]) -> dict[str, list[Candidate]]:
    """Name → what all resolvers of a kind say; none is asked about nothing."""
    found: dict[str, list[Candidate]] = {}
    for path in settings.SCAN_RESOLVERS[kind] if names else ():
        resolver: Resolver = import_string(path)
        for name, candidates in resolver(names).items():
            found.setdefault(name, []).extend(candidates)
    return found


@dataclass(frozen=True, slots=True)
class Expected:
    """What the place of an entry says: its SKU, and the lots that are named there with their expiry."""

    sku: Sku
    lots: tuple[tuple[str, date | None], ...] = ()


@dataclass(frozen=True)
class SerialJudge:
    """Says what texts are where the serials of known SKUs are asked: see `oms.scanning.Judge`.

    A serial that its SKU has already is taken for it, whatever it looks like. Two lookups for all texts of a round.
    """

    expected: Mapping[Any, Expected]
    reader: Settings = field(default=ANY_SCANNER)

    def __call__(self, entries: Sequence[Entry]) -> list[Verdict]:
        """The verdicts in the order of the entries."""
        parsed = [parse(entry.text, self.reader, settled=entry.settled) for entry in entries]
        skus = _ask(Kind.SKU, {name for each in parsed for name in _product_names(each)})
        pairs = list(zip(entries, parsed, strict=True))
        doubtful = [_names(entry, each) for entry, each in pairs if self._is_doubtful(each, skus)]
        units = _ask(Kind.SERIAL, {name for names in doubtful for name in names})
        return [self._verdict(entry, each, skus, units) for entry, each in pairs]

    def _is_doubtful(self, verdict: Verdict, skus: Mapping[str, Sequence[Candidate]]) -> bool:
        if not isinstance(verdict, Taken):
            return True
        return bool(verdict.others or verdict.gtin or verdict.text != verdict.typed or verdict.text in skus)

    def _verdict(
        self,
        entry: Entry,
        verdict: Verdict,
        skus: Mapping[str, Sequence[Candidate]],
        units: Mapping[str, Sequence[Candidate]],
    ) -> Verdict:
        expected = self.expected[entry.place]
        known = [
            name
            for name in _names(entry, verdict)
            if any(each.sku_id == expected.sku.pk for each in units.get(name, ()))
        ]
        if known and not (isinstance(verdict, Taken) and verdict.text == known[0]):
            return Taken(known[0], verdict.typed)
        if not isinstance(verdict, Taken):
            return verdict
        if not known and "sku" not in entry.settled and (asked := _sku_question(verdict, skus)):
            return asked
        return self._checked(entry, verdict, expected, skus)

    def _checked(
        self, entry: Entry, verdict: Taken, expected: Expected, skus: Mapping[str, Sequence[Candidate]]
    ) -> Verdict:
        """A serial with what else its scan said, held against its place."""
        if verdict.gtin and "other_gtin" not in entry.settled and _is_other(verdict.gtin, expected.sku, skus):
            words = _("%(text)s: GTIN %(gtin)s, but %(sku)s has %(own)s")
            own = expected.sku.gtin or _("another one")
            said = {"text": verdict.text, "gtin": verdict.gtin, "sku": expected.sku.code, "own": own}
            return Asked("other_gtin", verdict.typed, words % said, (Option(TAKE), Option(LEAVE)))
        if "lot" in entry.settled:
            return replace(verdict, lot="", expires_on=None)
        if verdict.lot and f"lot:{PROPOSED}" not in entry.settled and _is_other_lot(verdict, expected.lots):
            words = _("%(text)s: lot %(lot)s %(expiry)s")
            expiry = verdict.expires_on.isoformat() if verdict.expires_on else ""
            said = {"text": verdict.text, "lot": verdict.lot, "expiry": expiry}
            options = (Option(PROPOSED), Option(TAKE), Option(LEAVE))
            return Asked("lot", verdict.typed, (words % said).strip(), options)
        return verdict


def _names(entry: Entry, verdict: Verdict) -> list[str]:
    """All that a text may name, itself first."""
    own = [plain(entry.text), verdict.typed]
    said = [verdict.text, *verdict.others] if isinstance(verdict, Taken) else []
    return [name for name in dict.fromkeys((*own, *said)) if name]


def _product_names(verdict: Verdict) -> Iterable[str]:
    if isinstance(verdict, Taken):
        yield from filter(None, (verdict.text, verdict.gtin))


def _sku_question(verdict: Taken, skus: Mapping[str, Sequence[Candidate]]) -> Asked | None:
    """The question about a text that is the GTIN or the code of a SKU and no known serial."""
    names = [verdict.text] if verdict.text != verdict.typed or not verdict.gtin else [verdict.text, verdict.gtin]
    found = next((each for name in names for each in skus.get(name, ()) if each.by in {"code", "gtin"}), None)
    if found is None:
        return None
    words = _("%(text)s: the GTIN of SKU %(sku)s") if found.by == "gtin" else _("%(text)s: the code of SKU %(sku)s")
    said = words % {"text": verdict.text, "sku": found.label}
    return Asked("sku", verdict.typed, said, (Option(TAKE), Option(LEAVE)))


def _is_other(gtin: str, sku: Sku, skus: Mapping[str, Sequence[Candidate]]) -> bool:
    """Whether a GTIN is not the SKU's: it has another one, or it has none and another SKU has this."""
    if sku.gtin:
        return sku.gtin.lstrip("0") != gtin.lstrip("0")
    return any(each.by == "gtin" and each.sku_id != sku.pk for each in skus.get(gtin, ()))


def _is_other_lot(verdict: Taken, lots: Sequence[tuple[str, date | None]]) -> bool:
    """Whether a scan says another lot than its place, or another expiry of that lot."""
    same = [expires_on for number, expires_on in lots if identity.key(number) == identity.key(verdict.lot)]
    if not same:
        return bool(lots)
    return bool(verdict.expires_on and same[0] and same[0] != verdict.expires_on)
