"""A message in remembers that people were told that it is older than its order: who replays it then, means it."""

from django.db import migrations, models

from oms.walls import DropAccountView, RefreshAccountTable

# Until now that was known by its sentence only.
TOLD = """
UPDATE channels_sync_inboundmessage SET told_older = true
WHERE state = 'discrepancy' AND error LIKE 'It was received on %, before % was submitted on %: it may be of an earlier %'
"""


class Migration(migrations.Migration):
    dependencies = [("channels_sync", "0004_delivery_look_first")]

    operations = [
        DropAccountView("inboundmessage"),
        migrations.AddField(
            model_name="inboundmessage",
            name="told_older",
            field=models.BooleanField(default=False, db_default=False),
        ),
        RefreshAccountTable("inboundmessage"),
        migrations.RunSQL(TOLD, migrations.RunSQL.noop),
    ]
