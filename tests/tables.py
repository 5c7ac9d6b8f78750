"""What a list page shows, read as a person would: header → text, row by row."""

import re
from html import unescape


def rows(page: str) -> list[dict[str, str]]:
    """Each row of a list page (or of its htmx part): header → the text of the cell, empty where it has no value."""
    names = [unescape(name) for name in re.findall(r'data-label="([^"]*)"', _between(page, "filter-row", "</thead>"))]
    body = re.findall(r'<tr (?:class="[^"]*" )?id="row-[^>]*>(.*?)</tr>', page, re.DOTALL)
    return [dict(zip(names, _cells(row), strict=True)) for row in body]


def column(page: str, name: str) -> list[str]:
    """One column from top to bottom."""
    return [row[name] for row in rows(page)]


def _cells(row: str) -> list[str]:
    texts = re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
    return [unescape(re.sub(r"<[^>]+>", "", text)).strip() for text in texts]


def _between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0]
