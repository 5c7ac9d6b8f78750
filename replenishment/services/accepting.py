"""What arrived although nobody expected it, and is accepted: the warehouse's fact happens after all."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _, gettext_lazy

from oms.errors import Conflict, DomainError
from oms.models import Discrepancy, DiscrepancyKind as Kind, Person
from oms.services.discrepancies import Acceptance, accept_discrepancies, close_discrepancies
from oms.tenancy import current_account_id
from replenishment.lifecycle import Status, Step, may
from replenishment.models import OF_RECEIPT, Outcome, ReceiptLine, ReceivedSerial, Replenishment, ReplenishmentLine
from replenishment.queries import open_discrepancies
from replenishment.services.drafts import recount, touch
from replenishment.services.places import Bins
from replenishment.services.receiving import add_received
from replenishment.services.submitting import hold_workflows, set_status
from serials.lifecycle import Actor, Event
from serials.models import Unit
from serials.numbering import normalise
from serials.services import Fact, Row, record_event

ACCEPTABLE = (Kind.UNEXPECTED_SERIAL, Kind.SERIAL_VOID, Kind.OVER_RECEIPT)
OUTCOMES = {Kind.UNEXPECTED_SERIAL: Outcome.UNEXPECTED, Kind.SERIAL_VOID: Outcome.VOID}
# A number whose unit was cancelled and lives again is planned again, unless another line has taken it meanwhile.
PLAN_AGAIN = """
UPDATE replenishment_plannedserial p SET state = 'planned'
FROM replenishment_replenishmentline l, serials_unit u
WHERE p.account_id = %(account)s AND l.account_id = p.account_id AND l.id = p.line_id
  AND l.replenishment_id = %(replenishment)s AND p.state = 'released'
  AND u.account_id = p.account_id AND u.sku_id = p.sku_id AND u.serial_key = p.serial_key AND NOT u.is_void
  AND u.last_event = 'receive' AND u.process_id = %(number)s
  AND NOT EXISTS (
    SELECT FROM replenishment_plannedserial o WHERE o.account_id = p.account_id AND o.sku_id = p.sku_id
      AND o.serial_key = p.serial_key AND o.state = 'planned')
"""


@dataclass(frozen=True)
class _Arrival:
    """A case with what the receipt said: its line, the serial and where it lies."""

    case: Discrepancy
    line: ReceiptLine
    serial: ReceivedSerial


def settle_many(*, replenishment_id: int, reason: str, actor: Person | None, is_accepted: bool) -> int:
    """Settle what waits on a replenishment with one reason: accept all that can be accepted, or refuse everything.

    Refusing leaves the facts as they are. Returns how many. Raises as `oms.services.discrepancies.close_discrepancies`
    and `accept_discrepancies` do, and Conflict where nothing of what waits can be accepted.
    """
    with transaction.atomic():
        found = Replenishment.objects.get(pk=replenishment_id)
        cases = open_discrepancies(found)
        if is_accepted:
            ids = acceptable(found)
            if not ids:
                raise Conflict(_("Nothing of what waits can be accepted: settle it with a reason instead."))
            return accept_discrepancies(discrepancy_ids=ids, reason=reason, actor=actor)
        closed = close_discrepancies(
            discrepancy_ids=list(cases.values_list("pk", flat=True)), reason=reason, actor=actor, is_refused=True
        )
        say_what_arrived(_locked(found.number))
        return len(closed)


def acceptable(found: Replenishment) -> list[int]:
    """The open cases of a replenishment that can be accepted all at once.

    A serial that several receipts brought is one unit: its first case can, its others stay open, as does the case of
    one that is in the warehouse or shipped by now. It takes a look at the goods to tell a unit that was reported twice
    from two that carry one number.
    """
    rows = open_discrepancies(found).filter(kind__in=ACCEPTABLE).values_list("pk", "sku_id", "serial")
    cases = [(pk, (sku_id, normalise(serial))) for pk, sku_id, serial in rows]
    own = Unit.objects.filter(
        sku__in={sku for _pk, (sku, _key) in cases}, serial_key__in={key for _pk, (_sku, key) in cases}
    )
    seen = set(own.filter(is_void=False).exclude(status="incoming").values_list("sku_id", "serial_key"))
    ids = []
    for pk, key in cases:
        if key not in seen:
            ids.append(pk)
        if key[1]:  # pieces have no serial
            seen.add(key)
    return ids


def _accept_units(cases: list[Discrepancy], reason: str) -> None:
    by_document: dict[str, list[Discrepancy]] = defaultdict(list)
    for case in cases:
        by_document[case.process_id].append(case)
    for number in sorted(by_document):
        found = _locked(number)
        if not may(Step.RECEIVE, found.status):
            words = {"number": number, "status": Status(found.status).label}
            raise Conflict(_("%(number)s is %(status)s: nothing is received for it any more.") % words)
        hold_workflows(found)
        _receive(found, list(_arrivals(found, by_document[number])), reason)
        say_what_arrived(found)


def _keep_excess(cases: list[Discrepancy], _reason: str) -> None:
    """The pieces are in stock since they arrived: there is nothing to move."""
    for number in sorted({case.process_id for case in cases}):
        say_what_arrived(_locked(number))


UNEXPECTED = Acceptance(
    gettext_lazy("It is received as a new unit of this replenishment, in the bin that the receipt says."),
    gettext_lazy(
        "No unit is made of it and nothing comes into stock; the planned serials stay expected. The piece itself is "
        "still where the warehouse put it: say below what becomes of it."
    ),
    _accept_units,
)
VOID = Acceptance(
    gettext_lazy("Its unit is not void any more: it is received after all."),
    gettext_lazy(
        "Its unit stays void and nothing comes into stock. The piece itself is still where the warehouse put it: say "
        "below what becomes of it."
    ),
    _accept_units,
)
EXCESS = Acceptance(
    gettext_lazy("All of it stays in stock, where it is since it arrived."),
    gettext_lazy(
        "There is nothing to refuse: all of it is in stock since it arrived, and stays there. If it is not really "
        "there, have the warehouse correct or undo its receipt."
    ),
    _keep_excess,
    is_pending=False,
)


def say_what_arrived(found: Replenishment) -> None:
    """Let a locked replenishment's sums and status follow from its lines and from what still waits."""
    recount(found)
    if may(Step.SETTLE, found.status) or may(Step.RECEIVE, found.status):
        set_status(found)
    touch(found, "status", "quantity", "received_quantity")


