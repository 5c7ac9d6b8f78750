"""A file of lines with the dates and quantities of a spreadsheet: read where they mean one thing, asked about else."""

import io
import re
from datetime import date

import pytest
from django.urls import reverse

from oms.tenancy import account_context
from replenishment.models import ReplenishmentLine, ReplenishmentLot
from tests.factories import make_sku
from tests.replenishment.factories import make_replenishment

pytestmark = pytest.mark.django_db
FILE = """\
SKU,Qty,Unit cost,Lot No.,Exp. date,Lot quantity
2000023510,40.0,12.50,L1,{first},4
2000023510,4,12.50,L2,31.01.2027,4
2000023510,4,12.50,L3,31-Jan-27,
2000023510,4,,L4,2027-01-31 00:00:00,
"""


@pytest.fixture
def made(account_a):
    with account_context(account_a):
        make_sku(code="2000023510")
        return make_replenishment()


def upload(web, made, text):
    file = io.BytesIO(text.encode())
    file.name = "lines.csv"
    address = reverse("replenishment_lines_csv", kwargs={"account_slug": "acme", "pk": made.pk})
    return web.post(address, {"file": file}).headers["Location"]


def lots():
    return list(ReplenishmentLot.objects.order_by("number").values_list("number", "expires_on"))


def test_what_a_spreadsheet_saves_is_read(web, made, account_a):
    url = upload(web, made, FILE.format(first="1/31/2027"))
    page = web.get(url).content.decode()
    assert "may be two days" not in page
    web.post(url)
    with account_context(account_a):
        assert lots() == [(f"L{number}", date(2027, 1, 31)) for number in range(1, 5)]
        assert ReplenishmentLine.objects.filter(replenishment=made, quantity=40).exists()


@pytest.mark.parametrize(
    ("answer", "day"), [("proposed", date(2027, 2, 1)), ("take", date(2027, 1, 2)), ("leave", None)]
)
def test_a_date_that_may_be_two_is_asked_about_before_anything_is_added(web, made, account_a, answer, day):
    url = upload(web, made, FILE.format(first="1/2/2027"))
    page = web.get(url).content.decode()
    assert "1 date may be two days" in page
    assert "1/2/2027 (line 2)" in page
    assert "Apply" not in re.sub(r"<title>.*?</title>", "", page)
    web.post(url)
    with account_context(account_a):
        assert lots() == [], "nobody has said what comes first"
    (token,) = re.findall(r'name="(answer-\w+)"', page)[:1]
    answered = f"{url}?{token}={answer}"
    assert "Apply" in web.get(answered).content.decode()
    web.post(answered)
    with account_context(account_a):
        assert dict(lots()).get("L1") == day
        assert dict(lots())["L4"] == date(2027, 1, 31)


def test_an_answer_is_about_the_dates_that_were_asked(web, made):
    url = upload(web, made, FILE.format(first="1/2/2027"))
    token = re.search(r'name="(answer-\w+)"', web.get(url).content.decode())[1]
    other = upload(web, made, FILE.format(first="3/4/2027"))
    page = web.get(f"{other}?{token}=take").content.decode()
    assert "1 date may be two days" in page
    assert f'name="{token}"' not in page


def test_a_file_without_quantities_lacks_a_column(web, made):
    page = web.get(upload(web, made, "SKU,Number\n2000023510,4\n")).content.decode()
    assert "The column Quantity is missing" in page
