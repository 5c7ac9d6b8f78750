"""Writes of units. `record_event` is the one writer; the other services say in the field's words what to record."""

from serials.services.ledger import Fact, Recorded, Refused, Row, Staging, record_event

__all__ = ["Fact", "Recorded", "Refused", "Row", "Staging", "record_event"]
