"""No wait that was stored is longer than it can be: a clock that was a day ahead once must stop nothing.

Waits are moments, because they must outlive every process. A moment that was written while a clock was wrong lies too
far off; it is cut to the longest that such a wait can be from now. Done for each account at every start and every hour.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from oms import outbox
from oms.models import Job, OutboxMessage
from oms.tenancy import account_context


def cut_waits(account_id: int) -> None:
    """Call what settings.WAIT_CUTTERS names, inside the account."""
    with account_context(account_id):
        for path in settings.WAIT_CUTTERS:
            import_string(path)()


def cut_own() -> None:
    """The leases of jobs, and what waits in the outbox."""
    lease = Now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)
    Job.objects.filter(lease_until__gt=lease).update(lease_until=lease)
    wait = Now() + outbox.LONGEST_WAIT
    OutboxMessage.objects.filter(next_at__gt=wait, done_at=None).update(next_at=wait)
