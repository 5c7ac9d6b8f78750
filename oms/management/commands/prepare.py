"""`manage.py prepare`: everything that must be true before Lotline's processes start."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from oms import demo, dispatch
from oms.backup import database
from oms.models import Account, Person
from oms.postgresql.owner import as_owner
from oms.services import people


class Command(BaseCommand):
    """Migrations, static files, demo data. Safe to run again."""

    help = "Migrates the database, collects static files and fills an empty database with demo data."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to leave out, and where to report."""
        parser.add_argument("--no-demo", action="store_true", help="leave an empty database empty")
        parser.add_argument("--no-static", action="store_true", help="static files have been collected before")
        parser.add_argument("--report", type=Path, help='write {"cast": lines on who can sign in} to this file as JSON')

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate as the owner of the tables, then do the rest as the app's role."""
        with as_owner() as owner:
            if database.is_marked(owner):
                raise CommandError(database.interrupted(owner))
        call_command("migrate", interactive=False, verbosity=0)
        # Django checks a database only where it is named, and the role of the app is the second wall between accounts.
        call_command("check", databases=["default"])
        dispatch.look_at_all_waits()
        people.forgive_the_future()
        if not options["no_static"]:
            call_command("collectstatic", interactive=False, verbosity=0)
        if not options["no_demo"] and not Account.objects.exists() and not Person.objects.exists():
            call_command("seed_demo")
        if not options["no_demo"]:
            call_command("connect_demo")
        if options["report"]:
            emails = [person.email for person in demo.PEOPLE]
            has_demo = Person.objects.filter(email__in=emails).count() == len(emails)
            options["report"].write_text(json.dumps({"cast": cast() if has_demo else []}))


def cast() -> list[str]:
    """Who can sign in to the demo data, for the terminal."""
    width = max(len(person.email) for person in demo.PEOPLE)
    return [
        "",
        f"Sign in as one of these, all with the password: {demo.PASSWORD}",
        *(f"  {p.email:<{width}}  {p.role}: {', '.join(map(str, p.accounts)) or 'no account'}" for p in demo.PEOPLE),
    ]
