"""Reads of people and their accounts."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Case, CharField, F, QuerySet, Value, When
from django.db.models.functions import Coalesce, NullIf

from oms.models import Account, AuditEntry, Membership, Person, Role
from oms.tenancy import current_account_id


def memberships(person: Person) -> QuerySet[Membership]:
    """A person's memberships with their accounts, by the account's name; none to which they are only invited."""
    return Membership.objects.filter(person=person).select_related("account").order_by("account__name", "pk")


def last_opened(person: Person) -> Membership | None:
    """The membership whose account the person opened last; where none was, the only one, else None."""
    rows = list(memberships(person).order_by(F("last_opened_at").desc(nulls_last=True), "pk")[:2])
    if not rows or (len(rows) > 1 and rows[0].last_opened_at is None):
        return None
    return rows[0]


def members() -> QuerySet[Membership]:
    """The members of the current account with their people, the invited ones too; `shown_name` is Membership.name."""
    invited = Coalesce(NullIf("invited_name", Value("")), "person__email", output_field=CharField())
    rows = Membership.with_invited.filter(account_id=current_account_id()).select_related("person")
    return rows.annotate(shown_name=Case(When(joined_at=None, then=invited), default="person__name"))


def is_admin(person: Person) -> bool:
    """Whether a person is an admin of the current account."""
    return Membership.objects.filter(account_id=current_account_id(), person=person, role=Role.ADMIN).exists()


def membership_to_choose_by(pk: int) -> Membership | None:
    """The membership, of any account, by whose link somebody may choose the first password."""
    return Membership.with_invited.select_related("person").filter(pk=pk).first()


def audit_rows() -> QuerySet[AuditEntry]:
    """Every change of settings, members and SKUs of the account, with who did it."""
    return AuditEntry.objects.through_view().select_related("actor")


def localised(moment: datetime) -> datetime:
    """A moment by the current account's clock; a worker has no person whose zone would be the current one."""
    zone = Account.objects.values_list("time_zone", flat=True).get(pk=current_account_id())
    return moment.astimezone(ZoneInfo(zone))


def local_words(moment: datetime) -> str:
    """A moment for a sentence that is kept, by the current account's clock, with its zone: `2026-11-30 15:00 CET`."""
    return f"{localised(moment):%Y-%m-%d %H:%M %Z}"
