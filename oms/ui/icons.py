"""Icons from the one sprite, `static/img/icons.svg`."""

from functools import lru_cache

from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString


@lru_cache(maxsize=256)
def icon(name: str, css: str = "") -> SafeString:
    """The icon called `name`, hidden from screen readers: the words beside it, or an aria-label, say what it means."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f" {css}" if css else "",
        static("img/icons.svg"),
        name,
    )
