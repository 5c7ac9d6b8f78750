"""Every page that a person is offered and every form on it, read as a browser reads them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.test import Client
from django.urls import Resolver404, resolve

MOST = 600
MOST_OF_ONE = 3
"""So many pages of one kind prove as much as all."""
LEAVES = {"sign_out", "sign_in"}


@dataclass
class Field:
    """A field of a form: its name and kind, and the values that a browser would send or offer."""

    name: str
    kind: str
    values: list[str]


@dataclass
class Form:
    """A form: where it goes, how, and with which fields."""

    action: str
    method: str
    fields: list[Field] = field(default_factory=list)

    @property
    def is_upload(self) -> bool:
        """Whether it takes a file."""
        return any(each.kind == "file" for each in self.fields)


class Page(HTMLParser):
    """The links and forms of a page at `url`."""

    def __init__(self, url: str, text: str) -> None:
        super().__init__()
        self.url = url
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._by_id: dict[str, Form] = {}
        self._open: Form | None = None
        self._select: Field | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links, forms and fields."""
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(urljoin(self.url, found.get("action", "")), found.get("method", "get").lower())
            self.forms.append(self._open)
            self._by_id[found.get("id", "")] = self._open
        elif tag in {"input", "textarea", "select", "button"} and found.get("name"):
            self._field(tag, found)
        elif tag == "option" and self._select is not None:
            self._select.values.append(found.get("value", ""))
        for name in ("href", "hx-get", "formaction"):
            if found.get(name):
                self.links.append(urljoin(self.url, found[name]))

    def handle_endtag(self, tag: str) -> None:
        """Leave a form or a choice."""
        if tag == "form":
            self._open = None
        if tag == "select":
            self._select = None

    def _field(self, tag: str, found: dict[str, str]) -> None:
        form = self._by_id.get(found.get("form", "")) or self._open
        own = Field(found["name"], found.get("type", tag), [] if tag == "select" else [found.get("value", "")])
        if tag == "select":
            self._select = own
        if form is not None and own.name != "csrfmiddlewaretoken":
            form.fields.append(own)


def pages_of(client: Client, start: str, most: int = MOST) -> Iterator[Page]:
    """The pages that links lead to from `start`, a few of each kind, by who `client` has signed in."""
    waiting, seen, kinds = [start], {start}, Counter[str]()
    while waiting and most:
        url = waiting.pop(0)
        kind = kind_of(url)
        if not kind or kind in LEAVES or kinds[kind] >= MOST_OF_ONE:
            continue
        kinds[kind] += 1
        most -= 1
        answer = client.get(url, follow=True)
        if answer.status_code != 200 or not answer.get("Content-Type", "").startswith("text/html") or answer.streaming:
            continue
        page = Page(answer.redirect_chain[-1][0] if answer.redirect_chain else url, answer.content.decode())
        yield page
        for link in page.links:
            address = _path(link)
            if address and address not in seen:
                seen.add(address)
                waiting.append(address)


def kind_of(url: str) -> str:
    """The name of an address's route, with the names of its parameters; empty where it is none of ours."""
    try:
        name = resolve(urlsplit(url).path).url_name or ""
    except Resolver404:
        return ""
    return f"{name}?{urlsplit(url).query.partition('=')[0]}" if urlsplit(url).query else name


def _path(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
