"""Orders: the list and each order with its lines and their units, to read."""

from dataclasses import asdict

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _, gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from oms import identity
from oms.access import AccountRequest, require_role
from oms.filters import OrderFilter
from oms.models import EVERYONE, Order, OrderStatus
from oms.queries import orders as queries
from oms.tables import ORDER_TONES, OrderTable
from oms.ui.views import Empty, TableView


class OrderList(TableView):
    """Orders."""

    has_layouts = True
    queryset = staticmethod(queries.order_rows)
    table_class = OrderTable
    filterset_class = OrderFilter
    title, icon = gettext_lazy("Orders"), "cart"
    noun = staticmethod(lambda count: ngettext("order", "orders", count))
    empty = Empty(
        "cart",
        gettext_lazy("No orders yet"),
        gettext_lazy("What customers buy arrives here, and with it the units that are reserved and shipped for it."),
    )


order_list = OrderList.page(EVERYONE)


@require_safe
@require_role(EVERYONE)
def order_find(request: AccountRequest) -> HttpResponse:
    """The order with the Order# that a link names, or the list searched for it."""
    number = request.GET.get("number", "")
    found = Order.objects.filter(number_key=identity.sought(number)).first()
    if found:
        return redirect("order", account_slug=request.account.slug, pk=found.pk)
    list_url = reverse("orders", kwargs={"account_slug": request.account.slug})
    return redirect(f"{list_url}?{urlencode({'q': number})}")


@require_safe
@require_role(EVERYONE)
def order_detail(request: AccountRequest, pk: int) -> HttpResponse:
    """An order."""
    order = get_object_or_404(Order, pk=pk)
    slug = {"account_slug": request.account.slug}
    context = {
        "section_label": _("Orders"),
        "section_url": reverse("orders", kwargs=slug),
        "page_title": _("Order %(number)s") % {"number": order.number},
        "page_icon": "cart",
        "status": {"label": order.get_status_display(), **asdict(ORDER_TONES[OrderStatus(order.status)])},
        "facts": [
            {"label": _("Order#"), "value": order.number, "is_mono": True, "can_copy": True},
            {"label": _("Reference"), "value": order.reference},
        ],
        "order": order,
        "lines": queries.order_lines(order),
        "units_url": f"{reverse('serials', kwargs=slug)}?{urlencode({'order': order.number})}",
        "history": None,
    }
    return render(request, "orders/order.html", context)
