from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("oms", "0009_installation"),
    ]

    operations = [
        migrations.CreateModel(
            name="Round",
            fields=[
                ("kind", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("made_at", models.DateTimeField()),
            ],
        ),
    ]
