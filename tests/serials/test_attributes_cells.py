"""Cells of a file of attributes as exporters write them, and the names of SKUs in it."""

import pytest

from serials.services.attributes_csv import apply_import, plan_import
from tests.factories import make_serialized_sku
from tests.serials.factories import make_unit
from tests.serials.test_attributes_csv import BY, file_of, pairs

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("cell", ['=""', '\'=""', '"="""""', '="\ufeff"', "\ufeff", "]C1", "\u200b", '="X'])
def test_no_cell_of_a_serial_breaks_the_file(in_a, cell):
    unit = make_unit(sku=make_serialized_sku(code="L-1"))
    plan = plan_import(file_of(f"L-1,{cell},Grade,B", f"L-1,{unit.serial},Grade,B"), overwrite=False)
    assert (plan.written, [(error.line, error.column) for error in plan.errors]) == (1, [(2, "Serial")])


def test_a_text_kept_as_a_formula_is_what_it_says_in_each_column(in_a):
    unit = make_unit(sku=make_serialized_sku(code="L-1"))
    apply_import(file_of(f'="L-1",="{unit.serial}",="Grade",="007"'), overwrite=False, by=BY)
    assert pairs(unit) == {"Grade": "007"}


def test_any_name_of_a_sku_names_it(in_a):
    unit = make_unit(sku=make_serialized_sku(code="L-1", gtin="9521234543213", product_id="88302"))
    make_serialized_sku(code="L-2", product_id="TWICE"), make_serialized_sku(code="L-3", product_id="TWICE")
    names = ["L-1", "l-1", "9521234543213", "09521234543213", "88302", "(01)09521234543213", "]C10109521234543213"]
    rows = [f"{name},{unit.serial},A{place},x" for place, name in enumerate(names)]
    plan = plan_import(file_of(*rows, f"TWICE,{unit.serial},A,x", f"NOBODY,{unit.serial},A,x"), overwrite=False)
    assert plan.written == len(names)
    assert [(error.line, error.column, error.message) for error in plan.errors] == [
        (9, "SKU", "Several SKUs have this name: use the SKU itself."),
        (10, "SKU", "There is no SKU of this name."),
    ]


def test_two_names_of_one_sku_are_one(in_a):
    unit = make_unit(sku=make_serialized_sku(code="L-1", gtin="9521234543213"))
    plan = plan_import(file_of(f"L-1,{unit.serial},Grade,B", f"9521234543213,{unit.serial},Grade,C"), overwrite=False)
    assert [(error.line, "line 2" in error.message) for error in plan.errors] == [(3, True)]


def test_a_cell_longer_than_any_is_told_as_one(in_a):
    unit = make_unit(sku=make_serialized_sku(code="L-1"))
    plan = plan_import(file_of(f"L-1,{unit.serial},Grade,B", f'L-1,"{"9" * 140_000}",Grade,B'), overwrite=False)
    assert [(error.line, error.message) for error in plan.errors] == [(3, "A cell has more than 131,072 characters.")]
    assert plan.written == 1


def test_many_other_names_are_looked_up_in_portions(in_a, monkeypatch):
    monkeypatch.setattr("serials.services.attributes_csv.AT_A_TIME", 2)
    units = [make_unit(sku=make_serialized_sku(product_id=f"P-{number}")) for number in range(5)]
    rows = [f"P-{number},{unit.serial},Grade,B" for number, unit in enumerate(units)]
    assert plan_import(file_of(*rows), overwrite=False).written == 5
