"""Fill an empty database with the demo: two accounts, one warehouse, the cast, a catalogue."""

import csv
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from oms import demo
from oms.models import Account, Bin, BinKind, Person, Role, Sku, Warehouse, Workflow
from oms.services import catalogue, people, stock
from oms.tenancy import account_context

SERIALS = (
    ("Laptop", Workflow.IN_OUT),
    ("Tablet", Workflow.IN_OUT),
    ("Camera", Workflow.OUT),
    ("Gaming PC", Workflow.OUT),
)
BINS = (
    ("Zone A", "A-01-1", BinKind.PICK),
    ("Zone A", "A-01-2", BinKind.PICK),
    ("Zone A", "A-01-3", BinKind.PICK),
    ("Zone B", "B-02-1", BinKind.PICK),
    ("Zone B", "B-02-2", BinKind.PICK),
    ("Quarantine", "Q-01", BinKind.RESERVED),
    ("Quarantine", "D-01", BinKind.DAMAGED),
)
OWN_SKUS = (
    ("BIR-LAMP-OAK", "Desk lamp, oak", Workflow.NO),
    ("BIR-LAMP-ASH", "Desk lamp, ash", Workflow.NO),
    ("BIR-CLOCK-01", "Wall clock with radio", Workflow.IN_OUT),
    ("BIR-SPEAKER-2", "Bookshelf speaker, pair", Workflow.OUT),
)


class Command(BaseCommand):
    """Make the demo data, through the same services as everybody; does nothing in a database that has accounts."""

    help = "Fill an empty database with the demo data; the cast and their password are printed by `up`."

    def handle(self, *args: Any, **options: Any) -> None:
        """All or nothing."""
        if Account.objects.exists():
            self.stdout.write("There are accounts already: no demo data made.")
            return
        with transaction.atomic():
            accounts = _people()
            warehouse = Warehouse.objects.create(name=demo.WAREHOUSE)
            for account in accounts.values():
                with account_context(account):
                    _fill(account, warehouse)
        self.stdout.write(f"Demo data made: {', '.join(accounts)}.")


def _people() -> dict[str, Account]:
    """The cast and their accounts, by slug."""
    made = {cast: Person.objects.create_user(cast.email, demo.PASSWORD, name=cast.name) for cast in demo.PEOPLE}
    admins = {slug: made[cast] for cast in demo.PEOPLE for slug, role in cast.roles if role == Role.ADMIN}
    accounts = {
        slug: people.create_account(name=name, slug=slug, admin=admins[slug], time_zone="America/New_York")
        for slug, name in demo.ACCOUNTS
    }
    for cast in demo.PEOPLE:
        for slug, role in cast.roles:
            if role != Role.ADMIN:
                with account_context(accounts[slug]):
                    people.add_member(email=cast.email, name=cast.name, role=role, actor=admins[slug])
    return accounts


def _fill(account: Account, warehouse: Warehouse) -> None:
    link = stock.link_warehouse(warehouse=warehouse)
    bins = [stock.add_bin(link=link, location=zone, name=name, kind=kind) for zone, name, kind in BINS]
    rows = _catalogue() if account.slug == "acme" else OWN_SKUS
    skus = [
        catalogue.create_sku(actor=None, code=code, name=name, workflow=workflow, product_id=str(88_300 + number))
        for number, (code, name, workflow) in enumerate(rows)
    ]
    _stock([sku for sku in skus if sku.workflow == Workflow.NO], bins[:5])


def _catalogue() -> list[tuple[str, str, Workflow]]:
    """The sample shop's SKUs; the file repeats one, as real files do, and the first wins."""
    found: dict[str, tuple[str, str, Workflow]] = {}
    with demo.CATALOGUE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            workflow = next((workflow for word, workflow in SERIALS if word in row["name"]), Workflow.NO)
            found.setdefault(row["sku"].upper(), (row["sku"], row["name"], workflow))
    return list(found.values())


def _stock(skus: list[Sku], bins: list[Bin]) -> None:
    moves = [
        stock.Move(sku.pk, bins[number % len(bins)].pk, 20 + number * 7 % 60)
        for number, sku in enumerate(skus)
        if number % 3 != 2
    ]
    stock.post_moves(moves, cause=stock.Cause("receive", "Replenishment", reason="Opening stock"))
