"""What lies where, with the lot of it."""

from django.db.models import OuterRef, QuerySet, Subquery

from oms.models import Stock
from oms.queries.stock import stock_rows
from serials.models import Lot


def places() -> QuerySet[Stock]:
    """Every place that holds something, with `lot_number` and `expires_on` of its lot; empty where there is none."""
    lot = Lot.objects.filter(pk=OuterRef("lot_key"))
    return stock_rows().annotate(
        lot_number=Subquery(lot.values("number")), expires_on=Subquery(lot.values("expires_on"))
    )
