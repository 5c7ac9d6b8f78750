"""Order numbers by their beginning; the text index holds what stands behind their first character."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import migrations, models
from django.db.models.functions import Collate, Substr, Upper

from oms.search import Pairs


class Migration(migrations.Migration):
    dependencies = [("serials", "0003_search_index")]

    operations = [
        migrations.RemoveIndex(model_name="unit", name="unit_search"),
        migrations.AddIndex(
            model_name="unit",
            index=models.Index(
                models.F("account"),
                Collate(Upper("order_no"), "C").desc(),
                models.F("updated_at").desc(),
                models.F("id").desc(),
                include=("order_no", "is_void"),
                condition=~models.Q(order_no=""),
                name="unit_by_order",
            ),
        ),
        migrations.AddIndex(
            model_name="unit",
            index=GinIndex(
                models.F("account"),
                OpClass(Upper("serial"), "gin_trgm_ops"),
                OpClass(Upper("wms_notes"), "gin_trgm_ops"),
                OpClass(Upper("oms_notes"), "gin_trgm_ops"),
                OpClass(Upper("process_id"), "gin_trgm_ops"),
                OpClass(Substr(Upper("order_no"), 2), "gin_trgm_ops"),
                OpClass(Pairs(Upper("serial")), "array_ops"),
                name="unit_search",
            ),
        ),
    ]
