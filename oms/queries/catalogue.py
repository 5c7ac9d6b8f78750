"""Reads of the catalogue."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy

from oms import identity
from oms.models import AuditEntry, Sku, Stock
from oms.queries.keys import rows_by_text
from oms.queries.scans import Candidate, Kind, resolve_skus
from oms.scanning import gtin_of, readings
from oms.tenancy import current_account_id

# Each name against every name that a SKU has; leading zeros of a GTIN aside.
NAMED = """
SELECT n.name, k.id, k.code, 'code' FROM unnest(%(names)s::text[], %(keys)s::text[]) AS n (name, key)
JOIN oms_sku k ON k.account_id = %(account)s AND k.code_key = n.key
UNION ALL
SELECT n.name, k.id, k.code, 'gtin' FROM unnest(%(gtins)s::text[]) AS n (name)
JOIN oms_sku k ON k.account_id = %(account)s AND k.gtin <> '' AND ltrim(k.gtin, '0') = ltrim(n.name, '0')
UNION ALL
SELECT n.name, k.id, k.code, 'product_id' FROM unnest(%(names)s::text[]) AS n (name)
JOIN oms_sku k ON k.account_id = %(account)s AND k.product_id <> '' AND upper(k.product_id) = upper(n.name)
UNION ALL
SELECT n.name, k.id, k.code, 'product_id_wh' FROM unnest(%(names)s::text[]) AS n (name)
JOIN oms_sku k ON k.account_id = %(account)s AND k.product_id_wh <> '' AND upper(k.product_id_wh) = upper(n.name)
"""
LONGEST_NAME = 80
LONGEST_SCAN = 200
"""A scan is longer than the SKU that it names."""
NO_SKU = gettext_lazy("There is no SKU of this name.")
SEVERAL_SKUS = gettext_lazy("Several SKUs have this name: use the SKU itself.")
GTIN_LENGTHS = range(7, 15)


def sku_rows() -> QuerySet[Sku]:
    """Every SKU of the account, read through the search view; filter and sort it, act on rows by their ids."""
    return Sku.objects.through_view()


def skus_named(names: Collection[str]) -> dict[str, Sku | None]:
    """Name as it was typed or scanned → the SKU: by its code, GTIN, ProductID or ProductIDWH, or a GS1 scan of it.

    None where several SKUs have the name; a name that no SKU has is not there. Three queries.
    """
    own = rows_by_text(Sku.objects.all(), names, field="code")
    found = resolve_skus([name for name in names if name not in own])
    skus = Sku.objects.in_bulk({each.found.pk for each in found if each.found})
    known: dict[str, Sku | None] = {each.scan: skus.get(each.found.pk) for each in found if each.found}
    return known | {each.scan: None for each in found if each.is_ambiguous} | own


def skus_scanned(names: Collection[str]) -> dict[str, list[Candidate]]:
    """The resolver of SKUs: name → the SKUs that have it, and by which of their names; one query."""
    texts = [name for name in names if len(name) <= LONGEST_NAME and identity.storable(name) == name]
    gtins = [name for name in texts if name.isascii() and name.isdigit() and len(name) in GTIN_LENGTHS]
    params: dict[str, Any] = {
        "account": current_account_id(),
        "names": texts,
        "keys": [identity.key(name) for name in texts],
        "gtins": gtins,
    }
    found: dict[str, list[Candidate]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(NAMED, params)
        for name, pk, code, by in cursor.fetchall():
            found[name].append(Candidate(Kind.SKU, pk, pk, code, by))
    return found


def matching_skus(text: str, limit: int = 20) -> QuerySet[Sku]:
    """SKUs whose code, name, id or GTIN contains the text, for suggestions; read through the search view."""
    rows = Sku.objects.through_view()
    for name in readings(text)[-1:]:
        gtin = gtin_of(text).lstrip("0")
        rows = rows.filter(
            Q(code__icontains=name[:80])
            | Q(name__icontains=name[:80])
            | Q(product_id__icontains=name[:80])
            | Q(product_id_wh__icontains=name[:80])
            | (Q(gtin__contains=gtin) if gtin else Q(gtin__startswith=name[:14]))
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
