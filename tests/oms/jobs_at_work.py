"""What the tests of jobs share: a job of account A in one line, and the database as others see it."""

import threading
import time

import pytest
from django.db import connection

from oms import jobs
from oms.models import Job, Sku
from oms.tenancy import account_context
from tests.oms import runners
from tests.worker_settings import TEST_JOBS

# In this database: those of other workers wait, too. Not pg_stat_activity, which a transaction sees as it was when it
# first looked.
WAITING = """
SELECT EXISTS (
    SELECT FROM pg_locks w JOIN pg_locks d USING (pid) JOIN pg_database b ON b.oid = d.database
    WHERE NOT w.granted AND b.datname = current_database()
)
"""


@pytest.fixture
def known_jobs(settings):
    """The jobs of tests.oms.runners can be started and run in this process."""
    settings.JOBS = {**settings.JOBS, **TEST_JOBS}


def start(account, kind="make_skus", *, person=None, key="", title="Many SKUs", **params):
    with account_context(account):
        return jobs.start(f"test.{kind}", title, params, person=person, idempotency_key=key or f"{time.monotonic_ns()}")


def now(account, job):
    """The job as it is in the database now."""
    with account_context(account):
        return visible(job)


def visible(job):
    return Job.objects.select_related("account", "result_file").get(pk=job.pk)


def change(account, job, **values):
    with account_context(account):
        Job.objects.filter(pk=job.pk).update(**values)


def skus(account):
    with account_context(account):
        return Sku.objects.count()


def elsewhere(work):
    """What `work` answers in another thread, on a connection of its own."""
    found = []

    def run():
        try:
            found.append(work())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def runner(monkeypatch):
    """`runner(function)` makes the job test.make_skus do something else."""
    return lambda function: monkeypatch.setattr(runners, "make_skus", function)


def is_waiting():
    """Whether somebody waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return cursor.fetchone()[0]


def until(is_so, seconds=60):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def run_all(account):
    count = 0
    while jobs.run_next(account.pk):
        count += 1
    return count
