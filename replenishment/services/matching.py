"""What a receipt means, line by line and serial by serial, held against the replenishment. Writes nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _, gettext_lazy, ngettext

from oms import identity
from oms.models import DiscrepancyKind as Kind, Workflow
from oms.queries.scans import Expected, SerialJudge
from oms.scanning import Asked, Entry, Refused, Taken, Verdict, looks_like
from oms.services.discrepancies import SOURCE_LENGTH, Case, shortened
from oms.tenancy import current_account_id
from replenishment.lifecycle import Status
from replenishment.models import Outcome, PlannedSerial, Receipt, Replenishment, ReplenishmentLine
from replenishment.queries import LIVE
from replenishment.receiving import IncomingLine, IncomingUnit
from replenishment.services import matching_sql as sql
from serials import numbering
from serials.lifecycle import ProcessType
from serials.queries.schemes import rules_of

MOST_PIECES = 1_000_000_000
UNDONE = "undone"
KINDS = {
    Outcome.UNEXPECTED: (
        Kind.UNEXPECTED_SERIAL,
        gettext_lazy("%(serial)s of %(sku)s is not among the planned serials of %(number)s."),
    ),
    Outcome.WRONG_SKU: (
        Kind.SERIAL_WRONG_SKU,
        gettext_lazy("%(serial)s arrived as %(sku)s, but on %(number)s it is planned for another SKU."),
    ),
    Outcome.ELSEWHERE: (
        Kind.SERIAL_ELSEWHERE,
        gettext_lazy("%(serial)s of %(sku)s is expected on another replenishment."),
    ),
    Outcome.IN_STOCK: (
        Kind.SERIAL_IN_STOCK,
        gettext_lazy("%(serial)s of %(sku)s is in the warehouse already."),
    ),
    Outcome.OUT: (Kind.SERIAL_OUT, gettext_lazy("%(serial)s of %(sku)s was shipped before.")),
    Outcome.VOID: (Kind.SERIAL_VOID, gettext_lazy("%(serial)s of %(sku)s was cancelled, but arrived.")),
    Outcome.DUPLICATE: (
        Kind.SERIAL_TWICE,
        gettext_lazy("%(serial)s of %(sku)s is named twice in one receipt."),
    ),
    Outcome.BAD: (Kind.BAD_SERIAL, gettext_lazy("“%(serial)s” of %(sku)s cannot be taken. %(why)s")),
}
"""Outcomes of a serial that wait for somebody → the kind of discrepancy, and its sentence."""
LOOKS_LIKE = gettext_lazy(
    "%(serial)s of %(sku)s looks like %(what)s. Accept it if it is really the serial of the unit."
)
SENT_LOOKS_LIKE = gettext_lazy(
    "“%(sent)s” of %(sku)s looks like %(what)s. Accept it if the serial of the unit is really %(serial)s."
)
LATE_LOOKS_LIKE = gettext_lazy(
    "“%(sent)s” of %(sku)s arrived for %(number)s, which is %(status)s. It looks like %(what)s: accept it if the "
    "serial of the unit is really %(serial)s."
)


@dataclass(slots=True)
class SerialResult:
    """One serial of a receipt: what it means, and the replenishment line that it counts for, if it is applied.

    Of what another system tells: `sent` is the text that it sent, `refused` why that is no serial, and `looks_like`
    what it may be instead; they are empty where it is one.
    """

    unit: IncomingUnit
    outcome: Outcome = Outcome.SAVED
    line_id: int | None = None
    sent: str = ""
    refused: str = ""
    looks_like: str = ""


@dataclass
class LineResult:
    """One line of a receipt: the lines it may mean (none: unknown), its serials, and the pieces to apply by line."""

    place: int
    incoming: IncomingLine
    candidates: list[ReplenishmentLine] = field(default_factory=list)
    serials: list[SerialResult] = field(default_factory=list)
    pieces: Counter[int] = field(default_factory=Counter)
    cases: list[Case] = field(default_factory=list)

    @property
    def sku(self) -> Any:
        """The SKU, None where the line is unknown."""
        return self.candidates[0].sku if self.candidates else None

    @property
    def is_by_unit(self) -> bool:
        """The SKU is In/Out: there is no stock without a unit."""
        return bool(self.candidates) and self.sku.workflow == Workflow.IN_OUT

    @property
    def applied_serials(self) -> list[SerialResult]:
        """The serials that become or move units."""
        return [serial for serial in self.serials if serial.outcome in {Outcome.MATCHED, Outcome.NEW}]


class Matcher:
    """Holds one receipt against its replenishment, which the caller has locked with its SKUs.

    `is_trial` locks no units: what would a receipt mean, of which nothing is written? What another system tells asks
    nobody: of a scan its serial is taken, and what may be no serial waits. People were asked where they entered it.
    """

    def __init__(
        self, replenishment: Replenishment, receipt: Receipt, *, is_open: bool, is_trial: bool = False
    ) -> None:
        self.replenishment, self.receipt, self.is_open, self.is_trial = replenishment, receipt, is_open, is_trial
        self.is_told = receipt.actor_id is None and not is_trial
        planned = PlannedSerial.objects.filter(line=OuterRef("pk"), state__in=LIVE)
        rows = ReplenishmentLine.objects.filter(replenishment=replenishment).select_related("sku")
        self.lines: list[ReplenishmentLine] = list(rows.order_by("position"))
        self.planned = set(rows.filter(Exists(planned)).values_list("pk", flat=True))
        self.room = {line.pk: line.quantity - line.received_quantity for line in self.lines}

    def match(self, incoming: Sequence[IncomingLine]) -> list[LineResult]:
        """Every line with what it means. A constant number of statements, whatever the number of serials."""
        results = [LineResult(place, line) for place, line in enumerate(incoming, 1)]
        for result in results:
            self._find_line(result)
            result.serials = [SerialResult(unit, sent=unit.serial) for unit in result.incoming.units]
        if self.is_told:
            _read([result for result in results if result.is_by_unit])
        known = self._known(result for result in results if result.is_by_unit)
        self.rules = rules_of({result.sku.pk for result in results if result.is_by_unit})
        seen: set[tuple[int, str]] = set()
        for result in results:
            if result.is_by_unit:
                self._match_units(result, known, seen)
            else:
                self._match_pieces(result)
        self._tell_other_skus(results)
        for result in results:
            if result.is_by_unit:
                self._open_cases(result)
        return results

    def case(self, result: LineResult, kind: Kind, summary: str, *, serial: str = "", detail: str = "") -> Case:
        """A discrepancy of one line; `detail` tells two of a kind in one line apart."""
        return Case(
            kind=kind,
            source=case_source(self.receipt, result.place, detail or serial),
            summary=summary,
            sku_id=result.sku.pk if result.sku else None,
            serial=serial,
            process_type=ProcessType.REPLENISHMENT.value,
            process_id=self.replenishment.number,
            raw=as_sent(self.receipt, result.incoming, serial),
            subject_line=result.place,
        )

    def _find_line(self, result: LineResult) -> None:
        incoming, code = result.incoming, result.incoming.sku_code.strip()
        words = {"sku": code[:80], "line": incoming.position, "number": self.replenishment.number}
        if not 0 <= incoming.quantity <= MOST_PIECES:
            result.cases.append(
                self.case(result, Kind.BAD_QUANTITY, _("%(sku)s: the quantity makes no sense.") % words)
            )
            return
        key = identity.sought(code)
        of_sku = [line for line in self.lines if line.sku.code == code]
        of_sku = of_sku or [line for line in self.lines if line.sku.code_key == key]
        if incoming.position is None:
            result.candidates = of_sku
        else:
            result.candidates = [line for line in of_sku if line.position == incoming.position]
        if result.candidates:
            return
        if any(line.position == incoming.position for line in self.lines):
            text = _("Line %(line)s of %(number)s is another SKU than %(sku)s.")
            result.cases.append(self.case(result, Kind.WRONG_SKU, text % words))
        elif of_sku:
            text = ngettext(
                "Line %(line)s of the receipt: %(number)s has no line %(line)s (%(sku)s is its line %(lines)s).",
                "Line %(line)s of the receipt: %(number)s has no line %(line)s (%(sku)s is on its lines %(lines)s).",
                len(of_sku),
            )
            words["lines"] = ", ".join(str(line.position) for line in of_sku)
            result.cases.append(self.case(result, Kind.UNKNOWN_LINE, text % words))
        else:
            text = _("%(sku)s is not on %(number)s.")
            result.cases.append(self.case(result, Kind.UNKNOWN_LINE, text % words))

    def _known(self, results: Iterable[LineResult]) -> dict[tuple[int, str], tuple[str, str, int | None]]:
        """(SKU, normalised serial) → state, ProcessID and the line that planned it here, of the units that exist."""
        pairs = {(result.sku.pk, identity.sought(each.unit.serial)) for result in results for each in result.serials}
        if not pairs:
            return {}
        params: dict[str, Any] = {
            "account": current_account_id(),
            "number": self.replenishment.number,
            "replenishment": self.replenishment.pk,
            "skus": [sku for sku, _key in pairs],
            "keys": [key for _sku, key in pairs],
        }
        with connection.cursor() as cursor:
            cursor.execute(sql.IN_ORDER)
            cursor.execute(sql.LOOKED_AT if self.is_trial else sql.LOCKED, params)
            rows = cursor.fetchall()
            cursor.execute(sql.AS_EVER)
        return {(sku, key): (state, process, line) for sku, key, state, process, line in rows}

    def _match_units(
        self,
        result: LineResult,
        known: Mapping[tuple[int, str], tuple[str, str, int | None]],
        seen: set[tuple[int, str]],
    ) -> None:
        for serial in result.serials:
            serial.outcome, serial.line_id = self._meaning(result, serial, known, seen)
            if serial.line_id is not None:
                result.pieces[serial.line_id] += 1
                self.room[serial.line_id] -= 1

    def _match_pieces(self, result: LineResult) -> None:
        """Pieces of what is open count on its lines; what comes after its end waits for somebody."""
        if self.is_open and result.candidates:
            self._allocate(result, result.incoming.quantity)
        elif result.candidates and result.incoming.quantity:
            text = _("%(quantity)s × %(sku)s arrived for %(number)s, which is %(status)s.")
            words = {**self._end_words(), "quantity": result.incoming.quantity, "sku": result.sku.code}
            result.cases.append(self.case(result, Kind.NOT_OPEN, text % words))

    def _end_words(self) -> dict[str, object]:
        return {"number": self.replenishment.number, "status": Status(self.replenishment.status).label}

    def _tell_other_skus(self, results: Iterable[LineResult]) -> None:
        """A serial that its own SKU does not expect may be another one's of this replenishment."""
        found = [
            (serial, result.sku.pk, numbering.normalise(serial.unit.serial))
            for result in results
            for serial in result.serials
            if serial.outcome is Outcome.UNEXPECTED
        ]
        if not found:
            return
        params: dict[str, Any] = {
            "account": current_account_id(),
            "number": self.replenishment.number,
            "replenishment": self.replenishment.pk,
            "skus": [sku for _serial, sku, _key in found],
            "keys": [key for _serial, _sku, key in found],
        }
        with connection.cursor() as cursor:
            cursor.execute(sql.OTHER_SKUS, params)
            others = set(cursor.fetchall())
        for serial, sku, key in found:
            if (sku, key) in others:
                serial.outcome = Outcome.WRONG_SKU

    def _open_cases(self, result: LineResult) -> None:
        """What waits of a line whose units are registered."""
        for place, serial in enumerate(result.serials, 1):
            if serial.line_id is None:
                result.cases.append(self._serial_case(result, serial, place))
        sent = len(result.incoming.units)
        if sent != result.incoming.quantity:
            words = {"sku": result.sku.code, "quantity": result.incoming.quantity, "sent": sent}
            text = _("%(sku)s: %(quantity)s received, but %(sent)s serials. The rest waits.")
            result.cases.append(self.case(result, Kind.QUANTITY_MISMATCH, text % words))

    def _meaning(
        self,
        result: LineResult,
        serial: SerialResult,
        known: Mapping[tuple[int, str], tuple[str, str, int | None]],
        seen: set[tuple[int, str]],
    ) -> tuple[Outcome, int | None]:
        key = (result.sku.pk, numbering.normalise(serial.unit.serial))
        if key not in known and self._fault(result, serial):
            return Outcome.BAD, None
        if key in seen:
            return Outcome.DUPLICATE, None
        seen.add(key)
        if key in known and known[key][0] != UNDONE:
            return self._meaning_of_known(serial, *known[key])
        own = [line for line in result.candidates if self.is_open and line.pk not in self.planned]
        if not own or serial.looks_like:
            return Outcome.UNEXPECTED, None
        return Outcome.NEW, self._roomy(own)

    def _fault(self, result: LineResult, serial: SerialResult) -> str:
        """Why a number from outside cannot be taken as a new one; empty where it can. What was here before can."""
        try:
            self.rules[result.sku.pk].check(serial.unit.serial)
        except numbering.BadSerial as error:
            return str(error)
        return serial.refused

    def _meaning_of_known(
        self, serial: SerialResult, state: str, process: str, line_id: int | None
    ) -> tuple[Outcome, int | None]:
        if state == "incoming":
            if process != self.replenishment.number or line_id is None:
                return Outcome.ELSEWHERE, None
            return (Outcome.MATCHED, line_id) if self.is_open and not serial.looks_like else (Outcome.UNEXPECTED, None)
        return {"void": Outcome.VOID, "out": Outcome.OUT}.get(state, Outcome.IN_STOCK), None

    def _serial_case(self, result: LineResult, serial: SerialResult, place: int) -> Case:
        kind, text = KINDS[serial.outcome]
        if serial.outcome is Outcome.UNEXPECTED and not self.is_open:
            kind, text = (
                Kind.NOT_OPEN,
                gettext_lazy("%(serial)s of %(sku)s arrived for %(number)s, which is %(status)s."),
            )
        words = {**self._end_words(), "serial": serial.unit.serial[:100], "sku": result.sku.code}
        if serial.outcome is Outcome.BAD:
            looks = _("It looks like %(what)s.") % {"what": serial.looks_like} if serial.looks_like else ""
            words["why"] = looks or self._fault(result, serial)
        if serial.outcome is Outcome.UNEXPECTED and serial.looks_like:
            words |= {"what": serial.looks_like, "sent": identity.shown(serial.sent, 200)}
            text = LOOKS_LIKE if serial.sent == serial.unit.serial else SENT_LOOKS_LIKE
            text = text if self.is_open else LATE_LOOKS_LIKE
        detail = serial.unit.serial
        if serial.outcome is Outcome.DUPLICATE:
            detail = f"{detail}:{place}"
        return self.case(result, kind, text % words, serial=serial.unit.serial, detail=detail)

    def _roomy(self, lines: Sequence[ReplenishmentLine]) -> int:
        """The first of these lines that still expects something, else the last: what comes in excess counts there."""
        return next((line.pk for line in lines if self.room[line.pk] > 0), lines[-1].pk)

    def _allocate(self, result: LineResult, quantity: int) -> None:
        """Spread pieces over the lines that may be meant, in their order; what exceeds them all goes to the last."""
        for line in result.candidates:
            part = min(quantity, max(0, self.room[line.pk]))
            if line is result.candidates[-1]:
                part = quantity
            if part:
                result.pieces[line.pk] += part
                self.room[line.pk] -= part
                quantity -= part


