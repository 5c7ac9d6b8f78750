"""Whether units and stock are what their history says: `manage.py check_ledger`.

Each check is one statement over all rows of the current account. It answers (what, how it differs, how many in all) for
the first NAMED differences. The fold is written out here once more, on purpose: it does not share SQL with the ledger.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from oms import identity
from oms.models import Discrepancy, DiscrepancyKind
from oms.tenancy import current_account_id
from serials import lifecycle
from serials.lifecycle import Event

NAMED = 200
"""How many differences of one kind are named; the others are counted."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be: the kind of check, what differs, and how; `more` like it are not named."""

    kind: str
    what: str
    how: str
    more: int = 0


@dataclass(frozen=True)
class Counted:
    """How much was looked at."""

    units: int
    history_rows: int
    places: int


@dataclass(frozen=True)
class _Wrong:
    """A unit whose key is not that of its serial, nor its own beside an older unit's."""

    what: str
    pk: int
    key: str
    own: str


_UNIT = "'unit ' || u.serial || ' of SKU ' || k.code || ' (id ' || u.id || ')'"
_SKU = "JOIN oms_sku k ON k.account_id = %(account)s AND k.id = u.sku_id"
_PLACE = "'SKU ' || k.code || ' in bin ' || b.name || CASE WHEN p.lot_key <> 0 THEN ', lot ' || p.lot_key ELSE '' END"
_PLACE_NAMES = """
JOIN oms_sku k ON k.account_id = %(account)s AND k.id = p.sku_id
JOIN oms_bin b ON b.account_id = %(account)s AND b.id = p.bin_id
"""
# Column of the unit → what the history says of it: the last row of all, or the last that is no annotation.
_FOLDED = {
    "serial": "l.serial",
    "status": "l.status",
    "is_void": "l.is_void",
    "is_planned": "(p.unit_id IS NOT NULL)",
    "bin_id": "l.bin_id",
    "lot_id": "l.lot_id",
    "order_line_id": "l.order_line_id",
    "wms_notes": "l.wms_notes",
    "oms_notes": "l.oms_notes",
    "process_type": "l.process_type",
    "process_id": "l.process_id",
    "order_no": "l.order_no",
    "updated_at": "l.occurred_at",
    "last_event": "c.event",
    "last_source": "c.source",
}
_SAYINGS = ", ".join(
    f"CASE WHEN u.{column} IS DISTINCT FROM {folded} THEN '{column} is ' || COALESCE(u.{column}::text, 'empty') || "
    f"', its history says ' || COALESCE({folded}::text, 'empty') END"
    for column, folded in _FOLDED.items()
)

