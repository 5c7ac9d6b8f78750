"""The databases of a session: the migrations run once, into a template that every worker and every bench copies."""

import os
import sys
import time
from contextlib import suppress

import psycopg
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from oms.postgresql import owner


def as_owner(name="postgres"):
    """A connection of the owner outside the test databases: none can be copied or dropped while somebody is in it."""
    return psycopg.connect(**{**owner.parameters(), "dbname": name}, autocommit=True)


def be_patient(seconds=60):
    """Let no test of this process fail because the machine was too busy for a connection in 3 or 4 seconds.

    A page must not wait so long, and the servers that tests start do not.
    """
    for alias in ("default", "owner"):
        connections.settings[alias]["OPTIONS"]["connect_timeout"] = seconds
    connections.settings["default"]["OPTIONS"]["pool"]["timeout"] = seconds


def make_template(session):
    """Make the session's template, unless another worker has; the others wait for it."""
    name = connections.settings["owner"]["TEST"]["TEMPLATE"]
    half = f"{name}_half"  # until its migrations are through
    with as_owner() as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [session])  # as long as this connection lives
        if admin.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
            return
        _drop(admin, half)
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(half)))
        _migrate(half)
        admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(half), sql.Identifier(name)))


def _migrate(name):
    connection = connections["owner"]
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", database="owner", interactive=False, verbosity=0)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def nobody_is_left(seconds=30):
    """Whether this worker's database can be dropped, because nobody is in it any more.

    A process that a test killed, or a thread of it, may still have a connection. One that stays keeps the database,
    which goes with the server of the session or by `drop_databases_of_the_dead` of the next.
    """
    name = connections["owner"].settings_dict["NAME"]
    connections["owner"].close()
    end = time.monotonic() + seconds
    with as_owner() as admin:
        while there := admin.execute("SELECT pid, usename FROM pg_stat_activity WHERE datname = %s", [name]).fetchall():
            if time.monotonic() > end:
                sys.stderr.write(f"{name} is left: {there} are still in it.\n")
                return False
            time.sleep(0.1)
    return True


def drop_template():
    """At the end of the session, by the process that started the workers."""
    with suppress(psycopg.Error), as_owner() as admin:
        _drop(admin, connections.settings["owner"]["TEST"]["TEMPLATE"])


def drop_databases_of_the_dead():
    """A session that was killed could not drop its databases; the next one on this machine does."""
    found = r"SELECT datname FROM pg_database WHERE datname ~ '^test_lotline_\d+(_gw\d+|_template(_half)?)?$'"
    with as_owner() as admin:
        for (name,) in admin.execute(found).fetchall():
            try:
                os.kill(int(name.split("_")[2]), 0)
            except ProcessLookupError:
                with suppress(psycopg.Error):  # somebody else is doing the same, or it is in use on another machine
                    _drop(admin, name)
            except PermissionError:
                continue


def _drop(admin, name):
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
