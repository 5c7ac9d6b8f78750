"""Numbers for generated serials, taken from the account's scheme in blocks."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils.translation import gettext as _

from oms.errors import DomainError
from oms.tenancy import current_account_id
from serials.models import NumberScheme

# One statement, so two people who generate at once get two blocks. The row stays locked until the caller commits.
RESERVE = """
UPDATE serials_numberscheme SET next_counter = next_counter + %(count)s
WHERE account_id = %(account)s
  AND id = (SELECT min(id) FROM serials_numberscheme WHERE account_id = %(account)s)
  AND next_counter + %(count)s - 1 <= 10 ^ width::numeric - 1
RETURNING prefix, width, next_counter - %(count)s
"""


class NumbersExhausted(DomainError):
    """The account's number scheme has not so many numbers left; nothing was reserved."""


@dataclass(frozen=True)
class Block:
    """`count` consecutive numbers of a scheme, from the counter `first` on; iterate it for their texts."""

    prefix: str
    width: int
    first: int
    count: int

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[str]:
        for counter in range(self.first, self.first + self.count):
            yield f"{self.prefix}{counter:0{self.width}d}"


@transaction.atomic
def reserve_block(*, count: int) -> Block:
    """Take `count` numbers, at least one, that nobody else gets and that are never given again.

    The account's first use makes its default scheme. Raises NumbersExhausted where the scheme has fewer left.
    """
    if count < 1:
        raise ValueError(f"A block has at least one number, not {count}.")
    found = _reserve(count) or _reserve_of_first_scheme(count)
    if found is None:
        raise NumbersExhausted(
            _("The number scheme of this account has not %(count)s numbers left. Type the supplier's own numbers.")
            % {"count": count}
        )
    return found


def _reserve_of_first_scheme(count: int) -> Block | None:
    """Reserve again once the account surely has a scheme: another first user may have made it since the first try."""
    if not NumberScheme.objects.exists():
        # Two first users at once: the second waits here for the first one's commit and then finds its row.
        NumberScheme.objects.bulk_create([NumberScheme()], ignore_conflicts=True)
    return _reserve(count)


def _reserve(count: int) -> Block | None:
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, {"account": current_account_id(), "count": count})
        row = cursor.fetchone()
    return Block(prefix=row[0], width=row[1], first=row[2], count=count) if row else None
