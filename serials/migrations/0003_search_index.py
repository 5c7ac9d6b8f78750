"""One GIN index for all text of a unit, pairs of characters included, instead of the serial's; a sort by serial."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import migrations, models
from django.db.models.functions import Upper

from oms.search import Pairs

# Pairs that begin at odd characters, then those that begin at even ones; what is left over at an end has no pair.
PAIRS_FUNCTION = """
CREATE FUNCTION lotline_pairs(text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN string_to_array(
    regexp_replace($1, '(..)', E'\\\\1\\x01', 'g') || E'\\x01'
        || regexp_replace(substr($1, 2), '(..)', E'\\\\1\\x01', 'g'),
    E'\\x01'
)
"""


class Migration(migrations.Migration):
    dependencies = [("oms", "0003_membership_joined_at"), ("serials", "0002_found_lists")]

    operations = [
        migrations.RunSQL(PAIRS_FUNCTION, "DROP FUNCTION lotline_pairs(text)"),
        migrations.RemoveIndex(model_name="unit", name="unit_serial_search"),
        migrations.AddIndex(
            model_name="unit", index=models.Index(fields=["account", "serial_key", "id"], name="unit_by_serial")
        ),
        migrations.AddIndex(
            model_name="unit",
            index=GinIndex(
                models.F("account"),
                OpClass(Upper("serial"), "gin_trgm_ops"),
                OpClass(Upper("wms_notes"), "gin_trgm_ops"),
                OpClass(Upper("oms_notes"), "gin_trgm_ops"),
                OpClass(Upper("process_id"), "gin_trgm_ops"),
                OpClass(Upper("order_no"), "gin_trgm_ops"),
                OpClass(Pairs(Upper("serial")), "array_ops"),
                name="unit_search",
            ),
        ),
    ]
