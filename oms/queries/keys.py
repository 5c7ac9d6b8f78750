"""Rows by the texts that people type."""

from collections.abc import Collection
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from oms import identity

M = TypeVar("M", bound=Model)


def rows_by_text(rows: QuerySet[M], texts: Collection[str], *, field: str) -> dict[str, M]:
    """Text as it was typed → the row of just this text, else the one in another spelling; one query.

    Rows of an older release may be two spellings of one text: each is found by its own. `field` has the
    text; its key is in the one of the same name with `_key`.
    """
    if not texts:
        return {}
    plain = {typed: identity.storable(typed.strip()) for typed in texts}
    keys = {typed: identity.key(kept) for typed, kept in plain.items()}
    found = rows.filter(Q(**{f"{field}_key__in": set(keys.values())}) | Q(**{f"{field}__in": set(plain.values())}))
    own = {getattr(row, field): row for row in found}
    same = {getattr(row, f"{field}_key"): row for row in found}
    pairs = {typed: own.get(plain[typed]) or same.get(key) for typed, key in keys.items()}
    return {typed: row for typed, row in pairs.items() if row is not None}
