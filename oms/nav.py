"""The frame around every page: navigation, account switcher, person menu, running jobs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from oms.access import AccountRequest
from oms.errors import Text
from oms.models import ADMINS, EVERYONE, Role
from oms.queries import discrepancies, jobs, people


@dataclass(frozen=True)
class Page:
    """One entry of the navigation; `route` is an account URL, `within` the routes that belong to it.

    `count` says how many things wait there; it is one query on every page, so keep it on an index.
    """

    label: Text
    icon: str
    route: str
    roles: frozenset[Role] = EVERYONE
    within: frozenset[str] = field(default_factory=frozenset)
    count: Callable[[], int] | None = None


NAVIGATION: tuple[tuple[Text, tuple[Page, ...]], ...] = (
    (
        _("Inventory"),
        (
            Page(
                _("SKUs"),
                "box",
                "skus",
                within=frozenset({"sku", "sku_new", "sku_upload", "sku_check", "sku_serial", "sku_numbers", "sku_try"}),
            ),
            Page(
                _("Serials"),
                "barcode",
                "serials",
                within=frozenset({"serial", "serial_history", "serials_find", "serials_found"}),
            ),
            Page(_("Stock"), "layers", "stock"),
        ),
    ),
    (
        _("Replenishment"),
        (
            Page(
                _("Replenishment"),
                "truck",
                "replenishments",
                within=frozenset(
                    {
                        "replenishment",
                        "replenishment_new",
                        "replenishment_lines",
                        "replenishment_lines_csv",
                        "replenishment_lines_check",
                        "replenishment_serials_csv",
                        "replenishment_serials_check",
                        "replenishment_line_lots",
                        "replenishment_edit",
                        "replenishment_duplicate",
                        "replenishment_submit",
                        "replenishment_label_options",
                        "replenishment_generated",
                        "replenishment_line_serials",
                        "replenishment_receipt",
                        "replenishment_receive",
                        "replenishment_serials",
                    }
                ),
            ),
        ),
    ),
    (_("Orders"), (Page(_("Orders"), "cart", "orders", within=frozenset({"order"})),)),
    (
        _("Discrepancies"),
        (
            Page(
                _("Discrepancies"),
                "alert-triangle",
                "discrepancies",
                within=frozenset({"discrepancy", "discrepancy_close", "discrepancy_accept"}),
                count=discrepancies.open_count,
            ),
        ),
    ),
    (
        _("Sync"),
        (
            Page(
                _("Connections"),
                "plug",
                "connections",
                within=frozenset({"connection", "connection_new", "connection_edit"}),
            ),
            Page(_("Messages out"), "upload", "messages_out", within=frozenset({"message_out", "message_out_close"})),
            Page(_("Messages in"), "inbox", "messages_in", within=frozenset({"message_in", "message_in_close"})),
            Page(_("Sync runs"), "sync", "sync_runs"),
        ),
    ),
    (
        _("Settings"),
        (
            Page(_("Members"), "users", "members", within=frozenset({"member", "member_new", "member_remove"})),
            Page(_("Label sheets"), "printer", "label_sheets", roles=ADMINS),
            Page(_("Label prints"), "printer", "label_prints"),
            Page(_("Number schemes"), "hash", "schemes", within=frozenset({"scheme", "scheme_new", "scheme_archive"})),
            Page(_("Audit log"), "history", "audit", roles=ADMINS),
            Page(_("Jobs"), "clock", "jobs", within=frozenset({"job"})),
        ),
    ),
)
"""Section → pages, in order. Only what exists is named; a page that a role may not open is not shown to it."""


def frame(request: HttpRequest) -> dict[str, Any]:
    """The context that base.html needs on every page; two queries for somebody signed in."""
    person = getattr(request, "user", None)
    urls = {"home": reverse("home"), "sign_out": reverse("sign_out")}
    if person is None or not person.is_authenticated:
        return {"urls": urls, "theme": "auto"}
    urls |= {"password": reverse("password"), "appearance": reverse("appearance")}
    found = {"urls": urls, "person": person, "theme": person.theme, "density": person.density}
    if hasattr(request, "membership"):
        found |= _account_frame(request)  # type: ignore[arg-type]
    return found


def _account_frame(request: AccountRequest) -> dict[str, Any]:
    return {
        "account": request.account,
        "accounts": [
            {
                "name": membership.account.name,
                "url": reverse("account_home", kwargs={"account_slug": membership.account.slug}),
                "is_current": membership.account_id == request.account.pk,
            }
            for membership in people.memberships(request.user)
        ],
        "role_label": request.membership.get_role_display(),
        "nav": navigation(request),
        **_tray(request),
    }


def _tray(request: AccountRequest) -> dict[str, Any]:
    """The running and just finished jobs, for ui/_jobs_tray.html; one query."""
    found, address = jobs.open_jobs(request.user), {"account_slug": request.account.slug}
    return {
        "jobs": found,
        "jobs_running": any(job.is_open for job in found),
        "jobs_url": reverse("job_tray", kwargs=address),
        "jobs_all_url": reverse("jobs", kwargs=address),
        "jobs_dismiss_url": reverse("job_dismiss_all", kwargs=address) if any(job.dismiss_url for job in found) else "",
    }


def navigation(request: AccountRequest) -> list[dict[str, Any]]:
    """The sections and pages that this person's role may open."""
    current = request.resolver_match.url_name if request.resolver_match else ""
    sections = []
    for label, pages in NAVIGATION:
        items = [
            {
                "label": page.label,
                "icon": page.icon,
                "url": reverse(page.route, kwargs={"account_slug": request.account.slug}),
                "is_current": current == page.route or current in page.within,
                "count": page.count() if page.count else 0,
            }
            for page in pages
            if request.membership.role in page.roles
        ]
        if items:
            sections.append({"label": label, "icon": pages[0].icon, "items": items})
    return sections
