"""Signing in, accounts, members."""

import re
from urllib.parse import quote

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
    assert wrong.status_code == unknown.status_code == 422
    texts = [
        answer.content.decode().replace(email, "")
        for answer, email in ((wrong, ana.email), (unknown, "nobody@example.com"))
    ]
    assert "This email and password do not belong together" in texts[0]
    assert [text.count("<li>") for text in texts] == [texts[0].count("<li>")] * 2


def test_somebody_who_may_not_sign_in_any_more_is_out_at_once(client_for, ana):
    client = client_for(ana)
    assert client.get("/acme/settings/members/").status_code == 200
    Person.objects.filter(pk=ana.pk).update(is_active=False)
    assert client.get("/acme/settings/members/").headers["Location"].startswith("/sign-in/?next=")


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


def path_of(answer):
    """The path of the link on the page of an invitation."""
    return answer.context["link"].removeprefix("http://testserver")


def invite(client, email, slug="acme", role="viewer"):
    """The path of the link that an admin's browser shows for somebody new in the account."""
    return path_of(client.post(f"/{slug}/settings/members/new/", {"email": email, "name": "Vic", "role": role}))


def choose_password(client, link):
    page = client.get(link, follow=True)
    return client.post(page.request["PATH_INFO"], {"new_password1": PASSWORD, "new_password2": PASSWORD})


# --- members ----------------------------------------------------------------------------------------------------------
def test_a_new_person_gets_a_link_that_works_once(client, client_for, ana, account_a):
    answer = client_for(ana).post(
        "/acme/settings/members/new/", {"email": "Kim@Example.com", "name": "Kim", "role": "viewer"}
    )
    link = path_of(answer)
    assert str(Membership.with_invited.get(person__name="Kim").state) == "invited"
    page = client.get(link, follow=True)
    form = {"new_password1": "three words and more", "new_password2": "three words and more"}
    assert client.post(page.redirect_chain[-1][0], form).status_code == 302
    assert sign_in(client, "kim@example.com", "three words and more").status_code == 302
    assert client.get("/").headers["Location"] == "/acme/"
    assert "used up" in client.get(link, follow=True).content.decode()


def test_a_link_dies_with_the_membership(client, client_for, ana, account_a):
    """Else who kept it would choose the password of somebody whom another account invites later."""
    link = invite(client_for(ana), "kim@example.com")
    membership = Membership.with_invited.get(person__email="kim@example.com")
    client_for(ana).post(f"/acme/settings/members/{membership.pk}/remove/")
    assert "used up" in client.get(link, follow=True).content.decode()


@pytest.mark.parametrize("old", ["MQ", "MTA0", "9" * 40, "9" * 5_000, "-1"])
def test_a_link_of_before_is_told_to_be_dead(client, db, old):
    """Once the first part was not a number."""
    answer = client.get(f"/welcome/{old}/c0ffee-0123456789abcdef/", follow=True)
    assert "Ask an admin of your account for a new one" in answer.content.decode()


def test_somebody_known_signs_in_joins_and_keeps_the_password(client, client_for, ana, cid, account_a):
    link = invite(client_for(ana), cid.email)
    assert client_for(cid).get("/acme/settings/members/").status_code == 404
    asked = client.get(link)
    assert asked.headers["Location"] == f"/sign-in/?next={quote(link)}"
    assert sign_in(client, cid.email, next=link).headers["Location"] == link
    page = client.get(link).content.decode()
    assert all(words in page for words in ("Join Acme", "Viewer", cid.email))
    assert client.get("/acme/settings/members/").status_code == 404, "looking at it is not joining"
    assert client.post(link).headers["Location"] == "/acme/"
    assert client.get("/acme/settings/members/").status_code == 200
    assert Person.objects.get(pk=cid.pk).name == "Cid"
    with account_context(account_a):
        told = list(AuditEntry.objects.order_by("pk").values_list("action", "actor__name", "changes"))
    assert told == [("invite", "Ana", {"role": [None, "viewer"]}), ("join", "Cid", {"role": [None, "viewer"]})]


