"""Accounts, their members, and signing in."""

from dataclasses import dataclass
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, TimestampSigner
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from oms import identity
from oms.errors import Conflict, DomainError
from oms.models import Account, Density, Membership, Person, Role, Theme
from oms.services import audit
from oms.tenancy import account_context, current_account_id

JOINING = TimestampSigner(salt="oms.services.people.join")


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
def create_account(
    *, name: str, slug: str, admin: Person, time_zone: str = "UTC", is_vouched_for: bool = True
) -> Membership:
    """Open an account with its first admin; an account that nobody can open yet gets this admin, too.

    `is_vouched_for`: the caller answers for it that the admin is who they seem, so they need not accept.
    Raises DomainError where the address is taken or not usable.
    """
    account = Account.objects.filter(slug=slug).first()
    if account is None or any(each.person.has_usable_password() for each in account.memberships.all()):
        account = _new_account(name, slug, time_zone)
    given = {"role": Role.ADMIN, "invited_name": "", "joined_at": timezone.now() if is_vouched_for else None}
    membership, _is_new = Membership.with_invited.update_or_create(account=account, person=admin, defaults=given)
    if is_vouched_for and not admin.has_usable_password():
        admin.set_unusable_password()  # another account's link must not choose the password of this one's admin
        admin.save(update_fields=["password"])
    with account_context(account):
        audit.record(actor=admin, action="create", kind="account", object_id=account.pk, label=account.name)
    return membership


def _new_account(name: str, slug: str, time_zone: str) -> Account:
    account = Account(name=name, slug=slug, time_zone=time_zone)
    try:
        account.full_clean()
    except ValidationError as error:
        raise DomainError(" ".join(error.messages)) from error
    account.save()
    return account


@dataclass(frozen=True)
class Invitation:
    """A member who is not in yet, and the page that lets them in: `sets_password`, or they sign in there and join."""

    membership: Membership
    path: str
    sets_password: bool


class FirstPasswordTokens(PasswordResetTokenGenerator):
    """The tokens of one membership with which its person chooses the first password."""

    key_salt = "oms.services.people.FirstPasswordTokens"

    def __init__(self, membership: Membership) -> None:
        super().__init__()
        self.membership_id = membership.pk

    def _make_hash_value(self, user: Person, timestamp: int) -> str:
        return f"{self.membership_id} {super()._make_hash_value(user, timestamp)}"


@transaction.atomic
def add_member(*, email: str, name: str, role: Role, actor: Person | None) -> Invitation:
    """Invite somebody into the current account, and make a person first where the email is new.

    Nobody is in by this alone: who signs in with that email may be an admin of another account, who invited it there.
    Raises DomainError where they are a member or invited already, or a name or an email holds what nobody sees.
    """
    identity.check_words(name)
    person = Person.objects.filter(email=email.strip().lower()).first()
    if person is None:
        try:
            with transaction.atomic():
                person = Person.objects.create_user(email, name=name)
        except IntegrityError as error:
            raise Conflict(_("Somebody added this person a moment ago. Try again.")) from error
    membership, is_new = Membership.with_invited.get_or_create(
        account_id=current_account_id(), person=person, defaults={"role": role, "invited_name": name}
    )
    if not is_new:
        raise DomainError(
            _("%(email)s is a member already, or invited. Change the role in the list.") % {"email": person.email}
        )
    _record(actor, "invite", membership, {"role": (None, role.value)})
    return invite(membership)


def invite(membership: Membership) -> Invitation:
    """The link of a member who is not in yet. Raises DomainError for one who is.

    Where nobody has chosen the person's password, one link does: that of the account which was opened with them last,
    else of the one that invited them first. It accepts the membership of that account and no other. With every other
    link they must sign in before they can join, so that no account makes itself somebody who is in another, and a
    person may be invited by many before they have a password.
    """
    person = membership.person
    memberships = Membership.with_invited.filter(person=person)
    choosing = memberships.order_by(F("joined_at").desc(nulls_last=True), "pk").first()
    if not person.has_usable_password() and membership == choosing:
        return Invitation(membership, first_password_path(membership), sets_password=True)
    if membership.joined_at is not None:
        raise DomainError(_("%(name)s has joined already.") % {"name": person})
    return Invitation(
        membership, reverse("join", kwargs={"token": JOINING.sign(str(membership.pk))}), sets_password=False
    )


def first_password_path(membership: Membership) -> str:
    """Where a member chooses the first password, once; for `invite`, and for who may open accounts."""
    token = FirstPasswordTokens(membership).make_token(membership.person)
    return reverse("welcome", kwargs={"uidb64": membership.pk, "token": token})


@transaction.atomic
def choose_password(*, membership: Membership, password: str) -> None:
    """Set the first password of an invited person, which accepts this membership and no other.

    Raises DomainError where the person, as they were read with the membership, got a password meanwhile or was removed.
    """
    with account_context(membership.account_id):
        found = _locked(membership.pk)
        person = Person.objects.select_for_update().get(pk=found.person_id)
        if person.password != membership.person.password:
            raise DomainError(_("This link was used a moment ago."))
        person.set_password(password)
        person.save(update_fields=["password"])
        _let_in(found)


def invitation(token: str, person: Person) -> Membership | None:
    """The membership that a link to join is of; None where it is forged, too old, taken back or used by another."""
    try:
        pk = JOINING.unsign(token, max_age=settings.PASSWORD_RESET_TIMEOUT)
    except BadSignature:
        return None
    found = Membership.with_invited.select_related("account", "person")
    return found.filter(Q(joined_at=None) | Q(person=person), pk=pk).first()


@transaction.atomic
def join(*, membership: Membership, person: Person) -> None:
    """Accept an invitation. Raises DomainError where it is somebody else's, or was taken back meanwhile."""
    with account_context(membership.account_id):
        found = _locked(membership.pk)
        if found.person_id != person.pk:
            raise DomainError(_("This invitation is for somebody else."))
        _let_in(found)


def _let_in(membership: Membership) -> None:
    if membership.joined_at is None:
        membership.joined_at = timezone.now()
        membership.save(update_fields=["joined_at"])
        _record(membership.person, "join", membership, {"role": (None, membership.role)})


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
    return membership


def open_account(membership: Membership) -> None:
    """Remember when a person last opened an account; the newest is opened after signing in."""
    Membership.objects.filter(pk=membership.pk).update(last_opened_at=timezone.now())


def set_appearance(*, person: Person, theme: Theme | None = None, density: Density | None = None) -> None:
    """Remember how the pages look for a person; None leaves a choice as it is."""
    chosen = {"theme": theme, "density": density}
    Person.objects.filter(pk=person.pk).update(**{name: value for name, value in chosen.items() if value is not None})


def _locked(membership_id: int) -> Membership:
    """The membership, and the current account locked against a second change of members.

    Raises DomainError where the account has no such membership any more.
    """
    account = Account.objects.select_for_update().get(pk=current_account_id())
    found = Membership.with_invited.select_related("person").filter(pk=membership_id, account=account).first()
    if found is None:
        raise DomainError(_("This person is not a member any more."))
    return found


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
        label=f"{membership.name} <{membership.person.email}>",
        changes=changes,
    )


def forgive_the_future() -> None:
    """Wrong passwords that were noted while the clock was ahead would lock somebody out until it is that late."""
    now = timezone.now()
    AccessAttempt.objects.filter(attempt_time__gt=now).update(attempt_time=now)
