"""The fast ways to a page of the Serials grid answer what the plain query would; see oms/ui/paging.py.

The limits are lowered, so that forty units reach every way: the sample, the walk along an index, the sorted matches and
the pages behind a row.
"""

import re
import urllib.parse
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.db import connection
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, NullIf
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings, strategies as st

from oms.models import BinKind
from oms.tenancy import account_context
from oms.ui import paging, views
from serials.lifecycle import Actor, Event
from serials.models import Unit
from serials.services import Fact, Row, record_event
from tests.factories import make_bin, make_serialized_sku, make_warehouse_link
from tests.tables import column, rows as rows_of

COUNTED = 12
SORTS = {
    "sku": ["sku__code"],
    "prod_id": ["prod"],
    "bin": ["bin__name"],
    "location": ["bin__location__name"],
    "serial": ["serial_key", "pk"],
    "status": ["status", "-updated_at", "-pk"],
    "wms_notes": ["wms_notes"],
    "oms_notes": ["oms_notes"],
    "process_type": ["process_type"],
    "process_id": ["process_id"],
    "order": ["order_no"],
    "update": ["updated_at", "pk"],
}
INDEXED = {"serial", "status", "update"}
TEXTS = {
    "sku": ["sku__code"],
    "prod_id": ["sku__product_id_wh", "sku__product_id"],
    "bin": ["bin__name"],
    "location": ["bin__location__name"],
    "serial": ["serial"],
    "wms_notes": ["wms_notes"],
    "oms_notes": ["oms_notes"],
    "process_id": ["process_id"],
    "order": ["order_no"],
}
NEEDLES = {
    "sku": ["a", "al", "beta", "PH", "%", "nothing"],
    "prod_id": ["p1", "W", "1", "zz"],
    "bin": ["a-", "A-01", "2", "zz"],
    "location": ["zone", "one b", "zz"],
    "serial": ["s", "sn", "-0", "N-00", "ü", "üx", "%", "_0", "zz", "1"],
    "wms_notes": ["seal", "a%b", "o", "zz"],
    "oms_notes": ["call", "ß", "zz"],
    "process_id": ["r-", "R-1", "zz"],
    "order": ["s", "so-1", "SO-10", "-1", "%", "_1", "SO-1%", "so_1", "ß", "zz"],
    "q": ["sn-", "alp", "zone", "seal", "a%b", "r-1", "zzz", "ünx", "so-1", "o-1"],
}


@pytest.fixture
def crowd(account_a, account_b, monkeypatch):
    """Some forty units of Acme, many of them alike in time and text; Bolt has the same serials."""
    for module in (paging, views):
        monkeypatch.setattr(module, "COUNTED", COUNTED)
    monkeypatch.setattr(paging, "SCANNED", 4)
    monkeypatch.setattr(paging, "PAGE_SIZES", (3, 8, 50))
    for account in (account_b, account_a):
        with account_context(account):
            _fill()


