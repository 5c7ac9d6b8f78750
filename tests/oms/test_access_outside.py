"""Views that wait for another system: called without account and transaction (oms/access.py)."""

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from django.utils import timezone

from oms import urls as real
from oms.access import give_back_connection, require_role, waits_outside
from oms.models import ADMINS, EVERYONE
from oms.tenancy import NoAccount, account_context
from tests.factories import make_sku
from tests.oms.test_access import codes

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]
handler400, handler403, handler404, handler500 = real.handler400, real.handler403, real.handler404, real.handler500


@waits_outside
@require_role(EVERYONE, write=ADMINS)
def outside(request):
    """What the account's rows say without an account, then with it."""
    try:
        refused = codes()
    except NoAccount:
        refused = "refused"
    with account_context(request.account):
        found = codes()
        if request.method == "POST":
            make_sku(code="kept")
    if request.method == "POST":
        raise RuntimeError("on purpose, after the account was left")
    return HttpResponse(f"{refused} {found} {request.membership.role} {timezone.get_current_timezone_name()}")


@require_role(EVERYONE)
def waits_inside(request):
    give_back_connection()


urlpatterns = [
    path("<slug:account_slug>/t/outside/", outside),
    path("<slug:account_slug>/t/waits-inside/", waits_inside),
    *real.urlpatterns,
]


def test_a_view_outside_has_no_account_until_it_enters_it(client_for, wes, account_a, account_b):
    for account in (account_a, account_b):
        with account_context(account):
            make_sku(code=account.slug)
    client = client_for(wes)
    assert client.get("/acme/t/outside/").content == b"refused ['acme'] warehouse Europe/Berlin"
    assert client.get("/bolt/t/outside/").content == b"refused ['bolt'] warehouse UTC"


def test_a_view_outside_asks_for_roles_too(client_for, ben, cid):
    assert client_for(ben).post("/acme/t/outside/").status_code == 403
    for address in ("/acme/t/outside/", "/nope/t/outside/"):
        assert client_for(cid).post(address).status_code == 404
    assert Client().post("/acme/t/outside/").status_code == 302


def test_what_a_view_outside_wrote_in_the_account_stays(client_for, ana, account_a):
    assert client_for(ana, raise_request_exception=False).post("/acme/t/outside/").status_code == 500
    with account_context(account_a):
        assert codes() == ["kept"]


def test_nobody_waits_inside_an_account(client_for, ana):
    with pytest.raises(RuntimeError, match="Leave the account"):
        client_for(ana).get("/acme/t/waits-inside/")
