"""Hostile values in every list, form and upload, and everybody at the addresses of other accounts.

The pages of the demo are walked through as each person, and what they offer is asked for with values that nobody means
well, one request after the other in this process. Whatever a request does is undone after it. A fault is an answer of
500 and more, markup of ours that comes back as markup, a refusal (4xx) that changed something, or a word of one account
in an answer to a member of another only.
"""

import logging
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from time import monotonic
from typing import Any
from urllib.parse import quote, urlencode

from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import TextField, Value
from django.db.models.functions import Concat
from django.test import Client

from bench.crawl import MOST, Field, Form, Page, kind_of, pages_of
from bench.hostile import FILES, MARK, NAMES, VALUES
from bench.report import Measure
from oms import demo
from oms.models import Account, Person
from oms.services.people import PersonBackend
from oms.tenancy import AccountModel, account_context

SEED = 20261130
SHOWN = 20
OURS, THEIRS = demo.ACCOUNTS[0][0], demo.ACCOUNTS[1][0]
"""The accounts whose addresses are tried, and whose people try the other's."""
SECRET = "zqsecret"  # noqa: S105
"""A word in the names of everything that OURS has."""
NAMED = (("oms", "Sku", "name"), ("oms", "Location", "name"), ("oms", "Bin", "name"), ("serials", "Unit", "oms_notes"))
BACKEND = f"{PersonBackend.__module__}.{PersonBackend.__qualname__}"
TABLES = [model._meta.db_table for model in apps.get_models() if issubclass(model, AccountModel)]
CHANGED = " UNION ALL ".join(f"SELECT '{name}', count(*), max(xmin::text::bigint) FROM {name}" for name in TABLES)


@dataclass
class Tally:
    """What was asked, and what was wrong with the answers."""

    asked: int = 0
    errors: list[str] = field(default_factory=list)
    unescaped: list[str] = field(default_factory=list)
    half_applied: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run(count: int) -> tuple[Iterator[Measure], str]:
    """`count` requests with hostile values, and as many across accounts."""
    return _measures(count), f"in one process, seed {SEED}, every request undone after it"


def _measures(count: int) -> Iterator[Measure]:
    call_command("collectstatic", interactive=False, verbosity=0)
    call_command("seed_demo", stdout=StringIO())
    logging.getLogger("django.request").setLevel(logging.CRITICAL)  # what is wrong is told by the measures
    own, across = fuzz(count), cross(count)
    found = {
        "answers of 500 and more": (own, [*own.errors, *across.errors]),
        "markup that came back as markup": (own, own.unescaped),
        "refusals that changed something": (own, [*own.half_applied, *across.half_applied]),
        "words of another account": (across, across.leaks),
    }
    for name, (tally, faults) in found.items():
        yield Measure(
            measure=f"no {name}",
            value=len(faults),
            unit="faults",
            limit=tally.asked,
            ratio=0.0 if faults else 1.0,
            bar=1.0,
            p50=round(tally.seconds / max(1, tally.asked), 4),
            p95=round(tally.seconds / max(1, tally.asked), 4),
            runs=1,
            sql="; ".join(faults[:SHOWN]) or "none",
        )


def fuzz(count: int, seed: int = SEED, most_pages: int = MOST) -> Tally:
    """Ask `count` times with hostile values, as each person of OURS in turn, for what the pages there offer them."""
    chance, tally, started = random.Random(seed), Tally(), monotonic()  # noqa: S311  (the same requests each time)
    people = [person.email for person in demo.PEOPLE if OURS in dict(person.roles)]
    browsers = [(client := _signed_in(email), list(pages_of(client, f"/{OURS}/", most_pages))) for email in people]
    with _undone():
        baseline = _counts()
        while tally.asked < count:
            client, pages = browsers[tally.asked % len(browsers)]
            method, url, data = _request(chance, chance.choice(pages))
            with _undone():
                answer = _ask(client, method, url, data)
                tally.asked += 1
                _judge(tally, answer, f"{method} {url} {str(data)[:300]}")
                if method == "post" and answer.status_code >= 400 and (changed := _changed(baseline)):
                    tally.half_applied.append(f"{answer.status_code} {method} {url[:200]} changed {changed}")
    tally.seconds = monotonic() - started
    return tally


def cross(count: int, seed: int = SEED, most_pages: int = MOST) -> Tally:
    """Ask `count` times, as members of THEIRS only, for what OURS has: at its own addresses and at theirs."""
    chance, tally, started = random.Random(seed), Tally(), monotonic()  # noqa: S311
    _name_secrets()
    insider = next(person.email for person in demo.PEOPLE if dict(person.roles).get(OURS) == "admin")
    pages = list(pages_of(_signed_in(insider), f"/{OURS}/", most_pages))
    strangers = [person.email for person in demo.PEOPLE if OURS not in dict(person.roles) and person.roles]
    clients = [_signed_in(email) for email in strangers]
    with _undone():
        baseline = _counts()
        while tally.asked < count:
            method, url, data = _request(chance, chance.choice(pages), is_hostile=False)
            is_theirs = tally.asked % 2 == 1
            url = url.replace(f"/{OURS}/", f"/{THEIRS}/", 1) if is_theirs else url
            with _undone():
                answer = _ask(chance.choice(clients), method, url, data)
                tally.asked += 1
                said = f"{answer.status_code} {method} {url[:200]} {str(data)[:200]}"
                _judge(tally, answer, said)
                is_refused = answer.status_code in {404, 405, 413, 414} or not url.startswith(f"/{OURS}/")
                if SECRET in _text(answer) or not is_refused:
                    tally.leaks.append(said)
                if method == "post" and (changed := _changed(baseline)):
                    tally.half_applied.append(f"{said} changed {changed}")
    tally.seconds = monotonic() - started
    return tally


