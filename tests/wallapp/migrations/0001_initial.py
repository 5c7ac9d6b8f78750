import django.db.models.deletion
from django.db import migrations, models

import oms.tenancy
from oms.walls import CreateAccountModel

BASE = {"abstract": False, "base_manager_name": "objects", "default_manager_name": "objects"}


def account():
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        editable=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="oms.account",
    )


def key(to, on_delete=django.db.models.deletion.PROTECT, **kwargs):
    return oms.tenancy.AccountKey(on_delete=on_delete, to=to, **kwargs)


def pk():
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    initial = True
    dependencies = [("oms", "0001_initial")]

    operations = [
        CreateAccountModel(
            name="Crate",
            partitioned=True,
            fields=[
                ("id", pk()),
                ("code", models.CharField(max_length=40)),
                ("packed_on", models.DateField(null=True)),
                ("account", account()),
                ("sku", key("oms.sku", related_name="+")),
            ],
            options={
                **BASE,
                "constraints": [models.UniqueConstraint(fields=("account", "code"), name="crate_code")],
            },
        ),
        CreateAccountModel(
            name="Mark",
            partitioned=True,
            colocated=["crate"],
            append_only=True,
            fields=[
                ("id", pk()),
                ("text", models.CharField(max_length=40)),
                ("account", account()),
                ("crate", key("wallapp.crate", related_name="marks")),
            ],
            options={**BASE, "indexes": [models.Index(fields=["account", "crate"], name="mark_by_crate")]},
        ),
        CreateAccountModel(
            name="Tag",
            fields=[("id", pk()), ("name", models.CharField(max_length=40)), ("account", account())],
            options={**BASE, "constraints": [models.UniqueConstraint(fields=("account", "name"), name="tag_name")]},
        ),
    ]
