"""What text search needs beside Django's lookups: the pairs of characters of a text, and a column in an array."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Func, Lookup, TextField, Value
from django.db.models.lookups import GreaterThan, LessThan

PAIRS = 2


class Pairs(Func):
    """All pairs of neighbouring characters of a text, as an array.

    A trigram index knows nothing of a needle of two characters; a GIN index of these does: `pairs @> {AB}` is exactly
    `LIKE '%AB%'`. The function is made by serials.0003.
    """

    function = "lotline_pairs"
    arity = 1
    output_field = ArrayField(TextField())


class HasPair(Lookup):
    """`pairs @> {the two characters, in upper case}`."""

    lookup_name = "has_pair"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """The comparison."""
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} @> ARRAY[UPPER(%s)]", (*params, self.rhs)


class AnyOf(Lookup):
    """`column = ANY(array)`: like `in`, but one parameter however many ids there are."""

    lookup_name = "any_of"
    prepare_rhs = False

    def __init__(self, lhs: Any, rhs: Iterable[int]) -> None:
        super().__init__(lhs, list(rhs))

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """The comparison."""
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} = ANY(%s::bigint[])", (*params, self.rhs)


class _Row(Func):
    """Several values as one, to be compared from left to right."""

    template = "(%(expressions)s)"
    output_field = TextField()


def beyond(paths: Sequence[str], values: Sequence[Any], *, is_down: bool) -> "Lookup[Any]":
    """The condition "behind `values` in the order of `paths`", all up or all down: one range of an index on them."""
    compare = LessThan if is_down else GreaterThan
    return compare(_Row(*(F(path) for path in paths)), _Row(*(Value(value) for value in values)))
