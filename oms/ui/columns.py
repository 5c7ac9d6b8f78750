"""Columns of tables. Each turns a value into a cell of HTML and into a text for CSV, both from one declaration."""

import html
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode

import django_tables2 as tables
from django.db.models import TextChoices
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, gettext as _, ngettext

_STAND_IN = 887766554433221100


@dataclass(frozen=True)
class Frame:
    """What cells need besides their record: the account in whose pages they stand, the moment, and who reads."""

    account_slug: str
    now: datetime
    role: str = ""


@lru_cache(maxsize=256)
def url_pattern(route: str, account_slug: str, key: str = "pk") -> tuple[str, str]:
    """The parts of an account's URL before and after its one number: `reverse` is too slow for every row of a page."""
    before, after = reverse(route, kwargs={"account_slug": account_slug, key: _STAND_IN}).split(str(_STAND_IN))
    return before, after


class Column(tables.Column):
    """A column of plain text. `accessor` is a path of attributes joined by `__`; None anywhere on it is an empty cell.

    Args:
        css: classes of the cell beside those of the kind.
        label: the header, where it differs from the model field's name.
    """

    kind = "text"

    def __init__(self, *args: Any, css: str = "", label: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, verbose_name=label, **kwargs)
        self.css = " ".join(part for part in (self.kind if self.kind != "text" else "", css) if part)

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The inside of the cell, escaped."""
        return escape(value)

    def text(self, value: Any, record: Any) -> str:
        """The value for a CSV file."""
        return "" if value is None else str(value)

    def compile_text(self, name: str) -> Callable[[Any], str]:
        """One function from a record to its text in a CSV file."""
        get, text = value_getter(str(self.accessor or name)), self.text
        return lambda record: text(get(record), record)

    @property
    def open_cell(self) -> str:
        """The `<td>`."""
        return f'<td class="{self.css}">' if self.css else "<td>"

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """One function from a record to its `<td>`; what has no value is an empty cell, in which CSS draws a dash."""
        get, html, open_cell = value_getter(str(self.accessor or name)), self.html, self.open_cell
        empty = f"{open_cell}</td>" if "num" in self.css else "<td></td>"  # the dash of a number stands to the right

        def cell(record: Any) -> str:
            value = get(record)
            return empty if value is None or value == "" else f"{open_cell}{html(value, record, frame)}</td>"

        return cell


def escape(text: object) -> str:
    """The text for HTML. Django's does the same, but asks each time whether the text is a translation."""
    return html.escape(str(text))


def value_getter(path: str) -> Callable[[Any], Any]:
    """The function that follows a path of attributes, joined by `__`; None ends it early.

    A row of values (a named tuple, see `QuerySet.values_list`) has the whole path as one name.
    """
    names, flat = path.split("__"), attrgetter(path)
    if len(names) == 1:
        return flat

    def get(record: Any) -> Any:
        if isinstance(record, tuple):
            return flat(record)
        for name in names:
            record = getattr(record, name)
            if record is None:
                return None
        return record

    return get


class MonoColumn(Column):
    """Codes and numbers that people compare by eye: the mono stack with tabular figures."""

    kind = "mono"


class NumberColumn(Column):
    """A quantity, to the right, with separators."""

    kind = "num"

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The number in the person's format."""
        return escape(number_format(value, use_l10n=True, force_grouping=True))


class NoteColumn(Column):
    """A long text on one line; the whole shows on focus and hover."""

    kind = "clamp"

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """A focusable line."""
        return f'<span class="cell-line"><span tabindex="0">{escape(value)}</span></span>'


