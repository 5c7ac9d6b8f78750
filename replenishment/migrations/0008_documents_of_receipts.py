"""Which document a receipt is of, and which receipt left a discrepancy, stand in columns.

What somebody entered in Lotline is told by its source for the last time. A discrepancy belongs to the receipt of its
replenishment whose source it begins with; one that fits two stays as it is, is counted and printed.
"""

import sys

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from oms.walls import DropAccountView, RefreshAccountTable

ENTERED = (
    "UPDATE replenishment_receipt SET stream = 'entered' WHERE source ~ '^entered:[0-9]+:' AND actor_id IS NOT NULL"
)
FITTING = """
CREATE TEMPORARY TABLE fitting AS
SELECT d.account_id, d.id, min(r.id) AS receipt_id, count(*) AS receipts,
    min(substring(substr(d.source, length(r.source) + 2) from '^[0-9]{1,9}(?=:)')) AS line
FROM oms_discrepancy d
JOIN replenishment_replenishment p ON p.account_id = d.account_id AND p.number = d.process_id
JOIN replenishment_receipt r ON r.account_id = d.account_id AND r.replenishment_id = p.id
    AND starts_with(d.source, r.source || '#')
WHERE d.subject_id IS NULL AND d.process_type = 'replenishment'
GROUP BY d.account_id, d.id
"""
LINK = """
UPDATE oms_discrepancy d SET subject_kind = 'receipt', subject_id = f.receipt_id, subject_line = f.line::int
FROM fitting f WHERE f.account_id = d.account_id AND f.id = d.id AND f.receipts = 1
"""
UNLINKED = "SELECT count(*) FROM fitting WHERE receipts > 1"


def link(_apps: object, schema_editor: BaseDatabaseSchemaEditor) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(ENTERED)
        cursor.execute(FITTING)
        cursor.execute(LINK)
        cursor.execute(UNLINKED)
        (count,) = cursor.fetchone()
        cursor.execute("DROP TABLE fitting")
    if count:
        sys.stdout.write(f"\n    {count} discrepancies fit two receipts each and stay without one.\n")


class Migration(migrations.Migration):
    dependencies = [("replenishment", "0007_keys"), ("oms", "0008_subject_of_a_discrepancy")]

    operations = [
        DropAccountView("receipt"),
        migrations.AddField(model_name="receipt", name="stream", field=models.CharField(blank=True, max_length=24)),
        migrations.AddField(model_name="receipt", name="realm", field=models.CharField(blank=True, max_length=80)),
        migrations.AddField(model_name="receipt", name="document", field=models.CharField(blank=True, max_length=120)),
        migrations.AddField(model_name="receipt", name="part", field=models.PositiveIntegerField(default=0)),
        RefreshAccountTable("receipt"),
        migrations.RunPython(link, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.UniqueConstraint(
                condition=models.Q(("document", ""), _negated=True),
                fields=("account", "realm", "stream", "document", "part"),
                name="receipt_document",
            ),
        ),
    ]
