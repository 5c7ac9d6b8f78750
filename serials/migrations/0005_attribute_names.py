"""A name of an attribute is the same whatever its case, so a unit has each once."""

from typing import Any

from django.db import migrations, models
from django.db.models import Count
from django.db.models.functions import Upper


def number_doubles(apps: Any, schema_editor: Any) -> None:
    """Of names that differ in case only, the first stays and the others get a number: “colour (2)”."""
    rows = apps.get_model("serials", "UnitAttribute").objects.using(schema_editor.connection.alias)
    rows = rows.annotate(key=Upper("name"))
    doubles = rows.values("account", "unit", "key").annotate(count=Count("id")).filter(count__gt=1)
    for account, unit in doubles.order_by("account", "unit").values_list("account", "unit").distinct():
        found = list(rows.filter(account=account, unit=unit).order_by("id"))
        taken, seen = {row.name.upper() for row in found}, set()
        for row in found:
            if row.key in seen:
                number = 2
                while (name := f"{row.name[:90]} ({number})").upper() in taken:
                    number += 1
                taken.add(name.upper())
                rows.filter(account=account, id=row.id).update(name=name)
            seen.add(row.key)


class Migration(migrations.Migration):
    dependencies = [("serials", "0004_order_search")]

    operations = [
        migrations.RunPython(number_doubles, migrations.RunPython.noop),
        migrations.RemoveConstraint(model_name="unitattribute", name="unitattribute_name"),
        migrations.AddConstraint(
            model_name="unitattribute",
            constraint=models.UniqueConstraint(
                models.F("account"), models.F("unit"), Upper("name"), name="unitattribute_name"
            ),
        ),
    ]
