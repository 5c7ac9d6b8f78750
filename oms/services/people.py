"""Accounts, their members, and signing in."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext_lazy as _

from oms.errors import Conflict, DomainError
from oms.models import Account, Density, Membership, Person, Role, Theme
from oms.services import audit
from oms.tenancy import account_context, current_account_id


class PersonBackend(BaseBackend):
    """Signs people in by email and password."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_kwargs: Any
    ) -> Person | None:
        """The person, or None; takes as long for an unknown email as for a wrong password."""
        if not username or password is None:
            return None
        person = Person.objects.filter(email=username.strip().lower()).first()
        if person is None:
            make_password(password)
            return None
        return person if person.check_password(password) and person.is_active else None

    def get_user(self, user_id: int) -> Person | None:
        """The person of a session, unless they may not sign in any more."""
        return Person.objects.filter(pk=user_id, is_active=True).first()


def signing_in_as(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """Whom a sign-in is counted for (django-axes): the email as `PersonBackend` reads it, so that no spelling of it
    starts a new count.
    """
    typed = (credentials or {}).get("username") or request.POST.get("username") or ""
    return str(typed).strip().lower()[:254]


@transaction.atomic
def create_account(*, name: str, slug: str, admin: Person, time_zone: str = "UTC") -> Account:
    """Open an account with its first admin. Raises DomainError where the address is taken or not usable."""
    account = Account(name=name, slug=slug, time_zone=time_zone)
    try:
        account.full_clean()
    except ValidationError as error:
        raise DomainError(" ".join(error.messages)) from error
    account.save()
    Membership.objects.create(account=account, person=admin, role=Role.ADMIN)
    with account_context(account):
        audit.record(actor=admin, action="create", kind="account", object_id=account.pk, label=name)
    return account


@dataclass(frozen=True)
class Invitation:
    """A new member; `path` is where a person who never signed in chooses a password, empty for who can sign in."""

    membership: Membership
    uid: str = ""
    token: str = ""


@transaction.atomic
def add_member(*, email: str, name: str, role: Role, actor: Person | None) -> Invitation:
    """Make somebody a member of the current account, and a person first where the email is new.

    Raises DomainError where they are a member already, or were invited by another account and have not chosen a
    password yet: with a link of this account somebody here would choose it, and be that person there.
    """
    person = Person.objects.filter(email=email.strip().lower()).first()
    if person is not None and _is_somebody_elses(person):
        raise DomainError(
            _("%(email)s was invited by another account and has not chosen a password yet. Add them once they have.")
            % {"email": person.email}
        )
    if person is None:
        try:
            with transaction.atomic():
                person = Person.objects.create_user(email, name=name)
        except IntegrityError as error:
            raise Conflict(_("Somebody added this person a moment ago. Try again.")) from error
    membership, is_new = Membership.objects.get_or_create(
        account_id=current_account_id(), person=person, defaults={"role": role}
    )
    if not is_new:
        raise DomainError(_("%(email)s is a member already. Change the role in the list.") % {"email": person.email})
    _record(actor, "add", membership, {"role": (None, role.value)})
    if person.has_usable_password():
        return Invitation(membership)
    return invite(membership)


def invite(membership: Membership) -> Invitation:
    """A link's parts for a member who has no password yet. Raises DomainError for one who has."""
    person = membership.person
    if person.has_usable_password():
        raise DomainError(_("%(name)s has a password already.") % {"name": person})
    if _is_somebody_elses(person):
        raise DomainError(_("%(name)s was invited by another account, too: the link is theirs.") % {"name": person})
    return Invitation(
        membership, urlsafe_base64_encode(force_bytes(person.pk)), default_token_generator.make_token(person)
    )


def _is_somebody_elses(person: Person) -> bool:
    """Nobody has chosen this person's password yet, and another account than the current one wants to let them in."""
    others = Membership.objects.filter(person=person).exclude(account_id=current_account_id())
    return not person.has_usable_password() and others.exists()


@transaction.atomic
def change_role(*, membership_id: int, role: Role, actor: Person) -> Membership:
    """Give a member of the current account another role. Raises DomainError for the last admin."""
    membership = _locked(membership_id)
    before = Role(membership.role)
    if before == role:
        return membership
    if before == Role.ADMIN:
        _refuse_last_admin(membership)
    membership.role = role
    membership.save(update_fields=["role"])
    _record(actor, "change", membership, {"role": (before.value, role.value)})
    return membership


@transaction.atomic
def remove_member(*, membership_id: int, actor: Person) -> Membership:
    """Take a person out of the current account; the person stays. Raises DomainError for the last admin."""
    membership = _locked(membership_id)
    if membership.role == Role.ADMIN:
        _refuse_last_admin(membership)
    _record(actor, "remove", membership, {"role": (membership.role, None)})
    membership.delete()
    person = membership.person
    if not person.has_usable_password():  # no link that was shown here opens anything any more
        person.set_unusable_password()
        person.save(update_fields=["password"])
    return membership


def open_account(membership: Membership) -> None:
    """Remember when a person last opened an account; the newest is opened after signing in."""
    Membership.objects.filter(pk=membership.pk).update(last_opened_at=timezone.now())


def set_appearance(*, person: Person, theme: Theme | None = None, density: Density | None = None) -> None:
    """Remember how the pages look for a person; None leaves a choice as it is."""
    chosen = {"theme": theme, "density": density}
    Person.objects.filter(pk=person.pk).update(**{name: value for name, value in chosen.items() if value is not None})


def _locked(membership_id: int) -> Membership:
    """The membership, if it is of the current account, and its account locked against a second change of members."""
    account = Account.objects.select_for_update().get(pk=current_account_id())
    return Membership.objects.select_related("person").get(pk=membership_id, account=account)


def _refuse_last_admin(membership: Membership) -> None:
    others = Membership.objects.filter(account_id=membership.account_id, role=Role.ADMIN).exclude(pk=membership.pk)
    if not others.filter(person__is_active=True).exists():
        raise DomainError(_("An account needs an admin. Make somebody else an admin first."))


def _record(actor: Person | None, action: str, membership: Membership, changes: audit.Changes) -> None:
    audit.record(
        actor=actor,
        action=action,
        kind="member",
        object_id=membership.pk,
        label=f"{membership.person} <{membership.person.email}>",
        changes=changes,
    )
