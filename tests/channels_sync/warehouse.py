"""The sandbox warehouse as a process of its own, with what tests ask and tell it, and connections to it."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from itertools import count
from pathlib import Path

import httpx
import pytest
from django.utils import timezone

from channels_sync.models import Connection, Cursor, Delivery, InboundMessage
from channels_sync.services import connections
from channels_sync.services.pull import pull
from channels_sync.services.push import push
from oms import outbox
from oms.models import Discrepancy, Stock, StockMove
from oms.tenancy import account_context
from replenishment.models import Receipt
from serials.models import Unit, UnitEvent
from tests.factories import make_bin, make_serialized_sku, make_warehouse_link
from tests.replenishment.factories import make_submitted

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-tests"
LOCKS_WAITED_FOR = """
SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN (
    SELECT pid FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
# How many wait for a lock in this database: those of other workers wait, too.
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
_number = count(1)


class WarehouseProcess:
    """`python -m channels_sync.sandbox`; `client` is the merchant that the test is, another one for each test."""

    def __init__(self, state: Path, *, delay: float = -1, port: int = 0) -> None:
        self.state, self.delay, self.port, self.client = state, delay, port, ""
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "channels_sync.sandbox", "--port", str(self.port)),
                *("--state", str(self.state), "--delay", str(self.delay)),
            ],
            cwd=ROOT,
            env={**os.environ, "LOTLINE_SANDBOX_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            text=True,
        )
        said = self._process.stdout.readline()
        self.url = said.split()[-1]
        self.port = int(self.url.rpartition(":")[2])
        self.http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)

    def end(self, with_signal=signal.SIGTERM) -> int:
        self.http.close()
        self._process.send_signal(with_signal)
        self._process.stdout.close()
        return self._process.wait(60)

    def fault(self, **fault) -> None:
        assert self.http.post("/faults", json=fault).status_code == 200, fault

    def clear(self) -> None:
        self.http.request("DELETE", "/faults")

    def counts(self) -> dict:
        return self.http.get("/counts", params={"client": self.client}).json()

    def units(self) -> dict:
        """serial → bin"""
        found = self.http.get("/stock", params={"client": self.client}).json()["units"]
        return {unit["serial"]: unit["bin"] for unit in found}

    def order(self, reference) -> dict:
        params = {"client": self.client, "reference": reference}
        items = self.http.get("/purchase-orders", params=params).json()["items"]
        return items[0] if items else {}

    def receive(self, reference, lines=None) -> dict:
        """The goods of a purchase order arrive, all of them or these lines."""
        pk = self.order(reference)["id"]
        answer = self.http.post(
            f"/purchase-orders/{pk}/receive", params={"client": self.client}, json={"lines": lines} if lines else {}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    def change(self, receipt, lines) -> None:
        answer = self.http.post(f"/receipts/{receipt['id']}", params={"client": self.client}, json={"lines": lines})
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def warehouse_process(tmp_path_factory):
    process = WarehouseProcess(tmp_path_factory.mktemp("sandbox"))
    yield process
    process.end()


@pytest.fixture
def warehouse(warehouse_process, settings):
    """The sandbox, without faults, that receives nothing unless told to."""
    settings.LOTLINE_PRIVATE_HOSTS = [warehouse_process.url.rpartition("//")[2]]
    settings.SYNC_FIRST_WAIT_SECONDS = 0.05
    settings.SYNC_LEASE_SECONDS = 5
    warehouse_process.client = f"client-{next(_number)}"
    warehouse_process.clear()
    return warehouse_process


def connect(warehouse, **changes) -> Connection:
    """A connection of the current account to the sandbox, with everything passed through."""
    link = make_warehouse_link()
    make_bin(link=link)
    made = connections.connect_sandbox(link=link, client=warehouse.client, url=warehouse.url, token=TOKEN)
    if changes:
        Connection.objects.filter(pk=made.pk).update(**changes)
        made.refresh_from_db()
    return made


@pytest.fixture
def connection(warehouse, account_a):
    """Account A's connection, committed. Its turns come when a test asks, not by themselves on a slow machine."""
    with account_context(account_a):
        return connect(warehouse, seconds=86_400)


def submitted(connection, *lines, **more):
    """A submitted replenishment for the connection's warehouse: 3 units of an In/Out SKU, with planned serials."""
    return make_submitted(*(lines or ((make_serialized_sku(), 3),)), link=connection.link, **more)


@pytest.fixture
def told(account_a, connection):
    """`told()` submits a replenishment and sends it to the warehouse; the replenishment."""

    def submit(*lines, **more):
        with account_context(account_a):
            made = submitted(connection, *lines, **more)
        outbox.drain(account_a.pk)
        assert push(account_a.pk) == 1
        return made

    return submit


@pytest.fixture
def ask(account_a):
    """`ask()` pulls now."""

    def pulled():
        with account_context(account_a):
            # Long ago by any clock: the database compares with its own.
            Cursor.objects.update(next_at=timezone.now() - timedelta(hours=1))
            Connection.objects.update(resting_until=None, asked_until=None)
        return pull(account_a.pk)

    return pulled


@pytest.fixture
def seen(account_a):
    def read(model=InboundMessage, **conditions):
        with account_context(account_a):
            return list(model.objects.filter(**conditions).order_by("pk"))

    return read


@pytest.fixture
def sent(account_a, connection):
    """`sent()` submits a replenishment and hands its message to the connection; the replenishment."""

    def submit(*lines, **more):
        with account_context(account_a):
            made = submitted(connection, *lines, **more)
        outbox.drain(account_a.pk)
        return made

    return submit


@pytest.fixture
def deliveries(account_a):
    def read(**conditions):
        with account_context(account_a):
            return list(Delivery.objects.filter(**conditions).select_related("connection").order_by("pk"))

    return read


def state_of(account):
    """Everything that a receipt may change."""
    with account_context(account):
        return {
            model.__name__: sorted(map(repr, model.objects.values_list()))
            for model in (Unit, UnitEvent, Stock, StockMove, Receipt, Discrepancy)
        }


def units(account, **conditions):
    with account_context(account):
        rows = Unit.objects.filter(**conditions).order_by("pk").values_list("serial", "status", "bin__name")
        return {serial: (status, bin_name) for serial, status, bin_name in rows}
