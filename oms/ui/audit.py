"""Audit rows in people's words: the labels of fields and choices, as the forms have them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.utils import timezone
from django.utils.html import escape
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _, gettext_lazy

from oms.errors import Text
from oms.models import AuditEntry, Bin, Membership, SavedView, Sku, WarehouseLink
from oms.ui.columns import Column, Frame, when

ACTIONS = {
    "create": gettext_lazy("Created"),
    "change": gettext_lazy("Changed"),
    "correct": gettext_lazy("Corrected"),
    "keep": gettext_lazy("Kept"),
    "add": gettext_lazy("Added"),
    "remove": gettext_lazy("Removed"),
    "invite": gettext_lazy("Invited"),
    "join": gettext_lazy("Joined"),
    "settle": gettext_lazy("Settled"),
    "accept": gettext_lazy("Accepted"),
    "refuse": gettext_lazy("Refused"),
    "replay": gettext_lazy("Tried again"),
    "read again": gettext_lazy("Read again"),
    "close": gettext_lazy("Closed"),
    "Serials generated": gettext_lazy("Serials generated"),
    "Serials added": gettext_lazy("Serials added"),
    "Lines uploaded": gettext_lazy("Lines uploaded"),
    "Serials removed": gettext_lazy("Serials removed"),
    "Submitted": gettext_lazy("Submitted"),
    "Cancelled": gettext_lazy("Cancelled"),
    "Received": gettext_lazy("Received"),
    "Receipt undone": gettext_lazy("Receipt undone"),
    "Closed short": gettext_lazy("Closed short"),
    "Archived": gettext_lazy("Archived"),
}
KINDS = {
    "account": gettext_lazy("Account"),
    "member": gettext_lazy("Member"),
    "sku": gettext_lazy("SKU"),
    "lot": gettext_lazy("Lot"),
    "warehouse": gettext_lazy("Warehouse"),
    "bin": gettext_lazy("BIN"),
    "discrepancy": gettext_lazy("Discrepancy"),
    "replenishment": gettext_lazy("Replenishment"),
    "connection": gettext_lazy("Connection"),
    "message out": gettext_lazy("Message out"),
    "message in": gettext_lazy("Message in"),
    "view": gettext_lazy("View"),
    "labels": gettext_lazy("Label sheets"),
    "number scheme": gettext_lazy("Number scheme"),
}
FIELDS = {
    "name": gettext_lazy("name"),
    "quantity": gettext_lazy("quantity"),
    "lines": gettext_lazy("lines"),
    "serials": gettext_lazy("serials"),
    "status": gettext_lazy("status"),
    "reason": gettext_lazy("reason"),
    "expiry": gettext_lazy("expiry"),
    "receipt": gettext_lazy("receipt"),
    "units": gettext_lazy("units"),
    "waiting": gettext_lazy("waiting"),
    "system": gettext_lazy("system"),
    "warehouse": gettext_lazy("warehouse"),
    "options": gettext_lazy("passed through"),
    "active": gettext_lazy("active"),
    "sheet": gettext_lazy("sheet"),
    "symbology": gettext_lazy("symbol"),
    "resolver": gettext_lazy("Digital Link begins with"),
    "logo": gettext_lazy("logo"),
    "offsets": gettext_lazy("offsets in mm"),
    "seconds": gettext_lazy("ask every (seconds)"),
    "default bin": gettext_lazy("default bin"),
    "secrets": gettext_lazy("secrets"),
    "since": gettext_lazy("from"),
}
"""What is no field of a model of MODELS."""
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


def _field(kind: str, name: str) -> Any:
    model = MODELS.get(kind)
    try:
        return model._meta.get_field(name) if model else None
    except FieldDoesNotExist:
        return None


def words_of(kind: str, name: str) -> Text:
    """What a changed field of some kind of thing is called; empty where nobody knows it."""
    label: Text = getattr(_field(kind, name), "verbose_name", "") or FIELDS.get(name, "")
    if not label and kind in settings.AUDIT_FIELDS:
        label = import_string(settings.AUDIT_FIELDS[kind])().get(name, "")
    return label


def said(entry: AuditEntry) -> Iterator[Said]:
    """The changes of an audit row, field by field."""
    for name, pair in entry.changes.items():
        choices: dict[Any, Any] = dict(getattr(_field(entry.kind, name), "flatchoices", ()))
        before, after = ("" if value in (None, "") else str(choices.get(value, value)) for value in pair)
        label = str(words_of(entry.kind, name) or name)
        yield Said(label[:1].upper() + label[1:], before, after)


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


class CodeColumn(Column):
    """What was done, or what kind of thing it was done to: the words of a code."""

    def __init__(self, *args: Any, words: Mapping[str, Text], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.words = words

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The words."""
        return escape(self.words.get(value, value))

    def text(self, value: Any, record: Any) -> str:
        """The same for a CSV file."""
        return str(self.words.get(value, value))


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
