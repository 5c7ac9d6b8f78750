"""Receipt lines keep the position that the warehouse sent, so that later versions are counted line by line."""

from django.db import migrations, models

from oms.walls import DropAccountView, RefreshAccountTable

# The document says what was sent: a line that was sent without a position may stand for several of its SKU, and `line_id`
# is only the first of these. Lines are in the document's order where all of them were applied; else their SKU tells.
FROM_THE_LINES = """
UPDATE replenishment_receiptline r SET sent_position = l.position
FROM replenishment_replenishmentline l, replenishment_receipt d
WHERE l.account_id = r.account_id AND l.id = r.line_id AND d.account_id = r.account_id AND d.id = r.receipt_id
  AND d.source LIKE '%:receipts:%' AND jsonb_typeof(d.raw -> 'lines') = 'array' AND EXISTS (
    SELECT FROM jsonb_array_elements(d.raw -> 'lines') WITH ORDINALITY AS s (sent, place)
    WHERE s.sent ->> 'line' = l.position::text AND upper(btrim(s.sent ->> 'sku')) = upper(btrim(r.sku_code))
      AND (s.place = r.position OR jsonb_array_length(d.raw -> 'lines') <> (
        SELECT count(*) FROM replenishment_receiptline o WHERE o.account_id = r.account_id AND o.receipt_id = r.receipt_id
      ))
  )
"""


class Migration(migrations.Migration):
    dependencies = [("replenishment", "0002_planned_states")]

    operations = [
        DropAccountView("receiptline"),
        migrations.AddField(model_name="receiptline", name="sent_position", field=models.BigIntegerField(null=True)),
        migrations.RunSQL(FROM_THE_LINES, migrations.RunSQL.noop),
        RefreshAccountTable("receiptline"),
    ]
