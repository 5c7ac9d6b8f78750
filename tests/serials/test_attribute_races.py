"""Whoever writes attributes locks the units first, by their ids, then their SKUs: nobody waits in a circle."""

import io
import threading
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, OperationalError, connections, transaction

from oms.models import Sku
from oms.tenancy import account_context
from serials.models import Unit, UnitAttribute
from serials.services import attributes
from serials.services.attributes_csv import apply_import
from tests.factories import make_serialized_sku
from tests.oms.jobs_at_work import is_waiting, until
from tests.serials.factories import make_units
from tests.serials.test_ledger_races import at_once

pytestmark = pytest.mark.commits("threads, each with a connection of its own")
BY = attributes.by_person(None)
SECONDS = 30


def waiting(account, held, call):
    """Inside, this connection has locked the rows `held`, and another one does `call` and waits for them."""
    return waiting_for(account, lambda: list(held.select_for_update(of=("self",))), call)


@contextmanager
def waiting_for(account, first, call):
    """Inside, this connection has done `first` without a commit, and another one does `call` and waits for it."""
    failed = []

    def run():
        try:
            with account_context(account):
                call()
        except DatabaseError as error:
            failed.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    try:
        with account_context(account):
            first()
            thread.start()
            until(is_waiting)
            yield
    finally:
        thread.join(SECONDS)
    assert not thread.is_alive()
    assert not failed, failed


def is_free(rows):
    """Whether these rows could be locked now."""
    try:
        with transaction.atomic():
            return bool(list(rows.select_for_update(of=("self",), nowait=True)))
    except OperationalError:
        return False


def file_of(*units, name="Grade", value="B"):
    lines = ["SKU,Serial,Attribute,Value", *(f"{unit.sku.code},{unit.serial},{name},{value}" for unit in units)]
    return io.BytesIO("\n".join(lines).encode())


@pytest.fixture
def units(account_a):
    """Six units of two SKUs, by turns, all with a grade; the first has the second SKU."""
    with account_context(account_a):
        one, two = make_serialized_sku(), make_serialized_sku()
        made = [make_units(1, sku=sku)[0] for sku in (two, one, two, one, two, one)]
        attributes.set_attribute(units=[unit.pk for unit in made], name="Grade", value="A", overwrite=True, by=BY)
        return list(Unit.objects.select_related("sku").order_by("pk"))


@pytest.mark.parametrize("way", ["csv", "bulk"])
def test_who_waits_for_a_unit_has_locked_no_attribute(account_a, units, way):
    def write():
        if way == "csv":
            apply_import(file_of(*units), overwrite=True, by=BY)
        else:
            attributes.set_attribute(units=[u.pk for u in units], name="Grade", value="B", overwrite=True, by=BY)

    with waiting(account_a, Unit.objects.filter(pk=units[3].pk), write):  # as one who edits this one's attributes does
        assert is_free(UnitAttribute.objects.all())
    with account_context(account_a):
        assert set(UnitAttribute.objects.values_list("value", flat=True)) == {"B"}


@pytest.mark.parametrize("chunk", [1, 100])
def test_units_are_locked_by_their_ids_whatever_the_order_of_the_file(account_a, units, monkeypatch, chunk):
    monkeypatch.setattr(attributes, "CHUNK", chunk)

    def write():
        apply_import(file_of(*reversed(units)), overwrite=True, by=BY)

    with waiting(account_a, Unit.objects.filter(pk=units[2].pk), write):
        # The third is ours and cannot tell: what this connection has locked it can lock again.
        assert [is_free(Unit.objects.filter(pk=unit.pk)) for unit in units] == [False] * 2 + [True] * 4
        assert is_free(Sku.objects.all())


def test_skus_are_locked_by_their_ids_after_all_units(account_a, units, monkeypatch):
    """As somebody who changes the Serial attribute of both locks them: one chunk's SKU must not come before."""
    monkeypatch.setattr(attributes, "CHUNK", 1)
    one, two = sorted({unit.sku_id for unit in units})

    def write():
        apply_import(file_of(*units), overwrite=True, by=BY)

    with waiting(account_a, Sku.objects.filter(pk=one), write):
        assert is_free(Sku.objects.filter(pk=two))
        assert not any(is_free(Unit.objects.filter(pk=unit.pk)) for unit in units)


def test_imports_bulk_and_single_edits_of_the_same_units_never_deadlock(account_a, units, monkeypatch):
    monkeypatch.setattr(attributes, "CHUNK", 2)

    def save(turn):
        known = attributes.attributes_of(units[0].pk)
        wanted = {"Grade": f"{turn}", "Size": f"{turn}"}
        seen = attributes.fingerprint(known)
        attributes.save_attributes(unit_id=units[0].pk, attributes=wanted, seen=seen, by=BY)

    for turn in range(15):
        at_once(
            account_a,
            lambda: apply_import(file_of(*units, value=f"a{turn}"), overwrite=True, by=BY),  # noqa: B023
            lambda: apply_import(file_of(*reversed(units), value=f"b{turn}"), overwrite=True, by=BY),  # noqa: B023
            lambda: save(turn),  # noqa: B023
        )
    with account_context(account_a):
        assert UnitAttribute.objects.filter(name="Grade").count() == 6
