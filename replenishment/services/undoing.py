"""Taking back a receipt that somebody entered: its units are expected again, its pieces leave stock."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from oms.errors import Conflict, DomainError
from oms.models import Discrepancy, DiscrepancyKind, Person, Sku, StockMove, Workflow
from oms.services import audit, stock
from oms.services.discrepancies import close_discrepancies
from oms.tenancy import current_account_id
from replenishment.lifecycle import Step
from replenishment.models import (
    APPLIED,
    OF_RECEIPT,
    Outcome,
    Receipt,
    ReceiptLine,
    ReceivedSerial,
    Replenishment,
    ReplenishmentLine,
)
from replenishment.queries import open_discrepancies
from replenishment.receiving import ENTERED
from replenishment.services.accepting import say_what_arrived
from replenishment.services.by_hand import refuse_other_system
from replenishment.services.drafts import locked
from replenishment.services.lot_dates import hold_lots_of, take_back
from replenishment.services.matching import case_source
from replenishment.services.receiving import add_received, excess_of
from replenishment.services.submitting import NAMED, hold_workflows
from serials.lifecycle import Actor, Event, ProcessType
from serials.models import Unit
from serials.numbering import normalise
from serials.services import Fact, Row, record_event

BY_UNIT = (Outcome.MATCHED, Outcome.NEW, Outcome.ACCEPTED)
"""Serials of a receipt that became or moved units."""
# The units that a receipt brought in, each with the history row that did it and the line of this replenishment that it
# counts for: the one that planned it, else the one that it arrived on. OFFSET 0 makes each look-up a probe of an index,
# whatever the statistics say of rows that were written a moment ago.
BROUGHT_IN = """
SELECT u.id, e.id, CASE WHEN s.is_matched THEN COALESCE(l.id, s.line_id) ELSE s.line_id END
FROM unnest(%(skus)s::bigint[], %(keys)s::text[], %(lines)s::bigint[], %(matched)s::boolean[])
    AS s (sku_id, key, line_id, is_matched)
JOIN LATERAL (
    SELECT u.id FROM serials_unit u
    WHERE u.account_id = %(account)s AND u.sku_id = s.sku_id AND u.serial_key = s.key OFFSET 0
) AS u ON true
JOIN LATERAL (
    SELECT e.id FROM serials_unitevent e
    WHERE e.account_id = %(account)s AND e.unit_id = u.id AND e.event = 'receive' AND e.source = %(source)s OFFSET 0
) AS e ON true
LEFT JOIN LATERAL (
    SELECT p.line_id FROM replenishment_plannedserial p
    WHERE p.account_id = %(account)s AND p.sku_id = s.sku_id AND p.serial_key = s.key AND p.state = 'planned' OFFSET 0
) AS p ON true
LEFT JOIN replenishment_replenishmentline l
    ON l.account_id = %(account)s AND l.id = p.line_id AND l.replenishment_id = %(replenishment)s
