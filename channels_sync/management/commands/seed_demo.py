"""Fill an empty database with the demo: two accounts, the cast, a catalogue, and units in every status."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from channels_sync import demo_story
from oms import demo
from oms.models import Account, Person, Role, Warehouse
from oms.services import people
from oms.tenancy import account_context


class Command(BaseCommand):
    """Make the demo data, through the same services as everybody; does nothing in a database that has accounts."""

    help = "Fill an empty database with the demo data; the cast and their password are printed by `up`."

    def handle(self, *args: Any, **options: Any) -> None:
        """All or nothing."""
        if Account.objects.exists():
            self.stdout.write("There are accounts already: no demo data made.")
            return
        with transaction.atomic():
            accounts, cast = _people()
            shared = Warehouse.objects.create(name=demo.WAREHOUSE)
            for account in accounts.values():
                with account_context(account):
                    demo_story.tell(account, shared, cast)
        self.stdout.write(f"Demo data made: {', '.join(accounts)}.")


def _people() -> tuple[dict[str, Account], dict[str, Person]]:
    """The accounts by their slug and the cast by their first name."""
    made = {person: Person.objects.create_user(person.email, demo.PASSWORD, name=person.name) for person in demo.PEOPLE}
    admins = {slug: made[person] for person in demo.PEOPLE for slug, role in person.roles if role == Role.ADMIN}
    accounts = {
        slug: people.create_account(name=name, slug=slug, admin=admins[slug], time_zone="America/New_York").account
        for slug, name in demo.ACCOUNTS
    }
    for person in demo.PEOPLE:
        for slug, role in person.roles:
            if role != Role.ADMIN:
                with account_context(accounts[slug]):
                    invited = people.add_member(email=person.email, name=person.name, role=role, actor=admins[slug])
                    people.join(membership=invited.membership, person=made[person])
    return accounts, {person.name.split()[0].lower(): row for person, row in made.items()}