class EditNoteColumn(NoteColumn):
    """A note with a pencil beside it, for `roles`: the pencil opens the account URL `route` of the record in a dialog.

    `said` are the words for a screen reader, with %(what)s; `named_by` is the path of what the record is called.
    """

    def __init__(self, *args: Any, route: str, roles: Collection[str], said: Any, named_by: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.route, self.roles, self.said, self.named_by = route, roles, said, value_getter(named_by)

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """The note, and the pencil where the person may edit."""
        plain = super().compile(name, frame)
        if frame.role not in self.roles:
            return plain
        get = value_getter(str(self.accessor or name))
        before, after = url_pattern(self.route, frame.account_slug)
        said, named_by, open_cell = str(self.said), self.named_by, f'{self.open_cell}<span class="cell-line">'

        def cell(record: Any) -> str:
            note = get(record)
            text = f'<span tabindex="0">{escape(note)}</span>' if note else "<span></span>"
            words = escape(said % {"what": named_by(record)})
            return (
                f'{open_cell}{text}<a class="cell-btn i-pencil" data-dialog href="{before}{record.pk}{after}" '
                f'aria-label="{words}"></a></span></td>'
            )

        return cell


class LinkColumn(Column):
    """A text that opens the record's page. `route` is an account URL with one number, `key`, found at `target`."""

    def __init__(self, *args: Any, route: str, key: str = "pk", target: str = "pk", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.route, self.key, self.target = route, key, value_getter(target)

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The link."""
        before, after = url_pattern(self.route, frame.account_slug, self.key)
        return f'<a href="{before}{self.target(record)}{after}">{escape(value)}</a>'


class NameLinkColumn(LinkColumn):
    """A name that opens the record's page, on one line."""

    kind = "clamp"

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The link in a line that ends with dots where it is too long."""
        return f'<span class="cell-line"><span>{super().html(value, record, frame)}</span></span>'


class MonoLinkColumn(LinkColumn):
    """A code that opens the record's page."""

    kind = "mono"


class QueryLinkColumn(Column):
    """A text that opens a list of this account, filtered: `query` maps its parameters to paths on the record."""

    def __init__(self, *args: Any, route: str, query: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.route, self.query = route, {name: value_getter(path) for name, path in query.items()}

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The link."""
        url = reverse(self.route, kwargs={"account_slug": frame.account_slug})
        query = urlencode({name: get(record) for name, get in self.query.items()})
        return f'<a href="{escape(f"{url}?{query}")}">{escape(value)}</a>'


@dataclass(frozen=True)
class Tone:
    """How a value looks as a badge: a tone (info, good, warn, bad, neutral) and a shape of its own.

    Shapes: ring dot half bars triangle arrow check cross square; see templates/components/_cells.html.
    """

    tone: str
    shape: str = ""


def badge(label: object, tone: Tone) -> str:
    """A badge: the style draws its shape before the word, so that it reads without colour."""
    css = "badge"
    if tone.tone != "neutral":
        css += f" badge-{tone.tone}"
    if tone.shape:
        css += f" shape-{tone.shape}"
    return f'<span class="{css}">{escape(label)}</span>'


class BadgeColumn(Column):
    """A choice as a badge. `tones` maps each value to its Tone; a value without one is neutral."""

    kind = "badge"

    def __init__(self, *args: Any, choices: type[TextChoices], tones: Mapping[Any, Tone], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.css = ""
        self.choices, self.tones = choices, tones

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The badge."""
        return badge(self.choices(value).label, self.tones.get(value, Tone("neutral")))

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """There are only a few values: each is drawn once."""
        return _each_once(super().compile(name, frame), value_getter(str(self.accessor or name)))

    def text(self, value: Any, record: Any) -> str:
        """The choice's words."""
        return str(self.choices(value).label) if value else ""


class ChoiceColumn(Column):
    """A choice in words."""

    def __init__(self, *args: Any, choices: type[TextChoices], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.labels = dict(choices.choices)

    def html(self, value: Any, record: Any, frame: Frame) -> str:
        """The words."""
        return escape(self.labels.get(value, value))

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """There are only a few values: each is drawn once."""
        return _each_once(super().compile(name, frame), value_getter(str(self.accessor or name)))

    def text(self, value: Any, record: Any) -> str:
        """The same for a CSV file."""
        return str(self.labels.get(value, value)) if value else ""


def _each_once(cell: Callable[[Any], str], get: Callable[[Any], Any]) -> Callable[[Any], str]:
    """The function `cell`, which depends on nothing but the value, called once for each."""
    drawn: dict[Any, str] = {}

    def once(record: Any) -> str:
        value = get(record)
        if value not in drawn:
            drawn[value] = cell(record)
        return drawn[value]

    return once


class WhenColumn(Column):
    """A moment: relative words in the cell, the exact one on hover and focus, in the account's time zone."""

    def compile(self, name: str, frame: Frame) -> Callable[[Any], str]:
        """Focusable words. What is the same for all rows is asked once: where and when the reader is."""
        get, open_cell = value_getter(str(self.accessor or name)), self.open_cell
        zone, now, language = timezone.get_current_timezone(), frame.now, get_language()
        today = now.astimezone(zone).date()

        def cell(record: Any) -> str:
            value = get(record)
            if value is None:
                return "<td></td>"
            local = value.astimezone(zone)
            exact = f"{local.isoformat(' ', 'seconds')[:19]} {local.tzname()}"
            words = escape(_words((now - value).total_seconds(), local, today, language))
            return f'{open_cell}<span data-tip="{exact}" tabindex="0">{words}</span></td>'

        return cell

    def text(self, value: Any, record: Any) -> str:
        """Year, month, day and time with its offset (ISO 8601)."""
        return timezone.localtime(value).isoformat(timespec="seconds") if value else ""


def when(value: datetime, now: datetime) -> str:
    """A moment in a few words: "just now", "5 min ago", "09:14", "yesterday 09:14", "12 Mar", "12 Mar 2025"."""
    seconds, today = (now - value).total_seconds(), timezone.localtime(now).date()
    return _words(seconds, timezone.localtime(value), today, get_language())


def _words(seconds: float, local: datetime, today: date, language: str | None) -> str:
    if 0 <= seconds < 60:
        return _("just now")
    if 0 <= seconds < 3600:
        minutes = int(seconds // 60)
        return ngettext("%(n)s min ago", "%(n)s min ago", minutes) % {"n": minutes}
    days = (today - local.date()).days
    if days == 0:
        return f"{local:%H:%M}"
    if days == 1:
        return _("yesterday %(time)s") % {"time": f"{local:%H:%M}"}
    return _day(local.date(), "j M" if local.year == today.year else "j M Y", language)


@lru_cache(maxsize=4096)
def _day(day: date, form: str, language: str | None) -> str:
    return date_format(day, form)
