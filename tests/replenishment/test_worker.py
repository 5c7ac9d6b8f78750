"""Generating and submitting 50,000 serials by a real worker that is killed (-9) when all but the end is done."""

import os
import signal
from contextlib import contextmanager

import pytest
from django.db import connections, transaction

from oms import jobs
from oms.celery import app
from oms.models import AuditEntry, Due, Job, JobState
from oms.tenancy import account_context
from replenishment.models import PlannedSerial, PlannedState, Replenishment, ReplenishmentLine
from serials.models import Unit, UnitEvent
from tests import worker_process
from tests.factories import make_serialized_sku
from tests.replenishment.factories import make_replenishment
from tests.worker_process import wait_until

pytestmark = [pytest.mark.commits("another process looks at the rows"), pytest.mark.xdist_group("worker")]
worker = worker_process.worker
COUNT = 50_000
AUDIT = AuditEntry._meta.db_table


@pytest.fixture(autouse=True)
def nothing_is_left_due(worker):
    yield
    # The next test begins by emptying the tables: not while somebody works on them.
    wait_until(lambda: not Due.objects.filter(kind="outbox").exists(), what="the outbox is looked after")


@contextmanager
def audit_held():
    """Nobody writes audit rows, which is the last that these jobs do; inside, whether somebody waits for it."""
    owner = connections["owner"]

    def is_awaited():
        with owner.cursor() as cursor:
            cursor.execute("SELECT FROM pg_locks WHERE relation = %s::regclass AND NOT granted", [AUDIT])
            return cursor.fetchone() is not None

    with transaction.atomic("owner"), owner.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {AUDIT} IN SHARE MODE")
        yield is_awaited


def busy(worker):
    """The process of the only task that runs."""
    (found,) = app.control.inspect(timeout=60, limit=1).active().values()
    (child,) = {task["worker_pid"] for task in found if task["name"] == "oms.tasks.run_jobs"}
    assert child in worker.children()
    return child


def kill_midway(worker, account, kind, writes, **params):
    """Start a job, kill its process when its rows are written and not committed; the job after its second attempt."""
    with audit_held() as is_awaited:
        with account_context(account):
            job = jobs.start(kind, kind, {**params, "total": COUNT}, person=None, idempotency_key=kind)
        wait_until(is_awaited, what=f"{kind} has all but its audit row", seconds=120)
        child = busy(worker)
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: child not in worker.children(), what="the child is gone")
        with account_context(account):
            assert Job.objects.get(pk=job.pk).state == JobState.RUNNING
            assert not writes.objects.exists()

    def done():
        with account_context(account):
            found = Job.objects.get(pk=job.pk)
        return found if JobState(found.state).is_final else None

    return wait_until(done, what=f"{kind} is done. {worker.log.read_text()[-2000:]}", seconds=180)


@pytest.mark.slow
def test_killed_in_the_middle_of_generating_and_of_submitting_there_are_exactly_the_right_units(worker, account_a):
    with account_context(account_a):
        one, other = make_serialized_sku(), make_serialized_sku()
        made = make_replenishment((one, COUNT // 2), (other, COUNT // 2))
        lines = list(ReplenishmentLine.objects.filter(replenishment=made).values_list("pk", flat=True))

    job = kill_midway(
        worker, account_a, "replenishment.generate", PlannedSerial, replenishment_id=made.pk, line_ids=lines
    )
    assert (job.state, job.attempt) == (JobState.DONE, 2)
    with account_context(account_a):
        planned = list(PlannedSerial.objects.values_list("line__sku_id", "serial_key", "state"))
        assert len(planned) == len({key for _sku, key, _state in planned}) == COUNT
        assert [sku for sku, _key, _state in planned].count(one.pk) == COUNT // 2
        assert {state for _sku, _key, state in planned} == {PlannedState.PLANNED}
        assert AuditEntry.objects.filter(action="Serials generated").count() == 1

    job = kill_midway(worker, account_a, "replenishment.submit", Unit, replenishment_id=made.pk)
    assert (job.state, job.attempt) == (JobState.DONE, 2)
    with account_context(account_a):
        units = set(Unit.objects.values_list("sku_id", "serial_key", "status", "process_id"))
        number = Replenishment.objects.get().number
        assert units == {(sku, key, "incoming", number) for sku, key, _state in planned}
        assert (Unit.objects.count(), UnitEvent.objects.count()) == (COUNT, COUNT)
        assert AuditEntry.objects.filter(action="Submitted").count() == 1
