"""What receipts said of the dates of lots: looked at before one is entered, and taken back with one that is undone."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date

from django.utils.translation import gettext as _

from oms.models import AuditEntry, Person
from replenishment.models import Receipt, ReceivedLot
from replenishment.receiving import IncomingLot
from replenishment.services.places import is_lot_number
from serials.lot_dates import doubt
from serials.models import Lot
from serials.queries.lots import NamedLots, lots_named
from serials.services.lots import CORRECTED, record_expiry, settle_agreed

NAMES = ("expires_on", "made_on")


def known_lots(named: Collection[tuple[int, IncomingLot]]) -> NamedLots:
    """The lots of these SKUs and numbers that there are; one query."""
    pairs = [(sku_id, lot.number) for sku_id, lot in named if is_lot_number(lot.number)]
    return NamedLots(lots_named(pairs) if pairs else ())


def questions(sku_id: int, lot: IncomingLot, known: NamedLots, today: date) -> list[str]:
    """A sentence for everything about the expiry of an entered lot that somebody should look at first."""
    row = known.find(sku_id, lot.number)
    kept = row.expires_on if row else None
    words = {"lot": lot.number, "sent": lot.expires_on, "known": kept}
    if kept and lot.expires_on and kept != lot.expires_on:
        text = _(
            "Lot %(lot)s: its expiry is known as %(known)s, not %(sent)s. It stays so until the office says otherwise."
        )
        return [text % words]
    if said := doubt(lot.number, None if kept else lot.expires_on, today):
        return [said]
    expires_on = kept or lot.expires_on
    if expires_on and expires_on < today:
        return [_("Lot %(lot)s expired on %(day)s.") % {"lot": lot.number, "day": expires_on}]
    return []


def hold_lots(receipt: Receipt) -> None:
    """Lock the lots that a receipt names, before the places that its goods leave: so do receipts that come."""
    named = ReceivedLot.objects.filter(receipt_line__receipt=receipt, lot__isnull=False).values("lot")
    list(Lot.objects.filter(pk__in=named).order_by("pk").select_for_update(of=("self",)).values_list("pk"))


def take_back(receipt: Receipt, reason: str, actor: Person) -> None:
    """Let lots that are held forget the dates that only this receipt said, which is being undone; the first of the
    others says now.

    An expiry that a person decided on stays.
    """
    own: dict[int | None, list[ReceivedLot]] = defaultdict(list)
    rest: dict[int | None, list[ReceivedLot]] = defaultdict(list)
    for said in ReceivedLot.objects.filter(receipt_line__receipt=receipt, lot__isnull=False):
        own[said.lot_id].append(said)
    others = ReceivedLot.objects.filter(lot__in=list(own), receipt_line__receipt__undone_at=None)
    for said in others.exclude(receipt_line__receipt=receipt).order_by("pk"):
        rest[said.lot_id].append(said)
    corrected = AuditEntry.objects.filter(kind="lot", action=CORRECTED, object_id__in=list(own))
    decided = set(corrected.values_list("object_id", flat=True))
    for lot in Lot.objects.filter(pk__in=list(own)).select_related("sku").order_by("pk"):
        names = [name for name in NAMES if not (name == "expires_on" and lot.pk in decided)]
        changes = {
            name: _first(rest[lot.pk], name)
            for name in names
            if _is_only_here(getattr(lot, name), name, own[lot.pk], rest[lot.pk])
        }
        _change(lot, changes, reason, actor)


def _is_only_here(day: date | None, name: str, own: list[ReceivedLot], rest: list[ReceivedLot]) -> bool:
    said_here, said_elsewhere = ({getattr(said, name) for said in rows} for rows in (own, rest))
    return day is not None and day in said_here and day not in said_elsewhere


def _first(rows: list[ReceivedLot], name: str) -> date | None:
    return next((day for row in rows if (day := getattr(row, name))), None)


def _change(lot: Lot, changes: Mapping[str, date | None], reason: str, actor: Person) -> None:
    if "expires_on" in changes:
        record_expiry(lot, changes["expires_on"], action="change", reason=reason, actor=actor)
    for name, day in changes.items():
        setattr(lot, name, day)
    if changes:
        lot.save(update_fields=list(changes))
    if changes.get("expires_on"):
        settle_agreed(lot, reason=_("What said otherwise was undone."), actor=actor)
