"""Every way into an account: web requests, Celery tasks, management commands and streaming answers.

A view under `/<account>/…` declares the roles that may use it with `require_role`; a view that declares none does not
run. The account of the address, the person's membership and the transaction are in place before the view is called;
a view that waits for another system declares it with `waits_outside` and is called without the transaction.
"""

from argparse import ArgumentParser
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Generic, TypeVar

from celery import Task
from django import forms
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from oms.models import Account, Membership, Person, Role
from oms.models.keys import KeyField
from oms.tenancy import AccountModel, account_context, has_account

SLUG = "account_slug"
View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class AccountRequest(HttpRequest):
    """A request inside an account: what views under `/<account>/…` receive."""

    user: Person
    account: Account
    membership: Membership
    htmx: HtmxDetails

    @property
    def role(self) -> Role:
        """What the person is in this account."""
        return Role(self.membership.role)


def require_role(roles: Collection[Role], *, write: Collection[Role] | None = None) -> Callable[[View], View]:
    """Name the roles that may call a view of an account; `write` names fewer for anything but GET and HEAD."""

    def declare(view: View) -> View:
        view.roles = frozenset(roles)  # type: ignore[attr-defined]
        view.write_roles = frozenset(roles if write is None else write)  # type: ignore[attr-defined]
        return view

    return declare


def waits_outside(view: View) -> View:
    """Call a view of an account outside of its transaction, because it waits for another system.

    Who may call it is checked as ever, but no account is current: the view enters `account_context(request.account)`
    for what it reads or writes, each time a transaction of its own that no later failure takes back, and calls
    `give_back_connection` before it waits. Its answer is rendered outside too.
    """
    view.is_outside = True  # type: ignore[attr-defined]
    return view


def give_back_connection() -> None:
    """Let others have this request's database connection; the next query takes one again.

    Raises RuntimeError inside an account: nobody waits for a network with a transaction open.
    """
    if has_account():
        raise RuntimeError("Leave the account before you wait for another system.")
    if not connection.in_atomic_block:  # true only in a test that runs in one transaction
        connection.close()


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of a page; where it restores its history it wants the whole."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.history_restore_request


def ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    """The answer to nobody: the sign-in page, which leads back here.

    What was typed into a form must not be lost with the session: its sender gets 401 and a page that holds it, to be
    sent again. A script that wants a part of a page gets 401 too: it would show the sign-in page in the place of it.
    """
    if wants_part(request) or "X-Requested-With" in request.headers:
        return HttpResponse(_("You have been signed out."), status=401, content_type="text/plain; charset=utf-8")
    if request.method in {"GET", "HEAD"}:
        return redirect_to_login(request.get_full_path())
    if set(request.POST) | set(request.FILES) <= {"csrfmiddlewaretoken"}:
        return redirect_to_login("/")
    fields = [(name, value) for name, values in request.POST.lists() for value in values]
    context = {
        "fields": [field for field in fields if field[0] != "csrfmiddlewaretoken"],
        "action": request.get_full_path(),
        "page": request.headers.get("Referer", ""),
        "has_files": bool(request.FILES),
    }
    return HttpResponse(render_to_string("errors/401.html", context), status=401)


class SignInMiddleware(LoginRequiredMiddleware):
    """Every page asks to sign in, unless its view says that it needs nobody."""

    def handle_no_permission(self, request: HttpRequest, view_func: Callable[..., Any]) -> HttpResponse:  # type: ignore[override]
        """See `ask_to_sign_in`."""
        return ask_to_sign_in(request)


