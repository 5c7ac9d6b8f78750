"""The sandbox warehouse (channels_sync/sandbox): what the demonstration and the fault tests talk to."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy as _

from channels_sync.contract import (
    WMS_CAPABILITIES,
    BaseConfigForm,
    Capability,
    Flow,
    Json,
    LotPart,
    Page,
    Payload,
    PurchaseOrder,
    PurchaseOrderLine,
    Rejected,
    RemoteLine,
    RemoteReceipt,
    RemoteRef,
    RemoteUnit,
    Sample,
    Support,
    WmsAdapter,
)
from channels_sync.http import HttpClient

PAGE_ROWS = 50
TAKEN = 409


class SandboxConfigForm(BaseConfigForm):
    """Where the sandbox is, and as whom it knows us."""

    secret_fields = frozenset({"token"})
    identity_fields = frozenset({"client"})

    url = forms.URLField(label=_("Address"), assume_scheme="http", help_text=_("For example http://127.0.0.1:8055"))
    client = forms.CharField(
        label=_("Client"), max_length=80, help_text=_("The name under which the warehouse keeps your goods.")
    )
    token = forms.CharField(label=_("Token"), max_length=200, widget=forms.PasswordInput)


class SandboxWms(WmsAdapter):
    """Purchase orders out, receipts in."""

    kind = "sandbox_wms"
    label = _("Sandbox warehouse")
    limits = (_("A small warehouse to try Lotline with: it receives every purchase order after a few seconds."),)
    flows = frozenset({Flow.PURCHASE_ORDERS, Flow.RECEIPTS})
    capabilities = {  # noqa: RUF012
        Capability.PO_LOTS_OUT: Support.NATIVE,
        Capability.PO_SERIALS_OUT: Support.NATIVE,
        Capability.RECEIPT_LOTS_IN: Support.NATIVE,
        Capability.RECEIPT_SERIALS_IN: Support.NATIVE,
    }
    cannot = dict.fromkeys(WMS_CAPABILITIES[4:], _("The sandbox does not ship yet."))
    samples = (
        Sample(
            Flow.RECEIPTS,
            {
                "id": "RC-1",
                "version": 1,
                "client": "acme",
                "purchase_order": 1,
                "reference": "RPL-1",
                "received_at": "2026-11-22T08:00:00.000000+00:00",
                "updated_at": "2026-11-22T08:00:00.000000+00:00",
                "lines": [
                    {
                        "line": 1,
                        "sku": "L2201308",
                        "quantity": 1,
                        "lots": [{"number": "L1", "quantity": 1, "expires_on": "2027-01-31", "serials": ["S1"]}],
                        "units": [{"serial": "S1", "bin": "A-01-1", "lot": "L1"}],
                    },
                    {"line": 2, "sku": "BOX", "quantity": 5, "lots": [], "units": [], "bin": "A-01-2"},
                ],
            },
        ),
    )
    ConfigForm = SandboxConfigForm

    def __init__(self, config: Mapping[str, Any], *, seconds: float = 40.0) -> None:
        """See Adapter."""
        super().__init__(config, seconds=seconds)
        self.client = str(config["client"])
        headers = {"Authorization": f"Bearer {config['token']}"}
        self.http = HttpClient(str(config["url"]), headers=headers, seconds=seconds)

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def clock(self) -> datetime | None:
        """See Adapter."""
        return self.http.date

    def check(self) -> str:
        """Ask for our stock, which needs the token."""
        units = self.http.get("/stock", params={"client": self.client}).data["units"]
        return f"{self.label}: {len(units)}"

    # --- purchase orders ----------------------------------------------------------------------------------------------
    def send_purchase_order(self, po: PurchaseOrder) -> RemoteRef:
        """Look by our number first, then write with the key."""
        found = self._find(po.number)
        if found is None:
            body = {
                "client": self.client,
                "reference": po.number,
                "supplier": po.supplier,
                "note": po.note,
                "expected_on": po.expected_on.isoformat() if po.expected_on else None,
                "lines": [_line(line) for line in po.lines],
            }
            headers = {"Idempotency-Key": po.key}
            answer = self.http.post("/purchase-orders", body, headers=headers, accept={TAKEN}, is_repeatable=True)
            # Taken between our look and our write: by ourselves, a moment ago.
            found = self._find(po.number) if answer.status == TAKEN else answer.data
        if found is None:
            words = gettext("The warehouse says that %(number)s is taken, and does not show it.")
            raise Rejected(words % {"number": po.number})
        return RemoteRef(id=str(found["id"]), reference=po.number)

    def find_purchase_order(self, number: str) -> RemoteRef | None:
        """See WmsAdapter."""
        found = self._find(number)
        if found and found["state"] == "cancelled":
            raise Rejected(gettext("%(number)s is cancelled in the warehouse.") % {"number": number})
        return RemoteRef(id=str(found["id"]), reference=number) if found else None

    def cancel_purchase_order(self, ref: RemoteRef) -> RemoteRef:
        """Cancel it, or what of it has not come; what is not there needs none."""
        pk = ref.id or str((self._find(ref.reference) or {}).get("id", ""))
        if pk:
            self.http.request(
                "POST",
                f"/purchase-orders/{pk}/cancel",
                params={"client": self.client},
                body={},
                is_repeatable=True,
            )
        return RemoteRef(id=pk, reference=ref.reference)

    def _find(self, reference: str) -> Json | None:
        params = {"client": self.client, "reference": reference}
        items = self.http.get("/purchase-orders", params=params).data["items"]
        return items[0] if items else None

    # --- receipts -----------------------------------------------------------------------------------------------------
    def fetch_receipts(self, since: datetime | None) -> Iterator[Page]:
        """All receipts that changed since; pages may come twice or in another order."""
        cursor: str | None = ""
        while cursor is not None:
            params = {
                "client": self.client,
                "updated_since": since.isoformat(timespec="microseconds") if since else "",
                "limit": PAGE_ROWS,
                "cursor": cursor,
            }
            data = self.http.get("/receipts", params=params).data
            yield Page(tuple(_payload(item) for item in data["items"]))
            cursor = data["next"]

    @classmethod
    def read_receipt(cls, raw: Json) -> RemoteReceipt:
        """A receipt of the sandbox."""
        return RemoteReceipt(
            external_id=str(raw["id"]),
            reference=raw["reference"],
            occurred_at=raw["received_at"],
            lines=tuple(_read_line(line) for line in raw["lines"]),
            version=raw["version"],
        )


def _line(line: PurchaseOrderLine) -> dict[str, Any]:
    return {
        "line": line.position,
        "sku": line.sku_code,
        "quantity": line.quantity,
        "serialized": line.is_serialized,
        "serials": list(line.serials),
        "lots": [
            {
                "number": lot.number,
                "quantity": lot.quantity,
                "expires_on": lot.expires_on.isoformat() if lot.expires_on else None,
                "serials": list(lot.serials),
            }
            for lot in line.lots
        ],
    }


def _payload(item: Json) -> Payload:
    return Payload(
        external_id=str(item["id"]),
        raw=item,
        updated_at=datetime.fromisoformat(item["updated_at"]),
        version=int(item["version"]),
    )


def _read_line(line: Json) -> RemoteLine:
    return RemoteLine(
        position=line["line"],
        sku_code=line["sku"],
        quantity=line["quantity"],
        units=tuple(RemoteUnit(unit["serial"], unit.get("bin") or "", unit.get("lot") or "") for unit in line["units"]),
        lots=tuple(
            LotPart(
                number=lot["number"],
                quantity=lot.get("quantity"),
                expires_on=lot.get("expires_on"),
                serials=tuple(lot.get("serials") or ()),
            )
            for lot in line["lots"]
        ),
        bin_name=line.get("bin") or "",
    )
