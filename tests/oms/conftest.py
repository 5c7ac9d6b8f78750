"""Two machines, and a backup of the first; see operating.py."""

import os
from uuid import uuid4

import pytest
from psycopg import sql

from oms import files
from oms.backup import making
from oms.models import Sku
from oms.postgresql.owner import as_owner
from oms.tenancy import account_context
from tests import databases
from tests.oms.operating import Operator


@pytest.fixture
def here(server_env):
    """The operator of the test's own database."""
    return Operator(server_env)


@pytest.fixture
def there(server_env, settings):
    """The operator of another machine, whose database is empty."""
    name = f"test_lotline_{os.getpid()}_gw{uuid4().int % 10**9}"  # of a session that dies, the next one drops it
    env = {**server_env, "PYTEST_XDIST_WORKER": name}  # tests/settings.py keeps the files there
    for variable in ("DATABASE_URL", "DATABASE_OWNER_URL"):
        env[variable] = f"{server_env[variable].rpartition('/')[0]}/{name}"
    with as_owner() as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield Operator(env)
    databases.drop(name)


@pytest.fixture
def something(account_a):
    """Rows, and a file of half a megabyte."""
    with account_context(account_a):
        Sku.objects.bulk_create(Sku(code=f"SKU-{n}", name=os.urandom(60).hex()) for n in range(2_000))
        return files.store("big.csv", "text/csv", [os.urandom(500_000)])


@pytest.fixture
def saved(something, tmp_path):
    """A backup."""
    making.make(tmp_path / "saved", passphrase=None, say=str)
    return tmp_path / "saved"
