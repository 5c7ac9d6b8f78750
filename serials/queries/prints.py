"""Reads about labels: how they are printed in this account, and what was printed before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _, ngettext

from oms import files
from oms.errors import DomainError
from oms.models import Bin
from serials.labels import SHEETS, Format, Label, LabelRun, Plan, Symbology
from serials.models import LabelPrint, LabelSetting, LabelShift, PrintedLabel


@dataclass(frozen=True)
class Choice:
    """What a person chose, or the account's usual; JSON-ready by `params`."""

    sheet: str
    symbology: Symbology
    start: int = 1
    format: Format = Format.PDF

    @property
    def params(self) -> dict[str, Any]:
        """For a job."""
        return {"sheet": self.sheet, "symbology": self.symbology, "start": self.start, "format": self.format}


def usual_choice(run: LabelRun | None = None) -> Choice:
    """What the account prints unless a person says otherwise; a symbol that the labels can have."""
    found = label_setting()
    symbology = Symbology(found.symbology)
    if run and symbology not in run.symbologies:
        symbology = run.symbologies[0]
    return Choice(found.sheet if found.sheet in SHEETS else "4x6", symbology)


def choice_of(params: Mapping[str, Any]) -> Choice:
    """The choice that a job was started with; what it does not say is as it was before one could choose."""
    return Choice(
        params.get("sheet", "4x6"),
        Symbology(params.get("symbology", Symbology.CODE_128)),
        params.get("start", 1),
        Format(params.get("format", Format.PDF)),
    )


def label_setting() -> LabelSetting:
    """The account's row, or one that is not saved."""
    found: LabelSetting | None = LabelSetting.objects.select_related("logo").first()
    return found or LabelSetting()


def shifts() -> dict[str, LabelShift]:
    """Sheet → how far its labels are moved."""
    return {shift.sheet: shift for shift in LabelShift.objects.all()}


def plan_of(choice: Choice, *, is_reprint: bool = False) -> Plan:
    """A choice with what the account has set."""
    found, shift = label_setting(), LabelShift.objects.filter(sheet=choice.sheet).first()
    logo = b""
    if found.logo and SHEETS[choice.sheet].logo_width:
        with files.open_file(found.logo) as file:
            logo = file.read()
    return Plan(
        sheet=choice.sheet,
        symbology=choice.symbology,
        start=choice.start,
        shift_x=float(shift.right) if shift else 0.0,
        shift_y=float(shift.down) if shift else 0.0,
        resolver=found.resolver,
        logo=logo,
        is_reprint=is_reprint,
    )


@dataclass(frozen=True)
class Before:
    """How many labels of a run were printed before, and when last."""

    count: int
    total: int
    last: LabelPrint | None

    @property
    def words(self) -> str:
        """A sentence for the person who is about to print; empty where nothing was printed before."""
        if not self.last:
            return ""
        if self.total == 1:
            said = _("This label was printed before, last by %(who)s on %(day)s.")
        else:
            said = ngettext(
                "%(count)s of these %(total)s was printed before, last by %(who)s on %(day)s.",
                "%(count)s of these %(total)s were printed before, last by %(who)s on %(day)s.",
                self.count,
            )
        return said % {"count": f"{self.count:,}", "total": f"{self.total:,}", **said_last(self.last)}


def said_last(last: LabelPrint) -> dict[str, str]:
    """Who printed, and the day in the account's time zone."""
    who = last.person.name if last.person else _("the system")
    return {"who": who, "day": timezone.localtime(last.printed_at).date().isoformat()}


def printed_before(run: LabelRun) -> Before:
    """What the ledger knows of the labels of a run; three queries, however many there are."""
    if run.items is None:
        return Before(0, run.count, None)
    rows = run.items.order_by()
    count = rows.filter(Exists(PrintedLabel.objects.filter(_same(run.items)))).count()
    if not count:
        return Before(0, run.count, None)
    last = PrintedLabel.objects.filter(Exists(rows.filter(_same_back(run.items)))).aggregate(last=Max("of_print"))
    return Before(count, run.count, LabelPrint.objects.select_related("person").get(pk=last["last"]))


def _same(items: QuerySet[Any]) -> Q:
    """A row of the ledger is of the outer item."""
    if items.model is Bin:
        return Q(bin_id=OuterRef("pk"))
    return Q(sku_id=OuterRef("sku_id"), serial_key=OuterRef("serial_key"), bin_id=0)


def _same_back(items: QuerySet[Any]) -> Q:
    """An item is that of the outer row of the ledger."""
    if items.model is Bin:
        return Q(pk=OuterRef("bin_id"))
    return Q(sku_id=OuterRef("sku_id"), serial_key=OuterRef("serial_key"))


@dataclass(frozen=True)
class Printed:
    """How often the label of one unit was printed, and when last."""

    count: int
    last: LabelPrint | None


def prints_of(sku_id: int, serial_key: str) -> Printed:
    """What the ledger knows of one unit; at most two queries."""
    pks = list(
        PrintedLabel.objects.filter(sku_id=sku_id, serial_key=serial_key, bin_id=0)
        .order_by("-of_print")
        .values_list("of_print", flat=True)
    )
    last = LabelPrint.objects.select_related("person").get(pk=pks[0]) if pks else None
    return Printed(len(pks), last)


def print_rows() -> QuerySet[LabelPrint]:
    """The ledger of prints."""
    return LabelPrint.objects.select_related("person")


def labels_of_bins(rows: QuerySet[Bin]) -> LabelRun:
    """The labels of bins, by name. Raises DomainError where there are none."""
    count = rows.order_by().count()
    if not count:
        raise DomainError(_("There is nothing to print a label for."))

    def labels() -> Iterator[Label]:
        found = rows.select_related("location", "link__warehouse").order_by("name", "pk")
        for place in found.iterator(chunk_size=2_000):
            yield Label(place.location.name, place.link.warehouse.name, place.name, bin_id=place.pk)

    title = ngettext("%(count)s bin label", "%(count)s bin labels", count) % {"count": f"{count:,}"}
    return LabelRun(title, "lotline-bin-labels.pdf", count, labels, rows, (Symbology.CODE_128, Symbology.QR))
