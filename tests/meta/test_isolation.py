"""Tests do not see each other's rows, whatever way they ask for the database."""

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
@pytest.mark.django_db(transaction=True)
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
