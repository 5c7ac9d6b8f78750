"""The ways into an account: requests, streams, tasks, commands, forms (oms/access.py).

The addresses of this module stand before the real ones, so that each view below does one thing only.
"""

import http
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.test import Client
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST

from oms import urls as real
from oms.access import AccountCommand, AccountForm, AccountTask, require_role, stream_in_account
from oms.celery import app
from oms.models import ADMINS, EVERYONE, Location, Membership, Role, Sku
from oms.services import people
from oms.tenancy import ForeignAccount, NoAccount, account_context
from tests.factories import make_sku, make_warehouse_link

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]
handler400, handler403, handler404, handler500 = real.handler400, real.handler403, real.handler404, real.handler500


def codes():
    return list(Sku.objects.order_by("code").values_list("code", flat=True))


def text_template(text):
    return engines["django"].from_string(text)


@require_role(EVERYONE)
def lazy_page(request):
    return TemplateResponse(
        request, text_template("{% for sku in skus %}{{ sku.code }},{% endfor %}"), {"skus": Sku.objects.all()}
    )


@require_role(EVERYONE)
def facts(request):
    return HttpResponse(f"{request.account.slug} {request.membership.role} {timezone.get_current_timezone_name()}")


def _writes(end):
    @require_role(EVERYONE)
    def view(request):
        make_sku(code="written")
        return end(request)

    return view


def _raise(error):
    raise error


@require_role(EVERYONE, write=ADMINS)
def reads_or_writes(request):
    return HttpResponse("done")


def forgotten(request):
    return HttpResponse("nobody thought of roles")


@require_role(EVERYONE)
def breaks_at_commit(request):
    Location.objects.create(link_id=-1, name="nowhere")
    return HttpResponse("said too early")


@require_role(EVERYONE)
def streamed(request):
    return StreamingHttpResponse(stream_in_account(request.account, lambda: (f"{code}\n" for code in codes())))


@require_role(EVERYONE)
def streamed_outside(request):
    return StreamingHttpResponse(code for _turn in range(1) for code in codes())


WRITES = {
    "ok": lambda _: HttpResponse("ok"),
    "redirect": lambda _: HttpResponse(status=302, headers={"Location": "/"}),
    "unprocessable": lambda _: HttpResponse(status=422),
    "error": lambda _: _raise(RuntimeError("on purpose")),
    "not_found": lambda _: _raise(Http404()),
    "denied": lambda _: _raise(PermissionError()),
    "status_500": lambda _: HttpResponse(status=500),
    "template": lambda request: TemplateResponse(request, text_template("{{ broken }}"), {"broken": Broken()}),
}


class Broken:
    def __str__(self):
        raise RuntimeError("on purpose")


urlpatterns = [
    path("<slug:account_slug>/t/page/", lazy_page),
    path("<slug:account_slug>/t/open/", login_not_required(require_role(EVERYONE)(lambda _request: HttpResponse("x")))),
    path("<slug:account_slug>/t/facts/", facts),
    path("<slug:account_slug>/t/mixed/", reads_or_writes),
    path("<slug:account_slug>/t/post/", require_POST(require_role(EVERYONE)(lambda _request: HttpResponse("posted")))),
    path("<slug:account_slug>/t/forgotten/", forgotten),
    path("<slug:account_slug>/t/commit/", breaks_at_commit),
    path("<slug:account_slug>/t/stream/", streamed),
    path("<slug:account_slug>/t/stream-outside/", streamed_outside),
    *[path(f"<slug:account_slug>/t/write-{name}/", _writes(end)) for name, end in WRITES.items()],
    *real.urlpatterns,
]


@pytest.fixture
def quiet_client_for(client_for):
    """Errors become the 500 page, as in production."""
    return lambda person: client_for(person, raise_request_exception=False)


# --- requests ---------------------------------------------------------------------------------------------------------
def test_a_template_response_is_rendered_inside_the_account(client_for, ana, cid, account_a, account_b):
    for account, code in ((account_a, "a"), (account_b, "b")):
        with account_context(account):
            make_sku(code=code)
    assert client_for(ana).get("/acme/t/page/").content == b"a,"
    assert client_for(cid).get("/bolt/t/page/").content == b"b,"
    with pytest.raises(NoAccount):
        codes()


def test_the_request_knows_account_role_and_time_zone(client_for, olga, wes):
    assert client_for(olga).get("/acme/t/facts/").content == b"acme operator Europe/Berlin"
    client = client_for(wes)
    assert client.get("/acme/t/facts/").content == b"acme warehouse Europe/Berlin"
    assert client.get("/bolt/t/facts/").content == b"bolt warehouse UTC"
    assert timezone.get_current_timezone() == ZoneInfo("UTC")


