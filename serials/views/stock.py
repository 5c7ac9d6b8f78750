"""The stock page."""

from django.utils.translation import gettext_lazy, ngettext

from oms.models import EVERYONE
from oms.ui.actions import BulkAction
from oms.ui.views import Empty, TableView
from serials.filters import StockFilter
from serials.queries import stock as queries
from serials.tables import StockTable


class StockList(TableView):
    """Inventory → Stock."""

    has_layouts = True
    queryset = staticmethod(queries.places)
    table_class = StockTable
    filterset_class = StockFilter
    title, section, icon = gettext_lazy("Stock"), gettext_lazy("Inventory"), "layers"
    noun = staticmethod(lambda count: ngettext("place", "places", count))
    empty = Empty(
        "layers",
        gettext_lazy("Nothing in stock"),
        gettext_lazy("What the warehouse receives appears here, by SKU, bin and lot."),
    )
    bulk_actions = (
        BulkAction("labels", gettext_lazy("Bin labels"), "printer", "stock_labels", EVERYONE, is_dialog=True),
    )


stock_list = StockList.page(EVERYONE)
