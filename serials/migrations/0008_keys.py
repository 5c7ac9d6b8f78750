"""Lots, attributes and schemes are the same whatever their case, width and composition; keys of serials are stable."""

from django.db import migrations, models

from oms.rekeying import Rekey, new_key

OFF = "ALTER TABLE serials_printedlabel DISABLE TRIGGER serials_printedlabel_append_only"
ON = "ALTER TABLE serials_printedlabel ENABLE TRIGGER serials_printedlabel_append_only"


class Migration(migrations.Migration):
    dependencies = [("oms", "0006_keys"), ("serials", "0007_labels")]

    operations = [
        Rekey("unit", text="serial", key="serial_key", what="serial", scope=["sku_id"]),
        # Append-only is what a label says, not how it is found; a serial has as many as were printed.
        migrations.RunSQL(OFF, migrations.RunSQL.noop),
        Rekey("printedlabel", text="serial_key", key="serial_key", condition=None),
        migrations.RunSQL(ON, migrations.RunSQL.noop),
        *new_key(
            "lot",
            text="number",
            key="number_key",
            what="lot",
            scope=["sku_id"],
            constraint=models.UniqueConstraint(fields=["account", "sku", "number_key"], name="lot_number"),
        ),
        *new_key(
            "numberscheme",
            text="name",
            key="name_key",
            what="number scheme",
            constraint=models.UniqueConstraint(fields=["account", "name_key"], name="numberscheme_name"),
        ),
        *new_key(
            "unitattribute",
            text="name",
            key="name_key",
            what="attribute",
            scope=["unit_id"],
            constraint=models.UniqueConstraint(fields=["account", "unit", "name_key"], name="unitattribute_name"),
        ),
    ]
