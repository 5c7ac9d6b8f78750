"""Which rows a page shows, and how many there are: fast ways to what the plain query would answer.

No single statement is fast for every filter. PostgreSQL reads a rare text fastest from the trigram index and a common
one by walking the sort's index, but it guesses badly which of the two it has. So a filter by text is asked first for
10,001 rows in any order, together with their count: mostly that is all. Only where more match is the sort's index
walked, and no further than SCANNED rows, because all matches may lie at its other end.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import connection
from django.db.models import F, Model, QuerySet
from django.http import QueryDict
from django.utils.formats import number_format
from psycopg import sql

from oms.numbers import whole_number
from oms.search import AnyOf, beyond
from oms.selects import select_of
from oms.ui.tables import with_query

PAGE_SIZES = (25, 50, 100, 250)
COUNTED = 10_000
"""Up to here a count is exact and every sort offered. Beyond it says "10,000+": counting costs more than a page."""
SCANNED = 10_000
"""So many rows of a sort's index are walked for a common text before its matches are sorted instead."""

SAMPLE = """
WITH m AS MATERIALIZED ({matches} LIMIT {most})
SELECT (SELECT count(*) FROM m), row_id, key_0 FROM m ORDER BY {order}
OFFSET least({start}, ((SELECT count(*) FROM m) - 1) / {per_page} * {per_page}) LIMIT {per_page} + 1
"""
# OFFSET 0 is a fence: the planner may not walk the sort's index here.
SORTED = "SELECT row_id FROM ({matches} OFFSET 0) AS m ORDER BY {order} OFFSET {start} LIMIT {limit}"


@dataclass(frozen=True)
class Key:
    """One key of a sort: the path of a field, and its direction."""

    path: str
    is_down: bool

    @classmethod
    def of(cls, text: str) -> "Key":
        """From the words of `order_by`."""
        return cls(text.lstrip("-"), text.startswith("-"))


