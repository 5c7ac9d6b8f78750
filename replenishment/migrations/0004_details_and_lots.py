"""Replenishments say when and how the goods come, lines what they cost, and a line may be ordered in several lots."""

import django.db.models.deletion
from django.db import migrations, models

import oms.models.keys
import oms.tenancy
from oms.walls import CreateAccountModel, DropAccountView, RefreshAccountTable

# The one lot that a line had was the lot of all its units. References are checked at once, because a table with checks
# that wait cannot be altered.
MOVE_LOTS = """
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO replenishment_replenishmentlot (account_id, line_id, number, expires_on, quantity)
SELECT account_id, id, lot_number, lot_expires_on, quantity FROM replenishment_replenishmentline WHERE lot_number <> ''
ORDER BY account_id, id;
SET CONSTRAINTS ALL DEFERRED;
"""
# Back again there is room for one lot: the first.
MOVE_LOTS_BACK = """
UPDATE replenishment_replenishmentline l SET lot_number = t.number, lot_expires_on = t.expires_on
FROM (
    SELECT DISTINCT ON (account_id, line_id) * FROM replenishment_replenishmentlot ORDER BY account_id, line_id, id
) AS t
WHERE t.account_id = l.account_id AND t.line_id = l.id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("oms", "0005_membership_invited_name"),
        ("replenishment", "0003_sent_position"),
    ]

    operations = [
        DropAccountView("replenishment"),
        DropAccountView("replenishmentline"),
        migrations.AddField(
            model_name="replenishment",
            name="expected_on",
            field=models.DateField(null=True, verbose_name="Expected"),
        ),
        migrations.AddField(
            model_name="replenishment",
            name="carrier",
            field=models.CharField(
                blank=True,
                default="",
                max_length=80,
                validators=[oms.models.keys.validate_words],
                verbose_name="Carrier",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="replenishment",
            name="tracking",
            field=models.CharField(
                blank=True,
                default="",
                max_length=120,
                validators=[oms.models.keys.validate_words],
                verbose_name="Tracking number",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="replenishment",
            name="notes",
            field=models.CharField(blank=True, default="", max_length=2000, verbose_name="Notes"),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="replenishmentline",
            name="unit_cost",
            field=models.DecimalField(decimal_places=4, max_digits=12, null=True, verbose_name="Unit cost"),
        ),
        migrations.AddConstraint(
            model_name="replenishmentline",
            constraint=models.CheckConstraint(
                condition=models.Q(("unit_cost__gte", 0)), name="replenishmentline_unit_cost"
            ),
        ),
        CreateAccountModel(
            name="ReplenishmentLot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "number",
                    models.CharField(
                        max_length=100, validators=[oms.models.keys.validate_identity], verbose_name="Lot"
                    ),
                ),
                ("expires_on", models.DateField(null=True, verbose_name="Expiry")),
                ("quantity", models.PositiveIntegerField(verbose_name="Quantity")),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="oms.account",
                    ),
                ),
                (
                    "line",
                    oms.tenancy.AccountKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lots",
                        to="replenishment.replenishmentline",
                    ),
                ),
            ],
            options={
                "verbose_name": "replenishment lot",
                "verbose_name_plural": "replenishment lots",
                "abstract": False,
                "base_manager_name": "objects",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("account", "line", "number"), name="replenishmentlot_once"),
                    models.CheckConstraint(
                        condition=models.Q(("quantity__gte", 1), ("quantity__lte", 1_000_000)),
                        name="replenishmentlot_quantity",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("number", ""), _negated=True), name="replenishmentlot_number"
                    ),
                ],
            },
        ),
        migrations.RunSQL(MOVE_LOTS, MOVE_LOTS_BACK),
        migrations.RemoveField(model_name="replenishmentline", name="lot_number"),
        migrations.RemoveField(model_name="replenishmentline", name="lot_expires_on"),
        RefreshAccountTable("replenishmentline"),
        RefreshAccountTable("replenishment"),
    ]