CHECKS = {
    "unit without history": f"""
        SELECT {_UNIT}, 'has no history'
        FROM serials_unit u {_SKU}
        WHERE u.account_id = %(account)s AND NOT EXISTS (
            SELECT FROM serials_unitevent e WHERE e.account_id = %(account)s AND e.unit_id = u.id)
    """,
    "unit is not the fold of its history": f"""
        WITH last AS (
            SELECT DISTINCT ON (unit_id) * FROM serials_unitevent
            WHERE account_id = %(account)s ORDER BY unit_id, id DESC
        ), caused AS (
            SELECT DISTINCT ON (unit_id) unit_id, event, source FROM serials_unitevent
            WHERE account_id = %(account)s AND event <> 'annotate' ORDER BY unit_id, id DESC
        ), planned AS (
            SELECT DISTINCT unit_id FROM serials_unitevent WHERE account_id = %(account)s AND event = 'expect'
        )
        SELECT {_UNIT}, concat_ws('; ', {_SAYINGS})
        FROM serials_unit u
        JOIN last l ON l.unit_id = u.id
        LEFT JOIN caused c ON c.unit_id = u.id
        LEFT JOIN planned p ON p.unit_id = u.id
        {_SKU}
        WHERE u.account_id = %(account)s
            AND ({", ".join(f"u.{column}" for column in _FOLDED)}) IS DISTINCT FROM ({", ".join(_FOLDED.values())})
    """,
    "history breaks the rules": f"""
        WITH chain AS (
            SELECT id, unit_id, event, process_type,
                   CASE WHEN is_void THEN 'void' ELSE status END AS after,
                   COALESCE(lag(CASE WHEN is_void THEN 'void' ELSE status END) OVER life, 'new') AS before,
                   lag(process_type) OVER life AS process_before
            FROM serials_unitevent WHERE account_id = %(account)s
            WINDOW life AS (PARTITION BY unit_id ORDER BY id)
        ), legal AS (
            SELECT * FROM unnest(%(events)s::text[], %(befores)s::text[], %(afters)s::text[])
                AS x (event, before, after)
        ), process AS (
            SELECT * FROM unnest(%(process_events)s::text[], %(process_types)s::text[]) AS x (event, process_type)
        )
        SELECT {_UNIT}, 'history row ' || h.id || ': “' || h.event || '” from ' || h.before || ' to ' || h.after
            || ' as ' || COALESCE(NULLIF(h.process_type, ''), 'no process') || ' is not allowed'
        FROM chain h
        JOIN process t ON t.event = h.event
        JOIN serials_unit u ON u.account_id = %(account)s AND u.id = h.unit_id
        {_SKU}
        WHERE h.process_type <> COALESCE(NULLIF(t.process_type, ''), h.process_before, '')
            OR (h.event, h.before, h.after) NOT IN (SELECT event, before, after FROM legal)
    """,
    "stock is not the sum of its movements": f"""
        SELECT {_PLACE}, 'stock is ' || p.quantity || ', its movements say ' || p.moved
        FROM (
            SELECT COALESCE(s.sku_id, m.sku_id) AS sku_id, COALESCE(s.bin_id, m.bin_id) AS bin_id,
                   COALESCE(s.lot_key, m.lot_key) AS lot_key, COALESCE(s.quantity, 0) AS quantity,
                   COALESCE(m.moved, 0) AS moved
            FROM (SELECT * FROM oms_stock WHERE account_id = %(account)s) s
            FULL JOIN (
                SELECT sku_id, bin_id, lot_key, sum(delta)::bigint AS moved FROM oms_stockmove
                WHERE account_id = %(account)s GROUP BY sku_id, bin_id, lot_key
            ) m ON (m.sku_id, m.bin_id, m.lot_key) = (s.sku_id, s.bin_id, s.lot_key)
        ) p {_PLACE_NAMES}
        WHERE p.quantity <> p.moved
    """,
    "stock below zero": f"""
        SELECT {_PLACE}, 'stock is ' || p.quantity
        FROM oms_stock p {_PLACE_NAMES}
        WHERE p.account_id = %(account)s AND p.quantity < 0
    """,
    "stock and units differ": f"""
        SELECT {_PLACE}, CASE WHEN k.workflow = 'in_out'
            THEN 'stock is ' || p.quantity || ', units there are ' || p.units
            ELSE 'units there are ' || p.units || ', more than the stock of ' || p.quantity END
        FROM (
            SELECT COALESCE(s.sku_id, n.sku_id) AS sku_id, COALESCE(s.bin_id, n.bin_id) AS bin_id,
                   COALESCE(s.lot_key, n.lot_key) AS lot_key, COALESCE(s.quantity, 0) AS quantity,
                   COALESCE(n.units, 0) AS units
            FROM (SELECT * FROM oms_stock WHERE account_id = %(account)s) s
            FULL JOIN (
                SELECT sku_id, bin_id, COALESCE(lot_id, 0) AS lot_key, count(*) AS units FROM serials_unit
                WHERE account_id = %(account)s AND status = ANY(%(in_warehouse)s::text[])
                GROUP BY sku_id, bin_id, COALESCE(lot_id, 0)
            ) n ON (n.sku_id, n.bin_id, n.lot_key) = (s.sku_id, s.bin_id, s.lot_key)
        ) p {_PLACE_NAMES}
        WHERE p.units > p.quantity OR (k.workflow = 'in_out' AND p.units <> p.quantity)
    """,
    "same serial twice": """
        SELECT 'serial ' || d.key || ' of SKU ' || k.code, 'belongs to ' || d.units || ' units: ' || d.ids
        FROM (
            SELECT u.sku_id, COALESCE(w.key, CASE WHEN u.serial ~ '^[ -~]*$' THEN upper(btrim(u.serial))
                                             ELSE u.serial_key END) AS key,
                   count(*) AS units, string_agg(u.id::text, ', ' ORDER BY u.id) AS ids
            FROM serials_unit u
            LEFT JOIN unnest(%(wrong_ids)s::bigint[], %(wrong_keys)s::text[]) AS w (id, key) ON w.id = u.id
            WHERE u.account_id = %(account)s GROUP BY 1, 2 HAVING count(*) > 1
        ) d
        JOIN oms_sku k ON k.account_id = %(account)s AND k.id = d.sku_id
    """,
}

