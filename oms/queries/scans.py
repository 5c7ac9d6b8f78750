"""What scans name in this account. Apps say what they know of by resolvers, named in settings.SCAN_RESOLVERS.

A resolver is called with names, all at once, and returns name → candidates; it makes a constant number of statements,
whether there is one name or ten thousand. Exactly one candidate of the kind that is expected is what a scan names;
several, or only one of another kind, are asked about.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from oms import identity
from oms.models import Sku
from oms.scanning import (
    LEAVE,
    PROPOSED,
    TAKE,
    Asked,
    Entry,
    Option,
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
    """One thing that a name may mean: the SKU or the SKU of the unit, and `by` which of its names.

    `is_void`: the unit was a mistake, so that its name says nothing about what such a text is.
    """

    kind: Kind
    pk: int
    sku_id: int
    label: str
    by: str
    is_void: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one scan names: `found` if it is just one SKU, and all that it may mean."""

    scan: str
    found: Candidate | None
    candidates: tuple[Candidate, ...] = ()

    @property
    def is_ambiguous(self) -> bool:
        """Several SKUs have this name."""
        return self.found is None and len(self.candidates) > 1


Resolver = Callable[[Collection[str]], Mapping[str, Sequence[Candidate]]]


def resolve_skus(scans: Sequence[str]) -> list[Resolved]:
    """What SKU each scan names, in their order."""
    meant = {scan: tuple(filter(None, (*readings(scan), gtin_of(scan)))) for scan in set(scans)}
    known = _ask(Kind.SKU, {name for names in meant.values() for name in names})
    return [_resolved(scan, meant[scan], known) for scan in scans]


def _resolved(scan: str, names: Sequence[str], known: Mapping[str, Sequence[Candidate]]) -> Resolved:
    """The first reading that names something decides; a code before other names."""
    for name in names:
        found = known.get(name, ())
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

    def __call__(self, entries: Sequence[Entry]) -> list[Verdict]:
        """The verdicts in the order of the entries."""
        parsed = [parse(entry.text, settled=entry.settled) for entry in entries]
        skus = _ask(Kind.SKU, {name for each in parsed for name in _product_names(each)})
        pairs = list(zip(entries, parsed, strict=True))
        doubtful = [_names(entry, each) for entry, each in pairs if self._is_doubtful(each, skus)]
        units = _ask(Kind.SERIAL, {name for names in doubtful for name in names})
        return [self._verdict(entry, each, skus, self._known(entry, each, units)) for entry, each in pairs]

    def _is_doubtful(self, verdict: Verdict, skus: Mapping[str, Sequence[Candidate]]) -> bool:
        if not isinstance(verdict, Taken):
            return True
        return bool(verdict.others or verdict.gtin or verdict.text != verdict.typed or verdict.text in skus)

    def _known(self, entry: Entry, verdict: Verdict, units: Mapping[str, Sequence[Candidate]]) -> set[str]:
        """Those of an entry's names that a unit of its SKU has."""
        sku_id = self.expected[entry.place].sku.pk
        names = _names(entry, verdict)
        return {name for name in names for each in units.get(name, ()) if each.sku_id == sku_id and not each.is_void}

    def _verdict(
        self, entry: Entry, verdict: Verdict, skus: Mapping[str, Sequence[Candidate]], known: Collection[str]
    ) -> Verdict:
        whole = next((name for name in (plain(entry.text), verdict.typed) if name in known), None)
        if whole is not None and not (isinstance(verdict, Taken) and verdict.text == whole):
            return Taken(whole, verdict.typed)
        if isinstance(verdict, Asked):
            meant = [each for each in verdict.maybe if each.text in known]
            verdict = meant[0] if len(meant) == 1 else verdict
        if not isinstance(verdict, Taken):
            return verdict
        if verdict.text not in known:
            asked = _identifier_question(entry, verdict, known) or _sku_question(entry, verdict, skus)
            if asked:
                return asked
        return self._checked(entry, verdict, self.expected[entry.place], skus)

    def _checked(
        self, entry: Entry, verdict: Taken, expected: Expected, skus: Mapping[str, Sequence[Candidate]]
    ) -> Verdict:
        """A serial with what else its scan said, held against its place."""
        if verdict.gtin and "other_gtin" not in entry.settled and _is_other(verdict.gtin, expected.sku, skus):
            words = _("%(text)s: GTIN %(gtin)s, but %(sku)s has %(own)s")
            own = expected.sku.gtin or _("another one")
            said = {"text": verdict.text, "gtin": verdict.gtin, "sku": expected.sku.code, "own": own}
            return Asked("other_gtin", verdict.typed, words % said, (Option(TAKE), Option(LEAVE)), (verdict,))
        if "lot" in entry.settled:
            return replace(verdict, lot="", expires_on=None)
        if verdict.lot and f"lot:{PROPOSED}" not in entry.settled and _is_other_lot(verdict, expected.lots):
            words = _("%(text)s: lot %(lot)s %(expiry)s")
            expiry = verdict.expires_on.isoformat() if verdict.expires_on else ""
            said = {"text": verdict.text, "lot": verdict.lot, "expiry": expiry}
            options = (Option(PROPOSED), Option(TAKE), Option(LEAVE))
            return Asked("lot", verdict.typed, (words % said).strip(), options, (verdict,))
        return verdict


def _names(entry: Entry, verdict: Verdict) -> list[str]:
    """All that a text may name, itself first."""
    own = [plain(entry.text), verdict.typed]
    said = [name for each in _scans(verdict) for name in (each.text, *each.others)]
    return [name for name in dict.fromkeys((*own, *said)) if name]


def _scans(verdict: Verdict) -> tuple[Taken, ...]:
    """What a text is, or may be where that is asked."""
    return (verdict,) if isinstance(verdict, Taken) else verdict.maybe if isinstance(verdict, Asked) else ()


def _product_names(verdict: Verdict) -> Iterable[str]:
    return filter(None, (name for each in _scans(verdict) for name in (each.text, each.gtin)))


def _identifier_question(entry: Entry, verdict: Taken, known: Collection[str]) -> Asked | None:
    """The question about a text that may be a known serial behind an identifier, without what says that it is GS1."""
    found = next((name for name in verdict.others if name in known), None)
    if found is None or "identifier" in entry.settled:
        return None
    words = _("%(text)s, or %(serial)s behind its identifier 21?") % {"text": verdict.text, "serial": found}
    return Asked("identifier", verdict.typed, words, (Option(PROPOSED, (found,)), Option(TAKE), Option(LEAVE)))


def _sku_question(entry: Entry, verdict: Taken, skus: Mapping[str, Sequence[Candidate]]) -> Asked | None:
    """The question about a text that is the GTIN or the code of a SKU and no known serial."""
    if "sku" in entry.settled:
        return None
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
