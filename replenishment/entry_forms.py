"""What a member of the warehouse enters of a delivery, line by line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext as _, gettext_lazy

from oms import identity
from oms.models import Bin, Workflow
from oms.models.keys import validate_identity
from oms.numbers import WholeNumberField, whole_number
from oms.queries.keys import rows_by_text
from oms.queries.scans import Expected, SerialJudge
from oms.scanning import Entry, Given, Inquiry, Taken, entries, refused_words
from replenishment.models import MOST_LOTS, MOST_UNITS, ReplenishmentLine
from replenishment.receiving import IncomingLine, IncomingLot, IncomingUnit, with_scanned

MOST_TYPED = 10_000
LOT_ROWS = 1
_CODE = {"class": "input mono", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "characters"}
_NUMBER = {"class": "input num", "inputmode": "numeric", "autocomplete": "off", "size": "8"}
_COUNT_ERRORS = {
    "invalid": gettext_lazy("Use a whole number, digits only."),
    "min_value": gettext_lazy("A quantity is not negative."),
    "max_value": gettext_lazy("Use 1,000,000 at most."),
}


class EntryForm(forms.Form):
    """One line of a delivery. `lots` says how many rows for lots it has."""

    quantity = WholeNumberField(
        label=gettext_lazy("Quantity"),
        required=False,
        min_value=0,
        max_value=MOST_UNITS,
        widget=forms.TextInput(attrs=_NUMBER),
        error_messages=_COUNT_ERRORS,
    )
    bin = forms.CharField(
        label=gettext_lazy("BIN"),
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={**_CODE, "list": "bins"}),
    )
    serials = forms.CharField(
        label=gettext_lazy("Serials"),
        required=False,
        max_length=2_000_000,
        strip=False,
        widget=forms.Textarea(
            attrs={
                "class": "mono",
                "rows": 4,
                "spellcheck": "false",
                "autocomplete": "off",
                "autocapitalize": "off",
                "data-scan": "lines",
            }
        ),
        help_text=gettext_lazy("Scan, type or paste: one a line."),
    )
    lots = WholeNumberField(required=False, min_value=1, max_value=MOST_LOTS, widget=forms.HiddenInput)

    def __init__(self, *args: Any, line: ReplenishmentLine, check_url: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "prefix": f"line{line.pk}"})
        self.line, self.ordered = line, list(line.lots.all())
        self.has_units = line.sku.workflow == Workflow.IN_OUT
        self.scanned: list[Taken] = []
        self.lot_rows = self._lot_rows()
        self.fields["lots"].initial = self.lot_rows
        if self.has_units:
            self.fields["quantity"].help_text = _("Empty: as many as there are serials.")
            if check_url:
                self._check_while_typing(check_url)
        else:
            del self.fields["serials"]
        self.fields["bin"].help_text = _("Empty: the warehouse's first pick bin.")
        for place in range(self.lot_rows):
            self._add_lot(place)

    def _lot_rows(self) -> int:
        asked = whole_number(self.data.get(f"{self.prefix}-lots"), most_digits=9)
        # A row that came is a row, whatever was counted: a lot that was typed is not left out.
        sent = [int(each[1]) + 1 for key in self.data if (each := re.fullmatch(self._lot_key, key)) and self.data[key]]
        least = max(LOT_ROWS, len(self.ordered), *sent)
        return min(max(least, asked or 0), MOST_LOTS)

    @property
    def _lot_key(self) -> str:
        return rf"{re.escape(str(self.prefix))}-lot([0-9]{{1,3}})_[a-z]+"

    def _check_while_typing(self, url: str) -> None:
        self.fields["serials"].widget.attrs |= {
            "hx-post": url,
            "hx-trigger": "input changed delay:400ms",
            "hx-target": f"#check-{self.line.pk}",
            "hx-params": f"{self.prefix}-serials,{self.prefix}-quantity",
            "hx-sync": "this:replace",
        }

    def _add_lot(self, place: int) -> None:
        ordered = self.ordered[place] if place < len(self.ordered) else None
        number = forms.CharField(
            label=_("Lot in row %(place)s") % {"place": place + 1},
            required=False,
            max_length=100,
            initial=ordered.number if ordered else "",
            widget=forms.TextInput(attrs={**_CODE}),
            validators=[validate_identity],
        )
        expires = forms.DateField(
            label=_("Expiry of %(lot)s") % {"lot": self._lot_words(place)},
            required=False,
            initial=ordered.expires_on if ordered else None,
            input_formats=["%Y-%m-%d"],
            widget=forms.DateInput(
                attrs={"class": "input", "placeholder": _("yyyy-mm-dd"), "autocomplete": "off", "size": "10"}
            ),
            error_messages={"invalid": _("Use the form yyyy-mm-dd.")},
        )
        quantity = WholeNumberField(
            label=_("Quantity of %(lot)s") % {"lot": self._lot_words(place)},
            required=False,
            min_value=0,
            max_value=MOST_UNITS,
            widget=forms.TextInput(attrs={**_NUMBER}),
            error_messages=_COUNT_ERRORS,
        )
        names = {"number": _("Lot"), "expires": _("Expiry"), "quantity": _("Quantity of the lot")}
        for name, field in (("number", number), ("expires", expires), ("quantity", quantity)):
            words = {"field": names[name], "place": place + 1, "line": self.line.position}
            field.widget.attrs["aria-label"] = _("%(field)s, row %(place)s of line %(line)s") % words
            self.fields[f"lot{place}_{name}"] = field

    def _lot_words(self, place: int) -> str:
        """What the list of errors calls a lot: its number as it was typed or ordered, else its row."""
        ordered = self.ordered[place].number if place < len(self.ordered) else ""
        number = self.data.get(f"{self.prefix}-lot{place}_number", ordered).strip()
        return _("lot %(number)s") % {"number": number[:40]} if number else _("lot in row %(row)s") % {"row": place + 1}

    def lot_fields(self) -> Iterator[list[forms.BoundField]]:
        """The rows for lots, to be drawn."""
        for place in range(self.lot_rows):
            yield [self[f"lot{place}_{name}"] for name in ("number", "expires", "quantity")]

    def clean_serials(self) -> list[str]:
        """What was entered, blank lines left out; what each is, `take` says."""
        found = entries(self.cleaned_data["serials"])
        if len(found) > MOST_TYPED:
            raise forms.ValidationError(_("At most %(most)s serials at a time.") % {"most": f"{MOST_TYPED:,}"})
        return found

    @property
    def expected(self) -> Expected:
        """What scans are held against: the SKU of the line, and the lots that are named here."""
        rows = [self._lot(place) for place in range(self.lot_rows)]
        return Expected(self.line.sku, tuple((lot.number, lot.expires_on) for lot in rows if lot.number))

    def take(self, scanned: Sequence[Taken]) -> None:
        """The serials that the entered texts are."""
        self.scanned = list(scanned)
        self.cleaned_data["serials"] = [each.text for each in scanned]

    def check_lots(self) -> None:
        """Lots need a number, and quantities that fit the line's. Of a line that is not used nothing is asked."""
        if not self.is_used:
            return
        rows = [self._lot(place) for place in range(self.lot_rows)]
        for place, row in enumerate(rows):
            if not row.number and (row.expires_on or row.quantity) and f"lot{place}_number" not in self.errors:
                self.add_error(f"lot{place}_number", _("Name the lot."))
        named = [(place, row) for place, row in enumerate(rows) if row.number and row.quantity != 0]
        counted = sum(lot.quantity or 0 for lot in self._lots())
        if len(named) > 1 and self._counted() < self.received and not self.has_lots_scanned:
            for place, row in named:
                if row.quantity is None and f"lot{place}_quantity" not in self.errors:
                    self.add_error(f"lot{place}_quantity", _("How many are of this lot?"))
        if counted > self.received:
            words = {"lots": counted, "quantity": self.received}
            self.add_error("quantity", _("The lots add up to %(lots)s, but %(quantity)s arrived.") % words)

    def _counted(self) -> int:
        """How many pieces the lots name."""
        return sum(self.cleaned_data.get(f"lot{place}_quantity") or 0 for place in range(self.lot_rows))

    @property
    def has_lots_scanned(self) -> bool:
        """Whether every scan says its lot."""
        return bool(self.scanned) and all(each.lot for each in self.scanned)

    def _lots(self) -> list[IncomingLot]:
        """The lots that are entered or scanned, each with its quantity; one without is the lot of all that is left."""
        rows = [self._lot(place) for place in range(self.lot_rows)]
        named = [lot for lot in rows if lot.number and lot.quantity != 0]
        return with_scanned(named, [(each.lot, each.expires_on) for each in self.scanned if each.lot], self.received)

    def _lot(self, place: int) -> IncomingLot:
        data = self.cleaned_data
        expires_on: date | None = data.get(f"lot{place}_expires")
        return IncomingLot(data.get(f"lot{place}_number") or "", expires_on, None, data.get(f"lot{place}_quantity"))

    @property
    def received(self) -> int:
        """How many pieces arrived: as entered, else as many as there are serials, else as the lots name."""
        quantity: int | None = self.cleaned_data.get("quantity")
        if quantity is not None:
            return quantity
        return len(self.cleaned_data.get("serials") or ()) or self._counted()

    @property
    def is_used(self) -> bool:
        """Whether something was entered on this line: lots that stand there as they were ordered say nothing."""
        return bool(self.received or self.cleaned_data.get("serials") or self._counted())

    def incoming(self, bins: Mapping[str, str]) -> IncomingLine:
        """The line of a valid form; one lot without a quantity is the lot of all of it, beside others it is none."""
        lots = self._lots()
        numbers = {identity.key(lot.number): lot.number for lot in lots}
        name = self.cleaned_data["bin"].strip()
        return IncomingLine(
            position=self.line.position,
            sku_code=self.line.sku.code,
            quantity=self.received,
            units=tuple(
                IncomingUnit(each.text, lot_number=numbers.get(identity.key(each.lot), "")) for each in self.scanned
            ),
            lots=tuple(lots),
            bin_name=bins.get(name, ""),
        )


