"""What a job works on."""

from django.db import migrations, models

from oms.walls import DropAccountView, RefreshAccountTable


class Migration(migrations.Migration):
    dependencies = [
        ("oms", "0006_keys"),
    ]

    operations = [
        DropAccountView("job"),
        migrations.AddField(
            model_name="job",
            name="subject",
            field=models.CharField(blank=True, default="", max_length=80),
            preserve_default=False,
        ),
        RefreshAccountTable("job"),
    ]
