"""Documents are told in columns; connections know more ways to wait; streams are looked over for what came late.

A receipt belongs to the document whose source it has, or continues, and whose number it carries. Where a receipt fits
two documents, neither gets any receipt: those documents are counted and printed, and a person sees to what follows.
"""

import sys

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from oms.walls import DropAccountView, RefreshAccountTable

FLOWS = [
    ("purchase_orders", "Purchase orders out"),
    ("receipts", "Receipts in"),
    ("shipments", "Shipments in"),
    ("unit_events", "Unit events in"),
    ("shipped_lots", "Shipped lots out"),
    ("orders", "Orders in"),
    ("webhooks", "Webhooks"),
]
HEALTHS = [
    ("untried", "Not tried yet"),
    ("ok", "Working"),
    ("resting", "Resting"),
    ("suspect", "Refused"),
    ("stopped", "Stopped"),
]
# What `queries.tenants.tenant` says of the only kind with an identity so far.
REALMS = """
UPDATE channels_sync_inboundmessage m SET realm = CASE
    WHEN c.kind = 'sandbox_wms' THEN 'sandbox_wms~' || left(encode(sha256(convert_to(
        'client=' || btrim(COALESCE(c.config ->> 'client', '')), 'UTF8')), 'hex'), 16)
    ELSE c.id::text END
FROM channels_sync_connection c WHERE c.account_id = m.account_id AND c.id = m.connection_id
"""
FITTING = """
CREATE TEMPORARY TABLE fitting AS
WITH document AS (
    SELECT DISTINCT account_id, realm, stream, external_id, realm || ':' || stream || ':' || external_id AS source
    FROM channels_sync_inboundmessage WHERE stream = 'receipts'
), receipt AS (
    SELECT account_id, id, external_id, source, regexp_replace(source, '@[0-9]{1,9}$', '') AS base,
        COALESCE(substring(source from '@([0-9]{1,9})$')::int, 0) AS part
    FROM replenishment_receipt WHERE stream = ''
)
SELECT r.account_id, r.id, d.realm, d.stream, d.external_id AS document,
    CASE WHEN d.source = r.source THEN 0 ELSE r.part END AS part,
    r.external_id IN (d.external_id, '') AS is_named
FROM receipt r JOIN document d ON d.account_id = r.account_id AND d.source IN (r.source, r.base)
"""
# Its own number tells which of two documents a receipt is of, where it has one that is known.
SURE = """
DELETE FROM fitting f WHERE NOT f.is_named AND EXISTS (
    SELECT FROM fitting o WHERE o.account_id = f.account_id AND o.id = f.id AND o.is_named)
"""
DOUBTFUL = """
CREATE TEMPORARY TABLE doubtful AS
SELECT DISTINCT f.account_id, f.realm, f.stream, f.document FROM fitting f
WHERE EXISTS (SELECT FROM fitting o WHERE o.account_id = f.account_id AND o.id = f.id AND o.document <> f.document)
"""
LINK = """
UPDATE replenishment_receipt r SET stream = f.stream, realm = f.realm, document = f.document, part = f.part
FROM fitting f WHERE f.account_id = r.account_id AND f.id = r.id AND NOT EXISTS (
    SELECT FROM doubtful d WHERE d.account_id = f.account_id AND d.realm = f.realm AND d.stream = f.stream
        AND d.document = f.document)
"""
# These sources are made of our own ids only.
CASES = """
UPDATE oms_discrepancy d SET subject_kind = s.kind, subject_id = s.id FROM (
    SELECT account_id, id, 'message in' AS kind, 'inbound' AS name FROM channels_sync_inboundmessage
    UNION ALL SELECT account_id, id, 'message out', 'delivery' FROM channels_sync_delivery
) AS s
WHERE d.subject_id IS NULL AND d.source ~ '^(inbound|delivery):[0-9]{1,18}:[0-9]+$' AND s.account_id = d.account_id
    AND s.name = split_part(d.source, ':', 1) AND s.id = split_part(d.source, ':', 2)::bigint
"""

NEVER_CALLED = "UPDATE channels_sync_connection SET health = 'untried' WHERE health = 'ok' AND ok_at IS NULL"


def link(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    with schema_editor.connection.cursor() as cursor:
        for statement in (NEVER_CALLED, REALMS, FITTING, SURE, DOUBTFUL, LINK, CASES):
            cursor.execute(statement)
        cursor.execute("SELECT count(*) FROM doubtful")
        (count,) = cursor.fetchone()
        cursor.execute("DROP TABLE fitting, doubtful")
    if count:
        sys.stdout.write(f"\n    {count} documents share receipts with another one and stay without any.\n")


def forget(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The release of before knows three healths."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("UPDATE channels_sync_connection SET health = 'ok' WHERE health IN ('untried', 'suspect')")


class Migration(migrations.Migration):
    dependencies = [
        ("channels_sync", "0002_sources_of_tenants"),
        ("replenishment", "0008_documents_of_receipts"),
    ]

    operations = [
        DropAccountView("connection"),
        migrations.AddField(model_name="connection", name="asked_until", field=models.DateTimeField(null=True)),
        migrations.AddField(model_name="connection", name="refusals", field=models.PositiveIntegerField(default=0)),
        migrations.AddField(
            model_name="connection",
            name="refused_flow",
            field=models.CharField(blank=True, choices=FLOWS, max_length=24),
        ),
        migrations.AlterField(
            model_name="connection",
            name="health",
            field=models.CharField(choices=HEALTHS, default="untried", max_length=16, verbose_name="Health"),
        ),
        migrations.RemoveConstraint(model_name="connection", name="connection_health"),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.CheckConstraint(
                condition=models.Q(("health__in", [value for value, _label in HEALTHS])), name="connection_health"
            ),
        ),
        RefreshAccountTable("connection"),
        DropAccountView("cursor"),
        migrations.AddField(model_name="cursor", name="swept_at", field=models.DateTimeField(null=True)),
        migrations.AddField(model_name="cursor", name="swept_far_at", field=models.DateTimeField(null=True)),
        migrations.AddField(model_name="cursor", name="sweep_from", field=models.DateTimeField(null=True)),
        RefreshAccountTable("cursor"),
        DropAccountView("inboundmessage"),
        migrations.AddField(
            model_name="inboundmessage",
            name="realm",
            field=models.CharField(default="", max_length=80),
            preserve_default=False,
        ),
        RefreshAccountTable("inboundmessage"),
        migrations.RunPython(link, forget),
        migrations.AddIndex(
            model_name="inboundmessage",
            index=models.Index(fields=["account", "realm", "stream", "external_id", "id"], name="inbound_document"),
        ),
    ]
