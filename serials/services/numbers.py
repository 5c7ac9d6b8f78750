"""Numbers for generated serials, taken from the account's schemes in blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from oms.errors import DomainError
from oms.tenancy import current_account_id
from serials.models import NumberScheme
from serials.numbering.check_characters import Check
from serials.numbering.schemes import Alphabet, Scheme
from serials.queries.schemes import lacks_default, live_schemes

# One statement, so two people who generate at once get two blocks. The row stays locked until the caller commits.
# Who waited for the row has it by the id that was looked up before: whether it is archived is asked again, of the row.
RESERVE = """
UPDATE serials_numberscheme SET next_counter = next_counter + %(count)s
WHERE account_id = %(account)s
  AND id = (SELECT id FROM serials_numberscheme WHERE account_id = %(account)s AND NOT is_archived
              AND CASE WHEN %(scheme)s::bigint IS NULL THEN is_default ELSE id = %(scheme)s::bigint END)
  AND NOT is_archived AND next_counter + %(count)s <= length(alphabet)::numeric ^ width
RETURNING prefix, width, alphabet, check_kind, next_counter - %(count)s
"""


class NumbersExhausted(DomainError):
    """The scheme has not so many numbers left; nothing was reserved."""


class SchemeArchived(DomainError):
    """The scheme that numbers were to come from, or the default, is not in use any more; nothing was reserved."""


@dataclass(frozen=True)
class Block:
    """`count` consecutive numbers of a scheme, from the counter `first` on; iterate it for their texts."""

    scheme: Scheme
    first: int
    count: int
    on: date

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[str]:
        return self.scheme.numbers(self.first, self.count, self.on)


@transaction.atomic
def reserve_block(*, count: int, scheme_id: int | None = None) -> Block:
    """Take `count` numbers, at least one, that nobody else gets and that are never given again.

    They come from that scheme, and from the account's default where none is named; its date parts are today's. The
    account's first use makes its default scheme.

    Raises SchemeArchived where the named one, or the default, was archived meanwhile: other numbers than those that
    were asked for are never given in its place; NumbersExhausted where it has fewer left.
    """
    if count < 1:
        raise ValueError(f"A block has at least one number, not {count}.")
    found = _reserve(count, scheme_id) or _reserve_of_first_scheme(count, scheme_id)
    if found is None:
        _refuse_archived(scheme_id)
        raise NumbersExhausted(
            _(
                "The number scheme has not %(count)s numbers left. An admin can add a wider one under Settings, Number "
                "schemes; or type the supplier's own numbers."
            )
            % {"count": f"{count:,}"}
        )
    return found


def _reserve_of_first_scheme(count: int, scheme_id: int | None) -> Block | None:
    """Reserve again once the account surely has a scheme: another first user may have made it since the first try."""
    if not NumberScheme.objects.exists():
        # Two first users at once: the second waits here for the first one's commit and then finds its row.
        NumberScheme.objects.bulk_create([NumberScheme(is_default=True)], ignore_conflicts=True)
    return _reserve(count, scheme_id)


def _refuse_archived(scheme_id: int | None) -> None:
    if scheme_id is None and lacks_default() and live_schemes().exists():
        raise SchemeArchived(
            _(
                "No number scheme is the default any more, and the SKU names none. Nothing was generated: an admin "
                "chooses a default under Settings, Number schemes, or a scheme on the SKU's page. Then generate again."
            )
        )
    row = NumberScheme.objects.filter(pk=scheme_id).first() if scheme_id else None
    if scheme_id is not None and (row is None or row.is_archived):
        raise SchemeArchived(
            _(
                "The number scheme “%(name)s” is archived. Nothing was generated: look which scheme the SKU has now, "
                "then generate again."
            )
            % {"name": row.name if row else scheme_id}
        )


def _reserve(count: int, scheme_id: int | None) -> Block | None:
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, {"account": current_account_id(), "count": count, "scheme": scheme_id})
        row = cursor.fetchone()
    if row is None:
        return None
    prefix, width, alphabet, check, first = row
    return Block(Scheme(prefix, width, Alphabet(alphabet), Check(check)), first, count, timezone.localdate())
