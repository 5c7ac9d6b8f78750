"""Three hundred of the requests of `bench fuzz`: hostile values, and members of one account at another's addresses."""

from io import StringIO

import pytest
from django.core.management import call_command

from bench import crawl, fuzz
from oms.models import Sku
from oms.tenancy import account_context

pytestmark = pytest.mark.django_db
# Asking is quick, looking for every page that there is to ask takes a minute.
PAGES = pytest.mark.parametrize("most_pages", [25, pytest.param(crawl.MOST, marks=pytest.mark.slow)])


@pytest.fixture
def demo(db):
    call_command("seed_demo", stdout=StringIO())


@PAGES
def test_hostile_values_fail_nothing_and_change_nothing_where_they_are_refused(demo, most_pages):
    tally = fuzz.fuzz(150, most_pages=most_pages)
    assert tally.asked == 150
    assert (tally.errors, tally.unescaped, tally.half_applied) == ([], [], [])


@PAGES
def test_nobody_sees_or_changes_what_another_account_has(demo, most_pages):
    tally = fuzz.cross(150, most_pages=most_pages)
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