class Entries:
    """The lines of one page of the form, what is asked about their serials, and the bins that they name."""

    def __init__(self, forms_of_lines: Sequence[EntryForm], link_id: int, given: Given | None = None) -> None:
        self.forms, self.link_id, self.given = forms_of_lines, link_id, given or Given()
        self.bins: dict[str, str] = {}
        self.inquiry: Inquiry | None = None

    def is_valid(self) -> bool:
        """Whether every line makes sense, nothing is left to be asked, and bins are of this warehouse; few queries."""
        are_valid = [form.is_valid() for form in self.forms]
        self.inquiry = ask(self.forms, self.given)
        for form in self.forms:
            if not self.inquiry.is_open:
                form.check_lots()
        named = {(form.cleaned_data.get("bin") or "").strip() for form in self.forms} - {""}
        self.bins = known_bins(self.link_id, named)
        for form in self.forms:
            name = (form.cleaned_data.get("bin") or "").strip()
            if name and name not in self.bins:
                form.add_error("bin", _("There is no bin %(bin)s in this warehouse.") % {"bin": name})
        return all(are_valid) and not self.inquiry.is_open and not any(form.errors for form in self.forms)

    def lines(self) -> list[IncomingLine]:
        """What was entered, of a valid page."""
        return [form.incoming(self.bins) for form in self.forms if form.is_used]


