"""Typed serials that look like others of their SKU: SN0 and SNO. A warning, never a refusal. Writes nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import connection

from oms.tenancy import current_account_id
from replenishment.models import PlannedSerial, PlannedState, ReplenishmentLine
from serials.numbering import normalise
from serials.numbering.lookalikes import folded, variants

MOST_TYPED = 10_000
MOST_PROBES = 50_000
MOST_EACH, LEAST_EACH = 64, 5

# An index of folded serials would make every unit dearer to write, for a question that few ask. So the other spellings
# of what was typed are made here and looked up in the index that there is: all where they are few, else the closest.
FOUND = """
WITH v AS MATERIALIZED (
    SELECT * FROM unnest(%(skus)s::bigint[], %(typed)s::text[], %(keys)s::text[]) AS v (sku_id, typed, key)
)
SELECT v.sku_id, v.typed, u.serial FROM v
JOIN serials_unit u ON u.account_id = %(account)s AND u.sku_id = v.sku_id AND u.serial_key = v.key AND NOT u.is_void
UNION
SELECT v.sku_id, v.typed, p.serial FROM v
JOIN replenishment_plannedserial p ON p.account_id = %(account)s AND p.sku_id = v.sku_id AND p.serial_key = v.key
    AND p.state = 'planned'
"""

Typed = dict[tuple[int, str], str]
"""SKU's id and key of a serial → the serial as typed."""


@dataclass(frozen=True)
class LookAlike:
    """A typed serial, and another of the same SKU that differs in look-alike characters only."""

    serial: str
    other: str


def look_alikes(line: ReplenishmentLine) -> list[LookAlike]:
    """What the typed serials of a line may be mistaken for; two statements."""
    rows = PlannedSerial.objects.filter(line=line, state=PlannedState.PLANNED, is_generated=False).order_by("pk")
    return _pairs({(line.sku_id, key): text for key, text in rows.values_list("serial_key", "serial")[:MOST_TYPED]})


def look_alikes_of(serials: Iterable[tuple[int, str]]) -> list[LookAlike]:
    """What serials that are not written yet, each with its SKU's id, may be mistaken for; one statement."""
    return _pairs({(sku_id, normalise(serial)): serial for sku_id, serial in islice(serials, MOST_TYPED)})


def _pairs(typed: Typed) -> list[LookAlike]:
    """Typed serials that look like units, planned serials or others of the list, all of the same SKU, in their order.

    At most MOST_TYPED serials are looked at. A serial with many look-alike characters is held against its closest
    spellings; against others of the list, against all.
    """
    if not typed:
        return []
    pairs = {*_among(typed), *_elsewhere(typed)}
    places = {key: place for place, key in enumerate(typed)}
    return [LookAlike(typed[key], other) for key, other in sorted(pairs, key=lambda pair: (places[pair[0]], pair[1]))]


def _among(typed: Typed) -> Iterator[tuple[tuple[int, str], str]]:
    """(SKU and key, other serial) of serials of one list that look alike; each pair once, at the later one."""
    alike: dict[tuple[int, str], str] = {}
    for (sku_id, key), serial in typed.items():
        first = alike.setdefault((sku_id, folded(key)), serial)
        if first != serial:
            yield (sku_id, key), first


def _elsewhere(typed: Typed) -> list[tuple[tuple[int, str], str]]:
    """(SKU and key, other serial) of what is a unit or planned, this list's own left out."""
    most = max(LEAST_EACH, min(MOST_EACH, MOST_PROBES // len(typed)))
    probes = [(sku, key, other) for sku, key in typed for other in variants(key, most) if (sku, other) not in typed]
    params: dict[str, Any] = {
        "account": current_account_id(),
        "skus": [sku for sku, _key, _other in probes],
        "typed": [key for _sku, key, _other in probes],
        "keys": [other for _sku, _key, other in probes],
    }
    with connection.cursor() as cursor:
        cursor.execute(FOUND, params)
        return [((sku, key), other) for sku, key, other in cursor.fetchall()]
