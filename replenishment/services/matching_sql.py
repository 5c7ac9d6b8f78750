"""The statements with which `matching` finds units by the numbers of a receipt."""

from psycopg.sql import SQL

# Units that carry one of these numbers, locked in the ledger's order, with the line here that planned them. One look
# into an index for each, whatever the statistics say: see `ledger_sql.LOCK_UNITS`. One that is void because a receipt
# of this very replenishment was undone is as good as new: nobody cancelled it.
KNOWN = SQL("""
SELECT u.sku_id, u.serial_key, CASE
    WHEN u.is_void AND u.last_event = 'unreceive' AND u.process_id = %(number)s THEN 'undone'
    WHEN u.is_void THEN 'void' ELSE u.status END, u.process_id, p.line_id
FROM (
    SELECT n.id FROM unnest(%(skus)s::bigint[], %(keys)s::text[]) AS k (sku_id, key)
    CROSS JOIN LATERAL (
        SELECT u.id FROM serials_unit u WHERE u.account_id = %(account)s AND u.sku_id = k.sku_id
            AND u.serial_key BETWEEN k.key AND k.key ORDER BY u.serial_key OFFSET 0
    ) AS n ORDER BY n.id
) AS f
CROSS JOIN LATERAL (
    SELECT * FROM serials_unit u
    WHERE u.account_id = %(account)s AND u.id BETWEEN f.id AND f.id ORDER BY u.id {fence}
) AS u
LEFT JOIN LATERAL (
    SELECT p.line_id FROM (
        SELECT p.line_id FROM replenishment_plannedserial p
        WHERE p.account_id = %(account)s AND p.sku_id = u.sku_id AND p.state = 'planned'
            AND p.serial_key BETWEEN u.serial_key AND u.serial_key ORDER BY p.serial_key OFFSET 0
    ) AS p
    JOIN replenishment_replenishmentline l ON l.account_id = %(account)s AND l.id = p.line_id
    WHERE l.replenishment_id = %(replenishment)s LIMIT 1
) AS p ON true
""")
# Statistics that are older than an account make all indexes look alike, and the smallest is read to its end for each
# number. Where sorting counts as the last resort, only the index that has the order asked for will do.
IN_ORDER, AS_EVER = "SET LOCAL enable_sort = off", "SET LOCAL enable_sort TO DEFAULT"
LOCKED, LOOKED_AT = KNOWN.format(fence=SQL("FOR UPDATE")), KNOWN.format(fence=SQL("OFFSET 0"))
# Of these numbers, those that are another SKU's on this replenishment than the one they came with: it expects them, or
# they were planned for it and came already.
OTHER_SKUS = """
SELECT k.sku_id, u.serial_key FROM unnest(%(skus)s::bigint[], %(keys)s::text[]) AS k (sku_id, key)
JOIN serials_unit u ON u.account_id = %(account)s AND u.serial_key = k.key AND u.sku_id <> k.sku_id
WHERE NOT u.is_void AND (
    u.status = 'incoming' AND u.process_id = %(number)s
    OR EXISTS (
        SELECT FROM replenishment_plannedserial p
        JOIN replenishment_replenishmentline l ON l.account_id = p.account_id AND l.id = p.line_id
        WHERE p.account_id = %(account)s AND p.sku_id = u.sku_id AND p.serial_key = u.serial_key
          AND p.state = 'planned' AND l.replenishment_id = %(replenishment)s))
"""
