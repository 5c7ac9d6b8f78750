"""The one writer of stock: what it writes, what it refuses, and that two at once add up."""

import threading

import pytest
from django.db import IntegrityError, connection, connections, transaction

from oms.models import BinKind, Location, Stock, StockMove, WarehouseLink
from oms.services import stock
from oms.services.stock import Cause, Move, NotEnoughStock, UnitsNeeded
from oms.tenancy import NoAccount, account_context
from tests import factories

CAUSE = Cause("receive", "replenishment")


def kept():
    return {(row.sku_id, row.bin_id, row.lot_key): row.quantity for row in Stock.objects.all()}


def test_movements_are_written_one_by_one_and_summed_by_place(in_a):
    sku, place = factories.make_sku().pk, factories.make_bin().pk
    stock.post_moves([Move(sku, place, 5), Move(sku, place, -2), Move(sku, place, 1)], cause=CAUSE)
    assert kept() == {(sku, place, 0): 4}
    assert list(StockMove.objects.order_by("id").values_list("delta", flat=True)) == [5, -2, 1]


def test_no_movement_writes_nothing(in_a):
    stock.post_moves([], cause=CAUSE)
    assert not kept()
    assert not StockMove.objects.exists()


def test_what_would_go_below_zero_is_refused_with_all_that_came_with_it(in_a):
    sku, place, other = factories.make_sku().pk, factories.make_bin().pk, factories.make_bin().pk
    stock.post_moves([Move(sku, place, 2)], cause=CAUSE)
    with pytest.raises(NotEnoughStock, match="never goes below 0"):
        stock.post_moves([Move(sku, other, 9), Move(sku, place, -3)], cause=CAUSE)
    assert kept() == {(sku, place, 0): 2}
    assert StockMove.objects.count() == 1
    stock.post_moves([Move(sku, place, -2)], cause=CAUSE)
    assert kept() == {(sku, place, 0): 0}


def test_pieces_of_an_in_out_sku_move_with_their_units_only(in_a):
    """Else its stock would not be its units any more."""
    plain, serialized, place = factories.make_sku(), factories.make_serialized_sku(), factories.make_bin()
    with pytest.raises(UnitsNeeded, match="In/Out"):
        stock.post_moves([Move(plain.pk, place.pk, 1), Move(serialized.pk, place.pk, 1)], cause=CAUSE)
    assert not kept()
    assert not StockMove.objects.exists()
    stock.post_moves([Move(serialized.pk, place.pk, 1)], cause=CAUSE, by_unit=True)  # as the ledger does
    assert kept() == {(serialized.pk, place.pk, 0): 1}


def test_the_cause_is_on_every_movement(in_a, wes):
    sku, places = factories.make_sku().pk, [factories.make_bin().pk for _ in range(2)]
    cause = Cause("move", "move", process_id="M-1", reason="tidy", source="s", actor_id=wes.pk)
    stock.post_moves([Move(sku, place, 1) for place in places], cause=cause)
    for row in StockMove.objects.all():
        assert (row.event, row.process_type, row.process_id, row.reason, row.source, row.actor_id) == (
            *("move", "move", "M-1", "tidy", "s"),
            wes.pk,
        )
        assert row.occurred_at == row.recorded_at


def test_one_movement_and_a_thousand_take_the_same_statements(in_a, django_assert_num_queries):
    sku, place = factories.make_sku().pk, factories.make_bin().pk
    for moves in ([Move(sku, place, 1)], [Move(sku, place, 1)] * 1_000):
        with django_assert_num_queries(8):  # four, and two savepoints
            stock.post_moves(moves, cause=CAUSE)
    assert kept() == {(sku, place, 0): 1_001}


def test_stock_needs_an_account(db):
    with pytest.raises(NoAccount):
        stock.post_moves([Move(1, 1, 1)], cause=CAUSE)


def test_a_sku_or_bin_of_another_account_is_refused_by_the_database(account_a, account_b):
    with account_context(account_b):
        theirs = factories.make_stock(quantity=7)
    for sku_id, bin_id in ((theirs.sku_id, None), (None, theirs.bin_id)):
        with pytest.raises(IntegrityError, match="account_fk"), account_context(account_a), transaction.atomic():
            move = Move(sku_id or factories.make_sku().pk, bin_id or factories.make_bin().pk, 1)
            stock.post_moves([move], cause=CAUSE)
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with account_context(account_b):
        assert list(kept().values()) == [7]


@pytest.mark.commits("threads, each with a connection of its own")
def test_opposite_orders_at_once_neither_deadlock_nor_lose_a_piece(account_a):
    with account_context(account_a):
        sku, places = factories.make_sku().pk, [factories.make_bin().pk for _ in range(4)]
    errors = []

    def work(order):
        try:
            for _ in range(50):
                with account_context(account_a):
                    stock.post_moves([Move(sku, place, 1) for place in order], cause=CAUSE)
        except Exception as error:  # noqa: BLE001  (whatever it is, the test must say it)
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(order,)) for order in (places, places[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    with account_context(account_a):
        assert set(kept().values()) == {100}


def test_a_warehouse_is_linked_once_and_gets_a_default_zone(in_a, wes):
    warehouse = factories.make_warehouse()
    first, again = (stock.link_warehouse(warehouse=warehouse, actor=wes) for _ in range(2))
    assert first == again
    assert WarehouseLink.objects.count() == 1
    assert Location.objects.get().is_default


def test_a_bin_has_a_name_of_its_own_in_its_warehouse(in_a):
    link, other = factories.make_warehouse_link(), factories.make_warehouse_link()
    stock.add_bin(link=link, location="Zone", name="A-1", kind=BinKind.DAMAGED)
    stock.add_bin(link=other, location="Zone", name="A-1")
    with pytest.raises(stock.DomainError, match="already a bin A-1"):
        stock.add_bin(link=link, location="Elsewhere", name="A-1")
