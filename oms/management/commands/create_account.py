"""Open an account for a merchant, with its first admin."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction

from oms.errors import DomainError
from oms.models import Person
from oms.services import people


class Command(BaseCommand):
    """Make an account and its admin; prints the link on which a new person chooses a password."""

    help = "Open an account with its first admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name, address and admin."""
        parser.add_argument("--name", required=True, help="the merchant's name")
        parser.add_argument("--slug", required=True, help="its part of the address: small letters, digits, dashes")
        parser.add_argument("--admin", required=True, metavar="EMAIL", help="a person; made if unknown")
        parser.add_argument("--admin-name", default="", help="the person's name, if unknown")
        parser.add_argument("--time-zone", default="UTC", help="such as Europe/Berlin; days in filters are days there")

    def handle(self, *args: Any, **options: Any) -> None:
        """All or nothing."""
        email = options["admin"].strip().lower()
        try:
            validate_email(email)
            with transaction.atomic():
                person = Person.objects.filter(email=email).first()
                person = person or Person.objects.create_user(email, name=options["admin_name"] or email)
                account = people.create_account(
                    name=options["name"], slug=options["slug"], admin=person, time_zone=options["time_zone"]
                )
        except ValidationError as error:
            raise CommandError(f"{email!r} is no email address.") from error
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{account} is at /{account.slug}/, its admin is {person.email}.")
        if not person.has_usable_password():
            path = people.first_password_path(account.memberships.get())
            self.stdout.write(f"A password is chosen here, once: {path}")
        else:
            self.stdout.write(
                "They keep their password: be sure that they chose it, and not an account that invited them."
            )