def _read(results: Sequence[LineResult]) -> None:
    """Take of what another system sent, which may be all that a scanner read, the serials. Two look-ups for all."""
    expected = {result.place: Expected(result.sku) for result in results}
    sent = [(result.place, serial) for result in results for serial in result.serials]
    verdicts = SerialJudge(expected)([Entry(serial.sent, place) for place, serial in sent])
    for (_place, serial), verdict in zip(sent, verdicts, strict=True):
        serial.unit = replace(serial.unit, serial=_serial_of(verdict, serial.sent))
        serial.refused = verdict.words if isinstance(verdict, Refused) else ""
        serial.looks_like = looks_like(verdict) if isinstance(verdict, Asked) else ""


def _serial_of(verdict: Verdict, sent: str) -> str:
    """The serial that a text is; the one that it would be, where somebody has to say so."""
    if isinstance(verdict, Taken):
        return verdict.text
    return verdict.maybe[0].text if isinstance(verdict, Asked) and len(verdict.maybe) == 1 else sent


def case_source(receipt: Receipt, place: int | None, detail: str) -> str:
    """The source of a case of one line of a receipt, as it is stored."""
    return shortened(f"{receipt.source}#{place}:{detail}", SOURCE_LENGTH)


def as_sent(receipt: Receipt, line: IncomingLine, serial: str = "") -> dict[str, Any]:
    """A line as it was sent, for a discrepancy; the whole document is in the receipt's raw."""
    said: dict[str, Any] = clean(
        {
            "receipt": receipt.external_id,
            "position": line.position,
            "sku": line.sku_code[:200],
            "quantity": str(line.quantity)[:40],
            "serial": serial[:300],
            "bin": line.bin_name[:200],
        }
    )
    return said


def clean(value: Any) -> Any:
    """JSON-ready data without what PostgreSQL cannot hold in it."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {clean(str(key)): clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean(inner) for inner in value]
    return value
