"""Generated and typed numbers of replenishment lines: schemes of SKUs, rules, look-alikes, nothing given twice."""

import random
import threading

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from oms.errors import DomainError
from oms.models import Discrepancy
from oms.tenancy import account_context
from replenishment.models import Outcome, PlannedSerial, PlannedState, ReceivedSerial, ReplenishmentLine
from replenishment.services import planning, receiving
from replenishment.services.lookalikes import look_alikes
from serials.models import NumberScheme, Unit
from serials.numbering.check_characters import Check
from serials.numbering.rules import Characters, Rule
from serials.numbering.schemes import Alphabet, Scheme
from serials.services import schemes
from serials.services.numbers import NumbersExhausted
from tests.factories import make_serialized_sku
from tests.replenishment.factories import (
    generate,
    incoming,
    incoming_line,
    line_of,
    make_replenishment,
    make_submitted,
)
from tests.serials.factories import make_scheme

pytestmark = pytest.mark.django_db


def serials(replenishment):
    rows = PlannedSerial.objects.filter(line__replenishment=replenishment, state=PlannedState.PLANNED)
    return list(rows.order_by("pk").values_list("serial", flat=True))


def use(sku, scheme=None, rule=Rule()):  # noqa: B008  (it is frozen)
    schemes.set_numbering(sku_id=sku.pk, scheme_id=scheme.pk if scheme else None, rule=rule, actor=None)
    return sku


def add(made, *typed, position=1):
    return planning.add_serials(line_id=line_of(made, position).pk, serials=typed, actor=None)


def receive(made, *lines):
    receiving.apply_receipt(incoming(made, *lines), source="test:1")


# --- schemes of SKUs --------------------------------------------------------------------------------------------------
def test_each_line_has_its_numbers_from_the_scheme_of_its_sku(in_a):
    tags = make_scheme(Scheme("T{YY}-", 5, Alphabet.NO_LOOKALIKES, Check.MOD37_36))
    own, plain = use(make_serialized_sku(), tags), make_serialized_sku()
    made = make_replenishment((own, 3), (plain, 2), (own, 2))
    assert generate(made) == 7
    found, today = serials(made), timezone.localdate()
    expected = list(tags.scheme.numbers(1, 5, today))
    assert found == [*expected[:3], "SN00000002", "SN00000003", *expected[3:]]
    assert all(tags.scheme.verify(text) for text in expected)


def test_lines_of_many_schemes_take_one_statement_to_insert(in_a):
    skus = [use(make_serialized_sku(), make_scheme()) for _n in range(3)]
    made = make_replenishment(*[(sku, 4) for sku in skus])
    with CaptureQueriesContext(connection) as queries:
        generate(made)
    inserts = [query for query in queries if "INSERT INTO replenishment_plannedserial" in query["sql"]]
    reserved = [query for query in queries if query["sql"].lstrip().startswith("UPDATE serials_numberscheme")]
    assert (len(inserts), len(reserved)) == (1, 3)


def test_taken_numbers_of_any_alphabet_are_skipped(in_a):
    tags = make_scheme(Scheme("T", 3, Alphabet.NO_LOOKALIKES, Check.MOD37_36))
    sku = use(make_serialized_sku(), tags)
    future = list(tags.scheme.numbers(1, 6, timezone.localdate()))
    submitted = make_submitted((sku, 1), planned=False)
    typed = make_replenishment((sku, 2))
    add(typed, future[1].lower(), future[3])
    made = make_replenishment((sku, 4))
    assert generate(made) == 4
    assert serials(made) == [future[0], future[2], future[4], future[5]]
    assert submitted.pk != made.pk


