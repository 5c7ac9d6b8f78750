"""Style that depends on the page: no page may carry any of its own (Content Security Policy)."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

RULE = '.grid > tbody > tr > td:nth-child({place})::before {{ content: "{name}" }}\n'


@require_safe
def cards(request: HttpRequest) -> HttpResponse:
    """The names of a list's columns, for the cards that its rows are on narrow screens.

    The query says them all, `?2=SKU&6=Serial`, by the place of the column from 1: the same address is the same style
    for ever. In each cell the names would be a quarter of the page.
    """
    named = [(place, name) for place, name in request.GET.items() if place.isascii() and place.isdigit()]
    rules = [RULE.format(place=int(place[:3]), name=_css_string(name)) for place, name in named]
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return HttpResponse("".join(rules), content_type="text/css; charset=utf-8", headers=headers)


def _css_string(text: object) -> str:
    """The text for the inside of a CSS string: what is no letter, digit or space by its code (CSS Syntax 3, 4.3.7)."""
    return "".join(c if c.isalnum() or c == " " else f"\\{ord(c):06x}" for c in str(text))
