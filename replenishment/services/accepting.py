"""What arrived although nobody expected it, and is accepted: the warehouse's fact happens after all."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _, gettext_lazy

from oms import scanning
from oms.errors import Conflict, DomainError
from oms.models import Discrepancy, DiscrepancyKind as Kind, Person, Workflow
from oms.services import stock
from oms.services.discrepancies import Acceptance, accept_discrepancies, close_discrepancies
from oms.tenancy import current_account_id
from replenishment.lifecycle import Status, Step, may
from replenishment.models import OF_RECEIPT, Outcome, ReceiptLine, ReceivedSerial, Replenishment, ReplenishmentLine
from replenishment.queries import open_discrepancies
from replenishment.receiving import ENTERED
from replenishment.services.drafts import recount, touch
from replenishment.services.places import Bins
from replenishment.services.receiving import add_received, cause_of, moves_of, pieces_by_lot
from replenishment.services.submitting import hold_workflows, set_status
from serials.lifecycle import Actor, Event
from serials.models import Unit
from serials.numbering import normalise
from serials.services import Fact, Row, record_event

ACCEPTABLE = (Kind.UNEXPECTED_SERIAL, Kind.SERIAL_VOID, Kind.NOT_OPEN, Kind.OVER_RECEIPT, Kind.LOT_EXPIRED)
OUTCOMES = {
    Kind.UNEXPECTED_SERIAL: Outcome.UNEXPECTED,
    Kind.SERIAL_VOID: Outcome.VOID,
    Kind.NOT_OPEN: Outcome.UNEXPECTED,
}
UNKNOWN = gettext_lazy("What arrived is not known any more: settle “%(case)s” instead.")
OF_BEFORE = gettext_lazy(
    "“%(case)s” was written by an older release, which did not keep what arrived piece by piece. Replay its message "
    "(under Sync, Messages in): this discrepancy is settled, and what arrived becomes one discrepancy for each serial "
    "or quantity, which can be accepted."
)
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
    """A case with what the receipt said: its line, and the serial; None is a case of all pieces of the line."""

    case: Discrepancy
    line: ReceiptLine
    serial: ReceivedSerial | None

    @property
    def quantity(self) -> int:
        """How many pieces come into stock."""
        return self.line.quantity if self.serial is None else 1


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
    rows = open_discrepancies(found).filter(kind__in=ACCEPTABLE, sku__isnull=False)
    named = rows.values_list("pk", "sku_id", "serial")
    cases = [(pk, (sku_id, normalise(serial))) for pk, sku_id, serial in named]
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


def doubtful(found: Replenishment) -> list[str]:
    """Of the serials that would be new units if all is accepted, those that may be none, with what they look like."""
    new = (Kind.UNEXPECTED_SERIAL, Kind.NOT_OPEN)
    serials = open_discrepancies(found).filter(pk__in=acceptable(found), kind__in=new).values_list("serial", flat=True)
    verdicts = ((serial, scanning.parse(serial)) for serial in serials if serial)
    words = _("%(serial)s (%(what)s)")
    return [
        words % {"serial": serial[:60], "what": scanning.looks_like(verdict)}
        for serial, verdict in verdicts
        if isinstance(verdict, scanning.Asked)
    ]


def _accept_goods(cases: list[Discrepancy], reason: str) -> None:
    by_document: dict[str, list[Discrepancy]] = defaultdict(list)
    for case in cases:
        by_document[case.process_id].append(case)
    for number in sorted(by_document):
        found = _locked(number)
        if not (may(Step.RECEIVE, found.status) or may(Step.ACCEPT, found.status)):
            words = {"number": number, "status": Status(found.status).label}
            raise Conflict(_("%(number)s is %(status)s: nothing is received for it any more.") % words)
        hold_workflows(found)
        arrivals = list(_arrivals(found, by_document[number]))
        _refuse_other_workflow(arrivals)
        _receive(found, arrivals, reason)
        say_what_arrived(found)


def _refuse_other_workflow(arrivals: Sequence[_Arrival]) -> None:
    """Goods come in as units or as pieces, as their receipt said: raise Conflict where a SKU is the other by now."""
    for arrival in arrivals:
        sku = arrival.line.sku
        if sku is not None and (sku.workflow == Workflow.IN_OUT) is (arrival.serial is None):
            text = _("The Serial attribute of %(sku)s is another than when this arrived: settle “%(case)s” instead.")
            raise Conflict(text % {"sku": sku.code, "case": arrival.case})


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
    _accept_goods,
)
LATE = Acceptance(
    gettext_lazy(
        "It is received after all, in the bin that the receipt says. The replenishment itself stays what it is: "
        "nothing more is expected."
    ),
    gettext_lazy(
        "Nothing comes into stock. The goods themselves are still where the warehouse put them: say below what becomes "
        "of them."
    ),
    _accept_goods,
)
EXPIRED = Acceptance(
    gettext_lazy("The goods stay in stock, where they are since they arrived."),
    gettext_lazy(
        "There is nothing to refuse: the goods are in stock since they arrived, and stay there. Have the warehouse "
        "move them, or correct or undo its receipt, if they must not be there."
    ),
    _keep_excess,
    is_pending=False,
)
VOID = Acceptance(
    gettext_lazy("Its unit is not void any more: it is received after all."),
    gettext_lazy(
        "Its unit stays void and nothing comes into stock. The piece itself is still where the warehouse put it: say "
        "below what becomes of it."
    ),
    _accept_goods,
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
        .select_related("receipt", "sku")
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
        is_of_pieces = case.kind == Kind.NOT_OPEN and not case.serial
        if line is None or line.sku_id is None or not (serial_row or is_of_pieces):
            is_of_before = is_of_pieces and line is not None and line.receipt.stream not in {"", ENTERED}
            raise DomainError((OF_BEFORE if is_of_before else UNKNOWN) % {"case": case})
        yield _Arrival(case, line, None if is_of_pieces else serial_row)


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
        if rows := [_row(arrival, default) for arrival in own if arrival.serial]:
            record_event(fact, rows)
        moves = [move for arrival in own if arrival.serial is None for move in _moves(arrival, default)]
        stock.post_moves(moves, cause=cause_of(receipt, found.number, reason))
        receipt.quantity += sum(arrival.quantity for arrival in own)
        receipt.save(update_fields=["quantity"])
    _count(found, arrivals)
    accepted = [arrival.serial.pk for arrival in arrivals if arrival.serial]
    ReceivedSerial.objects.filter(pk__in=accepted).update(outcome=Outcome.ACCEPTED)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                PLAN_AGAIN,
                {"account": current_account_id(), "replenishment": found.pk, "number": found.number},
            )
    except IntegrityError:  # somebody plans the same number at this very moment: then it is theirs to sort out
        return


def _row(arrival: _Arrival, default_bin: int) -> Row:
    """Somebody accepted it: it is a new unit, or one that was void when it came or became so since."""
    serial, lots = arrival.serial, list(arrival.line.lots.all())
    if serial is None:
        raise LookupError("Pieces have no serial.")
    is_whole = len(lots) == 1 and lots[0].quantity == arrival.line.quantity
    return Row(
        sku_id=arrival.line.sku_id,
        serial=serial.serial.strip(),
        bin_id=serial.bin_id or arrival.line.bin_id or default_bin,
        lot_id=serial.lot_id or (lots[0].lot_id if is_whole else None),
        is_new_allowed=True,
        is_accepted=True,
    )


def _moves(arrival: _Arrival, default_bin: int) -> Iterable[stock.Move]:
    """All pieces of a line that came after the end, with the lots that it named."""
    line = arrival.line
    if line.sku_id is None:
        raise LookupError("Pieces of an unknown SKU are never accepted.")
    by_lot = pieces_by_lot((lot.lot_id, lot.quantity) for lot in line.lots.all())
    return moves_of(line.sku_id, line.bin_id or default_bin, line.quantity, by_lot)


def _count(found: Replenishment, arrivals: Iterable[_Arrival]) -> None:
    """Count each on the line that it arrived for; where the receipt named only the SKU, where something is missing."""
    lines = list(ReplenishmentLine.objects.filter(replenishment=found).order_by("position"))
    room = {line.pk: line.quantity - line.received_quantity for line in lines}
    pieces: Counter[int] = Counter()
    applied: dict[int, ReceiptLine] = {}
    for arrival in arrivals:
        for pk, part in _lines_of(arrival, lines, room):
            pieces[pk] += part
            room[pk] -= part
        line = applied.setdefault(arrival.line.pk, arrival.line)
        line.applied_quantity += arrival.quantity
    ReceiptLine.objects.bulk_update(applied.values(), ["applied_quantity"])
    add_received(pieces)


def _lines_of(
    arrival: _Arrival, lines: Sequence[ReplenishmentLine], room: Mapping[int, int]
) -> Iterable[tuple[int, int]]:
    """Lines and how many of the pieces count on each: what exceeds them all counts on the last."""
    if arrival.line.sent_position is not None and arrival.line.line_id is not None:
        yield arrival.line.line_id, arrival.quantity
        return
    own = [line.pk for line in lines if line.sku_id == arrival.line.sku_id]
    left = arrival.quantity
    for pk in own:
        part = left if pk == own[-1] else min(left, max(0, room[pk]))
        if part:
            yield pk, part
        left -= part