def test_who_made_a_person_is_not_let_in_as_that_person(client, client_for, ana, cid, account_a, account_b):
    """Ana of A invites Vic, takes the link herself, and is Vic. Cid of B means the real one."""
    victim = "vic@example.com"
    assert choose_password(client, invite(client_for(ana), victim)).status_code == 302
    sign_in(client, victim)
    assert client.get("/").headers["Location"] == "/acme/"
    link = invite(client_for(cid), victim, slug="bolt", role="admin")
    assert client.get("/bolt/settings/members/").status_code == 404
    assert client.get("/bolt/").status_code == 404
    assert client.get("/").headers["Location"] == "/acme/"
    assert "Bolt" not in client.get("/accounts/").content.decode()
    assert "Bolt" not in client.get("/acme/settings/members/").content.decode()
    pk = Membership.with_invited.get(account=account_b, person__email=victim).pk
    unsigned, rest = link.removesuffix("/").rsplit("/", 1)[1].split(":", 1)
    forged = [f"{pk}:{rest[:-3]}abc", f"{pk + 1}:{rest}", unsigned]
    assert [client.post(f"/accounts/join/{token}/").status_code for token in forged] == [404] * 3
    assert client.get("/bolt/").status_code == 404


@pytest.mark.parametrize("first", ["acme", "bolt"])
def test_a_password_by_one_accounts_link_opens_that_account_only(client, client_for, ana, cid, first):
    """Vic is invited by both before he has a password; the second link asks him to sign in."""
    admins = {"acme": client_for(ana), "bolt": client_for(cid)}
    second = "bolt" if first == "acme" else "acme"
    links = {slug: invite(admins[slug], "vic@example.com", slug) for slug in (first, second)}
    assert links[second].startswith("/accounts/join/")
    assert choose_password(client, links[first]).status_code == 302
    sign_in(client, "vic@example.com")
    assert [client.get(f"/{slug}/", follow=True).status_code for slug in (first, second)] == [200, 404]
    client.post(links[second])
    assert client.get(f"/{second}/", follow=True).status_code == 200


def test_a_link_to_join_chooses_no_password_and_the_other_way_round(client, client_for, ana, cid):
    joining, choosing = invite(client_for(ana), cid.email), invite(client_for(ana), "kim@example.com")
    token, kim = joining.split("/")[-2], choosing.split("/")[-2]
    pk = Membership.with_invited.get(person=cid, account__slug="acme").pk
    for path in (f"/welcome/{pk}/{token}/", f"/welcome/{pk}/{kim}/"):
        assert "used up" in client.get(path, follow=True).content.decode()
    assert client_for(cid).post(f"/accounts/join/{kim}/").status_code == 404


def test_a_password_is_chosen_for_the_membership_of_the_link(client, client_for, ana, cid, account_a, account_b):
    """Else Ana's link, with the number of Cid's invitation in it, would open Bolt."""
    token = invite(client_for(ana), "vic@example.com").split("/")[-2]
    invite(client_for(cid), "vic@example.com", slug="bolt")
    ours, theirs = (Membership.with_invited.get(person__name="Vic", account=a).pk for a in (account_a, account_b))
    assert "used up" in client.get(f"/welcome/{theirs}/{token}/", follow=True).content.decode()
    assert "Choose a password" in client.get(f"/welcome/{ours}/{token}/", follow=True).content.decode()
    assert "used up" in client.get(f"/welcome/{theirs}/set-password/").content.decode(), "nor by what the browser keeps"
    client_for(ana).post(f"/acme/settings/members/{ours}/remove/")
    assert "used up" in client.get(f"/welcome/{theirs}/{token}/", follow=True).content.decode()


def test_a_link_to_join_is_for_one_person(client_for, ana, cid, nia):
    link = invite(client_for(ana), cid.email, role="operator")
    client = client_for(nia)
    for method in (client.get, client.post):
        answer = method(link)
        text = answer.content.decode()
        assert (answer.status_code, cid.email in text) == (403, True)
        assert "Acme" not in text
        assert "Operator" not in text
    assert client.get("/acme/").status_code == client_for(cid).get("/acme/").status_code == 404
    away = client.post("/sign-out/", {"next": link})
    assert client.get(away.headers["Location"]).headers["Location"].startswith("/sign-in/?next=/accounts/join/")


def test_a_link_to_join_works_once(client_for, ana, cid, nia, account_a):
    link = invite(client_for(ana), cid.email)
    client = client_for(cid)
    assert [client.post(link).headers["Location"] for _click in range(2)] == ["/acme/", "/acme/"]
    with account_context(account_a):
        assert AuditEntry.objects.filter(action="join").count() == 1
    assert client_for(nia).get(link).status_code == 404, "it says nothing any more"
    pk = Membership.objects.get(person=cid, account=account_a).pk
    client_for(ana).post(f"/acme/settings/members/{pk}/remove/")
    assert client.post(link).status_code == 404
    assert client.get("/acme/").status_code == 404


