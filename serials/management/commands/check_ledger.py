"""Compare units and stock with their history."""

from argparse import ArgumentParser
from contextlib import ExitStack
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from oms.models import Account
from oms.tenancy import account_context
from serials.queries import ledger_check

SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
"""All checks of an account see the same moment, so that it may be run while people work."""


class Command(BaseCommand):
    """Fold history and movements, account after account, and name what differs; writes nothing."""

    help = "Compare every unit and all stock with their history. Exit status 0: all is as it should be; 1: it is not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add --account."""
        parser.add_argument("--account", metavar="SLUG", help="only this account; all, one after another, if omitted")

    def handle(self, *args: Any, account: str | None = None, **options: Any) -> None:
        """Check; raises CommandError, which is exit status 1, where something differs."""
        accounts = Account.objects.order_by("slug")
        if account is not None:
            accounts = accounts.filter(slug=account)
            if not accounts:
                raise CommandError(f"There is no account at {account!r}.")
        total = sum(self._check(found) for found in accounts)
        if total:
            raise CommandError(f"The ledger is not sound: {total:,} differences.")
        self.stdout.write(self.style.SUCCESS("The ledger is sound."))

    def _check(self, account: Account) -> int:
        """Print the differences of one account; how many there are."""
        with ExitStack() as stack:
            if not connection.in_atomic_block:
                stack.enter_context(transaction.atomic())
                with connection.cursor() as cursor:
                    cursor.execute(SNAPSHOT)
            stack.enter_context(account_context(account))
            total = 0
            for found in ledger_check.differences():
                total += 1 + found.more
                self.stdout.write(f"{account.slug}: {found.kind}: {found.what}: {found.how}")
                if found.more:
                    self.stdout.write(f"{account.slug}: {found.kind}: and {found.more:,} more")
            for known in ledger_check.two_spellings():
                self.stdout.write(f"{account.slug}: known: {known}")
            seen = ledger_check.counted()
        self.stdout.write(
            f"{account.slug}: {seen.units:,} units, {seen.history_rows:,} history rows, {seen.places:,} places: "
            f"{f'{total:,} differences' if total else 'sound'}"
        )
        return total
