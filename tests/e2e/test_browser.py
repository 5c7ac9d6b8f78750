"""The browser fixtures themselves: what they promise to find, they find."""

import pytest


def test_what_the_content_security_policy_refuses_is_a_fault(page_for):
    page = page_for(None)
    page.goto("/sign-in/")
    assert page.faults == []
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = true'}))")
    page.wait_for_function("() => true")
    assert any("CSP violation" in fault for fault in page.faults)
    assert page.evaluate("window.ran") is None
    page.faults.expect("CSP violation|Content Security Policy|violates the following")


def test_errors_of_scripts_and_missing_files_are_faults(page_for):
    page = page_for(None)
    page.goto("/sign-in/")
    page.evaluate("console.error('said by a script')")
    page.evaluate("setTimeout(() => { throw new Error('thrown by a script') })")
    page.evaluate("fetch('/static/not-there.css')")
    page.wait_for_timeout(300)
    found = " ".join(page.faults)
    assert all(words in found for words in ("said by a script", "thrown by a script", "404"))
    page.faults.expect("by a script|404")


def test_axe_finds_what_is_planted(page_for, assert_accessible):
    page = page_for(None)
    page.goto("/sign-in/")
    assert_accessible(page)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\"><input>')")
    with pytest.raises(AssertionError, match="image-alt"):
        assert_accessible(page)


def test_a_person_is_signed_in(page_for, olga):
    page = page_for(olga)
    assert page.goto("/acme/inventory/skus/").status == 200
    assert page.url.endswith("/acme/inventory/skus/")