def _locked(number: str) -> Replenishment:
    found: Replenishment | None = Replenishment.objects.select_for_update(of=("self",)).filter(number=number).first()
    if found is None:
        raise DomainError(_("What this is about is not known any more: settle it instead."))
    return found


def _arrivals(found: Replenishment, cases: Sequence[Discrepancy]) -> Iterable[_Arrival]:
    """What the receipts said of these cases."""
    lines = {
        (line.receipt_id, line.position): line
        for line in ReceiptLine.objects.filter(
            receipt__in={case.subject_id for case in cases if case.subject_kind == OF_RECEIPT},
            receipt__replenishment=found,
        )
        .select_related("receipt")
        .defer("receipt__raw")
        .prefetch_related("lots")
    }
    waiting: dict[tuple[int, str, str], ReceivedSerial] = {}
    for serial in ReceivedSerial.objects.filter(
        receipt_line__in=lines.values(), outcome__in=OUTCOMES.values()
    ).select_related("bin"):
        waiting.setdefault((serial.receipt_line_id, serial.outcome, serial.serial[:200]), serial)
    for case in cases:
        line = lines.get((case.subject_id or 0, case.subject_line or 0))
        serial_row = waiting.get((line.pk, OUTCOMES[Kind(case.kind)], case.serial)) if line else None
        if line is None or serial_row is None or line.sku_id is None:
            raise DomainError(_("What arrived is not known any more: settle “%(case)s” instead.") % {"case": case})
        yield _Arrival(case, line, serial_row)


def _receive(found: Replenishment, arrivals: list[_Arrival], reason: str) -> None:
    """Each unit as a fact of its own receipt: whose word it is, and since when, is what the receipt says."""
    default = Bins(found.link, [""])[""]
    by_receipt: dict[int, list[_Arrival]] = defaultdict(list)
    for arrival in arrivals:
        by_receipt[arrival.line.receipt_id].append(arrival)
    for own in by_receipt.values():
        receipt = own[0].line.receipt
        fact = Fact(
            Event.RECEIVE,
            Actor.WAREHOUSE,
            actor_id=receipt.actor_id,
            process_id=found.number,
            source=receipt.source,
            occurred_at=receipt.occurred_at,
            reason=reason,
        )
        record_event(fact, [_row(arrival, default) for arrival in own])
        receipt.quantity += len(own)
        receipt.save(update_fields=["quantity"])
    _count(found, arrivals)
    ReceivedSerial.objects.filter(pk__in=[arrival.serial.pk for arrival in arrivals]).update(outcome=Outcome.ACCEPTED)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                PLAN_AGAIN,
                {"account": current_account_id(), "replenishment": found.pk, "number": found.number},
            )
    except IntegrityError:  # somebody plans the same number at this very moment: then it is theirs to sort out
        return


def _row(arrival: _Arrival, default_bin: int) -> Row:
    lots = list(arrival.line.lots.all())
    is_whole = len(lots) == 1 and lots[0].quantity == arrival.line.quantity
    return Row(
        sku_id=arrival.line.sku_id,
        serial=arrival.serial.serial.strip(),
        bin_id=arrival.serial.bin_id or arrival.line.bin_id or default_bin,
        lot_id=arrival.serial.lot_id or (lots[0].lot_id if is_whole else None),
        is_new_allowed=arrival.case.kind == Kind.UNEXPECTED_SERIAL,
        is_accepted=arrival.case.kind == Kind.SERIAL_VOID,
    )


def _count(found: Replenishment, arrivals: Iterable[_Arrival]) -> None:
    """Count each on the line that it arrived for; where the receipt named only the SKU, where something is missing."""
    lines = list(ReplenishmentLine.objects.filter(replenishment=found).order_by("position"))
    room = {line.pk: line.quantity - line.received_quantity for line in lines}
    pieces: Counter[int] = Counter()
    applied: dict[int, ReceiptLine] = {}
    for arrival in arrivals:
        pk = _line_of(arrival, lines, room)
        pieces[pk] += 1
        room[pk] -= 1
        line = applied.setdefault(arrival.line.pk, arrival.line)
        line.applied_quantity += 1
    ReceiptLine.objects.bulk_update(applied.values(), ["applied_quantity"])
    add_received(pieces)


def _line_of(arrival: _Arrival, lines: Sequence[ReplenishmentLine], room: Mapping[int, int]) -> int:
    if arrival.line.sent_position is not None and arrival.line.line_id is not None:
        pk: int = arrival.line.line_id
        return pk
    own = [line.pk for line in lines if line.sku_id == arrival.line.sku_id]
    return next((pk for pk in own if room[pk] > 0), own[-1])
