"""When work was last handed out: where that is long ago, nothing is sent and no connection is asked."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _, ngettext

from oms.dispatch import last_dispatch
from oms.ui.layouts import Layout
from oms.ui.views import TableView

LATE = timedelta(minutes=2)
"""It is done every two seconds, and noted every few."""


def handed_out(age: timedelta | None) -> str:
    """How long ago, in words."""
    if age is None:
        return _("not yet")
    seconds = max(0, round(age.total_seconds()))
    if age < LATE:
        return ngettext("%(count)s second ago", "%(count)s seconds ago", seconds) % {"count": seconds}
    minutes = seconds // 60
    return ngettext("%(count)s minute ago", "%(count)s minutes ago", minutes) % {"count": f"{minutes:,}"}


def handing_out() -> dict[str, Any]:
    """What a page of the sync says of it: `handed_out`, and a `page_warning` where that is too long ago."""
    last = last_dispatch()
    age = last[1] if last else None
    said: dict[str, Any] = {"handed_out": handed_out(age)}
    if age is None or age >= LATE:
        said["page_warning"] = {
            "title": _("Sending and asking stand still. Nothing is lost."),
            "text": _("Work last handed out: %(when)s. Whoever runs this installation must look at its workers.")
            % {"when": said["handed_out"]},
        }
    return said


class SyncList(TableView):
    """Base of the sync's lists: each says when work was last handed out."""

    def _head(self, layout: Layout | None) -> dict[str, Any]:
        said = handing_out()
        intro = _("Work last handed out: %(when)s.") % {"when": said["handed_out"]}
        return {**super()._head(layout), **said, "list_intro": intro}
