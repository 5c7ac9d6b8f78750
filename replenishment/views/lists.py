"""The list of replenishments, finding one by its number, and suggestions of SKUs."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from oms import identity
from oms.access import AccountRequest, require_role
from oms.models import EVERYONE, OFFICE
from oms.queries.catalogue import matching_skus
from oms.ui.views import Empty, PageAction, TableView
from replenishment import queries
from replenishment.filters import ExpectedFilter, ReplenishmentFilter
from replenishment.models import Replenishment
from replenishment.tables import ExpectedTable, ReplenishmentTable


class ReplenishmentList(TableView):
    """Replenishment."""

    has_layouts = True
    queryset = staticmethod(queries.replenishment_rows)
    table_class = ReplenishmentTable
    filterset_class = ReplenishmentFilter
    title, icon = gettext_lazy("Replenishment"), "truck"
    noun = staticmethod(lambda count: ngettext("replenishment", "replenishments", count))
    empty = Empty(
        "truck",
        gettext_lazy("No replenishments yet"),
        gettext_lazy("A replenishment is goods that you expect from a supplier, with their serials if you plan them."),
    )
    primary = PageAction(gettext_lazy("Add Replenishment"), "plus", "replenishment_new", OFFICE)


class ExpectedSerials(TableView):
    """Expected against received, serial by serial."""

    queryset = staticmethod(queries.expected_rows)
    table_class = ExpectedTable
    filterset_class = ExpectedFilter
    title, icon = gettext_lazy("Expected serials"), "barcode"
    section = gettext_lazy("Replenishment")
    noun = staticmethod(lambda count: ngettext("serial", "serials", count))
    empty = Empty(
        "barcode",
        gettext_lazy("No expected serials"),
        gettext_lazy("Serials that were planned on a submitted replenishment stand here, with what became of them."),
    )


expected_serials = ExpectedSerials.page(EVERYONE)
replenishment_list = ReplenishmentList.page(EVERYONE)


@require_safe
@require_role(EVERYONE)
def find(request: AccountRequest) -> HttpResponse:
    """The page of the replenishment with this number, where ProcessID leads; for an unknown one the list, searched."""
    number = identity.storable(request.GET.get("number", ""))
    found = Replenishment.objects.filter(number=identity.key(number)).first()
    if found is not None:
        return redirect("replenishment", account_slug=request.account.slug, pk=found.pk)
    messages.warning(request, _("There is no replenishment %(number)s.") % {"number": number[:80]})
    url = reverse("replenishments", kwargs={"account_slug": request.account.slug})
    return redirect(f"{url}?{urlencode({'q': number[:80]})}")


@require_safe
@require_role(OFFICE)
def suggest(request: AccountRequest) -> HttpResponse:
    """SKUs that match what is being typed into a row, as options of its list."""
    text = next((str(value) for name, value in request.GET.items() if name.endswith("-sku")), "").replace("\0", "")
    return render(request, "replenishment/_options.html", {"skus": matching_skus(text)})
