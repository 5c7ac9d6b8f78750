"""Serials that were accepted after review or taken back, and receipts that were undone."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from oms.walls import DropAccountView, RefreshAccountTable

OUTCOMES = [
    ("matched", "As planned"),
    ("new", "New unit"),
    ("saved", "Saved"),
    ("accepted", "Accepted after review"),
    ("unexpected", "Not expected"),
    ("wrong_sku", "Planned for another SKU"),
    ("elsewhere", "Expected on another replenishment"),
    ("in_stock", "In the warehouse already"),
    ("out", "Shipped before"),
    ("void", "Cancelled before"),
    ("duplicate", "Named twice"),
    ("bad", "Not a serial number"),
    ("undone", "Taken back"),
]


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("replenishment", "0004_details_and_lots"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="receivedserial", name="receivedserial_outcome"),
        migrations.AlterField(
            model_name="receivedserial",
            name="outcome",
            field=models.CharField(choices=OUTCOMES, max_length=16, verbose_name="Outcome"),
        ),
        migrations.AddConstraint(
            model_name="receivedserial",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", [value for value, _label in OUTCOMES])),
                name="receivedserial_outcome",
            ),
        ),
        DropAccountView("receipt"),
        migrations.AddField(
            model_name="receipt",
            name="undone_at",
            field=models.DateTimeField(null=True, verbose_name="Undone"),
        ),
        migrations.AddField(
            model_name="receipt",
            name="undone_by",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="receipt",
            name="undo_reason",
            field=models.CharField(blank=True, max_length=400, verbose_name="Reason"),
        ),
        RefreshAccountTable("receipt"),
    ]
