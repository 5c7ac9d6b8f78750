"""Every address with another account's ids, slug and people.

A new address fails until it has a sample (tests/<app>/samples.py). Each is first shown to work for its own account:
else a 404 for a stranger would prove nothing.
"""

import re
from urllib.parse import quote

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from oms.models import Membership, Role
from oms.tenancy import account_context
from tests.fingerprints import fingerprint
from tests.oms.samples import PLATFORM
from tests.samples import Case, all_samples

SAMPLES = all_samples()
PREFIX = "<slug:account_slug>/"
# What the factories write into rows of A: none of it may ever be on a page of B.
OURS = re.compile(
    r"(?:SKU|ORDER|SERIAL)-\d{5}|Case \d{5}|Thing \d|BIN-\d|Warehouse \d|FILE-1|p\d+@example\.com|>P \d+<|Acme|acme"
)
ABSENT = {
    "int": [0, 2**31, 2**63, 10**30],
    "uuid": ["00000000-0000-0000-0000-000000000000"],
    "str": ["-"],
    "slug": ["-"],
}
METHODS = ["get", "post", "put", "patch", "delete"]


def patterns(resolver=None, route=""):
    """(route, name, converters by argument) of every address, included ones too."""
    for entry in (resolver or get_resolver()).url_patterns:
        path = route + str(entry.pattern)
        if isinstance(entry, URLPattern):
            converters = dict(re.findall(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>", path))
            yield path, entry.name, {name: kind or "str" for kind, name in converters.items()}
        else:
            yield from patterns(entry, path)


ROUTES = {name: route for route, name, _converters in patterns()}
BY_METHOD = [(name, method) for name, sample in SAMPLES.items() for method in sample.methods]
every_sample = pytest.mark.parametrize("name", SAMPLES)
every_use = pytest.mark.parametrize(
    ("name", "method"), BY_METHOD, ids=[f"{name}-{method}" for name, method in BY_METHOD]
)


def people_of(cast):
    """A member of A for each role."""
    return {Role.ADMIN: cast["ana"], Role.OPERATOR: cast["olga"], Role.VIEWER: cast["ben"], Role.WAREHOUSE: cast["wes"]}


def make(account, name, person):
    with account_context(account):
        return SAMPLES[name].make(person)


def address(name, slug, case):
    return reverse(name, kwargs={"account_slug": slug, **case.kwargs})


def ask(client, method, url, case=Case(), **kwargs):  # noqa: B008  (it is frozen)
    """The answer, with its whole body as `body`; a file is closed by reading it to its end."""
    for value in case.data.values():
        if hasattr(value, "seek"):  # a file that was posted before
            value.seek(0)
    answer = getattr(client, method)(url, case.query if method == "get" else case.data, **kwargs)
    answer.body = (answer.getvalue() if answer.streaming else answer.content).decode("utf-8", "replace")
    return answer


# --- the list of addresses --------------------------------------------------------------------------------------------
def test_every_address_has_a_name_of_its_own():
    names = [name for _route, name, _converters in patterns()]
    assert None not in names
    assert len(names) == len(set(names))


def test_every_address_has_a_sample():
    assert {name for name, route in ROUTES.items() if route.startswith(PREFIX)} == set(SAMPLES)


def test_every_address_outside_accounts_is_known():
    assert {name for name, route in ROUTES.items() if not route.startswith(PREFIX)} == set(PLATFORM)


def test_nothing_after_the_account_can_be_taken_for_one():
    """`/<account>/…` comes last, and no other address starts with something that could be an account's."""
    routes = list(ROUTES.values())
    first = min(routes.index(route) for route in routes if route.startswith(PREFIX))
    assert all(route.startswith(PREFIX) for route in routes[first:])
    taken = {route.partition("/")[0] for route in routes[:first]} - {""}
    reserved = next(model for model in apps.get_models() if model._meta.label == "oms.Account")
    (check,) = [constraint for constraint in reserved._meta.constraints if constraint.name == "account_slug"]
    assert all(repr(slug) in repr(check.condition) for slug in taken), "add it to RESERVED_SLUGS"


# --- one's own account ------------------------------------------------------------------------------------------------
@every_use
def test_it_works_for_the_roles_that_may(client_for, cast, account_a, name, method):
    allowed = getattr(SAMPLES[name], method)
    for role, person in people_of(cast).items():
        case = make(account_a, name, person)
        answer = ask(client_for(person), method, address(name, "acme", case), case)
        if role in allowed:
            assert answer.status_code in {200, 302}, f"{role}: {answer.status_code} {answer.body[:3000]}"
            assert "/sign-in/" not in answer.headers.get("Location", "")
        else:
            assert answer.status_code == 403, f"{role} may {method} {name}"


@every_sample
def test_other_methods_are_405(client_for, ana, wes, account_a, name):
    """Asked by somebody who may use the page: another role is refused before its method is."""
    person = ana if any(Role.ADMIN in getattr(SAMPLES[name], method) for method in SAMPLES[name].methods) else wes
    case = make(account_a, name, person)
    before = fingerprint(account_a)
    for method in sorted({*METHODS} - {*SAMPLES[name].methods}):
        assert ask(client_for(person), method, address(name, "acme", case)).status_code == 405, method
    assert fingerprint(account_a) == before


@every_use
def test_what_is_not_there_is_404(client_for, ana, wes, account_a, name, method):
    person = ana if Role.ADMIN in getattr(SAMPLES[name], method) else wes
    case = make(account_a, name, person)
    kinds = next(converters for _route, found, converters in patterns() if found == name)
    for argument in case.kwargs:
        for absent in ABSENT[kinds[argument]]:
            url = reverse(name, kwargs={"account_slug": "acme", **case.kwargs, argument: absent})
            assert ask(client_for(person), method, url, case).status_code == 404, url


# --- the other account ------------------------------------------------------------------------------------------------
@every_use
def test_a_stranger_gets_404_at_our_address(client_for, ana, cid, ida, nia, account_a, name, method):
    """So does Ida, whom A invited: an invitation that is not accepted opens nothing."""
    case = make(account_a, name, ana)
    before = fingerprint(account_a)
    for person in (cid, nia, ida):
        assert ask(client_for(person), method, address(name, "acme", case), case).status_code == 404
    assert fingerprint(account_a) == before


@every_use
def test_our_ids_are_unknown_in_another_account(client_for, ana, cid, wes, account_a, account_b, name, method):
    """Cid is admin of B. So is Ana here: what she may do in A does not open A's rows at B's address. Nor what Wes, who
    works in the warehouse of both, may do.
    """
    Membership.objects.create(person=ana, account=account_b, role=Role.ADMIN, joined_at=timezone.now())
    case = make(account_a, name, ana)
    before = fingerprint(account_a)
    for person in (cid, ana) if Role.ADMIN in getattr(SAMPLES[name], method) else (wes,):
        answer = ask(client_for(person), method, address(name, "bolt", case), case)
        assert answer.status_code in ({404} if case.kwargs else {200, 302, 422})
        posted = {str(value) for value in [*case.data.values(), *case.query.values()]}  # a form shows it again
        own = {"Acme", "acme"} if person in {ana, wes} else set()  # their other account, to change to
        assert {*OURS.findall(answer.body)} <= posted | own
    assert fingerprint(account_a) == before


@every_use
def test_nobody_is_sent_to_the_sign_in_page(ana, account_a, name, method):
    case = make(account_a, name, ana)
    before = fingerprint(account_a)
    url = address(name, "acme", case)
    answer = ask(Client(), method, url, case)
    asked = answer.wsgi_request.get_full_path()
    if method == "get":
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/sign-in/?next={quote(asked)}")
    elif case.data:  # what was typed is kept, to be sent again
        assert answer.status_code == 401
    else:
        assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in/?next=/")
    assert fingerprint(account_a) == before


@pytest.mark.parametrize("name", [name for name, method in BY_METHOD if method == "post"])
def test_a_post_without_its_token_is_refused(client_for, ana, account_a, name):
    case = make(account_a, name, ana)
    before = fingerprint(account_a)
    client = client_for(ana, enforce_csrf_checks=True)
    assert ask(client, "post", address(name, "acme", case), case).status_code == 403
    assert fingerprint(account_a) == before


# --- lists ------------------------------------------------------------------------------------------------------------
LISTS = [name for name, sample in SAMPLES.items() if sample.rows]
FORMS = {"page": {}, "fragment": {"headers": {"HX-Request": "true"}}, "csv": {"query_params": {"format": "csv"}}}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("form", FORMS)
def test_a_list_asks_as_often_for_thirty_rows_as_for_one(client_for, ana, account_a, name, form):
    client = client_for(ana)
    url = reverse(name, kwargs={"account_slug": "acme"})

    def asked():
        with CaptureQueriesContext(connection) as queries:
            shown = ask(client, "get", url, **FORMS[form]).body
        return len(queries), shown

    with account_context(account_a):
        SAMPLES[name].rows(1)
    asked()  # what is asked once per process or session
    few, page = asked()
    with account_context(account_a):
        SAMPLES[name].rows(29)
    many, longer = asked()
    assert len(longer) > len(page), "the rows are not on the page"
    assert many == few


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("form", FORMS)
def test_a_list_shows_rows_of_its_account_only(client_for, ana, cid, account_a, account_b, name, form):
    with account_context(account_a):
        SAMPLES[name].rows(3)
    ours = ask(client_for(ana), "get", reverse(name, kwargs={"account_slug": "acme"}), **FORMS[form])
    assert OURS.search(ours.body), "nothing on the page would tell"
    theirs = ask(client_for(cid), "get", reverse(name, kwargs={"account_slug": "bolt"}), **FORMS[form])
    assert (theirs.status_code, OURS.findall(theirs.body)) == (200, [])


# --- outside accounts -------------------------------------------------------------------------------------------------
ARGUMENTS = {"welcome": {"uidb64": 1, "token": "x-y"}, "join": {"token": "1:x:y"}}


@pytest.mark.parametrize("name", PLATFORM)
def test_platform_addresses_ask_to_sign_in(client_for, nia, name):
    url = reverse(name, kwargs=ARGUMENTS.get(name))
    for method in METHODS:
        answer = ask(Client(), method, url)
        is_sent_away = answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in/?next=")
        assert is_sent_away is not PLATFORM[name], f"{method} {url}: {answer.status_code}"
        assert answer.status_code < 500
        assert ask(client_for(nia), method, url).status_code < 500


def test_somebody_without_an_account_is_told_so(client_for, nia, account_a):
    answer = client_for(nia).get(reverse("home"), follow=True)
    assert answer.status_code == 200
    assert "Acme" not in answer.content.decode()


def test_the_choice_of_accounts_is_ones_own(client_for, cid, ida, wes):
    for person in (cid, ida):
        assert "Acme" not in ask(client_for(person), "get", reverse("accounts")).body
    assert "Acme" in ask(client_for(wes), "get", reverse("accounts")).body
