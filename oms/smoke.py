"""Uses a running Lotline as people do, from outside: the proof that `manage.py up --check` prints.

A further proof is one more function and one more line in STEPS. A step gets the address of web, returns what it saw in
a few words, and raises `SmokeFailed` where something is not as it should be.
"""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from html.parser import HTMLParser
from io import StringIO
from urllib.parse import urljoin, urlsplit

import httpx
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.core.management.base import CommandError

from oms import demo, smoke_chain, smoke_memory
from oms.celery import app
from oms.dispatch import last_dispatch

TASK_SECONDS = 20.0
DISPATCH_SECONDS = 20.0
MOST_PAGES, MOST_VIEWS = 300, 3
SIGN_IN, SIGN_OUT = "/sign-in/", "/sign-out/"

Attributes = list[tuple[str, str | None]]


class SmokeFailed(Exception):
    """Something does not work; the message says what was seen."""


def answers(url: str) -> str:
    """Web answers its health check."""
    told = httpx.get(urljoin(url, "/healthz/"), timeout=10)
    if told.status_code != httpx.codes.OK:
        raise SmokeFailed(f"/healthz/ answered {told.status_code}: {told.text[:200]}")
    return "/healthz/ is 200"


def workers_run_tasks(url: str) -> str:
    """From each queue a worker takes a task and runs it: it leaves our nonce in the cache."""
    sent = {queue: secrets.token_hex(8) for queue in settings.CELERY_TASK_QUEUES}
    for queue, nonce in sent.items():
        app.send_task("oms.tasks.ping", args=[nonce], queue=queue)
    for queue, nonce in sent.items():
        if not _comes_true(partial(cache.get, f"lotline:ping:{nonce}"), TASK_SECONDS):
            raise SmokeFailed(f"no worker took oms.tasks.ping from the queue {queue} within {TASK_SECONDS:.0f} s")
    return f"oms.tasks.ping ran from {', '.join(sent)}"


def beat_sends_tasks(url: str) -> str:
    """Beat sends the dispatcher, and a worker runs it, which notes that."""
    before = last_dispatch()
    if not _comes_true(lambda: _when(last_dispatch()) != _when(before), DISPATCH_SECONDS):
        raise SmokeFailed(f"oms.tasks.dispatch, due every 2 s, did not run within {DISPATCH_SECONDS:.0f} s")
    return "oms.tasks.dispatch ran"


def _when(last: tuple[datetime, timedelta] | None) -> datetime | None:
    return last[0] if last else None


def everybody_opens_every_page(url: str) -> str:
    """Each person of the demo data signs in and opens every page that the navigation offers."""
    counts = {person.email: _open_pages(url, person.email) for person in demo.PEOPLE}
    if not any(counts.values()):
        raise SmokeFailed("nobody was offered a single page by <nav>")
    return f"{len(counts)} people opened {sum(counts.values())} pages"


def replenishment_becomes_ready(url: str) -> str:
    """The main job: a replenishment through the pages to Ready units, received by the sandbox warehouse."""
    try:
        return smoke_chain.replenishment_becomes_ready(url)
    except smoke_chain.ChainBroken as error:
        raise SmokeFailed(str(error)) from error


def ledger_is_sound(url: str) -> str:
    """History, units and stock of every account agree."""
    said = StringIO()
    try:
        call_command("check_ledger", stdout=said, stderr=said)
    except (SystemExit, CommandError) as error:
        raise SmokeFailed(f"check_ledger: {said.getvalue().strip() or error}") from error
    return said.getvalue().strip().splitlines()[-1]


def set_stays_small(url: str) -> str:
    """The whole set fits into a small machine."""
    try:
        return smoke_memory.set_stays_small(url)
    except smoke_memory.TooBig as error:
        raise SmokeFailed(str(error)) from error


STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("web answers", answers),
    ("workers run tasks", workers_run_tasks),
    ("beat sends tasks", beat_sends_tasks),
    ("sign-ins and pages", everybody_opens_every_page),
    ("a replenishment to Ready", replenishment_becomes_ready),
    ("ledger", ledger_is_sound),
    ("memory", set_stays_small),
)


def run(url: str) -> Iterator[tuple[str, str, float]]:
    """Run all STEPS against the web server at `url`; yields name, what was seen and seconds as each is done."""
    for name, step in STEPS:
        started = time.monotonic()
        try:
            seen = step(url)
        except httpx.HTTPError as error:
            raise SmokeFailed(f"{name}: {error!r}") from error
        yield name, seen, time.monotonic() - started


def _comes_true(is_so: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


# --- pages ------------------------------------------------------------------------------------------------------------
class Page(HTMLParser):
    """What a person sees of a page here: whether it has a heading, and where its navigation leads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.csrf_token = ""
        self.has_heading = False
        self._nav_depth = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        """Note headings, the token of a form, and links inside <nav>."""
        found = dict(attrs)
        self.has_heading = self.has_heading or tag == "h1"
        self._nav_depth += tag == "nav"
        if tag == "a" and self._nav_depth and found.get("href"):
            self.links.append(str(found["href"]))
        if tag == "input" and found.get("name") == "csrfmiddlewaretoken":
            self.csrf_token = found.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        """Leave a <nav>."""
        self._nav_depth -= tag == "nav"


def _open_pages(url: str, email: str) -> int:
    """Sign in and open every page that some <nav> leads to, however deep; how many there were.

    A page with a query (?page=2) is another view of the same page: a few of them prove as much as all.
    """
    with httpx.Client(base_url=url, follow_redirects=True, timeout=30) as client:
        waiting, opened, views = _nav_links(_sign_in(client, email)), set[str](), Counter[str]()
        while waiting:
            path = waiting.pop()
            views[urlsplit(path).path] += path not in opened
            if path in opened or views[urlsplit(path).path] > MOST_VIEWS:
                continue
            opened.add(path)
            if len(opened) > MOST_PAGES:
                raise SmokeFailed(f"<nav> leads {email} to more than {MOST_PAGES} pages")
            waiting += _nav_links(_must_be_a_page(client.get(path), email))
    return len(opened)


def _sign_in(client: httpx.Client, email: str) -> httpx.Response:
    """Sign in as a browser does; the page that follows."""
    form = Page(client.get(SIGN_IN).text)
    fields = {"username": email, "password": demo.PASSWORD, "csrfmiddlewaretoken": form.csrf_token}
    return _must_be_a_page(client.post(SIGN_IN, data=fields, headers={"Referer": str(client.base_url)}), email)


def _must_be_a_page(told: httpx.Response, email: str) -> httpx.Response:
    """Raise `SmokeFailed` unless this is a whole page for somebody who has signed in."""
    path = told.request.url.path
    if told.status_code != httpx.codes.OK:
        raise SmokeFailed(f"{path} answered {told.status_code} to {email}")
    if path == SIGN_IN:
        raise SmokeFailed(f"{email} could not sign in, or was sent back to the sign-in page")
    if not Page(told.text).has_heading:
        raise SmokeFailed(f"{path} has no <h1> for {email}")
    return told


def _nav_links(told: httpx.Response) -> list[str]:
    """Paths on this server that the navigation of a page leads to, without the way out."""
    here = told.request.url
    found = [urlsplit(urljoin(str(here), link)) for link in Page(told.text).links]
    paths = [
        part._replace(scheme="", netloc="", fragment="").geturl()
        for part in found
        if part.netloc == here.netloc.decode()
    ]
    return [path for path in paths if not path.startswith(SIGN_OUT)]
