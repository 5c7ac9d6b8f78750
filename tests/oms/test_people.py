"""Signing in, accounts, members."""

import pytest
from django.urls import reverse

from oms.errors import DomainError
from oms.models import AuditEntry, Membership, Person, Role
from oms.services import people
from oms.tenancy import account_context
from tests.conftest import PASSWORD


def sign_in(client, email, password=PASSWORD, **data):
    return client.post("/sign-in/", {"username": email, "password": password, **data})


def test_sign_in_whatever_the_case_of_the_email(client, ana):
    assert sign_in(client, "ANA@example.com ").headers["Location"] == "/"
    assert client.get("/").headers["Location"] == "/acme/"


def test_a_wrong_password_and_an_unknown_email_look_the_same(client, ana):
    wrong, unknown = sign_in(client, ana.email, "wrong"), sign_in(client, "nobody@example.com", "wrong")
    assert wrong.status_code == unknown.status_code == 200
    texts = [
        answer.content.decode().replace(email, "")
        for answer, email in ((wrong, ana.email), (unknown, "nobody@example.com"))
    ]
    assert "Please enter a correct email and password" in texts[0]
    assert [text.count("<li>") for text in texts] == [texts[0].count("<li>")] * 2


def test_somebody_who_may_not_sign_in_any_more_is_out_at_once(client_for, ana):
    client = client_for(ana)
    assert client.get("/acme/settings/members/").status_code == 200
    Person.objects.filter(pk=ana.pk).update(is_active=False)
    assert client.get("/acme/settings/members/").headers["Location"].startswith("/sign-in/?next=")


def test_guessing_is_locked_out_and_the_right_password_does_not_help_then(client, ana, settings):
    for guess in range(settings.AXES_FAILURE_LIMIT):
        answer = sign_in(client, ana.email.upper() if guess % 2 else ana.email, "guess")
    assert answer.status_code == 429
    assert sign_in(client, ana.email).status_code == 429
    elsewhere = client.post("/sign-in/", {"username": ana.email, "password": PASSWORD}, REMOTE_ADDR="203.0.113.9")
    assert elsewhere.status_code == 302, "a guesser does not lock Ana out everywhere"


def test_a_sign_in_does_not_lead_to_another_site(client, ana):
    assert sign_in(client, ana.email, next="https://evil.example/").headers["Location"] == "/"


