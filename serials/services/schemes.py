"""Changes of number schemes, and of what a SKU says about its numbers."""

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import TextChoices
from django.utils.translation import gettext as _

from oms.errors import Conflict, DomainError
from oms.models import Person, Sku
from oms.services import audit
from serials.models import NumberScheme, SkuNumbering
from serials.numbering.check_characters import Check
from serials.numbering.rules import Rule
from serials.numbering.schemes import Alphabet, Scheme
from serials.services.locks import lock_account

LOOKS = ("prefix", "width", "alphabet", "check_kind")
"""The fields that say what numbers look like; they are fixed once one is given."""
CHOICES: dict[str, type[TextChoices]] = {"alphabet": Alphabet, "check_kind": Check}


class BadField(DomainError):
    """A rule refused one field of a form; `field` is its name, empty for all of it."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class SchemeInput:
    """What an admin says of a scheme; `first_counter` is the counter of its first number."""

    name: str
    scheme: Scheme
    first_counter: int = 1
    is_default: bool = False

    def values(self) -> dict[str, Any]:
        """The fields of the row."""
        return {
            "name": self.name,
            "prefix": self.scheme.prefix,
            "width": self.scheme.width,
            "alphabet": self.scheme.alphabet.value,
            "check_kind": self.scheme.check.value,
            "is_gs1_safe": self.scheme.is_gs1_safe,
            "first_counter": self.first_counter,
        }


@transaction.atomic
def create_scheme(*, given: SchemeInput, actor: Person | None) -> NumberScheme:
    """A new scheme; an account's first one is its default.

    Raises BadField where the name is taken, the first number does not fit, or its numbers could be those of another.
    """
    lock_account()
    row = NumberScheme(**given.values(), next_counter=given.first_counter)
    _check(given, None)
    _save(row, given.is_default or not NumberScheme.objects.filter(is_default=True).exists())
    changes = {name: (None, _said(row, name)) for name in (*given.values(), "is_default")}
    _record(actor, "create", row, changes)
    return row


@transaction.atomic
def change_scheme(*, scheme_id: int, given: SchemeInput, actor: Person | None) -> NumberScheme:
    """Change a scheme. Of one that has given numbers, what they look like stays; else a number could come twice.

    Raises BadField as `create_scheme` does, and where one of those fields would change.
    """
    lock_account()
    row = NumberScheme.objects.select_for_update().get(pk=scheme_id)
    if row.is_archived:
        raise BadField(_("This scheme is archived."), "")
    if row.is_default and not given.is_default:
        raise BadField(_("An account has one default scheme: make another one the default instead."), "is_default")
    values = given.values()
    names = (*values, "is_default")
    before = {name: _said(row, name) for name in names}
    if row.is_used:
        _refuse_other_looks(row, values)
    _check(given, row)
    for name, value in values.items():
        setattr(row, name, value)
    if not row.is_used:
        row.next_counter = given.first_counter
    _save(row, given.is_default)
    changes = {name: (before[name], after) for name in names if (after := _said(row, name)) != before[name]}
    if changes:
        _record(actor, "change", row, changes)
    return row


@transaction.atomic
def archive_scheme(*, scheme_id: int, actor: Person | None) -> NumberScheme:
    """Take a scheme out of use for good; its numbers stay given. SKUs that named it have the default scheme then.

    Raises DomainError for the default scheme.
    """
    lock_account()
    row = NumberScheme.objects.select_for_update().get(pk=scheme_id)
    if row.is_default:
        raise DomainError(_("This is the default scheme: make another one the default first."))
    if not row.is_archived:
        _archive(row, actor)
    return row


@transaction.atomic
def use_up(row: NumberScheme) -> int:
    """Archive a scheme, also the default, of which nobody knows what it gave: all of its numbers count as given.

    SKUs that named it have the default scheme then; returns how many did.
    """
    row.is_default, row.next_counter = False, row.scheme.last + 1
    return _archive(row, None)


def _archive(row: NumberScheme, actor: Person | None) -> int:
    row.is_archived = True
    row.save()
    count = SkuNumbering.objects.filter(scheme=row).update(scheme=None)
    _record(actor, "Archived", row, {"skus": (count, None)} if count else {})
    return count


@transaction.atomic
def set_numbering(*, sku_id: int, scheme_id: int | None, rule: Rule, actor: Person | None) -> SkuNumbering:
    """Say which scheme generates the numbers of a SKU (None: the default) and what it takes from outside.

    Raises DomainError for a scheme that is archived or of another account.
    """
    lock_account()
    sku = Sku.objects.get(pk=sku_id)
    scheme = None
    if scheme_id is not None:
        scheme = NumberScheme.objects.filter(pk=scheme_id, is_archived=False).first()
        if scheme is None:
            raise DomainError(_("This scheme is not in use any more: choose another."))
    row = SkuNumbering.objects.select_related("scheme").filter(sku=sku).first() or SkuNumbering(sku=sku)
    before = (row.scheme.name if row.scheme else None, str(row))
    row.scheme, row.pattern, row.characters = scheme, rule.pattern, rule.characters.value
    row.min_length, row.max_length = rule.min_length, rule.max_length
    row.save()
    after = (scheme.name if scheme else None, str(row))
    pairs = dict(zip(("number_scheme", "number_rule"), zip(before, after, strict=True), strict=True))
    changes = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if changes:
        audit.record(actor=actor, action="change", kind="sku", object_id=sku.pk, label=sku.code, changes=changes)
    return row


def _check(given: SchemeInput, row: NumberScheme | None) -> None:
    if not 1 <= given.first_counter <= given.scheme.last:
        words = _("The first number is from 1 to %(last)s.")
        raise BadField(words % {"last": f"{given.scheme.last:,}"}, "first_counter")
    check_looks(given.scheme, row.pk if row else None)


def check_looks(scheme: Scheme, own_id: int | None) -> None:
    """Raises BadField where numbers of this scheme could be those of one that has another id."""
    for other in NumberScheme.objects.exclude(pk=own_id or 0):
        # An archived scheme that never gave a number stands in nobody's way.
        if (other.is_used or not other.is_archived) and scheme.may_equal(other.scheme):
            words = _("Its numbers could be those of “%(name)s” (%(looks)s). Change the prefix or the width.")
            raise BadField(words % {"name": other.name, "looks": other.scheme}, "prefix")


def _refuse_other_looks(row: NumberScheme, values: dict[str, Any]) -> None:
    for name in (*LOOKS, "first_counter"):
        if getattr(row, name) != values[name]:
            words = _("Numbers of this scheme were given, so what they look like stays. Add another scheme instead.")
            raise BadField(words, name)


def _save(row: NumberScheme, is_default: bool) -> None:  # noqa: FBT001
    """Save a scheme, alone the default if it is to be that."""
    if is_default and not row.is_default:
        NumberScheme.objects.filter(is_default=True).update(is_default=False)
    row.is_default = is_default
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        if "numberscheme_name" in str(error):
            raise BadField(_("There is already a scheme with this name."), "name") from error
        if "numberscheme_default" in str(error):
            raise Conflict(_("Somebody generated the first numbers a moment ago. Try again.")) from error
        raise


def _said(row: NumberScheme, name: str) -> Any:
    """The value of a field for the audit log: choices and switches in words."""
    if name in CHOICES:
        return str(CHOICES[name](getattr(row, name)).label)
    value = getattr(row, name)
    return str(_("yes") if value else _("no")) if isinstance(value, bool) else value


def _record(actor: Person | None, action: str, row: NumberScheme, changes: audit.Changes) -> None:
    audit.record(actor=actor, action=action, kind="number scheme", object_id=row.pk, label=row.name, changes=changes)
