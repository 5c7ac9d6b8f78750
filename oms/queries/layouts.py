"""Reads of chosen columns and saved views."""

from django.db import connection
from django.db.models import Q, QuerySet

from oms.models import Membership, Person, Role, SavedView
from oms.tenancy import current_account_id

# Every list asks for it, so it is not put together anew each time.
CHOSEN = "SELECT columns FROM oms_columnchoice WHERE account_id = %s AND person_id = %s AND page = %s"


def chosen_columns(person: Person, page: str) -> list[str]:
    """The columns that a person chose for a list; none where they never did."""
    with connection.cursor() as cursor:
        cursor.execute(CHOSEN, [current_account_id(), person.pk, page])
        found = cursor.fetchone()
    return found[0] if found else []


def visible_views(person: Person, page: str) -> QuerySet[SavedView]:
    """The views of a list that a member may open: their own and the shared ones, by name."""
    rows = SavedView.objects.filter(Q(person=person) | Q(is_shared=True), page=page)
    return rows.select_related("person").order_by("name", "pk")


def changeable_views(membership: Membership) -> QuerySet[SavedView]:
    """The views that a member may change: their own, and for an admin the shared ones too."""
    shared = Q(is_shared=True) if membership.role == Role.ADMIN else Q()
    return SavedView.objects.filter(Q(person_id=membership.person_id) | shared).select_related("person")
