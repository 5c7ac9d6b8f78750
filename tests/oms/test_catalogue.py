"""SKUs and the rule that guards their Serial attribute."""

import threading

import pytest
from django.db import connections

from oms.errors import Blocked, Conflict
from oms.models import AuditEntry, Sku, Workflow
from oms.services import catalogue, stock
from oms.tenancy import account_context
from tests import factories
from tests.oms.jobs_at_work import is_waiting, until


def codes():
    return set(Sku.objects.values_list("code", flat=True))


def test_a_code_is_taken_whatever_its_case(in_a):
    factories.make_sku(code="Lamp-1")
    with pytest.raises(Conflict, match="already a SKU lamp-1"):
        factories.make_sku(code="lamp-1")
    assert codes() == {"Lamp-1"}


def test_the_same_code_in_two_accounts_is_two_skus(account_a, account_b):
    for account in (account_a, account_b):
        with account_context(account):
            factories.make_sku(code="LAMP")
            assert Sku.objects.count() == 1


def test_an_edit_over_somebody_elses_is_refused(in_a, ana):
    sku = factories.make_sku(name="Old")
    catalogue.update_sku(sku_id=sku.pk, version=1, actor=ana, name="Theirs")
    with pytest.raises(Conflict, match="while you were editing"):
        catalogue.update_sku(sku_id=sku.pk, version=1, actor=ana, name="Mine")
    assert Sku.objects.get().name == "Theirs"


def test_every_change_leaves_an_audit_row(in_a, ana):
    sku = factories.make_sku(actor=ana, code="LAMP", name="Lamp")
    catalogue.update_sku(sku_id=sku.pk, version=1, actor=ana, name="Desk lamp", gtin="4006381333931")
    catalogue.update_sku(sku_id=sku.pk, version=2, actor=ana, name="Desk lamp")
    rows = list(AuditEntry.objects.filter(kind="sku").order_by("pk").values_list("action", "label", "changes"))
    assert rows == [
        ("create", "LAMP", {"code": [None, "LAMP"], "name": [None, "Lamp"]}),
        ("change", "LAMP", {"name": ["Lamp", "Desk lamp"], "gtin": ["", "4006381333931"]}),
    ]


@pytest.mark.parametrize("workflow", [value for value in Workflow if value != Workflow.NO])
def test_serial_changes_while_there_is_no_inventory(in_a, ana, workflow):
    sku = factories.make_sku()
    assert catalogue.update_sku(sku_id=sku.pk, version=1, actor=ana, workflow=workflow.value).workflow == workflow


def test_a_refused_serial_lists_every_place_and_changes_nothing(in_a, ana):
    sku = factories.make_sku(name="Old")
    link = factories.make_warehouse_link()
    bins = [factories.make_bin(link=link, name=name) for name in ("A-1", "A-2")]
    for place in bins:
        factories.make_stock(sku=sku, bin=place, quantity=3)
    with pytest.raises(Blocked) as refused:
        catalogue.update_sku(sku_id=sku.pk, version=1, actor=ana, name="New", workflow="in_out")
    assert [str(blocker.text).split(" (")[0] for blocker in refused.value.blockers] == ["3 in bin A-1", "3 in bin A-2"]
    assert all(blocker.how and blocker.route == "stock" for blocker in refused.value.blockers)
    fresh = Sku.objects.get(pk=sku.pk)
    assert (fresh.name, fresh.workflow, fresh.version) == ("Old", "no", 1)


def test_stock_that_went_to_zero_no_longer_blocks(in_a, ana):
    sku = factories.make_sku()
    place = factories.make_stock(sku=sku, quantity=3)
    out = [stock.Move(sku.pk, place.bin_id, -3)]
    stock.post_moves(out, cause=stock.Cause("recount_missing", "recount"))
    assert catalogue.update_sku(sku_id=sku.pk, version=1, actor=ana, workflow="out").workflow == "out"


def test_a_bulk_change_with_one_blocked_changes_nothing_unless_partial_is_chosen(in_a, ana):
    free, held, done = factories.make_sku(), factories.make_sku(), factories.make_sku(workflow="out")
    factories.make_stock(sku=held)
    ids = [free.pk, held.pk, done.pk]
    plan = catalogue.set_workflow(sku_ids=ids, workflow=Workflow.OUT, actor=ana)
    assert (plan.is_done, plan.changed, plan.unchanged, list(plan.blocked)) == (False, [free], [done], [held])
    assert Sku.objects.get(pk=free.pk).workflow == "no"
    plan = catalogue.set_workflow(sku_ids=ids, workflow=Workflow.OUT, actor=ana, is_partial_ok=True)
    assert plan.is_done
    assert dict(Sku.objects.values_list("pk", "workflow")) == {free.pk: "out", held.pk: "no", done.pk: "out"}
    assert AuditEntry.objects.filter(kind="sku", action="change").count() == 1


def test_a_bulk_change_takes_the_same_statements_for_one_and_for_many(in_a, ana, django_assert_max_num_queries):
    with django_assert_max_num_queries(100) as one:
        catalogue.set_workflow(sku_ids=[factories.make_skus(1)[0].pk], workflow=Workflow.OUT, actor=ana)
    many = [sku.pk for sku in factories.make_skus(300)]
    with django_assert_max_num_queries(len(one.captured_queries)):
        catalogue.set_workflow(sku_ids=many, workflow=Workflow.OUT, actor=ana)


@pytest.mark.commits("threads, each with a connection of its own")
def test_goods_and_serial_never_change_at_once(account_a, ana):
    """A move that has begun makes the change of Serial wait, and then see the stock."""
    with account_context(account_a):
        sku, place = factories.make_sku(), factories.make_bin()
    found = []

    def change():
        try:
            with account_context(account_a):
                catalogue.update_sku(sku_id=sku.pk, version=1, actor=ana, workflow="in_out")
                found.append("changed")
        except Blocked:
            found.append("blocked")
        finally:
            connections.close_all()

    with account_context(account_a):
        stock.post_moves([stock.Move(sku.pk, place.pk, 1)], cause=stock.Cause("receive", "replenishment"))
        thread = threading.Thread(target=change)
        thread.start()
        until(is_waiting)
    thread.join()
    assert found == ["blocked"]
