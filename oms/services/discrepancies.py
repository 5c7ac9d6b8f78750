"""Discrepancies: the one writer of facts that contradict what Lotline knows, and of their end."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from oms import outbox
from oms.errors import Conflict, DomainError, Text
from oms.models import AuditEntry, CaseState, Discrepancy, DiscrepancyKind, Person
from oms.services import audit

CLOSED = "discrepancy.closed"
SOURCE_LENGTH, SUMMARY_LENGTH, SERIAL_LENGTH = 250, 400, 200
BATCH = 2_000


@dataclass(frozen=True)
class Case:
    """One contradiction. (`kind`, `source`) is its identity: the same fact delivered again opens no second case.

    Args:
        source: the unique id of the fact; longer ones than the column are shortened, and stay unique.
        summary: one sentence for the person who settles it.
        sku_id, serial, process_type, process_id: what it is about, where that is known.
        subject_kind, subject_id, subject_line: the row that it is about, and the line of that document.
        raw: the fact as it came, JSON-ready.
    """

    kind: DiscrepancyKind
    source: str
    summary: str
    sku_id: int | None = None
    serial: str = ""
    process_type: str = ""
    process_id: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)
    subject_kind: str = ""
    subject_id: int | None = None
    subject_line: int | None = None


@transaction.atomic
def open_discrepancies(cases: Sequence[Case]) -> int:
    """Open many cases in one statement per BATCH; those that are known, open or settled, stay as they are.

    Returns how many rows were offered.
    """
    rows = [_row(case) for case in cases]
    Discrepancy.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)
    return len(rows)


@transaction.atomic
def open_discrepancy(*, kind: DiscrepancyKind, source: str, summary: str, **more: Any) -> Discrepancy:
    """Open one case, or give the one that the same fact opened before; see Case for the arguments."""
    case = Case(kind, source, summary, **more)
    open_discrepancies([case])
    row = _row(case)
    found: Discrepancy = Discrepancy.objects.get(kind=row.kind, source=row.source)
    return found


@transaction.atomic
def close_discrepancy(
    *, discrepancy_id: int, reason: str, actor: Person | None, is_refused: bool = False
) -> Discrepancy:
    """Settle a case with a reason, and publish "discrepancy.closed" for the document that it belongs to.

    `is_refused` as in `close_discrepancies`. Raises DomainError without a reason, Conflict where somebody settled it
    first.
    """
    case = close_discrepancies(discrepancy_ids=[discrepancy_id], reason=reason, actor=actor, is_refused=is_refused)[0]
    outbox.publish(CLOSED, case)
    return case


@transaction.atomic
def close_discrepancies(
    *, discrepancy_ids: Collection[int], reason: str, actor: Person | None, is_refused: bool = False
) -> list[Discrepancy]:
    """Settle those of these cases that are still open, in a constant number of statements; publishes nothing.

    `is_refused`: somebody decided so: what waits to be applied is refused. Else the matter came to an end by itself.
    Raises DomainError without a reason, Conflict where somebody settled all of them first.
    """
    if not is_refused:
        return _close(discrepancy_ids, reason, actor, CaseState.SETTLED)
    cases = _close(discrepancy_ids, reason, actor, CaseState.REFUSED)
    for kind in sorted({case.kind for case in cases}):
        found = acceptance(kind)
        if found and found.refuse:
            found.refuse([case for case in cases if case.kind == kind], reason.strip()[:400])
    return cases


@transaction.atomic
def settle_open(cases: "QuerySet[Discrepancy]", *, reason: str, actor: Person | None) -> int:
    """Settle those of these cases that are open, and publish it; how many. Where somebody is settling one at this very
    moment it is theirs, and that is fine.
    """
    ids = list(cases.filter(is_open=True).order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
    for case in close_discrepancies(discrepancy_ids=ids, reason=reason, actor=actor) if ids else []:
        outbox.publish(CLOSED, case)
    return len(ids)


def _close(discrepancy_ids: Collection[int], reason: str, actor: Person | None, end: CaseState) -> list[Discrepancy]:
    if not reason.strip():
        raise DomainError(_("Say how it was settled."))
    rows = Discrepancy.objects.filter(pk__in=discrepancy_ids, is_open=True).order_by("pk")
    cases: list[Discrepancy] = list(rows.select_for_update(of=("self",)))
    if not cases:
        raise Conflict(_("Somebody settled this discrepancy already."))
    now, words = timezone.now(), reason.strip()[:400]
    for case in cases:
        case.is_open, case.reason, case.closed_at, case.closed_by = False, words, now, actor
    Discrepancy.objects.filter(pk__in=[case.pk for case in cases]).update(
        is_open=False, reason=words, closed_at=now, closed_by=actor
    )
    refusable = {kind for kind in {case.kind for case in cases} if is_refusable(kind)}
    entries = []
    for case in cases:
        if end == CaseState.ACCEPTED:
            entries.append(_ended(case, actor, "accept"))
        elif end == CaseState.REFUSED and case.kind in refusable:
            entries.append(_ended(case, actor, "refuse"))
        else:
            entries.append(_ended(case, actor, "settle"))
    audit.record_many(entries)
    return cases


def _ended(case: Discrepancy, actor: Person | None, action: str) -> AuditEntry:
    """The row of the audit log that says how it ended: `queries.discrepancies.with_state` reads it."""
    return audit.entry(
        actor=actor,
        action=action,
        kind="discrepancy",
        object_id=case.pk,
        label=case.summary,
        changes={"reason": (None, case.reason)},
    )


@dataclass(frozen=True)
class Acceptance:
    """What it means to accept a kind of discrepancy: the fact happens after all. See settings.ACCEPTANCES.

    Args:
        words: a sentence for who decides.
        otherwise: one that says what becomes of it where it is not accepted.
        accept: called inside the transaction that closed the cases, with them and the reason.
        refuse: the same where somebody decided not to accept them; None: there is nothing more to do then.
        is_pending: nothing of the fact was applied yet, so that settling it otherwise refuses it.
        answers: what the two buttons of a case say, to accept it and not to; None: the usual words.
        told: a sentence more about a case, for who decides; None: there is none.
    """

    words: Text
    otherwise: Text
    accept: Callable[[list[Discrepancy], str], None]
    refuse: Callable[[list[Discrepancy], str], None] | None = None
    is_pending: bool = True
    answers: Callable[[Discrepancy], tuple[str, str]] | None = None
    told: Callable[[Discrepancy], str] | None = None


def acceptance(kind: str) -> Acceptance | None:
    """What accepting a discrepancy of this kind would mean; None where it can only be settled."""
    path = settings.ACCEPTANCES.get(kind)
    return import_string(path) if path else None


def is_refusable(kind: str) -> bool:
    """Whether such a fact waits to be applied: it is accepted or refused. What was applied already is only settled."""
    found = acceptance(kind)
    return found is not None and found.is_pending


@transaction.atomic
def accept_discrepancies(*, discrepancy_ids: Collection[int], reason: str, actor: Person | None) -> int:
    """Let the facts behind these open cases happen after all, and settle them with a reason; how many.

    All or none: raises what the acceptance raises, such as Refused for a unit that is something else by now;
    DomainError without a reason or for a kind that cannot be accepted, Conflict where somebody settled all of them.
    """
    cases = _close(discrepancy_ids, reason, actor, CaseState.ACCEPTED)
    for kind in sorted({case.kind for case in cases}):
        found = acceptance(kind)
        if found is None:
            raise DomainError(_("A discrepancy of this kind cannot be accepted, only settled."))
        found.accept([case for case in cases if case.kind == kind], reason.strip()[:400])
    return len(cases)


def _row(case: Case) -> Discrepancy:
    return Discrepancy(
        kind=case.kind,
        source=shortened(case.source, SOURCE_LENGTH),
        summary=_plain(case.summary)[:SUMMARY_LENGTH],
        sku_id=case.sku_id,
        serial=_plain(case.serial)[:SERIAL_LENGTH],
        process_type=case.process_type,
        process_id=case.process_id,
        raw=dict(case.raw),
        subject_kind=case.subject_kind,
        subject_id=case.subject_id,
        subject_line=case.subject_line,
    )


def shortened(source: str, length: int) -> str:
    """The text itself where it fits; else its beginning and a digest, so that two long ones never become one."""
    plain = _plain(source)
    if len(plain) <= length and plain == source:
        return source
    digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{plain[: length - 33]}~{digest}"


def _plain(text: str) -> str:
    """Without what PostgreSQL cannot hold in a text: a warehouse system may send anything."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
