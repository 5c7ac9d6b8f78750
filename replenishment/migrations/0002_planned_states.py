"""Submitting leaves planned serials as they are: "draft" and "submitted" become one state, "released" is new."""

from django.db import migrations, models

# The newest row of a number whose unit lives keeps it; what was submitted and cancelled since is released.
NEW_STATES = """
UPDATE replenishment_plannedserial p SET state = CASE
    WHEN p.state = 'draft' THEN 'planned'
    WHEN EXISTS (
        SELECT FROM serials_unit u
        WHERE u.account_id = p.account_id AND u.sku_id = p.sku_id AND u.serial_key = p.serial_key AND NOT u.is_void
    ) AND NOT EXISTS (
        SELECT FROM replenishment_plannedserial o
        WHERE o.account_id = p.account_id AND o.sku_id = p.sku_id AND o.serial_key = p.serial_key
          AND o.state <> 'removed' AND o.id > p.id
    ) THEN 'planned'
    ELSE 'released' END
WHERE p.state <> 'removed'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("oms", "0002_orders"),
        ("serials", "0001_initial"),
        ("replenishment", "0001_initial"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="plannedserial", name="plannedserial_state"),
        migrations.AlterField(
            model_name="plannedserial",
            name="state",
            field=models.CharField(
                choices=[("planned", "Planned"), ("released", "Released"), ("removed", "Removed")],
                default="planned",
                max_length=16,
            ),
        ),
        migrations.RunSQL(NEW_STATES, migrations.RunSQL.noop),  # needs the old indexes
        migrations.RemoveConstraint(model_name="plannedserial", name="plannedserial_draft"),
        migrations.RemoveIndex(model_name="plannedserial", name="plannedserial_by_key"),
        migrations.AddIndex(
            model_name="plannedserial",
            index=models.Index(
                condition=models.Q(("state", "planned"), _negated=True),
                fields=["account", "sku", "serial_key"],
                name="plannedserial_former",
            ),
        ),
        migrations.AddConstraint(
            model_name="plannedserial",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "planned")),
                fields=("account", "sku", "serial_key"),
                name="plannedserial_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="plannedserial",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["planned", "released", "removed"])), name="plannedserial_state"
            ),
        ),
    ]
