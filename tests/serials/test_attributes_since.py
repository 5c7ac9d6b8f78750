"""Attributes by CSV do not overwrite what somebody changed after the page had said what the file would do."""

import pytest

from oms.errors import Conflict
from oms.tenancy import account_context
from serials.services.attributes_csv import apply_import, plan_import
from tests.factories import make_serialized_sku
from tests.replenishment.browsing import fields_of
from tests.serials.factories import make_unit
from tests.serials.test_attributes_csv import BY, file_of, pairs, set_one, upload

pytestmark = pytest.mark.django_db


def test_what_somebody_changed_since_the_check_is_not_overwritten(in_a):
    unit = make_unit(sku=make_serialized_sku(code="L-1"))
    set_one([unit], "Colour", "red")
    rows = [f"L-1,{unit.serial},Colour,blue", f"L-1,{unit.serial},Size,9"]
    seen = plan_import(file_of(*rows), overwrite=True).known
    set_one([unit], "Colour", "green")
    with pytest.raises(Conflict, match="nothing is changed"):
        apply_import(file_of(*rows), overwrite=True, by=BY, seen=seen)
    assert pairs(unit) == {"Colour": "green"}
    apply_import(file_of(*rows), overwrite=False, by=BY, seen=seen)
    assert pairs(unit) == {"Colour": "green", "Size": "9"}, "it overwrites nothing anyway"
    seen = plan_import(file_of(*rows), overwrite=True).known
    apply_import(file_of(*rows), overwrite=True, by=BY, seen=seen)
    assert pairs(unit) == {"Colour": "blue", "Size": "9"}


def test_its_page_says_that_somebody_was_faster_and_shows_it_anew(client_for, ana, account_a):
    web = client_for(ana)
    with account_context(account_a):
        unit = make_unit(sku=make_serialized_sku(code="L-1"))
        set_one([unit], "Colour", "red")
    url = upload(web, [f"L-1,{unit.serial},Colour,blue"], overwrite="on")
    sent = fields_of(web.get(url).content.decode())
    with account_context(account_a):
        set_one([unit], "Colour", "green")
    answer = web.post(url, sent, follow=True)
    assert "Look at it again" in answer.content.decode()
    with account_context(account_a):
        assert pairs(unit) == {"Colour": "green"}
    web.post(url, fields_of(answer.content.decode()))
    with account_context(account_a):
        assert pairs(unit) == {"Colour": "blue"}
