"""The role that owns the tables, for the few commands that work beside the app: bench, backup and restore."""

from typing import Any

import psycopg
from django.db import connections

NOT_OF_LIBPQ = frozenset({"pool", "isolation_level", "server_side_binding", "assume_role"})


def parameters() -> dict[str, Any]:
    """What libpq must know to connect as the owner."""
    parts = connections["owner"].settings_dict
    found = {key: parts[key.upper()] for key in ("host", "port", "user", "password") if parts[key.upper()]}
    more = {key: value for key, value in parts["OPTIONS"].items() if key not in NOT_OF_LIBPQ}
    return {"dbname": parts["NAME"], **found, **more}


def as_owner() -> "psycopg.Connection[Any]":
    """A connection of its own, as the role that owns the tables; each statement its own transaction."""
    return psycopg.connect(**parameters(), autocommit=True)
