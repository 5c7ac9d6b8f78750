"""SKUs from a CSV file."""

from io import BytesIO

import pytest

from oms import demo, jobs
from oms.errors import Conflict
from oms.models import AuditEntry, Job, Sku, Workflow
from oms.services import catalogue_csv
from oms.tenancy import account_context
from tests import factories
from tests.replenishment.browsing import fields_of

SAMPLE = demo.CATALOGUE


def read(text):
    return catalogue_csv.SCHEMA.read(BytesIO(text.encode()))


def plan(text, **kwargs):
    return catalogue_csv.plan_import(read(text), **{"may_set_serial": True, **kwargs})


def apply(text, ana, **kwargs):
    return catalogue_csv.apply_import(read(text), actor=ana, **{"may_set_serial": True, **kwargs})


def said(errors):
    return [(error.line, error.column) for error in errors]


def test_a_real_catalogue_with_its_repeated_sku_and_foreign_columns(in_a, ana):
    with SAMPLE.open("rb") as file:
        parsed = catalogue_csv.SCHEMA.read(file)
    found = catalogue_csv.plan_import(parsed, may_set_serial=True)
    assert found.ignored_columns == ("price", "stock_on_hand")
    assert said(found.errors) == [(88, "SKU"), (89, "SKU")]
    assert len(found.created) == 86
    assert Sku.objects.count() == 0, "a check writes nothing"
    catalogue_csv.apply_import(parsed, actor=ana, may_set_serial=True)
    assert Sku.objects.count() == 86
    assert Sku.objects.get(code="L2201308").name == "Laptop 13 inch / 8GB"


def test_new_changed_and_unchanged(in_a, ana):
    factories.make_sku(code="SAME", name="Same")
    factories.make_sku(code="Other", name="Old", product_id="1")
    done = apply("SKU,Name\nsame,Same\nOTHER,New\nfresh,Fresh\n", ana)
    assert (len(done.created), len(done.changed), done.unchanged, done.errors) == (1, 1, 1, [])
    assert set(Sku.objects.values_list("code", "name", "product_id", "version")) == {
        ("SAME", "Same", "", 1),
        ("Other", "New", "1", 2),
        ("fresh", "Fresh", "", 1),
    }
    assert AuditEntry.objects.filter(kind="sku", actor=ana).count() == 2


def test_a_column_that_is_there_empties_and_one_that_is_not_leaves(in_a, ana):
    factories.make_sku(code="S", name="N", product_id="1", product_id_wh="2", workflow="out")
    apply("SKU,ProductID,Serial\nS,,\n", ana)
    sku = Sku.objects.get()
    assert (sku.product_id, sku.product_id_wh, sku.workflow) == ("", "2", "out")


def test_every_bad_row_is_reported_at_once_and_the_good_ones_can_be_applied(in_a, ana):
    text = (
        "SKU,Name,GTIN,Serial\n"
        "A,Fine,4006381333931,In/Out\n"
        ",No code,,\n"
        "B,Wrong check digit,4006381333932,\n"
        "C,Wrong word,,Sometimes\n"
        "D,,,\n"
        f"E,{'x' * 251},,\n"
        "F,too,many,cells,here\n"
    )
    found = plan(text)
    assert said(found.errors) == [(3, "SKU"), (4, "GTIN"), (5, "Serial"), (6, "Name"), (7, "Name"), (8, "")]
    done = apply(text, ana)
    assert list(Sku.objects.values_list("code", "workflow")) == [("A", Workflow.IN_OUT)]
    assert len(done.errors) == 6


def test_serial_follows_the_rule_row_by_row(in_a, ana):
    held = factories.make_sku(code="HELD")
    factories.make_stock(sku=held)
    factories.make_sku(code="FREE")
    done = apply("SKU,Serial\nHELD,In/Out\nFREE,in/out\n", ana)
    assert said(done.errors) == [(2, "Serial")]
    assert "Ship it, or have the warehouse count it to 0" in done.errors[0].message
    assert dict(Sku.objects.values_list("code", "workflow")) == {"HELD": "no", "FREE": "in_out"}


