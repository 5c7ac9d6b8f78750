"""Find many: which units a list of numbers means. The statements do not grow with the list."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from oms import identity
from oms.models import Person, Sku
from oms.queries.catalogue import skus_named
from oms.tenancy import current_account_id
from serials.models import FoundList
from serials.services.number_lists import Listed

KEPT = timedelta(days=30)

# Several SKUs may have the same serial: two ids are enough to know, ten SKUs enough to tell. OFFSET 0 is a fence: each
# number is looked up in the index, and no plan reads every unit of a large account because the list is long.
FIND = """
SELECT a.place,
       (array_agg(u.id) FILTER (WHERE a.sku IN ('', k.code_key)))[1:2],
       COALESCE(bool_or(u.is_void) FILTER (WHERE a.sku IN ('', k.code_key)), false),
       (array_agg(k.code ORDER BY k.code))[1:10],
       (array_agg(u.id) FILTER (WHERE a.sku IN ('', k.code_key) AND a.gtin = ltrim(k.gtin, '0')))[1:2]
FROM unnest(%(places)s::int[], %(keys)s::text[], %(skus)s::text[], %(gtins)s::text[]) AS a (place, key, sku, gtin)
CROSS JOIN LATERAL (
    SELECT id, sku_id, is_void FROM serials_unit WHERE account_id = %(account)s AND serial_key = a.key OFFSET 0
) AS u
JOIN oms_sku k ON k.account_id = %(account)s AND k.id = u.sku_id
GROUP BY a.place
"""


@transaction.atomic
def find_many(*, asked: Sequence[Listed], person: Person) -> FoundList:
    """Look the numbers up and keep what came of it; what was kept longer than KEPT ago goes."""
    FoundList.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    named = skus_named({each.sku for each in asked if each.sku})
    names = [(place, key, each) for place, each in enumerate(asked) for key in (each.key, *each.others)]
    found = _look_up(names, named)
    rest_of = [(place, each.last, each) for place, each in enumerate(asked) if each.last and place not in found]
    found |= _look_up(rest_of, named) if rest_of else {}
    units: dict[int, int] = {}
    lines: dict[tuple[str, str], int] = {}
    has_void = False
    rest: dict[str, list[Any]] = {"not_found": [], "ambiguous": [], "duplicate": []}
    for place, each in enumerate(asked):
        first = lines.setdefault((each.key, identity.key(each.sku)), place)
        ids, is_void, skus = found.get(place) or (None, False, [])
        # The same unit again, though once with its SKU and once without.
        first = units.setdefault(ids[0], place) if first == place and ids and len(ids) == 1 else first
        if first != place:
            rest["duplicate"].append((each.line, each.typed, each.sku, str(asked[first].line)))
        elif not ids:
            rest["not_found"].append((each.line, each.typed, each.sku, ", ".join(skus)))
        elif len(ids) > 1:
            rest["ambiguous"].append((each.line, each.typed, each.sku, ", ".join(skus)))
        else:
            has_void = has_void or is_void
    return FoundList.objects.create(person=person, unit_ids=list(units), has_void=has_void, rest=rest)


def _look_up(
    names: Sequence[tuple[int, str, Listed]], skus: Mapping[str, Sku | None]
) -> dict[int, tuple[list[int] | None, bool, list[str]]]:
    """Place in the list → up to two ids of units that it means, whether one is void, and the SKUs that have it.

    Where a scan says a GTIN, the units of the SKU that has it are meant, if there are any. `skus` are those that the
    names in the column SKU mean, whatever they are called.
    """
    params: dict[str, Any] = {
        "account": current_account_id(),
        "places": [place for place, _key, _each in names],
        "keys": [key for _place, key, _each in names],
        "skus": [sku.code_key if (sku := skus.get(each.sku)) else identity.sought(each.sku) for *_rest, each in names],
        "gtins": [each.gtin or None for _place, _key, each in names],
    }
    with connection.cursor() as cursor:
        cursor.execute(FIND, params)
        return {place: (of_gtin or ids, is_void, skus) for place, ids, is_void, skus, of_gtin in cursor.fetchall()}
