"""Add Replenishment, and changing its SKUs and quantities while it is Incomplete."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from oms.access import AccountRequest, require_role
from oms.errors import Conflict, DomainError
from oms.models import OFFICE
from replenishment import queries
from replenishment.asked_days import doubted_days
from replenishment.forms import HeadForm, PasteForm
from replenishment.lifecycle import Status
from replenishment.line_forms import BaseLines, line_initial, lines_formset, said_of_lots
from replenishment.models import Replenishment, ReplenishmentLine
from replenishment.services import drafts as services, submitting
from replenishment.views.documents import more_rows, posted_version
from replenishment.views.once import made_once

PREFIX = "lines"
NAMED = 3
"""How many faults that stand in the way of Submit it names after Save."""


@dataclass
class _Draft:
    """The forms of the page, as one."""

    head: HeadForm | None
    paste: PasteForm
    rows: BaseLines

    def is_valid(self) -> bool:
        """Whether everything typed makes sense; all forms are asked, so that every error shows."""
        return all([self.rows.is_valid(), self.paste.is_valid(), self.head is None or self.head.is_valid()])

    def lines(self) -> list[services.LineInput]:
        """The rows, then what was pasted."""
        typed = [services.LineInput(sku.pk, line_id=pk, **rest) for pk, sku, rest in self.rows.values()]
        return typed + [services.LineInput(sku.pk, quantity) for sku, quantity in self.paste.cleaned_data["paste"]]

    @property
    def has_errors(self) -> bool:
        """Something was typed that does not make sense."""
        forms = [form for form in (self.head, self.paste) if form is not None]
        return any(form.is_bound and form.errors for form in forms) or (self.rows.is_bound and not self.rows.is_valid())


def _draft(request: AccountRequest, found: Replenishment | None = None, *, is_told: bool = False) -> _Draft:
    """The forms, empty, as the replenishment is, or as they were sent; "more" sends them back with more rows.

    With `is_told` they are about the replenishment as it is now, of which the person was just told.
    """
    own: list[ReplenishmentLine] = []
    if found:
        own += ReplenishmentLine.objects.filter(replenishment=found).select_related("sku").order_by("position")
    lots = queries.lots_of(found) if found else {}
    initial = [line_initial(line, lots.get(line.pk, [])) for line in own]
    data = _sent(request, initial) if request.method == "POST" else None
    about: dict[str, Any] = {
        "prefix": PREFIX,
        "initial": initial,
        "suggest_url": reverse("replenishment_skus", kwargs={"account_slug": request.account.slug}),
        "is_current": found is None or posted_version(request) == found.version,
    }
    rows = lines_formset(data, **about)
    if data and found and is_told:
        data = rows.told(initial)
        data["version"] = str(found.version)
        rows = lines_formset(data, **about | {"is_current": True})
    rows.kept_lots = {line.pk: words for line in own if (words := said_of_lots(line, lots.get(line.pk, [])))}
    paste = PasteForm(data, initial={"version": found.version if found else None})
    return _Draft(None if found else HeadForm(data), paste, rows)


def _sent(request: AccountRequest, initial: Sequence[Mapping[str, Any]]) -> QueryDict:
    """What was sent, filled up with what the lines have: a field that was not on the page is not one that was emptied.

    A line of several lots has no fields for a lot; where it has one lot by now, they hold that one.
    """
    data = more_rows(request, PREFIX)
    known = {str(row["line_id"]): row for row in initial}
    for key in [key for key in data if key.startswith(PREFIX) and key.endswith("-line_id")]:
        for name, value in known.get(str(data[key]), {}).items():
            data.setdefault(f"{key.removesuffix('line_id')}{name}", "" if value is None else str(value))
    return data


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def new(request: AccountRequest) -> HttpResponseBase:
    """Add Replenishment, once: warehouse, SKUs and quantities, Insert; or Insert, and then a file of lines."""
    draft = _draft(request)
    if request.method == "POST" and "more" not in request.POST and draft.is_valid() and draft.head:
        head = dict(draft.head.cleaned_data)
        link_id, has_file = head.pop("link").pk, "file" in request.POST

        def make() -> Replenishment:
            return services.create_replenishment(
                link_id=link_id, lines=draft.lines(), is_empty_ok=has_file, actor=request.user, **head
            )

        try:
            made = made_once(request, key=request.POST.get("key", ""), title=_("Add Replenishment"), make=make)
        except DomainError as error:
            draft.head.add_error(None, str(error))
        else:
            messages.success(request, _("%(number)s is added. It is Incomplete.") % {"number": made.number})
            following = "replenishment_lines_csv" if has_file else "replenishment"
            return redirect(following, account_slug=request.account.slug, pk=made.pk)
    words = {"page_title": _("Add Replenishment"), "submit_label": _("Insert")}
    return _page(request, draft, {**words, "key": request.POST.get("key") or uuid4().hex})


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(OFFICE)
def lines(request: AccountRequest, pk: int) -> HttpResponseBase:
    """Change SKUs and quantities while the replenishment is Incomplete."""
    found = get_object_or_404(Replenishment, pk=pk)
    if found.status != Status.INCOMPLETE:
        messages.error(request, _("%(number)s is already submitted.") % {"number": found.number})
        return redirect("replenishment", account_slug=request.account.slug, pk=pk)
    draft = _draft(request, found)
    if request.method == "POST" and "more" not in request.POST and draft.is_valid():
        bad = _change(request, found, draft)
        if bad is None:
            messages.success(request, _("Saved."))
            if faults := submitting.faults_of(found):
                messages.warning(request, " ".join(faults[:NAMED]))
            return redirect("replenishment", account_slug=request.account.slug, pk=pk)
        draft = bad
    return _page(request, draft, {"page_title": _("SKUs and quantities"), "submit_label": _("Save")}, found)


def _change(request: AccountRequest, found: Replenishment, draft: _Draft) -> _Draft | None:
    """Save the lines; the forms with what is wrong, where something is."""
    version = draft.paste.cleaned_data["version"] or 0
    try:
        services.change_lines(replenishment_id=found.pk, version=version, lines=draft.lines(), actor=request.user)
    except Conflict as error:
        # What was typed stays beside what is there now; saving it again is then a decision of somebody who was told.
        draft = _draft(request, Replenishment.objects.get(pk=found.pk), is_told=True)
        draft.is_valid()
        draft.paste.add_error(None, str(error))
        return draft
    except DomainError as error:
        draft.paste.add_error(None, str(error))
        return draft
    return None


def _page(
    request: AccountRequest, draft: _Draft, words: dict[str, Any], found: Replenishment | None = None
) -> HttpResponse:
    slug = request.account.slug
    list_url = reverse("replenishments", kwargs={"account_slug": slug})
    own_url = reverse("replenishment", kwargs={"account_slug": slug, "pk": found.pk}) if found else list_url
    context = {
        **words,
        "section_label": found.number if found else _("Replenishment"),
        "section_url": own_url,
        "page_icon": "truck",
        "cancel_url": own_url,
        "head": draft.head,
        "form": draft.paste,
        "rows": draft.rows,
        "is_existing": found is not None,
    }
    is_bad = "more" not in request.POST and draft.has_errors
    context["meant"] = doubted_days(draft.rows) if is_bad else []
    return render(request, "replenishment/draft.html", {**context, "is_bad": is_bad}, status=422 if is_bad else 200)
