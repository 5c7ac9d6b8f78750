"""The statements of the ledger. Each works on all rows of a call at once; %(…)s are given by `ledger._parameters`.

Three temporary tables live as long as the connection and are emptied by every commit: `stage_in` is what the caller
said, `stage_unit` the units that this is about, locked, as they are now, and `stage` what each becomes, ready to be
written. An account's units are looked up once, when they are locked: what a call costs depends on its rows, not on the
account.
"""

from psycopg.sql import SQL

MAKE_STAGES = """
CREATE TEMP TABLE IF NOT EXISTS stage_in (
    n bigint GENERATED ALWAYS AS IDENTITY, serial_key text, unit_id bigint, sku_id bigint, serial text, bin_id bigint,
    lot_id bigint, order_line_id bigint, wms_notes text, oms_notes text, source text DEFAULT '', reason text DEFAULT '',
    is_new_allowed boolean DEFAULT false, is_accepted boolean DEFAULT false, corrects_id bigint
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS stage_unit (
    n bigint, id bigint, its_source text, sku_id bigint, serial text, serial_key text, before text, is_planned boolean,
    bin_id bigint, lot_id bigint, order_line_id bigint, wms_notes text, oms_notes text, process_type text,
    process_id text, order_no text, last_event text, last_source text
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS stage (
    unit_id bigint, sku_id bigint, serial text, serial_key text, before text, after text, wrong text,
    old_bin_id bigint, old_lot_id bigint, old_line_id bigint, taken_bin_id bigint,
    status text, is_planned boolean, bin_id bigint, lot_id bigint, order_line_id bigint,
    wms_notes text, oms_notes text, process_type text, process_id text, order_no text, last_event text,
    last_source text, source text, reason text, corrects_id bigint
) ON COMMIT DELETE ROWS;
TRUNCATE stage_in;
"""
EMPTY_PLAN = "TRUNCATE stage_unit, stage"

STAGE = "INSERT INTO stage_in (sku_id, serial, serial_key) {select}"

COPY_STAGE = """
COPY stage_in (serial_key, unit_id, sku_id, serial, bin_id, lot_id, order_line_id, wms_notes, oms_notes, source, reason,
               is_new_allowed, is_accepted, corrects_id) FROM STDIN
"""

# The places, from 1, of those of these numbers that are units.
OLD = """
SELECT k.place FROM unnest(%(skus)s::bigint[], %(keys)s::text[]) WITH ORDINALITY AS k (sku_id, key, place)
JOIN serials_unit u ON u.account_id = %(account)s AND u.sku_id = k.sku_id AND u.serial_key = k.key
"""

# Locked in the order of their ids, whatever the order of the call: no two calls can wait for each other in a circle. A
# row that waited for its lock is read as it is afterwards. New numbers mostly follow each other: where a SKU has no
# unit between the first and the last of them, one look spares a look for each. An array and a limit, so that the
# planner cannot make a join of it: whatever it believes of the tables, those are one look for each SKU, and before all.
# Each row is one look into an index, too, also where the statistics are older than the account: OFFSET 0 and FOR UPDATE
# are fences, without which it became a join of every row with every other; and a range of one value in its order can
# only be read from the index that begins with it, where any index of the account would do for “=”.
LOCK_UNITS = """
INSERT INTO stage_unit
SELECT f.n, u.id, f.its_source, u.sku_id, u.serial, u.serial_key, CASE WHEN u.is_void THEN 'void' ELSE u.status END,
       u.is_planned, u.bin_id, u.lot_id, u.order_line_id, u.wms_notes, u.oms_notes, u.process_type, u.process_id,
       u.order_no, u.last_event, u.last_source
FROM (
    SELECT n, COALESCE(NULLIF(source, ''), %(source)s) AS its_source, unit_id FROM stage_in WHERE unit_id IS NOT NULL
    UNION ALL
    SELECT i.n, COALESCE(NULLIF(i.source, ''), %(source)s), k.id
    FROM stage_in i CROSS JOIN LATERAL (
        SELECT k.id FROM serials_unit k
        WHERE k.account_id = %(account)s AND k.sku_id = i.sku_id
            AND k.serial_key BETWEEN i.serial_key AND i.serial_key ORDER BY k.serial_key OFFSET 0
    ) AS k
    WHERE i.unit_id IS NULL AND i.sku_id = ANY(ARRAY(
        SELECT r.sku_id FROM (
            SELECT sku_id, min(serial_key) AS first, max(serial_key) AS last
            FROM stage_in WHERE unit_id IS NULL GROUP BY sku_id
        ) AS r CROSS JOIN LATERAL (
            SELECT FROM serials_unit b WHERE b.account_id = %(account)s AND b.sku_id = r.sku_id
                AND b.serial_key BETWEEN r.first AND r.last LIMIT 1
        ) AS any_unit
    ))
    ORDER BY unit_id
) AS f CROSS JOIN LATERAL (
    SELECT * FROM serials_unit u
    WHERE u.account_id = %(account)s AND u.id BETWEEN f.unit_id AND f.unit_id ORDER BY u.id FOR UPDATE
) AS u
"""

