"""The statements of the ledger. Each works on all rows of a call at once; %(…)s are given by `ledger._parameters`.

Two temporary tables live as long as the connection and are emptied by every commit: `stage_in`, what the caller
said, and `stage`, what it leads to.
"""

MAKE_STAGES = """
CREATE TEMP TABLE IF NOT EXISTS stage_in (
    serial_key text, unit_id bigint, sku_id bigint, serial text, bin_id bigint, lot_id bigint, order_line_id bigint,
    wms_notes text, oms_notes text, source text DEFAULT '', reason text DEFAULT '', is_new_allowed boolean DEFAULT
    false, is_accepted boolean DEFAULT false, corrects_id bigint
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS stage (
    unit_id bigint, sku_id bigint, serial text, serial_key text, bin_id bigint, lot_id bigint, order_line_id bigint,
    wms_notes text, oms_notes text, source text, reason text, corrects_id bigint, before text, after text,
    old_bin_id bigint, old_lot_id bigint, old_line_id bigint
) ON COMMIT DELETE ROWS;
TRUNCATE stage_in, stage;
"""

COPY_STAGE = """
COPY stage_in (serial_key, unit_id, sku_id, serial, bin_id, lot_id, order_line_id, wms_notes, oms_notes, source, reason,
               is_new_allowed, is_accepted, corrects_id) FROM STDIN
"""

# From here on a row without unit_id is a unit that does not exist yet.
RESOLVE = """
UPDATE stage_in i SET unit_id = u.id FROM serials_unit u
WHERE i.unit_id IS NULL AND u.account_id = %(account)s AND u.sku_id = i.sku_id AND u.serial_key = i.serial_key
"""

# A change of workflow takes the same rows FOR UPDATE: goods and workflow never change at once.
LOCK_SKUS = """
SELECT id FROM oms_sku WHERE account_id = %(account)s AND id IN (
    SELECT sku_id FROM stage_in WHERE sku_id IS NOT NULL
    UNION SELECT u.sku_id FROM stage_in i JOIN serials_unit u ON u.account_id = %(account)s AND u.id = i.unit_id
) ORDER BY id FOR KEY SHARE
"""

# Locked in the order of their ids, whatever the order of the call: no two calls can wait for each other in a circle.
LOCK_UNITS = """
SELECT id FROM serials_unit WHERE account_id = %(account)s AND id IN (SELECT unit_id FROM stage_in)
ORDER BY id FOR UPDATE
"""

# What each row leads to. A row without an outcome keeps after = NULL and is refused; a fact that the unit has already
# (same source) is left out. New units take their ids here, so that units and history can be written side by side.
PLAN = """
WITH outcome AS (
    SELECT * FROM unnest(%(befores)s::text[], %(bin_kinds)s::text[], %(needs)s::text[], %(afters)s::text[])
        AS o (before, bin_kind, needs, after)
), named AS (
    SELECT i.*, u.id AS found_id, u.sku_id AS found_sku, u.serial AS found_serial, u.bin_id AS old_bin_id,
           u.lot_id AS old_lot_id, u.order_line_id AS old_line_id, u.last_event, u.is_planned,
           CASE WHEN u.id IS NULL THEN 'new' WHEN u.is_void THEN 'void' ELSE u.status END AS before,
           COALESCE(b.kind, '') AS bin_kind,
           COALESCE(NULLIF(i.source, ''), %(source)s) AS its_source
    FROM stage_in i
    LEFT JOIN serials_unit u ON u.account_id = %(account)s AND u.id = i.unit_id
    LEFT JOIN oms_bin b ON b.account_id = %(account)s AND b.id = i.bin_id
)
INSERT INTO stage
SELECT COALESCE(n.found_id, n.unit_id, nextval('serials_unit_id_seq')),
       COALESCE(n.found_sku, n.sku_id), COALESCE(n.found_serial, n.serial), n.serial_key,
       n.bin_id, n.lot_id, n.order_line_id, n.wms_notes, n.oms_notes, n.its_source,
       COALESCE(NULLIF(n.reason, ''), %(reason)s), n.corrects_id, n.before, o.after,
       n.old_bin_id, n.old_lot_id, n.old_line_id
FROM named n
LEFT JOIN oms_sku k ON k.account_id = %(account)s AND k.id = COALESCE(n.found_sku, n.sku_id)
LEFT JOIN outcome o ON o.before = n.before AND (o.bin_kind = '' OR o.bin_kind = n.bin_kind)
    AND (n.before <> 'new' OR (k.workflow = ANY(%(new_workflows)s::text[]) AND n.unit_id IS NULL AND n.serial_key <>
    '')) AND CASE o.needs
        WHEN '' THEN true
        WHEN 'allowed_new' THEN n.is_new_allowed
        WHEN 'accepted' THEN n.is_accepted
        WHEN 'same_line' THEN n.old_line_id = n.order_line_id
        WHEN 'last_ship' THEN n.last_event = 'ship'
        WHEN 'last_receive_planned' THEN n.last_event = 'receive' AND n.is_planned
        WHEN 'last_receive_unplanned' THEN n.last_event = 'receive' AND NOT n.is_planned
        ELSE false END
WHERE n.its_source = '' OR n.found_id IS NULL OR NOT EXISTS (
    SELECT FROM serials_unitevent e
    WHERE e.account_id = %(account)s AND e.unit_id = n.found_id AND e.source = n.its_source)
"""

