"""Template tags of the kit."""

from datetime import datetime
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from oms.ui import columns, icons

register = template.Library()
register.simple_tag(icons.icon, name="icon")


@register.simple_tag(takes_context=True)
def account_url(context: dict[str, Any], route: str, **kwargs: Any) -> str:
    """The address of a page of the current account: `{% account_url "sku" pk=sku.pk %}`."""
    return reverse(route, kwargs={"account_slug": context["request"].account.slug, **kwargs})


@register.filter
def when(value: datetime | None) -> SafeString | str:
    """A moment in a few words, the exact one on hover and focus."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" data-tip="{}" tabindex="0">{}</time>',
        local.isoformat(),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        columns.when(value, timezone.now()),
    )


@register.simple_tag
def badge(label: object, tone: str = "neutral", shape: str = "") -> str:
    """A badge, as in tables."""
    return SafeString(columns.badge(label, columns.Tone(tone, shape)))
