"""The one writer of stock: movements, and the running quantities that they add up to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from psycopg.sql import SQL

from oms import identity
from oms.errors import DomainError
from oms.models import NO_LOT, Bin, BinKind, Location, Person, Warehouse, WarehouseLink, Workflow
from oms.services import audit
from oms.tenancy import current_account_id


class NotEnoughStock(DomainError):
    """A movement would make stock of some place negative; nothing was written."""


class UnitsNeeded(RuntimeError):
    """Pieces of an In/Out SKU were about to move without their units: an error of the caller; nothing was written."""


@dataclass(frozen=True)
class Move:
    """One change of the stock of (SKU, bin, lot): `delta` pieces, positive in, negative out, never 0."""

    sku_id: int
    bin_id: int
    delta: int
    lot_key: int = NO_LOT


@dataclass(frozen=True)
class Cause:
    """Why stock moves: the same facts on every movement of one call."""

    event: str
    process_type: str
    process_id: str = ""
    reason: str = ""
    source: str = ""
    actor_id: int | None = None
    occurred_at: datetime | None = None


# KEY SHARE: goods of one SKU may move side by side and its name may change meanwhile, but not its workflow, which takes
# the same rows FOR UPDATE.
LOCK_SKUS = """
SELECT id, workflow FROM oms_sku WHERE account_id = %(account)s AND id = ANY(%(sku_ids)s) ORDER BY id FOR KEY SHARE
"""

_MOVED = SQL("""
SELECT * FROM unnest(%(sku_ids)s::bigint[], %(bin_ids)s::bigint[], %(lot_keys)s::bigint[], %(deltas)s::bigint[])
    AS m (sku_id, bin_id, lot_key, delta)
""")

# The place must exist before it is summed up: PostgreSQL checks quantity >= 0 on the row that an upsert proposes, so a
# negative delta would be refused even where there is enough. Places are taken in one order, so two calls never wait for
# each other in a circle.
MAKE_PLACES = SQL("""
INSERT INTO oms_stock (account_id, sku_id, bin_id, lot_key, quantity, updated_at)
SELECT DISTINCT %(account)s::bigint, sku_id, bin_id, lot_key, 0, %(recorded_at)s::timestamptz FROM ({moved}) AS m
ORDER BY sku_id, bin_id, lot_key ON CONFLICT (account_id, sku_id, bin_id, lot_key) DO NOTHING
""").format(moved=_MOVED)
LOCK_PLACES = SQL("""
SELECT s.id FROM oms_stock s WHERE s.account_id = %(account)s
AND (s.sku_id, s.bin_id, s.lot_key) IN (SELECT sku_id, bin_id, lot_key FROM ({moved}) AS m)
ORDER BY s.sku_id, s.bin_id, s.lot_key FOR UPDATE
""").format(moved=_MOVED)
POST_MOVES = SQL("""
WITH moved AS ({moved}), logged AS (
    INSERT INTO oms_stockmove (account_id, sku_id, bin_id, lot_key, delta, event, process_type, process_id, reason,
                               source, actor_id, occurred_at, recorded_at)
    SELECT %(account)s, sku_id, bin_id, lot_key, delta, %(event)s, %(process_type)s, %(process_id)s, %(reason)s,
           %(source)s, %(actor_id)s, %(occurred_at)s, %(recorded_at)s
    FROM moved
), summed AS (
    SELECT sku_id, bin_id, lot_key, sum(delta) AS delta FROM moved GROUP BY sku_id, bin_id, lot_key
)
UPDATE oms_stock s SET quantity = s.quantity + summed.delta, updated_at = %(recorded_at)s FROM summed
WHERE s.account_id = %(account)s AND (s.sku_id, s.bin_id, s.lot_key) = (summed.sku_id, summed.bin_id, summed.lot_key)
""").format(moved=_MOVED)


@transaction.atomic
def post_moves(moves: Sequence[Move], *, cause: Cause, by_unit: bool = False) -> None:
    """Write movements and the stock they change, in four statements whatever their number.

    Raises NotEnoughStock, with nothing written, where a place would go below 0. The SKUs are share-locked, so that a
    Serial attribute never changes while goods move.

    `by_unit` is the ledger's own word that these pieces are units which it moves in the same transaction. Without it
    moves of an In/Out SKU raise UnitsNeeded: its stock is its units, so they go through serials.services.record_event.
    """
    if not moves:
        return
    now = timezone.now()
    params = {
        "account": current_account_id(),
        "sku_ids": [move.sku_id for move in moves],
        "bin_ids": [move.bin_id for move in moves],
        "lot_keys": [move.lot_key for move in moves],
        "deltas": [move.delta for move in moves],
        **asdict(cause),
        "occurred_at": cause.occurred_at or now,
        "recorded_at": now,
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(LOCK_SKUS, params)
            if not by_unit and (found := [pk for pk, workflow in cursor.fetchall() if workflow == Workflow.IN_OUT]):
                raise UnitsNeeded(f"SKU {found[0]} is In/Out: its stock moves with its units, through the ledger.")
            for statement in (MAKE_PLACES, LOCK_PLACES, POST_MOVES):
                cursor.execute(statement, params)
    except IntegrityError as error:
        if "stock_not_negative" not in str(error):
            raise
        raise NotEnoughStock(_("There is not that much there: stock never goes below 0.")) from error


@transaction.atomic
def link_warehouse(*, warehouse: Warehouse, actor: Person | None = None) -> WarehouseLink:
    """Let the current account use a warehouse; gives it a default zone. Twice is once."""
    link, is_new = WarehouseLink.objects.get_or_create(warehouse=warehouse)
    if is_new:
        Location.objects.create(link=link, name="Main", is_default=True)
        audit.record(actor=actor, action="add", kind="warehouse", object_id=link.pk, label=warehouse.name)
    return link


@transaction.atomic
def add_bin(
    *, link: WarehouseLink, location: str, name: str, kind: BinKind = BinKind.PICK, actor: Person | None = None
) -> Bin:
    """A bin of the current account in a zone, which is made if need be.

    Raises DomainError where the name is taken, or one of the two cannot be a name.
    """
    zone_key, key = (identity.check(text, most=80) for text in (location, name))
    zone, _is_new = Location.objects.get_or_create(link=link, name_key=zone_key, defaults={"name": location.strip()})
    given = {"name": name.strip(), "location": zone, "kind": kind}
    made, is_new = Bin.objects.get_or_create(link=link, name_key=key, defaults=given)
    if not is_new:
        raise DomainError(_("There is already a bin %(name)s in this warehouse.") % {"name": name})
    audit.record(actor=actor, action="add", kind="bin", object_id=made.pk, label=name, changes={"kind": (None, kind)})
    return made