@pytest.mark.parametrize("address", ["page", "facts", "post", "mixed"])
@pytest.mark.parametrize("method", ["get", "post", "head", "put", "delete", "options", "patch"])
def test_a_stranger_cannot_tell_an_account_from_none(client_for, cid, nia, account_a, address, method):
    for person in (cid, nia):
        there, nowhere = (getattr(client_for(person), method)(f"/{slug}/t/{address}/") for slug in ("acme", "nope"))
        assert there.status_code == nowhere.status_code == 404
        assert there.content.replace(b"acme", b"nope") == nowhere.content
        assert there.headers.items() == nowhere.headers.items()


@pytest.mark.parametrize("slug", ["ACME", "acme-", "Acme"])
def test_an_account_has_one_address(client_for, ana, slug):
    assert client_for(ana).get(f"/{slug}/t/page/").status_code == 404


@pytest.mark.parametrize("slug", ["acme", "nope"])
@pytest.mark.parametrize("address", ["page", "open"])
def test_nobody_is_asked_to_sign_in_and_comes_back(account_a, slug, address):
    """Also where a view says that it needs no sign-in: every page of an account does."""
    answer = Client().get(f"/{slug}/t/{address}/?page=2")
    assert (answer.status_code, answer.url) == (302, f"/sign-in/?next=/{slug}/t/{address}/%3Fpage%3D2")


def test_who_may_not_sign_in_any_more_is_nobody(client_for, ana):
    client = client_for(ana)
    ana.is_active = False
    ana.save()
    assert client.get("/acme/t/page/").status_code == 302


def test_a_member_who_was_removed_is_a_stranger_at_once(client_for, ben, account_a):
    client = client_for(ben)
    assert client.get("/acme/t/page/").status_code == 200
    Membership.objects.filter(person=ben).delete()
    assert client.get("/acme/t/page/").status_code == 404


@pytest.mark.parametrize(
    ("who", "method", "status"),
    [
        ("ana", "get", 200),
        ("ana", "post", 200),
        ("ana", "put", 200),
        ("ben", "get", 200),
        ("ben", "head", 200),
        ("ben", "post", 403),
        ("ben", "put", 403),
        ("ben", "delete", 403),
        ("olga", "post", 403),
        ("wes", "post", 403),
    ],
)
def test_roles_are_asked_for_reading_and_for_writing(client_for, cast, who, method, status):
    assert getattr(client_for(cast[who]), method)("/acme/t/mixed/").status_code == status


def test_a_wrong_method_is_405(client_for, ben):
    answer = client_for(ben).get("/acme/t/post/")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_view_without_roles_does_not_run(client_for, ana, method):
    with pytest.raises(ImproperlyConfigured, match="require_role"):
        getattr(client_for(ana), method)("/acme/t/forgotten/")


@pytest.mark.parametrize("name", WRITES)
def test_what_fails_leaves_nothing_behind(quiet_client_for, ana, account_a, name):
    answer = quiet_client_for(ana).post(f"/acme/t/write-{name}/")
    with account_context(account_a):
        kept = codes()
    is_kept = name in {"ok", "redirect", "unprocessable"}
    assert kept == (["written"] if is_kept else [])
    assert (answer.status_code < http.HTTPStatus.INTERNAL_SERVER_ERROR) == (is_kept or name == "not_found")


def test_after_a_failure_the_next_request_works(quiet_client_for, ana, account_a):
    client = quiet_client_for(ana)
    assert client.post("/acme/t/write-error/").status_code == 500
    assert client.post("/acme/t/write-ok/").status_code == 200
    with account_context(account_a):
        assert codes() == ["written"]


@pytest.mark.commits("a fault at the commit")
def test_what_the_database_refuses_at_commit_is_an_error_page(quiet_client_for, ana):
    assert quiet_client_for(ana).post("/acme/t/commit/").status_code == 500


# --- streams ----------------------------------------------------------------------------------------------------------
def test_a_stream_is_made_inside_the_account(client_for, ana, account_a, account_b):
    for account, code in ((account_a, "a"), (account_b, "b")):
        with account_context(account):
            make_sku(code=code)
    assert client_for(ana).get("/acme/t/stream/").getvalue() == b"a\n"


def test_a_stream_that_forgot_the_account_raises(client_for, ana):
    answer = client_for(ana).get("/acme/t/stream-outside/")
    with pytest.raises(NoAccount):
        answer.getvalue()


def test_a_stream_that_nobody_reads_to_its_end_leaves_the_account(client_for, ana, account_a):
    with account_context(account_a):
        make_sku(code="a")
        make_sku(code="b")
    answer = client_for(ana).get("/acme/t/stream/")
    assert next(iter(answer)) == b"a\n"
    answer.close()
    with pytest.raises(NoAccount):
        codes()


# --- tasks and commands -----------------------------------------------------------------------------------------------
@app.task(base=AccountTask, name="tests.oms.test_access.codes_of")
def codes_of(account_id):
    with account_context(account_id):
        return codes()


def test_a_task_runs_for_an_account(account_a):
    with account_context(account_a):
        make_sku(code="a")
    assert codes_of(account_a.pk) == codes_of(account_id=account_a.pk) == ["a"]


