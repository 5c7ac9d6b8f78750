"""How long the database may take for each kind of process, told with the account; and what is said after that."""

import os
import subprocess
import sys
from uuid import uuid4

import httpx
import psycopg
import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import Client

from oms.bootstrap import ROOT
from oms.celery import app
from oms.embedded import children
from oms.embedded.ports import free_port
from oms.models import Sku
from oms.tenancy import account_context
from tests.conftest import BACKEND
from tests.meta.role_task import LIMITS, patience
from tests.worker_process import WorkerProcess, environment, wait_until

NONE = ["0", "0", "0"]
OF_KIND = {
    "web": ["30s", "5s", "30s"],
    "worker": ["2min", "10s", "1min"],
    "sync": ["2min", "10s", "1min"],
    "jobs": ["0", "1min", "0"],
}


@pytest.fixture
def setting(tmp_path, server_env):
    """What `up` would start its processes with, on the test database."""
    env = {**environment(), "DJANGO_SETTINGS_MODULE": "tests.probe_settings"}
    return children.Setting(env, free_port(), tmp_path)


@pytest.mark.commits("processes of each kind connect for themselves")
@pytest.mark.parametrize("kind", ["worker", "sync", "jobs"])
def test_a_worker_is_as_patient_as_its_kind(setting, account_a, tmp_path, kind):
    service = children.worker(setting, kind)
    process = WorkerProcess(tmp_path, service.argv, service.env)
    try:
        key = f"patience-{uuid4().hex}"
        queue = {"worker": "celery"}.get(kind, kind)
        app.send_task("tests.tell_patience", args=[key, account_a.pk], queue=queue)
        assert wait_until(lambda: cache.get(key), what=process.said()) == OF_KIND[kind]
    finally:
        process.stop()


@pytest.mark.commits("processes of each kind connect for themselves")
def test_web_is_as_patient_as_its_kind(setting, account_a, tmp_path):
    service = children.web(setting)
    process = WorkerProcess(tmp_path, service.argv, service.env)
    try:
        wait_until(lambda: service.ready(process.pid), what=process.said())
        answer = httpx.get(f"http://127.0.0.1:{setting.port}/t/patience/{account_a.pk}/", timeout=20)
        assert answer.json() == OF_KIND["web"]
    finally:
        process.stop()


@pytest.mark.commits("processes of each kind connect for themselves")
def test_what_is_no_process_of_the_set_may_take_its_time(setting, account_a):
    """Commands, migrations, bench, backup and restore are not told; nor is what `up` runs before the others."""
    assert patience(account_a.pk) == NONE
    assert "LOTLINE_PROCESS" not in children.command(setting, "prepare").env
    assert "LOTLINE_PROCESS" not in children.beat(setting).env


@pytest.mark.commits("processes of each kind connect for themselves")
def test_it_is_told_with_the_account_and_ends_with_it(settings, account_a, account_b, django_assert_num_queries):
    settings.PATIENCE = {"lock_timeout": "7s"}
    # BEGIN, the account, what is asked, the account taken back, COMMIT
    with django_assert_num_queries(5):
        assert patience(account_a.pk) == ["0", "7s", "0"]
    with account_context(account_a), account_context(account_b), connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("7s",)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(name) FROM unnest(%s::text[]) AS name", [list(LIMITS)])
        assert [value for (value,) in cursor.fetchall()] == NONE


@pytest.mark.commits("processes of each kind connect for themselves")
def test_a_statement_that_takes_too_long_is_stopped(settings, account_a):
    settings.PATIENCE = {"statement_timeout": "20ms"}
    with pytest.raises(OperationalError) as error, account_context(account_a), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")
    assert error.value.__cause__.sqlstate == "57014"


@pytest.mark.commits("processes of each kind connect for themselves")
def test_a_page_that_waits_too_long_for_somebody_says_so(settings, server_env, account_a, ana):
    with account_context(account_a):
        sku = Sku.objects.create(code="L1")
    settings.PATIENCE = {"lock_timeout": "50ms"}
    client = Client(raise_request_exception=False)
    client.force_login(ana, backend=BACKEND)
    with psycopg.connect(server_env["DATABASE_OWNER_URL"]) as somebody:
        somebody.execute("SELECT FROM oms_sku WHERE id = %s FOR UPDATE", [sku.pk])
        answer = client.post(
            f"/acme/inventory/skus/{sku.pk}/", {"code": "L1", "name": "L1", "workflow": "out", "version": "1"}
        )
    assert answer.status_code == 503
    assert answer["Retry-After"]


def test_a_command_in_the_container_of_a_process_is_none():
    """`docker compose exec web python manage.py …`: the container says web, and the command may take its time."""
    env = {**os.environ, "LOTLINE_PROCESS": "web"}
    ask = "from django.conf import settings; print(settings.PATIENCE)"
    argv = [sys.executable, "manage.py", "shell", "-v0", "-c", ask]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "{}\n", done.stderr


def test_a_process_of_no_kind_is_refused():
    env = {**os.environ, "LOTLINE_PROCESS": "wbe"}
    code = "import oms.settings"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert "LOTLINE_PROCESS is 'wbe'" in done.stderr
