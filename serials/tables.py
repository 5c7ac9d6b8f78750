"""Tables of units."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _, gettext_lazy

from oms.models import OFFICE, BinKind, Stock
from oms.tables import BIN_TONES, DocumentColumn
from oms.ui.columns import (
    BadgeColumn,
    ChoiceColumn,
    Column,
    EditNoteColumn,
    Frame,
    MonoColumn,
    MonoLinkColumn,
    NameLinkColumn,
    NoteColumn,
    NumberColumn,
    Tone,
    WhenColumn,
    escape,
)
from oms.ui.controls import CheckColumn, CheckExpandColumn, RowMenuColumn
from oms.ui.tables import Table
from serials.labels import SHEETS, Format, Symbology
from serials.lifecycle import LOOKS, ProcessType, Status
from serials.models import LabelPrint, NumberScheme, SchemeState, Unit
from serials.numbering.check_characters import Check
from serials.queries.units import with_prod_id

STATUS_TONES = {status: Tone(*look) for status, look in LOOKS.items()}


class SerialColumn(MonoLinkColumn):
    """A serial as typed, with its page and a button that copies it."""

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """Link and button on one line."""
        said, html, open_cell = _("Copy %(serial)s"), self.html, self.open_cell

        def cell(unit: Unit) -> str:
            words = escape(said % {"serial": unit.serial})
            return (
                f'{open_cell}<span class="cell-line">{html(unit.serial, unit, frame)}'
                f'<button class="copy" aria-label="{words}"></button></span></td>'
            )

        return cell


class ProdIdColumn(MonoColumn):
    """ProdID: the warehouse's id of the SKU, else ours."""

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """One function from a row to its `<td>`."""
        open_cell = self.open_cell
        return lambda row: f"{open_cell}{escape(_prod_id(row))}</td>"

    def compile_text(self, name: str) -> Callable[[Any], str]:
        """The same for a CSV file."""
        return _prod_id

    def order(self, rows: QuerySet[Unit], is_descending: bool) -> tuple[QuerySet[Unit], bool]:  # noqa: FBT001
        """The rows in the order of what the column shows; django-tables2 calls it."""
        return with_prod_id(rows).order_by("-prod_id" if is_descending else "prod_id"), True


def _prod_id(row: Any) -> str:
    return str(row.sku__product_id_wh or row.sku__product_id)


class SerialTable(Table):
    """The Serials grid, of rows of values (`serials.queries.units.SHOWN`)."""

    indexed = frozenset({"serial", "status", "update"})

    expand = CheckExpandColumn(
        child="serial_history", said=gettext_lazy("Serial history of %(what)s"), named_by="serial"
    )
    sku = MonoLinkColumn(
        label=gettext_lazy("SKU"), accessor="sku__code", order_by="sku__code", route="sku", target="sku_id"
    )
    prod_id = ProdIdColumn(label=gettext_lazy("ProdID"))
    bin = MonoColumn(label=gettext_lazy("BIN"), accessor="bin__name", order_by="bin__name")
    location = Column(label=gettext_lazy("Location"), accessor="bin__location__name", order_by="bin__location__name")
    serial = SerialColumn(label=gettext_lazy("Serial"), route="serial", order_by=("serial_key", "pk"))
    status = BadgeColumn(
        label=gettext_lazy("Status"), order_by=("status", "-updated_at", "-pk"), choices=Status, tones=STATUS_TONES
    )
    wms_notes = NoteColumn(label=gettext_lazy("WMS Notes"))
    oms_notes = EditNoteColumn(
        label=gettext_lazy("OMS Notes"),
        route="serial_notes",
        roles=OFFICE,
        said=gettext_lazy("Edit OMS Notes of %(what)s"),
        named_by="serial",
    )
    process_type = ChoiceColumn(label=gettext_lazy("ProcessType"), choices=ProcessType)
    process_id = DocumentColumn(label=gettext_lazy("ProcessID"))
    order = DocumentColumn(
        label=gettext_lazy("Order#"), accessor="order_no", order_by="order_no", process_type=ProcessType.ORDER
    )
    update = WhenColumn(label=gettext_lazy("Update"), accessor="updated_at", order_by="updated_at")
    menu = RowMenuColumn(said=gettext_lazy("Menu of %(what)s"), named_by="serial")

    class Meta:
        model = Unit
        fields = (
            "expand",
            "sku",
            "prod_id",
            "bin",
            "location",
            "serial",
            "status",
            "wms_notes",
            "oms_notes",
            "process_type",
            "process_id",
            "order",
            "update",
            "menu",
        )
        order_by = "-update"

    def row_css(self, record: Any) -> str:
        """Void units are struck through."""
        return "is-void" if record.is_void else ""


