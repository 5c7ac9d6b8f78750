"""`manage.py bench NAME`: measure ourselves beside the limit of the machine, on a database made for it."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from psycopg import sql

from oms.bootstrap import ROOT
from oms.embedded.console import Console
from oms.embedded.errors import CannotStart, ChildDied, Interrupted
from oms.embedded.ports import free_port
from oms.embedded.stack import Stack
from oms.embedded.state import State
from oms.embedded.supervisor import Service, Supervisor

SHOWN_LINES = 40


class Command(BaseCommand):
    """Each bench is a module in bench/ with `run(**sizes)`, which gives the measures and the conditions in words."""

    help = "Measures Lotline against the limit of this machine. Exit status 0 when every bar holds, 1 otherwise."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which bench, how big, and how to say it."""
        names = {path.stem for path in (ROOT / "bench").glob("[a-z]*.py")} - {"report"}
        parser.add_argument("name", choices=sorted(names))
        parser.add_argument("--units", type=int, default=100_000, help="how many are made in one round")
        parser.add_argument("--runs", type=int, default=3, help="rounds, after one to warm up; the medians are shown")
        parser.add_argument("--json", action="store_true", help="one JSON object for each measure, then a summary")

    def handle(self, *args: Any, name: str, units: int, runs: int, json: bool, **options: Any) -> None:
        """Exit with 0 when every bar holds."""
        if units < 1 or runs < 1:
            raise CommandError("--units and --runs are 1 or more.")
        if not settings.IS_CONFIGURED:
            sys.exit(on_own_servers([name, f"--units={units}", f"--runs={runs}", *(["--json"] if json else [])]))
        bench, report = import_module(f"bench.{name}"), import_module("bench.report")
        with own_database():
            measures, conditions = bench.run(units=units, runs=runs)
            is_good = report.show(measures, out=self.stdout, conditions=conditions, is_json=json)
        sys.exit(0 if is_good else 1)


@contextmanager
def own_database() -> Iterator[None]:
    """A migrated database of its own on the server of the settings; dropped at the end, whatever happens."""
    name = f"lotline_bench_{os.getpid()}"
    parts = connections.settings["owner"]
    found = {key: parts[key.upper()] for key in ("host", "port", "user", "password") if parts[key.upper()]}
    with psycopg.connect(dbname=parts["NAME"], autocommit=True, **found) as admin:
        try:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege as error:
            raise CommandError(f"{parts['USER']} may not make a database: ALTER ROLE … CREATEDB.") from error
        before = switch(name)
        try:
            call_command("migrate", verbosity=0)
            yield
        finally:
            switch(before)
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


def on_own_servers(arguments: Sequence[str]) -> int:
    """Run the same command on a throw-away PostgreSQL and Valkey; its exit status."""
    console = Console(quiet=True)
    try:
        with State.throw_away("bench") as state:
            state.acquire()
            with Supervisor(console, state.folder / "pids") as supervisor:
                stack = Stack(supervisor, state, port=free_port())
                try:
                    stack.start_servers()
                    argv = (sys.executable, str(ROOT / "manage.py"), "bench", *arguments)
                    child = Service(name="bench", argv=argv, env=stack.environment, cwd=ROOT, foreground=True)
                    return supervisor.run(child).process.returncode
                except Interrupted as request:
                    return 128 + request.signum
    except CannotStart as error:
        console.say(str(error))
    except ChildDied as death:
        console.plain("\n".join(death.output[-SHOWN_LINES:]))
        console.say(f"{death}; the bench cannot go on.")
    return 1
