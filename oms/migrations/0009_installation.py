"""An installation has an epoch, which a restore moves on, and a message of the outbox keeps the one it was made in."""

from django.db import migrations, models

import oms.models.installation
from oms.walls import DropAccountView, RefreshAccountTable

# Read by the app where a message is made, and by nobody else written than the owner: by backup and restore.
EPOCH = """
CREATE FUNCTION lotline_epoch() RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT COALESCE(max(epoch), 1) FROM public.oms_installation $$;
REVOKE INSERT, UPDATE, DELETE ON oms_installation FROM lotline_app;
"""


class Migration(migrations.Migration):
    dependencies = [("oms", "0008_subject_of_a_discrepancy")]

    operations = [
        migrations.CreateModel(
            name="Installation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.UUIDField()),
                ("epoch", models.BigIntegerField(default=1)),
                ("restored_at", models.DateTimeField(null=True)),
            ],
            options={"verbose_name": "installation", "verbose_name_plural": "installations"},
        ),
        migrations.RunSQL(EPOCH, "DROP FUNCTION lotline_epoch()"),
        DropAccountView("outboxmessage"),
        migrations.AddField(
            model_name="outboxmessage",
            name="epoch",
            field=models.BigIntegerField(db_default=oms.models.installation.CurrentEpoch()),
        ),
        RefreshAccountTable("outboxmessage"),
    ]