def test_a_number_that_another_scheme_gave_and_that_was_removed_is_never_given_again(in_a):
    """The services refuse such a scheme; numbers that were given are safe even from one that is there all the same."""
    sku = make_serialized_sku()
    made = make_replenishment((sku, 3))
    generate(made)
    planning.remove_serials(line_id=line_of(made).pk, planned_ids=None, actor=None)
    twin = NumberScheme.objects.create(name="Twin", prefix="SN0", width=7)
    generate_line = line_of(made)
    use(sku, twin)
    planning.generate_serials(replenishment_id=made.pk, line_ids=[generate_line.pk], actor=None)
    assert serials(made) == ["SN00000004", "SN00000005", "SN00000006"]


def test_a_scheme_that_has_too_few_left_gives_none(in_a):
    few = make_scheme(Scheme("A", 1))
    made = make_replenishment((use(make_serialized_sku(), few), 10))
    with pytest.raises(NumbersExhausted, match="10 numbers"):
        generate(made)
    few.refresh_from_db()
    assert (serials(made), few.next_counter) == ([], 1)


def test_generate_says_that_the_scheme_runs_out_soon(client_for, olga, account_a):
    with account_context(account_a):
        few = make_scheme(Scheme("A", 2), name="Few", first_counter=85)
        made = make_replenishment((use(make_serialized_sku(), few), 10))
        line = line_of(made)
    url = reverse("replenishment_generate", kwargs={"account_slug": "acme", "pk": made.pk})
    page = client_for(olga).post(url, {"line": line.pk}, follow=True).content.decode()
    assert "“Few” runs out soon: 5 numbers are left." in page


@pytest.mark.commits("threads, each with a connection of its own")
def test_no_number_is_given_twice_across_threads_schemes_and_deletes(account_a):
    """Eight people generate and remove at once, on SKUs of three schemes; every number that ever was is another."""
    with account_context(account_a):
        tags = [make_scheme(Scheme("T", 4, Alphabet.ALPHANUMERIC, Check.MOD37_36)), make_scheme(Scheme("9", 7)), None]
        skus = [use(make_serialized_sku(), scheme) for scheme in tags]
        works = [make_replenishment(*[(sku, 20) for sku in skus]).pk for _n in range(8)]
    failed, gate = [], threading.Barrier(8)

    def run(pk):
        chance = random.Random(pk)  # noqa: S311
        try:
            gate.wait()
            for _turn in range(6):
                with account_context(account_a):
                    lines = list(ReplenishmentLine.objects.filter(replenishment=pk).values_list("pk", flat=True))
                    chance.shuffle(lines)
                    planning.generate_serials(replenishment_id=pk, line_ids=lines, actor=None)
                for line in lines:
                    with account_context(account_a):
                        planning.remove_serials(line_id=line, planned_ids=None, actor=None)
        except Exception as error:  # noqa: BLE001  (the main thread says it)
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[pk]) for pk in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with account_context(account_a):
        rows = PlannedSerial.objects.filter(is_generated=True)
        assert rows.count() == 8 * 6 * 60
        assert rows.values("serial_key").distinct().count() == 8 * 6 * 60
        used = dict(NumberScheme.objects.values_list("prefix", "next_counter"))
    assert used["T"] == used["9"] == 8 * 6 * 20 + 1


# --- rules ------------------------------------------------------------------------------------------------------------
def test_the_rule_of_the_sku_holds_for_typed_numbers(in_a):
    sku = use(make_serialized_sku(), rule=Rule(5, 8, Characters.ALPHANUMERIC, "[A-Z]{2}[0-9]+"))
    made = make_replenishment((sku, 9), (make_serialized_sku(), 2))
    with pytest.raises(planning.BadSerials) as refused:
        add(made, "AB123", "ab-12", "AB1", "12345", "AB12345678")
    words = {fault.place: fault.message for fault in refused.value.faults}
    assert sorted(words) == [2, 3, 4, 5]
    assert "“-”" in words[2]
    assert "this one has 3" in words[3]
    assert "[A-Z]{2}[0-9]+" in words[4]
    assert add(made, "AB123", "ab9999") == 2
    assert add(made, "12345", "-", position=2) == 2, "the rule is of one SKU"