# A change of a SKU's workflow or of a bin's kind takes the same rows FOR UPDATE: it and goods never move at once.
LOCK_SKUS = """
SELECT id FROM oms_sku WHERE account_id = %(account)s AND id IN (
    SELECT sku_id FROM stage_in WHERE sku_id IS NOT NULL UNION SELECT sku_id FROM stage_unit
) ORDER BY id FOR KEY SHARE
"""
LOCK_BINS = """
SELECT id FROM oms_bin WHERE account_id = %(account)s AND id IN (
    SELECT bin_id FROM stage_in WHERE bin_id IS NOT NULL
) ORDER BY id FOR KEY SHARE
"""

# The same locks in the same order, for annotations.
HOLD_UNITS = """
SELECT DISTINCT sku_id FROM (
    SELECT u.sku_id FROM serials_unit u WHERE u.account_id = %(account)s AND u.id IN ({unit_ids})
    ORDER BY u.id FOR UPDATE OF u
) AS held
"""
HOLD_SKUS = """
SELECT id FROM oms_sku WHERE account_id = %(account)s AND id = ANY(%(skus)s) ORDER BY id FOR KEY SHARE
"""

# What each row leads to. A row without an outcome keeps after = NULL, one that names what does not exist or belongs to
# another SKU says so in `wrong`; both are refused. A fact that the unit has already (same source) is left out; the OR
# keeps that a look into the index per known unit, which a join, badly estimated, would not be. New units take their ids
# here, in the order of the call, so that units and history can be written from the same rows, and neighbours into
# neighbouring pages of the indexes.
_NAMED = """
    SELECT i.n, i.unit_id AS said_id, i.bin_id, i.lot_id, i.order_line_id, i.wms_notes, i.oms_notes, i.is_new_allowed,
           i.is_accepted, i.corrects_id, COALESCE(NULLIF(i.source, ''), %(source)s) AS source,
           COALESCE(NULLIF(i.reason, ''), %(reason)s) AS reason, u.id AS found_id,
           COALESCE(u.sku_id, i.sku_id) AS sku_id, COALESCE(u.serial, i.serial) AS serial,
           COALESCE(u.serial_key, i.serial_key) AS serial_key, COALESCE(u.before, 'new') AS before, u.is_planned,
           u.bin_id AS old_bin_id, u.lot_id AS old_lot_id, u.order_line_id AS old_line_id,
           u.wms_notes AS old_wms_notes, u.oms_notes AS old_oms_notes, u.process_type AS old_process_type,
           u.process_id AS old_process_id, u.order_no AS old_order_no, u.last_event, u.last_source,
           COALESCE(b.kind, '') AS bin_kind, b.id AS known_bin_id
    FROM stage_in i
    LEFT JOIN stage_unit u ON u.n = i.n
    LEFT JOIN oms_bin b ON b.account_id = %(account)s AND b.id = i.bin_id
    WHERE u.id IS NULL OR u.its_source = '' OR NOT EXISTS (
        SELECT FROM serials_unitevent e
        WHERE e.account_id = %(account)s AND e.unit_id = u.id AND e.source = u.its_source AND e.source <> '')
"""
_OUTCOME = """
    SELECT * FROM unnest(%(befores)s::text[], %(bin_kinds)s::text[], %(needs)s::text[], %(afters)s::text[])
        AS o (before, bin_kind, needs, after)
"""
_MEETS = """
    CASE o.needs
    WHEN '' THEN true
    WHEN 'allowed_new' THEN p.is_new_allowed
    WHEN 'accepted' THEN p.is_accepted
    WHEN 'undone_here' THEN NOT p.is_accepted AND p.last_event = 'unreceive' AND p.old_process_id = %(process_id)s
    WHEN 'same_line' THEN p.old_line_id = p.order_line_id
    WHEN 'last_ship' THEN p.last_event = 'ship' AND (%(event)s <> 'unship' OR p.old_process_id = %(process_id)s)
    WHEN 'last_receive_planned' THEN p.last_event = 'receive' AND p.is_planned
    WHEN 'last_receive_unplanned' THEN p.last_event = 'receive' AND NOT p.is_planned
    ELSE false END
"""
_WRONG = """
    CASE WHEN p.said_id IS NOT NULL AND p.found_id IS NULL THEN 'unit'
         WHEN k.id IS NULL THEN 'sku'
         WHEN p.bin_id IS NOT NULL AND p.known_bin_id IS NULL THEN 'bin'
         WHEN p.lot_id IS NOT NULL AND l.sku_id IS DISTINCT FROM p.sku_id THEN 'lot'
         WHEN p.order_line_id IS NOT NULL AND t.sku_id IS DISTINCT FROM p.sku_id THEN 'line'
         WHEN p.order_line_id IS NULL AND %(event)s = 'reserve' THEN 'line'
         WHEN p.corrects_id IS NOT NULL AND c.unit_id IS DISTINCT FROM p.found_id THEN 'corrects' END
"""
# Only what the outcome asks for moves a unit: where it names no kind of bin, a unit in the warehouse stays in its own.
# The line of a unit is what it is reserved for, or was shipped on; nothing else has one. A receipt that is corrected
# takes the lot with it that only it said: the unit has the lot of before again, unless it was given another since.
PLAN = SQL("""
INSERT INTO stage
SELECT COALESCE(p.found_id, nextval('serials_unit_id_seq')), p.sku_id, p.serial, p.serial_key, p.before, o.after,
       {wrong}, p.old_bin_id, p.old_lot_id, p.old_line_id,
       CASE WHEN p.before = 'new' AND o.after = 'out' THEN p.bin_id END,
       CASE WHEN o.after = 'void' THEN 'incoming' ELSE o.after END,
       COALESCE(p.is_planned, false) OR %(event)s = 'expect',
       CASE WHEN o.after = ANY(%(in_warehouse)s::text[])
            THEN CASE WHEN o.bin_kind = '' THEN p.old_bin_id ELSE p.bin_id END END,
       CASE WHEN %(event)s = 'unreceive' AND c.lot_id = p.old_lot_id THEN b.lot_id
            ELSE COALESCE(p.lot_id, p.old_lot_id) END,
       CASE WHEN %(is_annotation)s THEN p.old_line_id
            WHEN o.after = 'reserved' THEN CASE WHEN %(event)s = 'reserve' THEN p.order_line_id ELSE p.old_line_id END
            WHEN %(event)s = 'ship' THEN COALESCE(p.order_line_id, p.old_line_id) END,
       COALESCE(p.wms_notes, p.old_wms_notes, ''), COALESCE(p.oms_notes, p.old_oms_notes, ''),
       CASE WHEN %(is_annotation)s THEN p.old_process_type ELSE %(process_type)s END,
       CASE WHEN %(is_annotation)s THEN p.old_process_id ELSE %(process_id)s END,
       CASE WHEN %(is_annotation)s THEN p.old_order_no ELSE %(order_no)s END,
       CASE WHEN %(is_annotation)s THEN p.last_event ELSE %(event)s END,
       CASE WHEN %(is_annotation)s THEN p.last_source ELSE p.source END,
       p.source, p.reason, p.corrects_id
FROM ({named}) AS p
LEFT JOIN oms_sku k ON k.account_id = %(account)s AND k.id = p.sku_id
LEFT JOIN LATERAL (
    SELECT l.sku_id FROM serials_lot l
    WHERE l.account_id = %(account)s AND l.id BETWEEN p.lot_id AND p.lot_id ORDER BY l.id OFFSET 0
) AS l ON true
LEFT JOIN LATERAL (
    SELECT t.sku_id FROM oms_orderline t
    WHERE t.account_id = %(account)s AND t.id BETWEEN p.order_line_id AND p.order_line_id ORDER BY t.id OFFSET 0
) AS t ON true
LEFT JOIN LATERAL (
    SELECT c.unit_id, c.lot_id FROM serials_unitevent c
    WHERE c.account_id = %(account)s AND c.id BETWEEN p.corrects_id AND p.corrects_id ORDER BY c.id OFFSET 0
) AS c ON true
LEFT JOIN LATERAL (
    SELECT e.lot_id FROM serials_unitevent e
    WHERE %(event)s = 'unreceive' AND e.account_id = %(account)s
        AND e.unit_id BETWEEN c.unit_id AND c.unit_id AND e.id < p.corrects_id
    ORDER BY e.unit_id DESC, e.id DESC LIMIT 1
) AS b ON true
LEFT JOIN ({outcome}) AS o ON o.before = p.before AND (o.bin_kind = '' OR o.bin_kind = p.bin_kind)
    AND (p.before <> 'new' OR (k.workflow = ANY(%(new_workflows)s::text[]) AND p.serial_key <> ''))
    AND {meets}
ORDER BY p.n
""").format(wrong=SQL(_WRONG), named=SQL(_NAMED), outcome=SQL(_OUTCOME), meets=SQL(_MEETS))

