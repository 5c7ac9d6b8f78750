"""What text search needs beside Django's lookups: pairs of characters, beginnings of a text, a column in an array."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Func, Lookup, Q, TextField, Value
from django.db.models.functions import Collate, Substr, Upper
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, LessThan

PAIRS = 2
LAST = "\U0010ffff"
"""No character comes after it."""


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


class Within(Lookup):
    """`text LIKE %needle%`, the needle in upper case, as the text must be."""

    lookup_name = "within"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """The comparison."""
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} LIKE UPPER(%s)", (*params, f"%{connection.ops.prep_for_like_query(self.rhs)}%")


def ordered(field: str) -> Collate:
    """The text in upper case in the order of its code points: in an index of it, a beginning is one range."""
    return Collate(Upper(field), "C")


def behind_first(field: str) -> Substr:
    """The text in upper case without its first character: what it contains does not begin the text."""
    return Substr(Upper(field), 2)


def begins_with(field: str, text: str) -> Q:
    """The condition that a field begins with a text, whatever the case: a range of an index of `ordered`."""
    is_from = GreaterThanOrEqual(ordered(field), Upper(Value(text)))
    return ~Q(**{field: ""}) & Q(is_from) & Q(LessThan(ordered(field), Upper(Value(f"{text}{LAST}"))))


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
