"""Guessing passwords: one person's, many people's from one address, and the old one."""

import pytest
from axes.models import AccessAttempt
from django.db.models import F
from django.test import Client

from oms.services.guessing import KNOWN_COOKIE, MOST_PEOPLE, PAUSE
from tests.conftest import PASSWORD
from tests.oms.test_people import sign_in

pytestmark = pytest.mark.django_db


def test_guessing_is_locked_out_and_the_right_password_does_not_help_then(client, ana, settings):
    for guess in range(settings.AXES_FAILURE_LIMIT):
        answer = sign_in(client, ana.email.upper() if guess % 2 else ana.email, "guess")
    assert answer.status_code == 429
    locked = sign_in(client, ana.email)
    assert (locked.status_code, locked.headers["Retry-After"]) == (429, "900")
    assert "signing in as this person is closed there for a quarter of an hour" in locked.content.decode()
    elsewhere = client.post("/sign-in/", {"username": ana.email, "password": PASSWORD}, REMOTE_ADDR="203.0.113.9")
    assert elsewhere.status_code == 302, "a guesser does not lock Ana out everywhere"


def test_what_a_lock_refuses_does_not_prolong_it(client, ana, settings):
    for _guess in range(settings.AXES_FAILURE_LIMIT):
        sign_in(client, ana.email, "guess")
    pass_by(settings.AXES_COOLOFF_TIME * 3600 - 1)
    assert sign_in(client, ana.email).status_code == 429
    pass_by(1)
    assert sign_in(client, ana.email).status_code == 302


# --- one address ------------------------------------------------------------------------------------------------------
def pass_by(seconds):
    """Let so much time go by since every wrong password."""
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - PAUSE / PAUSE.total_seconds() * seconds)


def guess_many(client, count=MOST_PEOPLE, name="person"):
    return [sign_in(client, f"{name}{number}@example.com", "guess").status_code for number in range(count)]


def test_one_address_that_tries_many_people_is_slowed_to_one_try_in_each_pause(client, ana):
    assert guess_many(client) == [422] * MOST_PEOPLE
    assert guess_many(client, 5, "more") == [429] * 5
    assert AccessAttempt.objects.count() == MOST_PEOPLE, "what is not looked at is not counted"
    waits = sign_in(client, ana.email)
    assert (waits.status_code, waits.headers["Retry-After"]) == (429, f"{PAUSE.total_seconds():.0f}")
    assert "Try again in 10 seconds" in waits.content.decode()
    elsewhere = Client(REMOTE_ADDR="203.0.113.9")
    assert sign_in(elsewhere, ana.email).status_code == 302
    for _pause in range(3):
        pass_by(PAUSE.total_seconds())
        assert guess_many(client, 3, "yet") == [422, 429, 429]


def test_a_right_password_takes_no_turn_from_others(client, cast):
    """A shift begins, in new browsers: all of them are in after one pause."""
    guess_many(client)
    pass_by(PAUSE.total_seconds())
    assert [sign_in(Client(), person.email).status_code for person in cast.values()] == [302] * len(cast)


def test_who_has_signed_in_in_this_browser_gets_in_whatever_others_try(client, ana, wes):
    mine = Client()
    sign_in(mine, wes.email)
    mine.post("/sign-out/")
    sign_in(mine, ana.email)
    mine.post("/sign-out/")
    guess_many(client)
    assert sign_in(mine, ana.email, "mistyped").status_code == 422, "it is looked at"
    for person in (ana, wes):
        assert sign_in(mine, person.email).status_code == 302
        mine.post("/sign-out/")
    assert guess_many(mine, 1) == [429], "it is known for these two only"


def test_nobody_can_make_themselves_known(client, ana, settings):
    guess_many(client)
    client.cookies[KNOWN_COOKIE] = str(ana.pk)
    assert sign_in(client, ana.email).status_code == 429


def test_a_known_browser_guesses_no_more_than_another(client, ana, settings):
    sign_in(client, ana.email)
    client.post("/sign-out/")
    for _guess in range(settings.AXES_FAILURE_LIMIT):
        sign_in(client, ana.email, "guess")
    assert sign_in(client, ana.email).status_code == 429


def test_people_who_get_in_after_a_mistake_slow_nobody_down(client, ana, cast):
    guess_many(client, MOST_PEOPLE - 2)
    for person in cast.values():
        mine = Client()
        assert sign_in(mine, person.email, "mistyped").status_code == 422
        assert sign_in(mine, person.email).status_code == 302
    assert guess_many(Client(), 2, "others") == [422, 422]


def test_who_is_signed_in_changes_the_own_password_whatever_others_try(client, client_for, ana):
    guess_many(client)
    new = "a quite different sentence"
    asked = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client_for(ana).post("/password/", asked).status_code == 302


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
