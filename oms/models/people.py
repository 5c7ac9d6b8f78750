"""People, accounts and who may do what in which account. Platform tables: no account owns them."""

from typing import Any, ClassVar
from zoneinfo import available_timezones

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from oms import identity
from oms.models.keys import validate_words

# First path segments that are not accounts; kept in step with oms/urls.py by a test.
RESERVED_SLUGS = frozenset(
    [
        "account",
        "accounts",
        "admin",
        "api",
        "appearance",
        "docs",
        "favicon.ico",
        "healthz",
        "help",
        "hooks",
        "l",
        "login",
        "logout",
        "members",
        "password",
        "people",
        "platform",
        "robots.txt",
        "settings",
        "setup",
        "sign-in",
        "sign-out",
        "static",
        "welcome",
    ]
)


class Role(models.TextChoices):
    """What a person is in one account (product.md, "Who uses it")."""

    ADMIN = "admin", _("Admin")
    OPERATOR = "operator", _("Operator")
    VIEWER = "viewer", _("Viewer")
    WAREHOUSE = "warehouse", _("Warehouse")


EVERYONE = frozenset(Role)
OFFICE = frozenset({Role.ADMIN, Role.OPERATOR})
ADMINS = frozenset({Role.ADMIN})
WAREHOUSE = frozenset({Role.WAREHOUSE})


class Theme(models.TextChoices):
    """How the pages look for one person."""

    AUTO = "auto", _("Like the system")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class Density(models.TextChoices):
    """How tall the rows of tables are for one person."""

    COMFORTABLE = "comfortable", _("Comfortable")
    COMPACT = "compact", _("Compact")


class PersonManager(BaseUserManager["Person"]):
    """Finds people by email, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> "Person":
        """The person with this email. Raises Person.DoesNotExist."""
        return self.get(email=(username or "").strip().lower())

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "Person":
        """A person; without a password they can only get in by an invitation link.

        Raises BadText where the email or the name holds what nobody sees.
        """
        for text in (email, str(fields.get("name", ""))):
            identity.check_words(text)
        person = Person(email=email.strip().lower(), **fields)
        person.set_password(password)
        person.save()
        return person


class Person(AbstractBaseUser):
    """Somebody who signs in; a member of none, one or more accounts."""

    email = models.EmailField(_("email"), max_length=254, unique=True)  # always lower case
    name = models.CharField(_("name"), max_length=120, validators=[validate_words])
    is_active = models.BooleanField(_("may sign in"), default=True)
    theme = models.CharField(_("appearance"), max_length=8, choices=Theme, default=Theme.AUTO)
    density = models.CharField(_("rows"), max_length=12, choices=Density, default=Density.COMFORTABLE)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[PersonManager] = PersonManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="person_email_lower")
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def initials(self) -> str:
        """One or two letters for the round badge."""
        words = (self.name or self.email).split()
        return "".join(word[0] for word in (words[0], *words[1:][-1:])).upper()


def validate_time_zone(value: str) -> None:
    """Accept the name of a time zone that this system knows, such as Europe/Berlin."""
    if value not in available_timezones():
        raise ValidationError(
            _("“%(zone)s” is no time zone. Use a name such as Europe/Berlin."), params={"zone": value}
        )


class Account(models.Model):
    """The tenant: one merchant."""

    name = models.CharField(_("name"), max_length=120, validators=[validate_words])
    slug = models.CharField(
        _("address"),
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$", _("Small letters, digits and dashes only."))],
    )
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(slug__regex=r"^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$")
                & ~models.Q(slug__in=sorted(RESERVED_SLUGS)),
                name="account_slug",
            )
        ]

    def __str__(self) -> str:
        return self.name


class MemberState(models.TextChoices):
    """Whether a person is in an account or was only asked to come."""

    INVITED = "invited", _("Invited")
    JOINED = "joined", _("Joined")


class JoinedManager(models.Manager["Membership"]):
    """The memberships that count. An invitation opens nothing until the person has accepted it."""

    def get_queryset(self) -> models.QuerySet["Membership"]:
        """Those that were accepted."""
        return super().get_queryset().filter(joined_at__isnull=False)


class Membership(models.Model):
    """One person's one role in one account; an invitation until it is accepted.

    Nobody proves that an email is theirs, so an admin alone lets nobody in: somebody else may sign in with that email.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="memberships")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(_("role"), max_length=16, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)
    joined_at = models.DateTimeField(null=True, editable=False)
    last_opened_at = models.DateTimeField(null=True, editable=False)
    # What the account calls a person until they join: how others know them, and whether, is none of its business.
    invited_name = models.CharField(max_length=120, blank=True, editable=False)

    objects: ClassVar[JoinedManager] = JoinedManager()  # first, so that account.memberships are these, too
    with_invited: ClassVar[models.Manager["Membership"]] = models.Manager()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "person"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.get_role_display()})"

    @property
    def name(self) -> str:
        """What the account may call the person; `oms.queries.people.members` says the same in SQL."""
        return (self.invited_name or self.person.email) if self.joined_at is None else str(self.person)

    @property
    def state(self) -> MemberState:
        """Invited or joined."""
        return MemberState.INVITED if self.joined_at is None else MemberState.JOINED


class Warehouse(models.Model):
    """A warehouse that serves one or more accounts; what it holds for each is the account's own (WarehouseLink)."""

    name = models.CharField(_("name"), max_length=120, unique=True, validators=[validate_words])

    class Meta:
        verbose_name = _("warehouse")
        verbose_name_plural = _("warehouses")

    def __str__(self) -> str:
        return self.name
