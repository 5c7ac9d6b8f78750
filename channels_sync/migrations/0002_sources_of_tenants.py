"""A document's source begins with its tenant, no longer with the connection that brought it."""

from django.db import migrations

# What `queries.tenants.tenant` says of the only kind so far. Where two connections of a tenant have both applied a
# document, the first one's count: the other's stay under their old source, which is never asked again.
SOURCES = r"""
CREATE TEMPORARY TABLE new_source AS
SELECT d.account_id, d.id, c.id AS connection_id, n.source,
    regexp_replace(split_part(n.source, '#', 1), '@[0-9]+$', '') AS document
FROM {table} d
JOIN channels_sync_connection c ON c.account_id = d.account_id AND c.id::text = split_part(d.source, ':', 1)
CROSS JOIN LATERAL (
    SELECT 'sandbox_wms~' || left(encode(sha256(convert_to('client=' || btrim(c.config ->> 'client'), 'UTF8')), 'hex'), 16)
        || substr(d.source, strpos(d.source, ':')) AS source
) AS n
WHERE c.kind = 'sandbox_wms' AND c.config ? 'client' AND d.source ~ '^[0-9]+:receipts:';

UPDATE {table} d SET source = n.source FROM new_source n
WHERE n.account_id = d.account_id AND n.id = d.id AND length(n.source) <= {length} AND NOT EXISTS (
    SELECT FROM new_source o
    WHERE o.account_id = n.account_id AND o.document = n.document AND o.connection_id < n.connection_id
);

DROP TABLE new_source;
"""


class Migration(migrations.Migration):
    dependencies = [("channels_sync", "0001_initial"), ("replenishment", "0003_sent_position"), ("oms", "0002_orders")]

    operations = [
        migrations.RunSQL(SOURCES.format(table="replenishment_receipt", length=200), migrations.RunSQL.noop),
        migrations.RunSQL(SOURCES.format(table="oms_discrepancy", length=250), migrations.RunSQL.noop),
    ]
