"""Who counts as joined when an installation of before invitations had to be accepted is brought up to date."""

import pytest
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from oms.models import Person
from oms.services import people

BEFORE, AFTER = ("oms", "0002_orders"), ("oms", "0003_membership_joined_at")


def migrate(*targets):
    """The models as they are then."""
    executor = MigrationExecutor(connections["owner"])
    return executor.migrate(list(targets)).apps


@pytest.fixture
def before(db):
    """The models of before; afterwards everything is as new as it was."""
    newest = MigrationExecutor(connections["owner"]).loader.graph.leaf_nodes()
    yield migrate(BEFORE)
    migrate(*newest)


@pytest.mark.commits("migrations change the schema as the owner")
def test_who_never_chose_a_password_has_not_joined(before):
    make = {name: before.get_model("oms", name).objects.using("owner").create for name in ("Account", "Membership")}
    accounts = [make["Account"](name=slug, slug=slug) for slug in ("acme", "bolt")]
    for name, password in (("kim", "argon2$x"), ("vic", "!never chosen")):
        person = (
            before.get_model("oms", "Person")
            .objects.using("owner")
            .create(email=f"{name}@example.com", name=name, password=password)
        )
        for account in accounts:
            make["Membership"](account=account, person=person, role="viewer")
    rows = migrate(AFTER).get_model("oms", "Membership").objects.using("owner").order_by("pk")
    found = [(row.person.name, row.account.slug, row.joined_at == row.created_at) for row in rows]
    assert found == [("kim", "acme", True), ("kim", "bolt", True), ("vic", "acme", False), ("vic", "bolt", False)]
    migrate(*MigrationExecutor(connections["owner"]).loader.graph.leaf_nodes())
    vic = Person.objects.get(name="vic").memberships(manager="with_invited").order_by("pk")
    assert [people.invite(membership).sets_password for membership in vic] == [True, False], "nobody is locked out"