"""


def may_undo(receipt: Receipt) -> bool:
    """Whether it is of a kind that can be taken back; what happened to its goods since may still stand in the way."""
    return receipt.stream == ENTERED and receipt.undone_at is None


@transaction.atomic
def undo(*, receipt_id: int, reason: str, actor: Person) -> Receipt:
    """Take a receipt back that somebody entered in Lotline.

    Planned units become Incoming again, others void; pieces leave the bins they were put in; what only this receipt
    said of lots is forgotten. What it left to be settled is settled with the same reason, and so is what other receipts
    brought too much of, where it is not too much any more.

    Raises DomainError without a reason, for a receipt of a warehouse system and where pieces are not there any more;
    Refused, naming them, where anything happened to a unit since; Conflict where it was taken back already, the
    replenishment is closed, or a SKU's goods came as pieces and are units now, or the other way round. Then nothing is
    written.
    """
    if not reason.strip():
        raise DomainError(_("Say why, in a few words."))
    own = Receipt.objects.defer("raw").get(pk=receipt_id)
    _settle_what_it_left(own, reason, actor)  # cases before documents: so is the order of locks everywhere
    found = locked(own.replenishment_id, Step.UNDO)
    receipt: Receipt = Receipt.objects.select_for_update(of=("self",)).defer("raw").get(pk=receipt_id)
    if receipt.undone_at is not None:
        raise Conflict(_("This receipt was undone already."))
    if not may_undo(receipt):
        raise DomainError(_("A warehouse system sent this receipt: it has to correct it."))
    if found.is_closed_short:
        raise Conflict(_("%(number)s is closed short: nothing of it is expected any more.") % {"number": found.number})
    refuse_other_system(found)
    hold_workflows(found)
    _refuse_other_workflow(receipt)
    brought = _hold_units(receipt)
    hold_lots_of(receipt)
    cause = {"actor_id": actor.pk, "process_id": found.number, "source": f"undo:{receipt.source}"}
    pieces = _take_units_back(brought, reason, cause)
    pieces += _take_pieces_back(receipt, reason, cause)
    add_received(pieces, -1)
    _mark(receipt, reason, actor)
    take_back(receipt, reason.strip()[:400], actor)
    _settle_excess(found, receipt, actor)
    say_what_arrived(found)
    audit.record(
        actor=actor,
        action="Receipt undone",
        kind="replenishment",
        object_id=found.pk,
        label=found.number,
        changes={"receipt": (str(receipt), None), "reason": (None, reason.strip()[:400])},
    )
    return receipt


def _refuse_other_workflow(receipt: Receipt) -> None:
    """Goods leave as they came, as units or as pieces: raise Conflict where a Serial attribute says otherwise now."""
    by_unit = Exists(ReceivedSerial.objects.filter(receipt_line=OuterRef("pk"), outcome__in=BY_UNIT))
    came = ReceiptLine.objects.filter(receipt=receipt, applied_quantity__gt=0)
    changed = Sku.objects.filter(
        Q(pk__in=came.filter(by_unit).values("sku")) & ~Q(workflow=Workflow.IN_OUT)
        | Q(pk__in=came.exclude(by_unit).values("sku")) & Q(workflow=Workflow.IN_OUT)
    )
    if codes := list(changed.order_by("code").values_list("code", flat=True)[:NAMED]):
        text = _(
            "The Serial attribute of %(skus)s is another than when this receipt came: it cannot be undone any more."
        )
        raise Conflict(text % {"skus": ", ".join(codes)})


def _hold_units(receipt: Receipt) -> list[tuple[int, int, int]]:
    """The units that a receipt brought in, locked as receipts that come lock them: rows of BROUGHT_IN."""
    serials = list(
        ReceivedSerial.objects.filter(receipt_line__receipt=receipt, outcome__in=BY_UNIT).values_list(
            "receipt_line__sku_id", "serial", "receipt_line__line_id", "outcome"
        )
    )
    params: dict[str, Any] = {
        "account": current_account_id(),
        "replenishment": receipt.replenishment_id,
        "source": receipt.source,
        "skus": [sku for sku, _serial, _line, _outcome in serials],
        "keys": [normalise(serial) for _sku, serial, _line, _outcome in serials],
        "lines": [line for _sku, _serial, line, _outcome in serials],
        "matched": [outcome == Outcome.MATCHED for _sku, _serial, _line, outcome in serials],
    }
    with connection.cursor() as cursor:
        cursor.execute(BROUGHT_IN, params)
        brought: list[tuple[int, int, int]] = cursor.fetchall()
    held = Unit.objects.filter(pk__in=[unit for unit, _event, _line in brought]).order_by("pk")
    list(held.select_for_update(of=("self",)).values_list("pk"))
    return brought


def _take_units_back(brought: Sequence[tuple[int, int, int]], reason: str, cause: dict[str, object]) -> Counter[int]:
    """How many units left which line."""
    fact = Fact(Event.UNRECEIVE, Actor.WAREHOUSE, reason=reason.strip()[:400], **cause)  # type: ignore[arg-type]
    record_event(fact, [Row(unit_id=unit, corrects_id=event) for unit, event, _line in brought])
    return Counter(line for _unit, _event, line in brought)


def _take_pieces_back(receipt: Receipt, reason: str, cause: dict[str, object]) -> Counter[int]:
    """What the receipt put into bins without units leaves them: how many pieces left which line."""
    bulk = ReceiptLine.objects.filter(receipt=receipt, applied_quantity__gt=0).exclude(sku__workflow=Workflow.IN_OUT)
    lines = list(bulk.values_list("line_id", "sku_id", "applied_quantity"))
    # The SKUs by their ids: PostgreSQL may think that a subquery gives one row, and go over the movements for each.
    moved = (
        StockMove.objects.filter(
            sku__in={sku for _line, sku, _count in lines}, source=receipt.source, event=Event.RECEIVE.value
        )
        .order_by()
        .values_list("sku_id", "bin_id", "lot_key")
        .annotate(Sum("delta"))
    )
    moves = [stock.Move(sku, place, -pieces, lot) for sku, place, lot, pieces in moved if pieces]
    words = reason.strip()[:250]
    stock.post_moves(
        moves,
        cause=stock.Cause(
            event=Event.UNRECEIVE.value,
            process_type=ProcessType.REPLENISHMENT.value,
            reason=words,
            **cause,  # type: ignore[arg-type]
        ),
    )
    pieces: Counter[int] = Counter()
    for line, _sku, count in lines:
        pieces[line] += count
    return pieces


def _mark(receipt: Receipt, reason: str, actor: Person) -> None:
    lines = ReceiptLine.objects.filter(receipt=receipt)
    ReceivedSerial.objects.filter(receipt_line__in=lines, outcome__in=APPLIED).update(outcome=Outcome.UNDONE)
    lines.update(applied_quantity=0)
    receipt.quantity, receipt.undone_at, receipt.undone_by = 0, timezone.now(), actor
    receipt.undo_reason = reason.strip()[:400]
    receipt.save(update_fields=["quantity", "undone_at", "undone_by", "undo_reason"])


def _settle_what_it_left(receipt: Receipt, reason: str, actor: Person) -> None:
    left = Discrepancy.objects.filter(subject_kind=OF_RECEIPT, subject_id=receipt.pk, is_open=True)
    ids = list(left.values_list("pk", flat=True))
    if ids:
        close_discrepancies(discrepancy_ids=ids, reason=reason, actor=actor)


def _settle_excess(found: Replenishment, receipt: Receipt, actor: Person) -> None:
    """Close the cases of lines that had received too much and have not any more.

    One that is locked is somebody else's to settle: to wait for it here, after the document, could go in a circle.
    """
    lines = ReplenishmentLine.objects.filter(replenishment=found, received_quantity__lte=F("quantity"))
    sound = [excess_of(line) for line in lines]
    cases = open_discrepancies(found).filter(kind=DiscrepancyKind.OVER_RECEIPT, subject_kind=OF_RECEIPT)
    held = list(cases.select_for_update(of=("self",), skip_locked=True))
    receipts = Receipt.objects.defer("raw").in_bulk({case.subject_id for case in held})
    ids = [
        case.pk
        for case in held
        if case.source in {case_source(receipts[case.subject_id], case.subject_line, line) for line in sound}
    ]
    if ids:
        words = _("The receipt %(receipt)s was undone: no more than expected has come.") % {"receipt": receipt}
        close_discrepancies(discrepancy_ids=ids, reason=words, actor=actor)
