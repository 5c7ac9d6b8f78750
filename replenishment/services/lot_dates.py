"""What receipts said of the dates of lots: looked at before one is entered, and taken back with one that is undone."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date

from django.utils import timezone
from django.utils.translation import gettext as _

from oms.models import Person
from replenishment.models import Receipt, ReceivedLot
from replenishment.receiving import IncomingLot
from replenishment.services.places import is_lot_number
from serials.lot_dates import doubt, is_unlikely
from serials.models import Lot
from serials.queries.lots import NamedLots, lots_named
from serials.services.lots import decided_expiries, hold_lots, record_expiry, settle_agreed

NAMES = ("expires_on", "made_on")


def known_lots(named: Collection[tuple[int, IncomingLot]]) -> NamedLots:
    """The lots of these SKUs and numbers that there are; one query."""
    pairs = [(sku_id, lot.number) for sku_id, lot in named if is_lot_number(lot.number)]
    return NamedLots(lots_named(pairs) if pairs else ())


def questions(sku_id: int, lot: IncomingLot, known: NamedLots, today: date) -> list[str]:
    """A sentence for what would wait for the office because of the expiry of an entered lot."""
    row = known.find(sku_id, lot.number)
    kept = row.expires_on if row else None
    words = {"lot": lot.number, "sent": lot.expires_on, "known": kept}
    if kept and lot.expires_on and kept != lot.expires_on:
        text = _(
            "Lot %(lot)s: its expiry is known as %(known)s, not %(sent)s. It stays so until the office says otherwise."
        )
        return [text % words]
    expires_on = kept or lot.expires_on
    if expires_on and expires_on < today:
        return [_("Lot %(lot)s expired on %(day)s.") % {"lot": lot.number, "day": expires_on}]
    return []


def doubts(sku_id: int, lot: IncomingLot, known: NamedLots, today: date) -> list[str]:
    """A sentence for an expiry of an entered lot that is hardly meant: whoever means it enters it all the same."""
    row = known.find(sku_id, lot.number)
    said = doubt(lot.number, None if row and row.expires_on else lot.expires_on, today)
    return [said] if said else []


def hold_lots_of(receipt: Receipt) -> None:
    """Lock the lots that a receipt names: after its units, as receipts that come do, and before places."""
    named = ReceivedLot.objects.filter(receipt_line__receipt=receipt, lot__isnull=False).values("lot")
    hold_lots(Lot.objects.filter(pk__in=named))


def take_back(receipt: Receipt, reason: str, actor: Person) -> None:
    """Let lots that are held forget the dates that only this receipt said, which is being undone; what a person decided
    says now, else the first of the others.
    """
    own: dict[int | None, list[ReceivedLot]] = defaultdict(list)
    rest: dict[int | None, list[ReceivedLot]] = defaultdict(list)
    for said in ReceivedLot.objects.filter(receipt_line__receipt=receipt, lot__isnull=False):
        own[said.lot_id].append(said)
    others = ReceivedLot.objects.filter(lot__in=list(own), receipt_line__receipt__undone_at=None)
    others = others.select_related("receipt_line__receipt").defer("receipt_line__receipt__raw")
    for said in others.exclude(receipt_line__receipt=receipt).order_by("pk"):
        rest[said.lot_id].append(said)
    decided = decided_expiries([pk for pk in own if pk])
    for lot in Lot.objects.filter(pk__in=list(own)).select_related("sku").order_by("pk"):
        changes = {
            name: _first(rest[lot.pk], name)
            for name in NAMES
            if _is_only_here(getattr(lot, name), name, own[lot.pk], rest[lot.pk])
        }
        if lot.pk in decided and "expires_on" in changes:
            changes["expires_on"] = decided[lot.pk]
        _change(lot, {name: day for name, day in changes.items() if day != getattr(lot, name)}, reason, actor)


def _is_only_here(day: date | None, name: str, own: list[ReceivedLot], rest: list[ReceivedLot]) -> bool:
    said_here, said_elsewhere = ({getattr(said, name) for said in rows} for rows in (own, rest))
    return day is not None and day in said_here and day not in said_elsewhere


def _first(rows: list[ReceivedLot], name: str) -> date | None:
    days = ((row.receipt_line.receipt, day) for row in rows if (day := getattr(row, name)))
    return next((day for receipt, day in days if receipt.actor_id or not _is_doubted(receipt, name, day)), None)


def _is_doubted(receipt: Receipt, name: str, day: date) -> bool:
    """Whether it was not taken over when it came, because nobody could be asked about it."""
    return name == "expires_on" and is_unlikely(day, timezone.localdate(receipt.occurred_at))


def _change(lot: Lot, changes: Mapping[str, date | None], reason: str, actor: Person) -> None:
    if "expires_on" in changes:
        record_expiry(lot, changes["expires_on"], action="change", reason=reason, actor=actor)
    for name, day in changes.items():
        setattr(lot, name, day)
    if changes:
        lot.save(update_fields=list(changes))
    if changes.get("expires_on"):
        settle_agreed(lot, reason=_("What said otherwise was undone."), actor=actor)
