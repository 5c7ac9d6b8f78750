"""What every answer carries."""

import gzip
import logging

import pytest

from oms.models import Membership

pytestmark = pytest.mark.django_db
TAKES_GZIP = {"HTTP_ACCEPT_ENCODING": "gzip"}


@pytest.fixture
def web(client_for, ana):
    return client_for(ana)


@pytest.mark.parametrize("address", ["/acme/inventory/skus/", "/nowhere/", "/accounts/"])
def test_no_page_is_kept_by_a_browser(web, address):
    assert "no-store" in web.get(address)["Cache-Control"]


def test_what_says_how_long_it_is_kept_is_not_overruled(web):
    assert "immutable" in web.get("/appearance/cards.css")["Cache-Control"]


def test_pages_are_compressed_and_files_are_not(web):
    page = web.get("/acme/inventory/skus/", **TAKES_GZIP)
    assert page["Content-Encoding"] == "gzip"
    assert b"<h1" in gzip.decompress(page.content)
    file = web.get("/acme/inventory/skus/template/", **TAKES_GZIP)
    assert not file.has_header("Content-Encoding")


def test_a_page_with_a_link_that_lets_somebody_in_is_not_compressed(web, ben, account_a):
    member = Membership.objects.get(person=ben)
    Membership.objects.filter(pk=member.pk).update(joined_at=None)
    answer = web.post(f"/acme/settings/members/{member.pk}/invite/", **TAKES_GZIP)
    assert "accounts/join/" in answer.content.decode()
    assert not answer.has_header("Content-Encoding")


@pytest.mark.parametrize(
    "address", ["/acme/inventory/skus/", "/acme/inventory/skus/new/", "/acme/inventory/skus/template/", "/healthz/"]
)
def test_what_can_be_asked_for_can_be_asked_about(web, address):
    asked = web.head(address)
    assert (asked.status_code, asked.content) == (200, b"")


@pytest.mark.parametrize(("address", "said"), [("/nowhere/", "Not Found"), ("/acme/settings/audit/", "Forbidden")])
def test_a_refusal_is_one_line_of_the_log(client_for, olga, caplog, address, said):
    with caplog.at_level(logging.WARNING, "django.request"):
        client_for(olga).get(address)
    (record,) = (each for each in caplog.records if each.name == "django.request")
    assert said in record.getMessage()
    assert logging.Formatter("%(message)s").format(record).count("\n") == 0


def test_a_failure_keeps_its_traceback():
    logger = logging.getLogger("django.request")
    record = logger.makeRecord("x", logging.ERROR, "f", 1, "m", (), (ValueError, ValueError(), None))
    record.status_code = 500
    assert all(each.filter(record) for each in logger.filters)
    assert record.exc_info is not None
