"""Backup, more work, restore elsewhere, more work: nothing is given twice, lost or confused; the warehouse is real."""

import os
import shutil
from contextlib import contextmanager
from datetime import datetime
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from psycopg import sql

from channels_sync.models import Connection, Cursor, Delivery, DeliveryState, InboundMessage, InboundState
from channels_sync.services import applying, push as pushing
from channels_sync.services.pull import pull
from channels_sync.services.push import push
from oms import files, outbox
from oms.management.commands.bench import switch
from oms.models import Discrepancy, Installation, OutboxMessage, Sku, StoredFile
from oms.postgresql.owner import as_owner
from oms.tenancy import account_context
from replenishment.lifecycle import Status
from replenishment.models import PlannedSerial, Replenishment
from replenishment.services import submitting
from serials.models import Unit
from tests import databases
from tests.factories import make_serialized_sku
from tests.replenishment.factories import generate, make_replenishment, make_submitted

pytestmark = pytest.mark.commits("a restore reads what was committed")


@pytest.fixture
def elsewhere(db, settings):
    """`with elsewhere():` another machine: an empty database of both roles, and an empty folder of files."""
    name = f"test_lotline_{os.getpid()}_gw{uuid4().int % 10**9}"  # of a session that dies, the next one drops it
    folder = settings.FILES_ROOT.with_name(name)
    here = settings.STORAGES

    @contextmanager
    def there():
        before = switch(name)
        settings.STORAGES = {**here, "default": {**here["default"], "OPTIONS": {"location": folder}}}
        try:
            yield name
        finally:
            settings.STORAGES = here
            switch(before)

    with as_owner() as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield there
    databases.drop(name)
    shutil.rmtree(folder, ignore_errors=True)


class Merchant:
    """Account A at work over its connection to the warehouse, whichever database is the current one."""

    def __init__(self, account, warehouse):
        self.account, self.warehouse = account, warehouse

    def inside(self):
        return account_context(self.account)

    def sku(self):
        return Sku.objects.filter(code="GEN").first() or make_serialized_sku(code="GEN")

    def draft(self, count=3):
        with self.inside():
            made = make_replenishment((self.sku(), count), link=Connection.objects.get().link)
            generate(made)
        return made

    def submit(self, count=3):
        """A replenishment with generated serials is submitted, and the message about it made."""
        with self.inside():
            made = make_submitted((self.sku(), count), link=Connection.objects.get().link)
        outbox.drain(self.account.pk)
        return made

    def send(self):
        with self.inside():
            Delivery.objects.update(next_at="2020-01-01T00:00Z")
            Connection.objects.update(resting_until=None)
        while push(self.account.pk):
            pass

    def ask(self):
        with self.inside():
            Cursor.objects.update(next_at="2020-01-01T00:00Z")
            Connection.objects.update(resting_until=None)
        pull(self.account.pk)

    def serials(self):
        with self.inside():
            return set(PlannedSerial.objects.values_list("serial", flat=True))

    def state_of(self, made):
        with self.inside():
            return Delivery.objects.filter(label=made.number).values_list("state", "error").last()


@pytest.fixture
def acme(account_a, warehouse, connection):
    return Merchant(account_a, warehouse)


def restore(path, **options):
    call_command("restore", str(path), **{"yes": "jump" not in options, **options})


@pytest.fixture
def saved(tmp_path):
    """`saved()` makes a backup now."""

    def make(name="backup", **options):
        call_command("backup", str(tmp_path / name), **options)
        return tmp_path / name

    return make


class Past:
    """What was done, with a backup in the middle: each replenishment is named after what the backup knows of it."""

    def __init__(self, acme, warehouse, saved):
        self.known = acme.submit()
        acme.send()
        warehouse.receive(self.known.number)
        acme.ask()
        self.waiting, self.draft = acme.submit(), acme.draft()  # not told yet; not even submitted
        self.path = saved()
        acme.send()
        with acme.inside():
            submitting.submit(replenishment_id=self.draft.pk, actor=None)
        outbox.drain(acme.account.pk)
        self.unknown = acme.submit(50)
        acme.send()
        for made in (self.waiting, self.draft, self.unknown):
            warehouse.receive(made.number)
        acme.ask()
        self.serials, self.told = acme.serials(), warehouse.counts()["by_reference"]
        assert set(self.told.values()) == {1}


