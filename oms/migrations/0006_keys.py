"""SKU codes, zones, bins, order numbers and views are the same whatever their case, width and composition."""

from django.db import migrations, models

from oms.models.keys import validate_words
from oms.rekeying import new_key


class Migration(migrations.Migration):
    dependencies = [("oms", "0005_membership_invited_name")]

    operations = [
        migrations.AlterField("account", "name", models.CharField("name", max_length=120, validators=[validate_words])),
        migrations.AlterField("person", "name", models.CharField("name", max_length=120, validators=[validate_words])),
        migrations.AlterField(
            "warehouse", "name", models.CharField("name", max_length=120, unique=True, validators=[validate_words])
        ),
        *new_key(
            "sku",
            text="code",
            key="code_key",
            what="SKU",
            constraint=models.UniqueConstraint(
                fields=["account", "code_key"],
                name="sku_code",
                violation_error_message="There is already a SKU with this code (upper and lower case are the same).",
            ),
        ),
        *new_key(
            "location",
            text="name",
            key="name_key",
            what="location",
            scope=["link_id"],
            constraint=models.UniqueConstraint(fields=["account", "link", "name_key"], name="location_name"),
        ),
        *new_key(
            "bin",
            text="name",
            key="name_key",
            what="bin",
            scope=["link_id"],
            constraint=models.UniqueConstraint(fields=["account", "link", "name_key"], name="bin_name"),
        ),
        *new_key(
            "order",
            text="number",
            key="number_key",
            what="order number",
            constraint=models.UniqueConstraint(fields=["account", "number_key"], name="order_number"),
        ),
        *new_key(
            "savedview",
            text="name",
            key="name_key",
            what="view",
            scope=["person_id", "page"],
            constraint=models.UniqueConstraint(fields=["account", "person", "page", "name_key"], name="savedview_name"),
        ),
    ]
