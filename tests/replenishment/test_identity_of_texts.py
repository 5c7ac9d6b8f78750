"""One text in several spellings is one thing, and what nobody can see is refused: serials, lots, SKUs, bins, names."""

from datetime import date

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings, strategies as st

from oms import identity
from oms.errors import DomainError
from oms.models import Discrepancy, Stock
from oms.models.keys import validate_identity
from oms.queries.catalogue import skus_named
from oms.services import orders, people, stock
from replenishment.models import PlannedSerial
from replenishment.receiving import IncomingLot
from replenishment.services import planning
from replenishment.services.places import Lots
from replenishment.services.receiving import apply_receipt
from serials.models import Lot, Unit, UnitAttribute
from serials.services import attributes
from serials.services.attributes import by_person
from tests.factories import make_serialized_sku, make_sku, make_warehouse_link
from tests.replenishment.factories import incoming, incoming_line, line_of, make_replenishment, make_submitted
from tests.serials.factories import make_unit

pytestmark = pytest.mark.django_db
FIRST, OTHER = date(2027, 1, 31), date(2027, 2, 28)
HIDDEN = "SN\u034f1"


def receipts(sku, *lots):
    """The lots, each in a receipt of its own."""
    found = make_submitted((sku, 100), planned=False)
    for lot in lots:
        line = incoming_line(sku, lot.quantity, lots=[lot])
        apply_receipt(incoming(found, line), source=f"test:{found.number}:{lot.number}:{lot.expires_on}")


# --- lots -------------------------------------------------------------------------------------------------------------
def test_a_lot_is_one_whatever_its_case_and_width_and_is_shown_as_it_came_first(in_a):
    sku = make_sku()
    receipts(
        sku,
        IncomingLot("LX1", FIRST, None, 4),
        IncomingLot("lx1", OTHER, None, 4),
        IncomingLot("ＬＸ１", FIRST, None, 1),
    )
    lot = Lot.objects.get(sku=sku)
    assert (lot.number, lot.number_key, lot.expires_on) == ("LX1", "LX1", FIRST)
    assert list(Stock.objects.filter(sku=sku).values_list("lot_key", "quantity")) == [(lot.pk, 9)]


def test_another_expiry_under_another_spelling_is_a_discrepancy(in_a):
    sku = make_sku()
    receipts(sku, IncomingLot("LX1", FIRST, None, 4), IncomingLot("lx1", OTHER, None, 4))
    case = Discrepancy.objects.get(sku=sku, kind="lot_expiry")
    assert case.summary == ("Lot LX1, named “lx1”: expiry 2027-02-28 was sent, but 2027-01-31 is known and kept.")


def test_two_spellings_in_one_receipt_are_one_lot(in_a):
    sku = make_sku()
    found = make_submitted((sku, 9), planned=False)
    lots = [IncomingLot("lx1", FIRST, None, 4), IncomingLot("LX1", None, date(2026, 1, 1), 5)]
    apply_receipt(incoming(found, incoming_line(sku, 9, lots=lots)), source="test:two")
    lot = Lot.objects.get(sku=sku)
    assert (lot.number, lot.expires_on, lot.made_on) == ("lx1", FIRST, date(2026, 1, 1))
    assert Stock.objects.get(sku=sku).quantity == 9


def test_a_lot_that_an_older_release_parted_is_found_by_its_own_spelling(in_a):
    sku = make_sku()
    first = Lot.objects.create(sku=sku, number="LX1")
    second = Lot.objects.create(sku=sku, number="other")
    Lot.objects.filter(pk=second.pk).update(number="lx1", number_key=f"LX1~{second.pk}")
    lots = Lots((sku.pk, IncomingLot(number)) for number in ("LX1", "lx1", "Lx1"))
    assert [lots.find(sku.pk, number).pk for number in ("LX1", "lx1", "Lx1")] == [first.pk, second.pk, first.pk]
    assert Lot.objects.filter(sku=sku).count() == 2
    second.refresh_from_db()
    second.save()
    assert Lot.objects.get(pk=second.pk).number_key == f"LX1~{second.pk}"


def test_a_lot_that_nobody_can_see_waits_but_an_old_one_is_received(in_a):
    sku = make_sku()
    Lot.objects.create(sku=sku, number="OLD\u034f1")
    receipts(sku, IncomingLot("NEW\u034f1", FIRST, None, 2), IncomingLot("OLD\u034f1", FIRST, None, 3))
    assert [case.kind for case in Discrepancy.objects.filter(sku=sku)] == ["bad_lot"]
    assert dict(Stock.objects.filter(sku=sku).values_list("lot_key", "quantity")) == {
        0: 2,
        Lot.objects.get(sku=sku).pk: 3,
    }


# --- serials ----------------------------------------------------------------------------------------------------------
def test_a_serial_with_what_cannot_be_seen_is_not_planned(in_a):
    line = line_of(make_replenishment())
    with pytest.raises(DomainError) as refused:
        planning.add_serials(line_id=line.pk, serials=["SN1", HIDDEN], actor=None)
    assert "U+034F (COMBINING GRAPHEME JOINER)" in str(refused.value.faults[0].message)
    assert not PlannedSerial.objects.exists()


def test_two_compositions_of_one_serial_are_one(in_a):
    line = line_of(make_replenishment())
    with pytest.raises(DomainError):
        planning.add_serials(line_id=line.pk, serials=["i\u03071", "\u01301"], actor=None)


