"""What lies where."""

from collections import defaultdict
from collections.abc import Collection

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from oms.errors import Blocker
from oms.models import Stock


def stock_rows() -> QuerySet[Stock]:
    """Every place that holds something, with what the Stock page shows of it; read through the search view."""
    return (
        Stock.objects.through_view()
        .filter(quantity__gt=0)
        .select_related("sku", "bin__location", "bin__link__warehouse")
    )


def system_of(link_id: int) -> str:
    """The name of the system that runs a warehouse for the account; empty where it is run in Lotline."""
    systems: dict[int, str] = import_string(settings.WAREHOUSE_SYSTEMS)([link_id])
    return systems.get(link_id, "")


def workflow_blockers(sku_ids: Collection[int]) -> dict[int, list[Blocker]]:
    """SKU id → stock that stands in the way of another Serial attribute, one blocker per place."""
    found: dict[int, list[Blocker]] = defaultdict(list)
    for row in stock_rows().filter(sku__in=sku_ids).order_by("sku_id", "bin__name", "id"):
        found[row.sku_id].append(
            Blocker(
                text=_("%(quantity)s in bin %(bin)s (%(location)s, %(warehouse)s)")
                % {
                    "quantity": row.quantity,
                    "bin": row.bin.name,
                    "location": row.bin.location.name,
                    "warehouse": row.bin.link,
                },
                how=_("Ship it, or have the warehouse count it to 0."),
                link_label=_("Show the stock"),
                route="stock",
                query={"sku": row.sku.code},
            )
        )
    return dict(found)
