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
    """Make an account and its admin; prints the link on which they choose a password, or join."""

    help = "Open an account with its first admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name, address and admin."""
        parser.add_argument("--name", required=True, help="the merchant's name")
        parser.add_argument("--slug", required=True, help="its part of the address: small letters, digits, dashes")
        parser.add_argument("--admin", required=True, metavar="EMAIL", help="a person; made if unknown")
        parser.add_argument("--admin-name", default="", help="the person's name, if unknown")
        parser.add_argument(
            "--existing-person",
            action="store_true",
            help="somebody who has a password is the admin at once: be sure that they chose it themselves, "
            "and not an account that invited them",
        )
        parser.add_argument("--time-zone", default="UTC", help="such as Europe/Berlin; days in filters are days there")

    def handle(self, *args: Any, **options: Any) -> None:
        """All or nothing."""
        email = options["admin"].strip().lower()
        try:
            validate_email(email)
            with transaction.atomic():
                person = Person.objects.filter(email=email).first()
                person = person or Person.objects.create_user(email, name=options["admin_name"] or email)
                membership = people.create_account(
                    name=options["name"],
                    slug=options["slug"],
                    admin=person,
                    time_zone=options["time_zone"],
                    is_vouched_for=options["existing_person"] or not person.has_usable_password(),
                )
        except ValidationError as error:
            raise CommandError(f"{email!r} is no email address.") from error
        except DomainError as error:
            raise CommandError(str(error)) from error
        account = membership.account
        self.stdout.write(f"{account} is at /{account.slug}/, its admin is {person.email}.")
        if not person.has_usable_password():
            self.stdout.write(f"A password is chosen here, once: {people.first_password_path(membership)}")
        elif membership.joined_at is None:
            self.stdout.write(f"They have a password, sign in and join here, once: {people.invite(membership).path}")
            self.stdout.write("Run this again for a new link; with --existing-person they need not join.")
