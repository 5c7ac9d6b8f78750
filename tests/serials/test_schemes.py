"""Number schemes and the numbers of a SKU: who may change what, and that no number can come twice."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connections, transaction
from django.urls import reverse
from django.utils import timezone

from oms.errors import DomainError
from oms.models import AuditEntry
from oms.tenancy import account_context
from serials.models import NumberScheme, SchemeState, SkuNumbering
from serials.numbering.check_characters import Check
from serials.numbering.rules import ANYTHING, Characters, Rule
from serials.numbering.schemes import Alphabet, Scheme
from serials.queries.schemes import low_schemes, rules_of, scheme_rows, schemes_of
from serials.services import schemes
from serials.services.numbers import NumbersExhausted, SchemeArchived, reserve_block
from serials.services.schemes import BadField, SchemeInput, set_numbering
from tests.factories import make_serialized_sku, make_sku
from tests.old_schema import old_schema
from tests.serials.factories import make_scheme
from tests.serials.test_attribute_races import waiting_for

pytestmark = pytest.mark.django_db

FORM = {"name": "Tags", "prefix": "T{YY}-", "width": "6", "alphabet": Alphabet.DIGITS.value, "check_kind": "none"}
FORM |= {"first_counter": "1"}


def change(row, actor=None, **values):
    before = {
        "name": row.name,
        "scheme": row.scheme,
        "first_counter": row.first_counter,
        "is_default": row.is_default,
    }
    return schemes.change_scheme(scheme_id=row.pk, given=SchemeInput(**{**before, **values}), actor=actor)


def refused(action):
    with pytest.raises(BadField) as error:
        action()
    return error.value.field


# --- making and changing ----------------------------------------------------------------------------------------------
def test_the_first_scheme_of_an_account_is_its_default(in_a, ana):
    given = SchemeInput("Tags", Scheme("T{YY}-", 6, Alphabet.NO_LOOKALIKES, Check.MOD37_36), first_counter=40)
    made = schemes.create_scheme(given=given, actor=ana)
    assert made.is_default
    assert next(iter(reserve_block(count=2))) == made.scheme.number(40, timezone.localdate())
    made.refresh_from_db()
    assert (made.next_counter, made.is_used) == (42, True)
    entry = AuditEntry.objects.get(kind="number scheme")
    assert (entry.action, entry.label, entry.actor) == ("create", "Tags", ana)
    assert entry.changes["check_kind"] == [None, "ISO/IEC 7064 MOD 37,36"]


def test_another_default_takes_the_place_of_the_first(in_a):
    other = make_scheme(is_default=True)
    assert NumberScheme.objects.get(is_default=True) == other
    assert next(iter(reserve_block(count=1))).startswith(other.prefix)
    assert refused(lambda: change(other, is_default=False)) == "is_default"


def test_a_name_is_taken_whatever_its_case(in_a):
    assert refused(lambda: make_scheme(name="STANDARD")) == "name"


@pytest.mark.parametrize("scheme", [Scheme("SN", 8), Scheme("SN0", 7), Scheme("SN{YY}", 6), Scheme("", 10)])
def test_a_scheme_that_could_give_numbers_of_another_is_refused(in_a, scheme):
    reserve_block(count=1)
    if scheme.prefix == "":
        make_scheme(scheme)  # ten digits are never SN and eight
    else:
        assert refused(lambda: make_scheme(scheme)) == "prefix"


def test_an_archived_scheme_that_was_used_still_stands_in_the_way(in_a):
    used, unused = make_scheme(Scheme("A", 4)), make_scheme(Scheme("B", 4))
    reserve_block(count=1, scheme_id=used.pk)
    for row in (used, unused):
        schemes.archive_scheme(scheme_id=row.pk, actor=None)
    assert refused(lambda: make_scheme(Scheme("A", 4))) == "prefix"
    make_scheme(Scheme("B", 4))


def test_before_its_first_number_everything_of_a_scheme_may_change(in_a):
    row = change(make_scheme(), scheme=Scheme("X-", 5), first_counter=7)
    assert list(reserve_block(count=1, scheme_id=row.pk)) == ["X-00007"]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("prefix", {"scheme": Scheme("B", 4)}),
        ("width", {"scheme": Scheme("A", 5)}),
        ("alphabet", {"scheme": Scheme("A", 4, Alphabet.ALPHANUMERIC)}),
        ("check_kind", {"scheme": Scheme("A", 4, Alphabet.DIGITS, Check.MOD37_36)}),
        ("first_counter", {"first_counter": 2}),
    ],
)
def test_after_it_what_numbers_look_like_stays(in_a, ana, field, values):
    row = make_scheme(Scheme("A", 4))
    reserve_block(count=3, scheme_id=row.pk)
    row.refresh_from_db()
    assert refused(lambda: change(row, **values)) == field
    changed = change(row, ana, name="Other", scheme=Scheme("A", 4, is_gs1_safe=True))
    assert (changed.name, changed.is_gs1_safe, changed.next_counter) == ("Other", True, 4)
    assert AuditEntry.objects.filter(kind="number scheme").latest("pk").changes == {
        "name": [row.name, "Other"],
        "is_gs1_safe": ["no", "yes"],
    }


def test_a_first_number_past_the_last_is_refused(in_a):
    assert refused(lambda: make_scheme(Scheme("A", 2), first_counter=100)) == "first_counter"


def test_archiving_is_for_good_and_frees_no_number(in_a, ana):
    row, sku = make_scheme(Scheme("A", 4)), make_sku()
    reserve_block(count=3, scheme_id=row.pk)
    schemes.set_numbering(sku_id=sku.pk, scheme_id=row.pk, rule=Rule(), actor=None)
    schemes.archive_scheme(scheme_id=row.pk, actor=ana)
    row.refresh_from_db()
    assert (row.state, row.next_counter) == (SchemeState.ARCHIVED, 4)
    default = NumberScheme.objects.get(is_default=True)
    assert schemes_of([sku.pk]) == {sku.pk: default.pk}
    with pytest.raises(SchemeArchived, match="is archived"):
        reserve_block(count=1, scheme_id=row.pk)
    assert refused(lambda: change(row, name="Back")) == ""
    with pytest.raises(DomainError, match="default"):
        schemes.archive_scheme(scheme_id=default.pk, actor=ana)


def test_the_database_holds_what_the_services_promise(in_a):
    row = make_scheme()
    for values in (
        {"is_default": True},
        {"next_counter": 0},
        {"alphabet": "01"},
        {"check_kind": "mod10"},
        {"name_key": "STANDARD"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            NumberScheme.objects.filter(pk=row.pk).update(**values)


def test_another_accounts_scheme_is_unknown(account_a, account_b):
    with account_context(account_b):
        foreign = make_scheme()
    with account_context(account_a):
        sku = make_sku()
        with pytest.raises(DomainError, match="choose another"):
            schemes.set_numbering(sku_id=sku.pk, scheme_id=foreign.pk, rule=Rule(), actor=None)
        with pytest.raises(SchemeArchived):
            reserve_block(count=1, scheme_id=foreign.pk)
        for act in (lambda: change(foreign), lambda: schemes.archive_scheme(scheme_id=foreign.pk, actor=None)):
            with pytest.raises(NumberScheme.DoesNotExist):
                act()


def test_date_parts_are_those_of_the_accounts_day(in_a, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 12, 31, 23, 30, tzinfo=UTC))
    row = make_scheme(Scheme("{YY}{MM}{DD}-", 3))
    with timezone.override("Europe/Berlin"):
        assert list(reserve_block(count=1, scheme_id=row.pk)) == ["270101-001"]
    with timezone.override("UTC"):
        assert list(reserve_block(count=1, scheme_id=row.pk)) == ["261231-002"], "the counter goes on"


def test_a_scheme_gives_its_last_number_and_no_more(in_a):
    row = make_scheme(Scheme("A", 2, Alphabet.NO_LOOKALIKES), first_counter=397)
    with pytest.raises(NumbersExhausted):
        reserve_block(count=4, scheme_id=row.pk)
    assert list(reserve_block(count=3, scheme_id=row.pk)) == ["AYW", "AYX", "AYY"]
    with pytest.raises(NumbersExhausted, match="wider"):
        reserve_block(count=1, scheme_id=row.pk)


def test_a_scheme_that_runs_out_soon_is_named(in_a):
    make_scheme(Scheme("A", 3))
    low = make_scheme(Scheme("B", 3), name="Few", first_counter=950)
    archived = make_scheme(Scheme("C", 3), first_counter=950)
    schemes.archive_scheme(scheme_id=archived.pk, actor=None)
    assert low_schemes() == [low]
    assert low.state == SchemeState.LOW


# --- rules ------------------------------------------------------------------------------------------------------------
def test_a_sku_without_a_rule_takes_everything(in_a, ana):
    one, other = make_sku(), make_sku()
    rule = Rule(4, 6, Characters.DIGITS, "1.*")
    schemes.set_numbering(sku_id=one.pk, scheme_id=None, rule=rule, actor=ana)
    assert rules_of([one.pk, other.pk]) == {one.pk: rule, other.pk: Rule()}
    schemes.set_numbering(sku_id=one.pk, scheme_id=None, rule=rule, actor=ana)
    entry = AuditEntry.objects.get(kind="sku", action="change")
    assert entry.changes == {"number_rule": ["", "4 to 6 characters · Digits · 1.*"]}


# --- pages ------------------------------------------------------------------------------------------------------------
def address(name, **kwargs):
    return reverse(name, kwargs={"account_slug": "acme", **kwargs})


def test_an_admin_adds_a_scheme_on_the_page(client_for, ana, account_a):
    client = client_for(ana)
    assert "SN00000001" in client.get(address("scheme_new")).content.decode()
    answer = client.post(address("scheme_new"), {**FORM, "prefix": " t{yy}- ", "is_gs1_safe": "on"}, follow=True)
    assert "Tags is added." in answer.content.decode()
    with account_context(account_a):
        row = NumberScheme.objects.get()
    assert (row.prefix, row.is_default, row.is_gs1_safe) == ("T{YY}-", True, True)
    number = row.scheme.number(1, timezone.localdate())
    assert number in client.get(address("schemes")).content.decode()


@pytest.mark.parametrize(
    ("field", "values"),
    [("prefix", {"prefix": "a b"}), ("check_kind", {"check_kind": "luhn"}), ("width", {"width": "40"}), ("name", {})],
)
def test_what_is_wrong_is_said_at_its_field(client_for, ana, account_a, field, values):
    with account_context(account_a):
        make_scheme(name="Tags" if field == "name" else "Other")
    answer = client_for(ana).post(address("scheme_new"), {**FORM, **values})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]


def test_the_preview_follows_what_is_typed(client_for, ana, account_a):
    client = client_for(ana)
    shown = client.get(address("scheme_preview"), {**FORM, "prefix": "9", "check_kind": "luhn"}).content.decode()
    assert Scheme("9", 6, check=Check.LUHN).number(1, timezone.localdate()) in shown
    assert "999,999 of 999,999" in shown
    assert (
        "Luhn is for digits" in client.get(address("scheme_preview"), {**FORM, "check_kind": "luhn"}).content.decode()
    )
    assert client.get(address("scheme_preview")).status_code == 200


def test_the_preview_says_each_fault_once_under_its_field(client_for, ana, account_a):
    shown = client_for(ana).get(address("scheme_preview"), {**FORM, "prefix": "a b", "width": "0"}).content.decode()
    assert "Prefix: Use capital letters" in shown
    assert shown.count("Counter width: Use at least 1.") == 1


def test_the_preview_says_that_another_scheme_has_these_numbers(client_for, ana, account_a):
    with account_context(account_a):
        row = make_scheme()
    client, same = client_for(ana), {"prefix": row.prefix, "width": str(row.width)}
    assert "Its numbers could be those of" in client.get(address("scheme_preview"), {**FORM, **same}).content.decode()
    own = client.get(address("scheme_preview"), {**FORM, **same, "scheme": row.pk}).content.decode()
    assert "Its numbers could be those of" not in own


def test_the_default_counts_the_skus_that_name_no_scheme(account_a):
    with account_context(account_a):
        named = make_scheme(Scheme("B", 4), name="Named")
        skus = [make_serialized_sku() for _n in range(3)]
        set_numbering(sku_id=skus[0].pk, scheme_id=named.pk, rule=ANYTHING, actor=None)
        counts = {(row.is_default, row.name == "Named"): row.sku_count for row in scheme_rows()}
    assert counts == {(True, False): 2, (False, True): 1}


def test_a_skus_rules_say_what_they_are_for(client_for, ana, account_a):
    with account_context(account_a):
        sku = make_serialized_sku()
    assert "Numbers from outside</h2>" in client_for(ana).get(address("sku_numbers", pk=sku.pk)).content.decode()


def test_a_used_scheme_is_shown_and_only_its_name_changes(client_for, ana, account_a):
    with account_context(account_a):
        row = make_scheme(Scheme("A", 4))
        reserve_block(count=3, scheme_id=row.pk)
    client, url = client_for(ana), address("scheme", pk=row.pk)
    assert "A0004" in client.get(url).content.decode()
    assert client.post(url, {**FORM, "name": "Renamed", "prefix": "B"}).status_code == 302
    with account_context(account_a):
        row.refresh_from_db()
    assert (row.name, row.prefix, row.next_counter) == ("Renamed", "A", 4)


def test_the_list_warns_and_others_have_no_links(client_for, ana, olga, account_a):
    with account_context(account_a):
        row = make_scheme(Scheme("B", 3), name="Few", first_counter=950)
    for person, has_link in ((ana, True), (olga, False)):
        page = client_for(person).get(address("schemes")).content.decode()
        assert "“Few” runs out soon: 50 numbers are left." in page
        assert (address("scheme", pk=row.pk) in page) is has_link
        assert ("Add number scheme" in page) is has_link


def test_an_archived_scheme_is_on_the_list_without_a_next_number(client_for, ana, account_a):
    with account_context(account_a):
        row = make_scheme(Scheme("A", 4))
    assert client_for(ana).post(address("scheme_archive", pk=row.pk)).status_code == 302
    page = client_for(ana).get(address("schemes"), {"state": "1"}).content.decode()
    assert "Archived" in page
    assert "A0001" not in page
    assert "This scheme is archived." in client_for(ana).get(address("scheme", pk=row.pk)).content.decode()


def test_a_sku_shows_its_numbers_and_tries_one(client_for, ana, ben, account_a):
    with account_context(account_a):
        sku, scheme = make_sku(), make_scheme(name="Tags")
    url = address("sku_numbers", pk=sku.pk)
    data = {"scheme": scheme.pk, "min_length": "4", "max_length": "6", "characters": "digits", "pattern": ""}
    assert url in client_for(ana).get(address("sku", pk=sku.pk)).content.decode()
    assert client_for(ana).post(url, data).status_code == 302
    page = client_for(ben).get(address("sku", pk=sku.pk)).content.decode()
    assert url + '"' not in page
    for words in ("Tags", "4 to 6 characters · Digits", scheme.scheme.number(1, timezone.localdate())):
        assert words in page
    for number, words in (("12345", "12345 fits the rule."), ("12", "this one has 2"), ("", "cannot be empty")):
        for headers in ({}, {"HX-Request": "true"}):
            answer = client_for(ben).get(address("sku_try", pk=sku.pk), {"number": number}, headers=headers)
            assert words in answer.content.decode() or not number


def test_another_accounts_scheme_is_no_choice(client_for, ana, account_a, account_b):
    with account_context(account_b):
        foreign = make_scheme()
    with account_context(account_a):
        sku = make_sku()
    data = {"scheme": foreign.pk, "min_length": "1", "max_length": "9", "characters": "any"}
    answer = client_for(ana).post(address("sku_numbers", pk=sku.pk), data)
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["scheme"])
    with account_context(account_a):
        assert not SkuNumbering.objects.exists()


# --- at once ----------------------------------------------------------------------------------------------------------
@pytest.mark.commits("threads, each with a connection of its own")
def test_first_users_at_once_get_one_scheme_and_different_numbers(account_a):
    found, gate = [], threading.Barrier(6)

    def run():
        try:
            gate.wait()
            for _turn in range(20):
                with account_context(account_a):
                    found.extend(reserve_block(count=7))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 6 * 20 * 7
    with account_context(account_a):
        assert NumberScheme.objects.get().next_counter == 6 * 20 * 7 + 1


@pytest.mark.commits("threads, each with a connection of its own")
def test_who_waited_for_a_scheme_that_was_archived_takes_none_of_its_numbers(account_a):
    """Else a new scheme, which may look like one that was never used, could give the same number."""
    told = []
    with account_context(account_a):
        row = make_scheme(Scheme("A", 4))

    def reserve():
        try:
            reserve_block(count=1, scheme_id=row.pk)
        except SchemeArchived as error:
            told.append(str(error))

    with waiting_for(account_a, lambda: schemes.archive_scheme(scheme_id=row.pk, actor=None), reserve):
        pass
    with account_context(account_a):
        row.refresh_from_db()
        default = NumberScheme.objects.get(is_default=True)
        assert (row.is_used, default.next_counter) == (False, 2), "nor others instead"
    assert "is archived" in told[0]


# --- what older releases wrote ----------------------------------------------------------------------------------------
@pytest.mark.commits("migrations change the schema as the owner")
def test_the_oldest_scheme_becomes_the_default(account_a, account_b):
    rows = [(account_a, "SN", 42), (account_a, "X", 7), (account_b, "Y", 1)]
    with old_schema("serials", "0005_attribute_names") as old:
        for account, prefix, following in rows:
            old.run(
                "INSERT INTO serials_numberscheme (account_id, prefix, width, next_counter) VALUES (%s, %s, 8, %s)",
                account.pk,
                prefix,
                following,
            )
        old.migrate("serials", "0006_number_schemes")
    with account_context(account_a):
        one, other = NumberScheme.objects.order_by("pk")
        assert (one.name, one.is_default, one.is_used, other.is_default) == ("Standard", True, True, False)
        assert list(reserve_block(count=1)) == ["SN00000042"]
    with account_context(account_b):
        assert list(reserve_block(count=1)) == ["Y00000001"]
