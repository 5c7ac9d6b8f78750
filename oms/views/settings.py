"""Settings pages: members and the audit log."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from oms.access import AccountRequest, require_role
from oms.answers import without_compression
from oms.errors import DomainError
from oms.filters import AuditFilter, MemberFilter
from oms.forms import MemberForm, RoleForm
from oms.models import ADMINS, EVERYONE, Role
from oms.queries import people as queries
from oms.services import people as services
from oms.tables import AuditTable, MemberAdminTable, MemberTable
from oms.ui.views import Empty, PageAction, TableView


class MemberList(TableView):
    """Settings → Members."""

    queryset = staticmethod(queries.members)
    table_class = MemberTable
    filterset_class = MemberFilter
    title, section, icon = gettext_lazy("Members"), gettext_lazy("Settings"), "users"
    noun = staticmethod(lambda count: ngettext("member", "members", count))
    empty = Empty("users", gettext_lazy("No members"), gettext_lazy("Add the people who work in this account."))
    primary = PageAction(gettext_lazy("Add member"), "plus", "member_new", ADMINS)


class MemberAdminList(MemberList):
    """The same for admins, who may change them."""

    table_class = MemberAdminTable


class AuditList(TableView):
    """Settings → Audit log."""

    queryset = staticmethod(queries.audit_rows)
    table_class = AuditTable
    filterset_class = AuditFilter
    title, section, icon = gettext_lazy("Audit log"), gettext_lazy("Settings"), "history"
    noun = staticmethod(lambda count: ngettext("change", "changes", count))
    empty = Empty(
        "history",
        gettext_lazy("Nothing changed yet"),
        gettext_lazy("Every change of settings, members and SKUs is listed here with who made it."),
    )


member_list = MemberList.page(EVERYONE, admin=MemberAdminList)
audit_log = AuditList.page(ADMINS)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(ADMINS)
def member_new(request: AccountRequest) -> HttpResponse:
    """Invite somebody; the link that lets them in is shown, for the admin to send."""
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            invitation = services.add_member(
                email=data["email"], name=data["name"], role=Role(data["role"]), actor=request.user
            )
        except DomainError as error:
            form.add_error("email", str(error))
        else:
            return _link_page(request, invitation)
    context = {"form": form, "page_title": _("Add member"), "submit_label": _("Add member"), **_around(request)}
    return render(request, "ui/form.html", context, status=422 if form.errors else 200)


def _link_page(request: AccountRequest, invitation: services.Invitation) -> HttpResponse:
    """The page that shows an invitation's link."""
    context = {
        "link": request.build_absolute_uri(invitation.path),
        "page_title": _("Send this link"),
        "member": invitation.membership,
    }
    return without_compression(render(request, "people/invitation.html", {**context, **_around(request)}))


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(ADMINS)
def member(request: AccountRequest, pk: int) -> HttpResponse:
    """Change a member's role, or go on to removing them."""
    found = get_object_or_404(queries.members(), pk=pk)
    form = RoleForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_role(membership_id=pk, role=Role(form.cleaned_data["role"]), actor=request.user)
        except DomainError as error:
            form.add_error("role", str(error))
        else:
            messages.success(request, _("%(name)s is saved.") % {"name": found.name})
            return redirect("members", account_slug=request.account.slug)
    context = {"form": form, "page_title": found.name, "member": found, **_around(request)}
    return render(request, "people/member.html", context, status=422 if form.errors else 200)


@require_POST
@require_role(ADMINS)
def member_remove(request: AccountRequest, pk: int) -> HttpResponse:
    """Take a person out of this account."""
    found = get_object_or_404(queries.members(), pk=pk)
    try:
        services.remove_member(membership_id=pk, actor=request.user)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("member", account_slug=request.account.slug, pk=pk)
    messages.success(request, _("%(name)s is no longer a member.") % {"name": found.name})
    if found.person_id == request.user.pk:
        return redirect("home")
    return redirect("members", account_slug=request.account.slug)


@require_POST
@require_role(ADMINS)
def member_invite(request: AccountRequest, pk: int) -> HttpResponse:
    """Show a new link for a member who is not in yet."""
    found = get_object_or_404(queries.members(), pk=pk)
    try:
        return _link_page(request, services.invite(found))
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("member", account_slug=request.account.slug, pk=pk)


def _around(request: AccountRequest) -> dict[str, Any]:
    list_url = reverse("members", kwargs={"account_slug": request.account.slug})
    return {"section_label": _("Members"), "section_url": list_url, "page_icon": "users", "cancel_url": list_url}
