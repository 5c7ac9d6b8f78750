"""Discrepancies: the one writer of facts that contradict what Lotline knows, and of their end."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from oms import outbox
from oms.errors import Conflict, DomainError
from oms.models import Discrepancy, Person
from oms.services import audit

CLOSED = "discrepancy.closed"
SOURCE_LENGTH, SUMMARY_LENGTH, SERIAL_LENGTH = 250, 400, 200
BATCH = 2_000


@dataclass(frozen=True)
class Case:
    """One contradiction. (`kind`, `source`) is its identity: the same fact delivered again opens no second case.

    Args:
        kind: a short code, such as "unexpected_serial".
        source: the unique id of the fact; longer ones than the column are shortened, and stay unique.
        summary: one sentence for the person who settles it.
        sku_id, serial, process_type, process_id: what it is about, where that is known.
        raw: the fact as it came, JSON-ready.
    """

    kind: str
    source: str
    summary: str
    sku_id: int | None = None
    serial: str = ""
    process_type: str = ""
    process_id: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)


@transaction.atomic
def open_discrepancies(cases: Sequence[Case]) -> int:
    """Open many cases in one statement per BATCH; those that are known, open or settled, stay as they are.

    Returns how many rows were offered.
    """
    rows = [_row(case) for case in cases]
    Discrepancy.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)
    return len(rows)


@transaction.atomic
def open_discrepancy(
    *,
    kind: str,
    source: str,
    summary: str,
    sku_id: int | None = None,
    serial: str = "",
    process_type: str = "",
    process_id: str = "",
    raw: Mapping[str, Any] | None = None,
) -> Discrepancy:
    """Open one case, or give the one that the same fact opened before; see Case for the arguments."""
    case = Case(kind, source, summary, sku_id, serial, process_type, process_id, raw or {})
    open_discrepancies([case])
    row = _row(case)
    found: Discrepancy = Discrepancy.objects.get(kind=row.kind, source=row.source)
    return found


@transaction.atomic
def close_discrepancy(*, discrepancy_id: int, reason: str, actor: Person | None) -> Discrepancy:
    """Settle a case with a reason, and publish "discrepancy.closed" for the document that it belongs to.

    Raises DomainError without a reason, Conflict where somebody settled it first.
    """
    if not reason.strip():
        raise DomainError(_("Say how it was settled."))
    case: Discrepancy = Discrepancy.objects.select_for_update(of=("self",)).get(pk=discrepancy_id)
    if not case.is_open:
        raise Conflict(_("Somebody settled this discrepancy already."))
    case.is_open, case.reason = False, reason.strip()[:400]
    case.closed_at, case.closed_by = timezone.now(), actor
    case.save(update_fields=["is_open", "reason", "closed_at", "closed_by"])
    audit.record(
        actor=actor,
        action="settle",
        kind="discrepancy",
        object_id=case.pk,
        label=case.summary,
        changes={"reason": (None, case.reason)},
    )
    outbox.publish(CLOSED, case)
    return case


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