@pytest.mark.parametrize("wrong", [(), (None,), (-1,), ("1",), ("acme",)])
def test_a_task_refuses_to_run_without_an_account(account_a, wrong):
    with pytest.raises(ValueError, match="account"):
        codes_of(*wrong)


class CodesCommand(AccountCommand):
    """Prints the codes of an account's SKUs."""

    def handle_account(self, account, **options):
        self.stdout.write(f"{account.slug} {codes()}")


def test_a_command_runs_in_the_account_that_it_names(account_a, account_b, capsys):
    with account_context(account_b):
        make_sku(code="b")
    call_command(CodesCommand(), "--account", "bolt")
    assert capsys.readouterr().out == "bolt ['b']\n"
    with pytest.raises(NoAccount):
        codes()


@pytest.mark.parametrize(("arguments", "said"), [([], "--account"), (["--account", "nope"], "no account at 'nope'")])
def test_a_command_refuses_to_run_without_an_account(account_a, arguments, said):
    with pytest.raises(CommandError, match=said):
        call_command(CodesCommand(), *arguments)


# --- forms ------------------------------------------------------------------------------------------------------------
class SkuForm(AccountForm[Sku]):
    class Meta:
        model = Sku
        fields = ("code", "name")


class LocationForm(AccountForm[Location]):
    class Meta:
        model = Location
        fields = ("link", "name")


def test_a_code_that_is_taken_is_a_form_error(account_a, account_b):
    with account_context(account_b):
        make_sku(code="there")
    with account_context(account_a):
        make_sku(code="here")
        assert SkuForm({"code": "there", "name": "n"}, account=account_a).is_valid()
        form = SkuForm({"code": "HERE", "name": "n"}, account=account_a)
        assert form.errors == {
            "__all__": ["There is already a SKU with this code (upper and lower case are the same)."]
        }


def test_a_name_that_is_taken_is_a_form_error(account_a):
    with account_context(account_a):
        link = make_warehouse_link()
        form = LocationForm({"link": link.pk, "name": "Main"}, account=account_a)
        assert not form.is_valid()


def test_a_foreign_id_in_a_form_is_a_form_error(account_a, account_b):
    with account_context(account_b):
        foreign = make_warehouse_link()
    with account_context(account_a):
        form = LocationForm({"link": foreign.pk, "name": "x"}, account=account_a)
        assert form.errors["link"] == ["Select a valid choice. That choice is not one of the available choices."]
        assert list(LocationForm(account=account_a).fields["link"].queryset) == []


def test_a_form_does_not_adopt_a_foreign_row(account_a, account_b):
    with account_context(account_b):
        foreign = make_sku(code="b")
    with account_context(account_a):
        form = SkuForm({"code": "mine", "name": "n"}, instance=foreign, account=account_a)
        with pytest.raises(ForeignAccount):
            form.save()
    with account_context(account_b):
        assert codes() == ["b"]


def test_a_form_for_another_account_than_the_current_one_is_not_saved(account_a, account_b):
    with account_context(account_a), pytest.raises(ForeignAccount):
        SkuForm({"code": "x", "name": "n"}, account=account_b).save()


# --- people are shared, accounts are not ------------------------------------------------------------------------------
def test_an_account_gets_no_link_to_somebody_whom_another_account_invited(account_a, account_b, ana, cid):
    """Jane was invited to A and has no password yet. With a link of his own Cid of B would choose it, and be Jane."""
    jane = {"email": "jane@example.com", "name": "Jane"}
    with account_context(account_a):
        ours = people.add_member(**jane, role=Role.ADMIN, actor=ana)
    with account_context(account_b):
        theirs = people.add_member(**jane, role=Role.VIEWER, actor=cid)
        assert [ours.sets_password, theirs.sets_password] == [True, False]
        assert not people.invite(theirs.membership).sets_password
    with account_context(account_a):
        assert people.invite(ours.membership).sets_password, "B took nothing from A"
        people.remove_member(membership_id=ours.membership.pk, actor=ana)
    with account_context(account_b):
        assert people.invite(theirs.membership).sets_password, "nobody else has Jane now"


def test_nobody_chooses_the_password_of_an_admin_whom_the_operator_let_in(client, account_b, cid):
    """Cid invited Jane to B. Then she gets account C from whoever runs Lotline: Cid's link must not open that."""
    with account_context(account_b):
        invited = people.add_member(email="jane@example.com", name="Jane", role=Role.VIEWER, actor=cid)
    call_command("create_account", name="C", slug="c", admin="jane@example.com")
    assert "used up" in client.get(invited.path, follow=True).content.decode()
    with account_context(account_b):
        assert not people.invite(Membership.with_invited.get(pk=invited.membership.pk)).sets_password


def test_the_roles_are_those_of_the_product():
    assert [role.value for role in Role] == ["admin", "operator", "viewer", "warehouse"]
    assert connection.vendor == "postgresql"