def test_changing_the_password_ends_other_sessions(client_for, ana):
    here, elsewhere = client_for(ana), client_for(ana)
    new = "a quite different sentence"
    answer = here.post("/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert answer.status_code == 302
    assert here.get("/acme/settings/members/").status_code == 200
    assert elsewhere.get("/acme/settings/members/").headers["Location"].startswith("/sign-in/")


def test_sign_out_is_a_post(client_for, ana):
    client = client_for(ana)
    assert client.get("/sign-out/").status_code == 405
    client.post("/sign-out/")
    assert client.get("/acme/settings/members/").headers["Location"].startswith("/sign-in/")


def test_somebody_without_an_account_is_told_what_to_do(client_for, nia):
    text = client_for(nia).get("/").content.decode()
    assert nia.email in text
    assert "Sign out" in text


def test_a_member_of_two_accounts_chooses_and_comes_back_to_the_last(client_for, wes):
    client = client_for(wes)
    text = client.get("/").content.decode()
    assert 'href="/acme/"' in text
    assert 'href="/bolt/"' in text
    client.get("/bolt/")
    assert client.get("/").headers["Location"] == "/bolt/"


def test_the_switcher_has_the_persons_accounts_only(client_for, wes, ana):
    switcher = 'class="menu account-menu"'
    assert switcher in client_for(wes).get("/acme/inventory/skus/").content.decode()
    assert switcher not in client_for(ana).get("/acme/inventory/skus/").content.decode()


def test_appearance_is_remembered_and_leads_back(client_for, ana):
    client = client_for(ana)
    answer = client.post("/appearance/", {"theme": "dark", "next": "/acme/inventory/stock/"})
    assert answer.headers["Location"] == "/acme/inventory/stock/"
    assert 'data-theme="dark"' in client.get("/acme/inventory/stock/").content.decode()
    client.post("/appearance/", {"density": "compact", "theme": "sepia", "next": "https://evil.example/"})
    fresh = Person.objects.get(pk=ana.pk)
    assert (fresh.theme, fresh.density) == ("dark", "compact")


# --- members ----------------------------------------------------------------------------------------------------------
def test_a_new_person_gets_a_link_that_works_once(client, client_for, ana, account_a):
    answer = client_for(ana).post(
        "/acme/settings/members/new/", {"email": "Kim@Example.com", "name": "Kim", "role": "viewer"}
    )
    link = answer.context["link"].replace("http://testserver", "")
    page = client.get(link, follow=True)
    form = {"new_password1": "three words and more", "new_password2": "three words and more"}
    assert client.post(page.redirect_chain[-1][0], form).status_code == 302
    assert sign_in(client, "kim@example.com", "three words and more").status_code == 302
    assert client.get("/").headers["Location"] == "/acme/"
    assert "used up" in client.get(link, follow=True).content.decode()


def test_a_link_dies_with_the_membership(client, client_for, ana, account_a):
    """Else who kept it would choose the password of somebody whom another account invites later."""
    form = {"email": "kim@example.com", "name": "Kim", "role": "viewer"}
    link = client_for(ana).post("/acme/settings/members/new/", form).context["link"].replace("http://testserver", "")
    membership = Membership.objects.get(person__email="kim@example.com")
    client_for(ana).post(f"/acme/settings/members/{membership.pk}/remove/")
    assert "used up" in client.get(link, follow=True).content.decode()


def test_somebody_known_is_a_member_at_once_and_keeps_the_password(client_for, ana, cid, account_a):
    answer = client_for(ana).post("/acme/settings/members/new/", {"email": cid.email, "name": "X", "role": "viewer"})
    assert answer.status_code == 302
    assert client_for(cid).get("/acme/settings/members/").status_code == 200
    assert Person.objects.get(pk=cid.pk).name == "Cid"


def test_a_second_invitation_of_the_same_person_is_an_error_at_the_field(client_for, ana, ben):
    answer = client_for(ana).post("/acme/settings/members/new/", {"email": ben.email, "name": "B", "role": "admin"})
    assert answer.status_code == 422
    assert "is a member already" in answer.content.decode()
    assert Membership.objects.get(person=ben).role == Role.VIEWER


def test_roles_change_and_are_audited(client_for, ana, ben, account_a):
    membership = Membership.objects.get(person=ben)
    client_for(ana).post(f"/acme/settings/members/{membership.pk}/", {"role": "operator"})
    assert client_for(ben).get("/acme/inventory/skus/new/").status_code == 200
    with account_context(account_a):
        entry = AuditEntry.objects.get(kind="member", action="change")
        assert (entry.actor, entry.changes) == (ana, {"role": ["viewer", "operator"]})


@pytest.mark.parametrize("what", ["role", "remove"])
def test_the_last_admin_stays(client_for, ana, account_a, what):
    membership = Membership.objects.get(person=ana)
    client = client_for(ana)
    if what == "role":
        answer = client.post(f"/acme/settings/members/{membership.pk}/", {"role": "viewer"})
        assert answer.status_code == 422
    else:
        answer = client.post(f"/acme/settings/members/{membership.pk}/remove/", follow=True)
    assert "needs an admin" in answer.content.decode()
    assert Membership.objects.get(person=ana).role == Role.ADMIN


def test_two_admins_who_remove_each_other_leave_one(account_a, ana, ben):
    Membership.objects.filter(person=ben).update(role=Role.ADMIN)
    with account_context(account_a):
        ids = dict(Membership.objects.values_list("person", "pk"))
        people.remove_member(membership_id=ids[ben.pk], actor=ana)
        with pytest.raises(DomainError, match="needs an admin"):
            people.remove_member(membership_id=ids[ana.pk], actor=ben)


def test_a_removed_member_sees_nothing_any_more(client_for, ana, ben):
    client = client_for(ben)
    membership = Membership.objects.get(person=ben)
    assert client.get("/acme/inventory/skus/").status_code == 200
    client_for(ana).post(f"/acme/settings/members/{membership.pk}/remove/")
    assert client.get("/acme/inventory/skus/").status_code == 404


def test_members_of_another_account_cannot_be_touched(client_for, ana, cid):
    foreign = Membership.objects.get(person=cid)
    client = client_for(ana)
    for name in ("member", "member_remove", "member_invite"):
        url = reverse(name, kwargs={"account_slug": "acme", "pk": foreign.pk})
        assert client.post(url, {"role": "viewer"}).status_code == 404
    assert Membership.objects.get(pk=foreign.pk).role == Role.ADMIN


def test_an_address_that_is_a_page_is_no_account(ana):
    with pytest.raises(DomainError):
        people.create_account(name="X", slug="sign-in", admin=ana)
