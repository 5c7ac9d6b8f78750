from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oms", "0002_orders"),
    ]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="joined_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        # Who was a member before invitations had to be accepted stays one.
        migrations.RunSQL("UPDATE oms_membership SET joined_at = created_at", migrations.RunSQL.noop),
    ]
