"""Expiries of planned lots that are hardly meant: asked about wherever they are typed or uploaded."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from oms.tenancy import account_context
from replenishment.models import ReplenishmentLot
from tests.factories import make_sku
from tests.replenishment.browsing import text_of
from tests.replenishment.factories import line_of, make_replenishment

pytestmark = pytest.mark.django_db
TYPO, RIGHT, LATE = date(2038, 1, 31), date(2037, 1, 31), date(2207, 1, 31)


@pytest.fixture
def office(client_for, olga):
    return client_for(olga)


def planned_days():
    return list(ReplenishmentLot.objects.values_list("expires_on", flat=True))


def test_a_planned_day_that_is_hardly_meant_is_asked_about_once(office, account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(), 3))
        row = line_of(made)
    own = {"lots-TOTAL_FORMS": "1", "lots-INITIAL_FORMS": "0", "lots-0-lot": "L", "lots-0-quantity": "3"}
    address = f"/acme/replenishments/lines/{row.pk}/lots/"
    for day, is_asked in ((LATE, True), (TYPO, False)):
        data = {**own, "version": made.version, "lots-0-expires_on": str(day)}
        answer = office.post(address, data)
        assert (answer.status_code == 422) == is_asked
        assert (f'name="meant" value="{day}"' in text_of(answer)) == is_asked
    with account_context(account_a):
        assert planned_days() == [TYPO]
        version = type(made).objects.get().version
    data = {**own, "version": version, "lots-0-expires_on": str(LATE), "lots-INITIAL_FORMS": "1"}
    assert office.post(address, data | {"meant": "2208-01-31"}).status_code == 422, "another day is asked about again"
    assert office.post(address, data | {"meant": str(LATE)}).status_code == 302
    with account_context(account_a):
        assert planned_days() == [LATE]


def test_a_day_in_the_rows_of_skus_and_quantities_is_asked_about_too(office, account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(), 3))
        row = line_of(made)
    data = {
        "lines-TOTAL_FORMS": "1",
        "lines-INITIAL_FORMS": "1",
        "version": made.version,
        "lines-0-line_id": row.pk,
        "lines-0-sku": row.sku.code,
        "lines-0-quantity": "3",
        "lines-0-lot_number": "L",
        "lines-0-lot_expires_on": "1999-01-31",
    }
    address = f"/acme/replenishments/{made.pk}/lines/"
    page = office.post(address, data)
    assert (page.status_code, "before the year 2000" in text_of(page)) == (422, True)
    with account_context(account_a):
        assert planned_days() == []
    assert office.post(address, data | {"meant": "1999-01-31"}).status_code == 302
    with account_context(account_a):
        assert planned_days() == [date(1999, 1, 31)]


def test_a_file_with_such_a_day_says_so_on_its_check_page(office, account_a):
    with account_context(account_a):
        made = make_replenishment((make_sku(code="FILE"), 3))
    content = "SKU,Quantity,Lot,Expiry\nFILE,3,L9,2207-01-31\nFILE,3,L8,2037-01-31\n"
    file = SimpleUploadedFile("lines.csv", content.encode(), "text/csv")
    answer = office.post(f"/acme/replenishments/{made.pk}/lines/csv/", {"file": file})
    page = text_of(office.get(answer.url))
    assert "1 expiry is hardly meant" in page
    assert "Lot L9: the expiry 2207-01-31 is more than 50 years ahead." in page
    assert "Lot L8" not in page
