"""A message out says that it may have arrived already, unknown to Lotline: after a restore."""

from django.db import migrations, models

from oms.walls import DropAccountView, RefreshAccountTable


class Migration(migrations.Migration):
    dependencies = [("channels_sync", "0003_documents_waits_and_sweeps"), ("oms", "0009_installation")]

    operations = [
        DropAccountView("delivery"),
        migrations.AddField(
            model_name="delivery",
            name="look_first",
            field=models.BooleanField(default=False, db_default=False),
        ),
        RefreshAccountTable("delivery"),
    ]
