"""Reads of discrepancies."""

from django.db.models import QuerySet

from oms.models import Discrepancy

COUNTED = 999


def discrepancy_rows() -> QuerySet[Discrepancy]:
    """Every discrepancy of the account with its SKU, open and settled, read through the search view."""
    return Discrepancy.objects.through_view().select_related("sku")


def open_count() -> int:
    """How many wait to be settled; not counted beyond COUNTED. One query on an index of the open ones only."""
    return Discrepancy.objects.filter(is_open=True).order_by()[:COUNTED].count()