REFUSED = """
SELECT COALESCE(NULLIF(serial, ''), '—'), before, why, count(*) OVER () FROM (
    SELECT serial, before, COALESCE(wrong, 'rule') AS why FROM stage WHERE wrong IS NOT NULL OR after IS NULL
    UNION ALL
    SELECT min(serial), min(before), 'twice' FROM stage
    WHERE wrong IS NULL AND after IS NOT NULL GROUP BY sku_id, serial_key HAVING count(*) > 1
) AS r ORDER BY serial LIMIT %(named)s
"""

INSERT_UNITS = """
INSERT INTO serials_unit (account_id, id, sku_id, serial, serial_key, status, is_void, is_planned, bin_id, lot_id,
                          order_line_id, wms_notes, oms_notes, process_type, process_id, order_no, last_event,
                          last_source, updated_at, created_at)
SELECT %(account)s, unit_id, sku_id, serial, serial_key, status, false, is_planned, bin_id, lot_id, order_line_id,
       wms_notes, oms_notes, process_type, process_id, order_no, last_event, last_source, %(occurred_at)s,
       %(recorded_at)s
FROM stage WHERE before = 'new'
"""

UPDATE_UNITS = """
UPDATE serials_unit u SET
    status = s.status, is_void = (s.after = 'void'), is_planned = s.is_planned, bin_id = s.bin_id, lot_id = s.lot_id,
    order_line_id = s.order_line_id, wms_notes = s.wms_notes, oms_notes = s.oms_notes, process_type = s.process_type,
    process_id = s.process_id, order_no = s.order_no, last_event = s.last_event, last_source = s.last_source,
    updated_at = %(occurred_at)s
FROM stage s WHERE u.account_id = %(account)s AND u.id = s.unit_id AND s.before <> 'new'
"""

