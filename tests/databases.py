"""The databases of a session: the migrations run once, into a template that every worker and every bench copies."""

import os
import sys
import time
from contextlib import suppress

import psycopg
from django.core.management import call_command
from django.db import connections
from psycopg import sql

THERE = "SELECT pid, usename FROM pg_stat_activity WHERE datname = %s AND usename IS NOT NULL"
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = current_user"


def as_owner():
    """A connection of the owner outside the test databases: none can be copied or dropped while somebody is in it."""
    return connected("postgres", "owner")


def connected(name, alias):
    """A connection to a database in the role of one of the settings' connections."""
    parts = connections.settings[alias]
    found = {key: parts[key.upper()] for key in ("host", "port", "user", "password") if parts[key.upper()]}
    return psycopg.connect(dbname=name, autocommit=True, **found)


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
    owner = connections["owner"]
    before = owner.settings_dict["NAME"]
    owner.close()
    owner.settings_dict["NAME"] = name
    try:
        call_command("migrate", database="owner", interactive=False, verbosity=0)
    finally:
        owner.close()
        owner.settings_dict["NAME"] = before


def is_empty(name, seconds=30):
    """Wait until nobody is in a database, so that it can be dropped; whether it came to that.

    A thread or a process that a test left may still have a connection, and a server notices late that a client is gone.
    In the end each role sends its own sessions away. `DROP DATABASE … WITH (FORCE)` is no way: it is refused where the
    owner may not end a session, which goes for the app's and for autovacuum. Autovacuum the plain DROP ends by itself.
    """
    end, is_told = time.monotonic() + seconds, False
    with as_owner() as admin:
        while there := admin.execute(THERE, [name]).fetchall():
            left = end - time.monotonic()
            if left < 0:
                sys.stderr.write(f"{name} is left: {there} are still in it.\n")
                return False
            if left < seconds / 2 and not is_told:
                is_told = True
                for role in ("owner", "default"):
                    with connected("postgres", role) as own:
                        own.execute(END, [name])
            time.sleep(0.1)
    return True


def drop(name, seconds=30):
    """Drop a database that a test has made."""
    if is_empty(name, seconds):
        with as_owner() as admin:
            _drop(admin, name)


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
