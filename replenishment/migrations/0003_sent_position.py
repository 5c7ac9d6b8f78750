"""Receipt lines keep the position that the warehouse sent, so that later versions are counted line by line."""

from django.db import migrations, models

from oms.walls import DropAccountView, RefreshAccountTable

# Every system that has sent receipts so far sends positions, and a line that was matched by one has the same.
FROM_THE_LINES = """
UPDATE replenishment_receiptline r SET sent_position = l.position
FROM replenishment_replenishmentline l, replenishment_receipt d
WHERE l.account_id = r.account_id AND l.id = r.line_id AND d.account_id = r.account_id AND d.id = r.receipt_id
  AND d.source LIKE '%:receipts:%'
"""


class Migration(migrations.Migration):
    dependencies = [("replenishment", "0002_planned_states")]

    operations = [
        DropAccountView("receiptline"),
        migrations.AddField(model_name="receiptline", name="sent_position", field=models.BigIntegerField(null=True)),
        migrations.RunSQL(FROM_THE_LINES, migrations.RunSQL.noop),
        RefreshAccountTable("receiptline"),
    ]