@dataclass(frozen=True)
class Place:
    """The page that an address names: by its number, or behind or before a row whose sort keys it holds."""

    per_page: int
    page: int
    after: str = ""
    before: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> "Place":
        """What makes no sense is the first page, or the usual size."""
        per_page = _number(query.get("per_page"), PAGE_SIZES[1])
        per_page = per_page if per_page in PAGE_SIZES else PAGE_SIZES[1]
        page = max(1, _number(query.get("page"), 1))
        return cls(per_page, page, query.get("after", ""), query.get("before", ""))

    @property
    def start(self) -> int:
        """How many rows come before it."""
        return (self.page - 1) * self.per_page

    def within(self, total: int) -> "Place":
        """This page, or the last one of `total` rows."""
        return Place(self.per_page, min(self.page, max(1, -(-total // self.per_page))))


@dataclass(frozen=True)
class Search:
    """What a page is to be found in.

    Args:
        base: all rows of the list, with all that a row shows.
        rows: those that match, sorted as the person wants.
        matches: empty without a filter by text; else the same as `rows`, by conditions that an index on the text finds,
            in parts that have no row in common.
        instead: `rows` in the order that is offered where it has no index for its own, else None.
        is_indexed: the sort, and `instead`, end with the id and have an index of plain columns.
        shown: see `shown`.
        is_short: the text is so short that most rows may hold it, as the beginning of all numbers of an account.
    """

    base: QuerySet[Any]
    rows: QuerySet[Any]
    matches: Sequence[QuerySet[Any]] = ()
    instead: QuerySet[Any] | None = None
    is_indexed: bool = False
    shown: Sequence[str] = ()
    is_short: bool = False


@dataclass(frozen=True)
class Window:
    """One page of rows out of a sorted queryset, and what is known of the whole."""

    rows: list[Any]
    place: Place
    total: int
    has_next: bool
    is_instead: bool = False
    """The order is not the one that was asked for."""
    keys: Sequence[Key] = field(default=())
    """Of the sort, where deep pages are reached by them."""

    @classmethod
    def of(cls, query: QueryDict, search: Search) -> "Window":
        """The page that the query string names; a page beyond the end is the last one."""
        place = Place.of(query)
        sample = None
        if not search.matches:
            total = search.rows.order_by().values("pk")[: COUNTED + 1].count()  # without joins for what rows show
        elif search.is_short and _is_in_most(search):
            total = COUNTED + 1
        else:
            sample = _sample(search.matches, place)
            total = sample.total
        if total <= COUNTED:
            place = place.within(total)
            found = _page(search, search.rows, place) if sample is None else _records(search, sample.ids)
            return cls._cut(found, place, total)
        rows = search.rows if search.instead is None else search.instead
        keys = tuple(_keys(rows)) if search.is_indexed else ()
        known: dict[str, Any] = {"is_instead": search.instead is not None, "keys": keys}
        mark = _mark(rows.model, keys, place.after or place.before) if keys else None
        if mark and (found := _records(search, _beyond(rows, keys, mark, place))):
            is_more = len(found) > place.per_page or not place.after
            return cls(found[: place.per_page][:: 1 if place.after else -1], place, total, is_more, **known)
        last = sample.last if sample and search.instead is None else None
        if not (found := _numbered(search, rows, place, last)):
            place = place.within(rows.order_by().count())
            found = _numbered(search, rows, place)
        return cls._cut(found, place, total, **known)

    @classmethod
    def _cut(cls, found: list[Any], place: Place, total: int, **more: Any) -> "Window":
        return cls(found[: place.per_page], place, total, has_next=len(found) > place.per_page, **more)

    @property
    def total_text(self) -> str:
        """The count, "10,000+" where it was not counted to the end."""
        known = _grouped(min(self.total, COUNTED))
        return known if self.total <= COUNTED else f"{known}+"

    @property
    def has_more(self) -> bool:
        """There are rows beside those of this page."""
        return self.total > len(self.rows)

    def count_text(self, noun: Callable[[int], str]) -> str:
        """The count with its noun: "1 SKU", "12,408 units", "10,000+ units"."""
        return f"{self.total_text} {noun(self.total)}"

    def pager(self, query: QueryDict) -> dict[str, Any]:
        """What the pager shows and where it leads: by number, and beyond what is counted behind or before a row."""
        place, start = self.place, self.place.start

        def at(page: int, name: str, number: int) -> str:
            is_deep = self.keys and self.rows and (page - 1) * place.per_page >= COUNTED
            return (
                with_query(query, **({name: _token(self.keys, self.rows[number])} if is_deep else {})) + f"&page={page}"
            )

        return {
            "start": _grouped(start + 1 if self.rows else 0),
            "end": _grouped(start + len(self.rows)),
            "total_text": self.total_text,
            "prev_url": at(place.page - 1, "before", 0) if place.page > 1 else "",
            "next_url": at(place.page + 1, "after", -1) if self.has_next else "",
            "per_page": place.per_page,
            "per_page_options": [
                {"value": size, "url": with_query(query, per_page=str(size)), "is_current": size == place.per_page}
                for size in PAGE_SIZES
            ],
        }


# --- the ways to a page -----------------------------------------------------------------------------------------------
def shown(rows: QuerySet[Any], paths: Sequence[str]) -> QuerySet[Any, Any]:
    """The rows as named tuples of the values at these paths, as records without any.

    The last step before they are read: it joins what the paths lead to, which no count and no search needs.
    """
    return rows.values_list(*paths, named=True) if paths else rows


def _page(search: Search, rows: QuerySet[Any], place: Place) -> list[Any]:
    """By number. Behind the first page only the ids are skipped over, not what belongs to each row."""
    end = place.start + place.per_page + 1
    if not place.start:
        return list(shown(rows, search.shown)[:end])
    return _records(search, rows.values_list("pk", flat=True)[place.start : end])


def _numbered(search: Search, rows: QuerySet[Any], place: Place, last: Any = None) -> list[Any]:
    """The same where more rows match than are counted; `last` of a sample, if one was taken in this order."""
    if not search.matches:
        return _page(search, rows, place)
    matches = [part.order_by(*rows.query.order_by) for part in search.matches]
    return _records(search, _common(rows, matches, search.base, place, last))


@dataclass(frozen=True)
class Sample:
    """Of rows that match, at most one more than are counted.

    Args:
        total: how many.
        ids: of the page among them, which is the page if no more match.
        last: the first sort key of the last row of a full page; None where there is none. So many rows of the sample
            come before it that the page of all that match, who can only push it further down, ends there or before.
    """

    total: int
    ids: list[int]
    last: Any


def _sample(matches: Sequence[QuerySet[Any]], place: Place) -> Sample:
    found, params, order = _matches(matches)
    with connection.cursor() as cursor:
        sizes = {"most": COUNTED + 1, "start": place.start, "per_page": place.per_page}
        cursor.execute(sql.SQL(SAMPLE).format(matches=found, order=order, **sizes), params)
        found = cursor.fetchall()
    total = found[0][0] if found else 0
    is_full = len(found) > place.per_page and place.start + place.per_page < total
    return Sample(total, [pk for _total, pk, _key in found], found[-1][2] if is_full else None)


def _is_in_most(search: Search) -> bool:
    """Whether every third of the first rows holds the text: then an index need not be asked, which finds millions."""
    nearby = _nearby(search.rows, search.base, 3 * COUNTED)
    return nearby is not None and nearby.order_by().values("pk")[: COUNTED + 1].count() > COUNTED


def _nearby(rows: QuerySet[Any], base: QuerySet[Any], depth: int) -> QuerySet[Any] | None:
    """The rows that are among the first `depth` of the list; None for a sort that cannot say where they end."""
    first, *rest = _keys(rows)
    if len(rest) != 1 or not _has_values(rows.model, first.path):  # one key and the id
        return None
    edge = base.order_by(*rows.query.order_by).values_list(first.path, flat=True)[depth:][:1]
    for value in edge:
        return _up_to(rows, value)
    return None


def _up_to(rows: QuerySet[Any], value: Any) -> QuerySet[Any]:
    """The rows whose first sort key is `value` or comes before it."""
    first = _keys(rows)[0]
    return rows.filter(**{f"{first.path}__{'gte' if first.is_down else 'lte'}": value})


def _common(
    rows: QuerySet[Any], matches: Sequence[QuerySet[Any]], base: QuerySet[Any], place: Place, last: Any
) -> list[int]:
    """The ids of a page of more matches than are counted; `last` of a sample of them or None."""
    start, limit, keys = place.start, place.per_page + 1, _keys(rows)
    nearby = _nearby(rows, base, SCANNED)
    ids = list((rows if nearby is None else nearby).values_list("pk", flat=True)[start : start + limit])
    if len(ids) == limit or nearby is None:
        return ids
    if last is not None and _has_values(rows.model, keys[0].path):
        # There may be hundreds of thousands, which need neither be sorted nor leave the index.
        matches = [_up_to(part, last) for part in matches]
    found, params, order = _matches(matches)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(SORTED).format(matches=found, order=order, start=start, limit=limit), params)
        return [pk for (pk,) in cursor]


def _beyond(rows: QuerySet[Any], keys: Sequence[Key], mark: Sequence[Any], place: Place) -> list[int]:
    """The ids of the page behind a row (or, the nearest first, before it), by the keys of that row.

    The last keys that run the same way are one comparison of rows, which is one range of the index.
    """
    is_back = not place.after
    run = [key.is_down != is_back for key in keys]
    limit, found = place.per_page + 1, list[int]()
    ordered = rows.reverse() if is_back else rows
    split = next((n for n in range(len(keys) - 1, 0, -1) if run[n - 1] != run[n]), 0)
    for level in [split, *range(split - 1, -1, -1)]:
        last = len(keys) if level == split else level + 1
        equal = {key.path: value for key, value in zip(keys[:level], mark, strict=False)}
        paths = [key.path for key in keys[level:last]]
        part = ordered.filter(beyond(paths, mark[level:last], is_down=run[level]), **equal)
        found += part.values_list("pk", flat=True)[: limit - len(found)]
        if len(found) == limit:
            break
    return found


def _records(search: Search, ids: Iterable[int]) -> list[Any]:
    """The rows with these ids, in their order."""
    listed = list(ids)
    if not listed:
        return []
    rows = shown(search.base.filter(AnyOf(F("pk"), listed)).order_by(), search.shown)
    found = {record.pk: record for record in rows}
    return [found[pk] for pk in listed if pk in found]


def _matches(parts: Sequence[QuerySet[Any]]) -> tuple[sql.Composed, tuple[Any, ...], sql.Composed]:
    """A SELECT of the ids and sort keys of rows in no order, its parameters, and their ORDER BY."""
    keys = _keys(parts[0])
    names = {f"key_{n}": F(key.path) for n, key in enumerate(keys)}
    found = [select_of(part.order_by().values(row_id=F("pk"), **names)) for part in parts]
    together = sql.SQL(" UNION ALL ").join(sql.SQL("({})").format(text) for text, _params in found)
    order = [
        sql.SQL("{} DESC" if key.is_down else "{}").format(sql.Identifier(f"key_{n}")) for n, key in enumerate(keys)
    ]
    return together, tuple(param for _text, params in found for param in params), sql.SQL(", ").join(order)


def _keys(rows: QuerySet[Any]) -> list[Key]:
    return [Key.of(str(name)) for name in rows.query.order_by]


# --- the keys of a row in an address ----------------------------------------------------------------------------------
def _token(keys: Iterable[Key], row: Any) -> str:
    return json.dumps([str(getattr(row, key.path)) for key in keys])


def _mark(model: type[Model], keys: Sequence[Key], token: str) -> list[Any] | None:
    """The values of a token; None for one that makes no sense."""
    try:
        texts = [str(text) for text in json.loads(token)]
        if "\0" in "".join(texts).encode().decode():  # half of a pair of surrogates cannot be encoded
            return None
        fields = [model._meta.pk if key.path == "pk" else model._meta.get_field(key.path) for key in keys]
        return [made.to_python(text) for made, text in zip(fields, texts, strict=True)]  # type: ignore[union-attr]
    except (ValueError, TypeError, ValidationError, FieldDoesNotExist, RecursionError):
        return None


def _has_values(model: type[Model], path: str) -> bool:
    """Whether every row has a value there: rows without one stand at an end of the sort, which no comparison finds."""
    try:
        return not model._meta.get_field(path).null
    except FieldDoesNotExist:
        return False


def _grouped(number: int) -> str:
    return number_format(number, use_l10n=True, force_grouping=True)


def _number(text: str | None, default: int) -> int:
    """A small number from the address; anything else is the default."""
    found = whole_number(text, most_digits=9)
    return default if found is None else found
