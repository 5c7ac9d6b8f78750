"""The sandbox's HTTP side."""

import hmac
import json
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.store import Store, now
from channels_sync.sandbox.warehouse import Refused, Warehouse, check_lines

MOST_BYTES = 20 * 1024 * 1024
MOST_ROWS = 100
CONTROLS = {"/healthz", "/faults", "/barrier", "/counts"}
Answer = tuple[int, Any]


class NoAnswer(Exception):
    """The connection is closed without an answer."""


class Quiet(ThreadingHTTPServer):
    """Threads that end with the process; a caller who hangs up is no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where the caller is gone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Sandbox:
    """The server with its warehouse and its file."""

    def __init__(self, address: tuple[str, int], folder: Path, *, token: str, delay: float) -> None:
        self.token, self.delay = token, delay
        self.store, self.faults = Store(folder), Faults()
        self.store.cut_waits(time.time() + max(delay, 0))
        self.warehouse = Warehouse(self.store, self.faults)
        sandbox = self

        class Bound(Handler):
            api = Api(sandbox)

        self._server = Quiet(address, Bound)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def serve(self) -> None:
        """Serve until `stop`."""
        self.warehouse.start()
        self._server.serve_forever(poll_interval=0.1)

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self.serve, name="sandbox", daemon=True).start()

    def stop(self) -> None:
        """Stop, with everything on disk."""
        self.faults.clear()
        self.warehouse.stop()
        self._server.server_close()
        self.store.close()


class Api:
    """Each method answers one address: (status, JSON)."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.store, self.faults = sandbox, sandbox.store, sandbox.faults

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, key: str) -> Answer:
        """Find who answers, and let the faults strike."""
        path = f"/{path.strip('/')}"
        first, *rest = path.strip("/").split("/")
        if f"/{first}" in CONTROLS:
            return self._control(method, path, query, body)
        if self.faults.is_down:
            raise NoAnswer
        self.store.note(method, path, key)
        on = f"{method} /{first}"
        self._before(on)
        routes: dict[str, Callable[..., Answer]] = {
            "POST /purchase-orders": self.take_order if not rest else self.order_action,
            "GET /purchase-orders": self.orders if not rest else self.order,
            "GET /receipts": self.receipts if not rest else self.receipt,
            "POST /receipts": self.change_receipt,
            "GET /stock": self.stock,
        }
        if on not in routes:
            raise Refused(404, "There is nothing at this address.")
        found = routes[on](query, body, key, *rest)
        if method == "POST":
            self._after(on)
        return found

    def _before(self, on: str) -> None:
        """The faults that strike before anything happens."""
        if fault := self.faults.take("status", on):
            raise Refused(int(fault["status"]), "fault", retry_after=fault.get("retry_after"))
        if fault := self.faults.take("timeout", on):
            time.sleep(float(fault.get("seconds", 30)))
            raise NoAnswer

    def _after(self, on: str) -> None:
        """The faults that strike between what happened and its answer."""
        if self.faults.take("lose_answer", on):
            raise NoAnswer
        if self.faults.take("barrier", on):
            self.faults.wait_at_barrier()

    def _control(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        if path == "/healthz":
            return 200, {"ok": True}
        if path == "/counts":
            return 200, self.store.counts(query.get("client", ""))
        if path == "/barrier":
            if method == "POST":
                self.faults.release()
            return 200, {"held": self.faults.held}
        if method == "DELETE":
            self.faults.clear()
        for fault in body if isinstance(body, list) else [body] if method == "POST" else []:
            self.faults.add(fault)
        return 200, {"ok": True}

    # --- purchase orders ----------------------------------------------------------------------------------------------
    def take_order(self, query: dict[str, str], body: Any, key: str) -> Answer:
        """POST /purchase-orders."""
        client, reference = body.get("client", ""), body.get("reference", "")
        if not client or not reference:
            raise Refused(422, "client and reference are needed.")
        lines = check_lines(body.get("lines"))
        if not self.faults.take("forgetful", "POST /purchase-orders"):
            if key and (known := self.store.find(client, key=key)):
                return 200, known
            if known := self.store.find(client, reference=reference):
                raise Refused(409, "This reference is taken.", id=known["id"])
        delay = self.sandbox.delay
        due_at = time.time() + delay if delay >= 0 else None
        content = {"lines": lines, "expected_on": body.get("expected_on")}
        content |= {name: body.get(name, "") for name in ("supplier", "note")}
        pk = self.store.add(client, reference, key, content, due_at)
        return 201, self.store.find(client, pk=pk)

    def orders(self, query: dict[str, str], body: Any, key: str) -> Answer:
        """GET /purchase-orders?client=&reference=."""
        found = self.store.find(query.get("client", ""), reference=query.get("reference", ""))
        return 200, {"items": [found] if found else []}

    def order(self, query: dict[str, str], body: Any, key: str, pk: str) -> Answer:
        """GET /purchase-orders/<id>?client=."""
        return 200, self._order(query, pk)

    def order_action(self, query: dict[str, str], body: Any, key: str, pk: str, action: str) -> Answer:
        """POST /purchase-orders/<id>/cancel, or /receive with the lines that arrive (none: all of it).

        Cancelling means that nothing more of it is expected; what has arrived stays.
        """
        order = self._order(query, pk)
        if action == "receive":
            return 201, self.sandbox.warehouse.receive(order, (body or {}).get("lines"))
        if action != "cancel":
            raise Refused(404, "There is nothing at this address.")
        return 200, self.sandbox.warehouse.cancel(order)

    def _order(self, query: dict[str, str], pk: str) -> dict[str, Any]:
        found = self.store.find(query.get("client", ""), pk=int(pk)) if pk.isdecimal() else None
        if found is None:
            raise Refused(404, "There is no such purchase order.")
        return found

    # --- receipts and stock -------------------------------------------------------------------------------------------
    def receipts(self, query: dict[str, str], body: Any, key: str) -> Answer:
        """GET /receipts?client=&updated_since=&limit=&cursor=; `next` is the cursor of the next page."""
        size = min(int(query.get("limit") or MOST_ROWS), MOST_ROWS)
        number, until = self._cursor(query.get("cursor", ""))
        rows = self.store.receipts(query.get("client", ""), query.get("updated_since", ""), until)
        pages = [rows[at : at + size] for at in range(0, len(rows), size)] or [[]]
        if self.faults.take("reorder_pages", "GET /receipts"):
            pages = [page[::-1] for page in pages[::-1]]
        if self.faults.take("duplicate_pages", "GET /receipts"):
            pages = [page for page in pages for _ in range(2)]
        page = pages[number] if number < len(pages) else []
        return 200, {"items": page, "next": f"{number + 1}~{until}" if number + 1 < len(pages) else None}

    @staticmethod
    def _cursor(text: str) -> tuple[int, str]:
        number, _, until = text.partition("~")
        return (int(number), until) if number.isdecimal() and until else (0, now())

    def receipt(self, query: dict[str, str], body: Any, key: str, pk: str) -> Answer:
        """GET /receipts/<id>?client=."""
        found = [row for row in self.store.receipts(query.get("client", ""), "", now()) if row["id"] == pk]
        if not found:
            raise Refused(404, "There is no such receipt.")
        return 200, found[0]

    def change_receipt(self, query: dict[str, str], body: Any, key: str, pk: str) -> Answer:
        """POST /receipts/<id>: a later version with other lines."""
        _status, found = self.receipt(query, None, "", pk)
        return 200, self.sandbox.warehouse.change(found, body["lines"])

    def stock(self, query: dict[str, str], body: Any, key: str) -> Answer:
        """GET /stock?client=: what lies where, and which units."""
        client = query.get("client", "")
        places = self.store.rows("SELECT sku, bin, quantity FROM stock WHERE client = ? ORDER BY sku, bin", client)
        units = self.store.rows("SELECT sku, serial, bin FROM unit WHERE client = ? ORDER BY sku, serial", client)
        return 200, {"items": places, "units": units}


class Handler(BaseHTTPRequestHandler):
    """Reads a request, checks the token, writes the answer."""

    api: Api
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """GET."""
        self._respond()

    def do_POST(self) -> None:
        """POST."""
        self._respond()

    def do_DELETE(self) -> None:
        """DELETE."""
        self._respond()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is http.server's)
        """Nothing: the sandbox remembers what it was asked."""

    def _respond(self) -> None:
        try:
            status, data = self._answered()
        except Refused as refusal:
            status, data = refusal.status, refusal.data
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            status, data = 400, {"error": f"This request makes no sense: {error}"}
        except NoAnswer:
            self.close_connection = True
            return
        content = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if isinstance(data, dict) and data.get("retry_after") is not None:
            self.send_header("Retry-After", str(data["retry_after"]))
        self.end_headers()
        self.wfile.write(content)

    def _answered(self) -> Answer:
        size = int(self.headers.get("Content-Length") or 0)
        if size > MOST_BYTES:
            raise Refused(413, "This is too long.")
        content = self.rfile.read(size)
        parts = urlsplit(self.path)
        given, wanted = self.headers.get("Authorization", ""), f"Bearer {self.api.sandbox.token}"
        is_open = parts.path.rstrip("/") == "/healthz"
        if not is_open and not hmac.compare_digest(given.encode(), wanted.encode()):
            raise Refused(401, "The token is not right.")
        query, body = dict(parse_qsl(parts.query)), json.loads(content) if content else {}
        key = self.headers.get("Idempotency-Key", "")
        return self.api.answer(self.command, parts.path, query, body, key)
