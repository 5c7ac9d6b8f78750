"""Discrepancies: facts that contradict what Lotline knows, and settling them."""

import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from oms.access import AccountRequest, require_role
from oms.errors import DomainError
from oms.filters import DiscrepancyFilter
from oms.forms import ACCEPT_HINT, REFUSE_HINT, SettleForm
from oms.models import EVERYONE, OFFICE, CaseState, Discrepancy, DiscrepancyKind
from oms.queries import discrepancies as queries
from oms.services import discrepancies as services
from oms.tables import CASE_TONES, DiscrepancyTable
from oms.ui.links import document_url
from oms.ui.views import Empty, TableView


class DiscrepancyList(TableView):
    """Discrepancies, the open ones first."""

    queryset = staticmethod(queries.discrepancy_rows)
    table_class = DiscrepancyTable
    filterset_class = DiscrepancyFilter
    title, icon = gettext_lazy("Discrepancies"), "alert-triangle"
    noun = staticmethod(lambda count: ngettext("discrepancy", "discrepancies", count))
    empty = Empty(
        "check",
        gettext_lazy("No discrepancies"),
        gettext_lazy(
            "A fact that contradicts what Lotline knows, such as a serial nobody expected, waits here for you."
        ),
    )


discrepancy_list = DiscrepancyList.page(EVERYONE)


@require_safe
@require_role(EVERYONE)
def detail(request: AccountRequest, pk: int) -> HttpResponse:
    """A discrepancy with the fact as it came."""
    rows = queries.with_state(Discrepancy.objects.select_related("sku", "closed_by"))
    case = get_object_or_404(rows, pk=pk)
    state = CaseState(case.state)  # type: ignore[attr-defined]  # with_state adds it
    context = {
        **_around(request),
        "page_title": case.summary,
        "status": {"label": state.label, "tone": CASE_TONES[state].tone, "shape": CASE_TONES[state].shape},
        "facts": _facts(request, case),
        "case": case,
        "raw": json.dumps(case.raw, indent=2, ensure_ascii=False, sort_keys=True) if case.raw else "",
        "history": None,
        **(_actions(request, case) if case.is_open and request.membership.role in OFFICE else {}),
    }
    return render(request, "discrepancies/discrepancy.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def close(request: AccountRequest, pk: int) -> HttpResponse:
    """Settle a discrepancy with a reason; where it could be accepted, this refuses it."""
    case = get_object_or_404(Discrepancy, pk=pk)
    is_refusable, acceptance = services.is_refusable(case.kind), services.acceptance(case.kind)
    words = {
        "page_title": _answers(case)[1],
        "intro": f"{case.summary} {acceptance.otherwise if acceptance else ''}".strip(),
        "hint": REFUSE_HINT if is_refusable else "",
        "done": _("The discrepancy is refused.") if is_refusable else _("The discrepancy is settled."),
    }

    def settle(reason: str) -> None:
        services.close_discrepancy(discrepancy_id=pk, reason=reason, actor=request.user, is_refused=True)

    return _decide(request, pk, words, settle)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def accept(request: AccountRequest, pk: int) -> HttpResponse:
    """Let the fact behind a discrepancy happen after all, with a reason."""
    case = get_object_or_404(Discrepancy, pk=pk)
    acceptance = services.acceptance(case.kind)
    if acceptance is None:
        raise Http404
    told = _told(acceptance, case)
    words = {
        "page_title": _answers(case)[0],
        "intro": f"{case.summary} {acceptance.words} {told}".strip(),
        "hint": ACCEPT_HINT,
        "done": _("The discrepancy is accepted."),
    }

    def settle(reason: str) -> None:
        services.accept_discrepancies(discrepancy_ids=[pk], reason=reason, actor=request.user)

    return _decide(request, pk, words, settle)


def _decide(request: AccountRequest, pk: int, words: dict[str, Any], settle: Callable[[str], None]) -> HttpResponse:
    form = SettleForm(request.POST or None, hint=words["hint"])
    if request.method == "POST" and form.is_valid():
        try:
            settle(form.cleaned_data["reason"])
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, words["done"])
            return redirect("discrepancy", account_slug=request.account.slug, pk=pk)
    context = {
        **_around(request),
        **words,
        "form": form,
        "submit_label": words["page_title"],
        "cancel_url": reverse("discrepancy", kwargs={"account_slug": request.account.slug, "pk": pk}),
    }
    return render(request, "ui/form.html", context, status=422 if form.errors else 200)


def _answers(case: Discrepancy) -> tuple[str, str]:
    """What the two buttons say; a kind may have better words, for a case of which it knows enough."""
    found = services.acceptance(case.kind)
    usual = _("Accept"), _("Refuse") if services.is_refusable(case.kind) else _("Settle discrepancy")
    try:
        return found.answers(case) if found and found.answers else usual
    except DomainError:
        return usual


def _told(found: services.Acceptance, case: Discrepancy) -> str:
    """What else is to be known of a case."""
    try:
        return found.told(case) if found.told else ""
    except DomainError as error:
        return str(error)


def _actions(request: AccountRequest, case: Discrepancy) -> dict[str, Any]:
    """What the office may decide; accepting comes first where that means something."""
    here = {"account_slug": request.account.slug, "pk": case.pk}
    settle = {
        "label": _answers(case)[1],
        "icon": "x" if services.is_refusable(case.kind) else "check",
        "url": reverse("discrepancy_close", kwargs=here),
        "is_dialog": True,
    }
    if services.acceptance(case.kind) is None:
        return {"primary_action": settle}
    accept_url = reverse("discrepancy_accept", kwargs=here)
    accepts = {"label": _answers(case)[0], "icon": "check", "url": accept_url, "is_dialog": True}
    return {"primary_action": accepts, "secondary_actions": [settle]}


def _facts(request: AccountRequest, case: Discrepancy) -> list[dict[str, Any]]:
    slug = request.account.slug
    sku_url = reverse("sku", kwargs={"account_slug": slug, "pk": case.sku_id}) if case.sku_id else ""
    process_url = document_url(slug, case.process_type, case.process_id)
    found: list[dict[str, Any]] = [
        {"label": _("Kind"), "value": dict(DiscrepancyKind.choices).get(case.kind, case.kind)},
        {"label": _("SKU"), "value": case.sku.code if case.sku else "", "is_mono": True, "url": sku_url},
        {"label": _("Serial"), "value": case.serial, "is_mono": True, "can_copy": bool(case.serial)},
        {"label": _("ProcessID"), "value": case.process_id, "is_mono": True, "url": process_url},
    ]
    if not case.is_open:
        found += [
            {"label": _("Reason"), "value": case.reason},
            {"label": _("Settled by"), "value": case.closed_by or _("Lotline")},
        ]
    return found


def _around(request: AccountRequest) -> dict[str, Any]:
    list_url = reverse("discrepancies", kwargs={"account_slug": request.account.slug})
    return {"section_label": _("Discrepancies"), "section_url": list_url, "page_icon": "alert-triangle"}
