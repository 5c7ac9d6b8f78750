"""What happens in the sandbox's warehouse: goods arrive, are counted by number and put into bins."""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.store import Store, now

AISLES, PLACES, LEVELS = "AB", 4, 3
WATCH_SECONDS = 0.2
AFTER_CANCEL = {"open": "cancelled", "partial": "closed"}
"""What cancelling makes of a purchase order; one that is received, cancelled or closed stays as it is."""
NOT_EXPECTED = {"cancelled", "closed"}


class Refused(Exception):
    """The warehouse says no, with a status and a reason."""

    def __init__(self, status: int, reason: str, **more: Any) -> None:
        super().__init__(reason)
        self.status, self.data = status, {"error": reason, **more}


def check_lines(lines: Any) -> list[dict[str, Any]]:
    """The lines of a purchase order. Raises Refused (422) where they make no sense."""
    if not isinstance(lines, list) or not lines:
        raise Refused(422, "A purchase order has at least one line.")
    for line in lines:
        if not isinstance(line, dict) or not line.get("sku") or not isinstance(line.get("quantity"), int):
            raise Refused(422, "Every line has a sku and a quantity.")
        if line["quantity"] < 1:
            raise Refused(422, f"{line['sku']}: the quantity is at least 1.")
        if str(line["sku"]).startswith("REFUSE"):
            raise Refused(422, f"{line['sku']} is not in our item list.")
        if line.get("serials") and len(line["serials"]) != line["quantity"]:
            raise Refused(422, f"{line['sku']}: as many serials as units, or none.")
    return lines


class Warehouse:
    """Receives what is due, in a thread of its own."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self.store, self.faults = store, faults
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="warehouse", daemon=True)

    def start(self) -> None:
        """Start working."""
        self._thread.start()

    def stop(self) -> None:
        """Stop working."""
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(WATCH_SECONDS):
            if not self.faults.is_down:
                for order in self.store.due(time.time()):
                    with suppress(Refused):  # it was cancelled a moment ago
                        self.receive(order, None)

    def receive(self, order: Mapping[str, Any], lines: list[dict[str, Any]] | None) -> dict[str, Any]:
        """Receive a purchase order, whole or the given `lines` of it; the receipt.

        A line of the receipt without units is counted by quantity only. Raises Refused (409) where nothing more is
        expected.
        """
        is_whole = lines is None
        with self.store.transaction():
            if self.store.state(order["id"]) in NOT_EXPECTED:
                raise Refused(409, "Nothing more is expected of this purchase order.")
            found = [self._counted(line) for line in order["lines"]] if lines is None else lines
            found = self._with_faults(found) if is_whole else found
            receipt = {
                "id": f"RC-{self.store.name}-{self.store.next('receipt')}",
                "version": 1,
                "client": order["client"],
                "purchase_order": order["id"],
                "reference": order["reference"],
                "received_at": now(),
                "lines": found,
            }
            for line in found:
                self._put_away(order["client"], line)
            self.store.save_receipt(order["client"], receipt)
            self.store.set_state(order["id"], "received" if is_whole else "partial")
        return receipt

    def cancel(self, order: Mapping[str, Any]) -> dict[str, Any] | None:
        """Expect nothing more of a purchase order; what has arrived stays. The order as it is then."""
        with self.store.transaction():
            if after := AFTER_CANCEL.get(self.store.state(order["id"])):
                self.store.set_state(order["id"], after)
            return self.store.find(order["client"], pk=order["id"])

    def change(self, receipt: Mapping[str, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
        """A later version of a receipt with other lines; the bins are left to whoever asks for this."""
        changed = {**receipt, "version": receipt["version"] + 1, "lines": lines}
        with self.store.transaction():
            self.store.save_receipt(receipt["client"], changed)
        return changed

    def _counted(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """A line as the warehouse counts it: with the numbers it was told, else with numbers of its own."""
        counted: dict[str, Any] = {
            "line": line.get("line"),
            "sku": line["sku"],
            "quantity": line["quantity"],
            "lots": line.get("lots", []),
            "units": [],
        }
        if not line.get("serialized", True):
            return {**counted, "bin": self._next_bin()}
        serials = list(line.get("serials") or [])
        serials += [f"SBX{self.store.next('serial'):08}" for _ in range(line["quantity"] - len(serials))]
        lot_of = {serial: lot["number"] for lot in line.get("lots", []) for serial in lot.get("serials", [])}
        counted["units"] = [
            {"serial": serial, "bin": self._next_bin(), "lot": lot_of.get(serial, "")} for serial in serials
        ]
        return counted

    def _next_bin(self) -> str:
        n = self.store.next("bin") - 1
        aisle = AISLES[n // (PLACES * LEVELS) % len(AISLES)]
        return f"{aisle}-{n // LEVELS % PLACES + 1:02}-{n % LEVELS + 1}"

    def _with_faults(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        units = [unit for line in lines for unit in line["units"]]
        if units and self.faults.take("wrong_serial"):
            units[0]["serial"] = f"WRONG{self.store.next('wrong'):04}"
        if units and self.faults.take("missing_serial"):
            line = next(line for line in lines if line["units"])
            line["units"].pop()
            line["quantity"] -= 1
        return lines

    def _put_away(self, client: str, line: Mapping[str, Any]) -> None:
        for unit in line.get("units", []):
            self.store.put(client, line["sku"], unit.get("bin", ""), 1, [unit["serial"]])
        if not line.get("units"):
            self.store.put(client, line["sku"], line.get("bin", ""), line["quantity"], [])