# --- requests ---------------------------------------------------------------------------------------------------------
def _request(chance: random.Random, page: Page, *, is_hostile: bool = True) -> tuple[str, str, Any]:
    """Method, address and fields of one thing that a page offers."""
    forms = [form for form in page.forms if kind_of(form.action) not in {"sign_out", ""}]
    if forms and chance.random() < 0.7:
        form = chance.choice(forms)
        data = _filled(chance, form, is_hostile=is_hostile)
        if form.method == "post":
            return "post", form.action, data
        return "get", f"{form.action.partition('?')[0]}?{_encoded(data)}", None
    url, _mark, query = page.url.partition("?")
    if not is_hostile:
        return "get", page.url, None
    asked = [(chance.choice(NAMES), chance.choice(VALUES)) for _each in range(chance.randint(1, 3))]
    return "get", f"{url}?{'&'.join(filter(None, (query, _encoded(asked))))}", None


def _filled(chance: random.Random, form: Form, *, is_hostile: bool) -> list[tuple[str, Any]]:
    """A form as a browser sends it, with some of its fields spoiled, left out, doubled, or not its own."""
    data: list[tuple[str, Any]] = [(each.name, _value(chance, each, is_hostile=False)) for each in form.fields]
    for _each in range(chance.randint(1, 3) if is_hostile and form.fields else 0):
        own = chance.choice(form.fields)
        value = _value(chance, own, is_hostile=True)
        way = chance.random()
        if way < 0.7:
            data = [(name, value if name == own.name else before) for name, before in data]
        elif way < 0.8:
            data = [pair for pair in data if pair[0] != own.name]
        elif way < 0.9:
            data.append((own.name, value))
        else:
            data.append((chance.choice(NAMES), chance.choice(VALUES)))
    return data


def _value(chance: random.Random, own: Field, *, is_hostile: bool) -> Any:
    if own.kind == "file":
        file = BytesIO(chance.choice(FILES))
        file.name = chance.choice(("a.csv", "a.png", "a.xlsx", f"<{MARK}>.csv", "..\\a.csv"))
        return file
    return chance.choice(VALUES) if is_hostile or not own.values else chance.choice(own.values)


def _encoded(data: list[tuple[str, Any]]) -> str:
    return urlencode([(name, value) for name, value in data if isinstance(value, str)], errors="surrogatepass")


def _ask(client: Client, method: str, url: str, data: Any) -> Any:
    if method == "get":
        return client.get(quote(url, safe="/?&=%+:;,*-_.~!$'()@"))
    fields: dict[str, list[Any]] = {}
    for name, value in data:
        fields.setdefault(name, []).append(value)
    return client.post(url, fields)


# --- answers ----------------------------------------------------------------------------------------------------------
def _judge(tally: Tally, answer: Any, said: str) -> None:
    if answer.status_code >= 500:
        raised = getattr(answer, "exc_info", None)
        why = f"{raised[0].__name__}: {raised[1]}" if raised else ""
        tally.errors.append(f"{answer.status_code} {said} {why}")
    is_page = answer.get("Content-Type", "").startswith("text/html")
    if is_page and re.search(rf"<(?:{MARK}|script>{MARK})", _text(answer)):
        tally.unescaped.append(said)


def _text(answer: Any) -> str:
    content: bytes = answer.getvalue() if answer.streaming else answer.content
    return content.decode("utf-8", "replace")


# --- the database -----------------------------------------------------------------------------------------------------
@contextmanager
def _undone() -> Iterator[None]:
    """Undo at the end whatever happens inside. Durable blocks may begin in it, as in Django's own tests."""
    block: Any = transaction.atomic()
    block._from_testcase = True
    with block:
        yield
        transaction.set_rollback(True)


def _counts() -> dict[str, tuple[int, int | None]]:
    """Table → how many rows OURS has there, and which transaction wrote the newest of them: later ones have higher
    numbers, also those inside of others.
    """
    with account_context(Account.objects.get(slug=OURS)), connection.cursor() as cursor:
        cursor.execute(CHANGED)
        return {name: (rows, newest) for name, rows, newest in cursor.fetchall()}


def _changed(baseline: dict[str, tuple[int, int | None]]) -> list[str]:
    """The tables of OURS that have other rows than before."""
    return [name for name, found in _counts().items() if found != baseline[name]]


def _name_secrets() -> None:
    """Put SECRET into the names of what OURS has."""
    account = Account.objects.get(slug=OURS)
    Account.objects.filter(pk=account.pk).update(name=f"Acme {SECRET}")
    with account_context(account):
        for app, model, name in NAMED:
            named = Concat(name, Value(f" {SECRET}"), output_field=TextField())
            apps.get_model(app, model).objects.update(**{name: named})


def _signed_in(email: str) -> Client:
    client = Client(raise_request_exception=False, SERVER_NAME="localhost")
    client.force_login(Person.objects.get(email=email), backend=BACKEND)
    return client
