"""Templates: each compiles, none holds what the content security policy refuses."""

import re

import pytest
from django.template import Origin, engines

from tests.meta.tree import templates, text

REFUSED = {
    "an inline style": r"<style|\sstyle\s*=",
    "an inline script": r"<script(?![^>]*\ssrc=)",
    "a handler": r"\s(?:on[a-z]+|hx-on[:\w-]*)\s*=",
    "a script address": r"javascript:|hx-vals\s*=\s*['\"]js:",
    "something from another host": r"""(?:src|href)\s*=\s*["'](?:https?:)?//""",
    "a comment that people can read": r"<!--",
}


@pytest.mark.parametrize("path", templates(), ids=str)
def test_it_compiles(path):
    name = str(path).partition("templates/")[2]
    template = engines["django"].get_template(name)
    assert isinstance(template.origin, Origin)


@pytest.mark.parametrize("what", REFUSED)
def test_none_holds(what):
    pattern = re.compile(REFUSED[what], re.IGNORECASE)
    found = [f"{path}: {match[0]!r}" for path in templates() for match in pattern.finditer(text(path))]
    assert found == []