# The eleven columns as they are after the event, copied: a history row never changes when a SKU or a bin is renamed.
INSERT_EVENTS = """
INSERT INTO serials_unitevent (account_id, unit_id, event, sku, prod_id, bin_name, serial, status, is_void, wms_notes,
                               oms_notes, process_type, process_id, order_no, lot_number, bin_id, lot_id, order_line_id,
                               occurred_at, recorded_at, actor_id, source, reason, corrects_id)
SELECT %(account)s, s.unit_id, %(event)s, k.code, COALESCE(NULLIF(k.product_id_wh, ''), k.product_id),
       COALESCE(b.name, ''), s.serial, s.status, s.after = 'void', s.wms_notes, s.oms_notes, s.process_type,
       s.process_id, s.order_no, COALESCE(l.number, ''), s.bin_id, s.lot_id, s.order_line_id, %(occurred_at)s,
       %(recorded_at)s, %(actor_id)s, s.source, s.reason, s.corrects_id
FROM stage s
JOIN oms_sku k ON k.account_id = %(account)s AND k.id = s.sku_id
LEFT JOIN oms_bin b ON b.account_id = %(account)s AND b.id = s.bin_id
LEFT JOIN (
    SELECT id, number FROM serials_lot WHERE account_id = %(account)s
        AND id IN (SELECT lot_id FROM stage WHERE lot_id IS NOT NULL)
) AS l ON l.id = s.lot_id
"""

