"""The settings of the worker that tests start: those of the tests, and the jobs and subscribers of tests only."""

from tests.settings import *  # noqa: F403  (settings are a namespace)
from tests.settings import JOBS, OUTBOX_SUBSCRIBERS

NAMES = ("make_skus", "wait_midway", "refuse", "crash", "sleep", "lose_connection")
TEST_JOBS = {f"test.{name}": f"tests.oms.runners.{name}" for name in NAMES}
TEST_SUBSCRIBERS = {"test.heard": ["tests.oms.runners.hear"], "test.nobody": []}
JOBS = {**JOBS, **TEST_JOBS}
OUTBOX_SUBSCRIBERS = {**OUTBOX_SUBSCRIBERS, **TEST_SUBSCRIBERS}
JOB_LEASE_SECONDS = 4