def test_serial_is_for_admins(in_a):
    factories.make_sku(code="S", workflow="no")
    found = plan("SKU,Name,Serial\nS,Renamed,Out\nT,New,No\nU,New,Out\n", may_set_serial=False)
    assert said(found.errors) == [(2, "Serial"), (4, "Serial")]
    assert [change.values["code"] for change in found.created] == ["T"]


def test_applying_twice_changes_nothing_the_second_time(in_a, ana):
    text = "SKU,Name\nA,One\nMaß,Two\n"
    apply(text, ana)
    rows = list(Sku.objects.order_by("code").values())
    again = apply(text, ana)
    assert (again.good_count, again.unchanged) == (0, 2)
    assert list(Sku.objects.order_by("code").values()) == rows


def test_the_number_of_queries_does_not_grow_with_the_rows(in_a, django_assert_max_num_queries):
    factories.make_sku(code="X1")
    with django_assert_max_num_queries(20) as few:
        plan("SKU,Name,Serial\nX1,n,Out\n")
    rows = "".join(f"X{n},n,Out\n" for n in range(500))
    with django_assert_max_num_queries(len(few.captured_queries)):
        assert len(plan(f"SKU,Name,Serial\n{rows}").created) == 499


@pytest.mark.parametrize("label", ["No", "Out", "In/Out", "Out in Bulk"])
def test_the_words_of_the_serial_column_are_those_of_the_product(in_a, ana, label):
    apply(f"SKU,Name,Serial\nS,N,{label}\n", ana)
    assert Sku.objects.get().get_workflow_display() == label


def test_what_somebody_changed_since_the_check_is_not_overwritten(in_a, ana):
    factories.make_sku(code="A", name="Old"), factories.make_sku(code="B", name="Old")
    file = "SKU,Name\nA,File\nB,File\n"
    seen = plan(file).known
    Sku.objects.filter(code="B").update(name="Somebody's")
    with pytest.raises(Conflict, match="nothing is changed"):
        apply(file, ana, seen=seen)
    assert dict(Sku.objects.values_list("code", "name")) == {"A": "Old", "B": "Somebody's"}
    apply(file, ana, seen=plan(file).known)
    assert set(Sku.objects.values_list("name", flat=True)) == {"File"}
    assert apply(file, ana, seen=seen).unchanged == 2, "sent again it changes nothing and complains of nothing"


def test_a_sku_that_somebody_added_since_the_check_is_not_overwritten(in_a, ana):
    seen = plan("SKU,Name\nA,File\n").known
    factories.make_sku(code="a", name="Somebody's")
    with pytest.raises(Conflict):
        apply("SKU,Name\nA,File\n", ana, seen=seen)


def test_its_page_counts_rows_that_are_wrong_not_faults(client_for, ana, account_a):
    file = BytesIO(b"SKU,Name,GTIN\nA,File,1\n,Two,2\n")
    file.name = "skus.csv"
    page = client_for(ana).post("/acme/inventory/skus/upload/", {"file": file}, follow=True)
    assert (len(page.context["plan"].errors), page.context["wrong"]) == (3, 2)
    assert "2 rows cannot be used" in page.content.decode()


def test_its_page_sends_what_it_showed(client_for, ana, account_a):
    web = client_for(ana)
    with account_context(account_a):
        factories.make_sku(code="A", name="Old")
    file = BytesIO(b"SKU,Name\nA,File\n")
    file.name = "skus.csv"
    url = web.post("/acme/inventory/skus/upload/", {"file": file}).url
    sent = fields_of(web.get(url).content.decode())
    with account_context(account_a):
        Sku.objects.update(name="Somebody's")
    web.post(url, sent)
    with account_context(account_a):
        job = Job.objects.get()
        jobs.run_next(job.account_id)
        job.refresh_from_db()
        assert (job.state, Sku.objects.get().name) == ("failed", "Somebody's")
    assert "Look at it again" in job.message
