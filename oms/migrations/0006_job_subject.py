from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oms", "0005_membership_invited_name"),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="subject",
            field=models.CharField(blank=True, default="", max_length=80),
            preserve_default=False,
        ),
    ]
