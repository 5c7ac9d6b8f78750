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
        # Who was a member before invitations had to be accepted stays one. Who never chose a password was only invited:
        # had they joined, no link would choose it any more.
        migrations.RunSQL(
            "UPDATE oms_membership SET joined_at = oms_membership.created_at FROM oms_person "
            "WHERE oms_person.id = person_id AND password NOT LIKE '!%'",
            migrations.RunSQL.noop,
        ),
    ]
