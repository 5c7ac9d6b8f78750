"""What the demo tells is possible, and in order."""

from itertools import pairwise

import pytest
from django.core.management import call_command

from oms.models import Account
from oms.tenancy import account_context
from serials.models import UnitEvent


@pytest.mark.django_db
def test_the_history_of_every_unit_is_in_order(capsys):
    call_command("seed_demo")
    for account in Account.objects.all():
        with account_context(account):
            rows = list(UnitEvent.objects.order_by("unit", "pk").values_list("unit", "event", "occurred_at"))
        assert {event for _unit, event, _at in rows} >= {"expect", "receive"}
        assert [(a, b) for a, b in pairwise(rows) if a[0] == b[0] and a[2] > b[2]] == []
