"""Choosing columns, and saving views. What is shared with the account is in its audit log."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from oms.errors import DomainError
from oms.models import ColumnChoice, Person, SavedView
from oms.services import audit

LONGEST = 4_000
MOST_VIEWS = 50  # of one person and list; more are no choice any more


def choose_columns(*, person: Person, page: str, columns: Sequence[str]) -> None:
    """Remember which columns a person wants to see on a list; none is the list as it comes."""
    if columns:
        ColumnChoice.objects.update_or_create(person=person, page=page, defaults={"columns": list(columns)})
    else:
        ColumnChoice.objects.filter(person=person, page=page).delete()


@transaction.atomic
def save_view(
    *, person: Person, page: str, name: str, query: str, columns: Sequence[str], is_shared: bool
) -> SavedView:
    """A new view. Raises DomainError where the person has one of this name, or MOST_VIEWS of this list."""
    if SavedView.objects.filter(person=person, page=page).count() >= MOST_VIEWS:
        raise DomainError(_("You have %(count)d views of this list: delete one of them first.") % {"count": MOST_VIEWS})
    view = SavedView(person=person, page=page, name=name, query=query, columns=list(columns), is_shared=is_shared)
    _save(view)
    if is_shared:
        _record(person, "create", view, {"name": (None, name)})
    return view


@transaction.atomic
def change_view(*, view: SavedView, actor: Person, **changes: Any) -> None:
    """Give a view another name, query, columns or audience. Raises DomainError as `save_view` does."""
    before = _facts(view)
    for field, value in changes.items():
        setattr(view, field, value)
    _save(view)
    after = _facts(view)
    changed = {field: (before[field], after[field]) for field in before if before[field] != after[field]}
    if changed and (before["is_shared"] or after["is_shared"]):
        _record(actor, "change", view, changed)


@transaction.atomic
def delete_view(*, view: SavedView, actor: Person) -> None:
    """Delete a view; what it showed stays."""
    if view.is_shared:
        _record(actor, "remove", view, {"name": (view.name, None)})
    view.delete()


def _save(view: SavedView) -> None:
    if len(view.query) > LONGEST:
        raise DomainError(_("These filters are too long to be saved."))
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as error:
        raise DomainError(_("There is a view called “%(name)s” already.") % {"name": view.name}) from error


def _facts(view: SavedView) -> dict[str, Any]:
    columns = ", ".join(view.columns)
    return {"name": view.name, "query": view.query, "columns": columns, "is_shared": view.is_shared}


def _record(actor: Person, action: str, view: SavedView, changes: audit.Changes) -> None:
    audit.record(actor=actor, action=action, kind="view", object_id=view.pk, label=view.name, changes=changes)