def ask(entered: Sequence[EntryForm], given: Given) -> Inquiry:
    """What the serials of these lines are, and what has to be asked about them; each form takes its own."""
    places = {form.line.pk: form for form in entered}
    texts = [Entry(text, form.line.pk) for form in entered for text in form.cleaned_data.get("serials") or ()]
    judge = SerialJudge({pk: form.expected for pk, form in places.items()})
    inquiry = Inquiry(texts, judge, given, most=MOST_TYPED)
    taken: dict[int, list[Taken]] = {pk: [] for pk in places}
    for pk, each in inquiry.taken:
        taken[pk].append(each)
    for pk, form in places.items():
        form.take(taken[pk])
        for words in refused_words([refused for place, refused in inquiry.refused if place == pk]):
            form.add_error("serials", words)
    return inquiry


class AllForm(forms.Form):
    """Where everything that was expected lies now."""

    bin = forms.CharField(
        label=gettext_lazy("BIN"),
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={**_CODE, "list": "bins"}),
        help_text=gettext_lazy("Empty: the warehouse's first pick bin."),
    )
    key = forms.CharField(widget=forms.HiddenInput, max_length=40)

    def __init__(self, *args: Any, link_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.link_id = link_id

    def clean_bin(self) -> str:
        """The bin's name as it is written in this warehouse."""
        name = self.cleaned_data["bin"].strip()
        known = known_bins(self.link_id, {name} - {""})
        if name and name not in known:
            raise forms.ValidationError(_("There is no bin %(bin)s in this warehouse.") % {"bin": name})
        return known.get(name, "")


def known_bins(link_id: int, names: set[str]) -> dict[str, str]:
    """Name as it was typed → the name of a bin of this warehouse: just that one, or one in another spelling."""
    found = rows_by_text(Bin.objects.filter(link=link_id), names, field="name")
    return {typed: row.name for typed, row in found.items()}