def test_a_unit_of_an_older_release_stays_usable_whatever_its_serial_holds(in_a):
    found = make_submitted((make_serialized_sku(), 1))
    planned = PlannedSerial.objects.get(line=line_of(found))
    Unit.objects.filter(serial_key=planned.serial_key).update(serial=HIDDEN, serial_key=HIDDEN)
    PlannedSerial.objects.filter(pk=planned.pk).update(serial=HIDDEN, serial_key=HIDDEN)
    sku = planned.sku
    receipt = apply_receipt(incoming(found, incoming_line(sku, serials=[HIDDEN, "SN\u034f2"])), source="test:old")
    assert Unit.objects.get(sku=sku).status == "ready"
    assert receipt.quantity == 1
    assert [case.kind for case in Discrepancy.objects.filter(kind="bad_serial")] == ["bad_serial"]


# --- everything else that a text identifies ---------------------------------------------------------------------------
def test_bins_zones_and_orders_are_the_same_in_every_spelling(in_a):
    link = make_warehouse_link()
    made = stock.add_bin(link=link, location="Zone", name="straße-1")
    assert stock.add_bin(link=link, location="ＺＯＮＥ", name="B2").location == made.location
    with pytest.raises(DomainError):
        stock.add_bin(link=link, location="Zone", name="STRASSE-1")
    line = orders.LineInput(make_sku().pk, 1)
    orders.add_order(number="so-1", lines=[line])
    with pytest.raises(DomainError):
        orders.add_order(number="ＳＯ-1", lines=[line])


def test_a_receipt_names_a_bin_in_any_spelling(in_a):
    sku = make_sku()
    found = make_submitted((sku, 9), planned=False)
    place = stock.add_bin(link=found.link, location="Main", name="A-1")
    for number, name in enumerate(["a-1", "Ａ-1", "A\u200b-1"]):
        apply_receipt(incoming(found, incoming_line(sku, 1, bin_name=name)), source=f"test:bin:{number}")
    assert list(Stock.objects.filter(sku=sku).values_list("bin", "quantity")) == [(place.pk, 3)]


@pytest.mark.parametrize("text", ["a\u200bb", "a\u202eb", "a\u034fb", "a\u2800b", "a\x1bb"])
def test_names_hold_nothing_that_cannot_be_seen(in_a, olga, text):
    link, unit = make_warehouse_link(), make_unit()
    line = orders.LineInput(make_sku().pk, 1)
    calls = [
        lambda: stock.add_bin(link=link, location=text, name="B"),
        lambda: stock.add_bin(link=link, location="Main", name=text),
        lambda: orders.add_order(number=text, lines=[line]),
        lambda: orders.add_order(number="N", lines=[line], reference=text),
        lambda: people.add_member(email="x@example.com", name=text, role="viewer", actor=olga),
        lambda: people.create_account(name=text, slug="new", admin=olga),
        lambda: attributes.set_attribute(units=[unit.pk], name=text, value="x", overwrite=True, by=by_person(None)),
        lambda: attributes.set_attribute(units=[unit.pk], name="x", value=text, overwrite=True, by=by_person(None)),
    ]
    for call in calls:
        with pytest.raises(DomainError, match=r"U\+"), transaction.atomic():
            call()


# --- any text ---------------------------------------------------------------------------------------------------------
TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(min_codepoint=0x80), max_size=6),
    st.text("aAßſİi\u0307ﬁ\u0345Ǆ ́\u034f\u200b\u2800\u00ad1-", max_size=8),
)


def taken(call, text):
    """What `call` made of the text; None where it was refused, in words."""
    try:
        with transaction.atomic():
            return call(text)
    except DomainError:
        return None


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(TEXTS)
@example("i\u03071")
@example("\u0345")
@example("ß" * 51)
@example("\ufdfa" * 10)
@example("a\0b")
@example("\ud800")
def test_any_text_is_refused_in_words_or_found_again_as_it_was_typed(in_a, text):
    with transaction.atomic():
        _any_text(text)
        transaction.set_rollback(True)


def _any_text(text):
    sku, link, unit = make_serialized_sku(), make_warehouse_link(), make_unit()
    line = line_of(make_replenishment((sku, 2), link=link))

    def plan(serial):
        planning.add_serials(line_id=line.pk, serials=[serial], actor=None)
        return PlannedSerial.objects.get(line=line)

    def name_bin(name):
        return stock.add_bin(link=link, location="Main", name=name)

    def attribute(name):
        attributes.set_attribute(units=[unit.pk], name=name, value="x", overwrite=True, by=by_person(None))
        return UnitAttribute.objects.get(unit=unit)

    if row := taken(plan, text):
        assert row.serial_key == identity.key(row.serial) == identity.key(row.serial_key)
        assert taken(plan, row.serial_key) is None
    if row := taken(name_bin, text):
        assert taken(name_bin, row.name_key) is None
    if row := taken(attribute, text):
        assert attribute(row.name_key) == row
    _any_code(text)
    lot = _lot(sku, text)
    assert (lot is None) == (taken(lambda text: identity.check(text, most=100), text) is None)
    if lot:
        assert _lot(sku, lot.number_key) == lot


def _any_code(text):
    try:
        validate_identity(text)
    except ValidationError:
        return
    if 0 < len(text.strip()) <= 80:
        sku = make_sku(code=text.strip())
        assert skus_named([text])[text] == sku == skus_named([sku.code_key])[sku.code_key]


def _lot(sku, text):
    return Lots([(sku.pk, IncomingLot(text, FIRST))]).find(sku.pk, text)
