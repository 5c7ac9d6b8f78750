"""What tests read off a page."""

import re


def text_of(answer):
    return (answer.getvalue() if answer.streaming else answer.content).decode()


def fields_of(page):
    """Name → value of the fields of a page, as a browser would send them."""
    tags = re.findall(r"<input[^>]*>", page)
    pairs = [(re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)) for tag in tags]
    return {name[1]: value[1] if value else "" for name, value in pairs if name}
