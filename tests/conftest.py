"""The database of the tests, the cast, and what is left out or skipped, with its reason printed.

The database is made through `owner`, the role that owns the tables, and used through `default`, the app's role, exactly
as in production: row-level security holds in every test (docs/adr/0002).
"""

import os
import shutil
from collections import Counter
from contextlib import suppress

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from django.test.utils import setup_databases, teardown_databases
from django.utils import timezone
from hypothesis import HealthCheck, settings as hypothesis

from oms.models import Account, Membership, Person, Role
from oms.tenancy import account_context
from tests import databases
from tests.meta import tools

PASSWORD = "a plain long sentence"
BACKEND = "oms.services.people.PersonBackend"
# What makes a test a transaction test beside @pytest.mark.commits("why"): a server's thread looks at the rows, or the
# fixture is the subject. It must be an argument: what getfixturevalue() adds comes too late to be seen.
TRANSACTIONAL = {"transactional_db", "live_server"}
TOOLS = settings.FILES_ROOT.parent / "tools"
LEFT_OUT = pytest.StashKey[Counter]()
# No test fails because the machine was busy for a moment: speed is for `manage.py bench`.
hypothesis.register_profile("lotline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.load_profile("lotline")


# --- which tests run --------------------------------------------------------------------------------------------------
def is_on(name):
    return os.environ.get(name, "") not in {"", "0"}


def chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_collection_modifyitems(config, items):
    is_browser_missing = chromium() is None and not is_on("LOTLINE_REQUIRE_BROWSER")
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker("browser")
            # One browser, so one worker: a Chromium per worker would be slower on two cores.
            item.add_marker(pytest.mark.xdist_group("browser"))
        if is_browser_missing and item.get_closest_marker("browser"):
            item.add_marker(
                pytest.mark.skip(reason="no Chromium on PATH (LOTLINE_REQUIRE_BROWSER=1 makes this a failure)")
            )
        _let_the_owner_flush(item)
    items.sort(key=_awaits_tools)  # they come last: until then the tools have run beside the others
    config.stash[LEFT_OUT] = Counter()
    if not is_on("LOTLINE_TEST_ALL"):
        _leave_out(config, items)


def _awaits_tools(item):
    return "tools_folder" in item.fixturenames


def pytest_collection_finish(session):
    is_first = os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0"
    if is_first and not session.config.option.collectonly and any(map(_awaits_tools, session.items)):
        tools.start(TOOLS)


@pytest.fixture(scope="session")
def tools_folder():
    """Where the linters, which run in the background, leave what they came to."""
    return TOOLS


def _let_the_owner_flush(item):
    """Transaction tests are emptied by the owner: a mirror is never flushed, and the app may not TRUNCATE."""
    marker = item.get_closest_marker("django_db")
    is_unexplained = marker and marker.kwargs.get("transaction")  # tests/meta/test_isolation.py asks for its reason
    if is_unexplained or item.get_closest_marker("commits") or TRANSACTIONAL & set(item.fixturenames):
        item.add_marker(pytest.mark.django_db(transaction=True, databases=["default", "owner"]), append=False)


def _leave_out(config, items):
    """Slow and live tests are not collected, and the summary says how many."""
    left_out = [(item, name) for item in items for name in ("slow", "live") if item.get_closest_marker(name)]
    if left_out:
        config.stash[LEFT_OUT] = Counter(name for _item, name in left_out)
        gone = {item for item, _name in left_out}
        config.hook.pytest_deselected(items=list(gone))
        items[:] = [item for item in items if item not in gone]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(session.config.stash.get(LEFT_OUT, {}))
        return
    if str(os.getpid()) == settings.SESSION:  # else all this belongs to who gave the session its name
        tools.stop(TOOLS)
        databases.drop_template()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    node.config.stash[LEFT_OUT] = Counter(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_terminal_summary(terminalreporter, config):
    left_out = config.stash.get(LEFT_OUT, None)
    if left_out:
        counts = " and ".join(f"{count} {name}" for name, count in sorted(left_out.items()))
        terminalreporter.write_line(f"Left out: {counts} tests. `python3 manage.py test --all` runs them too.")


# --- the database -----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker, django_db_modify_db_settings):
    """Copy the migrated template as its owner; `default` is a mirror of the copy with the app's role.

    Without this override pytest-django would set up `default` only, whose mirror would then be the real database.
    """
    with django_db_blocker.unblock():
        connections["default"].close_pool()
        databases.be_patient()
        if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":
            databases.drop_databases_of_the_dead()
        databases.make_template(int(settings.SESSION))
        before = setup_databases(verbosity=0, interactive=False, aliases=["owner"], serialized_aliases=[])
        names = {alias: connections[alias].settings_dict["NAME"] for alias in ("default", "owner")}
        assert names["default"] == names["owner"], f"default and owner must be one database: {names}"
        assert names["default"].startswith("test_"), f"this is not a test database: {names}"
        roles = {alias: connections[alias].settings_dict["USER"] for alias in ("default", "owner")}
        assert roles["default"] != roles["owner"], (
            "the tests must not run as the owner: row-level security would be off"
        )
    yield
    with django_db_blocker.unblock():
        connections["default"].close()
        connections["default"].close_pool()
        if databases.nobody_is_left():
            teardown_databases(before, verbosity=0)
    shutil.rmtree(settings.FILES_ROOT, ignore_errors=True)
    with suppress(OSError):  # another worker's files are there still
        settings.FILES_ROOT.parent.rmdir()


@pytest.fixture
def server_env(db):
    """The environment of a subprocess (a command, a worker, a server) that works on this test's database.

    Only what is committed is seen there, so such a test is a transaction test.
    """

    def url(alias):
        parts = connections[alias].settings_dict
        password = f":{parts['PASSWORD']}" if parts["PASSWORD"] else ""
        return f"postgres://{parts['USER']}{password}@{parts['HOST']}:{parts['PORT']}/{parts['NAME']}"

    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": url("default"),
        "DATABASE_OWNER_URL": url("owner"),
        "LOTLINE_VENV": "off",  # a test never mends or changes the environment that it runs in
    }


# --- the cast ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def account_a(db):
    """Acme, most tests' account."""
    return Account.objects.create(name="Acme", slug="acme", time_zone="Europe/Berlin")


@pytest.fixture
def account_b(db):
    """Bolt, the other account, of which nothing may ever be seen from Acme."""
    return Account.objects.create(name="Bolt", slug="bolt")


def _person(name, **roles_by_slug):
    """A person; `roles_by_slug` maps an account's address to a role."""
    person = Person.objects.create_user(email=f"{name.lower()}@example.com", password=PASSWORD, name=name)
    for slug, role in roles_by_slug.items():
        account = Account.objects.get(slug=slug)
        Membership.objects.create(person=person, account=account, role=role, joined_at=timezone.now())
    return person


@pytest.fixture
def ana(account_a):
    """Admin of A."""
    return _person("Ana", acme=Role.ADMIN)


@pytest.fixture
def olga(account_a):
    """Operator of A."""
    return _person("Olga", acme=Role.OPERATOR)


@pytest.fixture
def ben(account_a):
    """Viewer of A."""
    return _person("Ben", acme=Role.VIEWER)


@pytest.fixture
def wes(account_a, account_b):
    """Warehouse of A and of B."""
    return _person("Wes", acme=Role.WAREHOUSE, bolt=Role.WAREHOUSE)


@pytest.fixture
def cid(account_b):
    """Admin of B, a stranger to A."""
    return _person("Cid", bolt=Role.ADMIN)


@pytest.fixture
def ida(account_a, account_b):
    """Admin of B. A invited her as an admin, too, and she has not accepted."""
    ida = _person("Ida", bolt=Role.ADMIN)
    Membership.with_invited.create(person=ida, account=account_a, role=Role.ADMIN)
    return ida


@pytest.fixture
def nia(db):
    """Signs in, but is a member of nothing."""
    return _person("Nia")


@pytest.fixture
def cast(ana, olga, ben, wes, cid, nia):
    """Everybody, by name."""
    return {"ana": ana, "olga": olga, "ben": ben, "wes": wes, "cid": cid, "nia": nia}


@pytest.fixture
def in_a(account_a):
    """The whole test runs inside account A."""
    with account_context(account_a):
        yield account_a


@pytest.fixture
def in_b(account_b):
    """The whole test runs inside account B; not together with `in_a`: nest `account_context` by hand."""
    with account_context(account_b):
        yield account_b


@pytest.fixture
def client_for(db):
    """`client_for(person)`: a browser's session of that person, without going through the sign-in page."""

    def signed_in(person, **kwargs):
        client = Client(**kwargs)
        client.force_login(person, backend=BACKEND)
        return client

    return signed_in
