"""The Serials grid."""

from django.utils.translation import gettext_lazy, ngettext

from oms.models import EVERYONE, OFFICE
from oms.ui.actions import BulkAction
from oms.ui.views import Empty, PageAction, RowAction, TableView
from serials.filters import SerialFilter
from serials.queries import units as queries
from serials.tables import SerialTable


class SerialList(TableView):
    """Inventory → Serials."""

    queryset, shown = staticmethod(queries.unit_rows), queries.SHOWN
    table_class = SerialTable
    filterset_class = SerialFilter
    title, section, icon = gettext_lazy("Serials"), gettext_lazy("Inventory"), "barcode"
    noun = staticmethod(lambda count: ngettext("unit", "units", count))
    empty = Empty(
        "barcode",
        gettext_lazy("No serials yet"),
        gettext_lazy(
            "Each unit with a serial number is a row: planned on a replenishment, received, or captured when it ships."
        ),
    )
    has_layouts = True
    secondary = (PageAction(gettext_lazy("Find many"), "scan", "serials_find", EVERYONE),)
    row_menu = (
        RowAction(gettext_lazy("Attributes"), "tag", "serial_attributes", EVERYONE, is_dialog=True),
        RowAction(gettext_lazy("OMS Notes"), "pencil", "serial_notes", OFFICE, is_dialog=True),
        RowAction(gettext_lazy("Label"), "printer", "serial_label", EVERYONE, is_dialog=True),
        RowAction(gettext_lazy("Open"), "barcode", "serial", EVERYONE),
    )
    bulk_actions = (
        BulkAction("history", gettext_lazy("Download Serial History"), "download", "serials_history", EVERYONE),
        BulkAction("add", gettext_lazy("Add Attributes"), "tag", "serials_attributes", OFFICE, is_dialog=True),
        BulkAction(
            "csv",
            gettext_lazy("Add Attributes By CSV"),
            "upload",
            "serials_attributes_csv",
            OFFICE,
            is_dialog=True,
            needs_rows=False,
        ),
        BulkAction("labels", gettext_lazy("Labels"), "printer", "serials_labels", EVERYONE, is_dialog=True),
    )


serial_list = SerialList.page(EVERYONE)
