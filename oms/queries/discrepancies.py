"""Reads of discrepancies."""

from django.db import connection
from django.db.models import Case, CharField, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from oms.models import AuditEntry, CaseState, Discrepancy
from oms.tenancy import current_account_id

COUNTED = 999
OPEN_COUNT = """
SELECT count(*) FROM (SELECT FROM oms_discrepancy WHERE account_id = %(account)s AND is_open LIMIT %(most)s) AS d
"""


def discrepancy_rows() -> QuerySet[Discrepancy]:
    """Every discrepancy of the account with its SKU, open and settled, read through the search view."""
    return with_state(Discrepancy.objects.through_view().select_related("sku"))


def with_state(rows: QuerySet[Discrepancy]) -> QuerySet[Discrepancy]:
    """The same with the `state` of each, a CaseState: how one ended is what the audit log says of it."""
    said = AuditEntry.objects.filter(
        kind="discrepancy", object_id=OuterRef("pk"), action__in=[CaseState.ACCEPTED, CaseState.REFUSED]
    )
    ended = Coalesce(
        Subquery(said.order_by("-pk").values("action")[:1]),
        Value(CaseState.SETTLED.value),
        output_field=CharField(),
    )
    return rows.annotate(state=Case(When(is_open=True, then=Value(CaseState.OPEN.value)), default=ended))


def open_count() -> int:
    """How many wait to be settled; not counted beyond COUNTED. Every page asks, so it is one ready statement."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN_COUNT, {"account": current_account_id(), "most": COUNTED})
        found: int = cursor.fetchone()[0]
    return found
