"""The Serials grid as people ask for it: signed in, through the real view, as the app under row-level security.

`value` is what PostgreSQL took for the view's own statements on units, SKUs and bins, in milliseconds; `p50` and `p95`
are whole requests in seconds. Where a bar is on p95, `value` and `limit` are p95 too. Answers are compared with those
of a plain query: a view that shows other rows, or none, ends the bench.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from html import unescape
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import connection, connections, transaction
from django.test import Client, RequestFactory, override_settings
from django_htmx.middleware import HtmxDetails

from bench import units
from bench.needles import GLOBAL, NONE_MATCH, PLAIN, TEXT, Case, cases, order_prefixes, pairs
from bench.report import Measure, percentile
from bench.served import rates
from bench.write_cost import writes
from oms.models import Account, Membership, Person
from oms.tenancy import account_context
from serials.views.grid import serial_list

BACKEND = "oms.services.people.PersonBackend"
SORT = "u.updated_at DESC, u.id DESC"
FORCED = ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan")
JOINED = (
    "serials_unit_v u JOIN oms_sku_v s ON s.account_id = u.account_id AND s.id = u.sku_id "
    "LEFT JOIN oms_bin_v b ON b.account_id = u.account_id AND b.id = u.bin_id "
    "LEFT JOIN oms_location_v l ON l.account_id = b.account_id AND l.id = b.location_id"
)
COLUMNS = "u.*, s.code, s.product_id, s.product_id_wh, b.name AS bin_name, l.name AS location_name"
CAP = 10_001
FULL = 1_000_000
"""The least in the account measured for all bars to be held. A scan of fewer costs little more than the page, and what
takes a millisecond or two is moved by whatever else the machine does."""
SQL_ONLY = "bench/sql/"

database_name = units.database_name


@dataclass
class Asked:
    """One request: seconds in all, the grid's statements with theirs, the ids shown, the page."""

    seconds: float
    statements: list[tuple[str, float]]
    html: str = field(repr=False)

    @property
    def ids(self) -> list[int]:
        """The ids of the rows, in order."""
        return [int(pk) for pk in re.findall(r'id="row-unit-(\d+)"', self.html)]

    @property
    def sql(self) -> float:
        """Seconds of all its statements."""
        return sum(seconds for _sql, seconds in self.statements)

    def of(self, word: str) -> float:
        """Seconds of the statements that hold `word`."""
        return sum(seconds for sql, seconds in self.statements if word in sql)


class Site:
    """A signed-in person and one account."""

    def __init__(self, slug: str, *, is_full: bool = False) -> None:
        self.is_full = is_full
        self.account = Account.objects.get(slug=slug)
        self.url = f"/{slug}/inventory/serials/"
        self.client = Client(SERVER_NAME="localhost")
        self.person = Person.objects.get(email=units.PERSON)
        self.client.force_login(self.person, backend=BACKEND)
        self.ask({})

    def get(self, url: str) -> Asked:
        """One request; a page that is not the grid ends the bench."""
        statements: list[tuple[str, float]] = []

        def timed(execute: Callable[..., Any], sql: Any, params: Any, many: Any, context: Any) -> Any:
            started = perf_counter()
            try:
                return execute(sql, params, many, context)
            finally:
                text = sql if isinstance(sql, str) else sql.as_string(context["cursor"].connection)
                if '_v"' in text:
                    statements.append((text, perf_counter() - started))

        with connection.execute_wrapper(timed):
            started = perf_counter()
            answer = self.client.get(url, secure=True)
            seconds = perf_counter() - started
        html = answer.content.decode()
        if answer.status_code != 200 or 'id="table-region"' not in html:
            raise RuntimeError(f"{url} answered {answer.status_code}, and not with the grid.")
        return Asked(seconds, statements, html)

    def ask(self, query: dict[str, str]) -> Asked:
        """The first page for a query."""
        return self.get(f"{self.url}?{urlencode(query)}")

    def at_full_size(self, bar: float | None) -> float | None:
        """A bar that says nothing about a small account is none there."""
        return bar if self.is_full else None

    # --- raw SQL, as the app, in the account ---
    def raw(self, sql: str, params: Iterable[Any] = (), *, settings: Iterable[str] = ()) -> tuple[float, list[Any]]:
        """Seconds and rows of one statement."""
        with account_context(self.account), connection.cursor() as cursor:
            for setting in settings:
                cursor.execute(f"SET LOCAL {setting} = off")
            if settings:
                cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
            started = perf_counter()
            cursor.execute(sql, list(params))
            found = cursor.fetchall()
            return perf_counter() - started, found

    def scan(self, case: Case) -> tuple[float, list[int]]:
        """The forced one-process scan: the first page of ids by the plain condition."""
        sql = f"SELECT u.id FROM {JOINED} WHERE {self._where(case)} ORDER BY {SORT} LIMIT 50"
        seconds, found = self.raw(sql, case.params, settings=FORCED)
        return seconds, [pk for (pk,) in found]

    def best(self, case: Case, *, order: str = SORT) -> float:
        """The better of two ways by hand to the page and the capped count: the sort's index, and a sample."""
        where, params = (
            f"u.account_id = {self.account.pk} AND NOT u.is_void AND ({case.fast or case.where})",
            case.params,
        )
        page = f"SELECT {COLUMNS} FROM {JOINED} WHERE {where} ORDER BY {order} LIMIT 50"
        count = f"SELECT count(*) FROM (SELECT FROM {JOINED} WHERE {where} LIMIT {CAP}) m"
        sample = (
            f"WITH m AS MATERIALIZED (SELECT u.id FROM {JOINED} WHERE {where} LIMIT {CAP}), "
            f"p AS (SELECT {COLUMNS} FROM {JOINED} WHERE u.id = ANY(ARRAY(SELECT id FROM m))) "
            f"SELECT (SELECT count(*) FROM m), u.* FROM p u ORDER BY {order} LIMIT 50"
        )
        ways = [self.raw(page, params)[0] + self.raw(count, params)[0]]
        if case.is_text:
            seconds, found = self.raw(sample, params)
            if not found or found[0][0] < CAP:  # of more matches the sample's first rows are not the first
                ways.append(seconds)
        return min(ways)

    def _where(self, case: Case) -> str:
        return f"u.account_id = {self.account.pk} AND NOT u.is_void AND ({case.where})"


