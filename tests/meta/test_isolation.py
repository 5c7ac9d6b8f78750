"""Tests do not see each other's rows, whatever way they ask for the database."""

from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connections

from oms.models import Account
from oms.tenancy import account_context
from tests.factories import make_stock
from tests.wallapp.models import Crate, Mark


def rows():
    """How many rows each table has, as the owner sees it; empty ones are left out."""
    found = {}
    with connections["owner"].cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f"SELECT count(*) FROM {model._meta.db_table}")
            found[model._meta.db_table] = cursor.fetchone()[0]
    return {table for table, count in found.items() if count} - {"django_content_type", "auth_permission"}


def fill():
    account = Account.objects.create(name="Left", slug="left")
    with account_context(account):
        crate = Crate.objects.create(sku=make_stock().sku, code="left")
        Mark.objects.create(crate=crate, text="left")


@pytest.mark.parametrize("turn", [1, 2])
def test_by_its_fixture_alone(transactional_db, turn):
    assert rows() == set()
    fill()
    assert "wallapp_mark" in rows()


@pytest.mark.parametrize("turn", [1, 2])
def test_by_a_server(live_server, turn):
    assert rows() == set()
    fill()


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.commits("what a commit leaves behind is the subject")
def test_by_its_mark(turn):
    assert rows() == set()
    fill()


@pytest.mark.parametrize("turn", [1, 2])
def test_in_a_transaction(db, turn):
    assert not Account.objects.exists()
    fill()


def test_flush_empties_everything(transactional_db):
    fill()
    call_command("flush", database="owner", interactive=False, verbosity=0)
    assert rows() == set()


def test_both_connections_are_of_one_test_database(db):
    names = {connections[alias].settings_dict["NAME"] for alias in connections}
    assert len(names) == 1
    assert names.pop().startswith("test_lotline_")


def test_every_transaction_test_says_why(request):
    """It is slower, so it is one for a reason: `@pytest.mark.commits("why")`, or a server that must see it."""
    files = [path for path in Path(__file__).parents[1].rglob("*.py") if path.name != "conftest.py"]
    plain = "django_db(" + "transaction"
    assert [str(path) for path in files if plain in path.read_text()] == [], "use @pytest.mark.commits"
    marks = [(item.nodeid, mark) for item in request.session.items for mark in item.iter_markers("commits")]
    assert [name for name, mark in marks if [len(why) > 10 for why in mark.args] != [True]] == [], "say why"
    by_fixture = {item.path for item in request.session.items if "transactional_db" in item.fixturenames}
    assert by_fixture == {Path(__file__)}, "use @pytest.mark.commits"
