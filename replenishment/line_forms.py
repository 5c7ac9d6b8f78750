"""The rows that people fill in: SKUs and quantities, and the lots of one line."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from django import forms
from django.utils.translation import gettext as _, gettext_lazy, ngettext

from oms import identity
from oms.formsets import KeptRows
from oms.models import Sku
from oms.models.keys import validate_identity
from oms.numbers import AmountField, WholeNumberField, whole_number
from oms.queries.catalogue import skus_named
from replenishment.asked_days import AsksDays
from replenishment.forms import CODE, DAY, LONGEST_LINE, no_sku
from replenishment.models import MOST_LOTS, MOST_UNITS, ReplenishmentLine, ReplenishmentLot
from replenishment.queries import decimals
from replenishment.services.drafts import LotInput

BLANK_ROWS = 4
MOST_ROWS = 1_000
_NUMBER = {"class": "input num", "inputmode": "numeric", "autocomplete": "off", "size": "8"}
_QUANTITY_ERRORS = {
    "required": gettext_lazy("How many?"),
    "invalid": gettext_lazy("Use a whole number, digits only."),
    "min_value": gettext_lazy("Use at least 1."),
    "max_value": gettext_lazy("Use 1,000,000 at most; split larger ones into lines."),
}


def _quantity_field(label: Any, *, required: bool = True) -> WholeNumberField:
    return WholeNumberField(
        label=label,
        min_value=1,
        max_value=MOST_UNITS,
        required=required,
        widget=forms.TextInput(attrs=_NUMBER),
        error_messages=_QUANTITY_ERRORS,
    )


def _lot_field(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs=CODE),
        validators=[validate_identity],
    )


def _expiry_field() -> forms.DateField:
    return forms.DateField(
        label=gettext_lazy("Expiry"),
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs=DAY),
        error_messages={"invalid": gettext_lazy("Use the form yyyy-mm-dd.")},
    )


class LineForm(AsksDays):
    """One SKU with its quantity and, where all of it is one lot, that lot; several have a page of their own."""

    line_id = WholeNumberField(widget=forms.HiddenInput, required=False)
    sku = forms.CharField(
        label=gettext_lazy("SKU"),
        max_length=LONGEST_LINE,
        widget=forms.TextInput(attrs={**CODE, "data-scan": "one"}),
        error_messages={"required": gettext_lazy("Which SKU?")},
    )
    quantity = _quantity_field(gettext_lazy("Quantity"))
    unit_cost = AmountField(
        label=gettext_lazy("Unit cost"),
        required=False,
        min_value=0,
        max_digits=12,
        decimal_places=4,
        widget=forms.TextInput(attrs=_NUMBER | {"inputmode": "decimal"}),
        error_messages={"invalid": gettext_lazy("Use digits with a point, such as 12.50.")},
    )
    lot_number = _lot_field(gettext_lazy("Lot"))
    lot_expires_on = _expiry_field()

    def __init__(
        self,
        *args: Any,
        suggest_url: str = "",
        place: int = 0,
        kept_lots: Mapping[int, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for name in ("sku", "quantity", "unit_cost", "lot_number", "lot_expires_on"):
            words = {"field": self.fields[name].label, "place": place}
            self.fields[name].widget.attrs["aria-label"] = _("%(field)s of line %(place)s") % words
        line_id = whole_number(str(self["line_id"].value() or ""))
        self.kept_lots = (kept_lots or {}).get(line_id, "") if line_id is not None else ""
        if self.kept_lots:
            del self.fields["lot_number"], self.fields["lot_expires_on"]
        widget = self.fields["sku"].widget
        if self.initial.get("line_id"):
            widget.attrs["readonly"] = True
        elif suggest_url:
            widget.attrs |= {
                "list": "sku-options",
                "hx-get": suggest_url,
                "hx-trigger": "input changed delay:250ms",
                "hx-target": "#sku-options",
                "hx-sync": "this:replace",
            }

    def clean_lot_expires_on(self) -> Any:
        """An expiry date belongs to a lot."""
        value = self.cleaned_data["lot_expires_on"]
        if value and not self.cleaned_data.get("lot_number"):
            raise forms.ValidationError(_("Name the lot that expires then."))
        return value

    def clean(self) -> None:
        """An expiry that is hardly meant is asked about."""
        self.ask("lot_expires_on", self.cleaned_data.get("lot_number", ""))

    def values(self) -> dict[str, Any]:
        """Quantity, cost and lots of a valid row as the drafts' service takes them."""
        data = self.cleaned_data
        lots: tuple[LotInput, ...] | None = None
        if not self.kept_lots:
            number = data["lot_number"]
            lots = (LotInput(number, expires_on=data["lot_expires_on"]),) if number else ()
        return {"quantity": data["quantity"], "unit_cost": data["unit_cost"], "lots": lots}


