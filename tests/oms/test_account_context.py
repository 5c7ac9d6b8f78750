"""The current account itself: nesting, failure, threads on the pool, what runs after commit."""

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from oms import tenancy
from oms.models import Account, Membership, Sku
from oms.tenancy import NoAccount, account_context, current_account_id
from tests.factories import make_sku


def told():
    """The account that PostgreSQL's policies know of, as text; empty for none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lotline.account', true)")
        return cursor.fetchone()[0] or ""


def codes():
    return set(Sku.objects.values_list("code", flat=True))


@pytest.fixture
def both(account_a, account_b):
    """(A with a SKU "a", B with a SKU "b")."""
    for account, code in ((account_a, "a"), (account_b, "b")):
        with account_context(account):
            make_sku(code=code)
    return account_a, account_b


def test_no_account_by_default(db):
    assert told() == ""
    with pytest.raises(NoAccount):
        current_account_id()


def test_an_id_does_as_well_as_an_account(account_a):
    with account_context(account_a.pk) as pk:
        assert pk == current_account_id() == account_a.pk
        assert told() == str(account_a.pk)


def test_another_models_row_is_not_taken_for_an_account(ana):
    membership = Membership.objects.get(person=ana)
    for row in (ana, membership):
        with pytest.raises(TypeError, match="not an account"), account_context(row):
            pass


def test_an_account_that_was_never_saved_is_none(account_a):
    with account_context(Account(name="x")), pytest.raises(NoAccount):
        Sku.objects.count()


def test_switch_and_back(both):
    a, b = both
    with account_context(a):
        assert (codes(), told()) == ({"a"}, str(a.pk))
        with account_context(b):
            assert (codes(), told()) == ({"b"}, str(b.pk))
            with account_context(a):
                assert (codes(), told()) == ({"a"}, str(a.pk))
            assert (codes(), told()) == ({"b"}, str(b.pk))
        assert (codes(), told()) == ({"a"}, str(a.pk))
    assert told() == ""


def test_the_same_account_twice(both):
    a, _b = both
    with account_context(a):
        with account_context(a):
            assert codes() == {"a"}
        assert (codes(), told()) == ({"a"}, str(a.pk))


def test_an_exception_inside_puts_the_outer_account_back(both):
    a, b = both
    with account_context(a):
        with pytest.raises(RuntimeError), account_context(b):
            make_sku(code="lost")
            raise RuntimeError
        assert (codes(), told(), current_account_id()) == ({"a"}, str(a.pk), a.pk)
    with account_context(b):
        assert codes() == {"b"}


def test_an_inner_rollback_puts_the_outer_account_back(both):
    a, b = both
    with account_context(a):
        with account_context(b):
            make_sku(code="lost")
            transaction.set_rollback(True)
        assert (codes(), told()) == ({"a"}, str(a.pk))
        with account_context(b):
            assert codes() == {"b"}


def test_a_failed_statement_inside_does_not_leave_the_account(both):
    a, b = both
    with account_context(a):
        with pytest.raises(Exception, match="division"), account_context(b), connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")
        assert (codes(), told()) == ({"a"}, str(a.pk))


def test_a_rolled_back_savepoint_keeps_the_account(both):
    a, _b = both
    with account_context(a):
        with pytest.raises(RuntimeError), transaction.atomic():
            raise RuntimeError
        assert (codes(), told()) == ({"a"}, str(a.pk))


@pytest.mark.commits("a rollback of the whole transaction")
def test_an_exception_rolls_everything_back(account_a):
    with pytest.raises(RuntimeError), account_context(account_a):
        make_sku(code="lost")
        raise RuntimeError
    assert told() == ""
    with account_context(account_a):
        assert codes() == set()


@pytest.mark.commits("callbacks of the commit")
def test_callbacks_after_commit_have_no_account(account_a):
    found = []

    def look():
        found.append(told())
        with pytest.raises(NoAccount):
            Sku.objects.count()

    with account_context(account_a):
        transaction.on_commit(look)
    assert found == [""]


@pytest.mark.commits("the end of the transaction is the subject")
def test_the_setting_ends_with_the_transaction(account_a):
    """Also where nothing takes it back: a pooler may hand the session to somebody else after the commit."""
    with transaction.atomic():
        tenancy._tell(account_a.pk)
        assert told() == str(account_a.pk)
    assert told() == ""


@pytest.mark.commits("threads, each with a connection of its own")
def test_eight_threads_on_the_pool_never_see_another_account(both):
    wrong, barrier = [], threading.Barrier(8)

    def work(n):
        barrier.wait()
        try:
            for turn in range(40):
                mine, other = (both[0], both[1]) if (n + turn) % 2 else (both[1], both[0])
                if told():
                    wrong.append("left behind")
                with account_context(mine):
                    wrong.extend(codes() ^ {mine.slug[0]})
                    with account_context(other):
                        wrong.extend(codes() ^ {other.slug[0]})
                    wrong.extend(codes() ^ {mine.slug[0]})
                if turn % 5 == 0:
                    connection.close()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, n) for n in range(8)]:
            future.result()
    assert [text.replace("acme", "a") for text in wrong] == []


@pytest.mark.commits("threads, each with a connection of its own")
def test_another_thread_does_not_inherit_the_account(both):
    """Not even one that was given a copy of the context: its connection has no transaction."""
    caught = []

    def work():
        try:
            Sku.objects.count()
        except NoAccount:
            caught.append("refused")
        finally:
            connection.close()

    with account_context(both[0]):
        copied = contextvars.copy_context()
        for thread in (threading.Thread(target=work), threading.Thread(target=copied.run, args=[work])):
            thread.start()
            thread.join()
    assert caught == ["refused", "refused"]


@pytest.mark.commits("threads, each with a connection of its own")
def test_a_copied_context_can_enter_its_own_account_again(both):
    """The copy says that the account is current already; its connection has never heard of it."""
    found = []

    def work():
        try:
            with account_context(both[0]):
                found.append((told(), codes()))
        finally:
            connection.close()

    with account_context(both[0]):
        copied = contextvars.copy_context()
        thread = threading.Thread(target=copied.run, args=[work])
        thread.start()
        thread.join()
    assert found == [(str(both[0].pk), {"a"})]


def test_durable_transactions_are_refused_inside(in_a):
    """So a service that must commit by itself says so loudly, and is not called inside an account by mistake."""
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic(durable=True):
        pass
