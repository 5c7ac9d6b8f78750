"""Submitting a replenishment, and its other ends: cancelled, closed short, archived; and what discrepancies leave."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, F, Q
from django.utils import timezone
from django.utils.translation import gettext as _, ngettext
from psycopg.sql import SQL

from oms import outbox
from oms.errors import Conflict, DomainError
from oms.models import Discrepancy, OutboxMessage, Person, Sku, Workflow
from oms.services import audit, stock
from oms.tenancy import current_account_id
from replenishment.lifecycle import Status, Step, after_receipt, may
from replenishment.models import (
    PlannedSerial,
    PlannedState,
    Receipt,
    Replenishment,
    ReplenishmentLine,
    ReplenishmentLot,
)
from replenishment.services.drafts import locked, touch
from serials.lifecycle import Actor, Event, ProcessType
from serials.services import Fact, Refused, Staging, record_event

NAMED = 20
SUBMITTED, CANCELLED, CLOSED = "replenishment.submitted", "replenishment.cancelled", "replenishment.closed"

EXPECTED = """
SELECT p.sku_id, p.serial, p.serial_key FROM replenishment_plannedserial p
JOIN replenishment_replenishmentline l ON l.account_id = p.account_id AND l.id = p.line_id
WHERE p.account_id = %s AND l.replenishment_id = %s AND p.state = 'planned'
"""
# Those that are still expected on this very replenishment. OFFSET 0 is a fence: each unit is looked up by its serial.
# Right after a large Submit the statistics know of no Incoming units, and the planner would scan all of them for each.
OUTSTANDING = """
SELECT u.sku_id, u.serial, u.serial_key FROM replenishment_plannedserial p
JOIN replenishment_replenishmentline l ON l.account_id = p.account_id AND l.id = p.line_id
CROSS JOIN LATERAL (
    SELECT u.sku_id, u.serial, u.serial_key, u.status, u.is_void, u.process_id FROM serials_unit u
    WHERE u.account_id = %s AND u.sku_id = p.sku_id AND u.serial_key = p.serial_key OFFSET 0
) AS u
WHERE p.account_id = %s AND l.replenishment_id = %s AND p.state = 'planned'
  AND u.status = 'incoming' AND NOT u.is_void AND u.process_id = %s
"""
HAS_OUTSTANDING = f"{OUTSTANDING} LIMIT 1"
# Numbers whose units were just cancelled may be typed again.
RELEASE = """
UPDATE replenishment_plannedserial p SET state = 'released'
FROM replenishment_replenishmentline l, serials_unit u
WHERE p.account_id = %s AND l.account_id = p.account_id AND l.id = p.line_id AND l.replenishment_id = %s
  AND p.state = 'planned'
  AND u.account_id = p.account_id AND u.sku_id = p.sku_id AND u.serial_key = p.serial_key AND u.is_void
"""
# Planned serials that meanwhile became units elsewhere.
TAKEN = """
SELECT l.position, min(k.code), count(*), (array_agg(p.serial ORDER BY p.id))[1:3]
FROM replenishment_plannedserial p
JOIN replenishment_replenishmentline l ON l.account_id = p.account_id AND l.id = p.line_id
JOIN oms_sku k ON k.account_id = p.account_id AND k.id = p.sku_id
JOIN serials_unit u ON u.account_id = p.account_id AND u.sku_id = p.sku_id AND u.serial_key = p.serial_key
WHERE p.account_id = %s AND l.replenishment_id = %s AND p.state = 'planned' AND NOT u.is_void
GROUP BY l.position ORDER BY l.position
"""


class CannotSubmit(DomainError):
    """The replenishment is not ready. `faults` has a sentence per fault, each naming its line; nothing was written."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(_("Not submitted yet: %(faults)s") % {"faults": " ".join(faults[:NAMED])})
        self.faults = faults


@transaction.atomic
def submit(
    *, replenishment_id: int, actor: Person | None, version: int | None = None, occurred_at: datetime | None = None
) -> Replenishment:
    """Send an Incomplete replenishment off: its planned serials become Incoming units, and the warehouse is told.

    All or nothing, and once: a second tab gets Conflict "already submitted". Raises CannotSubmit with every fault where
    a line has serials but not exactly as many as units, where its SKU is not In/Out any more, or where a serial was
    registered elsewhere meanwhile; Conflict where it is not at `version`, which the person saw, if one is given.

    `occurred_at` is when it happened (now, if None): for imports and the demo, which tell of the past.
    """
    found = locked(replenishment_id, Step.SUBMIT)
    if version is not None and found.version != version:
        raise Conflict(
            _("Somebody changed this replenishment since you opened this page. See what it asks for now, then submit.")
        )
    occurred_at = occurred_at or timezone.now()
    hold_workflows(found)
    faults = _faults(found)
    if faults:
        raise CannotSubmit(faults)
    fact = Fact(
        Event.EXPECT,
        Actor.OFFICE,
        actor_id=actor.pk if actor else None,
        process_id=found.number,
        source=f"replenishment:{found.pk}:submit",
        occurred_at=occurred_at,
    )
    try:
        count = record_event(fact, Staging(SQL(EXPECTED), [current_account_id(), found.pk])).count
    except Refused as error:
        if taken := _taken(found):
            raise CannotSubmit(taken) from error
        raise
    found.status, found.submitted_at, found.submitted_by = Status.IN_TRANSIT, occurred_at, actor
    touch(found, "status", "submitted_at", "submitted_by")
    _record(found, actor, "Submitted", {"serials": (None, count)})
    outbox.publish(SUBMITTED, found)
    return found