def test_nothing_is_given_twice_lost_or_confused(acme, warehouse, saved, elsewhere, capsys):
    past = Past(acme, warehouse, saved)
    with elsewhere():
        restore(past.path)
        assert "The ledger is sound." in capsys.readouterr().out
        known = acme.serials()
        assert known < past.serials

        # What had not been told is looked for, found, and received once, by the receipt that is there already.
        acme.send()
        assert acme.state_of(past.waiting) == (DeliveryState.SENT, "")
        acme.ask()
        with acme.inside():
            assert Replenishment.objects.get(pk=past.waiting.pk).status == Status.COMPLETED
            assert not Replenishment.objects.filter(number=past.unknown.number).exists()
            cases = InboundMessage.objects.filter(state=InboundState.DISCREPANCY)
            assert {case.raw["reference"] for case in cases} == {past.draft.number, past.unknown.number}

        # New work gets new numbers, and is told.
        new = acme.submit(60)
        acme.send()
        assert acme.state_of(new) == (DeliveryState.SENT, "")
        assert (acme.serials() - known) & past.serials == set()
        assert int(new.number[2:]) - int(past.draft.number[2:]) > 1000
        warehouse.receive(new.number)
        acme.ask()
        with acme.inside():
            assert Replenishment.objects.get(pk=new.pk).status == Status.COMPLETED

        # The draft of the backup was sent since, by nobody that the database knows: a person compares.
        with acme.inside():
            submitting.submit(replenishment_id=past.draft.pk, actor=None)
        outbox.drain(acme.account.pk)
        acme.send()
        assert acme.state_of(past.draft) == (DeliveryState.FAILED, pushing.SENT_BEFORE % {"number": past.draft.number})
        assert warehouse.counts()["by_reference"] == {**past.told, new.number: 1}
        call_command("check_ledger")


def test_a_message_keeps_its_key_and_new_ones_get_another_epoch(acme, saved, elsewhere):
    waiting = acme.submit()
    with acme.inside():
        unheard = make_submitted((acme.sku(), 1), link=Connection.objects.get().link)
        key = Delivery.objects.get(label=waiting.number).key
        epochs = set(OutboxMessage.objects.values_list("epoch", flat=True))
    path = saved()
    outbox.drain(acme.account.pk)
    with acme.inside():
        key_of_unheard = Delivery.objects.get(label=unheard.number).key
        assert OutboxMessage.objects.filter(epoch=1).count() == OutboxMessage.objects.count()
    with elsewhere():
        restore(path)
        uid, epoch = Installation.objects.values_list("uid", "epoch").get()
        assert epoch > max(epochs)
        outbox.drain(acme.account.pk)
        new = acme.submit()
        with acme.inside():
            rows = {row.label: row for row in Delivery.objects.all()}
        assert rows[waiting.number].key == key
        assert rows[unheard.number].key == key_of_unheard
        assert f"-{epoch}-" in rows[new.number].key
        assert [rows[made.number].look_first for made in (waiting, unheard, new)] == [True, True, False]
    assert list(Installation.objects.values_list("uid", "epoch")) == [(uid, 1)]


def test_what_was_being_sent_is_looked_for(acme, warehouse, saved, elsewhere):
    made = acme.submit()
    warehouse.fault(do="lose_answer")
    acme.send()
    with acme.inside():
        Delivery.objects.update(state=DeliveryState.SENDING, lease_until="2099-01-01T00:00Z", attempts=1)
    path = saved()
    with elsewhere():
        restore(path)
        assert acme.state_of(made)[0] == DeliveryState.WAITING
        with acme.inside():
            assert Delivery.objects.get().lease_until is None
        acme.send()
        assert acme.state_of(made)[0] == DeliveryState.SENT
        assert warehouse.counts()["by_reference"] == {made.number: 1}