def _fill():
    skus = [
        make_serialized_sku(code=code, product_id=own, product_id_wh=wh)
        for code, own, wh in (("ALPHA-1", "P1", ""), ("alpha-2", "P2", "WH1"), ("BETA", "1", "W2"), ("Z%", "P3", ""))
    ]
    link = make_warehouse_link()
    bins = [make_bin(link=link, location=f"Zone {zone}", name=f"A-0{n}") for n, zone in enumerate("ABC")]
    bins.append(make_bin(link=link, location="Zone B", name="B-9", kind=BinKind.DAMAGED))
    start = datetime(2026, 3, 1, tzinfo=UTC)
    for batch in range(4):
        at = start + timedelta(hours=batch // 2)
        fact = Fact(Event.EXPECT, Actor.OFFICE, process_id=f"R-{batch // 2}", occurred_at=at)
        serials = [f"{'sn' if n % 2 else 'SN'}-{batch}{n:02}" for n in range(8)]
        serials += [f"ünx{batch}", f"_{batch}", f"a%b{batch}"]
        rows = [
            Row(
                sku_id=skus[(batch + n) % 4].pk,
                serial=serial,
                wms_notes=["", "Seal broken", "a%b"][n % 3],
                oms_notes=["", "Call Ann", "Straße", ""][n % 4],
            )
            for n, serial in enumerate(serials)
        ]
        record_event(fact, rows)
        made = list(Unit.objects.filter(serial__in=serials).order_by("pk").values_list("pk", flat=True))
        rows = [Row(unit_id=pk, bin_id=bins[pk % 4].pk) for pk in made[: batch + 2]]
        received = Fact(Event.RECEIVE, Actor.WAREHOUSE, process_id="REC", occurred_at=start + timedelta(days=1))
        record_event(received, rows)
    # Numbers that begin with a needle, hold it further on, or both; only the text matters here, not how it came.
    numbers = ["SO-10", "so-11", "XSO-10", "SO-1SO-1", "SO-1%", "SO_1", "\U0010fffe", "ßo-1", "SO-2", "-1"]
    for pk in Unit.objects.values_list("pk", flat=True):
        Unit.objects.filter(pk=pk).update(order_no=numbers[pk % 10] if pk % 3 else "")
    void = list(Unit.objects.filter(status="incoming").values_list("pk", flat=True)[:3])
    record_event(Fact(Event.VOID, Actor.OFFICE), [Row(unit_id=pk) for pk in void])


def plain(query):
    """What the plain query answers: serials in order."""
    prod = Coalesce(NullIf(F("sku__product_id_wh"), Value("")), F("sku__product_id"))
    rows = Unit.objects.annotate(prod=prod)
    everywhere = [path for paths in TEXTS.values() for path in paths]
    for name in query.keys() & NEEDLES.keys():
        found = [(f"{path}__icontains", query[name]) for path in TEXTS.get(name, everywhere)]
        rows = rows.filter(Q.create(found, connector=Q.OR))
    if "status" in query:
        rows = rows.filter(status=query["status"])
    if "void" not in query:
        rows = rows.filter(is_void=False)
    name = query.get("sort", "-update")
    if rows.count() > COUNTED and name.lstrip("-") not in INDEXED:
        name = "-update"
    keys = SORTS[name.lstrip("-")]
    if name.startswith("-"):
        keys = [key[1:] if key.startswith("-") else f"-{key}" for key in keys]
    if "pk" not in keys[-1]:
        keys = [*keys, "-pk" if keys[-1].startswith("-") else "pk"]
    return list(rows.order_by(*keys).values_list("serial", flat=True))


def walk(get, url, link):
    """All serials from `url` on along the links called `link`, page by page."""
    pages = []
    while url:
        page = get(url)
        pages.append(column(page, "Serial"))
        found = re.search(rf'id="page-{link}" href="([^"]+)"', page)
        url, last = (unescape(found[1]) if found else ""), url
    return pages, last


@st.composite
def queries(draw):
    """A filter or two, a sort, sometimes a status."""
    names = draw(st.lists(st.sampled_from(sorted(NEEDLES)), max_size=2, unique=True))
    query = {name: draw(st.sampled_from(NEEDLES[name])) for name in names}
    if draw(st.booleans()):
        query["sort"] = draw(st.sampled_from(["", "-"])) + draw(st.sampled_from(sorted(SORTS)))
    if draw(st.integers(0, 3)) == 0:
        query["status"] = draw(st.sampled_from(["incoming", "ready", "imperfect", "out"]))
    if draw(st.booleans()):
        query["void"] = "on"
    return query


def urlencode(query):
    return "?" + urllib.parse.urlencode(query)


def agrees(client, account, query):
    """Walk all pages of a query, there and back: they show what the plain query answers, and its count."""
    with account_context(account):
        expected = plain(query)

    def get(url):
        answer = client.get(f"/{account.slug}/inventory/serials/{url}")
        assert answer.status_code == 200
        return answer.content.decode()

    pages, last = walk(get, urlencode({**query, "per_page": 8}), "next")
    assert [serial for page in pages for serial in page] == expected
    back, _first = walk(get, last, "prev")
    assert back == pages[::-1]
    count = re.search(r'data-count="([^"]+?) units?"', get(urlencode(query)))[1]
    assert count == (str(len(expected)) if len(expected) <= COUNTED else f"{COUNTED}+")


def test_every_page_shows_what_the_plain_query_would(crowd, account_a, account_b, client_for, wes):
    client = client_for(wes)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(query=queries(), account=st.sampled_from([account_a, account_b]))
    def check(query, account):
        agrees(client, account, query)

    check()


@pytest.mark.parametrize("name", ["order", "q"])
def test_what_begins_with_a_text_is_shown_once(crowd, account_a, client_for, wes, name):
    for needle in NEEDLES[name]:
        for sort in ("-update", "order", "serial"):
            agrees(client_for(wes), account_a, {name: needle, "sort": sort})


@pytest.mark.parametrize(("needle", "is_sampled"), [("sn", False), ("a%", True), ("SN-", True)])
def test_two_characters_that_most_serials_hold_are_not_looked_up(crowd, client_for, wes, needle, is_sampled):
    """An index would find millions of rows of a large account, to learn no more than that they are many."""
    with CaptureQueriesContext(connection) as seen:
        page = client_for(wes).get("/acme/inventory/serials/", {"serial": needle, "per_page": 8}).content.decode()
    assert any("MATERIALIZED" in query["sql"] for query in seen) == is_sampled
    assert rows_of(page)


def test_of_many_matches_only_those_that_may_be_on_the_page_are_sorted(crowd, account_a, client_for, wes):
    """Order numbers grow with time: a beginning of them is found far from the newest unit, beyond any walk."""
    client, start = client_for(wes), datetime(2026, 1, 1, tzinfo=UTC)
    with account_context(account_a):
        for n, unit in enumerate(Unit.objects.filter(is_void=False).order_by("pk")):
            number = f"SO-12{n:02}" if n < 30 else ""
            Unit.objects.filter(pk=unit.pk).update(order_no=number, updated_at=start + timedelta(minutes=n ^ 5))
    for sort in ("-update", "update", "serial", "-status"):
        agrees(client, account_a, {"order": "so-12", "sort": sort})
    for page, is_bounded in ((1, True), (3, False)):
        query = {"order": "so-12", "per_page": 8, "page": page}
        with CaptureQueriesContext(connection) as seen:
            assert rows_of(client.get("/acme/inventory/serials/", query).content.decode())
        (found,) = [each["sql"] for each in seen if each["sql"].startswith("SELECT row_id FROM (")]
        assert [('"updated_at" >= ' in part) for part in found.split(" UNION ALL ")] == [is_bounded] * 2


MARKS = ["x", "[]", '["a", "b"]', "[1]", "{}", "null", '["2026-01-01"]', "[[1], [2]]"]
MARKS += [r'["\u0000", "1"]', r'["\ud800", "1"]']  # what PostgreSQL has no text for


@pytest.mark.parametrize("token", MARKS)
def test_a_mark_that_makes_no_sense_is_left_out(crowd, client_for, wes, token):
    client = client_for(wes)
    for sort in ("update", "serial"):
        answer = client.get("/acme/inventory/serials/", {"after": token, "page": "2", "sort": sort})
        assert answer.status_code == 200
        assert rows_of(answer.content.decode())


def test_a_long_list_says_why_it_is_not_sorted(crowd, client_for, wes):
    client = client_for(wes)
    page = client.get("/acme/inventory/serials/", {"sort": "order"}).content.decode()
    assert re.search(r'<span title="Too many rows to sort by this: filter first.">Order#<', page)
    assert 'id="sort-order"' not in page
    assert 'id="sort-serial"' in page
    assert re.search(r'aria-sort="descending">\s*<a class="sort"\s+id="sort-update"', page)
    assert "sort-order" in client.get("/acme/inventory/serials/", {"serial": "a%"}).content.decode()


@pytest.mark.parametrize("query", [{}, {"serial": "sn"}, {"sort": "status"}])
def test_a_page_beyond_the_end_is_the_last_one(crowd, client_for, wes, query):
    client = client_for(wes)
    found = [client.get("/acme/inventory/serials/", {**query, "per_page": 8, "page": page}) for page in (99, 10**8)]
    shown = [column(answer.content.decode(), "Serial") for answer in found]
    assert shown[0]
    assert shown[0] == shown[1]
    assert 'id="page-next" role="link" aria-disabled="true"' in found[0].content.decode()
