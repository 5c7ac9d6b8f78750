"""What a vendor may write for a serial, a quantity, a date and a moment: taken, or refused with a sentence.

The documents that come in (`contract.incoming`) pass their values through these, so an adapter hands on what stands in
the payload. Each raises Rejected for what would have to be guessed.
"""

import json
import re
from datetime import date, datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _, gettext_lazy

from channels_sync.contract.errors import Rejected

SHOWN = 60
SERIAL = gettext_lazy("A serial")
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def text(value: Any, what: str | Promise) -> str:
    """A text; `what` begins the sentence about one that is none."""
    if isinstance(value, str):
        return value
    words = {"what": what, **_shown(value)}
    if value is None:
        raise Rejected(_("%(what)s is missing.") % words)
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise Rejected(_("%(what)s came as a number (%(value)s): its leading zeros may be lost.") % words)
    raise Rejected(_("%(what)s came as “%(value)s”, which is no text.") % words)


def serial(value: Any) -> str:
    """A serial number."""
    return text(value, SERIAL)


def pieces(value: Any) -> int:
    """A quantity: a whole number of pieces."""
    return _number(value, _("The quantity “%(value)s” is not a whole number of pieces."))


def position(value: Any) -> int | None:
    """The number of a line, None where there is none."""
    return None if value is None else _number(value, _("The line number “%(value)s” is not a whole number."))


def version(value: Any) -> int:
    """Which version of a document this is."""
    return _number(value, _("The version “%(value)s” is not a whole number."))


def day(value: Any) -> date | None:
    """A date without a time, None where there is none."""
    if value is None or value == "":
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:  # the 31st of a short month
        pass
    raise Rejected(_("“%(value)s” is not a date as in 2027-01-31.") % _shown(value))


def moment(value: Any) -> datetime:
    """A moment, with its time zone."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if isinstance(found, datetime) and found.tzinfo is not None:
        return found
    raise Rejected(
        _("“%(value)s” is not a moment with its time zone, as in 2027-01-31T08:30:00+00:00.") % _shown(value)
    )


def _number(value: Any, refusal: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    raise Rejected(refusal % _shown(value))


def _shown(value: Any) -> dict[str, str]:
    """A value as it stood in the payload, short."""
    shown = value if isinstance(value, str) else json.dumps(value, default=str)
    return {"value": shown[:SHOWN]}