@transaction.atomic
def cancel(*, replenishment_id: int, reason: str, actor: Person | None) -> Replenishment:
    """Cancel a replenishment of which nothing has arrived; its Incoming units become void and the warehouse is told.

    Raises DomainError without a reason, Conflict where its status does not allow it.
    """
    _refuse_empty(reason)
    found = locked(replenishment_id, Step.CANCEL)
    was = found.status
    if was == Status.INCOMPLETE:
        PlannedSerial.objects.filter(line__replenishment=found, state=PlannedState.PLANNED).update(
            state=PlannedState.REMOVED
        )
    else:
        _void(found, reason, actor)
        outbox.publish(CANCELLED, found)
    found.status, found.reason = Status.CANCELLED, reason.strip()[:400]
    touch(found, "status", "reason")
    _record(found, actor, "Cancelled", {"status": _words(was, found.status), "reason": (None, found.reason)})
    return found


@transaction.atomic
def close_short(*, replenishment_id: int, reason: str, actor: Person | None) -> Replenishment:
    """Expect nothing more: units that did not come become void. It stays Ready for Review while a discrepancy is open.

    Raises DomainError without a reason, Conflict where its status does not allow it.
    """
    _refuse_empty(reason)
    found = locked(replenishment_id, Step.CLOSE_SHORT)
    was = found.status
    _void(found, reason, actor)
    found.is_closed_short, found.reason = True, reason.strip()[:400]
    set_status(found)
    touch(found, "status", "is_closed_short", "reason")
    _record(found, actor, "Closed short", {"status": _words(was, found.status), "reason": (None, found.reason)})
    outbox.publish(CLOSED, found)
    return found


@transaction.atomic
def archive(*, replenishment_id: int, actor: Person | None) -> Replenishment:
    """Take a Completed or Cancelled replenishment out of the list."""
    found = locked(replenishment_id, Step.ARCHIVE)
    was, found.status = found.status, Status.ARCHIVED
    touch(found, "status")
    _record(found, actor, "Archived", {"status": _words(was, found.status)})
    return found


def hear_discrepancy_closed(message: OutboxMessage) -> None:
    """Outbox subscriber: a discrepancy was settled; after the last, its replenishment says again what has arrived."""
    case = Discrepancy.objects.get(pk=message.payload["id"])
    if case.process_type == ProcessType.REPLENISHMENT:
        refresh_status(number=case.process_id)


@transaction.atomic
def refresh_status(*, number: str) -> None:
    """Let a replenishment that is Ready for Review say what has arrived, if nothing waits any more."""
    found = Replenishment.objects.select_for_update(of=("self",)).filter(number=number).first()
    if found is None or not may(Step.SETTLE, found.status):
        return
    set_status(found)
    if found.status != Status.REVIEW:
        touch(found, "status")


def set_status(found: Replenishment) -> None:
    """Set the status of a locked replenishment that is being received, from what has arrived; unsaved.

    Where other serials were accepted in the place of planned ones, these are still expected: until they come or are
    closed short it is not complete.
    """
    is_short = ReplenishmentLine.objects.filter(replenishment=found, received_quantity__lt=F("quantity")).exists()
    found.status = after_receipt(
        is_complete=found.is_closed_short or not (is_short or _has_outstanding(found)),
        has_any=found.received_quantity > 0,
        is_waiting=Discrepancy.objects.filter(
            process_type=ProcessType.REPLENISHMENT, process_id=found.number, is_open=True
        ).exists(),
        is_undone=not Receipt.objects.filter(replenishment=found, undone_at=None).exists(),
    )


def _expected_of(found: Replenishment) -> list[Any]:
    """What OUTSTANDING asks for. The account is said twice: only a constant lets PostgreSQL leave partitions out."""
    return [current_account_id(), current_account_id(), found.pk, found.number]


def _has_outstanding(found: Replenishment) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(HAS_OUTSTANDING, _expected_of(found))
        return cursor.fetchone() is not None


def hold_workflows(found: Replenishment) -> None:
    """Keep the Serial attribute of its SKUs as it is until commit: from now on this replenishment blocks a change."""
    sku_ids = list(ReplenishmentLine.objects.filter(replenishment=found).values_list("sku_id", flat=True).distinct())
    with connection.cursor() as cursor:
        cursor.execute(stock.LOCK_SKUS, {"account": current_account_id(), "sku_ids": sku_ids})


def faults_of(replenishment: Replenishment) -> list[str]:
    """A sentence for everything that Submit would refuse now; for before somebody submits, it locks nothing."""
    return _faults(replenishment) or _taken(replenishment)


