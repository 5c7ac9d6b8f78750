"""Every filter of every list page with what it cannot use: told at the filter, and nothing is done with any row."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from django.urls import resolve, reverse

from oms import jobs
from oms.models import Job, JobState, Role
from oms.tenancy import account_context
from oms.ui import exports
from oms.ui.filters import ChoiceFilter, DayRangeFilter, SearchFilter, SwitchFilter, TextFilter
from replenishment.filters import LineFilter
from serials.filters import FoundListFilter
from tests.fingerprints import fingerprint
from tests.meta.test_url_sweep import LISTS, SAMPLES
from tests.samples import all_samples

LONG = "x" * 121
PART = {"headers": {"HX-Request": "true"}}
ROW = re.compile(r'<tr (?:class="[^"]*" )?id="row-')
BAD_DAYS = ["yesterday", "31/01/2027", "01-31-2027", "2027-1-31", "2027-02-30", "20270131", "0027-01-31", "2027-01-31\0"]


def page_of(name, role=Role.ADMIN):
    """The class of a list page."""
    view = resolve(reverse(name, kwargs={"account_slug": "acme"})).func
    plain = view.table_view
    return next((cls for cls in plain.__subclasses__() if role == Role.ADMIN), plain)


def bad_values(name, declared):
    """Query strings that one filter cannot use."""
    if isinstance(declared, DayRangeFilter):
        ends = [{f"{name}_{end}": text} for end in ("from", "to") for text in BAD_DAYS]
        return [*ends, {f"{name}_from": "2027-02-01", f"{name}_to": "2027-01-31"}]
    kinds = {
        FoundListFilter: ["nonsense", "\0"],
        LineFilter: ["one", "-1", "9" * 30],
        SearchFilter: [LONG, "long\0enough"],
        TextFilter: [LONG, "a\0b", "\0"],
        ChoiceFilter: ["nonsense", "\0", "9" * 300],
        SwitchFilter: ["maybe", "\0"],
    }
    texts = next(texts for kind, texts in kinds.items() if isinstance(declared, kind))
    return [{name: text} for text in texts]


def filters_of(name):
    return page_of(name).filterset_class.base_filters


EVERY = [(page, each) for page in LISTS for each in filters_of(page)]


@pytest.fixture
def full(account_a):
    """`full(name)` makes three rows of a list, and gives its address."""

    def make(name):
        with account_context(account_a):
            SAMPLES[name].rows(3)
        return reverse(name, kwargs={"account_slug": "acme"})

    return make


def posts_of(name):
    """The addresses of what is done with selected rows of a list."""
    found = [action for action in page_of(name).bulk_actions if action.needs_rows]
    return [reverse(action.route, kwargs={"account_slug": "acme"}) for action in found]


def test_every_list_page_is_walked():
    lists = {
        name
        for name in all_samples()
        if hasattr(getattr(SAMPLES[name], "rows", None), "__call__")  # noqa: B004
    }
    assert lists == set(LISTS)
    assert {"serials", "skus", "stock", "replenishments", "audit"} <= lists


@pytest.mark.parametrize(("name", "each"), EVERY)
def test_a_filter_that_cannot_be_used_shows_nothing_and_does_nothing(client_for, ana, account_a, full, name, each):
    client, url = client_for(ana), full(name)
    assert ROW.search(client.get(url).content.decode())
    before = fingerprint(account_a)
    declared = filters_of(name)[each]
    for query in bad_values(each, declared):
        for kind in ({}, PART):
            answer = client.get(url, query, **kind)
            page = unescape(answer.content.decode())
            assert answer.status_code == 200
            assert not ROW.search(page), query
            assert f"{declared.label}: <strong>" in page, query
            assert "This filter cannot be used" in page
            assert "Select all" not in page
            assert 'class="bulk-bar"' not in page
            assert "format=csv" not in page
        asked = [client.get(url, {**query, "format": "csv"})]
        asked += [client.post(path, {"all": "1", "filter": urlencode(query)}) for path in posts_of(name)]
        for answer in asked:
            assert answer.status_code == 422, query
            assert f"{declared.label}: " in unescape(answer.content.decode())
    assert fingerprint(account_a) == before


@pytest.mark.parametrize("name", LISTS)
def test_what_is_no_filter_is_told_on_the_page_and_refused_by_what_is_done(client_for, ana, account_a, full, name):
    client, url = client_for(ana), full(name)
    before = fingerprint(account_a)
    for query in ({"skuu": "LAMP"}, {"query": ""}, {"update": "2027-01-31"}, {"a\0b": "1"}):
        answer = client.get(url, query)
        page = unescape(answer.content.decode())
        assert (answer.status_code, bool(ROW.search(page))) == (200, True)
        (strange,) = query
        assert f"“{strange}” is no filter of this list." in page
        assert "Select all 3" not in page
        assert "format=csv" not in page
        asked = [client.get(url, {**query, "format": "csv"})]
        asked += [client.post(path, {"all": "1", "filter": urlencode(query)}) for path in posts_of(name)]
        assert [answer.status_code for answer in asked] == [422] * len(asked)
        assert all(f"“{strange}”" in answer.content.decode() for answer in asked)
    assert fingerprint(account_a) == before


@pytest.mark.parametrize("name", LISTS)
def test_a_text_that_is_only_too_short_asks_for_more_in_kind_words(client_for, ana, full, name):
    declared = filters_of(name)["q"]
    shortest = declared.extra["shortest"]
    if shortest == 1:
        return
    client, url = client_for(ana), full(name)
    for typed in range(1, shortest):
        page = client.get(url, {"q": "x" * typed}, **PART).content.decode()
        assert ("One more character …" if typed == shortest - 1 else "more characters …") in page
        assert "Keep typing" in page
        assert "cannot be used" not in page
        assert not ROW.search(page)
        assert 'class="chip"' not in page
        assert client.get(url, {"q": "x" * typed, "format": "csv"}).status_code == 422
    assert "Keep typing" not in client.get(url, {"q": "x" * shortest}).content.decode()


@pytest.mark.parametrize("name", LISTS)
def test_the_same_filter_with_two_values_is_neither(client_for, ana, full, name):
    client, url = client_for(ana), full(name)
    page = client.get(f"{url}?q=first&q=second").content.decode()
    assert "there twice" in page
    assert not ROW.search(page)
    assert ROW.search(client.get(f"{url}?q=&q=").content.decode())


# --- order and place --------------------------------------------------------------------------------------------------
SORTS = ["", "nonsense", "-", "--sku", "password", "check", "\0", "x" * 500, "1", "pk", "sku,name"]
PLACES = [
    *[{"page": text} for text in ("0", "-1", "x", "9" * 9, "9" * 40, "１", "\0", "")],
    *[{"per_page": text} for text in ("7", "0", "-25", "9" * 40, "x")],
    *[
        {way: text}
        for way in ("after", "before")
        for text in ("", "x", "[]", "[1]", "{}", '["\\ud800", "1"]', "[" * 9_000, '["a", NaN]', f'["a", {"9" * 400}]')
    ],
    *[{"columns": text} for text in ("own", "x", "\0")],
    *[{"view": text} for text in ("0", "x", "9" * 40, "\0")],
    {"format": "x"},
]


@pytest.mark.parametrize("name", LISTS)
def test_an_order_or_place_that_makes_no_sense_is_the_usual_one(client_for, ana, full, name):
    client, url = client_for(ana), full(name)
    texts = [each for each, declared in filters_of(name).items() if isinstance(declared, TextFilter)]
    usual = ROW_IDS.findall(client.get(url).content.decode())
    assert usual
    for place in [*({"sort": text} for text in SORTS), {"sort": ["", "nonsense"]}, *PLACES]:
        assert ROW_IDS.findall(client.get(url, place).content.decode()) == usual, place
        for each in texts:
            answer = client.get(url, {**place, each: "1" * 3})
            assert answer.status_code == 200, (place, each)
    own = page_of(name).table_class
    names = [column for column in own.base_columns if own.sorts([column])]
    for sort in (names[:2], names[:1] * 2, [names[0], f"-{names[0]}"], ["nonsense", f"-{names[0]}"], names):
        for query in ({}, *({each: "1"} for each in texts)):
            assert client.get(url, {**query, "sort": sort}).status_code == 200, (sort, query)


ROW_IDS = re.compile(r'id="(row-\d+)"')


# --- jobs -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", LISTS)
def test_no_job_is_begun_for_a_filter_that_cannot_be_used(client_for, ana, account_a, full, name, monkeypatch):
    monkeypatch.setattr(exports, "AT_ONCE", 0)
    url = full(name)
    assert client_for(ana).get(url, {"q": LONG, "format": "csv"}).status_code == 422
    with account_context(account_a):
        assert not Job.objects.filter(kind="ui.export").exists()


BAD_FILTER = urlencode({"update_from": "31/01/2027", "skuu": "x"})
CHOSEN = {"path": "/acme/inventory/serials/", "filter": BAD_FILTER}
JOBS = {
    "ui.export": {"path": "/acme/inventory/serials/", "query": BAD_FILTER},
    "serials.history": CHOSEN,
    "serials.labels": {"source": "selected units", "args": CHOSEN, "sheet": "4x6"},
    "serials.attribute": {"selection": CHOSEN, "name": "Grade", "value": "B", "overwrite": True},
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", JOBS)
def test_a_job_whose_filter_cannot_be_used_any_more_fails_and_names_it(ana, account_a, full, kind):
    full("serials")
    with account_context(account_a):
        job = jobs.start(kind, "Kept since long", JOBS[kind], person=ana)
    before = {row: text for row, text in fingerprint(account_a).items() if "job" not in str(row)}
    assert jobs.run(account_a.pk, job.pk) == JobState.FAILED
    with account_context(account_a):
        job.refresh_from_db()
    assert "Update: Use the form yyyy-mm-dd" in job.message
    assert "“skuu” is no filter of this list." in job.message
    assert {row: text for row, text in fingerprint(account_a).items() if "job" not in str(row)} == before
