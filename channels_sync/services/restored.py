"""After a restore Lotline does not know what it sent since the backup: what is open is looked for before it goes."""

from datetime import datetime

from django.db.models.functions import Now
from django.utils.translation import ngettext

from channels_sync.models import Delivery, DeliveryState
from channels_sync.models.messages import OVER
from channels_sync.services.health import PUSH
from oms.dispatch import due
from oms.models import Installation, OutboxMessage
from oms.tenancy import current_account_id
from replenishment.models import Replenishment


def look_first() -> str:
    """Mark the open messages out of the current account, and let those wait that were being sent; what was done."""
    rows = Delivery.objects.exclude(state__in=OVER)
    count = rows.update(look_first=True)
    rows.filter(state=DeliveryState.SENDING).update(state=DeliveryState.WAITING, lease_until=None, next_at=Now())
    if not count:
        return ""
    due(current_account_id(), PUSH)
    words = ngettext(
        "%(count)s message out is looked for at the other side before it is sent.",
        "%(count)s messages out are looked for at the other side before they are sent.",
        count,
    )
    return words % {"count": count}


def may_be_there(message: OutboxMessage, replenishment: Replenishment) -> bool:
    """Whether what a message tells may be there already: it, or its document, is older than the last restore."""
    at = _restored_at()
    return at is not None and min(message.created_at, replenishment.created_at) < at


def is_of_before(message: OutboxMessage) -> bool:
    """Whether a message is older than the last restore: then it may itself have been sent, with its own key."""
    at = _restored_at()
    return at is not None and message.created_at < at


def _restored_at() -> datetime | None:
    found: datetime | None = Installation.objects.values_list("restored_at", flat=True).first()
    return found
