from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oms", "0004_layouts"),
    ]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="invited_name",
            field=models.CharField(blank=True, default="", editable=False, max_length=120),
            preserve_default=False,
        ),
    ]
