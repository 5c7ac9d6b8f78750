"""Reads of discrepancies."""

from django.db import connection
from django.db.models import QuerySet

from oms.models import Discrepancy
from oms.tenancy import current_account_id

COUNTED = 999
OPEN_COUNT = """
SELECT count(*) FROM (SELECT FROM oms_discrepancy WHERE account_id = %(account)s AND is_open LIMIT %(most)s) AS d
"""


def discrepancy_rows() -> QuerySet[Discrepancy]:
    """Every discrepancy of the account with its SKU, open and settled, read through the search view."""
    return Discrepancy.objects.through_view().select_related("sku")


def open_count() -> int:
    """How many wait to be settled; not counted beyond COUNTED. Every page asks, so it is one ready statement."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN_COUNT, {"account": current_account_id(), "most": COUNTED})
        found: int = cursor.fetchone()[0]
    return found
