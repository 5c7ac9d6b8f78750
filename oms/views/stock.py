"""The stock page."""

from django.utils.translation import gettext_lazy, ngettext

from oms.filters import StockFilter
from oms.models import EVERYONE
from oms.queries import stock as queries
from oms.tables import StockTable
from oms.ui.actions import BulkAction
from oms.ui.views import Empty, TableView


class StockList(TableView):
    """Inventory → Stock."""

    has_layouts = True
    queryset = staticmethod(queries.stock_rows)
    table_class = StockTable
    filterset_class = StockFilter
    title, section, icon = gettext_lazy("Stock"), gettext_lazy("Inventory"), "layers"
    noun = staticmethod(lambda count: ngettext("place", "places", count))
    empty = Empty(
        "layers",
        gettext_lazy("Nothing in stock"),
        gettext_lazy("What the warehouse receives appears here, by SKU and bin."),
    )
    bulk_actions = (
        BulkAction("labels", gettext_lazy("Bin labels"), "printer", "stock_labels", EVERYONE, is_dialog=True),
    )


stock_list = StockList.page(EVERYONE)
