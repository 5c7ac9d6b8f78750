"""What tests read off a page."""

import re


def text_of(answer):
    return (answer.getvalue() if answer.streaming else answer.content).decode()


def answers(questions, **choices):
    """What a form sends of the questions of a page: kind → choice."""
    by_code = {question.code: question for question in questions}
    shown = {"asked": [question.token for question in questions]}
    return {by_code[code].name: choice for code, choice in choices.items() if code in by_code} | shown


def fields_of(page):
    """Name → value of the fields of a page, as a browser would send them."""
    tags = re.findall(r"<input[^>]*>", page)
    pairs = [(re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)) for tag in tags]
    return {name[1]: value[1] if value else "" for name, value in pairs if name}


def sure_of(page):
    """What the button sends that receives although something was asked: it names just what was asked."""
    return re.search(r'name="sure" value="([0-9a-f]+)"', page)[1]


def insist(web, address, data):
    """Send a form, be asked about what is not as expected, and send it again with a yes to just that."""
    asked = web.post(address, data)
    assert asked.status_code == 422
    return web.post(address, {**data, "sure": sure_of(text_of(asked))})
