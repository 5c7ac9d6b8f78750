"""Ordered lots are the same whatever their case, width and composition; keys of planned serials are stable."""

from django.db import migrations, models

from oms.rekeying import Rekey, new_key

# A planned number is its unit's: where two spellings parted two units, each goes with its own. Twice, because one may
# have to leave its key first.
FOLLOW = """
UPDATE replenishment_plannedserial p SET serial_key = u.serial_key
FROM serials_unit u
WHERE u.account_id = p.account_id AND u.sku_id = p.sku_id AND u.serial = p.serial AND u.serial_key <> p.serial_key
    AND p.state = 'planned' AND p.serial !~ '^[ -~]*$' AND NOT EXISTS (
        SELECT FROM replenishment_plannedserial o WHERE o.account_id = p.account_id AND o.sku_id = p.sku_id
            AND o.serial_key = u.serial_key AND o.state = 'planned')
"""


class Migration(migrations.Migration):
    dependencies = [("replenishment", "0006_lot_of_a_received_serial"), ("serials", "0008_keys")]

    operations = [
        Rekey(
            "plannedserial",
            text="serial",
            key="serial_key",
            what="planned serial",
            scope=["sku_id"],
            condition="state = 'planned'",
        ),
        migrations.RunSQL([FOLLOW, FOLLOW], migrations.RunSQL.noop),
        *new_key(
            "replenishmentlot",
            text="number",
            key="number_key",
            what="ordered lot",
            scope=["line_id"],
            constraint=models.UniqueConstraint(fields=["account", "line", "number_key"], name="replenishmentlot_once"),
        ),
    ]
