"""The whole way with a real worker, real processes and a real kill -9; the counterpart's own count decides."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from channels_sync.models import Connection, Cursor, Delivery, DeliveryState, Health
from oms.tenancy import account_context
from serials.models import Unit, UnitEvent
from tests.channels_sync.warehouse import TOKEN, WarehouseProcess, connect, submitted
from tests.factories import make_serialized_sku
from tests.worker_process import WorkerProcess, wait_until

pytestmark = [pytest.mark.commits("another process looks at the rows"), pytest.mark.xdist_group("sync_worker")]
QUICK = {
    "LOTLINE_SYNC_LEASE_SECONDS": "4",
    "LOTLINE_SYNC_FIRST_WAIT_SECONDS": "0.3",
    "LOTLINE_PRIVATE_HOSTS": "*",
    "LOTLINE_VISIBILITY_TIMEOUT": "60",
}


@pytest.fixture(scope="module")
def worker(django_db_setup, django_db_blocker, tmp_path_factory):
    process = WorkerProcess(tmp_path_factory.mktemp("worker"), env=QUICK)
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.stop()


@pytest.fixture
def place(tmp_path, settings, account_a):
    """A sandbox of its own that receives after a moment, connected to A."""
    settings.LOTLINE_PRIVATE_HOSTS = ["*"]
    process = WarehouseProcess(tmp_path, delay=0.5)
    process.client = "acme"
    yield process
    with suppress(ProcessLookupError, ValueError):
        process.clear()
        process.end()


def in_account(account, read):
    with account_context(account):
        return read()


def units(account):
    with account_context(account):
        return dict(Unit.objects.exclude(bin=None).values_list("serial", "bin__name"))


def wait_for_units(account, place, count, worker):
    wait_until(lambda: len(units(account)) == count, what=f"{count} units are received. {worker.log}", seconds=90)
    assert units(account) == place.units()


def connected(account, place):
    with account_context(account):
        return connect(place)


def test_from_submit_to_the_bins(worker, place, account_a):
    connection = connected(account_a, place)
    made = in_account(account_a, lambda: submitted(connection))
    wait_for_units(account_a, place, 3, worker)
    assert place.counts()["by_reference"] == {made.number: 1}
    with account_context(account_a):
        made.refresh_from_db()
        assert made.status == "completed"
        before = list(UnitEvent.objects.values_list("pk", flat=True))
        at = Cursor.objects.get().next_at
    wait_until(lambda: in_account(account_a, lambda: Cursor.objects.get().next_at) > at, what="it asks again")
    assert in_account(account_a, lambda: list(UnitEvent.objects.values_list("pk", flat=True))) == before


def holder(place, worker):
    """The pid of the worker's child that waits for the sandbox's answer: who has a connection to its port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {row[9] for row in rows if row[2].endswith(f":{place.port:04X}") and row[3] == "01"}
    for pid in worker.children():
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if str(file.readlink()).removeprefix("socket:[")[:-1] in inodes:
                    return pid
    return None


def test_kill_9_between_the_effect_and_the_commit(worker, place, account_a):
    connection = connected(account_a, place)
    place.fault(do="barrier", on="POST /purchase-orders")
    made = in_account(account_a, lambda: submitted(connection))
    wait_until(lambda: place.http.get("/barrier").json()["held"], what="the answer is held")
    assert place.counts()["by_reference"] == {made.number: 1}, "the effect has happened"
    state = in_account(account_a, lambda: Delivery.objects.get().state)
    assert state == DeliveryState.SENDING, "and is not committed here"
    killed = holder(place, worker)
    assert killed in worker.children()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in worker.children(), what="the child is dead")
    place.http.post("/barrier")
    wait_until(
        lambda: in_account(account_a, lambda: Delivery.objects.get().state) == DeliveryState.SENT,
        what="another one finds that it was sent",
        seconds=90,
    )
    assert place.counts()["by_reference"] == {made.number: 1}
    assert in_account(account_a, lambda: Delivery.objects.get().attempts) == 2
    wait_for_units(account_a, place, 3, worker)


def test_the_warehouse_dies_and_comes_back(worker, place, account_a):
    """kill -9 of the sandbox itself: its state is on disk, and what was submitted meanwhile arrives."""
    connection = connected(account_a, place)
    assert place.end(signal.SIGKILL) == -signal.SIGKILL
    made = [in_account(account_a, lambda: submitted(connection, (make_serialized_sku(), 2))) for _ in range(3)]
    wait_until(
        lambda: in_account(account_a, lambda: Connection.objects.get().health) == Health.RESTING,
        what="the connection rests",
        seconds=90,
    )
    place.start()
    wait_for_units(account_a, place, 6, worker)
    assert place.counts()["by_reference"] == {one.number: 1 for one in made}
    assert in_account(account_a, lambda: Connection.objects.get().health) == Health.OK


def test_a_warehouse_that_hangs_keeps_another_account_not_waiting(worker, place, account_a, account_b):
    connection = connected(account_a, place)
    in_account(account_a, lambda: submitted(connection))
    wait_for_units(account_a, place, 3, worker)
    place.fault(do="timeout", seconds=30, times=0, on="GET /receipts")
    with account_context(account_b):
        place.client = "bolt"
        other = connect(place)
        submitted(other)
    wait_until(
        lambda: in_account(account_b, lambda: Delivery.objects.filter(state=DeliveryState.SENT).exists()),
        what="B is served while A hangs",
        seconds=60,
    )
    assert TOKEN not in worker.log.read_text()
