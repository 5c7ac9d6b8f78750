"""What the migrations make of rows that older releases wrote."""

import pytest

from oms.tenancy import account_context
from tests.old_schema import old_schema
from tests.serials.factories import make_units

pytestmark = pytest.mark.commits("migrations change the schema as the owner")

ATTRIBUTE = "INSERT INTO serials_unitattribute (account_id, unit_id, name, value) VALUES (%s, %s, %s, %s)"
FOUND = "SELECT unit_id, name FROM serials_unitattribute ORDER BY id"


def test_names_that_differ_in_case_only_get_a_number(account_a, account_b):
    with account_context(account_a):
        first, second = (unit.pk for unit in make_units(2))
    with account_context(account_b):
        (third,) = (unit.pk for unit in make_units(1))
    long = "n" * 100
    rows = [
        (account_a, first, "Colour", "Colour"),
        (account_a, second, "colour", "colour"),
        (account_a, first, "colour", "colour (3)"),
        (account_a, first, "Size", "Size"),
        (account_b, third, "colour", "colour"),
        (account_a, first, "COLOUR (2)", "COLOUR (2)"),
        (account_a, first, "COLOUR", "COLOUR (4)"),
        (account_b, third, long, long),
        (account_b, third, long.upper(), f"{'N' * 90} (2)"),
    ]
    with old_schema("serials", "0004_order_search") as old:
        for account, unit, before, _after in rows:
            old.run(ATTRIBUTE, account.pk, unit, before, "x")
        old.migrate("serials", "0005_attribute_names")
        found = old.run(FOUND)
    assert found == [(unit, after) for _account, unit, _before, after in rows]