def test_generated_numbers_need_not_fit_the_rule(in_a):
    made = make_replenishment((use(make_serialized_sku(), rule=Rule(characters=Characters.DIGITS)), 2))
    assert generate(made) == 2


def test_a_number_of_a_receipt_that_breaks_the_rule_waits(in_a):
    sku = use(make_serialized_sku(), rule=Rule(pattern="LAP[0-9]{3}"))
    made = make_submitted((sku, 3), planned=False)
    receive(made, incoming_line(sku, serials=["LAP001", "lap002", "LPA003"]))
    outcomes = dict(ReceivedSerial.objects.values_list("serial", "outcome"))
    assert outcomes == {"LAP001": Outcome.NEW, "lap002": Outcome.NEW, "LPA003": Outcome.BAD}
    assert set(Unit.objects.values_list("serial", flat=True)) == {"LAP001", "lap002"}
    case = Discrepancy.objects.get(kind="bad_serial")
    assert "LPA003" in case.summary
    assert "LAP[0-9]{3}" in case.summary


def test_numbers_that_were_planned_before_the_rule_are_received(in_a):
    sku = make_serialized_sku()
    made = make_submitted((sku, 2))
    planned = serials(made)
    use(sku, rule=Rule(pattern="LAP[0-9]{3}"))
    receive(made, incoming_line(sku, serials=planned))
    assert set(ReceivedSerial.objects.values_list("outcome", flat=True)) == {Outcome.MATCHED}


def test_a_rule_is_asked_for_once_whatever_the_number_of_skus(in_a):
    skus = [use(make_serialized_sku(), rule=Rule(pattern="A.*")) for _n in range(3)]
    made = make_submitted(*[(sku, 1) for sku in skus], planned=False)
    lines = [incoming_line(sku, serials=[f"A{n}"]) for n, sku in enumerate(skus)]
    with CaptureQueriesContext(connection) as queries:
        receive(made, *lines)
    assert len([query for query in queries if "serials_skunumbering" in query["sql"]]) == 1


# --- look-alikes ------------------------------------------------------------------------------------------------------
def pairs(made):
    return [(pair.serial, pair.other) for pair in look_alikes(line_of(made))]


def test_a_typed_number_that_looks_like_another_is_named(in_a):
    sku, other_sku = make_serialized_sku(), make_serialized_sku()
    make_submitted((sku, 2))
    draft = make_replenishment((sku, 1), (other_sku, 1))
    add(draft, "Lap-1")
    add(draft, "ABB", position=2)
    made = make_replenishment((sku, 9))
    add(made, "SNOOOOOOO1", "LAP-I", "AB8", "X-1", "x-l", "SAME")
    assert pairs(made) == [("SNOOOOOOO1", "SN00000001"), ("LAP-I", "Lap-1"), ("x-l", "X-1")]


def test_it_is_a_warning_on_the_page_while_it_can_be_changed(client_for, olga, account_a):
    with account_context(account_a):
        sku = make_serialized_sku()
        make_submitted((sku, 1))
        made = make_replenishment((sku, 1))
        line = line_of(made)
    url = reverse("replenishment_line_serials", kwargs={"account_slug": "acme", "pk": line.pk})
    page = client_for(olga).post(url, {"serials": "SN0000000I"}, follow=True).content.decode()
    assert "These look like others of this SKU" in page
    assert '<span class="mono">SN0000000I</span> looks like <span class="mono">SN00000001</span>' in page


def test_many_typed_numbers_take_two_statements(in_a):
    sku = make_serialized_sku()
    made = make_replenishment((sku, 300))
    add(made, *[f"S{number:03}{tail}" for number in range(150) for tail in ("B", "8")])
    line = line_of(made)
    with CaptureQueriesContext(connection) as queries:
        assert len(look_alikes(line)) == 150
    assert len(queries) == 2


def test_generated_numbers_never_warn(in_a):
    sku = make_serialized_sku()
    made = make_replenishment((sku, 200))
    generate(made)
    assert pairs(made) == []
    with pytest.raises(DomainError):
        add(made, "MORE")