class AccountMiddleware:
    """Opens the account that the address names, around the view and the rendering of its answer.

    Nobody signed in: the sign-in page. Not a member, or no such account: 404, which is the same for both. A role that
    the view does not allow: 403. An answer of 500 or an exception rolls everything back. A view that is declared with
    `waits_outside` is checked in the same way, and then called without account and transaction.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer, made inside the account's transaction if the address has an account."""
        with ExitStack() as stack:
            request.account_stack = stack  # type: ignore[attr-defined]
            request.has_failed = False  # type: ignore[attr-defined]
            response = self.get_response(request)
            has_failed = request.has_failed or response.status_code >= 500  # type: ignore[attr-defined]
            if has_failed and has_account():
                transaction.set_rollback(True)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Enter the account of the address, or answer instead of the view."""
        if SLUG not in kwargs:
            return None
        slug = kwargs.pop(SLUG)
        if not request.user.is_authenticated:
            return ask_to_sign_in(request)
        roles = getattr(view, "roles" if request.method in {"GET", "HEAD"} else "write_roles", None)
        if roles is None:
            raise ImproperlyConfigured(f"{view.__module__}.{view.__qualname__} declares no roles: use @require_role.")
        membership = (
            Membership.objects.select_related("account").filter(account__slug=slug, person_id=request.user.pk).first()
        )
        if membership is None:
            raise Http404
        request.account, request.membership = membership.account, membership  # type: ignore[attr-defined]
        if membership.role not in roles:
            raise PermissionDenied(
                _("Your role in this account (%(role)s) may not do this.") % {"role": membership.get_role_display()}
            )
        stack: ExitStack = request.account_stack  # type: ignore[attr-defined]
        if not getattr(view, "is_outside", False):
            stack.enter_context(account_context(membership.account))
        stack.enter_context(timezone.override(membership.account.time_zone))
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Mark the request, so that nothing half-done is committed whatever page the error becomes."""
        request.has_failed = True  # type: ignore[attr-defined]


def stream_in_account(account: Account | int, rows: Callable[[], Iterable[str | bytes]]) -> Iterator[str | bytes]:
    """The pieces of a streaming answer, made inside the account: the middleware has left it when they are sent."""
    with account_context(account):
        yield from rows()


class AccountTask(Task):  # type: ignore[type-arg]
    """Base of every Celery task that touches account data; its first argument is the account's id.

    It checks that the account exists and hands the id on; the body enters `account_context(account_id)` itself, because
    a task that talks to a remote system must not hold a transaction meanwhile.
    """

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body for an account that exists; one that is gone is not retried."""
        account_id = kwargs.get("account_id", args[0] if args else None)
        if not isinstance(account_id, int) or not Account.objects.filter(pk=account_id).exists():
            raise ValueError(f"{self.name} needs the id of an account first, not {account_id!r}.")
        return super().__call__(*args, **kwargs)


class AccountCommand(BaseCommand):
    """Base of management commands that work in one account: `--account SLUG` is required."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --account."""
        parser.add_argument("--account", required=True, metavar="SLUG", help="the account's address, as in its pages")

    def handle(self, *args: Any, **options: Any) -> None:
        """Enter the account and call `handle_account`."""
        slug = options.pop("account")
        account = Account.objects.filter(slug=slug).first()
        if account is None:
            raise CommandError(f"There is no account at {slug!r}.")
        with account_context(account):
            self.handle_account(account, **options)

    def handle_account(self, account: Account, **options: Any) -> None:
        """What the command does; runs in one transaction inside the account."""
        raise NotImplementedError


ModelT = TypeVar("ModelT", bound=AccountModel)


class AccountForm(forms.ModelForm, Generic[ModelT]):  # type: ignore[type-arg]  # ModelForm is generic in stubs only
    """A model form inside an account: uniqueness within the account is a form error, not a failure on saving."""

    instance: ModelT

    def __init__(self, *args: Any, account: Account, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.account_id is None:  # a row of another account keeps it, so that saving it is refused
            self.instance.account_id = account.pk

    def _get_validation_exclusions(self) -> set[str]:
        keys = {field.name for field in self.instance._meta.local_fields if isinstance(field, KeyField)}
        return super()._get_validation_exclusions() - {"account"} - keys  # type: ignore[misc,no-any-return]
