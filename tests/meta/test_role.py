"""The tests would prove nothing if some process used a role that passes row-level security; so ask each kind."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections
from django.http import JsonResponse
from django.test import Client
from django.urls import path

from oms import urls as real
from oms.access import require_role
from oms.checks import role_faults
from oms.models import EVERYONE
from tests.conftest import BACKEND
from tests.meta.role_task import APP_ROLE, FACTS, role_facts

ROOT = Path(__file__).parents[2]
ASK = "import json; from tests.meta.role_task import role_facts; print(json.dumps(role_facts()))"


@require_role(EVERYONE)
def role_view(request):
    return JsonResponse(role_facts(), safe=False)


urlpatterns = [path("<slug:account_slug>/t/role/", role_view), *real.urlpatterns]
handler404, handler500 = real.handler404, real.handler500


def test_in_a_test(db):
    assert role_facts() == APP_ROLE
    assert role_faults() == []


@pytest.mark.urls(__name__)
def test_in_a_web_request(live_server, ana):
    client = Client()
    client.force_login(ana, backend=BACKEND)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    request = urllib.request.Request(f"{live_server.url}/acme/t/role/", headers={"Cookie": cookie})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        assert json.load(answer) == APP_ROLE


def manage(env, *arguments):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.commits("another process looks at the rows")
def test_in_a_management_command(server_env):
    done = manage(server_env, "shell", "-v0", "-c", ASK)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == APP_ROLE


@pytest.mark.commits("another process looks at the rows")
def test_a_wrong_role_is_named_by_the_check(server_env):
    assert manage(server_env, "check", "--database", "default").returncode == 0
    wrong = manage({**server_env, "DATABASE_URL": server_env["DATABASE_OWNER_URL"]}, "check", "--database", "default")
    assert wrong.returncode != 0
    assert "lotline.E001" in wrong.stderr
    assert "lotline_owner owns account tables" in wrong.stderr


@pytest.mark.commits("another process looks at the rows")
def test_nothing_starts_with_a_wrong_role(server_env):
    """Django runs the checks of a database only where it is named; what prepares every start must name it."""
    wrong = {**server_env, "DATABASE_URL": server_env["DATABASE_OWNER_URL"]}
    done = manage(wrong, "prepare", "--no-demo", "--no-static")
    assert done.returncode != 0
    assert "lotline.E001" in done.stderr


@pytest.mark.commits("connections of their own are the subject")
def test_the_owner_would_be_found_out():
    """The facts above can tell: the same questions give other answers on the owner's connection."""
    assert role_faults("owner") == ["lotline_owner owns account tables"]
    with connections["owner"].cursor() as cursor:
        cursor.execute(FACTS)
        assert list(cursor.fetchone())[-1] is False
