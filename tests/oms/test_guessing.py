"""Guessing passwords: one person's, many people's from one address, and the old one."""

import pytest
from axes.models import AccessAttempt

from oms.services.guessing import MOST_PEOPLE
from tests.conftest import PASSWORD
from tests.oms.test_people import sign_in

pytestmark = pytest.mark.django_db


def test_guessing_is_locked_out_and_the_right_password_does_not_help_then(client, ana, settings):
    for guess in range(settings.AXES_FAILURE_LIMIT):
        answer = sign_in(client, ana.email.upper() if guess % 2 else ana.email, "guess")
    assert answer.status_code == 429
    assert sign_in(client, ana.email).status_code == 429
    elsewhere = client.post("/sign-in/", {"username": ana.email, "password": PASSWORD}, REMOTE_ADDR="203.0.113.9")
    assert elsewhere.status_code == 302, "a guesser does not lock Ana out everywhere"


def test_one_address_that_tries_many_people_is_locked_out(client, ana):
    guesses = [sign_in(client, f"person{number}@example.com", "guess").status_code for number in range(MOST_PEOPLE)]
    assert guesses == [422] * (MOST_PEOPLE - 1) + [429]
    locked = sign_in(client, ana.email)
    assert locked.status_code == 429
    assert "many people from your network" in locked.content.decode()
    elsewhere = client.post("/sign-in/", {"username": ana.email, "password": PASSWORD}, REMOTE_ADDR="203.0.113.9")
    assert elsewhere.status_code == 302


def test_people_who_get_in_after_a_mistake_lock_nobody_out(client, ana, cast):
    for number in range(MOST_PEOPLE - 1):
        sign_in(client, f"person{number}@example.com", "guess")
    for person in cast.values():
        sign_in(client, person.email, "guess")
        AccessAttempt.objects.filter(username=person.email).delete()  # as signing in does
    assert sign_in(client, ana.email).status_code == 302


def test_guessing_the_old_password_counts_as_guessing_at_the_sign_in(client_for, ana, settings):
    here, new = client_for(ana), "a quite different sentence"
    for _guess in range(settings.AXES_FAILURE_LIMIT - 1):
        answer = here.post("/password/", {"old_password": "guess-1234", "new_password1": new, "new_password2": new})
        assert answer.status_code == 422
        assert "old password was entered incorrectly" in answer.content.decode()
    here.post("/password/", {"old_password": "guess-1234", "new_password1": new, "new_password2": new})
    right = here.post("/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert right.status_code == 429
    assert not any(
        "guess-1234" in kept or new in kept for kept in AccessAttempt.objects.values_list("post_data", flat=True)
    )
