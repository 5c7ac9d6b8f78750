"""The tenant wall: the current account, and models that cannot be read or written outside it.

Three walls stand behind each other (docs/adr/0002). The first is here: the default manager filters by the account that
is current when the SQL is compiled, so a query without one raises, and writes are stamped and verified. The second is
PostgreSQL's row-level security, told the account by `account_context`. The third is composite references. The migration
operation that builds walls two and three is `oms.walls.CreateAccountModel`.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, ClassVar, NoReturn, Self, TypeVar

from django.apps import apps
from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import sql
from django.db.models.expressions import Expression

_account: ContextVar[int | None] = ContextVar("lotline_account", default=None)
TELL = "SELECT set_config(name, value, true) FROM unnest(%s::text[], %s::text[]) AS told (name, value)"
"""Each setting holds until the transaction ends, and from the next statement on."""


class NoAccount(RuntimeError):
    """Account data was touched while no account was current. Enter `account_context(account)` first."""


class ForeignAccount(RuntimeError):
    """A row of one account was about to be written while another account was current."""


def current_account_id() -> int:
    """The id of the current account. Raises NoAccount where there is none."""
    pk = _account.get()
    if pk is None:
        raise NoAccount("No account is current: wrap this in account_context(account).")
    return pk


def has_account() -> bool:
    """Whether an account is current."""
    return _account.get() is not None


def _tell(pk: int | None) -> None:
    """Tell PostgreSQL's policies which account is current, and with that how long it may take; one statement."""
    told = {"lotline.account": str(pk or ""), **settings.PATIENCE}
    with connection.cursor() as cursor:
        cursor.execute(TELL, [list(told), list(told.values())])


@contextmanager
def account_context(account: "models.Model | int") -> Iterator[int]:
    """Make `account` (an Account or its id) the current one: the only way in.

    It is a transaction, because the setting that row-level security reads ends with one: commit happens on leaving the
    outermost context. Contexts nest, also into another account and back. Do not wait for a network inside.
    """
    if isinstance(account, models.Model) and account._meta.label != "oms.Account":
        raise TypeError(f"{account._meta.label} is not an account: its id would be taken for one.")
    pk: int = account.pk if isinstance(account, models.Model) else account
    before = _account.get()
    with transaction.atomic():
        _tell(pk)  # also where it is current already: a copied context runs on a connection that was never told
        token = _account.set(pk)
        try:
            yield pk
        finally:
            _account.reset(token)
        # Releasing a savepoint keeps the setting, so put the outer one back; a rollback undoes it by itself.
        if not connection.needs_rollback:
            _tell(before)


class CurrentAccount(Expression):
    """The current account's id as an SQL value, resolved when the query is compiled, not when it is built."""

    output_field = models.BigIntegerField()

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[int]]:
        """The placeholder and the account's id; raises NoAccount outside `account_context`."""
        pk = current_account_id()
        if not connection.in_atomic_block:  # then the policy would answer zero rows, silently
            raise NoAccount("The account is set but no transaction is open: use account_context().")
        return "%s", (pk,)


@cache
def account_tables() -> frozenset[str]:
    """The tables of all account models; each has a twin view named `<table>_v`."""
    return frozenset(m._meta.db_table for m in apps.get_models() if issubclass(m, AccountModel))


class ViewQuery(sql.Query):
    """A query that reads, for every account table it touches, the owner's view of it.

    LIKE is not leakproof, so PostgreSQL never uses a trigram index for it on a table with row-level security. The view
    filters by the same setting and keeps the index. One query reads only tables or only views: mixing loses the index.
    """

    def join(self, join: Any, reuse: Any = None) -> str:
        """Django's join, on the view instead of the table."""
        if join.table_name in account_tables():
            join.table_name += "_v"
        return super().join(join, reuse)


M = TypeVar("M", bound="AccountModel")


def _verify(instance: "AccountModel") -> None:
    """Stamp a row without an account with the current one; raise ForeignAccount for a row of another."""
    pk = current_account_id()
    if instance.account_id is None:
        instance.account_id = pk
    elif instance.account_id != pk:
        raise ForeignAccount(f"This {instance._meta.verbose_name} belongs to another account than the current one.")


class AccountQuerySet(models.QuerySet[M]):
    """A queryset whose bulk writes are verified too."""

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        """Django's, after stamping and verifying each row. Raises ForeignAccount before anything is written."""
        rows = list(objs)
        for row in rows:
            _verify(row)
        return super().bulk_create(rows, *args, **kwargs)

    def bulk_update(self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None) -> int:
        """Django's, after verifying each row. Raises ForeignAccount before anything is written."""
        rows = list(objs)
        for row in rows:
            _verify(row)
        return super().bulk_update(rows, fields, batch_size=batch_size)  # by update(), so `account` is refused too

    def update(self, **kwargs: Any) -> int:
        """Django's, but a row never moves to another account."""
        if {"account", "account_id"} & kwargs.keys():
            raise ForeignAccount("A row never moves to another account.")
        return super().update(**kwargs)

    def through_view(self) -> Self:
        """All rows of the account read through the owner's views, for text search. Read only: act on them by their ids.

        Comes first, before any filter; raises TypeError after one, because it starts a new query.
        """
        if len(self.query.where.children) > 1:
            raise TypeError("through_view() comes first: Model.objects.through_view().filter(...).")
        fresh = type(self)(self.model, query=ViewQuery(self.model), using=self.db)
        return fresh.filter(account_id=CurrentAccount())


class AccountManager(models.Manager[M]):
    """Answers for the current account only and raises NoAccount where there is none."""

    def get_queryset(self) -> AccountQuerySet[M]:
        """All rows of the account that is current when the query runs; every method of a manager starts from it."""
        queryset: AccountQuerySet[M] = AccountQuerySet(self.model, using=self._db)
        return queryset.filter(account_id=CurrentAccount())

    def through_view(self) -> AccountQuerySet[M]:
        """See AccountQuerySet."""
        return self.get_queryset().through_view()


class AccountKey(models.ForeignKey):  # type: ignore[type-arg]
    """A reference from one account model to another.

    The database holds it as (account_id, x_id) → (account_id, id), made by `CreateAccountModel`; Django makes neither a
    constraint nor an index, so name the index you need (starting with the account) in Meta.indexes.
    """

    def __init__(self, to: Any, on_delete: Any, **kwargs: Any) -> None:
        kwargs["db_constraint"] = kwargs["db_index"] = False
        super().__init__(to, on_delete, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """What a migration writes: nothing of the two switches that this class always sets."""
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("db_constraint", None)
        kwargs.pop("db_index", None)
        return name, path, args, kwargs


class AccountModel(models.Model):
    """A row that belongs to exactly one account. Its table is made by `oms.walls.CreateAccountModel`."""

    account = models.ForeignKey(
        "oms.Account", on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+", editable=False
    )
    account_id: int | None  # set by save() where it is None

    objects: ClassVar[AccountManager[Self]] = AccountManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"
        default_manager_name = "objects"

    def __reduce__(self) -> NoReturn:
        """Rows are not pickled: a cache or a task that carried one would carry it across the wall."""
        raise TypeError("Account rows are not pickled; pass the id and read the row inside account_context().")

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Django's, after stamping and verifying the account. Raises NoAccount or ForeignAccount."""
        _verify(self)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Django's, after verifying the account. Raises NoAccount or ForeignAccount."""
        _verify(self)
        return super().delete(*args, **kwargs)
