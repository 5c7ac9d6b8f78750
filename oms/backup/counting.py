"""What gives numbers, in every account: how far each is, and how far a restore moves it on.

A restored database is as old as its backup. Numbers that were given since are on goods and in other systems, but not in
it, so each counter goes on behind them: by 1,000, or twice what it gave in the 30 days before the backup, if that is
more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.module_loading import import_string

from oms.backup.manifest import Counter
from oms.models import Account
from oms.tenancy import account_context

LEAST = 1_000
WINDOW = timedelta(days=30)


@dataclass(frozen=True)
class Counted:
    """One counter of an account; see `manifest.Counter`. An `id` of 0 is one that has given nothing yet."""

    id: int
    name: str
    next: str
    given: int


@dataclass(frozen=True)
class Numbers:
    """How the counters of one kind (settings.COUNTERS) are found and moved, inside an account.

    `found(since)` names all of them, also those that begin with the first use; `jump(id, by)` moves one, for good, and
    says in words where it is now.
    """

    found: Callable[[datetime], list[Counted]]
    jump: Callable[[int, int], str]


def jump_of(given: int) -> int:
    """By how much a counter is moved that gave so many numbers in WINDOW."""
    return max(LEAST, 2 * given)


def counters(since: datetime) -> Iterator[Counter]:
    """Those of all accounts; `since` is when WINDOW began."""
    for account in Account.objects.order_by("slug"):
        with account_context(account):
            for kind, numbers in _kinds().items():
                for each in numbers.found(since):
                    yield Counter(account.slug, kind, each.id, each.name, each.next, each.given)


def jump(since: datetime, by: int | None) -> Iterator[str]:
    """Move all counters on, by what they need or by `by`; for each, in words, where it is now."""
    for account in Account.objects.order_by("slug"):
        with account_context(account):
            for numbers in _kinds().values():
                for each in numbers.found(since):
                    step = jump_of(each.given) if by is None else by
                    yield f"{account.slug}: {each.name}: {numbers.jump(each.id, step)}"


def _kinds() -> dict[str, Numbers]:
    return {kind: import_string(path) for kind, path in settings.COUNTERS.items()}
