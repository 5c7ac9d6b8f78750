"""Three hundred of the requests of `bench fuzz`: hostile values, and members of one account at another's addresses."""

from io import StringIO

import pytest
from django.core.management import call_command

from bench import fuzz
from oms.models import Sku
from oms.tenancy import account_context

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def demo(db):
    call_command("seed_demo", stdout=StringIO())


def test_hostile_values_fail_nothing_and_change_nothing_where_they_are_refused(demo):
    tally = fuzz.fuzz(150)
    assert tally.asked == 150
    assert (tally.errors, tally.unescaped, tally.half_applied) == ([], [], [])


def test_nobody_sees_or_changes_what_another_account_has(demo):
    tally = fuzz.cross(150)
    assert tally.asked == 150
    assert (tally.errors, tally.leaks, tally.half_applied) == ([], [], [])


def test_the_fuzzer_sees_a_row_that_changed(demo):
    baseline = fuzz._counts()
    assert fuzz._changed(baseline) == []
    with account_context(fuzz.Account.objects.get(slug=fuzz.OURS)):
        sku = Sku.objects.first()
        sku.name = "Changed"
        sku.save(update_fields=["name"])
    assert fuzz._changed(baseline) == ["oms_sku"]
