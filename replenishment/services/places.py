"""Bins and lots that a receipt names: found, or made where nobody had entered them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from oms.models import Bin, BinKind, Location, WarehouseLink
from oms.services import audit
from replenishment.receiving import IncomingLot
from serials.lot_dates import is_unlikely
from serials.models import Lot
from serials.queries.lots import lots_named

NAME_LENGTH = 80
LOT_LENGTH = 100
DEFAULT_BIN = "RECEIVING"


class Bins:
    """The bins of one warehouse by the names that a receipt uses; unknown names become `pick` bins to be reviewed."""

    def __init__(self, link: WarehouseLink, names: Iterable[str]) -> None:
        self.link = link
        wanted = {plain_name(name) for name in names}
        default = Bin.objects.filter(link=link, kind=BinKind.PICK).order_by("pk").first()
        self._default = default.name if default else DEFAULT_BIN
        if "" in wanted:
            wanted = (wanted - {""}) | {self._default}
        self._found = self._read(wanted)
        unknown = sorted(wanted - self._found.keys())
        if unknown:
            self._make(unknown)
            self._found |= self._read(unknown)

    def __getitem__(self, name: str) -> int:
        """The id of the bin of this name; of the default bin for an empty one."""
        return self._found[plain_name(name) or self._default]

    def _read(self, names: Collection[str]) -> dict[str, int]:
        return dict(Bin.objects.filter(link=self.link, name__in=names).values_list("name", "pk"))

    def _make(self, names: list[str]) -> None:
        """In the order of their names, so that two receipts that make the same bins never wait in a circle."""
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
    """A bin's name as it can be kept: printable, trimmed, not too long."""
    return "".join(char for char in name if char.isprintable()).strip()[:NAME_LENGTH].strip()


@dataclass(frozen=True)
class LotKey:
    """What identifies a lot within the account."""

    sku_id: int
    number: str


@dataclass(frozen=True)
class Contradiction:
    """A lot that came with another expiry date than it has, which is kept; or with one that is hardly meant."""

    key: LotKey
    known: date | None
    sent: date

    def __str__(self) -> str:
        if self.known is None:
            text = _("Lot %(lot)s: expiry %(sent)s was sent, which is hardly meant. It is not taken over.")
            return text % {"lot": self.key.number, "sent": self.sent}
        return _("Lot %(lot)s: expiry %(sent)s was sent, but %(known)s is known and kept.") % {
            "lot": self.key.number,
            "sent": self.sent,
            "known": self.known,
        }


class Lots:
    """The lots that a receipt names. `contradictions` are those whose expiry is another than the known one.

    `doubted_on` is the day of a fact that nobody could be asked about: what is hardly meant is not taken over.
    """

    def __init__(self, named: Iterable[tuple[int, IncomingLot]], *, doubted_on: date | None = None) -> None:
        self.contradictions: list[Contradiction] = []
        self.doubted_on = doubted_on
        sent = [(LotKey(sku_id, lot.number.strip()), lot) for sku_id, lot in named if is_lot_number(lot.number)]
        self._rows = self._read_or_make(sent)
        self._complete(sent)

    def find(self, sku_id: int, number: str) -> Lot | None:
        """The lot, None for a number that cannot be one."""
        return self._rows.get(LotKey(sku_id, number.strip()))

    def _read_or_make(self, sent: list[tuple[LotKey, IncomingLot]]) -> dict[LotKey, Lot]:
        if not sent:
            return {}
        first = dict(reversed(sent))
        fresh = [
            Lot(sku_id=key.sku_id, number=key.number, expires_on=self._sure(first[key]), made_on=first[key].made_on)
            for key in sorted(first, key=lambda key: (key.sku_id, key.number))
        ]
        Lot.objects.bulk_create(fresh, ignore_conflicts=True)
        rows = lots_named([(key.sku_id, key.number) for key in first])
        return {LotKey(lot.sku_id, lot.number): lot for lot in rows.select_for_update(of=("self",))}

    def _sure(self, lot: IncomingLot) -> date | None:
        """The expiry as it was sent; None where it is doubted."""
        is_doubted = lot.expires_on and self.doubted_on and is_unlikely(lot.expires_on, self.doubted_on)
        return None if is_doubted else lot.expires_on

    def _complete(self, sent: list[tuple[LotKey, IncomingLot]]) -> None:
        """A date that was not known is taken over; one that contradicts is not."""
        changed: dict[LotKey, Lot] = {}
        for key, lot in sent:
            row = self._rows[key]
            if lot.expires_on and row.expires_on != lot.expires_on and (row.expires_on or not self._sure(lot)):
                self.contradictions.append(Contradiction(key, row.expires_on, lot.expires_on))
                continue
            for name in ("expires_on", "made_on"):
                if getattr(row, name) is None and getattr(lot, name) is not None:
                    setattr(row, name, getattr(lot, name))
                    changed[key] = row
        if changed:
            Lot.objects.bulk_update(changed.values(), ["expires_on", "made_on"])


def is_lot_number(number: str) -> bool:
    """Whether this text can be a lot's number."""
    text = number.strip()
    return 0 < len(text) <= LOT_LENGTH and text.isprintable()
