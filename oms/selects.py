"""A SELECT that Django compiled, as a part of a statement of ours. The one place where SQL is not written out."""

from typing import Any

from django.db.models import QuerySet
from psycopg import sql


def select_of(rows: QuerySet[Any, Any]) -> tuple[sql.SQL, tuple[Any, ...]]:
    """Its text, in which values are placeholders, and the values."""
    text, params = rows.query.sql_with_params()
    return sql.SQL(text), params