class StockTable(Table):
    """What lies where."""

    select = CheckColumn(named_by="bin__name")
    sku = MonoLinkColumn(
        label=gettext_lazy("SKU"), accessor="sku__code", order_by="sku__code", route="sku", target="sku_id"
    )
    name = NoteColumn(label=gettext_lazy("Name"), accessor="sku__name", order_by="sku__name")
    warehouse = Column(
        label=gettext_lazy("Warehouse"), accessor="bin__link__warehouse__name", order_by="bin__link__warehouse__name"
    )
    location = Column(label=gettext_lazy("Location"), accessor="bin__location__name", order_by="bin__location__name")
    bin = MonoColumn(label=gettext_lazy("BIN"), accessor="bin__name", order_by="bin__name")
    kind = BadgeColumn(
        label=gettext_lazy("Kind"), accessor="bin__kind", order_by="bin__kind", choices=BinKind, tones=BIN_TONES
    )
    lot = MonoColumn(label=gettext_lazy("Lot"), accessor="lot_number", order_by="lot_number")
    expiry = Column(label=gettext_lazy("Expiry"), accessor="expires_on", order_by="expires_on")
    quantity = NumberColumn(label=gettext_lazy("Quantity"))
    update = WhenColumn(label=gettext_lazy("Update"), accessor="updated_at", order_by="updated_at")

    class Meta:
        model = Stock
        fields = (
            "select",
            "sku",
            "name",
            "warehouse",
            "location",
            "bin",
            "kind",
            "lot",
            "expiry",
            "quantity",
            "update",
        )
        order_by = ("sku", "bin", "lot")


class SheetColumn(Column):
    """The name of a sheet."""

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """What people call it; the key of one that is gone."""
        return escape(self.text(value, record))

    def text(self, value: Any, record: Any) -> str:
        """The same for a CSV file."""
        return SHEETS[value].name if value in SHEETS else str(value)


class LabelPrintTable(Table):
    """What labels were printed."""

    at = WhenColumn(label=gettext_lazy("When"), accessor="printed_at", order_by="printed_at")
    person = Column(label=gettext_lazy("Who"), accessor="person__name", order_by="person__name")
    title = Column(label=gettext_lazy("What"))
    sheet = SheetColumn(label=gettext_lazy("Sheet"))
    symbology = ChoiceColumn(label=gettext_lazy("Symbol"), choices=Symbology)
    format = ChoiceColumn(label=gettext_lazy("File"), choices=Format)
    count = NumberColumn(label=gettext_lazy("Labels"))
    reprints = NumberColumn(label=gettext_lazy("Printed before"))

    class Meta:
        model = LabelPrint
        fields = ("at", "person", "title", "sheet", "symbology", "format", "count", "reprints")
        order_by = "-at"


SCHEME_TONES = {
    SchemeState.DEFAULT: Tone("info", "dot"),
    SchemeState.LIVE: Tone("good", "dot"),
    SchemeState.LOW: Tone("warn", "triangle"),
    SchemeState.ARCHIVED: Tone("neutral", "cross"),
}


class NextNumberColumn(MonoColumn):
    """The number that a scheme gives next; none where it is archived or used up."""

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The number."""
        return str(escape(self.text(value, record)))

    def text(self, value: Any, record: Any) -> str:
        """The number, as it would be today."""
        if record.is_archived or not record.left:
            return ""
        return str(record.scheme.number(value, timezone.localdate()))


class SchemeTable(Table):
    """Number schemes, for people who only look."""

    name = Column(label=gettext_lazy("Name"))
    looks = MonoColumn(label=gettext_lazy("Looks"), orderable=False)
    next_number = NextNumberColumn(label=gettext_lazy("Next number"), accessor="next_counter", orderable=False)
    check = ChoiceColumn(label=gettext_lazy("Check character"), accessor="check_kind", choices=Check, orderable=False)
    left = NumberColumn(label=gettext_lazy("Left"), orderable=False)
    skus = NumberColumn(label=gettext_lazy("SKUs"), accessor="sku_count", order_by="sku_count")
    state = BadgeColumn(label=gettext_lazy("State"), orderable=False, choices=SchemeState, tones=SCHEME_TONES)

    class Meta:
        model = NumberScheme
        fields = ("name", "looks", "next_number", "check", "left", "skus", "state")
        order_by = "name"


class SchemeAdminTable(SchemeTable):
    """The same for admins, who open them."""

    name = NameLinkColumn(label=gettext_lazy("Name"), route="scheme")

    class Meta(SchemeTable.Meta):
        pass
