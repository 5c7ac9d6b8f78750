"""How many wrong passwords are too many (django-axes counts them).

Somebody who guesses must be slowed, and nobody else locked out by it: people who sit behind one address share it with
whoever guesses there. So an address is never closed. Once many people's passwords were tried there in vain, a browser
in which a person has not signed in before waits for a pause in the wrong ones. What is refused is not counted, so the
refusals do not prolong themselves.
"""

from datetime import timedelta
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from oms.models import Person
from oms.services.people import signing_in_as

# Wrong passwords for so many people within the time that a lock lasts; who then signs in is not counted any more.
MOST_PEOPLE = 30
PAUSE = timedelta(seconds=10)
"""Without a wrong password from the address; then one more is looked at."""
KNOWN_COOKIE, KNOWN_SALT = "lotline_known", "lotline.known"
KNOWN_FOR = timedelta(days=180)
MOST_KNOWN = 30
"""The people of one browser: a terminal in a warehouse has many."""


class GuessHandler(AxesDatabaseHandler):  # type: ignore[misc]  # axes ships no types
    """Locks a person at an address, as ever, and slows an address from which many people's passwords are tried."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        """Whether no password of this person is looked at now; what is not looked at is not counted."""
        return self.is_person_locked(request, credentials) or is_slowed(request, credentials)

    def is_person_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        """Whether this person's own wrong passwords from the address are too many."""
        return bool(super().is_locked(request, credentials))


def is_slowed(request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
    """Whether the address of the request must wait: MOST_PEOPLE, known here or not, were tried there in vain, and the
    last of them just now. Not for a person who has signed in in this browser before.
    """
    address: str | None = request.axes_ip_address  # type: ignore[attr-defined]
    recent = AccessAttempt.objects.filter(ip_address=address, attempt_time__gte=get_cool_off_threshold(request))
    if recent.order_by().values("username").distinct().count() < MOST_PEOPLE:
        return False
    pause_began = request.axes_attempt_time - PAUSE  # type: ignore[attr-defined]
    return recent.filter(attempt_time__gt=pause_began).exists() and not _is_known(request, credentials)


def remember(request: HttpRequest, response: HttpResponseBase, person: Person) -> None:
    """Let the browser say from now on that the person has signed in in it. Nobody signs in by that."""
    known = [str(person.pk), *(pk for pk in _known(request) if pk != str(person.pk))]
    response.set_signed_cookie(
        KNOWN_COOKIE,
        ".".join(known[:MOST_KNOWN]),
        salt=KNOWN_SALT,
        max_age=int(KNOWN_FOR.total_seconds()),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _is_known(request: HttpRequest, credentials: dict[str, Any] | None) -> bool:
    email = signing_in_as(request, credentials)
    if isinstance(request.user, Person) and request.user.email == email:  # who changes the own password
        return True
    return Person.objects.filter(email=email, pk__in=_known(request)).exists()


def _known(request: HttpRequest) -> list[str]:
    """The people who have signed in in this browser, the last first."""
    kept = request.get_signed_cookie(KNOWN_COOKIE, "", salt=KNOWN_SALT, max_age=KNOWN_FOR)
    return kept.split(".") if kept else []
