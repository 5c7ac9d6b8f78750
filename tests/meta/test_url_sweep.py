"""Every address with another account's ids, slug and people.

A new address fails until it has a sample (tests/<app>/samples.py). Each is first shown to work for its own account:
else a 404 for a stranger would prove nothing.

The cast is made once for the module and the samples once for an address; whatever a case does is undone after it.
"""

import re
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from oms.models import Account, Membership, Role
from oms.tenancy import account_context
from tests.conftest import BACKEND, _person
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
every_sample = pytest.mark.parametrize("name", SAMPLES)


@contextmanager
def undone():
    """Whatever happens inside is undone at the end, after the checks that wait for a commit."""
    block = transaction.atomic()
    block._from_testcase = True  # as Django's TestCase: a durable block may begin inside
    with block:
        try:
            yield
            connection.check_constraints()
        finally:
            transaction.set_rollback(True)


@pytest.fixture(scope="module")
def cast(django_db_setup, django_db_blocker):
    """The accounts, everybody, and `client_for`, a new browser with the person's session."""
    with django_db_blocker.unblock(), undone():
        a = Account.objects.create(name="Acme", slug="acme", time_zone="Europe/Berlin")
        b = Account.objects.create(name="Bolt", slug="bolt")
        ida = _person("Ida", bolt=Role.ADMIN)
        Membership.with_invited.create(person=ida, account=a, role=Role.ADMIN)
        people = {
            "ana": _person("Ana", acme=Role.ADMIN),
            "olga": _person("Olga", acme=Role.OPERATOR),
            "ben": _person("Ben", acme=Role.VIEWER),
            "wes": _person("Wes", acme=Role.WAREHOUSE, bolt=Role.WAREHOUSE),
            "cid": _person("Cid", bolt=Role.ADMIN),
            "ida": ida,
            "nia": _person("Nia"),
        }
        yield SimpleNamespace(a=a, b=b, **people, client_for=_sessions_of(people.values()))


def _sessions_of(people):
    """`client_for(person)`: a new browser in which the person has signed in before."""
    sessions = {}
    for person in people:
        client = Client()
        client.force_login(person, backend=BACKEND)
        sessions[person.pk] = client.cookies[settings.SESSION_COOKIE_NAME].value

    def client_for(person, **kwargs):
        client = Client(**kwargs)
        client.cookies[settings.SESSION_COOKIE_NAME] = sessions[person.pk]
        return client

    return client_for


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


# --- what is tried at each address ------------------------------------------------------------------------------------
class Address:
    """An address of Acme with its samples, and all that Acme has."""

    def __init__(self, cast, name):
        self.cast, self.name, self.sample = cast, name, SAMPLES[name]
        makers = {cast.ana, *map(self.asker, self.sample.methods)}
        self.cases = {person: make(cast.a, name, person) for person in makers}
        self.before = fingerprint(cast.a)

    def asker(self, method):
        """Somebody of Acme who may."""
        return self.cast.ana if Role.ADMIN in getattr(self.sample, method) else self.cast.wes

    def ask(self, person, method, slug="acme", case=None):
        case = case or self.cases[self.cast.ana]
        return ask(self.cast.client_for(person), method, address(self.name, slug, case), case)

    def is_unchanged(self):
        return fingerprint(self.cast.a) == self.before


def it_works_for_the_roles_that_may(at, method):
    cast, allowed = at.cast, getattr(at.sample, method)
    people = {Role.ADMIN: cast.ana, Role.OPERATOR: cast.olga, Role.VIEWER: cast.ben, Role.WAREHOUSE: cast.wes}
    for role, person in people.items():
        answer = at.ask(person, method, case=make(cast.a, at.name, person))
        if role in allowed:
            assert answer.status_code in {200, 302}, f"{role}: {answer.status_code} {answer.body[:3000]}"
            assert "/sign-in/" not in answer.headers.get("Location", "")
        else:
            assert answer.status_code == 403, f"{role} may {method} {at.name}"


def what_is_not_there_is_404(at, method):
    person = at.asker(method)
    case = at.cases[person]
    kinds = next(converters for _route, found, converters in patterns() if found == at.name)
    for argument in case.kwargs:
        for absent in ABSENT[kinds[argument]]:
            url = reverse(at.name, kwargs={"account_slug": "acme", **case.kwargs, argument: absent})
            assert ask(at.cast.client_for(person), method, url, case).status_code == 404, url


def a_stranger_gets_404_at_our_address(at, method):
    """So does Ida, whom A invited: an invitation that is not accepted opens nothing."""
    for person in (at.cast.cid, at.cast.nia, at.cast.ida):
        assert at.ask(person, method).status_code == 404
    assert at.is_unchanged()


