"""Purchase orders as JSON and back: what a delivery stores is exactly what its adapter is given."""

import json
from dataclasses import asdict
from datetime import date
from hashlib import sha256
from typing import Any

from channels_sync.contract import Json, LotPart, PurchaseOrder, PurchaseOrderLine


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def to_json(po: PurchaseOrder) -> dict[str, Any]:
    """A purchase order, JSON-ready."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(po), default=_plain))
    return found


def from_json(data: Json) -> PurchaseOrder:
    """The purchase order that `to_json` was given."""
    lines = tuple(
        PurchaseOrderLine(
            **{
                **line,
                "lots": tuple(
                    LotPart(
                        **{
                            **lot,
                            "expires_on": _date(lot["expires_on"]),
                            "made_on": _date(lot["made_on"]),
                            "serials": tuple(lot["serials"]),
                        }
                    )
                    for lot in line["lots"]
                ),
                "serials": tuple(line["serials"]),
            }
        )
        for line in data["lines"]
    )
    return PurchaseOrder(**{**data, "lines": lines, "expected_on": _date(data["expected_on"])})


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def digest(raw: Any) -> str:
    """What makes two payloads the same: their content, whatever the order of its names."""
    return sha256(json.dumps(raw, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()
