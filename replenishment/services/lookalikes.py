"""Typed serials that look like others of their SKU: SN0 and SNO. A warning, never a refusal. Writes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
SELECT v.typed, u.serial FROM unnest(%(typed)s::text[], %(keys)s::text[]) AS v (typed, key)
JOIN serials_unit u ON u.account_id = %(account)s AND u.sku_id = %(sku)s AND u.serial_key = v.key AND NOT u.is_void
UNION
SELECT v.typed, p.serial FROM unnest(%(typed)s::text[], %(keys)s::text[]) AS v (typed, key)
JOIN replenishment_plannedserial p ON p.account_id = %(account)s AND p.sku_id = %(sku)s AND p.serial_key = v.key
    AND p.state = 'planned'
ORDER BY 1, 2
"""


@dataclass(frozen=True)
class LookAlike:
    """A typed serial, and another of the same SKU that differs in look-alike characters only."""

    serial: str
    other: str


def look_alikes(line: ReplenishmentLine) -> list[LookAlike]:
    """What the typed serials of a line may be mistaken for: units and planned serials of its SKU.

    At most MOST_TYPED serials are looked at. A serial with many look-alike characters is held against its closest
    spellings; against others of the line, against all. Two statements.
    """
    rows = PlannedSerial.objects.filter(line=line, state=PlannedState.PLANNED, is_generated=False)
    return _pairs(dict(rows.order_by("pk").values_list("serial_key", "serial")[:MOST_TYPED]), line.sku_id)


def entered_look_alikes(serials: Sequence[str], sku_id: int) -> list[LookAlike]:
    """The same of serials that somebody enters and that nobody expects; one statement."""
    return _pairs({normalise(serial): serial for serial in serials[:MOST_TYPED]}, sku_id)


def _pairs(typed: dict[str, str], sku_id: int) -> list[LookAlike]:
    """The pairs of these serials, key → as typed, in their order."""
    if not typed:
        return []
    pairs = {*_among(typed), *_elsewhere(typed, sku_id)}
    places = {key: place for place, key in enumerate(typed)}
    ordered = sorted(pairs, key=lambda pair: (places[pair[0]], pair[1]))
    return [LookAlike(typed[key], other) for key, other in ordered]


def _among(typed: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(key, other serial) of serials of one list that look alike; each pair once, at the later one."""
    alike: dict[str, list[str]] = defaultdict(list)
    for key in typed:
        same = alike[folded(key)]
        if same:
            yield key, typed[same[0]]
        same.append(key)


def _elsewhere(typed: Iterable[str], sku_id: int) -> list[tuple[str, str]]:
    """(key, other serial) of what is a unit or planned, this list's own left out."""
    own = set(typed)
    most = max(LEAST_EACH, min(MOST_EACH, MOST_PROBES // len(own)))
    probes = [(key, other) for key in own for other in variants(key, most) if other not in own]
    params: dict[str, Any] = {
        "account": current_account_id(),
        "sku": sku_id,
        "typed": [key for key, _other in probes],
        "keys": [other for _key, other in probes],
    }
    with connection.cursor() as cursor:
        cursor.execute(FOUND, params)
        return [(key, other) for key, other in cursor.fetchall()]
