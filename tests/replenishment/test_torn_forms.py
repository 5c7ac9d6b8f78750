"""Rows of lines and lots that came incompletely: nothing is removed but by its own box."""

import pytest

from oms.tenancy import account_context
from replenishment.models import ReplenishmentLot
from replenishment.services import drafts
from replenishment.services.drafts import LineInput
from tests.factories import make_sku
from tests.fingerprints import fingerprint
from tests.replenishment.browsing import fields_of, text_of
from tests.replenishment.factories import line_of, make_replenishment
from tests.replenishment.samples import row_data
from tests.replenishment.test_pages import lot_data

pytestmark = pytest.mark.django_db


TORN = {
    "no counts": {"TOTAL_FORMS": None, "INITIAL_FORMS": None},
    "total is nothing": {"TOTAL_FORMS": "0"},
    "total is negative": {"TOTAL_FORMS": "-1"},
    "total is one less": {"TOTAL_FORMS": "2"},
    "total is one more": {"TOTAL_FORMS": "4"},
    "total is huge": {"TOTAL_FORMS": "9" * 30},
    "total is no number": {"TOTAL_FORMS": "\0"},
    "initial is nothing": {"INITIAL_FORMS": "0"},
    "initial is negative": {"INITIAL_FORMS": "-1"},
    "initial is one less": {"INITIAL_FORMS": "1"},
    "initial is one more": {"INITIAL_FORMS": "3"},
    "nothing is there": {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0"},
    "a row is missing": {"1-": None},
    "only the first row": {"TOTAL_FORMS": "1", "INITIAL_FORMS": "1", "1-": None, "2-": None},
}


def torn_apart(data, prefix, torn):
    """What a browser would send, with some of it changed or lost."""
    gone = tuple(f"{prefix}-{name}" for name, value in torn.items() if value is None)
    changed = {f"{prefix}-{name}": value for name, value in torn.items() if value is not None}
    return {name: value for name, value in data.items() if not name.startswith(gone)} | changed


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_rows_that_came_incompletely_remove_none(web, account_a, torn):
    with account_context(account_a):
        skus = [make_sku(), make_sku()]
        made = make_replenishment(*[(sku, 10) for sku in skus])
        lines = list(made.lines.select_related("sku").order_by("position"))
        own = [ReplenishmentLot(line=lines[0], number=f"L-{n}", quantity=1) for n in range(2)]
        ReplenishmentLot.objects.bulk_create(own)
    before = fingerprint(account_a)
    rows = [(line.sku.code, 5, line.pk) for line in lines] + [("", "", "")]
    drafted = row_data(*rows, initial=2, version=made.version)
    named = lot_data(("L-0", "", "3"), ("L-1", "", "4"), ("", "", ""), version=made.version, initial=2)
    for prefix, path, data in (("lines", f"{made.pk}/lines", drafted), ("lots", f"lines/{lines[0].pk}/lots", named)):
        url = f"/acme/replenishments/{path}/"
        answer = web.post(url, torn_apart(data, prefix, torn))
        page = text_of(answer)
        assert answer.status_code == 422
        assert "The page was sent incompletely, so nothing is changed." in page
        assert "ManagementForm" not in page
        assert "Hidden field" not in page
        assert fingerprint(account_a) == before
        more = web.post(url, torn_apart(data, prefix, torn) | {"more": "1"})
        assert more.status_code == 200
        assert "incompletely" not in text_of(more)


@pytest.mark.parametrize("change", [{"lines-1-line_id": ""}, {"lines-1-line_id": "0"}, {"lines-0-line_id": "x"}])
def test_a_row_of_lines_stays_the_row_of_its_line(web, account_a, change):
    with account_context(account_a):
        made = make_replenishment(*[(make_sku(), 10)] * 2)
        rows = [(line.sku.code, 5, line.pk) for line in made.lines.select_related("sku").order_by("position")]
    before = fingerprint(account_a)
    data = row_data(*rows, initial=2, version=made.version) | change
    assert web.post(f"/acme/replenishments/{made.pk}/lines/", data).status_code == 422
    assert fingerprint(account_a) == before


def test_after_a_conflict_a_line_that_others_added_stays_unless_its_box_is_checked(web, account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(code="OURS"), 10))
        line, old = line_of(made), made.version
        kept = LineInput(line.sku_id, 10, line_id=line.pk)
        added = LineInput(make_sku(code="THEIRS").pk, 3)
        drafts.change_lines(replenishment_id=made.pk, version=old, lines=[kept, added], actor=None)
    url = f"/acme/replenishments/{made.pk}/lines/"
    answer = web.post(url, row_data(("OURS", 7, line.pk), initial=1, version=old))
    assert answer.status_code == 422
    fields = fields_of(text_of(answer))
    assert (fields["lines-0-quantity"], fields["lines-1-sku"], fields["lines-1-quantity"]) == ("7", "THEIRS", "3")
    unchecked = {name: value for name, value in fields.items() if not name.endswith("DELETE")}
    assert web.post(url, unchecked).status_code == 302
    with account_context(account_a):
        assert sorted(made.lines.values_list("sku__code", "quantity")) == [("OURS", 7), ("THEIRS", 3)]