def test_an_invitation_that_was_taken_back_is_dead_even_if_there_is_a_new_one(client_for, ana, cid):
    old = invite(client_for(ana), cid.email)
    pk = Membership.with_invited.get(person=cid, account__slug="acme").pk
    assert client_for(ana).post(f"/acme/settings/members/{pk}/remove/").status_code == 302
    new = invite(client_for(ana), cid.email)
    client = client_for(cid)
    assert [client.get(old).status_code, client.post(old).status_code] == [404, 404]
    assert client.get("/acme/").status_code == 404
    assert client.post(new).status_code == 302


def test_a_link_to_join_grows_too_old(client_for, ana, cid, settings):
    link = invite(client_for(ana), cid.email)
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "used up" in client_for(cid).post(link).content.decode()
    assert client_for(cid).get("/acme/").status_code == 404


def test_an_invited_member_is_listed_as_such_and_can_be_changed(client_for, ana, ida):
    client = client_for(ana)
    page = client.get("/acme/settings/members/").content.decode()
    assert [row.count("Invited") for row in page.split("<tr") if "ida@example.com" in row] == [1]
    assert page.count("Invited") == 1
    membership = ida.memberships(manager="with_invited").get(account__slug="acme")
    url = f"/acme/settings/members/{membership.pk}/"
    assert "has not joined yet" in client.get(url).content.decode()
    assert client.post(url, {"role": "viewer"}).status_code == 302
    link = path_of(client.post(f"{url}invite/"))
    assert "Viewer" in client_for(ida).get(link).content.decode()
    assert client_for(ida).post(link).status_code == 302
    assert "Ida has joined already" in client.post(f"{url}invite/", follow=True).content.decode()


def test_an_account_learns_nothing_of_a_person_before_they_join(client, client_for, ana, cid, account_a):
    """Cid is known to Lotline, Kim is not: until they are in, both are what Ana typed, on every page."""
    admin = client_for(ana)
    known, new = (
        admin.post("/acme/settings/members/new/", {"email": email, "name": "Typed", "role": "viewer"})
        for email in (cid.email, "kim@example.com")
    )
    said = [answer.content.decode().replace(answer.context["link"], "") for answer in (known, new)]
    form = re.compile(r"[\w-]{60,}")  # the token against forgery
    assert form.sub("", said[0].replace(cid.email, "kim@example.com")) == form.sub("", said[1])
    pk = Membership.with_invited.get(person=cid, account=account_a).pk
    pages = ["settings/members/", f"settings/members/{pk}/", "settings/members/?format=csv", "settings/audit/"]
    texts = [b"".join(admin.get(f"/acme/{page}")).decode() for page in pages]
    assert all("Typed" in text and "Cid" not in text for text in texts)
    for query, is_found in (("person=Cid", False), ("q=Cid+Ci", False), ("person=Typed", True)):
        assert (cid.email in admin.get(f"/acme/settings/members/?{query}").content.decode()) is is_found
    assert client_for(cid).post(path_of(known)).status_code == 302
    assert "Cid" in admin.get("/acme/settings/members/").content.decode()


def test_an_admin_who_has_not_joined_is_no_admin_yet(client_for, ana, ida):
    pk = Membership.objects.get(person=ana).pk
    answer = client_for(ana).post(f"/acme/settings/members/{pk}/", {"role": "viewer"})
    assert "needs an admin" in answer.content.decode()


def test_only_memberships_that_were_accepted_count(account_a, ana, ida):
    """Every way to ask that does not say `with_invited` goes through this manager."""
    assert [row.account.slug for row in ida.memberships.all()] == ["bolt"]
    assert list(account_a.memberships.values_list("person", flat=True)) == [ana.pk]
    assert not Membership.objects.filter(person=ida, account=account_a).exists()
    assert Membership._meta.default_manager is Membership.objects


def test_a_password_is_not_chosen_with_a_form_that_was_open_for_too_long(client, client_for, ana, cid, account_a):
    """The form was shown; meanwhile somebody else used the link, or the invitation was taken back."""
    invite(client_for(ana), "vic@example.com")
    read = [Membership.with_invited.select_related("person").get(person__name="Vic") for _tab in range(2)]
    people.choose_password(membership=read[0], password="the first one wins")
    with pytest.raises(DomainError, match="used a moment ago"):
        people.choose_password(membership=read[1], password="the second does not")
    with account_context(account_a):
        people.remove_member(membership_id=read[0].pk, actor=ana)
    with pytest.raises(DomainError, match="not a member any more"):
        people.choose_password(membership=read[0], password="nor this")
    assert Person.objects.get(name="Vic").check_password("the first one wins")


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
