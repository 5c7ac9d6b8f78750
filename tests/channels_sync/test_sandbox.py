"""The sandbox itself: what it counts is evidence, so it must count right."""

import signal
import sqlite3
from contextlib import closing

import httpx
import pytest

from tests.channels_sync.warehouse import WarehouseProcess
from tests.worker_process import wait_until

LINE = {"line": 1, "sku": "X", "quantity": 2, "serials": ["S1", "S2"]}


@pytest.fixture
def place(tmp_path):
    process = WarehouseProcess(tmp_path, delay=0.2)
    process.client = "me"
    yield process
    process.end()


def order(place, reference, key="", **more):
    body = {"client": place.client, "reference": reference, "lines": [LINE], **more}
    return place.http.post("/purchase-orders", json=body, headers={"Idempotency-Key": key})


def test_without_the_token_nothing(place):
    assert httpx.get(f"{place.url}/healthz").json() == {"ok": True}
    assert httpx.get(f"{place.url}/stock").status_code == 401


def test_a_key_and_a_reference_are_taken_once(place):
    first = order(place, "R1", "k1")
    again = order(place, "R1", "k1")
    other = order(place, "R1", "k2")
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json()["id"] == again.json()["id"] == other.json()["id"]
    assert place.counts()["by_reference"] == {"R1": 1}
    place.fault(do="forgetful", on="POST /purchase-orders")
    assert order(place, "R1", "k1").status_code == 201
    assert place.counts()["by_reference"] == {"R1": 2}, "a vendor that forgets makes two, and counts them"


def test_goods_arrive_with_their_numbers_and_survive_a_kill(place):
    order(place, "R1", "k1")
    order(
        place,
        "R2",
        "k2",
        lines=[{"line": 1, "sku": "Y", "quantity": 2}, {"line": 2, "sku": "Z", "quantity": 9, "serialized": False}],
    )
    wait_until(lambda: place.counts()["receipts"] == 2, what="both are received")
    before = place.units()
    assert before["S1"] == "A-01-1"
    assert before["S2"] == "A-01-2"
    assert len(before) == 4
    assert place.end(signal.SIGKILL) == -signal.SIGKILL
    place.start()
    assert place.units() == before
    assert place.counts()["by_reference"] == {"R1": 1, "R2": 1}


def all_are_due(place):
    """As if the time of every purchase order had come that still has one."""
    with closing(sqlite3.connect(place.state / "sandbox.sqlite3", timeout=60)) as file, file:
        file.execute("UPDATE purchase_order SET due_at = 1 WHERE due_at IS NOT NULL")


def test_a_cancelled_one_is_not_received_any_more(tmp_path):
    """Neither by its time nor by hand, whatever of it had come before; one that came in full stays as it is."""
    place = WarehouseProcess(tmp_path, delay=3600)
    place.client = "me"

    def act(reference, action, **body):
        pk = place.order(reference)["id"]
        return place.http.post(f"/purchase-orders/{pk}/{action}", params={"client": "me"}, json=body)

    for reference in ("FULL", "OPEN", "PART"):
        order(place, reference, reference)
    part = {**LINE, "quantity": 1, "units": [{"serial": "P1", "bin": "A-01-1"}]}
    assert act("PART", "receive", lines=[part]).status_code == 201
    assert act("FULL", "receive").status_code == 201
    before = place.units()
    for reference, state in (("FULL", "received"), ("OPEN", "cancelled"), ("PART", "closed")):
        assert [act(reference, "cancel").json()["state"] for _twice in range(2)] == [state] * 2
    assert [act(reference, "receive").status_code for reference in ("OPEN", "PART")] == [409, 409]
    order(place, "LAST", "LAST", lines=[{"line": 1, "sku": "Y", "quantity": 1, "serialized": False}])
    all_are_due(place)
    wait_until(lambda: place.order("LAST")["state"] == "received", what="the last of those that are due is received")
    assert (place.counts()["receipts"], place.units()) == (3, before)
    place.end()


def test_others_see_nothing_of_ours(place):
    order(place, "R1", "k1")
    place.client = "somebody else"
    assert place.order("R1") == {}
    assert place.counts()["purchase_orders"] == 0
