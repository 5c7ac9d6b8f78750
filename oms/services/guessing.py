"""How many wrong passwords are too many (django-axes counts them)."""

from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_failure_limit
from axes.models import AccessAttempt
from django.http import HttpRequest

# Wrong passwords for so many people within the time that a lock lasts. Who then signs in is not counted any more, so
# that a large warehouse behind one address goes on: somebody who guesses never signs in.
MOST_PEOPLE = 30


class GuessHandler(AxesDatabaseHandler):  # type: ignore[misc]  # axes ships no types
    """Locks a person at an address, as ever, and an address from which many people's passwords are tried."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """The wrong passwords that count against this person at this address; where it tries many, enough to lock."""
        failures: int = super().get_failures(request, credentials)
        return max(failures, get_failure_limit(request, credentials)) if tries_many(request) else failures


def tries_many(request: HttpRequest) -> bool:
    """Whether MOST_PEOPLE, known here or not, were tried in vain from the address of the request."""
    address: str | None = request.axes_ip_address  # type: ignore[attr-defined]
    recent = AccessAttempt.objects.filter(ip_address=address, attempt_time__gte=get_cool_off_threshold(request))
    return bool(recent.order_by().values("username").distinct().count() >= MOST_PEOPLE)
