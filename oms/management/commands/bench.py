"""`manage.py bench NAME`: measure ourselves beside the limit of the machine, on a database made for it."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from inspect import signature
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from psycopg import sql

from oms.bootstrap import ROOT
from oms.embedded import own_servers
from oms.embedded.state import State
from oms.postgresql.owner import as_owner


class Command(BaseCommand):
    """Each bench is a module in bench/ with `run(**sizes)`, which gives the measures and the conditions in words."""

    help = "Measures Lotline against the limit of this machine. Exit status 0 when every bar holds, 1 otherwise."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which bench, how big, and how to say it."""
        names = [path.stem for path in (ROOT / "bench").glob("[a-z]*.py") if "\ndef run(" in path.read_text()]
        parser.add_argument("name", choices=sorted(names))
        parser.add_argument("--units", type=int, default=100_000, help="how many are made in one round")
        parser.add_argument("--count", type=int, default=10_000, help="how many labels are made in one round")
        parser.add_argument(
            "--rows", type=int, default=5_000_000, help="how many are there, in a database that is kept"
        )
        parser.add_argument(
            "--drop", action="store_true", help="remove the database that was kept, and do nothing else"
        )
        parser.add_argument("--runs", type=int, default=3, help="rounds, after one to warm up; the medians are shown")
        parser.add_argument("--json", action="store_true", help="one JSON object for each measure, then a summary")

    def handle(self, *args: Any, name: str, json: bool, drop: bool, **options: Any) -> None:
        """Exit with 0 when every bar holds."""
        sizes = {size: options[size] for size in ("units", "count", "rows", "runs")}
        if min(sizes.values()) < 1:
            raise CommandError("--units, --count, --rows and --runs are 1 or more.")
        bench = import_module(f"bench.{name}")
        if not settings.IS_CONFIGURED:
            given = [f"--{size}={count}" for size, count in sizes.items()]
            flags = [flag for flag, is_on in (("--json", json), ("--drop", drop)) if is_on]
            kept_state = own_state(is_kept=hasattr(bench, "database_name"))
            sys.exit(own_servers.run(kept_state, "bench", [name, *given, *flags]))
        report = import_module("bench.report")
        kept = bench.database_name(sizes["rows"]) if hasattr(bench, "database_name") else ""
        if drop:
            with as_owner() as admin:
                admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(kept)))
            return
        with own_database(kept):
            measures, conditions = bench.run(**{size: sizes[size] for size in signature(bench.run).parameters})
            is_good = report.show(measures, out=self.stdout, conditions=conditions, is_json=json)
        sys.exit(0 if is_good else 1)


@contextmanager
def own_database(kept: str = "") -> Iterator[None]:
    """A migrated database of its own on the server of the settings; dropped at the end, whatever happens.

    One with the name `kept` is taken as it is where it exists, and stays; a failure while it is made drops it too.
    """
    name = kept or f"lotline_bench_{os.getpid()}"
    with as_owner() as admin:
        is_there = kept and admin.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount
        try:
            if not is_there:
                # Django's own setting: in the suite, a database that has been migrated already.
                template = connections.settings["owner"]["TEST"].get("TEMPLATE") or "template1"
                made = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
                admin.execute(made.format(sql.Identifier(name), sql.Identifier(template)))
        except psycopg.errors.InsufficientPrivilege as error:
            raise CommandError(f"{admin.info.user} may not make a database: ALTER ROLE … CREATEDB.") from error
        before = switch(name)
        try:
            if not is_there:
                call_command("migrate", verbosity=0)
            yield
            is_there = bool(kept)
        finally:
            switch(before)
            if not is_there:
                admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def switch(name: str) -> str:
    """Let both roles' connections use the database `name`; the one that they used before."""
    before = ""
    for connection in connections.all():
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
        before, connection.settings_dict["NAME"] = connection.settings_dict["NAME"], name
    return str(before)


@contextmanager
def own_state(*, is_kept: bool) -> Iterator[State]:
    """Where the bench's own servers keep their data: thrown away at the end, or kept beside that of `up`."""
    if not is_kept:
        with State.throw_away("bench") as state:
            yield state
        return
    state = State(State.of_this_copy().folder / "bench", durable=False)
    state.make()
    try:
        yield state
    finally:
        state.release()
