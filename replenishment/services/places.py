"""Bins and lots that a receipt names: found, or made where nobody had entered them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from operator import itemgetter

from django.utils.translation import gettext as _

from oms import identity
from oms.models import Bin, BinKind, Location, WarehouseLink
from oms.queries.keys import rows_by_text
from oms.services import audit
from replenishment.receiving import IncomingLot
from serials.lot_dates import is_unlikely
from serials.models import Lot
from serials.queries.lots import LotName, NamedLots, lots_named
from serials.services.lots import hold_lots

NAME_LENGTH = 80
LOT_LENGTH = 100
DEFAULT_BIN = "RECEIVING"


class Bins:
    """The bins of one warehouse by the names that a receipt uses; unknown names become `pick` bins to be reviewed."""

    def __init__(self, link: WarehouseLink, names: Iterable[str]) -> None:
        self.link = link
        default = Bin.objects.filter(link=link, kind=BinKind.PICK).order_by("pk").first()
        of_none = default.name if default else DEFAULT_BIN
        wanted = {name: plain_name(name) or of_none for name in set(names)}  # thousands of units name the same few
        found = self._read(set(wanted.values()))
        unknown = sorted(set(wanted.values()) - found.keys())
        if unknown:
            self._make(unknown)
            found |= self._read(unknown)
        self._ids = {name: found[plain] for name, plain in wanted.items()}

    def __getitem__(self, name: str) -> int:
        """The id of the bin of one of the names that were asked for; of the default bin for an empty one."""
        return self._ids[name]

    def _read(self, names: Collection[str]) -> dict[str, int]:
        found = rows_by_text(Bin.objects.filter(link=self.link), names, field="name")
        return {name: row.pk for name, row in found.items()}

    def _make(self, names: list[str]) -> None:
        """In the order of their keys, so that two receipts that make the same bins never wait in a circle."""
        names = [name for _key, name in sorted({identity.key(name): name for name in reversed(names)}.items())]
        zone, _is_new = Location.objects.get_or_create(link=self.link, is_default=True, defaults={"name": "Main"})
        Bin.objects.bulk_create(
            [Bin(link=self.link, location=zone, name=name, kind=BinKind.PICK, needs_review=True) for name in names],
            ignore_conflicts=True,
        )
        entries = [
            audit.entry(actor=None, action="add", kind="bin", object_id=None, label=name, changes={}) for name in names
        ]
        audit.record_many(entries)


def plain_name(name: str) -> str:
    """A bin's name as it can be kept: without what nobody sees, trimmed, neither it nor its key too long."""
    plain = "".join(letter for letter in name if not identity.is_hidden(letter)).strip()[:NAME_LENGTH].strip()
    while len(identity.key(plain)) > identity.LONGEST:
        plain = plain[:-1].rstrip()
    return plain


@dataclass(frozen=True)
class Contradiction:
    """A lot that came with another expiry date than it has, which is kept; or with one that is hardly meant.

    `number` is the lot's as it was sent.
    """

    lot: Lot
    number: str
    known: date | None
    sent: date

    def __str__(self) -> str:
        words = {"lot": self.lot.number, "number": self.number, "sent": self.sent, "known": self.known}
        if self.known is None:
            return _("Lot %(lot)s: expiry %(sent)s was sent, which is hardly meant. It is not taken over.") % words
        if self.number != self.lot.number:
            said = _("Lot %(lot)s, named “%(number)s”: expiry %(sent)s was sent, but %(known)s is known and kept.")
            return said % words
        return _("Lot %(lot)s: expiry %(sent)s was sent, but %(known)s is known and kept.") % words


class Lots:
    """The lots that a receipt names. `contradictions` are those whose expiry is another than the known one.

    `doubted_on` is the day of a fact that nobody could be asked about: what is hardly meant is not taken over.
    """

    def __init__(self, named: Iterable[tuple[int, IncomingLot]], *, doubted_on: date | None = None) -> None:
        self.contradictions: list[Contradiction] = []
        self.doubted_on = doubted_on
        sent = [((sku_id, identity.storable(lot.number.strip())), lot) for sku_id, lot in named if lot.number.strip()]
        self._named = NamedLots()
        if sent:
            self._make(sent)
            names = [name for name, _lot in sent]
            self._named = NamedLots(hold_lots(lots_named(names)).values())
        self._complete(sent)

    def find(self, sku_id: int, number: str) -> Lot | None:
        """The lot of just this number, else the one in another spelling; None for a number that cannot be one."""
        return self._named.find(sku_id, number)

    def _make(self, sent: list[tuple[LotName, IncomingLot]]) -> None:
        """Those that are not there, in one order, so that two receipts that name the same never wait in a circle."""
        first = {(name[0], identity.key(name[1])): (name, lot) for name, lot in reversed(sent)}
        fresh = [
            Lot(sku_id=sku_id, number=number, expires_on=self._sure(lot), made_on=lot.made_on)
            for _key, ((sku_id, number), lot) in sorted(first.items(), key=itemgetter(0))
            if is_lot_number(lot.number)
        ]
        Lot.objects.bulk_create(fresh, ignore_conflicts=True)

    def _sure(self, lot: IncomingLot) -> date | None:
        """The expiry as it was sent; None where it is doubted."""
        is_doubted = lot.expires_on and self.doubted_on and is_unlikely(lot.expires_on, self.doubted_on)
        return None if is_doubted else lot.expires_on

    def _complete(self, sent: list[tuple[LotName, IncomingLot]]) -> None:
        """A date that was not known is taken over; one that contradicts is not."""
        changed: dict[int, Lot] = {}
        for (sku_id, number), lot in sent:
            row = self.find(sku_id, number)
            if row is None:
                continue
            if lot.expires_on and row.expires_on != lot.expires_on and (row.expires_on or not self._sure(lot)):
                self.contradictions.append(Contradiction(row, number, row.expires_on, lot.expires_on))
                continue
            for name in ("expires_on", "made_on"):
                if getattr(row, name) is None and getattr(lot, name) is not None:
                    setattr(row, name, getattr(lot, name))
                    changed[row.pk] = row
        if changed:
            Lot.objects.bulk_update(changed.values(), ["expires_on", "made_on"])


def is_lot_number(number: str) -> bool:
    """Whether this text can be the number of a new lot."""
    try:
        identity.check(number, most=LOT_LENGTH)
    except identity.BadText:
        return False
    return True