def our_ids_are_unknown_in_another_account(at, method):
    """Cid is admin of B. So is Ana here: what she may do in A does not open A's rows at B's address. Nor what Wes, who
    works in the warehouse of both, may do.
    """
    ana, wes, case = at.cast.ana, at.cast.wes, at.cases[at.cast.ana]
    Membership.objects.create(person=ana, account=at.cast.b, role=Role.ADMIN, joined_at=timezone.now())
    for person in (at.cast.cid, ana) if Role.ADMIN in getattr(at.sample, method) else (wes,):
        answer = at.ask(person, method, "bolt")
        assert answer.status_code in ({404} if case.kwargs else {200, 302, 422})
        posted = {str(value) for value in [*case.data.values(), *case.query.values()]}  # a form shows it again
        own = {"Acme", "acme"} if person in {ana, wes} else set()  # their other account, to change to
        assert {*OURS.findall(answer.body)} <= posted | own
    assert at.is_unchanged()


def nobody_is_sent_to_the_sign_in_page(at, method):
    case = at.cases[at.cast.ana]
    answer = ask(Client(), method, address(at.name, "acme", case), case)
    asked = answer.wsgi_request.get_full_path()
    if method == "get":
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/sign-in/?next={quote(asked)}")
    elif case.data:  # what was typed is kept, to be sent again
        assert answer.status_code == 401
    else:
        assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in/?next=/")
    assert at.is_unchanged()


def a_post_without_its_token_is_refused(at, method):
    case = at.cases[at.cast.ana]
    client = at.cast.client_for(at.cast.ana, enforce_csrf_checks=True)
    assert ask(client, method, address(at.name, "acme", case), case).status_code == 403
    assert at.is_unchanged()


def other_methods_are_405(at, method):
    """Asked by somebody who may use the page: another role is refused before its method is."""
    person = at.cast.ana if at.cast.ana in map(at.asker, at.sample.methods) else at.cast.wes
    assert at.ask(person, method, case=at.cases[person]).status_code == 405
    assert at.is_unchanged()


OF_EVERY_USE = [
    it_works_for_the_roles_that_may,
    what_is_not_there_is_404,
    a_stranger_gets_404_at_our_address,
    our_ids_are_unknown_in_another_account,
    nobody_is_sent_to_the_sign_in_page,
]
OF_A_USE = {"get": OF_EVERY_USE, "post": [*OF_EVERY_USE, a_post_without_its_token_is_refused]}


@every_sample
def test_an_address(subtests, cast, name):
    with undone():
        at = Address(cast, name)
        for method in METHODS:
            for check in OF_A_USE[method] if method in at.sample.methods else [other_methods_are_405]:
                with subtests.test(f"{method}: {check.__name__}"), undone():
                    check(at, method)
        assert at.is_unchanged(), "a case was not undone"


# --- lists ------------------------------------------------------------------------------------------------------------
LISTS = [name for name, sample in SAMPLES.items() if sample.rows]
FORMS = {"page": {}, "fragment": {"headers": {"HX-Request": "true"}}, "csv": {"query_params": {"format": "csv"}}}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_asks_as_often_for_thirty_rows_as_for_one_and_shows_its_accounts_only(subtests, cast, name):
    client, stranger = cast.client_for(cast.ana), cast.client_for(cast.cid)
    url = reverse(name, kwargs={"account_slug": "acme"})

    def asked(form):
        with CaptureQueriesContext(connection) as queries:
            shown = ask(client, "get", url, **FORMS[form]).body
        return len(queries), shown

    def twice(form):
        asked(form)  # what is asked once per process or session
        return asked(form)

    with undone():
        with account_context(cast.a):
            SAMPLES[name].rows(1)
        few = {form: twice(form) for form in FORMS}
        with account_context(cast.a):
            SAMPLES[name].rows(29)
        for form, (count, page) in few.items():
            with subtests.test(form):
                many, longer = asked(form)
                assert len(longer) > len(page), "the rows are not on the page"
                assert many == count
                assert OURS.search(longer), "nothing on the page would tell"
                theirs = ask(stranger, "get", reverse(name, kwargs={"account_slug": "bolt"}), **FORMS[form])
                assert (theirs.status_code, OURS.findall(theirs.body)) == (200, [])


# --- outside accounts -------------------------------------------------------------------------------------------------
ARGUMENTS = {"welcome": {"uidb64": 1, "token": "x-y"}, "join": {"token": "1:x:y"}}


@pytest.mark.parametrize("name", PLATFORM)
def test_platform_addresses_ask_to_sign_in(cast, name):
    url = reverse(name, kwargs=ARGUMENTS.get(name))
    for method in METHODS:
        with undone():
            answer = ask(Client(), method, url)
            is_sent_away = answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in/?next=")
            assert is_sent_away is not PLATFORM[name], f"{method} {url}: {answer.status_code}"
            assert answer.status_code < 500
            assert ask(cast.client_for(cast.nia), method, url).status_code < 500


def test_somebody_without_an_account_is_told_so(cast):
    with undone():
        answer = cast.client_for(cast.nia).get(reverse("home"), follow=True)
    assert answer.status_code == 200
    assert "Acme" not in answer.content.decode()


def test_the_choice_of_accounts_is_ones_own(cast):
    with undone():
        for person in (cast.cid, cast.ida):
            assert "Acme" not in ask(cast.client_for(person), "get", reverse("accounts")).body
        assert "Acme" in ask(cast.client_for(cast.wes), "get", reverse("accounts")).body
