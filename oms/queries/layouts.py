"""Reads of chosen columns and saved views."""

from django.db.models import Q, QuerySet

from oms.models import ColumnChoice, Membership, Person, Role, SavedView


def chosen_columns(person: Person, page: str) -> list[str]:
    """The columns that a person chose for a list; none where they never did."""
    found = ColumnChoice.objects.filter(person=person, page=page).order_by().values_list("columns", flat=True)
    return next(iter(found), [])


def visible_views(person: Person, page: str) -> QuerySet[SavedView]:
    """The views of a list that a member may open: their own and the shared ones, by name."""
    rows = SavedView.objects.filter(Q(person=person) | Q(is_shared=True), page=page)
    return rows.select_related("person").order_by("name", "pk")


def changeable_views(membership: Membership) -> QuerySet[SavedView]:
    """The views that a member may change: their own, and for an admin the shared ones too."""
    shared = Q(is_shared=True) if membership.role == Role.ADMIN else Q()
    return SavedView.objects.filter(Q(person_id=membership.person_id) | shared).select_related("person")
