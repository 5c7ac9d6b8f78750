"""A real Celery worker uses the application's role too; see test_role.py for why."""

from uuid import uuid4

import pytest
from django.core.cache import cache

from oms.celery import app
from tests.meta.role_task import APP_ROLE
from tests.worker_process import wait_until, worker  # noqa: F401  (a fixture)


@pytest.mark.commits("another process looks at the rows")
def test_in_a_worker(worker):  # noqa: F811
    key = f"role-{uuid4().hex}"
    app.send_task("tests.tell_role", args=[key])
    assert wait_until(lambda: cache.get(key), what="the worker says its role") == APP_ROLE