def _faults(replenishment: Replenishment) -> list[str]:
    planned = Count("planned", filter=Q(planned__state=PlannedState.PLANNED))
    lines = list(
        ReplenishmentLine.objects.filter(replenishment=replenishment).annotate(serials=planned).order_by("position")
    )
    if not lines:
        return [_("Add at least one SKU with its quantity.")]
    skus = Sku.objects.in_bulk({line.sku_id for line in lines})
    found = _faults_of_lots(lines, skus)
    for line in lines:
        words = {"line": line.position, "sku": skus[line.sku_id].code, "serials": line.serials, "units": line.quantity}
        if line.serials and line.serials != line.quantity:
            found.append((line.position, _miscounted(words, line.quantity - line.serials)))
        if line.serials and skus[line.sku_id].workflow != Workflow.IN_OUT:
            text = _("Line %(line)s (%(sku)s) has serials, but its SKU is not In/Out any more.") % words
            found.append((line.position, text))
    faults = [text for _line, text in sorted(found, key=itemgetter(0))]
    return faults + _taken(replenishment) if faults else []


def _miscounted(words: dict[str, Any], lacking: int) -> str:
    """What is to be done about a line with as many serials as `words` say, `lacking` units; negative: too many."""
    if lacking > 0:
        text = ngettext(
            "Line %(line)s (%(sku)s) has %(serials)s serial for %(units)s units: add %(n)s more, or remove it.",
            "Line %(line)s (%(sku)s) has %(serials)s serials for %(units)s units: add %(n)s more, or remove them.",
            words["serials"],
        )
    else:
        text = ngettext(
            "Line %(line)s (%(sku)s) has %(serials)s serials for %(units)s unit: choose %(n)s to remove.",
            "Line %(line)s (%(sku)s) has %(serials)s serials for %(units)s units: choose %(n)s to remove.",
            words["units"],
        )
    return text % {**words, "n": abs(lacking)}


def _faults_of_lots(lines: Sequence[ReplenishmentLine], skus: dict[int, Sku]) -> list[tuple[int, str]]:
    """The line and a sentence for each line whose lots exceed it, and each lot that is to expire on two days."""
    faults: list[tuple[int, str]] = []
    by_id = {line.pk: line for line in lines}
    sums: Counter[int] = Counter()
    first: dict[tuple[int, str], ReplenishmentLot] = {}
    for lot in ReplenishmentLot.objects.filter(line__in=by_id).order_by("line__position", "pk"):
        line = by_id[lot.line_id]
        sums[line.pk] += lot.quantity
        known = first.setdefault((line.sku_id, lot.number_key), lot)
        if known.expires_on != lot.expires_on:
            text = _("Line %(line)s (%(sku)s): lot %(lot)s has another expiry here than on line %(other)s.")
            words = {"line": line.position, "sku": skus[line.sku_id].code, "lot": lot.number}
            faults.append((line.position, text % {**words, "other": by_id[known.line_id].position}))
    for line in lines:
        if sums[line.pk] > line.quantity:
            text = _("Line %(line)s (%(sku)s): its lots add up to %(lots)s, but it has %(units)s units.")
            words = {"line": line.position, "sku": skus[line.sku_id].code, "lots": sums[line.pk]}
            faults.append((line.position, text % {**words, "units": line.quantity}))
    return faults


def _taken(found: Replenishment) -> list[str]:
    """A sentence for each line of which planned serials became units elsewhere. The ledger refuses those too: this is
    asked where it did, and where there are other faults to tell at the same time."""
    faults = []
    with connection.cursor() as cursor:
        cursor.execute(TAKEN, [current_account_id(), found.pk])
        taken = cursor.fetchall()
    for position, code, count, examples in taken:
        text = ngettext(
            "Line %(line)s (%(sku)s): the serial %(serials)s is registered already.",
            "Line %(line)s (%(sku)s): %(count)s serials are registered already, such as %(serials)s.",
            count,
        )
        faults.append(text % {"line": position, "sku": code, "count": count, "serials": ", ".join(examples)})
    return faults


def _void(found: Replenishment, reason: str, actor: Person | None) -> None:
    fact = Fact(
        Event.VOID,
        Actor.OFFICE,
        actor_id=actor.pk if actor else None,
        process_id=found.number,
        source=f"replenishment:{found.pk}:void:{found.version}",
        reason=reason.strip()[:400],
    )
    record_event(fact, Staging(SQL(OUTSTANDING), _expected_of(found)))
    with connection.cursor() as cursor:
        cursor.execute(RELEASE, [current_account_id(), found.pk])


def _refuse_empty(reason: str) -> None:
    if not reason.strip():
        raise DomainError(_("Say why, in a few words."))


def _words(before: str, after: str) -> tuple[str, str]:
    return str(Status(before).label), str(Status(after).label)


def _record(found: Replenishment, actor: Person | None, action: str, changes: audit.Changes) -> None:
    audit.record(
        actor=actor, action=action, kind="replenishment", object_id=found.pk, label=found.number, changes=changes
    )
