"""What a later change of an account table looks like: a new key, a wider column, a table between two others."""

import importlib

import django.db.models.deletion
from django.db import migrations, models

from oms.walls import CreateAccountModel, DropAccountView, RefreshAccountTable

first = importlib.import_module("tests.wallapp.migrations.0001_initial")


class Migration(migrations.Migration):
    dependencies = [("wallapp", "0001_initial")]

    operations = [
        DropAccountView("tag"),
        migrations.AddField(
            "tag",
            "parent",
            first.key("wallapp.tag", django.db.models.deletion.SET_NULL, null=True, related_name="children"),
        ),
        migrations.AlterField("tag", "name", models.CharField(max_length=60)),
        RefreshAccountTable("tag", keys=["parent"]),
        CreateAccountModel(
            name="TagOfCrate",
            fields=[
                ("id", first.pk()),
                ("account", first.account()),
                ("tag", first.key("wallapp.tag", django.db.models.deletion.CASCADE, related_name="+")),
                ("crate", first.key("wallapp.crate", django.db.models.deletion.CASCADE, related_name="+")),
            ],
            options={
                **first.BASE,
                "constraints": [models.UniqueConstraint(fields=("account", "tag", "crate"), name="tagofcrate_once")],
            },
        ),
        migrations.AddField(
            "tag",
            "crates",
            models.ManyToManyField(related_name="tags", through="wallapp.TagOfCrate", to="wallapp.crate"),
        ),
    ]
