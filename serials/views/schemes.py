"""Settings → Number schemes."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _, gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from oms.access import AccountRequest, require_role
from oms.errors import DomainError
from oms.models import ADMINS, EVERYONE
from oms.numbers import whole_number
from oms.ui.layouts import Layout
from oms.ui.views import Empty, PageAction, TableView
from serials.filters import SchemeFilter
from serials.forms.numbers import LooksForm, SchemeForm
from serials.models import NumberScheme
from serials.numbering.schemes import Scheme
from serials.queries import schemes as queries
from serials.queries.schemes import Preview
from serials.services import schemes as services
from serials.tables import SchemeAdminTable, SchemeTable
from serials.views.labels import faults_in_words


class SchemeList(TableView):
    """The schemes of the account, with what is left of each."""

    queryset = staticmethod(queries.scheme_rows)
    table_class = SchemeTable
    filterset_class = SchemeFilter
    title, section, icon = gettext_lazy("Number schemes"), gettext_lazy("Settings"), "hash"
    noun = staticmethod(lambda count: ngettext("number scheme", "number schemes", count))
    empty = Empty(
        "hash",
        gettext_lazy("No number schemes yet"),
        gettext_lazy(
            "A scheme says how generated serials look. Without one, the first Generate Serials makes the scheme "
            "“Standard”: SN00000001 and so on."
        ),
    )
    primary = PageAction(gettext_lazy("Add number scheme"), "plus", "scheme_new", ADMINS)

    def _head(self, layout: Layout | None) -> dict[str, Any]:
        return {**super()._head(layout), "list_intro": queries.low_words(queries.low_schemes())}


class SchemeAdminList(SchemeList):
    """The same for admins, who may change them."""

    table_class = SchemeAdminTable


scheme_list = SchemeList.page(EVERYONE, admin=SchemeAdminList)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(ADMINS)
def scheme_new(request: AccountRequest) -> HttpResponse:
    """Add a scheme, with a preview of its numbers."""
    form = SchemeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_scheme(given=form.given(), actor=request.user)
        except DomainError as error:
            _put(form, error)
        else:
            messages.success(request, _("%(name)s is added.") % {"name": made.name})
            return redirect("schemes", account_slug=request.account.slug)
    context = {
        **_around(request),
        "form": form,
        "page_title": _("Add number scheme"),
        "submit_label": _("Add number scheme"),
        "preview": _preview(form, None),
        "faults": [] if form.is_bound else _clash(Scheme(), None),
    }
    return render(request, "serials/scheme.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(ADMINS)
def scheme(request: AccountRequest, pk: int) -> HttpResponse:
    """Change a scheme, or go on to archiving it."""
    row = get_object_or_404(NumberScheme, pk=pk)
    form = SchemeForm(request.POST or None, row=row)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_scheme(scheme_id=pk, given=form.given(), actor=request.user)
        except DomainError as error:
            _put(form, error)
        else:
            messages.success(request, _("%(name)s is saved.") % {"name": form.cleaned_data["name"]})
            return redirect("schemes", account_slug=request.account.slug)
    context = {
        **_around(request),
        "form": form,
        "row": row,
        "page_title": row.name,
        "submit_label": _("Save"),
        "preview": _preview(form, row),
    }
    return render(request, "serials/scheme.html", context, status=422 if form.errors else 200)


@require_POST
@require_role(ADMINS)
def archive(request: AccountRequest, pk: int) -> HttpResponse:
    """Take a scheme out of use for good."""
    row = get_object_or_404(NumberScheme, pk=pk)
    try:
        services.archive_scheme(scheme_id=pk, actor=request.user)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("scheme", account_slug=request.account.slug, pk=pk)
    messages.success(request, _("%(name)s is archived.") % {"name": row.name})
    return redirect("schemes", account_slug=request.account.slug)


@require_safe
@require_role(ADMINS)
def preview(request: AccountRequest) -> HttpResponse:
    """The next numbers of what the form says now, for the page that asks while somebody types."""
    form = LooksForm(request.GET)
    faults = [] if form.is_valid() else faults_in_words(form)
    faults = faults or _clash(form.scheme, whole_number(request.GET.get("scheme")))
    shown = {"preview": None if faults else _preview(form, None), "faults": faults}
    return render(request, "serials/_scheme_preview.html", shown)


def _preview(form: LooksForm, row: NumberScheme | None) -> Preview | None:
    """The preview of what a form says, else of the scheme as it is, else of a new one; None for what cannot be."""
    today = timezone.localdate()
    if form.is_bound:
        looks = getattr(form, "scheme", None)
        first = form.cleaned_data.get("first_counter") if looks else None
        if looks is None or not first:
            return None
        return Preview(looks, row.next_counter if row and row.is_used else first, today)
    return Preview(row.scheme, row.next_counter, today) if row else Preview(Scheme(), 1, today)


def _clash(scheme: Scheme, own_id: int | None) -> list[str]:
    """Why an account cannot have this scheme beside its others."""
    try:
        services.check_looks(scheme, own_id)
    except DomainError as error:
        return [str(error)]
    return []


def _put(form: SchemeForm, error: DomainError) -> None:
    form.add_error(getattr(error, "field", "") or None, str(error))


def _around(request: AccountRequest) -> dict[str, Any]:
    list_url = reverse("schemes", kwargs={"account_slug": request.account.slug})
    return {
        "section_label": _("Number schemes"),
        "section_url": list_url,
        "page_icon": "hash",
        "cancel_url": list_url,
    }
