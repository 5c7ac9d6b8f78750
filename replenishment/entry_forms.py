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
_SERIALS = {
    "class": "mono",
    "spellcheck": "false",
    "autocomplete": "off",
    "autocapitalize": "off",
    "data-scan": "lines",
}
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
        widget=forms.Textarea(attrs={**_SERIALS, "rows": 4}),
        help_text=gettext_lazy("Scan, type or paste: one a line."),
    )
    lots = WholeNumberField(required=False, min_value=1, max_value=MOST_LOTS, widget=forms.HiddenInput)

    def __init__(self, *args: Any, line: ReplenishmentLine, check_url: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "prefix": f"line{line.pk}"})
        self.line, self.ordered, self.check_url = line, list(line.lots.all()), check_url
        self.has_units = line.sku.workflow == Workflow.IN_OUT
        self.scanned: dict[str, list[Taken]] = {}
        self.lot_rows = self._lot_rows()
        self.fields["lots"].initial = self.lot_rows
        if self.has_units:
            self.fields["quantity"].help_text = _("Empty: as many as there are serials.")
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

    @property
    def checked(self) -> str:
        """The names of the fields that are sent while somebody types: those of this line, and no other's."""
        return ",".join(f"{self.prefix}-{name}" for name in self.fields if name != "bin")

    def _add_lot(self, place: int) -> None:
        names = {
            "number": _("Lot"),
            "expires": _("Expiry"),
            "quantity": _("Quantity of the lot"),
            "serials": _("Serials of the lot"),
        }
        for name, field in self._lot_fields(place).items():
            words = {"field": names[name], "place": place + 1, "line": self.line.position}
            field.widget.attrs["aria-label"] = _("%(field)s, row %(place)s of line %(line)s") % words
            self.fields[f"lot{place}_{name}"] = field

    def _lot_fields(self, place: int) -> dict[str, forms.Field]:
        """What is entered of one lot."""
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
        fields: dict[str, forms.Field] = {"number": number, "expires": expires, "quantity": quantity}
        if self.has_units:
            fields["serials"] = forms.CharField(
                label=_("Serials of %(lot)s") % {"lot": self._lot_words(place)},
                required=False,
                max_length=2_000_000,
                strip=False,
                widget=forms.Textarea(attrs={**_SERIALS, "class": "input mono", "rows": 2}),
            )
        return fields

    def _lot_words(self, place: int) -> str:
        """What the list of errors calls a lot: its number as it was typed or ordered, else its row."""
        ordered = self.ordered[place].number if place < len(self.ordered) else ""
        number = self.data.get(f"{self.prefix}-lot{place}_number", ordered).strip()
        return _("lot %(number)s") % {"number": number[:40]} if number else _("lot in row %(row)s") % {"row": place + 1}

    def lot_fields(self) -> Iterator[list[forms.BoundField]]:
        """The rows for lots, to be drawn."""
        for place in range(self.lot_rows):
            names = ("number", "expires", "quantity", *(("serials",) if self.has_units else ()))
            yield [self[f"lot{place}_{name}"] for name in names]

    def clean_serials(self) -> list[str]:
        """What was entered, blank lines left out; what each is, `take` says."""
        return self._typed("serials")

    def _typed(self, name: str) -> list[str]:
        """The entries of a field."""
        found = entries(self.cleaned_data[name])
        if len(found) > MOST_TYPED:
            raise forms.ValidationError(_("At most %(most)s serials at a time.") % {"most": f"{MOST_TYPED:,}"})
        return found

    def _clean_lot_serials(self) -> None:
        for name in self.serial_fields[1:]:
            try:
                self.cleaned_data[name] = self._typed(name)
            except forms.ValidationError as error:
                self.add_error(name, error)

    @property
    def serial_fields(self) -> list[str]:
        """The fields for serials that were read: that of the line, then those of its lots."""
        names = ("serials", *(f"lot{place}_serials" for place in range(self.lot_rows)))
        return [name for name in names if name in self.cleaned_data]

    def expected(self, name: str) -> Expected:
        """What the scans of a field are held against: the SKU, and the lot of its row or all that are named here."""
        rows = [self._lot(place) for place in range(self.lot_rows) if name in {"serials", f"lot{place}_serials"}]
        return Expected(self.line.sku, tuple((lot.number, lot.expires_on) for lot in rows if lot.number))

    def take(self, name: str, scanned: Sequence[Taken]) -> None:
        """The serials that the entered texts of a field are. One whose scan says another lot is of that."""
        self.scanned[name] = list(scanned)
        own = {identity.key(number) for number, _expires_on in self.expected(name).lots}
        is_of_row = name != "serials"
        kept = [each for each in scanned if not is_of_row or not each.lot or identity.key(each.lot) in own]
        self.cleaned_data[name] = [each.text for each in kept]

    def clean(self) -> None:
        """The serials of lots are entries, too; quantities are held against all of them by `check_lots`."""
        self._clean_lot_serials()

    def check_lots(self) -> None:
        """Lots need a number, and quantities that fit the line's. No lot that somebody entered is left out unsaid."""
        rows = [self._lot(place) for place in range(self.lot_rows)]
        if self.is_used:
            for place, row in enumerate(rows):
                self._check_lot(place, row)
        for place in self._without_quantity(rows):
            if f"lot{place}_quantity" not in self.errors:
                self.add_error(f"lot{place}_quantity", _("How many are of this lot?"))
        counted = sum(lot.quantity or 0 for lot in self._lots())
        if self.is_used and counted > self.received:
            words = {"lots": counted, "quantity": self.received}
            self.add_error("quantity", _("The lots add up to %(lots)s, but %(quantity)s arrived.") % words)

    def _without_quantity(self, rows: Sequence[IncomingLot]) -> Iterator[int]:
        """The rows of lots of which nobody says how many there are: while pieces are left for them, all; else those
        that somebody entered. A row that stands there as it was ordered says nothing of its own.
        """
        named = [(place, row) for place, row in enumerate(rows) if row.number and row.quantity != 0]
        is_open = len(named) > 1 and max(self._counted(), len(self.lots_scanned)) < self.received
        scanned = {identity.key(number) for number, _expires_on in self.lots_scanned}
        for place, row in named:
            is_entered = bool({f"lot{place}_number", f"lot{place}_expires"} & set(self.changed_data))
            is_counted = identity.key(row.number) in scanned or (self.is_used and len(named) == 1)
            is_left_out = is_entered and not is_counted and self.cleaned_data.get("quantity") != 0
            if row.quantity is None and (is_open or is_left_out):
                yield place

    def _check_lot(self, place: int, row: IncomingLot) -> None:
        if not row.number and (row.expires_on or row.quantity) and f"lot{place}_number" not in self.errors:
            self.add_error(f"lot{place}_number", _("Name the lot."))
        count = len(self._lot_serials(place))
        if count > (row.quantity or 0) and f"lot{place}_quantity" not in self.errors:
            text = _("There are %(count)s serials under this lot.") % {"count": f"{count:,}"}
            self.add_error(f"lot{place}_quantity", text)

    def _counted(self) -> int:
        """How many pieces the lots name."""
        return sum(self._lot(place).quantity or 0 for place in range(self.lot_rows))

    def _lot_serials(self, place: int) -> list[str]:
        return self.cleaned_data.get(f"lot{place}_serials") or []

    @property
    def scans(self) -> list[Taken]:
        """All that was scanned on this line."""
        return [each for own in self.scanned.values() for each in own]

    @property
    def lots_scanned(self) -> list[tuple[str, date | None]]:
        """Lot and expiry of each scan that says a lot."""
        return [(each.lot, each.expires_on) for each in self.scans if each.lot]

    def _lots(self) -> list[IncomingLot]:
        """The lots that are entered or scanned, each with its quantity; one without is the lot of all that is left."""
        rows = [self._lot(place) for place in range(self.lot_rows)]
        named = [lot for lot in rows if lot.number and lot.quantity != 0]
        return with_scanned(named, self.lots_scanned, self.received)

    def _lot(self, place: int) -> IncomingLot:
        """A row for a lot; without a quantity it has as many pieces as serials, if it has any."""
        data = self.cleaned_data
        expires_on: date | None = data.get(f"lot{place}_expires")
        quantity = data.get(f"lot{place}_quantity")
        quantity = len(self._lot_serials(place)) or None if quantity is None else quantity
        return IncomingLot(data.get(f"lot{place}_number") or "", expires_on, None, quantity)

    @property
    def units(self) -> tuple[IncomingUnit, ...]:
        """The serials, each with the lot that its scan says or under which it stands."""
        numbers = {identity.key(lot.number): lot.number for lot in self._lots()}
        units = []
        for name, own in self.scanned.items():
            row = self.cleaned_data.get(name.replace("_serials", "_number")) if name != "serials" else ""
            units += [IncomingUnit(each.text, lot_number=_spelled(each.lot or row or "", numbers)) for each in own]
        return tuple(units)

    @property
    def received(self) -> int:
        """How many pieces arrived: as entered, else as many as there are serials, else as the lots name."""
        quantity: int | None = self.cleaned_data.get("quantity")
        if quantity is not None:
            return quantity
        return len(self.scans) or self._counted()

    @property
    def is_used(self) -> bool:
        """Whether something was entered on this line: lots that stand there as they were ordered say nothing."""
        return bool(self.received or self.scans or self._counted())

    def incoming(self, bins: Mapping[str, str]) -> IncomingLine:
        """The line of a valid form, or as much of it as makes sense."""
        name = (self.cleaned_data.get("bin") or "").strip()
        return IncomingLine(
            position=self.line.position,
            sku_code=self.line.sku.code,
            quantity=self.received,
            units=self.units,
            lots=tuple(self._lots()),
            bin_name=bins.get(name, ""),
        )


def _spelled(lot: str, numbers: Mapping[str, str]) -> str:
    """A lot as the line spells it."""
    return numbers.get(identity.key(lot), lot)


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
    places = {(form.line.pk, name): form for form in entered for name in form.serial_fields}
    texts = [Entry(text, place) for place, form in places.items() for text in form.cleaned_data[place[1]] or ()]
    judge = SerialJudge({place: form.expected(place[1]) for place, form in places.items()})
    inquiry = Inquiry(texts, judge, given, most=MOST_TYPED)
    taken: dict[tuple[int, str], list[Taken]] = {place: [] for place in places}
    for place, each in inquiry.taken:
        taken[place].append(each)
    for place, form in places.items():
        form.take(place[1], taken[place])
        for words in refused_words([refused for where, refused in inquiry.refused if where == place]):
            form.add_error(place[1], words)
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