def test_what_was_cancelled_since_is_a_case(acme, warehouse, saved, elsewhere):
    made = acme.submit()
    path = saved()
    acme.send()
    with acme.inside():
        submitting.cancel(replenishment_id=made.pk, reason="Not needed", actor=None)
    outbox.drain(acme.account.pk)
    acme.send()
    assert warehouse.counts()["cancelled"] == 1
    with elsewhere():
        restore(path)
        acme.send()
        assert acme.state_of(made) == (DeliveryState.FAILED, f"{made.number} is cancelled in the warehouse.")


def test_a_receipt_older_than_its_replenishment_is_a_case_until_somebody_replays_it(acme, warehouse, ana, client_for):
    made = acme.submit()
    acme.send()
    warehouse.receive(made.number)
    with acme.inside():
        Replenishment.objects.update(submitted_at="2099-01-01T12:00Z")
    acme.ask()
    with acme.inside():
        message = InboundMessage.objects.get()
        assert message.state == InboundState.DISCREPANCY
        assert "before R-" in message.error
        assert "was submitted on 2099-01-01 13:00 CET" in message.error, "as the account's clocks say, not the worker's"
        assert not Unit.objects.filter(status="ready").exists()
    answer = client_for(ana).post(f"/acme/sync/messages/in/{message.pk}/replay/", follow=True)
    assert "It is applied." in answer.content.decode()
    with acme.inside():
        assert Unit.objects.filter(status="ready").count() == 3
        assert [case.is_open for case in Discrepancy.objects.all()] == [False]


def test_who_was_told_that_a_receipt_is_older_is_not_told_again(acme, warehouse):
    """A replay that fails for another reason, in another zone: the next one begins where that ended."""
    made = acme.submit()
    acme.send()
    warehouse.receive(made.number)
    with acme.inside():
        Replenishment.objects.update(submitted_at="2099-01-01T12:00Z")
        link = Connection.objects.get().link_id
    acme.ask()
    with acme.inside(), timezone.override("Asia/Tokyo"):
        pk = InboundMessage.objects.get().pk
        Connection.objects.update(link=None)
        assert applying.replay(message_id=pk, actor=None) == InboundState.DISCREPANCY
        assert "runs no warehouse" in InboundMessage.objects.get().error
        Connection.objects.update(link=link)
        assert applying.replay(message_id=pk, actor=None) == InboundState.APPLIED


def test_clocks_may_differ_by_minutes(acme, warehouse):
    made = acme.submit()
    acme.send()
    receipt = warehouse.receive(made.number)
    with acme.inside():
        late = datetime.fromisoformat(receipt["received_at"]) + applying.CLOCKS / 2
        Replenishment.objects.update(submitted_at=late)
    acme.ask()
    with acme.inside():
        assert InboundMessage.objects.get().state == InboundState.APPLIED


def test_files_come_back_and_what_the_disk_lost_is_told(acme, saved, elsewhere, capsys):
    with acme.inside():
        kept = files.store("kept.csv", "text/csv", [b"a,b", b"\r\n" * 50_000])
        lost = files.store("lost.csv", "text/csv", [b"x"])
    files._remove(files._path(acme.account.pk, lost.key))
    path = saved(lost_files_ok=True)
    assert "1 are lost" in capsys.readouterr().out
    with elsewhere():
        restore(path)
        with acme.inside():
            row = StoredFile.objects.get(pk=kept.pk)
        with files.open_file(row) as file:
            assert file.read() == b"a,b" + b"\r\n" * 50_000
        place = files._path(acme.account.pk, kept.key)
        assert (place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert "elsewhere" not in str(place)


def test_a_database_that_is_not_empty_is_not_touched(acme, saved):
    path = saved()
    with acme.inside():
        before = list(Sku.objects.values_list())
    with pytest.raises(CommandError, match="is not empty, and a restore removes nothing"):
        restore(path)
    with acme.inside():
        assert list(Sku.objects.values_list()) == before
