"""What a discrepancy is about stands in columns, and is not read out of its source any more."""

from django.db import migrations, models

from oms.walls import DropAccountView, RefreshAccountTable


class Migration(migrations.Migration):
    dependencies = [("oms", "0007_job_subject")]

    operations = [
        DropAccountView("discrepancy"),
        migrations.AddField(
            model_name="discrepancy", name="subject_kind", field=models.CharField(blank=True, max_length=24)
        ),
        migrations.AddField(model_name="discrepancy", name="subject_id", field=models.BigIntegerField(null=True)),
        migrations.AddField(
            model_name="discrepancy", name="subject_line", field=models.PositiveIntegerField(null=True)
        ),
        migrations.AddIndex(
            model_name="discrepancy",
            index=models.Index(
                condition=models.Q(("subject_id__isnull", False)),
                fields=["account", "subject_kind", "subject_id"],
                name="discrepancy_by_subject",
            ),
        ),
        RefreshAccountTable("discrepancy"),
    ]
