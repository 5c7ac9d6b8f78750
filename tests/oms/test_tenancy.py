"""Wall one: no query without an account, no foreign row found, no foreign row written (oms/tenancy.py)."""

import pickle

import django_filters
import pytest
from django import forms
from django.core.paginator import Paginator
from django.db import connection, transaction
from django.db.models import Count, Exists, F, Max, OuterRef, Prefetch, Q, Subquery
from django.db.models.functions import Upper

from oms.models import Account, Bin, Location, Sku, Stock, WarehouseLink
from oms.tenancy import ForeignAccount, NoAccount, account_context
from tests.factories import make_bin, make_sku, make_stock
from tests.wallapp.models import Crate, Mark, Tag


class SkuForm(forms.ModelForm):
    class Meta:
        model = Sku
        fields = ("code", "name")


class StockChoice(forms.Form):
    sku = forms.ModelChoiceField(Sku.objects.all())
    bins = forms.ModelMultipleChoiceField(Bin.objects.all(), required=False)


class StockFilter(django_filters.FilterSet):
    class Meta:
        model = Stock
        fields = ("sku", "bin")


@pytest.fixture
def ours(account_a):
    """A SKU, a bin and the stock of one in the other, in A."""
    with account_context(account_a):
        return make_stock(sku=make_sku(code="OURS", name="Ours"), quantity=3)


@pytest.fixture
def theirs(account_b):
    """The same in B."""
    with account_context(account_b):
        return make_stock(sku=make_sku(code="THEIRS", name="Theirs"), quantity=7)