REFUSED = """
SELECT serial, before, why, count(*) OVER () FROM (
    SELECT serial, before, 'rule' AS why FROM stage WHERE after IS NULL
    UNION ALL
    SELECT min(serial), 'new', 'twice' FROM stage WHERE before = 'new' GROUP BY sku_id, serial_key HAVING count(*) > 1
    UNION ALL
    SELECT min(serial), min(before), 'twice' FROM stage WHERE before <> 'new' GROUP BY unit_id HAVING count(*) > 1
) AS r ORDER BY serial LIMIT %(named)s
"""

# The line of a unit: what it is reserved for, or was shipped on; nothing else has one.
_LINE = """
CASE WHEN s.after = 'reserved' THEN COALESCE(s.order_line_id, s.old_line_id)
     WHEN s.after = 'out' AND %(event)s = 'ship' THEN COALESCE(s.order_line_id, s.old_line_id)
     WHEN s.after = 'out' AND %(is_annotation)s THEN s.old_line_id END
"""
_STATUS = "CASE WHEN s.after = 'void' THEN 'incoming' ELSE s.after END"
_BIN = "CASE WHEN s.after = ANY(%(in_warehouse)s::text[]) THEN COALESCE(s.bin_id, s.old_bin_id) END"

INSERT_UNITS = f"""
INSERT INTO serials_unit (account_id, id, sku_id, serial, serial_key, status, is_void, is_planned, bin_id, lot_id,
                          order_line_id, wms_notes, oms_notes, process_type, process_id, order_no, last_event,
                          last_source, updated_at, created_at)
SELECT %(account)s, s.unit_id, s.sku_id, s.serial, s.serial_key, {_STATUS}, false, %(event)s = 'expect', {_BIN},
s.lot_id,
       {_LINE}, COALESCE(s.wms_notes, ''), COALESCE(s.oms_notes, ''), %(process_type)s, %(process_id)s, %(order_no)s,
       %(event)s, s.source, %(occurred_at)s, %(recorded_at)s
FROM stage s WHERE s.before = 'new'
"""

UPDATE_UNITS = f"""
UPDATE serials_unit u SET
    status = {_STATUS}, is_void = (s.after = 'void'), is_planned = u.is_planned OR %(event)s = 'expect',
    bin_id = {_BIN}, lot_id = COALESCE(s.lot_id, u.lot_id), order_line_id = {_LINE},
    wms_notes = COALESCE(s.wms_notes, u.wms_notes), oms_notes = COALESCE(s.oms_notes, u.oms_notes),
    process_type = CASE WHEN %(is_annotation)s THEN u.process_type ELSE %(process_type)s END,
    process_id = CASE WHEN %(is_annotation)s THEN u.process_id ELSE %(process_id)s END,
    order_no = CASE WHEN %(is_annotation)s THEN u.order_no ELSE %(order_no)s END,
    last_event = CASE WHEN %(is_annotation)s THEN u.last_event ELSE %(event)s END,
    last_source = CASE WHEN %(is_annotation)s THEN u.last_source ELSE s.source END,
    updated_at = %(occurred_at)s
FROM stage s WHERE u.account_id = %(account)s AND u.id = s.unit_id AND s.before <> 'new'
"""

# The eleven columns as they are after the event, copied: a history row never changes when a SKU or a bin is renamed.
INSERT_EVENTS = """
INSERT INTO serials_unitevent (account_id, unit_id, event, sku, prod_id, bin_name, serial, status, is_void, wms_notes,
                               oms_notes, process_type, process_id, order_no, lot_number, bin_id, lot_id, order_line_id,
                               occurred_at, recorded_at, actor_id, source, reason, corrects_id)
SELECT %(account)s, u.id, %(event)s, k.code, COALESCE(NULLIF(k.product_id_wh, ''), k.product_id), COALESCE(b.name, ''),
       u.serial, u.status, u.is_void, u.wms_notes, u.oms_notes, u.process_type, u.process_id, u.order_no,
       COALESCE(l.number, ''), u.bin_id, u.lot_id, u.order_line_id, %(occurred_at)s, %(recorded_at)s, %(actor_id)s,
       s.source, s.reason, s.corrects_id
FROM stage s
JOIN serials_unit u ON u.account_id = %(account)s AND u.id = s.unit_id
JOIN oms_sku k ON k.account_id = %(account)s AND k.id = u.sku_id
LEFT JOIN oms_bin b ON b.account_id = %(account)s AND b.id = u.bin_id
LEFT JOIN serials_lot l ON l.account_id = %(account)s AND l.id = u.lot_id
"""

# Lines whose reserved unit went elsewhere than out on that very line.
FLAG_LINES = """
UPDATE oms_orderline l SET attention = %(attention)s
WHERE l.account_id = %(account)s AND %(event)s IN ('move', 'recount_missing', 'recount_found') AND l.id IN (
    SELECT old_line_id FROM stage WHERE before = 'reserved' AND after <> 'reserved')
"""

# What the event changes in the bins: out of the old place, into the new one. A shipment that makes the unit (the SKU's
# stock is by quantity) takes the piece from the bin it names.
STOCK_DELTAS = """
SELECT sku_id, bin_id, sum(delta)::bigint, lot_id FROM (
    SELECT sku_id, old_bin_id AS bin_id, COALESCE(old_lot_id, 0) AS lot_id, -1 AS delta
    FROM stage WHERE before = ANY(%(in_warehouse)s::text[])
    UNION ALL
    SELECT sku_id, COALESCE(bin_id, old_bin_id), COALESCE(lot_id, old_lot_id, 0), 1
    FROM stage WHERE after = ANY(%(in_warehouse)s::text[])
    UNION ALL
    SELECT sku_id, bin_id, COALESCE(lot_id, 0), -1
    FROM stage WHERE before = 'new' AND after = 'out' AND bin_id IS NOT NULL
) AS d GROUP BY sku_id, bin_id, lot_id HAVING sum(delta) <> 0
"""
