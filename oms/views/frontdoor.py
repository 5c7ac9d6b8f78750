"""Pages outside any account: signing in, choosing an account, the person's own settings, health."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, views as auth
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from oms.access import AccountRequest, require_role
from oms.dispatch import last_dispatch
from oms.errors import DomainError
from oms.models import EVERYONE, Density, Person, Theme
from oms.numbers import whole_number
from oms.queries.people import last_opened, membership_to_choose_by, memberships
from oms.services import guessing, people


class RefusedMixin:
    """Answers 422 where the form is not valid."""

    def form_invalid(self, form: Any) -> HttpResponse:
        """The page again, with what is wrong."""
        response: HttpResponse = super().form_invalid(form)  # type: ignore[misc]
        response.status_code = 422
        return response


class SignInForm(AuthenticationForm):
    """Email and password; which of them is wrong is not said."""

    error_messages = {  # noqa: RUF012
        **AuthenticationForm.error_messages,
        "invalid_login": gettext_lazy("This email and password do not belong together."),
    }


class PasswordForm(PasswordChangeForm):
    """The old password and a new one, twice."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        """The old password; guessing it counts as guessing at the sign-in page does."""
        old: str = self.cleaned_data["old_password"]
        if authenticate(self.request, username=self.user.email, password=old) is None:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return old


class SignIn(RefusedMixin, auth.LoginView):
    """The sign-in page."""

    form_class = SignInForm
    template_name = "people/sign_in.html"
    redirect_authenticated_user = True
    extra_context: dict[str, Any] = {"page_title": gettext_lazy("Sign in")}  # noqa: RUF012

    def form_valid(self, form: Any) -> HttpResponse:
        """Signed in, and known to this browser."""
        response = super().form_valid(form)
        guessing.remember(self.request, response, form.get_user())
        return response


def locked_out(request: HttpRequest, _response: HttpResponse | None, credentials: Any = None) -> HttpResponse:
    """429 in the place of an answer to a password that was not looked at; django-axes asks for it."""
    is_person = guessing.GuessHandler().is_person_locked(request, credentials)
    wait = settings.AXES_COOLOFF_TIME * 3600 if is_person else guessing.PAUSE.total_seconds()
    context = {"page_title": _("Too many wrong passwords"), "pause": 0 if is_person else int(wait)}
    response = render(request, "people/locked_out.html", context, status=429)
    response["Retry-After"] = f"{wait:.0f}"
    return response


class Password(RefusedMixin, auth.PasswordChangeView):
    """Change the own password; other sessions of the person end."""

    form_class = PasswordForm
    template_name = "people/password.html"
    success_url = reverse_lazy("home")
    extra_context: dict[str, Any] = {"page_title": gettext_lazy("Change password")}  # noqa: RUF012

    def get_form_kwargs(self) -> dict[str, Any]:
        """Guesses are counted by request."""
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        """Save and say so."""
        messages.success(self.request, _("Your password is changed. Other browsers were signed out."))
        return super().form_valid(form)


@method_decorator(never_cache, name="dispatch")
class Welcome(RefusedMixin, auth.PasswordResetConfirmView):
    """Where an invited person chooses the first password."""

    template_name = "people/welcome.html"
    success_url = reverse_lazy("sign_in")
    extra_context: dict[str, Any] = {"page_title": gettext_lazy("Welcome to Lotline")}  # noqa: RUF012

    def get_user(self, uidb64: str) -> Person | None:
        """The invited person. What Django's view calls so is the number of the membership; old links had another."""
        pk = whole_number(uidb64)
        found = None if pk is None else membership_to_choose_by(pk)
        if found is None:
            return None
        self.membership = found
        self.token_generator = people.FirstPasswordTokens(found)
        return found.person

    def form_valid(self, form: Any) -> HttpResponse:
        """Save, which lets the person into the account that invited them, and lead to the sign-in page."""
        try:
            people.choose_password(membership=self.membership, password=form.cleaned_data["new_password1"])
        except DomainError as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)
        del self.request.session[auth.INTERNAL_RESET_SESSION_TOKEN]
        messages.success(self.request, _("Your password is set. Sign in with it."))
        return HttpResponseRedirect(self.get_success_url())


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The account that was open last; a choice where there are several; what to do where there is none."""
    person: Person = request.user  # type: ignore[assignment]
    membership = last_opened(person)
    if membership is not None:
        return redirect("account_home", account_slug=membership.account.slug)
    return choose_account(request)


@require_safe
def choose_account(request: HttpRequest) -> HttpResponse:
    """The person's accounts, or the page that says there is none and what to do."""
    person: Person = request.user  # type: ignore[assignment]
    accounts = [
        {
            "name": membership.account.name,
            "url": reverse("account_home", kwargs={"account_slug": membership.account.slug}),
            "role_label": membership.get_role_display(),
        }
        for membership in memberships(person)
    ]
    if not accounts:
        return render(request, "people/no_account.html", {"page_title": _("No account yet")})
    return render(request, "people/choose_account.html", {"page_title": _("Choose an account"), "accounts": accounts})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Accept the invitation of a link. Somebody else than who is invited learns whom it is for, not into what."""
    person: Person = request.user  # type: ignore[assignment]
    invited = people.invitation(token, person)
    is_own = invited is not None and invited.person_id == person.pk
    if invited is not None and is_own and (request.method == "POST" or invited.joined_at):  # or a second click
        try:
            people.join(membership=invited, person=person)
        except DomainError as error:
            messages.error(request, str(error))
            return redirect("home")
        messages.success(request, _("You are a member of %(account)s now.") % {"account": invited.account})
        return redirect("account_home", account_slug=invited.account.slug)
    context = {"page_title": _("Invitation"), "invited": invited, "is_own": is_own}
    return render(request, "people/join.html", context, status=200 if is_own else 403 if invited else 404)


@require_safe
@require_role(EVERYONE)
def account_home(request: AccountRequest) -> HttpResponse:
    """The first page of an account."""
    people.open_account(request.membership)
    return redirect("skus", account_slug=request.account.slug)


@require_POST
def appearance(request: HttpRequest) -> HttpResponse:
    """Remember light or dark and the height of rows, then go back to `next`, where the person was."""
    theme, density, target = (request.POST.get(name, "") for name in ("theme", "density", "next"))
    people.set_appearance(
        person=request.user,  # type: ignore[arg-type]
        theme=Theme(theme) if theme in Theme else None,
        density=Density(density) if density in Density else None,
    )
    if not target:  # a script, whose page stays
        return HttpResponse(status=204)
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(target if is_ours else reverse("home"))


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while this process can reach its database; 503 (by the error page) while it cannot.

    It also says when the dispatcher last ran: that is no reason to call web unwell, but one to look at the workers.
    """
    last = last_dispatch()
    said = f"{last[0]:%Y-%m-%dT%H:%M:%SZ}, {max(0, round(last[1].total_seconds()))} s ago" if last else "not yet"
    return HttpResponse(f"ok\ndispatched {said}\n", content_type="text/plain")
