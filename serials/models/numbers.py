"""Number schemes, and which of them a SKU has."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from oms.models import Sku
from oms.models.keys import KeyField, validate_identity
from oms.tenancy import AccountKey, AccountModel
from serials.numbering import LONGEST, schemes
from serials.numbering.check_characters import Check
from serials.numbering.rules import LONGEST_PATTERN, Characters, Rule


class SchemeState(models.TextChoices):
    """What the list says of a scheme."""

    DEFAULT = "default", _("Default")
    LIVE = "live", _("In use")
    LOW = "low", _("Runs out soon")
    ARCHIVED = "archived", _("Archived")


class NumberScheme(AccountModel):
    """How generated serials of an account look, and the next counter; blocks are taken by one UPDATE … RETURNING.

    Once a number is given (`next_counter` is past `first_counter`) what numbers look like never changes, and the row is
    archived, never deleted: no number is given twice.
    """

    name = models.CharField(_("Name"), max_length=80, default="Standard", validators=[validate_identity])
    name_key = KeyField(of="name")
    prefix = models.CharField(_("Prefix"), max_length=schemes.LONGEST_PREFIX, blank=True, default="SN")
    width = models.PositiveSmallIntegerField(_("Counter width"), default=8)
    alphabet = models.CharField(
        _("Characters of the counter"), max_length=40, choices=schemes.Alphabet, default=schemes.Alphabet.DIGITS
    )
    check_kind = models.CharField(_("Check character"), max_length=16, choices=Check, default=Check.NONE)
    is_gs1_safe = models.BooleanField(_("GS1-safe"), default=False)
    first_counter = models.BigIntegerField(_("First number"), default=1)
    next_counter = models.BigIntegerField(_("Next number"), default=1)
    is_default = models.BooleanField(_("Default"), default=False)
    is_archived = models.BooleanField(_("Archived"), default=False)

    class Meta(AccountModel.Meta):
        verbose_name = _("number scheme")
        verbose_name_plural = _("number schemes")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "name_key"], name="numberscheme_name"),
            models.UniqueConstraint(
                fields=["account"], condition=models.Q(is_default=True), name="numberscheme_default"
            ),
            models.CheckConstraint(
                condition=models.Q(next_counter__gte=models.F("first_counter"), first_counter__gte=1),
                name="numberscheme_counter",
            ),
            models.CheckConstraint(
                condition=models.Q(is_default=False) | models.Q(is_archived=False), name="numberscheme_default_is_live"
            ),
            models.CheckConstraint(
                condition=models.Q(alphabet__in=schemes.Alphabet.values), name="numberscheme_alphabet"
            ),
            models.CheckConstraint(condition=models.Q(check_kind__in=Check.values), name="numberscheme_check"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def scheme(self) -> schemes.Scheme:
        """What its numbers look like."""
        return schemes.Scheme(
            prefix=self.prefix,
            width=self.width,
            alphabet=schemes.Alphabet(self.alphabet),
            check=Check(self.check_kind),
            is_gs1_safe=self.is_gs1_safe,
        )

    @property
    def is_used(self) -> bool:
        """Numbers of it were given."""
        return self.next_counter > self.first_counter

    @property
    def looks(self) -> str:
        """What its numbers look like, as a pattern."""
        return str(self.scheme)

    @property
    def state(self) -> "SchemeState":
        """Where it is in its life."""
        if self.is_archived:
            return SchemeState.ARCHIVED
        if self.is_low:
            return SchemeState.LOW
        return SchemeState.DEFAULT if self.is_default else SchemeState.LIVE

    @property
    def left(self) -> int:
        """How many numbers it has left."""
        return self.scheme.left(self.next_counter)

    @property
    def is_low(self) -> bool:
        """It runs out soon, and is still in use."""
        return not self.is_archived and self.scheme.is_low(self.next_counter)


class SkuNumbering(AccountModel):
    """The numbers of one SKU: the scheme that generates them, else the account's default, and the rule for those from
    outside. A SKU without such a row has the default scheme and takes every number.
    """

    sku = AccountKey(Sku, on_delete=models.PROTECT, related_name="numberings")
    scheme = AccountKey(NumberScheme, on_delete=models.PROTECT, null=True, related_name="numberings")
    min_length = models.PositiveSmallIntegerField(_("Shortest"), default=1)
    max_length = models.PositiveSmallIntegerField(_("Longest"), default=LONGEST)
    characters = models.CharField(_("Characters"), max_length=16, choices=Characters, default=Characters.ANY)
    pattern = models.CharField(_("Regular expression"), max_length=LONGEST_PATTERN, blank=True)

    class Meta(AccountModel.Meta):
        verbose_name = _("numbers of a SKU")
        verbose_name_plural = _("numbers of SKUs")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "sku"], name="skunumbering_sku"),
            models.CheckConstraint(
                condition=models.Q(characters__in=Characters.values), name="skunumbering_characters"
            ),
            models.CheckConstraint(
                condition=models.Q(min_length__gte=1, max_length__gte=models.F("min_length"), max_length__lte=LONGEST),
                name="skunumbering_length",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "scheme"], name="skunumbering_by_scheme")]

    def __str__(self) -> str:
        return str(self.rule)

    @property
    def rule(self) -> Rule:
        """The rule for numbers from outside."""
        return Rule(self.min_length, self.max_length, Characters(self.characters), self.pattern)