# PostgreSQL and Python agree on the capitals of ASCII; the keys of the few others are made in Python, as all keys are.
_PLAIN_KEYS = f"""
    SELECT {_UNIT}, 'serial_key is ' || u.serial_key || ', its serial says ' || upper(btrim(u.serial))
    FROM serials_unit u {_SKU}
    WHERE u.account_id = %(account)s AND u.serial ~ '^[ -~]*$' AND u.serial_key <> upper(btrim(u.serial))
"""
_OTHER_KEYS = f"""
    SELECT {_UNIT}, u.id, u.serial, u.serial_key
    FROM serials_unit u {_SKU} WHERE u.account_id = %(account)s AND u.serial !~ '^[ -~]*$'
"""
_COUNTS = """
SELECT (SELECT count(*) FROM serials_unit WHERE account_id = %(account)s),
       (SELECT count(*) FROM serials_unitevent WHERE account_id = %(account)s),
       (SELECT count(*) FROM oms_stock WHERE account_id = %(account)s)
"""
WRONG_KEY = "serial is not normalised"
FOUND = {
    kind: f"SELECT what, how, count(*) OVER () FROM ({statement}) AS f (what, how) ORDER BY what, how LIMIT %(named)s"
    for kind, statement in {**CHECKS, WRONG_KEY: _PLAIN_KEYS}.items()
}


def counted() -> Counted:
    """How many rows the current account has."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"account": current_account_id()})
        return Counted(*cursor.fetchone())


def differences() -> Iterator[Difference]:
    """Everything in the current account that is not as its history says, check after check."""
    wrong = list(_wrong_keys())
    params = _parameters(wrong)
    for kind in FOUND:
        yield from _found(kind, params)
    for each in wrong:
        yield Difference(WRONG_KEY, each.what, f"serial_key is {each.key}, its serial says {each.own}")


def two_spellings() -> list[str]:
    """What an older release told apart and this one does not, until somebody settles it: known, and no difference."""
    open_cases = Discrepancy.objects.filter(kind=DiscrepancyKind.TWO_SPELLINGS, is_open=True)
    return list(open_cases.order_by("pk").values_list("summary", flat=True))


def _found(kind: str, params: dict[str, Any]) -> Iterator[Difference]:
    with connection.cursor() as cursor:
        cursor.execute(FOUND[kind], params)
        rows = cursor.fetchall()
    for number, (what, how, total) in enumerate(rows, start=1):
        yield Difference(kind, what, how, more=total - number if number == NAMED else 0)


def _wrong_keys() -> Iterator[_Wrong]:
    """Of the units whose serials are not ASCII."""
    with connection.cursor() as cursor:
        cursor.execute(_OTHER_KEYS, {"account": current_account_id()})
        for what, pk, serial, key in cursor.fetchall():
            own = identity.key(serial)
            if key not in {own, identity.apart(own, pk)}:
                yield _Wrong(what, pk, key, own)


def _parameters(wrong: Sequence[_Wrong]) -> dict[str, Any]:
    legal = sorted(
        {(event.value, row.before.value, row.after.value) for event in Event for row in lifecycle.outcomes(event)}
    )
    processes = [(event.value, rule.process.value if rule.process else "") for event, rule in lifecycle.RULES.items()]
    events, befores, afters = zip(*legal, strict=True)
    process_events, process_types = zip(*processes, strict=True)
    return {
        "account": current_account_id(),
        "named": NAMED,
        "wrong_ids": [each.pk for each in wrong],
        "wrong_keys": [each.own for each in wrong],
        "events": list(events),
        "befores": list(befores),
        "afters": list(afters),
        "process_events": list(process_events),
        "process_types": list(process_types),
        "in_warehouse": [status.value for status in lifecycle.IN_WAREHOUSE],
    }