def run(*, rows: int, runs: int) -> tuple[Iterator[Measure], str]:
    """All measures on the account that has 40 % of the units."""
    made, measured = units.prepare(rows), rows * units.SHARES[0]
    held = "all bars held" if measured >= FULL else f"of the bars only those held that do not need {FULL:,} there"
    return measures(runs, is_full=measured >= FULL), (
        f"{rows:,} units of {len(units.SHARES)} accounts, {measured:,.0f} in the one measured, {held}; values in "
        f"ms of SQL inside the request, p50 and p95 of whole requests; the database {connection.settings_dict['NAME']} "
        f"is {'new' if made else 'kept from an earlier run'}: bench grid --rows {rows} --drop removes it"
    )


def measures(runs: int, *, is_full: bool) -> Iterator[Measure]:
    """One after the other, as they are asked for."""
    with override_settings(ROOT_URLCONF="bench.sql_only", ALLOWED_HOSTS=["*"]):
        site = Site("bench-1", is_full=is_full)
        for part in (listed, deep, whole, texts):
            yield from part(site, runs)
        yield from served(site, runs)
    yield from writes(runs)


def served(site: Site, runs: int) -> Iterator[Measure]:
    """Bar 13 again, from the outside: answers a second of the product's web server."""
    urls: dict[str, tuple[str, dict[str, str]]] = {
        "SQL-only": (f"/{site.account.slug}/{SQL_ONLY}", {}),
        "table": (site.url, {"HX-Request": "true"}),
        "whole page": (site.url, {}),
    }
    session = site.client.cookies[settings.SESSION_COOKIE_NAME].value
    yield from rates(urls, "SQL-only", session, runs, bars={"table": site.at_full_size(0.6)})


