"""A received serial keeps the lot that its receipt named for it, so that accepting it later gives its unit that lot."""

import django.db.models.deletion
from django.db import migrations

from oms.tenancy import AccountKey
from oms.walls import DropAccountView, RefreshAccountTable


class Migration(migrations.Migration):
    dependencies = [("replenishment", "0005_accepted_and_undone")]

    operations = [
        DropAccountView("receivedserial"),
        migrations.AddField(
            model_name="receivedserial",
            name="lot",
            field=AccountKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="serials.lot"
            ),
        ),
        RefreshAccountTable("receivedserial", keys=["lot"]),
    ]
