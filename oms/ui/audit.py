"""Audit rows in people's words: the labels of fields and choices, as the forms have them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext as _, gettext_lazy

from oms.models import AuditEntry, Bin, Membership, SavedView, Sku, WarehouseLink
from oms.ui.columns import Column, Frame, when

ACTIONS = {
    "create": gettext_lazy("Created"),
    "change": gettext_lazy("Changed"),
    "add": gettext_lazy("Added"),
    "remove": gettext_lazy("Removed"),
    "invite": gettext_lazy("Invited"),
    "join": gettext_lazy("Joined"),
}
MODELS: dict[str, type[Model]] = {
    "sku": Sku,
    "member": Membership,
    "bin": Bin,
    "warehouse": WarehouseLink,
    "view": SavedView,
}


@dataclass(frozen=True)
class Said:
    """One changed field in words; an empty text is nothing."""

    label: str
    before: str
    after: str

    def __str__(self) -> str:
        return (
            f"{self.label}: {self.before} → {self.after or _('nothing')}"
            if self.before
            else f"{self.label}: {self.after}"
        )


def said(entry: AuditEntry) -> Iterator[Said]:
    """The changes of an audit row, field by field."""
    model = MODELS.get(entry.kind)
    for name, (before, after) in entry.changes.items():
        try:
            field = model._meta.get_field(name) if model else None
        except FieldDoesNotExist:
            field = None
        choices = dict(getattr(field, "flatchoices", ()))
        label = str(getattr(field, "verbose_name", name))
        yield Said(
            label[:1].upper() + label[1:], *("" if v in (None, "") else str(choices.get(v, v)) for v in (before, after))
        )


def timeline(entries: Iterable[AuditEntry]) -> list[dict[str, Any]]:
    """Audit rows for components/timeline.html."""
    now = timezone.now()
    return [
        {
            "text": ACTIONS.get(entry.action, entry.action),
            "who": entry.actor or _("Lotline"),
            "when": entry.at,
            "when_text": when(entry.at, now),
            "detail": "; ".join(str(change) for change in said(entry)),
        }
        for entry in entries
    ]


class ActionColumn(Column):
    """What was done, in one word."""

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The word."""
        return escape(ACTIONS.get(value, value))

    def text(self, value: Any, record: Any) -> str:
        """The same for a CSV file."""
        return str(ACTIONS.get(value, value))


class ChangesColumn(Column):
    """Field by field what a change turned into what."""

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """One short line per field, the old value struck through."""
        return "<br>".join(
            f"{escape(change.label)}: "
            + (f"<del>{escape(change.before)}</del> → " if change.before else "")
            + f"<ins>{escape(change.after or _('nothing'))}</ins>"
            for change in said(record)
        )

    def text(self, value: Any, record: Any) -> str:
        """The same for a CSV file."""
        return "; ".join(str(change) for change in said(record))