class BaseLines(KeptRows):
    """The rows of SKUs and quantities; blank ones are left out."""

    named_by = "line_id"
    suggest_url = ""
    kept_lots: Mapping[int, str] = MappingProxyType({})
    """Line id → words, for lines whose lots are more than one lot of the whole line: those stay as they are."""

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        """The place of the row, for its labels."""
        own = {"place": (index or 0) + 1, "suggest_url": self.suggest_url, "kept_lots": self.kept_lots}
        return {**super().get_form_kwargs(index), **own}

    def clean(self) -> None:
        """Find every SKU at once, by its code or a barcode; an unknown one is an error at its field."""
        super().clean()
        rows = [form for form in self.used() if form.cleaned_data.get("sku")]
        known = skus_named([form.cleaned_data["sku"] for form in rows])
        self.skus = {name: sku for name, sku in known.items() if sku}
        for form in rows:
            name = form.cleaned_data["sku"]
            if name not in self.skus:
                form.add_error("sku", no_sku(name, known) % {"text": name[:80]})

    def used(self) -> Iterator[LineForm]:
        """The rows that somebody filled and did not remove."""
        for form in self.forms:
            is_removed = form.cleaned_data.get("DELETE") if hasattr(form, "cleaned_data") else False
            if hasattr(form, "cleaned_data") and form.has_changed() | bool(form.initial) and not is_removed:
                yield form

    def values(self) -> Iterator[tuple[int | None, Sku, dict[str, Any]]]:
        """(line, SKU, the other fields) of each used row of a valid set."""
        for form in self.used():
            data = form.cleaned_data
            yield data["line_id"], self.skus[data["sku"]], form.values()


def lines_formset(
    data: Any, *, prefix: str, initial: list[dict[str, Any]], suggest_url: str, is_current: bool
) -> BaseLines:
    """The rows, BLANK_ROWS of them blank; each SKU field asks `suggest_url` for suggestions."""
    made: Any = forms.formset_factory(
        LineForm, formset=BaseLines, extra=BLANK_ROWS, max_num=MOST_ROWS, absolute_max=MOST_ROWS, can_delete=True
    )
    rows: BaseLines = made(data, prefix=prefix, initial=initial)
    rows.there, rows.is_current, rows.suggest_url = initial, is_current, suggest_url
    return rows


def line_initial(line: ReplenishmentLine, lots: Sequence[ReplenishmentLot]) -> dict[str, Any]:
    """A line as the first values of its row."""
    lot = lots[0] if lots else None
    return {
        "line_id": line.pk,
        "sku": line.sku.code,
        "quantity": line.quantity,
        "unit_cost": "" if line.unit_cost is None else f"{line.unit_cost:.{decimals(line.unit_cost)}f}",
        "lot_number": lot.number if lot else "",
        "lot_expires_on": lot.expires_on if lot else None,
    }


def said_of_lots(line: ReplenishmentLine, lots: Sequence[ReplenishmentLot]) -> str:
    """The lots of a line in a word or two, where they are more than one lot of the whole line; else empty."""
    if len(lots) == 0 or (len(lots) == 1 and lots[0].quantity == line.quantity):
        return ""
    return ngettext("%(count)s lot", "%(count)s lots", len(lots)) % {"count": len(lots)}


class LotForm(AsksDays):
    """One lot of a line."""

    lot = _lot_field(gettext_lazy("Lot"))
    expires_on = _expiry_field()
    quantity = _quantity_field(gettext_lazy("Quantity"), required=False)

    def __init__(self, *args: Any, place: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            words = {"field": field.label, "place": place}
            field.widget.attrs["aria-label"] = _("%(field)s of lot %(place)s") % words

    def clean(self) -> dict[str, Any]:
        """A date or a quantity is of a lot."""
        data: dict[str, Any] = self.cleaned_data
        if not data.get("lot") and "lot" not in self.errors and (data.get("expires_on") or data.get("quantity")):
            self.add_error("lot", _("Name the lot that this is about."))
        self.ask("expires_on", data.get("lot") or "")
        return data


class BaseLots(KeptRows):
    """The lots of one line; blank rows are left out."""

    named_by = "lot"
    units = 0

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        """The place of the row, for its labels."""
        return {**super().get_form_kwargs(index), "place": (index or 0) + 1}

    def clean(self) -> None:
        """A lot is named once; a quantity is left out only of the last one, which is then the rest of the line."""
        super().clean()
        seen = set[str]()
        rows = [form for form in self.forms if form.cleaned_data.get("lot") and not form.cleaned_data.get("DELETE")]
        rest = self.units - sum(form.cleaned_data.get("quantity") or 0 for form in rows)
        open_rows = [form for form in rows if not form.cleaned_data.get("quantity") and "quantity" not in form.errors]
        for form in rows:
            number = identity.key(form.cleaned_data["lot"])
            if number in seen:
                form.add_error("lot", _("This lot is named twice."))
            seen.add(number)
        for form in open_rows:
            if len(open_rows) > 1:
                form.add_error("quantity", _("How many? It may be left out for one lot only."))
            elif rest < 1:
                form.add_error("quantity", _("How many? The other lots have all units of the line."))
            else:
                form.cleaned_data["quantity"] = rest

    def values(self) -> list[LotInput]:
        """The lots of a valid set."""
        data = [form.cleaned_data for form in self.forms if not form.cleaned_data.get("DELETE")]
        return [LotInput(row["lot"], row["quantity"], row["expires_on"]) for row in data if row.get("lot")]


def lots_formset(
    data: Any, *, prefix: str, units: int, initial: list[dict[str, Any]], is_current: bool = True
) -> BaseLots:
    """The rows of a line's lots, BLANK_ROWS of them blank."""
    most = max(MOST_LOTS, len(initial))  # a line that has too many can be mended
    made: Any = forms.formset_factory(
        LotForm,
        formset=BaseLots,
        extra=BLANK_ROWS,
        max_num=most,
        absolute_max=most,
        can_delete=True,
        can_delete_extra=False,
    )
    # What was sent stands for itself: a row that says what is there by now is not one that nobody filled in.
    rows: BaseLots = made(data, prefix=prefix, initial=None if data else initial)
    rows.there, rows.is_current, rows.units = initial, is_current, units
    return rows