# What reads or writes rows, whatever it is called; each gets (stock of the current account).
SHAPES = {
    "list": lambda _: list(Sku.objects.all()),
    "iterate": lambda _: [sku.code for sku in Sku.objects.all()],
    "bool": lambda _: bool(Sku.objects.all()),
    "len": lambda _: len(Sku.objects.all()),
    "repr": lambda _: repr(Sku.objects.all()),
    "index": lambda _: Sku.objects.order_by("id")[0],
    "slice": lambda _: list(Sku.objects.order_by("id")[:5]),
    "get": lambda row: Sku.objects.get(pk=row.sku_id),
    "get_other_manager": lambda row: Sku._default_manager.get(pk=row.sku_id),
    "get_base_manager": lambda row: Sku._base_manager.get(pk=row.sku_id),
    "count": lambda _: Sku.objects.count(),
    "exists": lambda _: Sku.objects.exists(),
    "exclude_exists": lambda _: Sku.objects.exclude(code="x").exists(),
    "empty_in_exists": lambda _: Sku.objects.exclude(pk__in=[]).exists(),
    "or_exists": lambda _: Sku.objects.filter(Q(code="x") | ~Q(code="x")).exists(),
    "first": lambda _: Sku.objects.first(),
    "last": lambda _: Sku.objects.last(),
    "earliest": lambda _: Sku.objects.earliest("id"),
    "latest": lambda _: Sku.objects.latest("id"),
    "contains": lambda row: Sku.objects.contains(Sku(pk=row.sku_id)),
    "values": lambda _: list(Sku.objects.values("code")),
    "values_list": lambda _: list(Sku.objects.values_list("code", flat=True)),
    "only": lambda _: list(Sku.objects.only("code")),
    "defer": lambda _: list(Sku.objects.defer("name")),
    "distinct": lambda _: list(Sku.objects.values("workflow").distinct()),
    "aggregate": lambda _: Sku.objects.aggregate(Max("id")),
    "aggregate_empty": lambda _: Sku.objects.none().union(Sku.objects.all()).count(),
    "annotate": lambda _: list(Sku.objects.annotate(places=Count("stock"))),
    "alias": lambda _: list(Sku.objects.alias(big=Upper("code")).filter(big="OURS")),
    "dates": lambda _: list(Sku.objects.dates("created_at", "day")),
    "datetimes": lambda _: list(Sku.objects.datetimes("created_at", "hour")),
    "in_bulk": lambda row: Sku.objects.in_bulk([row.sku_id]),
    "iterator": lambda _: list(Sku.objects.iterator(chunk_size=2)),
    "select_related": lambda _: list(Stock.objects.select_related("sku", "bin__location")),
    "prefetch": lambda _: list(Sku.objects.prefetch_related("stock")),
    "prefetch_object": lambda _: list(Sku.objects.prefetch_related(Prefetch("stock", Stock.objects.all()))),
    "forward_key": lambda row: Stock.objects.get(pk=row.pk).sku.code,
    "reverse_key": lambda row: list(Sku(pk=row.sku_id, account_id=row.account_id).stock.all()),
    "join_filter": lambda _: list(Stock.objects.filter(sku__code="OURS")),
    "many_to_many": lambda _: list(Tag(pk=1).crates.all()),
    "many_to_many_join": lambda _: list(Crate.objects.filter(tags__name="x")),
    "partitioned": lambda _: list(Mark.objects.select_related("crate__sku")),
    "union": lambda _: list(Sku.objects.all().union(Sku.objects.all())),
    "or": lambda _: list(Sku.objects.filter(code="x") | Sku.objects.filter(name="x")),
    "subquery": lambda _: list(Stock.objects.filter(sku__in=Sku.objects.values("pk"))),
    "exists_subquery": lambda _: list(Sku.objects.filter(Exists(Stock.objects.filter(sku=OuterRef("pk"))))),
    "scalar_subquery": lambda _: list(
        Sku.objects.annotate(n=Subquery(Stock.objects.filter(sku=OuterRef("pk")).values("quantity")[:1]))
    ),
    "only_in_subquery": lambda _: list(Account.objects.filter(pk__in=Sku.objects.values("account_id"))),
    "only_in_exists": lambda _: Account.objects.filter(Exists(Sku.objects.filter(account=OuterRef("pk")))).count(),
    "explain": lambda _: Sku.objects.explain(),
    "sql": lambda _: str(Sku.objects.all().query),
    "through_view": lambda _: list(Sku.objects.through_view().filter(code__icontains="our")),
    "through_view_count": lambda _: Stock.objects.through_view().filter(sku__name__icontains="our").count(),
    "select_for_update": lambda _: list(Sku.objects.select_for_update()),
    "refresh_from_db": lambda row: row.refresh_from_db(),
    "deferred_field": lambda row: Sku.objects.only("id").get(pk=row.sku_id).name,
    "paginator": lambda _: list(Paginator(Sku.objects.order_by("id"), 5).page(1)),
    "raw_queryset_of_values": lambda _: set(Sku.objects.values_list("pk", "code", named=True)),
    "form_choices": lambda _: list(StockChoice()["sku"].field.choices),
    "form_clean": lambda row: StockChoice({"sku": row.sku_id, "bins": [row.bin_id]}).is_valid(),
    "model_form": lambda row: SkuForm({"code": "NEW", "name": "x"}).save(),
    "filterset": lambda row: list(StockFilter({"sku": row.sku_id}, Stock.objects.all()).qs),
    "full_clean": lambda row: Stock(sku_id=row.sku_id, bin_id=row.bin_id, account_id=row.account_id).clean_fields(),
    # writes
    "save": lambda row: row.save(),
    "create": lambda _: Sku.objects.create(code="NEW", name="New"),
    "get_or_create": lambda _: Sku.objects.get_or_create(code="NEW", defaults={"name": "New"}),
    "update_or_create": lambda _: Sku.objects.update_or_create(code="OURS", defaults={"name": "New"}),
    "bulk_create": lambda _: Sku.objects.bulk_create([Sku(code="NEW", name="New")]),
    "bulk_create_ignore": lambda _: Sku.objects.bulk_create([Sku(code="NEW", name="New")], ignore_conflicts=True),
    "bulk_update": lambda row: Stock.objects.bulk_update([row], ["quantity"]),
    "update": lambda _: Sku.objects.update(name="New"),
    "update_f": lambda _: Sku.objects.filter(code="OURS").update(version=F("version") + 1),
    "delete_rows": lambda _: Stock.objects.all().delete(),
    "delete": lambda row: row.delete(),
    "reverse_create": lambda row: Tag(pk=-1, account_id=row.account_id).children.create(name="x"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_raises_without_an_account(ours, theirs, shape):
    with pytest.raises(NoAccount), transaction.atomic():
        SHAPES[shape](ours)
    assert _count_of_all() == (2, 2)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_works_inside_and_finds_nothing_foreign(account_a, ours, theirs, shape):
    with account_context(account_a):
        if shape == "reverse_create":
            Tag.objects.create(pk=-1, name="parent")
        answer = SHAPES[shape](ours)
    assert "THEIRS" not in repr(answer)
    assert "Theirs" not in repr(answer)


@pytest.mark.parametrize(
    "shape", [name for name in SHAPES if name.startswith(("index", "first", "last", "ear", "lat"))]
)
def test_single_rows_are_ours(account_a, ours, theirs, shape):
    with account_context(account_a):
        assert SHAPES[shape](ours).code == "OURS"


def _count_of_all():
    """How many SKUs and stock rows there are over both accounts, past wall one."""
    total = [0, 0]
    for account in Account.objects.all():
        with account_context(account):
            total = [total[0] + Sku.objects.count(), total[1] + Stock.objects.count()]
    return tuple(total)


def test_counts_and_sums_are_of_the_account(account_a, account_b, ours, theirs):
    with account_context(account_a):
        assert (Sku.objects.count(), Sku.objects.exclude(code="x").count()) == (1, 1)
        assert Stock.objects.aggregate(n=Max("quantity")) == {"n": 3}
        assert Sku.objects.filter(code="THEIRS").exists() is False
        assert Sku.objects.in_bulk([ours.sku_id, theirs.sku_id]).keys() == {ours.sku_id}
        assert list(Sku.objects.through_view().values_list("code", flat=True)) == ["OURS"]
        assert Account.objects.filter(pk__in=Sku.objects.values("account_id")).get() == account_a
    with account_context(account_b):
        assert Stock.objects.aggregate(n=Max("quantity")) == {"n": 7}


def test_a_queryset_is_bound_to_the_account_when_it_runs_not_when_it_is_built(account_a, account_b, ours, theirs):
    built = Sku.objects.order_by("code")
    for account, code in ((account_a, "OURS"), (account_b, "THEIRS"), (account_a, "OURS")):
        with account_context(account):
            assert [sku.code for sku in built.all()] == [code]


def test_a_foreign_id_is_not_a_choice(account_a, ours, theirs):
    with account_context(account_a):
        form = StockChoice({"sku": theirs.sku_id, "bins": [ours.bin_id, theirs.bin_id]})
        assert not form.is_valid()
        assert form.errors.keys() == {"sku", "bins"}
        filtered = StockFilter({"sku": theirs.sku_id}, Stock.objects.all())
        assert not filtered.is_valid()


def test_foreign_rows_are_not_refreshed_or_related(account_a, ours, theirs):
    with account_context(account_a):
        with pytest.raises(Stock.DoesNotExist):
            theirs.refresh_from_db()
        with pytest.raises(Sku.DoesNotExist):
            Stock(sku_id=theirs.sku_id).sku  # noqa: B018
        assert list(Sku(pk=theirs.sku_id).stock.all()) == []


# --- writes of foreign rows -------------------------------------------------------------------------------------------
FOREIGN_WRITES = {
    "save": lambda theirs, _b: theirs.save(),
    "save_fields": lambda theirs, _b: theirs.save(update_fields=["quantity"]),
    "force_insert": lambda theirs, b: Sku(account=b, code="N", name="n").save(force_insert=True),
    "delete": lambda theirs, _b: theirs.delete(),
    "create": lambda theirs, b: Sku.objects.create(account=b, code="N", name="n"),
    "create_by_id": lambda theirs, b: Sku.objects.create(account_id=b.pk, code="N", name="n"),
    "get_or_create": lambda theirs, b: Sku.objects.get_or_create(account=b, code="N", defaults={"name": "n"}),
    "get_or_create_defaults": lambda theirs, b: Sku.objects.get_or_create(
        code="N", defaults={"name": "n", "account": b}
    ),
    "get_or_create_existing": lambda theirs, b: Sku.objects.get_or_create(account=b, code="THEIRS"),
    "update_or_create": lambda theirs, b: Sku.objects.update_or_create(
        account=b, code="THEIRS", defaults={"name": "n"}
    ),
    "update_or_create_moves": lambda theirs, b: Sku.objects.update_or_create(code="OURS", defaults={"account": b}),
    "bulk_create": lambda theirs, b: Sku.objects.bulk_create(
        [Sku(code="M", name="m"), Sku(account=b, code="N", name="n")]
    ),
    "bulk_create_upsert": lambda theirs, b: Sku.objects.bulk_create(
        [Sku(pk=theirs.sku_id, account=b, code="THEIRS", name="n")],
        update_conflicts=True,
        update_fields=["name"],
        unique_fields=["account", "id"],
    ),
    "bulk_update": lambda theirs, _b: Stock.objects.bulk_update([theirs], ["quantity"]),
    "bulk_update_account": lambda theirs, _b: Sku.objects.bulk_update(Sku.objects.all(), ["account"]),
    "update_account": lambda theirs, b: Sku.objects.update(account=b),
    "update_account_id": lambda theirs, b: Sku.objects.update(account_id=b.pk),
    "move_row": lambda theirs, b: _moved(Sku.objects.get(), b).save(),
}


def _moved(row, account):
    row.account = account
    return row


@pytest.mark.parametrize("write", FOREIGN_WRITES)
def test_wall_one_refuses_foreign_writes(account_a, account_b, ours, theirs, write):
    theirs.quantity = 99
    with account_context(account_a), pytest.raises(ForeignAccount), transaction.atomic():
        FOREIGN_WRITES[write](theirs, account_b)
    with account_context(account_b):
        assert Stock.objects.get().quantity == 7
        assert Sku.objects.get().name == "Theirs"
    with account_context(account_a):
        assert list(Sku.objects.values_list("code", "name")) == [("OURS", "Ours")]


def test_writes_by_filter_do_not_reach_foreign_rows(account_a, account_b, ours, theirs):
    with account_context(account_a):
        assert Sku.objects.filter(pk=theirs.sku_id).update(name="taken") == 0
        assert Stock.objects.filter(pk=theirs.pk).delete() == (0, {})
        assert Sku.objects.update(name="mine") == 1
    with account_context(account_b):
        assert Sku.objects.get().name == "Theirs"
        assert Stock.objects.get().quantity == 7


@pytest.mark.parametrize("how", ["add", "set"])
def test_a_related_manager_takes_no_foreign_row(account_a, account_b, ours, theirs, how):
    with account_context(account_b):
        zone = Location.objects.get()
        before = zone.link_id
    with account_context(account_a):
        link = WarehouseLink.objects.get()
        getattr(link.locations, how)(zone if how == "add" else [zone])  # an UPDATE that finds no row
    with account_context(account_b):
        zone.refresh_from_db()
        assert zone.link_id == before


def test_a_related_manager_of_a_foreign_row_makes_nothing(account_a, account_b, theirs):
    with account_context(account_b):
        link = WarehouseLink.objects.get()
    with account_context(account_a):
        with pytest.raises(Exception, match="account_fk"), transaction.atomic():
            link.locations.create(name="x")  # stamped with A, so wall three refuses it
            connection.check_constraints()
        assert Location.objects.count() == 0


def test_a_row_is_stamped_with_the_current_account(account_a, account_b):
    with account_context(account_a):
        made = [Sku.objects.create(code="1", name="n"), *Sku.objects.bulk_create([Sku(code="2", name="n")])]
        made += [make_sku(), make_bin(), make_bin().location]
    assert {row.account_id for row in made} == {account_a.pk}


def test_a_row_read_in_one_account_is_not_written_in_another(account_a, account_b, ours):
    ours.quantity = 4
    with account_context(account_b):
        with pytest.raises(ForeignAccount):
            ours.save()
        with pytest.raises(ForeignAccount):
            ours.delete()


def test_a_foreign_id_on_a_new_row_never_touches_the_foreign_row(account_a, account_b, theirs):
    """Ids are unique within an account; an id taken from elsewhere makes a row of our own at most."""
    with account_context(account_a):
        Sku(pk=theirs.sku_id, code="MINE", name="mine").save()
        assert Sku.objects.get().code == "MINE"
    with account_context(account_b):
        assert Sku.objects.get().code == "THEIRS"


def test_rows_are_not_pickled(account_a, ours):
    with account_context(account_a):
        for what in (ours, ours.sku, Sku.objects.all(), [ours]):
            with pytest.raises(TypeError, match="not pickled"):
                pickle.dumps(what)


# --- the search view --------------------------------------------------------------------------------------------------
def test_through_view_reads_views_only(account_a, ours):
    with account_context(account_a):
        rows = Stock.objects.through_view().select_related("sku", "bin__location").filter(sku__name__icontains="our")
        text = str(rows.query)
        assert [row.sku.code for row in rows] == ["OURS"]
    for table in ("oms_stock", "oms_sku", "oms_bin", "oms_location"):
        assert f'"{table}_v"' in text
        assert f'"{table}"' not in text.replace(f'"{table}".', "")


def test_through_view_rows_are_real_rows(account_a, ours):
    with account_context(account_a):
        row = Sku.objects.through_view().get(code__icontains="ours")
        row.name = "Renamed"
        row.save()
        assert Sku.objects.get().name == "Renamed"
        assert Sku.objects.through_view().exclude(stock__quantity=99).count() == 1


VIEW_WRITES = {
    "update": lambda rows: rows.update(name="x"),
    "delete": lambda rows: rows._raw_delete("default"),
    "lock": lambda rows: list(rows.select_for_update()),
}


@pytest.mark.parametrize("write", VIEW_WRITES)
def test_through_view_refuses_writes(account_a, ours, write):
    with account_context(account_a), pytest.raises(Exception, match="permission denied"), transaction.atomic():
        VIEW_WRITES[write](Sku.objects.through_view())


def test_through_view_comes_first(account_a, ours):
    """It starts anew, so a filter before it would be lost without a word."""
    with account_context(account_a):
        for lost in (Sku.objects.filter(code="x"), Sku.objects.get().stock, Sku.objects.exclude(code="OURS")):
            with pytest.raises(TypeError, match="first"):
                lost.through_view()
