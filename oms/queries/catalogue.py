"""Reads of the catalogue."""

from collections.abc import Collection

from django.db.models import Q, QuerySet

from oms.models import AuditEntry, Sku, Stock
from oms.queries.keys import rows_by_text


def sku_rows() -> QuerySet[Sku]:
    """Every SKU of the account, read through the search view; filter and sort it, act on rows by their ids."""
    return Sku.objects.through_view()


def skus_by_code(codes: Collection[str]) -> dict[str, Sku]:
    """Code as it was typed → the SKU that has it, whatever the spelling; one query."""
    return rows_by_text(Sku.objects.all(), codes, field="code")


def matching_skus(text: str, limit: int = 20) -> QuerySet[Sku]:
    """SKUs whose code, name or id contains the text, for suggestions; read through the search view."""
    text = text.strip()[:80]
    rows = Sku.objects.through_view()
    if text:
        rows = rows.filter(
            Q(code__icontains=text)
            | Q(name__icontains=text)
            | Q(product_id__icontains=text)
            | Q(product_id_wh__icontains=text)
        )
    return rows.order_by("code", "pk")[:limit]


def sku_stock(sku: Sku) -> QuerySet[Stock]:
    """The places that hold a SKU, by warehouse and bin."""
    rows = Stock.objects.filter(sku=sku, quantity__gt=0).select_related("bin__location", "bin__link__warehouse")
    return rows.order_by("bin__link__warehouse__name", "bin__name", "id")


def sku_history(sku: Sku, limit: int = 20) -> QuerySet[AuditEntry]:
    """The last changes of a SKU, newest first."""
    entries = AuditEntry.objects.filter(kind="sku", object_id=sku.pk).select_related("actor")
    return entries.order_by("-pk")[:limit]
