"""How the databases of tests come and go."""

from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests import databases


def test_a_database_is_dropped_although_somebody_of_each_role_stays_in_it(db):
    name = f"test_left_{uuid4().hex}"
    with databases.as_owner() as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        sessions = [databases.connected(name, role) for role in ("owner", "default")]
        try:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied to terminate process"):
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            databases.drop(name, seconds=2)
        finally:
            for session in sessions:
                session.close()
        assert not admin.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount
