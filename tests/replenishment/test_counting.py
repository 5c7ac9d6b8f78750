"""What gives numbers goes on behind what a backup does not know: so far, in every account, and named."""

from datetime import timedelta

import pytest
from django.utils import timezone

from oms.backup import counting
from oms.models import AuditEntry
from oms.tenancy import account_context
from replenishment.models import Replenishment, ReplenishmentCounter
from replenishment.services import drafts
from serials.models import NumberScheme, SkuNumbering
from serials.numbering.schemes import Scheme
from serials.queries.schemes import schemes_of
from serials.services import schemes
from serials.services.numbers import NumbersExhausted, reserve_block
from tests.factories import make_serialized_sku
from tests.replenishment.factories import generate, make_replenishment

pytestmark = pytest.mark.django_db
SINCE = timezone.now() - counting.WINDOW


def jump(by=None):
    return list(counting.jump(SINCE, by))


def test_a_counter_goes_on_by_a_thousand_or_twice_what_it_gave(account_a):
    with account_context(account_a):
        generate(make_replenishment((make_serialized_sku(), 700)))
    assert [(each.name, each.next, each.given) for each in counting.counters(SINCE)] == [
        ("Replenishments", "R-1002", 1),
        ("Number scheme Standard", "SN00000701", 700),
    ]
    assert jump() == [
        "acme: Replenishments: the next one is R-2002.",
        "acme: Number scheme Standard: the next number is SN00002101.",
    ]
    with account_context(account_a):
        assert make_replenishment().number == "R-2002"
        assert list(reserve_block(count=1)) == ["SN00002101"]


def test_what_was_given_long_ago_does_not_count(account_a):
    with account_context(account_a):
        generate(make_replenishment((make_serialized_sku(), 700)))
        Replenishment.objects.update(created_at=SINCE - timedelta(days=1), updated_at=SINCE - timedelta(days=1))
    assert [each.given for each in counting.counters(SINCE)] == [0, 0]


def test_a_person_may_say_how_far(account_a):
    with account_context(account_a):
        generate(make_replenishment((make_serialized_sku(), 700)))
    assert jump(12)[1] == "acme: Number scheme Standard: the next number is SN00000713."


def test_in_an_account_that_gave_nothing_yet_the_first_numbers_may_be_given_by_now(account_a, account_b):
    assert len(jump()) == 4
    for account in (account_a, account_b):
        with account_context(account):
            assert ReplenishmentCounter.objects.get().next_number == 2001
            assert make_replenishment().number == "R-2001"
            assert list(reserve_block(count=1)) == ["SN00001001"]


def test_what_was_taken_back_from_a_line_was_given_too(account_a):
    def generate_and_remove(count):
        sku = make_serialized_sku()
        made = make_replenishment((sku, count))
        generate(made)
        made.refresh_from_db()
        others = [drafts.LineInput(sku_id=sku.pk, quantity=1)]
        drafts.change_lines(replenishment_id=made.pk, version=made.version, lines=others, actor=None)

    with account_context(account_a):
        generate_and_remove(300)
        generate(make_replenishment((make_serialized_sku(), 20)))
        Replenishment.objects.update(updated_at=SINCE - timedelta(days=1))
        generate_and_remove(700)
    assert [each.given for each in counting.counters(SINCE)][1] == 700
    assert jump()[1] == "acme: Number scheme Standard: the next number is SN00002421."


def test_a_scheme_without_room_is_switched_off_and_named(account_a):
    with account_context(account_a):
        narrow = NumberScheme.objects.create(name="Narrow", prefix="N", width=3, next_counter=5, is_default=True)
        last = NumberScheme.objects.create(name="Last", prefix="L", width=4, next_counter=8_999)
        gone = NumberScheme.objects.create(name="Gone", prefix="G", width=9, next_counter=5, is_archived=True)
        small = NumberScheme.objects.create(name="Small", prefix="S", width=2)
    said = jump()
    assert (
        "acme: Number scheme Narrow: switched off, because it has no room for 1,000 numbers more. It was the default "
        "scheme. An admin must add a wider one, or make another the default: Settings, Number schemes." in said
    )
    assert (
        "acme: Number scheme Small: switched off, because it has no room for 1,000 numbers more. An admin can add a "
        "wider one: Settings, Number schemes." in said
    )
    assert "acme: Number scheme Last: the next number is L9999." in said
    with account_context(account_a):
        for row in (narrow, last, gone, small):
            row.refresh_from_db()
        assert (narrow.is_archived, narrow.is_default, narrow.left) == (True, False, 0)
        assert (small.is_archived, small.left) == (True, 0)
        assert (last.is_archived, last.next_counter, last.left) == (False, 9_999, 1)
        assert gone.next_counter == 5
        assert set(AuditEntry.objects.filter(action="Archived").values_list("label", flat=True)) == {"Narrow", "Small"}
        last.is_archived = True
        last.save()
        with pytest.raises(NumbersExhausted):
            reserve_block(count=1)


def test_no_other_scheme_gives_the_numbers_of_one_that_was_switched_off(account_a):
    with account_context(account_a):
        NumberScheme.objects.create(name="Unused in the backup", prefix="N", width=2, is_default=True)
    jump()
    with account_context(account_a):
        same = schemes.SchemeInput("Anew", Scheme("N", 2))
        with pytest.raises(schemes.BadField, match="could be those of “Unused in the backup”"):
            schemes.create_scheme(given=same, actor=None)


def test_skus_that_named_a_scheme_that_was_switched_off_have_the_default_one(account_a):
    with account_context(account_a):
        wide = NumberScheme.objects.create(name="Wide", prefix="W", width=9, is_default=True)
        narrow = NumberScheme.objects.create(name="Narrow", prefix="N", width=3)
        skus = [make_serialized_sku(), make_serialized_sku()]
        for sku in skus:
            SkuNumbering.objects.create(sku=sku, scheme=narrow)
    assert any("SKUs that named it, and have the default scheme now: 2." in line for line in jump())
    with account_context(account_a):
        assert schemes_of([sku.pk for sku in skus]) == dict.fromkeys([sku.pk for sku in skus], wide.pk)
        assert AuditEntry.objects.get(action="Archived").changes == {"skus": [2, None]}
