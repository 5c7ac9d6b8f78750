"""What is done with selected units: their history as a file, their labels, an attribute for all of them."""

import json
from hashlib import sha256
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_POST

from oms import jobs
from oms.access import AccountRequest, require_role
from oms.downloads import csv_stream
from oms.errors import DomainError
from oms.models import EVERYONE, OFFICE, JobState
from oms.ui.actions import Selection, selected
from serials.forms import AddAttributesForm
from serials.history_job import file_name
from serials.queries.history_file import HistoryFile, chunks
from serials.services import attributes
from serials.views.around import alert, around, back_url, chosen
from serials.views.labels import print_dialog

AT_ONCE = 10_000
"""Up to so many units the answer is the file itself."""
SET_AT_ONCE = 2_000
"""Up to so many units an attribute is set while the person waits."""


@require_POST
@require_role(EVERYONE)
def history_file(request: AccountRequest) -> HttpResponseBase:
    """Download Serial History: the file, or the page of the job that makes it."""
    try:
        units = chosen(request)
    except DomainError as error:
        return alert(request, error)
    if units.rows.order_by()[: AT_ONCE + 1].count() > AT_ONCE:
        job = jobs.start("serials.history", _("Serial history"), units.params, person=request.user)
        return redirect("job", account_slug=request.account.slug, pk=job.pk)
    try:
        HistoryFile(units.rows)  # what is wrong with it is said now: once the file has begun, nobody could
    except DomainError as error:
        return alert(request, error)
    return csv_stream(request, file_name(), lambda: chunks(HistoryFile(selected(units.params)).lines()))


@require_POST
@require_role(EVERYONE)
def labels(request: AccountRequest) -> HttpResponseBase:
    """The dialog that prints labels of the selected units."""
    try:
        units = chosen(request)
        return print_dialog(request, "selected units", units.params, back=back_url(request), fields=units.fields)
    except DomainError as error:
        return alert(request, error)


@require_POST
@require_role(OFFICE)
def add_attributes(request: AccountRequest) -> HttpResponse:
    """Add Attributes: one name and value for all selected units; first the form, then the change."""
    try:
        units = chosen(request)
    except DomainError as error:
        return alert(request, error)
    form = AddAttributesForm(request.POST if "name" in request.POST else None)
    if form.is_bound and form.is_valid():
        return _set(request, units, form.cleaned_data)
    count = units.rows.order_by().count()
    context = {
        **around(request),
        "page_title": _("Add Attributes"),
        "intro": ngettext("For %(count)s selected serial.", "For %(count)s selected serials.", count)
        % {"count": f"{count:,}"},
        "form": form,
        "fields": [*units.fields, ("next", back_url(request)), ("key", uuid4().hex)],
        "submit_label": _("Add Attributes"),
        "cancel_url": back_url(request),
    }
    return render(request, "serials/add_attributes.html", context, status=422 if form.errors else 200)


def _set(request: AccountRequest, units: Selection, given: dict[str, Any]) -> HttpResponse:
    """At once for few units, by a job for many; once however often the same is sent from one form."""
    # What is sent is part of the key: who goes back in the browser and changes the value sends something else.
    sent = sha256(json.dumps([units.params, given], sort_keys=True).encode()).hexdigest()[:32]
    facts: dict[str, Any] = {
        "kind": "serials.attribute",
        "title": _("Attribute %(name)s") % {"name": given["name"]},
        "person": request.user,
        "idempotency_key": f"serials.attribute:{request.POST.get('key', '')[:40] or uuid4()}:{sent}",
    }

    def work() -> dict[str, Any]:
        by = attributes.by_person(request.user.pk)
        return attributes.set_result(attributes.set_attribute(units=units.rows, **given, by=by))

    if units.rows.order_by()[: SET_AT_ONCE + 1].count() > SET_AT_ONCE:
        job = jobs.start(**facts, params={"selection": units.params, **given})
    else:
        job = jobs.do_now(**facts, params=given, work=work)
        if job.state == JobState.DONE:  # if not, they were many when it was sent before
            messages.success(request, job.result["summary"], extra_tags="dialog")
            return redirect(back_url(request))
    return redirect("job", account_slug=request.account.slug, pk=job.pk)
