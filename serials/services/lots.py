"""What a lot says of itself: corrected by a person, with the audit log."""

from collections.abc import Collection, Iterable
from datetime import date

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _, gettext_lazy, ngettext

from oms import outbox
from oms.errors import DomainError
from oms.models import AuditEntry, Discrepancy, DiscrepancyKind, Person
from oms.services import audit
from oms.services.discrepancies import CLOSED, Acceptance, close_discrepancies
from serials.models import Lot
from serials.queries.lots import find_lot, printed_count

DECIDED = ("correct", "keep")
"""The actions of the audit log that say: a person decided on what the lot says, whatever facts say."""


def hold_lots(rows: QuerySet[Lot]) -> dict[int, Lot]:
    """Lock lots by their ids, after the units that are held; id → lot, with its SKU.

    Their keys stay as they are: who only refers to a lot, as a unit that moves does, does not wait for them.
    """
    held = rows.select_related("sku").order_by("pk").select_for_update(of=("self",), no_key=True)
    return {lot.pk: lot for lot in held}


@transaction.atomic
def correct_expiry(*, lot_id: int, expires_on: date | None, reason: str, actor: Person | None) -> Lot:
    """Give a lot another expiry, wherever it lies; its units' history is not touched. Recorded in the audit log."""
    lot = hold_lots(Lot.objects.filter(pk=lot_id))[lot_id]
    record_expiry(lot, expires_on, action="correct", reason=reason, actor=actor)
    lot.expires_on = expires_on
    lot.save(update_fields=["expires_on"])
    return lot


def decided_expiries(lot_ids: Collection[int]) -> dict[int, date | None]:
    """Of these lots, those whose expiry a person decided on → what they decided last; None is: it has none."""
    rows = AuditEntry.objects.filter(kind="lot", action__in=DECIDED, object_id__in=list(lot_ids)).order_by("pk")
    said = {row.object_id: row.changes["expiry"][1] for row in rows if row.object_id}
    return {pk: date.fromisoformat(day) if day else None for pk, day in said.items()}


def record_expiry(lot: Lot, expires_on: date | None, *, action: str, reason: str, actor: Person | None) -> None:
    """Write into the audit log that a lot's expiry becomes another one."""
    audit.record(
        actor=actor,
        action=action,
        kind="lot",
        object_id=lot.pk,
        label=f"{lot.number} ({lot.sku.code})",
        changes={"expiry": (_said(lot.expires_on), _said(expires_on)), "reason": (None, reason)},
    )


def settle_agreed(lot: Lot, *, reason: str, actor: Person | None) -> None:
    """Settle what waits because a fact named the expiry that this lot has by now: nothing contradicts any more.

    A case that is locked is somebody else's to settle: to wait for it here could go in a circle.
    """
    rows = Discrepancy.objects.filter(kind=DiscrepancyKind.LOT_EXPIRY, is_open=True, sku=lot.sku_id)
    rows = rows.filter(raw__sent=_said(lot.expires_on)).select_for_update(of=("self",), skip_locked=True)
    ids = [case.pk for case in rows if _lot_of(case) == lot]
    for case in close_discrepancies(discrepancy_ids=ids, reason=reason, actor=actor) if ids else ():
        outbox.publish(CLOSED, case)


def _said(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _lot_of(case: Discrepancy) -> Lot | None:
    return find_lot(case.sku_id, str(case.raw.get("lot", ""))) if case.sku_id else None


def _days(case: Discrepancy) -> tuple[date, date | None]:
    """The expiry that was sent, and the one that its lot has now. Raises DomainError where nobody knows them."""
    lot = _lot_of(case)
    try:
        sent = date.fromisoformat(str(case.raw.get("sent")))
    except ValueError:
        sent = None
    if lot is None or sent is None:
        raise DomainError(_("What this is about is not known any more: settle it instead."))
    return sent, lot.expires_on


def _answers(case: Discrepancy) -> tuple[str, str]:
    """What the two buttons say: take the date that was sent, keep the one that is known."""
    sent, known = _days(case)
    keep = _("Keep %(day)s") % {"day": known} if known else _("Leave it without an expiry")
    return _("Take %(day)s") % {"day": sent}, keep


def _told(case: Discrepancy) -> str:
    """How many labels say the date that the lot has now."""
    _sent, known = _days(case)
    lot = _lot_of(case)
    count = printed_count(lot) if lot else 0
    if not count:
        return _("No labels of its units were printed.")
    text = ngettext(
        "%(count)s label of its units was printed, with the expiry of then (now: %(day)s): whoever takes another date "
        "has to print it again.",
        "%(count)s labels of its units were printed, with the expiry of then (now: %(day)s): whoever takes another "
        "date has to print them again.",
        count,
    )
    return text % {"count": f"{count:,}", "day": known or _("none")}


def _held(cases: Iterable[Discrepancy]) -> dict[int, Lot]:
    """Case → its lot, locked; those of which it is not known any more are left out."""
    named = {case.pk: lot.pk for case in cases if (lot := _lot_of(case))}
    held = hold_lots(Lot.objects.filter(pk__in=named.values()))
    return {case: held[lot] for case, lot in named.items()}


def _take(cases: list[Discrepancy], reason: str) -> None:
    """The lot has the date that was sent from now on."""
    held = _held(cases)
    for case in cases:
        sent, _known = _days(case)
        lot = correct_expiry(lot_id=held[case.pk].pk, expires_on=sent, reason=reason, actor=case.closed_by)
        settle_agreed(lot, reason=_("The lot has this expiry now."), actor=case.closed_by)
        outbox.publish(CLOSED, case)


def _keep(cases: list[Discrepancy], reason: str) -> None:
    """The lot keeps the date that it has, whatever becomes of the fact that said so. Recorded in the audit log."""
    for lot in {lot.pk: lot for lot in _held(cases).values()}.values():
        record_expiry(lot, lot.expires_on, action="keep", reason=reason, actor=cases[0].closed_by)


EXPIRY = Acceptance(
    gettext_lazy("The lot has the expiry that was sent from now on, wherever it lies."),
    gettext_lazy("The lot stays as it is."),
    _take,
    _keep,
    answers=_answers,
    told=_told,
)