# --- texts ------------------------------------------------------------------------------------------------------------
def texts(site: Site, runs: int) -> Iterator[Measure]:
    """Each text filter: against the forced scan, and against the best SQL by hand."""
    with account_context(site.account):
        kinds = {name: cases(name) for name in TEXT}
        kinds |= {"global": cases(GLOBAL), "serial, 2 characters": pairs(), "order-number prefix": order_prefixes()}
        kinds |= {"serial, 1 character": cases("serial", 1), **NONE_MATCH}
    bars = {"serial": 50.0, "global": 20.0, "serial, 2 characters": 10.0, "order-number prefix": 10.0}
    for name, found in kinds.items():
        asked, scans, best = [], [], []
        for n, case in enumerate(found):
            answers = [site.ask(case.query) for _turn in range(runs)]
            asked.append(sorted(answers, key=lambda each: each.sql)[len(answers) // 2])
            best.append(min(site.best(case) for _turn in range(2)))
            if n % 4 == 0:
                seconds, ids = site.scan(case)
                scans.append(seconds)
                same(case, asked[-1], ids)
        scan = "a forced one-process scan of the same filter through the view, the first 50 by updated_at and id"
        yield measure(f"{name} vs scan", asked, scans, bar=site.at_full_size(bars.get(name)), sql=scan, rank=95)
        yield measure(f"{name} vs best SQL", asked, best, sql="the better of the sort's index and a sample, by hand")
        if name == "serial":
            yield wall_tax(site, found)


def same(case: Case, asked: Asked, ids: list[int]) -> None:
    """The view must show exactly what the plain condition finds."""
    if asked.ids != ids:
        raise RuntimeError(f"The view does not show what {case.query} finds: {asked.ids[:5]} instead of {ids[:5]}.")


def wall_tax(site: Site, found: list[Case]) -> Measure:
    """The same statement by the app through its view, and by the owner, who passes the policies, on the table."""
    sql = f"SELECT u.id FROM serials_unit_v u WHERE u.account_id = {site.account.pk} AND {{}} LIMIT {CAP}"
    walled, free = [], []
    plan = site.raw("EXPLAIN " + sql.format(found[0].where), found[0].params)[1]
    if not any("Bitmap Index Scan" in line for (line,) in plan):
        raise RuntimeError(f"No index under row-level security: {plan}")
    for case in found:
        text = sql.format(case.where)
        walled.append(min(site.raw(text, case.params)[0] for _turn in range(3)))
        free.append(min(as_owner(text.replace("serials_unit_v", "serials_unit"), case.params) for _turn in range(3)))
    told = "the same SELECT as the owner on the table with the account as predicate"
    return plain_measure("serial under RLS", walled, free, bar=0.8, sql=told)


def as_owner(sql: str, params: Iterable[Any]) -> float:
    """Seconds of one statement by the owner."""
    with transaction.atomic(units.OWNER), connections[units.OWNER].cursor() as cursor:
        started = perf_counter()
        cursor.execute(sql, list(params))
        cursor.fetchall()
        return perf_counter() - started


# --- no text ----------------------------------------------------------------------------------------------------------
def listed(site: Site, runs: int) -> Iterator[Measure]:
    """No filter, dropdowns and dates; the capped count; every sort that is offered, and which are not."""
    bare = f"SELECT * FROM serials_unit_v u WHERE u.account_id = {site.account.pk} ORDER BY {SORT} LIMIT 50"
    for name, found in PLAIN.items():
        for case in found:
            same(case, site.ask(case.query), site.scan(case)[1])
            turns = [
                (site.ask(case.query), site.raw(bare)[0]) for _turn in range(runs * 3)
            ]  # in turn: the load changes
            asked, limits = [ours for ours, _limit in turns], [limit for _ours, limit in turns]
            bar = site.at_full_size(1 / 3)
            yield measure(f"{name} page", asked, limits, part="LIMIT 51", bar=bar, sql=bare)
            best = [site.best(case) for _turn in range(runs)]
            yield measure(f"{name} vs best SQL", asked, best, sql="the sort's index and a capped count, by hand")
    asked = [site.ask({}) for _turn in range(runs)]
    exact = f"SELECT count(*) FROM serials_unit_v u WHERE {site._where(PLAIN['no filter'][0])}"
    limits = [site.raw(exact)[0] for _turn in range(runs)]
    yield measure("capped count, no filter", asked, limits, part="COUNT(*)", bar=site.at_full_size(20.0), sql=exact)
    yield from sorts(site, runs)


def sorts(site: Site, runs: int) -> Iterator[Measure]:
    """Every header that offers to sort, both ways, against the usual sort."""
    usual = [site.ask({}) for _turn in range(runs * 3)]
    refused = re.findall(r'<span title="[^"]+">([^<]+)<', usual[0].html)
    for name in re.findall(r'id="sort-(\w+)"', usual[0].html):
        for way in ("", "-"):
            asked = [site.ask({"sort": way + name}) for _turn in range(runs * 3)]
            limits = [each.of("LIMIT 51") for each in usual]
            told = f"the page sorted by -update; not offered beyond {CAP - 1:,}: {', '.join(refused) or 'none'}"
            yield measure(f"sort {way}{name}", asked, limits, part="LIMIT 51", bar=0.2, sql=told)


def deep(site: Site, runs: int) -> Iterator[Measure]:
    """Deep pages by number, and behind the last row of a page in the middle."""
    first = [site.ask({}) for _turn in range(runs * 3)]
    limits = [each.sql - each.of("COUNT(*)") for each in first]
    with account_context(site.account), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM serials_unit_v WHERE NOT is_void")
        total: int = cursor.fetchone()[0]
    for rows in (1_000, 10_000, 100_000, total // 2):
        if rows < total:
            asked = [site.ask({"page": str(rows // 50)}) for _turn in range(runs)]
            yield measure(f"page by number at {rows:,}", asked, limits, part="-COUNT(*)", sql="page 1")
    link = re.search(r'id="page-next" href="([^"]+)"', asked[-1].html)
    if link and "after=" in link[1]:
        turns = [(site.get(site.url + unescape(link[1])), site.ask({})) for _turn in range(runs * 3)]
        behind, limits = [ours for ours, _top in turns], [top.sql - top.of("COUNT(*)") for _ours, top in turns]
        bar = site.at_full_size(0.5)
        yield measure(f"page behind a row at {total // 2:,}", behind, limits, part="-COUNT(*)", bar=bar, sql="page 1")


# --- whole requests ---------------------------------------------------------------------------------------------------
def whole(site: Site, runs: int) -> Iterator[Measure]:
    """Bars 13 and 14: the request against a view that only runs the SQL, and the size of its page."""
    times = max(20, runs * 10)
    ready = {"status": "ready"}
    for query in (ready, {}):
        site.ask(query)
    bare_url = f"/{site.account.slug}/{SQL_ONLY}"
    bare, full, part = [], [], []
    for _turn in range(times):
        started = perf_counter()
        site.client.get(bare_url, secure=True)
        bare.append(perf_counter() - started)
        full.append(site.ask({}).seconds)
        started = perf_counter()
        site.client.get(site.url, secure=True, headers={"HX-Request": "true"})
        part.append(perf_counter() - started)
    told = "a view behind the same middleware that runs the page and the count by hand and answers JSON"
    yield plain_measure("whole page vs SQL-only view", full, bare, bar=site.at_full_size(1 / 3), sql=told)
    yield plain_measure("table alone (htmx) vs SQL-only view", part, bare, sql=told)
    inside, raw = [], []
    for _turn in range(times):
        inside.append(in_process(site, ready))
        raw.append(site.best(Case(ready, "u.status = 'ready'")))
    bar = site.at_full_size(1 / 2.2)
    yield plain_measure("view in process vs raw SQL", inside, raw, bar=bar, sql="page and capped count by hand")
    page = site.ask({}).html
    rows = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    for name, html, bar in (("bytes of 50 rows", rows[1] if rows else page, 1.0), ("bytes of the page", page, None)):
        size = len(html.encode())
        yield Measure(name, size, "B", 60_000, round(60_000 / size, 3), bar, 0, 0, 1, "60 kB before compression")


def in_process(site: Site, query: dict[str, str]) -> float:
    """Seconds of the view alone, its answer to htmx rendered, without middleware."""
    request: Any = RequestFactory().get(site.url, query, headers={"HX-Request": "true"})
    request.user, request.account, request.htmx = site.person, site.account, HtmxDetails(request)
    request.membership = Membership.objects.get(account=site.account, person=site.person)
    with account_context(site.account):
        started = perf_counter()
        answer: Any = serial_list(request)
        answer.render()
        return perf_counter() - started


# --- the form of a measure --------------------------------------------------------------------------------------------
def measure(
    name: str,
    asked: list[Asked],
    limits: list[float],
    *,
    sql: str,
    bar: float | None = None,
    part: str = "",
    rank: int = 50,
) -> Measure:
    """`part` names the statements that count, with a minus those that do not; `rank` is the percentile compared."""
    own = [each.sql - each.of(part[1:]) if part[:1] == "-" else each.of(part) for each in asked]
    value, limit = percentile(own, rank), percentile(limits, rank)
    whole = [each.seconds for each in asked]
    return Measure(
        measure=name,
        value=round(value * 1000, 3),
        unit="ms",
        limit=round(limit * 1000, 3),
        ratio=round(limit / max(value, 1e-6), 3),
        bar=bar,
        p50=round(percentile(whole, 50), 4),
        p95=round(percentile(whole, 95), 4),
        runs=len(asked),
        sql=sql,
    )


def plain_measure(name: str, own: list[float], limits: list[float], *, sql: str, bar: float | None = None) -> Measure:
    """The same from seconds of ours, by medians."""
    return measure(name, [Asked(each, [("", each)], "") for each in own], limits, sql=sql, bar=bar)
