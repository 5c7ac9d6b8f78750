"""A clock that was a day ahead once stops nothing: what was written then is cut to the longest that it can be."""

from datetime import timedelta
from functools import partial

import pytest
from axes.models import AccessAttempt
from django.apps import apps
from django.core.management import call_command
from django.db.models import DateTimeField
from django.utils import timezone

from oms import jobs, outbox
from oms.models import Job, JobState, OutboxMessage
from oms.services import people
from oms.tasks import cut_waits
from oms.tenancy import account_context

DAY = timedelta(days=1)
WAITS = {
    "channels_sync.connection.asked_until",
    "channels_sync.connection.resting_until",
    "channels_sync.cursor.next_at",
    "channels_sync.delivery.lease_until",
    "channels_sync.delivery.next_at",
    "oms.job.lease_until",
    "oms.outboxmessage.next_at",
}


def test_every_stored_wait_is_known_here():
    """A new one needs a line in a function that settings.WAIT_CUTTERS names."""
    ends = ("_until", "next_at")
    found = {
        f"{model._meta.label_lower}.{field.name}"
        for model in apps.get_models()
        if model.__module__.partition(".")[0] in {"oms", "serials", "replenishment", "channels_sync"}
        for field in model._meta.get_fields()
        if isinstance(field, DateTimeField) and field.name.endswith(ends)
    }
    assert found == WAITS


def test_leases_and_waits_are_cut_to_what_they_can_be(account_a, settings):
    soon = timezone.now() + timedelta(seconds=5)
    with account_context(account_a):
        job = jobs.start("ui.export", "Export", {}, person=None)
        far, near = timezone.now() + DAY, timezone.now() + timedelta(seconds=2)
        Job.objects.update(state=JobState.RUNNING, lease_until=far)
        messages = [outbox.publish("connection.serves", f"a:{n}", {}) for n in range(3)]
        for message, at in zip(messages, (far, near, None), strict=True):
            OutboxMessage.objects.filter(pk=message.pk).update(next_at=at)
    cut_waits(account_a.pk)
    with account_context(account_a):
        assert Job.objects.get(pk=job.pk).lease_until <= soon + timedelta(seconds=settings.JOB_LEASE_SECONDS)
        found = [OutboxMessage.objects.get(pk=message.pk).next_at for message in messages]
    assert found[0] <= soon + timedelta(hours=1)
    assert found[1:] == [near, None], "what is near is left as it is"


@pytest.mark.parametrize(
    "mend",
    [people.forgive_the_future, partial(call_command, "prepare", no_demo=True, no_static=True)],
    ids=["hourly", "at the start"],
)
@pytest.mark.commits("the command asks as the owner, too")
def test_a_lock_after_wrong_passwords_does_not_last_until_a_day_that_was_never_there(mend):
    noted = AccessAttempt.objects.create(username="ana", ip_address="192.0.2.1", failures_since_start=10)
    AccessAttempt.objects.filter(pk=noted.pk).update(attempt_time=timezone.now() + DAY)
    mend()
    assert AccessAttempt.objects.get(pk=noted.pk).attempt_time <= timezone.now()
