"""A new account, and the way of its first admin into it."""

import re
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from oms.errors import DomainError
from oms.models import Membership, Person
from oms.services import people
from tests.oms.test_people import choose_password, sign_in


def test_an_admin_of_two_new_accounts_without_a_password_is_not_locked_out(client, db):
    vic = Person.objects.create_user("vic@example.com", name="Vic")
    first, second = (people.create_account(name=at, slug=at, admin=vic) for at in ("one", "two"))
    with pytest.raises(DomainError):
        people.invite(first)
    assert choose_password(client, people.invite(second).path).status_code == 302, "the link that was given out last"


def test_somebody_with_a_password_joins_a_new_account_before_they_are_its_admin(client_for, cid):
    def create(*flags):
        said = StringIO()
        call_command("create_account", *flags, name="New", slug="new", admin=cid.email, stdout=said)
        return said.getvalue()

    links = [re.search("/accounts/join/[^ ]+/", create())[0] for _again in range(2)]
    client = client_for(cid)
    assert client.get("/new/").status_code == 404
    assert client.post(links[1]).status_code == 302
    assert client.get("/new/").status_code == 302
    with pytest.raises(CommandError, match="exists"):
        create("--existing-person")
    Membership.objects.filter(account__slug="new").delete()
    assert "/accounts/join/" not in create("--existing-person")
    assert client.get("/new/").status_code == 302


def test_a_new_account_whose_admins_link_grew_too_old_gets_another(client, db):
    for admin in ("vic@example.com", "kim@example.com"):
        said = StringIO()
        call_command("create_account", name="New", slug="new", admin=admin, stdout=said)
    assert choose_password(client, re.search("/welcome/[^ ]+/", said.getvalue())[0]).status_code == 302
    assert sign_in(client, "kim@example.com").status_code == 302
    with pytest.raises(CommandError, match="exists"):
        call_command("create_account", name="New", slug="new", admin="vic@example.com")


def test_an_address_that_is_a_page_is_no_account(ana):
    with pytest.raises(DomainError):
        people.create_account(name="X", slug="sign-in", admin=ana)
