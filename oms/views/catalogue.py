"""SKU pages: list, create, details, bulk change of Serial."""

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _, gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from oms.access import AccountRequest, require_role
from oms.errors import Blocked, DomainError
from oms.filters import SkuFilter
from oms.forms import SkuForm, WorkflowForm
from oms.models import ADMINS, EVERYONE, OFFICE, Role, Sku, Workflow
from oms.queries import catalogue as queries
from oms.services import catalogue as services
from oms.tables import WORKFLOW_TONES, SkuAdminTable, SkuTable
from oms.ui import audit
from oms.ui.actions import BulkAction, Selection, refusal, selection
from oms.ui.context import blocker_links
from oms.ui.views import Empty, PageAction, TableView


class SkuList(TableView):
    """Inventory → SKUs."""

    has_layouts = True
    queryset = staticmethod(queries.sku_rows)
    table_class = SkuTable
    filterset_class = SkuFilter
    title, section, icon = gettext_lazy("SKUs"), gettext_lazy("Inventory"), "box"
    noun = staticmethod(lambda count: ngettext("SKU", "SKUs", count))
    empty = Empty(
        "box",
        gettext_lazy("No SKUs yet"),
        gettext_lazy("A SKU is what you sell. Add one, or upload a CSV file with all of them."),
    )
    primary = PageAction(gettext_lazy("Add SKU"), "plus", "sku_new", OFFICE)
    secondary = (PageAction(gettext_lazy("Upload CSV"), "upload", "sku_upload", OFFICE),)


class SkuAdminList(SkuList):
    """The same for admins, who may change Serial of many SKUs."""

    table_class = SkuAdminTable
    bulk_actions = (BulkAction("serial", gettext_lazy("Change Serial"), "barcode", "sku_serial", ADMINS),)


sku_list = SkuList.page(EVERYONE, admin=SkuAdminList)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def sku_new(request: AccountRequest) -> HttpResponse:
    """Add a SKU."""
    form = SkuForm(request.POST or None, account=request.account, may_set_serial=request.membership.role == Role.ADMIN)
    if request.method == "POST" and form.is_valid():
        try:
            sku = services.create_sku(actor=request.user, **form.sku_fields())
        except DomainError as error:
            form.add_error("code", str(error))
        else:
            messages.success(request, _("%(sku)s is added.") % {"sku": sku.code})
            return redirect("sku", account_slug=request.account.slug, pk=sku.pk)
    context = {
        "form": form,
        "page_title": _("Add SKU"),
        "section_label": _("Inventory"),
        "submit_label": _("Add SKU"),
        "cancel_url": reverse("skus", kwargs={"account_slug": request.account.slug}),
    }
    return render(request, "ui/form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(EVERYONE, write=OFFICE)
def sku_detail(request: AccountRequest, pk: int) -> HttpResponse:
    """A SKU's details with its Serial field and Save."""
    sku = get_object_or_404(Sku, pk=pk)
    may_set_serial = request.membership.role == Role.ADMIN
    form = SkuForm(request.POST or None, instance=sku, account=request.account, may_set_serial=may_set_serial)
    blocked: Blocked | None = None
    if request.method == "POST" and form.is_valid():
        try:
            saved = services.update_sku(
                sku_id=pk, version=form.cleaned_data["version"] or 0, actor=request.user, **form.sku_fields()
            )
        except Blocked as error:
            blocked = error
            form.add_error("workflow", _("Not changed: see what stands in the way."))
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("%(sku)s is saved.") % {"sku": saved.code})
            return redirect("sku", account_slug=request.account.slug, pk=pk)
    return render(
        request, "catalogue/sku.html", _detail(request, pk, form, blocked), status=422 if form.errors else 200
    )


def _detail(request: AccountRequest, pk: int, form: SkuForm, blocked: Blocked | None) -> dict[str, Any]:
    """The context of the details; the SKU is read again, because a form leaves what was typed on its instance."""
    sku = Sku.objects.get(pk=pk)
    return {
        "section_label": _("SKUs"),
        "section_url": reverse("skus", kwargs={"account_slug": request.account.slug}),
        "page_title": sku.code,
        "page_icon": "box",
        "sku": sku,
        "form": form,
        "may_edit": request.membership.role in OFFICE,
        "may_set_serial": request.membership.role in ADMINS,
        "status": {"label": sku.get_workflow_display(), **asdict(WORKFLOW_TONES[Workflow(sku.workflow)])},
        "blockers_title": blocked,
        "blockers": blocker_links(request, blocked.blockers) if blocked else [],
        "stock": queries.sku_stock(sku),
        "stock_url": reverse("stock", kwargs={"account_slug": request.account.slug})
        + "?"
        + urlencode({"sku": sku.code}),
        "more_cards": [import_string(path)(sku, request.membership.role) for path in settings.SKU_CARDS],
        "history": audit.timeline(queries.sku_history(sku)),
    }


@require_POST
@require_role(ADMINS)
def sku_serial(request: AccountRequest) -> HttpResponse:
    """Change Serial of the selected SKUs: the choice, then what stands in the way, then the change."""
    try:
        chosen = selection(request, SkuAdminList)
    except DomainError as error:
        home = reverse("skus", kwargs={"account_slug": request.account.slug})
        return refusal(request, error, section=_("SKUs"), url=home)
    form = WorkflowForm(request.POST if "workflow" in request.POST else None)
    plan = None
    if form.is_bound and form.is_valid():
        plan = services.set_workflow(
            sku_ids=list(chosen.rows.values_list("pk", flat=True)),
            workflow=Workflow(form.cleaned_data["workflow"]),
            actor=request.user,
            is_partial_ok=form.cleaned_data["only_free"],
        )
        if plan.is_done:
            messages.success(request, _serial_result(plan))
            return redirect("skus", account_slug=request.account.slug)
    context = _serial_context(request, chosen, form, plan)
    return render(request, "catalogue/serial.html", context, status=422 if form.is_bound else 200)


def _serial_context(
    request: AccountRequest, chosen: Selection, form: WorkflowForm, plan: services.WorkflowChange | None
) -> dict[str, Any]:
    list_url = reverse("skus", kwargs={"account_slug": request.account.slug})
    blocked = plan.blocked if plan else {}
    return {
        "section_label": _("SKUs"),
        "section_url": list_url,
        "page_title": _("Change Serial"),
        "page_icon": "barcode",
        "form": form,
        "plan": plan,
        "blocked": [(sku, blocker_links(request, blockers)) for sku, blockers in blocked.items()],
        "count": chosen.rows.count(),
        "examples": chosen.rows[:12],
        "fields": chosen.fields,
        "cancel_url": list_url,
    }


def _serial_result(plan: services.WorkflowChange) -> str:
    changed = ngettext(
        "Serial is now %(serial)s on %(count)s SKU.", "Serial is now %(serial)s on %(count)s SKUs.", len(plan.changed)
    ) % {"serial": plan.workflow.label, "count": len(plan.changed)}
    if not plan.blocked:
        return changed
    left = ngettext("%(count)s SKU was left as it is.", "%(count)s SKUs were left as they are.", len(plan.blocked))
    return f"{changed} {left % {'count': len(plan.blocked)}}"
