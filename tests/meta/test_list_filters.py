"""Every filter of every list page with what it cannot use: told at the filter, and nothing is done with any row."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from django.urls import resolve, reverse

from oms import jobs
from oms.models import Job, JobState
from oms.tenancy import account_context
from oms.ui import exports, paging
from oms.ui.filters import ChoiceFilter, DayRangeFilter, SearchFilter, SwitchFilter, TextFilter
from replenishment.filters import LineFilter
from serials import labels_jobs
from serials.filters import FoundListFilter
from serials.views import actions
from tests.fingerprints import fingerprint
from tests.meta.test_url_sweep import LISTS, SAMPLES, patterns

LONG = "x" * 121
PART = {"headers": {"HX-Request": "true"}}
ROW = re.compile(r'<tr (?:class="[^"]*" )?id="(row-\w+-\d+)"')


def page_of(name):
    """The class of a list page, as admins see it."""
    view = resolve(reverse(name, kwargs={"account_slug": "acme"})).func
    return next(iter(view.table_view.__subclasses__()), view.table_view)


def bad_values(name, declared):
    """Query strings that one filter cannot use."""
    if isinstance(declared, DayRangeFilter):
        reversed_days = {f"{name}_from": "2027-02-01", f"{name}_to": "2027-01-31"}
        return [{f"{name}_from": "31/01/2027"}, {f"{name}_to": "\0"}, reversed_days]
    kinds = {
        FoundListFilter: ["nonsense"],
        LineFilter: ["one"],
        SearchFilter: [LONG, "long\0enough"],
        TextFilter: [LONG],
        ChoiceFilter: ["nonsense", "\0"],
        SwitchFilter: ["maybe"],
    }
    texts = next(texts for kind, texts in kinds.items() if isinstance(declared, kind))
    return [{name: text} for text in texts]


def filters_of(name):
    return page_of(name).filterset_class.base_filters


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


def see(client, url, query, **kind):
    answer = client.get(url, query, **kind)
    assert answer.status_code == 200, query
    return unescape(answer.content.decode())


def done_with(client, name, url, query):
    """What is answered to everything that can be done with all rows that match."""
    asked = [client.get(url, {**query, "format": "csv"})]
    asked += [client.post(path, {"all": "1", "filter": urlencode(query)}) for path in posts_of(name)]
    assert [answer.status_code for answer in asked] == [422] * len(asked), query
    return [unescape(answer.content.decode()) for answer in asked]


def test_every_list_page_is_walked():
    routes = {name for _route, name, converters in patterns() if set(converters) == {"account_slug"}}
    views = {name: resolve(reverse(name, kwargs={"account_slug": "acme"})).func for name in routes}
    assert {name for name, view in views.items() if hasattr(view, "table_view")} == set(LISTS)
    assert {name for name in LISTS if posts_of(name)} == {"serials", "skus", "stock"}


@pytest.mark.parametrize("name", LISTS)
def test_a_filter_that_cannot_be_used_shows_nothing_and_does_nothing(client_for, ana, account_a, full, name):
    client, url = client_for(ana), full(name)
    assert ROW.search(see(client, url, {}))
    before = fingerprint(account_a)
    for each, declared in filters_of(name).items():
        for place, query in enumerate(bad_values(each, declared)):
            page = see(client, url, query, **({} if place else PART))
            assert not ROW.search(page), query
            assert f"{declared.label}: <strong>" in page, query
            assert "This filter cannot be used" in page
            assert "Select all" not in page
            assert 'class="bulk-bar"' not in page
            assert "format=csv" not in page
            assert all(f"{declared.label}: " in told for told in done_with(client, name, url, query))
    assert fingerprint(account_a) == before


@pytest.mark.parametrize("name", LISTS)
def test_what_is_no_filter_is_told_on_the_page_and_refused_by_what_is_done(client_for, ana, account_a, full, name):
    client, url = client_for(ana), full(name)
    before = fingerprint(account_a)
    for strange in ("skuu", "query", "a\0b")[: 3 if name == "serials" else 1]:
        page = see(client, url, {strange: "2027-01-31"})
        assert ROW.search(page)
        assert f"“{strange}” is no filter of this list." in page
        assert "Select all 3" not in page
        assert "format=csv" not in page
        assert all(f"“{strange}”" in told for told in done_with(client, name, url, {strange: ""}))
    assert fingerprint(account_a) == before


def test_a_text_that_is_only_too_short_asks_for_more_in_kind_words(client_for, ana, full):
    client, url = client_for(ana), full("serials")
    for typed, words in (("a", "2 more characters …"), ("ab", "One more character …")):
        for kind in ({}, PART):
            page = see(client, url, {"q": typed}, **kind)
            assert f"Search: <strong>{words}" in page
            assert "Keep typing" in page
            assert "cannot be used" not in page
            assert not ROW.search(page)
            assert 'class="chip"' not in page
            assert "aria-invalid" not in page
        assert all(words in told for told in done_with(client, "serials", url, {"q": typed}))
    assert "Keep typing" not in see(client, url, {"q": "abc"})


BAD_DAYS = [
    "yesterday",
    "01/31/2027",
    "31.1.2027",
    "2027-1-31",
    "2027-02-30",
    "20270131",
    "0027-01-31",
    "２０２７-01-31",
]


@pytest.mark.parametrize("text", BAD_DAYS)
@pytest.mark.parametrize("end", ["from", "to"])
def test_a_day_has_one_form(client_for, ana, full, end, text):
    page = see(client_for(ana), full("skus"), {f"update_{end}": text})
    assert "yyyy-mm-dd" in page.partition("This filter cannot be used")[2]
    assert not ROW.search(page)
    assert f'value="{text}"' in page, "what was typed stands in its field"
    assert 'id="filter_update_error"' in page


def test_days_in_the_wrong_order_are_told_as_that(client_for, ana, full):
    client, url = client_for(ana), full("skus")
    page = see(client, url, {"update_from": "2027-02-01", "update_to": "2027-01-31"})
    assert "2027-02-01 is after 2027-01-31: give the earlier day first." in page
    assert ROW.search(see(client, url, {"update_from": " 2020-02-01 ", "update_to": "2199-12-31"}))


def test_what_is_no_choice_stands_in_its_field(client_for, ana, full):
    """The next filter is sent with it: it would else be dropped unseen."""
    page = see(client_for(ana), full("serials"), {"status": "nonsense", "void": "maybe"})
    assert re.search(r'<option value="nonsense" selected[^>]*>nonsense</option>', page)
    assert re.search(r'<input type="checkbox"[^>]* value="maybe"[^>]* checked', page)


TWICE = [
    ("serials", {"q": ["first", "second"]}),
    ("skus", {"q": ["first", "second"]}),
    ("skus", {"q": ["first", ""]}),
    ("skus", {"q": ["", "first"]}),
    ("serials", {"sku": ["A", ""]}),
    ("skus", {"update_from": ["2025-01-01", ""]}),
    ("skus", {"update_to": ["", "2025-01-01"]}),
    ("serials", {"status": ["planned", ""]}),
]


@pytest.mark.parametrize(("name", "query"), TWICE)
def test_the_same_filter_with_two_values_is_neither(client_for, ana, full, name, query):
    """Also where one of them is empty: the last one would mean all rows."""
    page = see(client_for(ana), full(name), query)
    assert "there twice" in page
    assert not ROW.search(page)
    (parameter,) = query
    assert parameter == "q" or f'id="filter_{parameter.partition("_")[0]}_error"' in page


def test_the_same_filter_twice_with_one_value_is_one(client_for, ana, full):
    client, url = client_for(ana), full("skus")
    assert ROW.search(see(client, url, {"q": ["", ""]}))
    assert ROW.search(see(client, url, {"update_from": ["2020-01-01", "2020-01-01"]}))


# --- order and place --------------------------------------------------------------------------------------------------
SORTS = ["", "nonsense", "--sku", "check", "\0"]
TOKENS = ["", "x", "{}", '["\\ud800", "1"]', "[" * 1_200, '["a", NaN]', f'["a", {"9" * 400}]']
PLACES = {
    "page": ["0", "-1", "x", "9" * 9, "9" * 40, "\0"],
    "per_page": ["7", "-25", "9" * 40, "x"],
    "after": TOKENS,
    "before": TOKENS,
    "columns": ["x", "\0"],
    "view": ["x", "9" * 40, "\0"],
}


@pytest.mark.parametrize("name", LISTS)
def test_an_order_that_makes_no_sense_is_the_usual_one(client_for, ana, full, name):
    client, url = client_for(ana), full(name)
    filters, table = filters_of(name), page_of(name).table_class
    text = next(each for each, declared in filters.items() if isinstance(declared, TextFilter) and each != "q")
    usual = ROW.findall(see(client, url, {}))
    assert usual
    for sort in (*([each] for each in SORTS), ["", "nonsense"]):
        assert ROW.findall(see(client, url, {"sort": sort}, **PART)) == usual, sort
        see(client, url, {"sort": sort, text: "1"}, **PART)
    first, second, *_rest = [column for column in table.base_columns if table.sorts([column])]
    for sort in ([first, second], [first, first], [first, f"-{first}"], ["nonsense", f"-{first}", ""]):
        see(client, url, {"sort": sort, text: "1"}, **PART)


@pytest.mark.parametrize("parameter", PLACES)
def test_a_place_that_makes_no_sense_is_the_usual_one(client_for, ana, full, monkeypatch, parameter):
    monkeypatch.setattr(paging, "COUNTED", 1)  # so that rows are reached by their keys
    client, url = client_for(ana), full("serials")
    usual = ROW.findall(see(client, url, {}))
    assert len(usual) == 3
    for text in PLACES[parameter]:
        for sort in ("serial", "-update"):
            assert len(ROW.findall(see(client, url, {parameter: text, "sort": sort}, **PART))) == 3, text
            see(client, url, {parameter: text, "sort": sort, "sku": "1"}, **PART)


# --- jobs -------------------------------------------------------------------------------------------------------------
def test_no_job_is_begun_for_a_filter_that_cannot_be_used(client_for, ana, account_a, full, monkeypatch):
    for module, limit in (
        (exports, "AT_ONCE"),
        (actions, "AT_ONCE"),
        (actions, "SET_AT_ONCE"),
        (labels_jobs, "AT_ONCE"),
    ):
        monkeypatch.setattr(module, limit, 0)
    client, url = client_for(ana), full("serials")
    sent = {
        "all": "1",
        "filter": "q=ab",
        "name": "Grade",
        "value": "B",
        "sheet": "4x6",
        "do": "print",
        "symbology": "qr",
    }
    asked = [client.get(url, {"q": "ab", "format": "csv"}), *(client.post(path, sent) for path in posts_of("serials"))]
    assert [answer.status_code for answer in asked] == [422] * 4
    with account_context(account_a):
        assert not Job.objects.exists()


def test_all_rows_are_asked_for_in_words_or_not_at_all(client_for, ana, full):
    """A form that lost its filter on the way says nothing of which rows."""
    full("serials")
    answers = [client_for(ana).post(path, {"all": "1"}) for path in posts_of("serials")]
    assert [answer.status_code for answer in answers] == [422] * 3


BAD_FILTER = urlencode({"update_from": "31/01/2027", "skuu": "x"})
CHOSEN = {"path": "/acme/inventory/serials/", "filter": BAD_FILTER}
JOBS = {
    "ui.export": {"path": "/acme/inventory/serials/", "query": BAD_FILTER},
    "serials.history": CHOSEN,
    "serials.labels": {"source": "selected units", "args": CHOSEN, "sheet": "4x6"},
    "serials.attribute": {"selection": CHOSEN, "name": "Grade", "value": "B", "overwrite": True},
}


@pytest.mark.commits("a job works on what is committed")
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
