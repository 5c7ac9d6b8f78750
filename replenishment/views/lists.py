"""The list of replenishments, finding one by its number, and suggestions of SKUs."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET

from oms.access import AccountRequest, require_role
from oms.models import EVERYONE, OFFICE
from oms.ui.views import Empty, PageAction, TableView
from replenishment import queries
from replenishment.filters import ReplenishmentFilter
from replenishment.models import Replenishment
from replenishment.tables import ReplenishmentTable


class ReplenishmentList(TableView):
    """Replenishment."""

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


replenishment_list = ReplenishmentList.page(EVERYONE)


@require_GET
@require_role(EVERYONE)
def find(request: AccountRequest) -> HttpResponse:
    """The page of the replenishment with this number: where ProcessID leads."""
    found = get_object_or_404(Replenishment, number=request.GET.get("number", "").replace("\0", ""))
    return redirect("replenishment", account_slug=request.account.slug, pk=found.pk)


@require_GET
@require_role(OFFICE)
def suggest(request: AccountRequest) -> HttpResponse:
    """SKUs that match what is being typed into a row, as options of its list."""
    text = next((value for name, value in request.GET.items() if name.endswith("-sku")), "").replace("\0", "")
    return render(request, "replenishment/_options.html", {"skus": queries.matching_skus(text)})
