"""Number schemes with date parts, alphabets and check characters; which scheme and rule the numbers of a SKU have."""

import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models

import oms.models.keys
import oms.tenancy
from oms.walls import CreateAccountModel, DropAccountView, RefreshAccountTable

# Numbers came from the oldest scheme of an account; it becomes the default.
NAME_THEM = """
UPDATE serials_numberscheme s
SET is_default = s.id = o.oldest, name = CASE WHEN s.id = o.oldest THEN 'Standard' ELSE 'Scheme ' || s.id END
FROM (SELECT account_id, min(id) AS oldest FROM serials_numberscheme GROUP BY account_id) AS o
WHERE o.account_id = s.account_id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("oms", "0005_membership_invited_name"),
        ("serials", "0005_attribute_names"),
    ]

    operations = [
        DropAccountView("numberscheme"),
        migrations.RemoveConstraint(
            model_name="numberscheme",
            name="numberscheme_prefix",
        ),
        migrations.RemoveConstraint(
            model_name="numberscheme",
            name="numberscheme_counter",
        ),
        migrations.AddField(
            model_name="numberscheme",
            name="alphabet",
            field=models.CharField(
                choices=[
                    ("0123456789", "Digits 0–9"),
                    ("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", "Digits and letters A–Z"),
                    ("3479ACDEFHJKMNPRTWXY", "Without look-alikes: 3479ACDEFHJKMNPRTWXY"),
                ],
                default="0123456789",
                max_length=40,
                verbose_name="Characters of the counter",
            ),
        ),
        migrations.AddField(
            model_name="numberscheme",
            name="check_kind",
            field=models.CharField(
                choices=[("none", "None"), ("mod37_36", "ISO/IEC 7064 MOD 37,36"), ("luhn", "Luhn")],
                default="none",
                max_length=16,
                verbose_name="Check character",
            ),
        ),
        migrations.AddField(
            model_name="numberscheme",
            name="first_counter",
            field=models.BigIntegerField(default=1, verbose_name="First number"),
        ),
        migrations.AddField(
            model_name="numberscheme",
            name="is_archived",
            field=models.BooleanField(default=False, verbose_name="Archived"),
        ),
        migrations.AddField(
            model_name="numberscheme",
            name="is_default",
            field=models.BooleanField(default=False, verbose_name="Default"),
        ),
        migrations.AddField(
            model_name="numberscheme",
            name="is_gs1_safe",
            field=models.BooleanField(default=False, verbose_name="GS1-safe"),
        ),
        migrations.AddField(
            model_name="numberscheme",
            name="name",
            field=models.CharField(
                default="Standard",
                max_length=80,
                validators=[oms.models.keys.validate_identity],
                verbose_name="Name",
            ),
        ),
        migrations.AlterField(
            model_name="numberscheme",
            name="next_counter",
            field=models.BigIntegerField(default=1, verbose_name="Next number"),
        ),
        migrations.AlterField(
            model_name="numberscheme",
            name="prefix",
            field=models.CharField(blank=True, default="SN", max_length=40, verbose_name="Prefix"),
        ),
        migrations.AlterField(
            model_name="numberscheme",
            name="width",
            field=models.PositiveSmallIntegerField(default=8, verbose_name="Counter width"),
        ),
        migrations.RunSQL(NAME_THEM, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="numberscheme",
            constraint=models.UniqueConstraint(
                models.F("account"), django.db.models.functions.text.Upper("name"), name="numberscheme_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="numberscheme",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True)), fields=("account",), name="numberscheme_default"
            ),
        ),
        migrations.AddConstraint(
            model_name="numberscheme",
            constraint=models.CheckConstraint(
                condition=models.Q(("first_counter__gte", 1), ("next_counter__gte", models.F("first_counter"))),
                name="numberscheme_counter",
            ),
        ),
        migrations.AddConstraint(
            model_name="numberscheme",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_default", False), ("is_archived", False), _connector="OR"),
                name="numberscheme_default_is_live",
            ),
        ),
        migrations.AddConstraint(
            model_name="numberscheme",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("alphabet__in", ["0123456789", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", "3479ACDEFHJKMNPRTWXY"])
                ),
                name="numberscheme_alphabet",
            ),
        ),
        migrations.AddConstraint(
            model_name="numberscheme",
            constraint=models.CheckConstraint(
                condition=models.Q(("check_kind__in", ["none", "mod37_36", "luhn"])), name="numberscheme_check"
            ),
        ),
        CreateAccountModel(
            name="SkuNumbering",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("min_length", models.PositiveSmallIntegerField(default=1, verbose_name="Shortest")),
                ("max_length", models.PositiveSmallIntegerField(default=100, verbose_name="Longest")),
                (
                    "characters",
                    models.CharField(
                        choices=[
                            ("any", "Any"),
                            ("digits", "Digits"),
                            ("alphanumeric", "Letters A–Z and digits"),
                            ("gs1", "GS1 (letters A–Z, digits and ! \" % & ' ( ) * + , - . / : ; < = > ? _)"),
                        ],
                        default="any",
                        max_length=16,
                        verbose_name="Characters",
                    ),
                ),
                ("pattern", models.CharField(blank=True, max_length=200, verbose_name="Regular expression")),
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
                    "scheme",
                    oms.tenancy.AccountKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="numberings",
                        to="serials.numberscheme",
                    ),
                ),
                (
                    "sku",
                    oms.tenancy.AccountKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="numberings", to="oms.sku"
                    ),
                ),
            ],
            options={
                "verbose_name": "numbers of a SKU",
                "verbose_name_plural": "numbers of SKUs",
                "abstract": False,
                "base_manager_name": "objects",
                "default_manager_name": "objects",
            },
        ),
        migrations.AddIndex(
            model_name="skunumbering",
            index=models.Index(fields=["account", "scheme"], name="skunumbering_by_scheme"),
        ),
        migrations.AddConstraint(
            model_name="skunumbering",
            constraint=models.UniqueConstraint(fields=("account", "sku"), name="skunumbering_sku"),
        ),
        migrations.AddConstraint(
            model_name="skunumbering",
            constraint=models.CheckConstraint(
                condition=models.Q(("characters__in", ["any", "digits", "alphanumeric", "gs1"])),
                name="skunumbering_characters",
            ),
        ),
        migrations.AddConstraint(
            model_name="skunumbering",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("max_length__gte", models.F("min_length")), ("max_length__lte", 100), ("min_length__gte", 1)
                ),
                name="skunumbering_length",
            ),
        ),
        RefreshAccountTable("numberscheme"),
    ]
