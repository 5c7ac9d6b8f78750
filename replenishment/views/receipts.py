"""Receipts: what the warehouse confirmed, with the serials and lots that it sent."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from oms.access import AccountRequest, require_role
from oms.models import EVERYONE
from replenishment import queries
from replenishment.models import Receipt
from replenishment.views.documents import address, around

SHOWN = 500
"""How many serials the page lists."""


@require_GET
@require_role(EVERYONE)
def receipt(request: AccountRequest, pk: int) -> HttpResponse:
    """One receipt, line by line."""
    rows = Receipt.objects.select_related("replenishment", "actor")
    row = get_object_or_404(rows, pk=pk)
    serials = list(queries.received_serials(row)[: SHOWN + 1])
    context = {
        **around(request, row.replenishment),
        "section_label": row.replenishment.number,
        "section_url": address(request, "replenishment", pk=row.replenishment_id),
        "page_title": _("Receipt %(receipt)s") % {"receipt": row},
        "page_icon": "inbox",
        "receipt": row,
        "lines": queries.receipt_lines(row),
        "serials": serials[:SHOWN],
        "has_more": len(serials) > SHOWN,
    }
    return render(request, "replenishment/receipt.html", context)
