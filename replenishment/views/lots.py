"""The lots of one line."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from oms.access import AccountRequest, require_role
from oms.errors import Conflict, DomainError
from oms.models import OFFICE
from replenishment.asked_days import doubted_days
from replenishment.lifecycle import Status
from replenishment.line_forms import BaseLots, lots_formset
from replenishment.models import Replenishment, ReplenishmentLine, ReplenishmentLot
from replenishment.services import lots as services
from replenishment.views.documents import address, around, more_rows, posted_version

PREFIX = "lots"
NAMED = 3
"""How many lots that have expired it names after Save."""


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def line_lots(request: AccountRequest, pk: int) -> HttpResponse:
    """Which lots are ordered on a line of an Incomplete replenishment, when they expire, and how much of each."""
    line = get_object_or_404(ReplenishmentLine.objects.select_related("sku", "replenishment"), pk=pk)
    found = line.replenishment
    own_url = address(request, "replenishment", pk=found.pk)
    if found.status != Status.INCOMPLETE:
        messages.error(request, _("%(number)s is already submitted.") % {"number": found.number})
        return redirect(own_url)
    (rows, own), faults = _rows(request, line), list[str]()
    is_sent = request.method == "POST" and "more" not in request.POST
    version = posted_version(request) if request.method == "POST" else found.version
    if is_sent and rows.is_valid():
        try:
            services.set_lots(line_id=pk, version=version, lots=rows.values(), actor=request.user)
        except DomainError as error:
            faults = [str(error)]
            if isinstance(error, Conflict):  # who was told has seen what is saved now
                version = Replenishment.objects.values_list("version", flat=True).get(pk=found.pk)
                rows, own = _rows(request, line, told_by=rows)
        else:
            _say_saved(request, line)
            return redirect(own_url)
    is_bad = is_sent and (bool(faults) or not rows.is_valid())
    context = {"rows": rows, "own": own, "faults": faults, "version": version, "is_bad": is_bad}
    context |= {**_around(request, line), "meant": doubted_days(rows) if is_sent else []}
    return render(request, "replenishment/line_lots.html", context, status=422 if is_bad else 200)


def _say_saved(request: AccountRequest, line: ReplenishmentLine) -> None:
    messages.success(request, _("Saved."))
    if expired := services.expired_words(line.replenishment, line):
        messages.warning(request, " ".join(expired[:NAMED]))


def _around(request: AccountRequest, line: ReplenishmentLine) -> dict[str, Any]:
    own_url = address(request, "replenishment", pk=line.replenishment_id)
    return {
        **around(request, line.replenishment),
        "section_label": line.replenishment.number,
        "section_url": own_url,
        "page_title": _("Lots of line %(line)s, %(sku)s") % {"line": line.position, "sku": line.sku.code},
        "page_icon": "layers",
        "line": line,
        "cancel_url": own_url,
    }


def _rows(
    request: AccountRequest, line: ReplenishmentLine, told_by: BaseLots | None = None
) -> tuple[BaseLots, list[ReplenishmentLot]]:
    """The rows as the lots are, or as they were sent, and the lots; "more" sends them back with more rows. With
    `told_by`, what was sent, they are about the lots as they are now, of which the person was just told.
    """
    own = list(ReplenishmentLot.objects.filter(line=line).order_by("pk"))
    initial = [{"lot": lot.number, "expires_on": lot.expires_on, "quantity": lot.quantity} for lot in own]
    about: dict[str, Any] = {"prefix": PREFIX, "units": line.quantity, "initial": initial}
    if told_by is not None:
        return lots_formset(told_by.told(initial), **about), own
    data = more_rows(request, PREFIX) if request.method == "POST" else None
    is_current = posted_version(request) == line.replenishment.version
    return lots_formset(data, **about, is_current=is_current), own