# What all of the above makes of an annotation that changes nothing but attributes, which are no columns of the unit:
# allowed in every status, it moves nothing but the time of update, and the history says what the unit is.
ANNOTATE = """
WITH annotated AS (
    UPDATE serials_unit u SET updated_at = %(occurred_at)s FROM ({rows}) AS r
    WHERE u.account_id = %(account)s AND u.id = r.unit_id
    RETURNING u.*, r.reason
)
INSERT INTO serials_unitevent (account_id, unit_id, event, sku, prod_id, bin_name, serial, status, is_void, wms_notes,
                               oms_notes, process_type, process_id, order_no, lot_number, bin_id, lot_id, order_line_id,
                               occurred_at, recorded_at, actor_id, source, reason, corrects_id)
SELECT %(account)s, u.id, %(event)s, k.code, COALESCE(NULLIF(k.product_id_wh, ''), k.product_id),
       COALESCE(b.name, ''), u.serial, u.status, u.is_void, u.wms_notes, u.oms_notes, u.process_type, u.process_id,
       u.order_no, COALESCE(l.number, ''), u.bin_id, u.lot_id, u.order_line_id, %(occurred_at)s, %(recorded_at)s,
       %(actor_id)s, '', u.reason, NULL
FROM annotated u
JOIN oms_sku k ON k.account_id = %(account)s AND k.id = u.sku_id
LEFT JOIN oms_bin b ON b.account_id = %(account)s AND b.id = u.bin_id
LEFT JOIN serials_lot l ON l.account_id = %(account)s AND l.id = u.lot_id
ORDER BY u.id
"""

# Reservations that the event frees; lines whose reserved unit went elsewhere than out on that very line are flagged.
FREE_LINES = """
WITH freed AS (
    SELECT old_line_id FROM stage WHERE before = 'reserved' AND after NOT IN ('reserved', 'out')
    UNION ALL SELECT old_line_id FROM stage WHERE before = 'reserved' AND after = 'out' AND %(event)s <> 'ship'
), flagged AS (
    UPDATE oms_orderline l SET attention = %(attention)s FROM (
        SELECT id FROM oms_orderline WHERE account_id = %(account)s AND id IN (SELECT old_line_id FROM freed)
        ORDER BY id FOR NO KEY UPDATE
    ) AS f WHERE l.account_id = %(account)s AND l.id = f.id AND %(event)s <> 'release'
)
SELECT count(*) FROM freed
"""

# What the event changes in the bins: out of the old place, into the new one. A shipment that makes the unit (the SKU's
# stock is by quantity) takes the piece from the bin it names.
STOCK_DELTAS = """
SELECT sku_id, bin_id, sum(delta)::bigint, lot_id FROM (
    SELECT sku_id, old_bin_id AS bin_id, COALESCE(old_lot_id, 0) AS lot_id, -1 AS delta
    FROM stage WHERE before = ANY(%(in_warehouse)s::text[])
    UNION ALL
    SELECT sku_id, bin_id, COALESCE(lot_id, 0), 1 FROM stage WHERE after = ANY(%(in_warehouse)s::text[])
    UNION ALL
    SELECT sku_id, taken_bin_id, COALESCE(lot_id, 0), -1 FROM stage WHERE taken_bin_id IS NOT NULL
) AS d GROUP BY sku_id, bin_id, lot_id HAVING sum(delta) <> 0
"""

# Stock by quantity from which pieces were just taken may not be less than the known units that lie there.
SHORT_PLACES = """
SELECT k.code, b.name FROM (
    SELECT DISTINCT sku_id, taken_bin_id AS bin_id, COALESCE(lot_id, 0) AS lot_id FROM stage
    WHERE taken_bin_id IS NOT NULL
) AS p
JOIN oms_sku k ON k.account_id = %(account)s AND k.id = p.sku_id
JOIN oms_bin b ON b.account_id = %(account)s AND b.id = p.bin_id
JOIN oms_stock s ON s.account_id = %(account)s AND s.sku_id = p.sku_id AND s.bin_id = p.bin_id AND s.lot_key = p.lot_id
WHERE s.quantity < (
    SELECT count(*) FROM serials_unit u WHERE u.account_id = %(account)s AND u.bin_id = p.bin_id AND u.sku_id = p.sku_id
        AND COALESCE(u.lot_id, 0) = p.lot_id)
ORDER BY k.code, b.name LIMIT 1
"""
